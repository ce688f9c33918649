//! An auditor's look into the three services' logs, after they have stopped.
//!
//! The entries are read as plain JSON, without the services' own types. What must hold between them is
//! checked here by name; [`Books::faults`] lists whatever does not.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lgpki_ledger::{Log, OsDisk};
use serde_json::Value;

use crate::{Installation, Service};

/// An entry of a log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its index.
    pub index: u64,
    /// Its kind, such as `certificate.issued`.
    pub kind: String,
    /// Its body.
    pub body: Value,
}

impl Entry {
    /// A text of the body; empty where there is none.
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_default()
    }

    /// A number of the body.
    #[must_use]
    pub fn number(&self, field: &str) -> Option<u64> {
        self.body[field].as_u64()
    }
}

/// The logs of all services.
#[derive(Clone, Debug)]
pub struct Books {
    /// Intake's.
    pub intake: Vec<Entry>,
    /// The issuer's.
    pub issuer: Vec<Entry>,
    /// Lifecycle's.
    pub lifecycle: Vec<Entry>,
}

/// What callers were told, and what must therefore stand in the books.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Applications that were acknowledged.
    pub applications: BTreeSet<String>,
    /// Serial numbers whose revocation was reported as carried out.
    pub revoked: BTreeSet<String>,
}

impl Books {
    /// Reads the logs of an installation of which no service runs.
    #[must_use]
    pub fn read(installation: &Installation) -> Self {
        let read = |service| read_log(installation, service);
        Self {
            intake: read(Service::Intake),
            issuer: read(Service::Issuer),
            lifecycle: read(Service::Lifecycle),
        }
    }

    /// Everything that does not hold; empty if all is well.
    #[must_use]
    pub fn faults(&self, told: &Told) -> Vec<String> {
        let mut faults = Faults::default();
        self.intents_end_once(&mut faults);
        self.serials_are_unique(&mut faults);
        self.one_certificate_for_one_application(&mut faults);
        self.crl_numbers_rise(&mut faults);
        self.lifecycle_knows_every_end(&mut faults);
        self.what_was_told_is_there(told, &mut faults);
        faults.0
    }

    fn intents_end_once(&self, faults: &mut Faults) {
        let mut open: BTreeMap<u64, &Entry> = BTreeMap::new();
        for entry in &self.issuer {
            match entry.kind.as_str() {
                "certificate.intent" | "authority.intent" | "crl.intent" => {
                    open.insert(entry.index, entry);
                }
                "certificate.issued" | "certificate.abandoned" | "crl.signed" | "crl.abandoned" => {
                    let intent = entry.number("intent").and_then(|index| open.remove(&index));
                    let same = |field| intent.is_some_and(|i| i.body[field] == entry.body[field]);
                    let subject = if entry.kind.starts_with("crl") {
                        ["number", "tbs_digest"]
                    } else {
                        ["serial", "application"]
                    };
                    faults.unless(subject.into_iter().all(same), || {
                        format!("{} at {} without its own intent", entry.kind, entry.index)
                    });
                }
                // A ceremony's record names its intent by the serial number.
                "authority.created" | "authority.abandoned" => {
                    open.retain(|_, intent| intent.body["serial"] != entry.body["serial"]);
                }
                _ => {}
            }
        }
        for intent in open.values() {
            faults.push(format!(
                "{} at {} was never closed",
                intent.kind, intent.index
            ));
        }
    }

    fn serials_are_unique(&self, faults: &mut Faults) {
        let mut seen = BTreeSet::new();
        for entry in self.issuer.iter().filter(|e| e.kind.ends_with(".intent")) {
            let serial = entry.text("serial");
            faults.unless(serial.is_empty() || seen.insert(serial), || {
                format!("serial number {serial} was intended twice")
            });
        }
    }

