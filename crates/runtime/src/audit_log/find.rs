//! The entries about one application or certificate, by the service's own index.
//!
//! The index says where they stand in the log of the service; told is what the published tiles hold there, so
//! that an entry which no checkpoint speaks of yet is left out: it comes with the next one.

use std::{collections::BTreeMap, fmt};

use lgpki_domain::{ApplicationId, Faults, Serial};
use lgpki_ledger::{LogId, LogReader, TreeError, publication::Publication};
use lgpki_proto::{Failure, convert, v1};
use tonic::Status;

use super::{
    AuditLogs,
    grpc::{blocking, failed},
};

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The entries about an application.
    Application(ApplicationId),
    /// The entries about a certificate.
    Certificate(Serial),
}

impl Wanted {
    /// Reads a request, which names one thing.
    pub fn read(asked: &v1::FindEntriesRequest) -> Result<Self, Failure> {
        let mut faults = Faults::new();
        let (application, certificate) = (&asked.application, &asked.certificate);
        let wanted = match (application.is_empty(), certificate.is_empty()) {
            (false, true) => {
                let id = convert::required_text(&mut faults, "application", application);
                id.map(Self::Application)
            }
            (true, false) => {
                let serial = convert::required_text(&mut faults, "certificate", certificate);
                serial.map(Self::Certificate)
            }
            (both, _) => {
                let (reason, message) = if both {
                    (
                        convert::FIELD_MISSING,
                        "name an application or a certificate",
                    )
                } else {
                    (
                        "AMBIGUOUS",
                        "name an application or a certificate, not both",
                    )
                };
                faults.push("application", reason, message);
                None
            }
        };
        wanted.ok_or_else(|| faults.into())
    }
}

/// A service's own index of its log.
#[tonic::async_trait]
pub trait EntryIndex: fmt::Debug + Send + Sync + 'static {
    /// The indexes of the entries about something, as far as the service knows such things; in no order.
    async fn entries(&self, wanted: Wanted) -> Result<Vec<u64>, Failure>;

    /// The log that they stand in.
    fn log(&self) -> LogReader;

    /// How far it is published; none if it is not.
    fn publication(&self) -> Option<Publication>;
}

/// Entries that were found.
pub type Found = tokio_stream::Iter<std::vec::IntoIter<Result<v1::FindEntriesResponse, Status>>>;

impl AuditLogs {
    /// The published entries about something, in the order of the log.
    pub(super) async fn find(
        &self,
        wanted: Wanted,
    ) -> Result<Vec<v1::FindEntriesResponse>, Failure> {
        let mut indexes = self.index.entries(wanted).await?;
        indexes.sort_unstable();
        indexes.dedup();
        let (logs, reader) = (self.clone(), self.index.log());
        let places = indexes
            .into_iter()
            .filter_map(move |index| reader.leaf_of(index));
        let mut of_logs: BTreeMap<LogId, Vec<u64>> = BTreeMap::new();
        for (log, leaf) in places {
            of_logs.entry(log).or_default().push(leaf);
        }
        blocking(move || {
            let mut found = Vec::new();
            for (log, leaves) in of_logs {
                logs.read_leaves(log, &leaves, &mut found)?;
            }
            Ok(found)
        })
        .await
    }

    fn read_leaves(
        &self,
        log: LogId,
        leaves: &[u64],
        found: &mut Vec<v1::FindEntriesResponse>,
    ) -> Result<(), Failure> {
        let Some(open) = self.try_open(log)? else {
            return Ok(());
        };
        for leaf in leaves {
            match open.reader.entry(*leaf) {
                Ok(entry) => found.push(v1::FindEntriesResponse {
                    name: Some(self.name_of(log)),
                    leaf: *leaf,
                    entry,
                }),
                Err(TreeError::Beyond { .. }) => {}
                Err(error) => return Err(failed(&error)),
            }
        }
        Ok(())
    }
}
