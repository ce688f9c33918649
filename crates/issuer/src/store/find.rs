//! Which entries of the log are about an application. What is about a certificate is found by its application: lifecycle
//! knows which that is.

use lgpki_domain::ApplicationId;
use lgpki_ledger::{LogReader, decode, publication::Publication};
use lgpki_proto::Failure;
use lgpki_runtime::audit_log::{EntryIndex, Wanted};

use super::LogStore;
use crate::{
    error::{IssuerError, StoreError},
    event::IssuerEvent,
};

#[tonic::async_trait]
impl EntryIndex for LogStore {
    async fn entries(&self, wanted: Wanted) -> Result<Vec<u64>, Failure> {
        match wanted {
            Wanted::Application(id) => {
                let found = self.of_application(id).await;
                found.map_err(|e| IssuerError::from(e).into())
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

impl LogStore {
    /// The intents of an application, and how they ended.
    async fn of_application(&self, id: ApplicationId) -> Result<Vec<u64>, StoreError> {
        let read = self.engine.read(move |machine, view| {
            let open = machine.open.get(id).map(|open| open.index);
            (open, machine.endings(view, id))
        });
        let (open, endings) = read.await?;
        let log = self.engine.log();
        let reading = tokio::task::spawn_blocking(move || {
            let mut all: Vec<_> = open.into_iter().collect();
            for index in endings {
                all.push(index);
                all.extend(intent(&log, index)?);
            }
            Ok(all)
        });
        reading.await.map_err(|_| StoreError::Mismatched)?
    }
}

/// The intent that the entry `index` has ended.
fn intent(log: &LogReader, index: u64) -> Result<Option<u64>, StoreError> {
    let bytes = log.entry(index)?;
    let ended = decode::<IssuerEvent>(index, &bytes);
    let ended = ended.map_err(|source| StoreError::Entry { index, source })?;
    Ok(match ended.event {
        IssuerEvent::Issued(issued) => Some(issued.intent),
        IssuerEvent::Abandoned(abandoned) => Some(abandoned.intent),
        _ => None,
    })
}
