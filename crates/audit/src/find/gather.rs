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
    export::first_index,
    fact::Service,
    proof::{EntryText, chain, read_entry, reader},
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

/// Where an entry stands.
#[derive(Clone, Copy)]
struct At<'a> {
    log: &'a LogDir,
    /// Its index, counted over all years; none of an opening entry.
    index: Option<u64>,
}

/// What is done with an entry; false if its body cannot be read.
type Each<'a> = dyn FnMut(At<'_>, &EntryText<'_>) -> bool + 'a;

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
            let mut each = |at: At<'_>, entry: &EntryText<'_>| match service {
                Service::Issuer => gathering.issuer(at, entry),
                Service::Intake => gathering.intake(entry),
                Service::Lifecycle => gathering.lifecycle(entry),
            };
            walk(log, keys, &mut search, &mut each, progress)?;
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

/// Hands out the entries of a log, each compared with the tree.
fn walk(
    log: &LogDir,
    keys: &[VerifierKey],
    search: &mut Search,
    each: &mut Each<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<(), AuditError> {
    let (reader, head, _) = reader(log, keys)?;
    search.logs.push(Searched {
        origin: head.origin.to_string(),
        size: head.size,
    });
    let mut first = None;
    for number in 0..reader.bundles() {
        let bundle = reader
            .bundle(number)
            .map_err(|error| AuditError::Unreadable {
                path: log.path.clone(),
                why: chain(&error),
            })?;
        let mut latest = None;
        for (leaf, bytes) in (number * 256..).zip(bundle.iter()) {
            if leaf == 0 {
                first = first_index(bytes);
            }
            let index = first
                .filter(|_| leaf > 0)
                .map(|first: u64| first.saturating_add(leaf - 1));
            let Some(entry) = read_entry(bytes) else {
                search.unreadable += 1;
                continue;
            };
            if !each(At { log, index }, &entry) {
                search.unreadable += 1;
            }
            latest = Some(entry.time);
        }
        let latest = latest.and_then(|time| time.parse().ok());
        search.as_of = search.as_of.max(latest.unwrap_or_default());
        progress(bundle.len() as u64);
    }
    Ok(())
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

    fn issuer(&mut self, at: At<'_>, entry: &EntryText<'_>) -> bool {
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

    fn issued(&mut self, at: At<'_>, entry: &EntryText<'_>) -> Option<()> {
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
            log: at.log.name.clone(),
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