    fn one_certificate_for_one_application(&self, faults: &mut Faults) {
        let mut issued: BTreeMap<&str, &str> = BTreeMap::new();
        for entry in of(&self.issuer, "certificate.issued") {
            let before = issued.insert(entry.text("application"), entry.text("serial"));
            faults.unless(before.is_none(), || {
                format!(
                    "application {} has two certificates",
                    entry.text("application")
                )
            });
        }
        let mut received = BTreeSet::new();
        let mut requests = BTreeSet::new();
        let mut handed = BTreeSet::new();
        for entry in &self.intake {
            let application = entry.text("application");
            match entry.kind.as_str() {
                "application.received" => {
                    faults.unless(received.insert(application), || {
                        format!("{application} was received twice")
                    });
                    let request = (entry.text("branch"), entry.text("request"));
                    faults.unless(requests.insert(request), || {
                        format!("{request:?} became two applications")
                    });
                }
                "application.issued" => {
                    faults.unless(handed.insert(application), || {
                        format!("{application} was issued twice")
                    });
                    faults.unless(
                        issued.get(application) == Some(&entry.text("serial")),
                        || format!("{application} has a certificate that the issuer did not issue"),
                    );
                }
                _ => {}
            }
        }
    }

    fn crl_numbers_rise(&self, faults: &mut Faults) {
        let logs = [
            (&self.issuer, "crl.intent"),
            (&self.lifecycle, "crl.published"),
        ];
        for (log, kind) in logs {
            let mut newest: BTreeMap<_, u64> = BTreeMap::new();
            for entry in of(log, kind) {
                let number = entry.number("number").unwrap_or_default();
                let before = newest.insert(series(entry), number).unwrap_or(0);
                faults.unless(number > before, || {
                    format!("{kind} {number} of {:?} follows {before}", series(entry))
                });
            }
        }
        let signed: BTreeSet<_> = of(&self.issuer, "crl.signed")
            .map(|e| (series(e), e.number("number")))
            .collect();
        for entry in of(&self.lifecycle, "crl.published") {
            let crl = (series(entry), entry.number("number"));
            faults.unless(signed.contains(&crl), || {
                format!("{crl:?} was published and never signed")
            });
        }
    }

    fn lifecycle_knows_every_end(&self, faults: &mut Faults) {
        let pairs = [
            ("certificate.issued", "certificate.registered"),
            ("certificate.abandoned", "certificate.abandoned"),
        ];
        for (there, here) in pairs {
            let mut known = BTreeSet::new();
            for entry in of(&self.lifecycle, here) {
                faults.unless(known.insert(entry.text("serial")), || {
                    format!("{here} {} twice", entry.text("serial"))
                });
            }
            let told: BTreeSet<_> = of(&self.issuer, there).map(|e| e.text("serial")).collect();
            faults.unless(known == told, || {
                format!(
                    "the issuer has {} {there} and lifecycle {} {here}",
                    told.len(),
                    known.len()
                )
            });
        }
    }

    fn what_was_told_is_there(&self, told: &Told, faults: &mut Faults) {
        let received: BTreeSet<_> = of(&self.intake, "application.received")
            .map(|e| e.text("application"))
            .collect();
        for application in &told.applications {
            faults.unless(received.contains(application.as_str()), || {
                format!("the acknowledged application {application} is lost")
            });
        }
        let mut revoked = BTreeSet::new();
        for entry in of(&self.lifecycle, "certificate.revoked") {
            faults.unless(revoked.insert(entry.text("serial")), || {
                format!("{} was revoked twice", entry.text("serial"))
            });
        }
        for serial in &told.revoked {
            faults.unless(revoked.contains(serial.as_str()), || {
                format!("the acknowledged revocation of {serial} is lost")
            });
        }
    }
}

/// What an entry's CRL number counts within: the CA, the generation of its key, and the scope.
fn series(entry: &Entry) -> (&str, u64, &str) {
    let generation = entry.number("generation").unwrap_or(1);
    (entry.text("authority"), generation, entry.text("scope"))
}

