//! The auditor against what the real services write: a system lives for a while, its three logs are
//! read, and everything must hold; then they are tampered with, and each change must be named.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected ends")]

mod disputed;
mod find;
mod foreign;
mod found;
mod handed;
mod life;
mod published;
mod pulled;
mod schema;
mod served;
mod tampering;
mod witness;
mod witnessed;

use std::{path::Path, sync::Arc};

use lgpki_audit::{Auditor, Begin, Report, Service};
use lgpki_ledger::{Log, OsDisk};
use lgpki_testkit::log_identity;

/// The entries of the three services' logs.
#[derive(Clone, Debug, Default)]
struct Logs(Vec<(Service, Vec<Vec<u8>>)>);

impl Logs {
    /// Reads the logs of services that have stopped.
    fn of(data: impl Fn(Service) -> std::path::PathBuf) -> Self {
        let logs = Service::ALL.map(|service| (service, entries(&data(service), service)));
        Self(logs.into())
    }

    fn of_service(&mut self, service: Service) -> &mut Vec<Vec<u8>> {
        &mut self.0.iter_mut().find(|(of, _)| *of == service).unwrap().1
    }

    fn audit(&self) -> Report {
        let mut auditor = Auditor::new().unwrap();
        for (service, entries) in &self.0 {
            for (stretch, part) in entries.chunks(100).enumerate() {
                let index = stretch as u64 * 100;
                let read = auditor.read(*service, part);
                let (service, leaf) = (*service, index + 1);
                auditor.take(
                    Begin {
                        service,
                        log: "2008",
                        index,
                        leaf,
                    },
                    read,
                );
            }
        }
        auditor.finish(&Service::ALL)
    }
}

fn entries(dir: &Path, service: Service) -> Vec<Vec<u8>> {
    let identity = log_identity(&format!("{}-1", service.name()));
    let (log, _) = Log::open(dir, Arc::new(OsDisk), identity).unwrap();
    let entries = log.reader().read(0, usize::MAX, usize::MAX).unwrap();
    entries.into_iter().map(|(_, bytes)| bytes).collect()
}
