//! An audit under way: entries go in, log after log, and a report comes out.
//!
//! A stretch of entries is read by two threads at once, for reading one looks at no other; then the
//! rules take them one by one.

use std::{collections::BTreeMap, thread};

use lgpki_domain::{Serial, Timestamp};
use lgpki_x509::{crl::RevocationList, key::sha256, reader::read_back, signed::Signed};

use crate::{
    authorities::Authorities,
    directory,
    error::AuditError,
    fact::{Fact, Read, Service, read},
    finding::{Place, Rule},
    report::{Ca, Certificates, Checked, Counted, Report},
    rules::{At, CrlFile, Rules},
    schema::Schema,
    view,
};

/// Where a stretch of entries begins.
#[derive(Clone, Copy, Debug)]
pub struct Begin<'a> {
    /// The service.
    pub service: Service,
    /// The log, such as `2008`.
    pub log: &'a str,
    /// Index of its first entry, counted over all years.
    pub index: u64,
    /// The first entry's leaf in its log.
    pub leaf: u64,
}

/// An audit under way.
#[derive(Debug)]
pub struct Auditor {
    schema: Schema,
    rules: Rules,
    counts: BTreeMap<(Service, usize), u64>,
    checked: Vec<Checked>,
    entries: u64,
    /// What a log of keys and the yearly ones do not both tell, and need not yet; with its time what
    /// stands in the former only.
    ahead: Vec<Option<(Place, Timestamp)>>,
}

/// What the logs say of a certificate or CRL.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// No CA key of these logs signed it.
    NotOurs,
    /// It names a CA of these logs, and its signature is of a form that no CA of theirs uses: whether the
    /// CA's key made it is not judged here.
    Unjudged {
        /// The CA.
        ca: String,
        /// What is not judged.
        why: String,
    },
    /// It is a CA's own certificate.
    Authority {
        /// The CA.
        ca: String,
    },
    /// It is a certificate that a CA key signed.
    Certificate {
        /// The CA.
        ca: String,
        /// Its serial number, in hexadecimal.
        serial: String,
        /// Its entry, if there is one: otherwise the key was used outside the system.
        logged: Option<Logged>,
        /// Whether the log has another certificate under this serial number.
        other: bool,
    },
    /// It is a CRL that a CA key signed.
    Crl {
        /// The CA.
        ca: String,
        /// Its number.
        number: u64,
        /// Whether it was published by the system.
        logged: bool,
    },
}

/// A certificate of the issuer's log.
#[derive(Clone, Copy, Debug)]
pub struct Logged {
    /// Its entry in the issuer's log.
    pub index: u64,
    /// SHA-256 of the certificate.
    pub digest: lgpki_domain::Digest,
    /// Its serial number.
    pub serial: Serial,
    /// When it was revoked, and lifecycle's entry that says so.
    pub revoked: Option<(Timestamp, u64)>,
}

impl Auditor {
    /// Begins.
    pub fn new() -> Result<Self, AuditError> {
        let schema = Schema::embedded()?;
        let kinds = schema.kinds().iter().map(|kind| kind.name.clone());
        Ok(Self {
            rules: Rules::new(kinds.collect()),
            schema,
            counts: BTreeMap::new(),
            checked: Vec::new(),
            entries: 0,
            ahead: Vec::new(),
        })
    }

    /// Has a CRL's file at hand, against which a list that does not follow from the log is told.
    pub fn add_file(&mut self, file: CrlFile) {
        self.rules.add_file(file);
    }

    /// Reads a stretch of entries, on two threads; nothing is kept yet.
    #[must_use]
    pub fn read<B: AsRef<[u8]> + Sync>(&self, service: Service, entries: &[B]) -> Vec<Read> {
        const WORTH_A_THREAD: usize = 64;
        let each = |part: &[B]| -> Vec<Read> {
            let authorities = &self.rules.authorities;
            let entries = part.iter().map(AsRef::as_ref);
            entries
                .map(|entry| read(&self.schema, authorities, service, entry))
                .collect()
        };
        if entries.len() < WORTH_A_THREAD {
            return each(entries);
        }
        let (first, second) = entries.split_at(entries.len() / 2);
        thread::scope(|scope| {
            let second = scope.spawn(|| each(second));
            let mut read = each(first);
            // A panic there is one here.
            match second.join() {
                Ok(rest) => read.extend(rest),
                Err(panic) => std::panic::resume_unwind(panic),
            }
            read
        })
    }

    /// Takes what was read; the services' logs come in the order of [`Service::ALL`], each service's
    /// years in theirs.
    pub fn take(&mut self, begin: Begin<'_>, read: Vec<Read>) {
        for (number, read) in (0_u64..).zip(read) {
            if let Some(kind) = read.kind {
                *self.counts.entry((begin.service, kind)).or_default() += 1;
            }
            self.entries += 1;
            let at = At {
                service: begin.service,
                log: begin.log,
                index: begin.index + number,
                leaf: Some(begin.leaf + number),
                time: read.time,
            };
            self.rules.take(at, read);
        }
    }

    /// Whether an entry that was read stands in the log of keys for certain.
    #[must_use]
    pub(crate) fn is_of_keys(&self, read: &Read) -> bool {
        let kind = read.kind.and_then(|at| self.schema.kinds().get(at));
        let ca = match &read.fact {
            Fact::Intent(intent, ..) => intent.kind.is_ca(),
            Fact::Issued(issued, _) => issued.kind.is_ca(),
            _ => false,
        };
        ca || kind.is_some_and(|kind| kind.keys && kind.service != "every")
    }

