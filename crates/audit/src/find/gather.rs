//! The reading of a search: the issuer's logs first, then what intake's and lifecycle's say of what fits.

use std::collections::HashMap;

use lgpki_domain::{
    ApplicationId, Authority, AuthorityKey, BodyCode, CertificateKind, Digest, KeyAlgorithm,
    RevocationReason, Serial, Timestamp,
};
use lgpki_ledger::{
    VerifierKey,
    serial::{bytes, optional_text, text},
};
use lgpki_x509::{SubjectPublicKey, signed::Signed};
use serde::{Deserialize, de::DeserializeOwned};

use super::{Approval, Found, Names, Query, Search, Searched, State};
use crate::{
    certificate::public_key_info,
    directory::{LogDir, Published},
    error::AuditError,
    fact::Service,
    proof::{EntryText, read_entry, reader},
    walk::{At, walk},
};

#[derive(Deserialize)]
struct Subject {
    body: Names,
    name: Names,
    unit: Option<Names>,
}

#[derive(Deserialize)]
struct Intent {
    profile: u32,
    #[serde(with = "text")]
    serial: Serial,
}

#[derive(Deserialize)]
struct Issued {
    #[serde(with = "text")]
    application: ApplicationId,
    authority: String,
    #[serde(with = "optional_text", default)]
    branch: Option<BodyCode>,
    #[serde(with = "bytes")]
    certificate: Vec<u8>,
    epoch: u64,
    #[serde(default = "first")]
    generation: u32,
    #[serde(with = "text")]
    key_digest: Digest,
    kind: String,
    #[serde(with = "text")]
    not_after: Timestamp,
    #[serde(with = "text")]
    not_before: Timestamp,
    #[serde(with = "text")]
    serial: Serial,
    subject: Subject,
}

const fn first() -> u32 {
    1
}

#[derive(Deserialize)]
struct Received {
    examination: Examination,
}

#[derive(Deserialize)]
struct Examination {
    office: String,
}

#[derive(Deserialize)]
struct Approved {
    operator: Option<Operator>,
}

#[derive(Deserialize)]
struct Operator {
    #[serde(with = "text")]
    subject: Digest,
}

#[derive(Deserialize)]
struct Revoked {
    reason: String,
    #[serde(with = "text", rename = "revoked_at")]
    when: Timestamp,
    #[serde(with = "text")]
    serial: Serial,
}

/// What is done with an entry of a log; false if its body cannot be read.
type Each<'a> = dyn FnMut((&LogDir, At), &EntryText<'_>) -> bool + 'a;

/// Searches the logs; `keys` are those that must have signed their checkpoints, or none to believe the
/// keys beside them. `progress` is told how many entries were read.
pub fn find(
    published: &Published,
    query: &Query,
    keys: &[VerifierKey],
    progress: &mut dyn FnMut(u64),
) -> Result<Search, AuditError> {
    let mut gathering = Gathering {
        query,
        intents: HashMap::new(),
        found: Vec::new(),
        by_application: HashMap::new(),
        by_serial: HashMap::new(),
    };
    let mut search = Search {
        as_of: Timestamp::default(),
        logs: Vec::new(),
        certificates: Vec::new(),
        unreadable: 0,
        without: Vec::new(),
    };
    for service in Service::ALL {
        let needed = match service {
            Service::Issuer => true,
            Service::Intake => query.asks_for_applications(),
            Service::Lifecycle => !query.states.is_empty(),
        };
        if published.years(service).next().is_none() {
            if needed {
                return Err(AuditError::NotFound(format!(
                    "the logs of {} are not there, which this search needs",
                    service.name()
                )));
            }
            search.without.push(service.name());
        }
        for log in published.years(service) {
            let mut each = |at: (&LogDir, At), entry: &EntryText<'_>| match service {
                Service::Issuer => gathering.issuer(at, entry),
                Service::Intake => gathering.intake(entry),
                Service::Lifecycle => gathering.lifecycle(entry),
            };
            search_log((log, keys), &mut search, &mut each, progress)?;
        }
        if service == Service::Intake {
            gathering
                .found
                .retain(|found| query.fits_application(found));
            gathering.number();
        }
    }
    let as_of = search.as_of;
    for found in &mut gathering.found {
        // The last second belongs to it.
        if found.state == State::Valid && found.not_after.plus_seconds(1) <= as_of {
            found.state = State::Expired;
        }
    }
    gathering.found.retain(|found| query.fits_state(found));
    gathering
        .found
        .sort_by_key(|found| (found.issued_at, found.entry));
    search.certificates = gathering.found;
    Ok(search)
}

