//! The auditor, over the entries that services have recorded.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_audit::{Auditor, Begin, Report, Service};
use lgpki_ledger::{Log, OsDisk};
use lgpki_proto::ServiceName;
use lgpki_testkit::log_identity;

/// The entries of the three services' logs.
#[derive(Clone, Debug, Default)]
pub struct Logs(pub Vec<(Service, Vec<Vec<u8>>)>);

impl Logs {
    /// Reads the logs of services that have stopped.
    #[must_use]
    pub fn of(data: impl Fn(ServiceName) -> PathBuf) -> Self {
        let logs = Service::ALL.map(|service| (service, entries(&data(named(service)), service)));
        Self(logs.into())
    }

    /// Those of one service.
    pub fn of_service(&mut self, service: Service) -> &mut Vec<Vec<u8>> {
        &mut self
            .0
            .iter_mut()
            .find(|(of, _)| *of == service)
            .expect("a log")
            .1
    }

    /// Holds them against every rule.
    #[must_use]
    pub fn audit(&self) -> Report {
        let mut auditor = Auditor::new().expect("a schema");
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
    let (log, _) = Log::open(dir, Arc::new(OsDisk), identity).expect("a log");
    let entries = log
        .reader()
        .read(0, usize::MAX, usize::MAX)
        .expect("entries");
    entries.into_iter().map(|(_, bytes)| bytes).collect()
}

const fn named(service: Service) -> ServiceName {
    match service {
        Service::Intake => ServiceName::Intake,
        Service::Issuer => ServiceName::Issuer,
        Service::Lifecycle => ServiceName::Lifecycle,
    }
}
