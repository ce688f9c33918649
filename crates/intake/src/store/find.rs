//! Which entries of the log are about an application. What is about a certificate is found by the applications that
//! asked for it and for its end: the issuer and lifecycle know which those are.

use lgpki_domain::ApplicationId;
use lgpki_ledger::{LogReader, publication::Publication};
use lgpki_proto::Failure;
use lgpki_runtime::audit_log::{EntryIndex, Wanted};

use super::EngineStore;
use crate::{app::AppError, error::StoreError};

#[tonic::async_trait]
impl EntryIndex for EngineStore {
    async fn entries(&self, wanted: Wanted) -> Result<Vec<u64>, Failure> {
        match wanted {
            Wanted::Application(id) => {
                let found = self.of_application(id).await;
                found.map_err(|e| AppError::from(e).into())
            }
            Wanted::Certificate(_) => Ok(Vec::new()),
        }
    }

    fn log(&self) -> LogReader {
        self.engine.log()
    }

    fn publication(&self) -> Option<Publication> {
        self.engine.publication()
    }
}

impl EngineStore {
    /// Its receipt and everything after it.
    async fn of_application(&self, id: ApplicationId) -> Result<Vec<u64>, StoreError> {
        let found = self.read(|machine, view| machine.applications.find(view, id));
        let Some(found) = found.await? else {
            return Ok(Vec::new());
        };
        let record = found.record;
        let mut all = vec![record.received];
        all.extend(record.trail.entries());
        Ok(all)
    }
}