/// Hands out the entries of a log.
fn search_log(
    (log, keys): (&LogDir, &[VerifierKey]),
    search: &mut Search,
    each: &mut Each<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<(), AuditError> {
    let (reader, head, _) = reader(log, keys)?;
    search.logs.push(Searched {
        origin: head.origin.to_string(),
        size: head.size,
    });
    walk(log, &reader, progress, |at, bytes| {
        match read_entry(bytes) {
            Some(entry) => {
                if !each((log, at), &entry) {
                    search.unreadable += 1;
                }
                let time = entry.time.parse().unwrap_or_default();
                search.as_of = search.as_of.max(time);
            }
            None => search.unreadable += 1,
        }
        Ok(())
    })
}

struct Gathering<'a> {
    query: &'a Query,
    /// Profile and actor of intents that have not ended.
    intents: HashMap<Serial, (u32, String)>,
    found: Vec<Found>,
    by_application: HashMap<ApplicationId, usize>,
    by_serial: HashMap<Serial, usize>,
}

fn body<T: DeserializeOwned>(entry: &EntryText<'_>) -> Option<T> {
    serde_json::from_str(entry.body.get()).ok()
}

/// The algorithm of a certificate's key.
fn algorithm(der: &[u8]) -> Option<KeyAlgorithm> {
    let signed = Signed::parse(der).ok()?;
    let key = public_key_info(signed.to_be_signed())?;
    let key = SubjectPublicKey::parse("key", key).ok()?;
    Some(key.algorithm())
}

impl Gathering<'_> {
    fn number(&mut self) {
        let numbered = || self.found.iter().enumerate();
        self.by_application = numbered().map(|(at, f)| (f.application, at)).collect();
        self.by_serial = numbered().map(|(at, f)| (f.serial, at)).collect();
    }

    fn issuer(&mut self, at: (&LogDir, At), entry: &EntryText<'_>) -> bool {
        match entry.kind.as_str() {
            "certificate.intent" => {
                let intent: Option<Intent> = body(entry);
                let Some(intent) = intent else { return false };
                let says = (intent.profile, entry.actor.clone());
                self.intents.insert(intent.serial, says);
            }
            "certificate.abandoned" => {
                let about = entry.about.certificate.as_deref();
                if let Some(serial) = about.and_then(|serial| serial.parse().ok()) {
                    self.intents.remove(&serial);
                }
            }
            "certificate.issued" => return self.issued(at, entry).is_some(),
            _ => {}
        }
        true
    }

    fn issued(&mut self, (log, at): (&LogDir, At), entry: &EntryText<'_>) -> Option<()> {
        let issued: Issued = body(entry)?;
        let authority = Authority::parse(&issued.authority)?;
        let intent = self.intents.remove(&issued.serial);
        let (profile, actor) = intent.map_or((None, None), |(p, actor)| (Some(p), Some(actor)));
        let found = Found {
            serial: issued.serial,
            kind: CertificateKind::parse(&issued.kind)?,
            ca: AuthorityKey::new(authority, issued.generation),
            branch: issued.branch,
            body: issued.subject.body,
            unit: issued.subject.unit,
            name: issued.subject.name,
            issued_at: entry.time.parse().ok()?,
            not_before: issued.not_before,
            not_after: issued.not_after,
            profile,
            key_algorithm: algorithm(&issued.certificate),
            key_digest: issued.key_digest,
            epoch: issued.epoch,
            application: issued.application,
            caller: actor.unwrap_or_else(|| entry.actor.clone()),
            office: None,
            approved_by: Vec::new(),
            state: State::Valid,
            revoked_at: None,
            reason: None,
            log: log.name.clone(),
            entry: at.index?,
        };
        if self.query.fits_issue(&found) {
            let place = self.found.len();
            self.by_application.insert(found.application, place);
            self.by_serial.insert(found.serial, place);
            self.found.push(found);
        }
        Some(())
    }

    fn intake(&mut self, entry: &EntryText<'_>) -> bool {
        let about = entry.about.application.as_deref();
        let id = about.and_then(|id| id.parse::<ApplicationId>().ok());
        let Some(place) = id.and_then(|id| self.by_application.get(&id)) else {
            return true;
        };
        let Some(found) = self.found.get_mut(*place) else {
            return true;
        };
        match entry.kind.as_str() {
            "application.received" => {
                let received: Option<Received> = body(entry);
                let Some(received) = received else {
                    return false;
                };
                found.caller.clone_from(&entry.actor);
                found.office = Some(received.examination.office);
            }
            "application.approved" | "application.counted" => {
                let approved: Option<Approved> = body(entry);
                let Some(approved) = approved else {
                    return false;
                };
                found.approved_by.push(Approval {
                    actor: entry.actor.clone(),
                    subject: approved.operator.map(|operator| operator.subject),
                });
            }
            _ => {}
        }
        true
    }

    fn lifecycle(&mut self, entry: &EntryText<'_>) -> bool {
        if entry.kind != "certificate.revoked" {
            return true;
        }
        let revoked: Option<Revoked> = body(entry);
        let Some(revoked) = revoked else { return false };
        let place = self.by_serial.get(&revoked.serial);
        if let Some(found) = place.and_then(|place| self.found.get_mut(*place)) {
            found.state = State::Revoked;
            found.revoked_at = Some(revoked.when);
            found.reason = RevocationReason::parse(&revoked.reason);
        }
        true
    }
}