    /// Reads an opening entry, leaf 0 of a log: the index of the log's next entry, the log's name, the
    /// final checkpoint of the log before.
    pub(crate) fn opening(&self, service: Service, bytes: &[u8]) -> (Read, Option<view::Opened>) {
        let mut read = read(&self.schema, &self.rules.authorities, service, bytes);
        let opened = match std::mem::replace(&mut read.fact, Fact::Other) {
            Fact::LogOpened(opened) => Some(opened),
            _ => None,
        };
        (read, opened)
    }

    /// Adds a finding about a log as a whole.
    pub(crate) fn find(&mut self, rule: Rule, place: Place, what: impl Into<String>) {
        self.rules.findings.add(rule, place, what);
    }

    /// Takes note of an entry about keys that only one of a service's logs tells so far.
    pub(crate) fn ahead(&mut self, only_in_keys: Option<(Place, Timestamp)>) {
        self.ahead.push(only_in_keys);
    }

    /// Judges those: no entry is later than all services' logs by more than a day.
    fn judge_ahead(&mut self) -> u64 {
        let latest = self.rules.latest_of_all();
        let is_early = |time: Timestamp| time <= latest.plus_millis(directory::keys::LAG);
        let mut open = 0;
        for ahead in std::mem::take(&mut self.ahead) {
            match ahead {
                Some((place, time)) if !is_early(time) => {
                    let what = format!("no yearly log tells this entry, and none reaches {time}");
                    self.find(Rule::KeysLog, place, what);
                }
                _ => open += 1,
            }
        }
        open
    }

    /// How much was found that is wrong with trees.
    pub(crate) fn wrong_trees(&self) -> u64 {
        let counts = self.rules.findings.counts().iter();
        counts
            .filter(|(rule, _)| rule.is_of_trees())
            .map(|(_, count)| count)
            .sum()
    }

    pub(crate) fn checked(&mut self, checked: Checked) {
        self.checked.push(checked);
    }

    /// The CAs known so far.
    #[must_use]
    pub const fn authorities(&self) -> &Authorities {
        &self.rules.authorities
    }

    /// The certificate with this serial number, as far as the logs were read.
    #[must_use]
    pub fn certificate(&self, serial: Serial) -> Option<Logged> {
        let found = self.rules.certificates.get(&serial)?;
        Some(Logged {
            index: found.index,
            digest: found.der,
            serial,
            revoked: self.rules.revocation(serial),
        })
    }

    /// What the logs read so far say of a certificate or CRL, DER: whether its signature is accounted
    /// for. Needs the issuer's logs for certificates, and lifecycle's for CRLs.
    #[must_use]
    pub fn judge(&self, der: &[u8]) -> Verdict {
        let Some(key) = self.rules.authorities.signer_of(der) else {
            let unread = Signed::parse(der).err();
            let named = self.rules.authorities.named_by(der).zip(unread);
            return named.map_or(Verdict::NotOurs, |(ca, why)| Verdict::Unjudged {
                ca: ca.to_string(),
                why: why.to_string(),
            });
        };
        let digest = sha256(der);
        let ca = key.to_string();
        if self.rules.authorities.digests().any(|(_, of)| of == digest) {
            return Verdict::Authority { ca };
        }
        if let Ok(list) = RevocationList::parse(der) {
            let number = list.summary().number.0;
            let logged = self.rules.is_published(&digest);
            return Verdict::Crl { ca, number, logged };
        }
        let serial = read_back(der).map(|read| read.serial).unwrap_or_default();
        let known = serial
            .parse()
            .ok()
            .and_then(|serial| self.certificate(serial));
        Verdict::Certificate {
            ca,
            serial,
            logged: known.filter(|known| known.digest == digest),
            other: known.is_some_and(|known| known.digest != digest),
        }
    }

    /// Ends the audit of the logs of these services.
    #[must_use]
    pub fn finish(mut self, services: &[Service]) -> Report {
        let mut open = self.rules.finish(services);
        open.keys = self.judge_ahead();
        let kinds = self.schema.kinds();
        let counted = self.counts.iter().map(|((service, kind), count)| Counted {
            service: service.name(),
            kind: kinds[*kind].name.clone(),
            count: *count,
        });
        let authorities = self.rules.authorities.digests().map(|(key, digest)| Ca {
            name: key.to_string(),
            digest: digest.to_string(),
        });
        let certificates = Certificates {
            issued: self.rules.certificates.len() as u64,
            revoked: self.rules.revoked(),
            without_application: self.rules.without_application().to_vec(),
        };
        let (kinds, authorities) = (counted.collect(), authorities.collect());
        let applications = self.rules.applications();
        let crls = self.rules.crls_proved();
        let heartbeats = self.rules.heartbeats();
        let (findings, counts) = self.rules.findings.into_parts();
        Report {
            logs: self.checked,
            entries: self.entries,
            kinds,
            authorities,
            applications,
            certificates,
            crls,
            heartbeats,
            open,
            notes: self.rules.notes,
            counts: counts
                .into_iter()
                .map(|(rule, count)| (rule.name(), count))
                .collect(),
            findings,
        }
    }
}