/// The entries of one kind.
pub fn of<'a>(log: &'a [Entry], kind: &'a str) -> impl Iterator<Item = &'a Entry> {
    log.iter().filter(move |entry| entry.kind == kind)
}

#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn push(&mut self, fault: String) {
        self.0.push(fault);
    }

    fn unless(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.0.push(fault());
        }
    }
}

/// Every entry of a service's log.
///
/// # Panics
/// If the service runs, or its log cannot be read.
#[must_use]
pub fn read_log(installation: &Installation, service: Service) -> Vec<Entry> {
    let dir = installation.data(service);
    let identity = installation.log_identity(service);
    let (log, _) = Log::open(&dir, Arc::new(OsDisk), identity).expect("the log");
    let entries = log.reader().read(0, usize::MAX, usize::MAX);
    entries
        .expect("the entries")
        .into_iter()
        .map(|(index, bytes)| {
            let mut entry: Value = serde_json::from_slice(&bytes).expect("JSON");
            Entry {
                index,
                kind: entry["kind"].as_str().unwrap_or_default().to_owned(),
                body: entry["body"].take(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn log(entries: &[(&str, Value)]) -> Vec<Entry> {
        let numbered = (0..).zip(entries);
        numbered
            .map(|(index, (kind, body))| Entry {
                index,
                kind: (*kind).to_owned(),
                body: body.clone(),
            })
            .collect()
    }

    fn good() -> Books {
        let certificate = json!({ "application": "a", "serial": "1", "intent": 0 });
        let crl = json!({ "authority": "x", "number": 1, "tbs_digest": "d", "intent": 2 });
        Books {
            intake: log(&[
                (
                    "application.received",
                    json!({ "application": "a", "branch": "b", "request": "r" }),
                ),
                ("application.issued", certificate.clone()),
            ]),
            issuer: log(&[
                ("certificate.intent", certificate.clone()),
                ("certificate.issued", certificate.clone()),
                ("crl.intent", crl.clone()),
                ("crl.signed", crl.clone()),
            ]),
            lifecycle: log(&[
                ("certificate.registered", certificate.clone()),
                ("certificate.revoked", certificate),
                ("crl.published", crl),
            ]),
        }
    }

    fn told() -> Told {
        Told {
            applications: BTreeSet::from(["a".to_owned()]),
            revoked: BTreeSet::from(["1".to_owned()]),
        }
    }

    #[test]
    fn good_books_have_no_faults() {
        assert_eq!(good().faults(&told()), Vec::<String>::new());
    }

    #[test]
    fn whatever_is_missing_or_doubled_is_a_fault() {
        for (log, count) in [(0, 2), (1, 4), (2, 3)] {
            for position in 0..count {
                let mut books = good();
                let touched = [&mut books.intake, &mut books.issuer, &mut books.lifecycle];
                let touched = touched.into_iter().nth(log).unwrap();
                let entry = touched.remove(position);
                let lost = books.faults(&told());
                // That intake has not heard of a certificate yet, or lifecycle published nothing, is no
                // fault of the books.
                let may_be = matches!(entry.kind.as_str(), "application.issued" | "crl.published");
                assert_eq!(lost.is_empty(), may_be, "without {}", entry.kind);
                let mut books = good();
                let touched = [&mut books.intake, &mut books.issuer, &mut books.lifecycle];
                let touched = touched.into_iter().nth(log).unwrap();
                let mut again = entry.clone();
                again.index = 100;
                touched.push(again);
                assert!(!books.faults(&told()).is_empty(), "twice {}", entry.kind);
            }
        }
    }

    #[test]
    fn what_nobody_recorded_was_lost() {
        let mut told = told();
        told.applications.insert("other".to_owned());
        told.revoked.insert("2".to_owned());
        assert_eq!(good().faults(&told).len(), 2);
    }
}
