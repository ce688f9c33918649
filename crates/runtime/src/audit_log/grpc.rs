//! AuditLogService of one service: decode, read what is published, encode.

use std::{sync::Arc, time::Duration};

use lgpki_domain::{ErrorClass, Faults};
use lgpki_ledger::{
    Identity, LogId, TileReader, TreeError, entry::time_of, merkle::Hash, proof,
    published::CHECKPOINT,
};
use lgpki_proto::{
    Failure, ServiceName, convert,
    v1::{self, audit_log_service_server::AuditLogService},
};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use super::{
    Shelf,
    entries::{Entries, Reading},
    find::{EntryIndex, Found, Wanted},
    state::told,
};
use crate::{error::chain, rpc::Rpc};

/// Entries that one call reads at most.
const MOST_ENTRIES: u64 = 65_536;
/// Calls that read entries at the same time: each holds a bundle or two in memory.
const READERS: usize = 16;
/// When to try again what could not be read for now.
const RETRY: Duration = Duration::from_secs(2);

/// A service's published logs, for the service's gRPC server. Clones are cheap.
#[derive(Clone, Debug)]
pub struct AuditLogs {
    pub(super) shelf: Shelf,
    identity: Identity,
    pub(super) index: Arc<dyn EntryIndex>,
    readers: Arc<Semaphore>,
}

/// A log at its published checkpoint.
pub(super) struct Open {
    pub(super) reader: TileReader,
    checkpoint: String,
}

/// A proof and what it is for.
struct Proved {
    size: u64,
    hashes: Vec<Vec<u8>>,
    /// The published checkpoint, if it is of this size.
    checkpoint: String,
}

impl AuditLogs {
    /// The logs of `identity` that stand on `shelf`, and the index of what they are about.
    #[must_use]
    pub fn new(shelf: Shelf, identity: Identity, index: Arc<dyn EntryIndex>) -> Self {
        Self {
            shelf,
            identity,
            index,
            readers: Arc::new(Semaphore::new(READERS)),
        }
    }

    /// Which of the service's logs is meant.
    fn named(&self, name: Option<&v1::LogName>) -> Result<LogId, Failure> {
        let owner = log_owner(name)?;
        let mut faults = Faults::new();
        let text = name.map(|name| name.log.as_str()).unwrap_or_default();
        let log = convert::required_text::<LogId>(&mut faults, "name.log", text);
        let log = log.ok_or_else(|| Failure::from(faults))?;
        if owner.name() != self.identity.service() {
            return Err(self.unknown(&format!("{owner}/{log}")));
        }
        Ok(log)
    }

    fn unknown(&self, name: &str) -> Failure {
        let own = self.identity.service();
        let message =
            format!("{own} has published no log {name}; ListLogs names those that there are");
        Failure::not_found("LOG_UNKNOWN", message)
    }

    /// Opens a log, away from the threads that serve.
    async fn open(&self, log: LogId) -> Result<Open, Failure> {
        let logs = self.clone();
        blocking(move || logs.open_blocking(log)).await
    }

    fn open_blocking(&self, log: LogId) -> Result<Open, Failure> {
        let open = self.try_open(log)?;
        open.ok_or_else(|| self.unknown(&format!("{}/{log}", self.identity.service())))
    }

    /// Opens a log, if it is published.
    pub(super) fn try_open(&self, log: LogId) -> Result<Option<Open>, Failure> {
        let source = Arc::new(self.shelf.source(log));
        match TileReader::open(source, &self.identity.verifier(log)) {
            Ok((reader, _, note)) => Ok(Some(Open {
                reader,
                checkpoint: note.to_string(),
            })),
            Err(TreeError::Missing(file)) if file == CHECKPOINT => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Makes a proof for a tree of the log: of the size that is asked for, which `within` looks at first.
    async fn prove(
        &self,
        (name, size): (Option<&v1::LogName>, u64),
        within: impl FnOnce(u64) -> Result<(), Failure>,
        make: impl FnOnce(&TileReader, u64) -> Result<Vec<Hash>, TreeError> + Send + 'static,
    ) -> Result<Proved, Failure> {
        let open = self.open(self.named(name)?).await?;
        let size = open.size(size)?;
        within(size)?;
        let checkpoint = open.checkpoint_of(size);
        let proof = blocking(move || make(&open.reader, size).map_err(|e| failed(&e)));
        let hashes = proof.await?.into_iter().map(Vec::from).collect();
        Ok(Proved {
            size,
            hashes,
            checkpoint,
        })
    }

    /// The name of one of the logs.
    pub(super) fn name_of(&self, log: LogId) -> v1::LogName {
        v1::LogName {
            service: self.identity.service().to_owned(),
            log: log.to_string(),
        }
    }

    fn list_blocking(&self) -> Result<Vec<v1::Log>, Failure> {
        let logs = self.shelf.logs().map_err(|e| failed(&e))?;
        let newest = logs.iter().rev().find(|log| **log != LogId::Keys);
        let told = logs.iter().map(|log| {
            let open = self.open_blocking(*log)?;
            let last = open.reader.size().checked_sub(1);
            let last = last.map(|last| open.reader.entry(last)).transpose();
            let last = last.map_err(|e| failed(&e))?;
            let newest_at = last.and_then(|entry| time_of(&entry));
            Ok(v1::Log {
                name: Some(self.name_of(*log)),
                origin: self.identity.origin(*log).to_string(),
                vkey: self.identity.verifier(*log).to_string(),
                size: open.reader.size(),
                checkpoint: open.checkpoint,
                closed: *log != LogId::Keys && Some(log) != newest,
                newest_at: newest_at.map(|at| at.to_string()).unwrap_or_default(),
            })
        });
        told.collect()
    }
}

impl Open {
    /// The size that is asked for, 0 meaning the published one.
    fn size(&self, asked: u64) -> Result<u64, Failure> {
        let published = self.reader.size();
        match asked {
            0 => Ok(published),
            size if size <= published => Ok(size),
            size => Err(Failure::wrong_state(
                "NOT_PUBLISHED",
                format!(
                    "the published log has {published} entries, not {size}; ask for less, or later"
                ),
            )),
        }
    }

    /// The checkpoint, if it is of this size.
    fn checkpoint_of(&self, size: u64) -> String {
        if size == self.reader.size() {
            self.checkpoint.clone()
        } else {
            String::new()
        }
    }
}

/// The service whose log a request names.
pub fn log_owner(name: Option<&v1::LogName>) -> Result<ServiceName, Failure> {
    let mut faults = Faults::new();
    let text = name.map(|name| name.service.as_str()).unwrap_or_default();
    if let Some(service) = ServiceName::parse(text) {
        return Ok(service);
    }
    let (reason, message) = if text.is_empty() {
        (
            convert::FIELD_MISSING,
            "the log's service is missing".to_owned(),
        )
    } else {
        let text: String = text.chars().take(40).collect();
        (convert::FIELD_MALFORMED, format!("{text:?} is no service"))
    };
    let message = format!("{message}; write intake, issuer or lifecycle");
    faults.push("name.service", reason, message);
    Err(faults.into())
}

/// A request that asks for what lies beyond an end.
fn beyond(field: &str, message: String) -> Failure {
    let mut faults = Faults::new();
    faults.push(field, "OUT_OF_RANGE", message);
    faults.into()
}

/// Why a published log could not be read.
pub(super) fn failed(error: &TreeError) -> Failure {
    let text = chain(error);
    match error.class() {
        ErrorClass::Unavailable => {
            tracing::error!(error = text, "a published log cannot be read");
            let message = "the published log cannot be read now; try again";
            Failure::unavailable("LOG_UNREADABLE", message, RETRY)
        }
        _ => Failure::new(ErrorClass::Corrupt, "LOG_DAMAGED", text),
    }
}

/// Runs what reads files apart from the threads that serve calls.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|failed| Err(Failure::internal(failed.to_string())))
}

#[tonic::async_trait]
impl AuditLogService for AuditLogs {
    async fn list_logs(
        &self,
        request: Request<v1::ListLogsRequest>,
    ) -> Result<Response<v1::ListLogsResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let asked = &request.get_ref().service;
        let own = asked.is_empty() || asked == self.identity.service();
        let logs = if own {
            let all = self.clone();
            let listed = blocking(move || all.list_blocking()).await;
            listed.map_err(|failure| rpc.refuse(failure))?
        } else {
            Vec::new()
        };
        let away = Vec::new();
        let publication = self.index.publication().filter(|_| own);
        let state = publication.map(|state| told(self.identity.service(), &state));
        Ok(Response::new(v1::ListLogsResponse {
            logs,
            away,
            publications: state.into_iter().collect(),
        }))
    }

    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let told = async {
            let log = self.named(request.get_ref().name.as_ref())?;
            let open = self.open(log).await?;
            Ok::<_, Failure>(v1::GetCheckpointResponse {
                size: open.reader.size(),
                checkpoint: open.checkpoint,
            })
        };
        told.await.map(Response::new).map_err(|e| rpc.refuse(e))
    }

    type ReadEntriesStream = Entries;

    async fn read_entries(
        &self,
        request: Request<v1::ReadEntriesRequest>,
    ) -> Result<Response<Entries>, Status> {
        let rpc = Rpc::of(&request)?;
        let asked = request.into_inner();
        let reading = async {
            let log = self.named(asked.name.as_ref())?;
            let turn = Arc::clone(&self.readers).try_acquire_owned();
            let turn = turn.map_err(|_| {
                let message =
                    format!("{READERS} callers read entries now, which are the most; try again");
                Failure::unavailable("TOO_MANY_READERS", message, RETRY)
            })?;
            let reader = self.open(log).await?.reader;
            let (from, size) = (asked.from, reader.size());
            if from > size {
                let message =
                    format!("the published log has {size} entries; there is none from {from} on");
                return Err(beyond("from", message));
            }
            let to = if asked.to == 0 {
                size
            } else {
                asked.to.min(size)
            };
            if to < from {
                let message =
                    format!("it is below from, {from}; give the leaf after the last one wanted");
                return Err(beyond("to", message));
            }
            let to = to.min(from.saturating_add(MOST_ENTRIES));
            Ok(Reading {
                reader,
                from,
                to,
                turn,
            })
        };
        let reading = reading.await.map_err(|e| rpc.refuse(e))?;
        Ok(Response::new(reading.stream(rpc)))
    }

    type FindEntriesStream = Found;

    async fn find_entries(
        &self,
        request: Request<v1::FindEntriesRequest>,
    ) -> Result<Response<Found>, Status> {
        let rpc = Rpc::of(&request)?;
        let wanted = Wanted::read(request.get_ref()).map_err(|e| rpc.refuse(e))?;
        let found = self.find(wanted).await.map_err(|e| rpc.refuse(e))?;
        let found: Vec<_> = found.into_iter().map(Ok).collect();
        Ok(Response::new(tokio_stream::iter(found)))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<v1::GetInclusionProofRequest>,
    ) -> Result<Response<v1::GetInclusionProofResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let asked = request.into_inner();
        let within = |size| {
            let message = || format!("the tree of {size} entries has no leaf {}", asked.leaf);
            let there = asked.leaf < size;
            there.then_some(()).ok_or_else(|| beyond("leaf", message()))
        };
        let make = move |reader: &_, size| proof::inclusion(reader, asked.leaf, size);
        let proved = self.prove((asked.name.as_ref(), asked.size), within, make);
        let proved = proved.await.map_err(|e| rpc.refuse(e))?;
        Ok(Response::new(v1::GetInclusionProofResponse {
            size: proved.size,
            hashes: proved.hashes,
            checkpoint: proved.checkpoint,
        }))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<Response<v1::GetConsistencyProofResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let asked = request.into_inner();
        let old = asked.old_size;
        let within = |size| {
            let message = || format!("{old} is not between 1 and {size}, the larger size");
            let there = (1..=size).contains(&old);
            there
                .then_some(())
                .ok_or_else(|| beyond("old_size", message()))
        };
        let make = move |reader: &_, size| proof::consistency(reader, old, size);
        let proved = self.prove((asked.name.as_ref(), asked.size), within, make);
        let proved = proved.await.map_err(|e| rpc.refuse(e))?;
        Ok(Response::new(v1::GetConsistencyProofResponse {
            size: proved.size,
            hashes: proved.hashes,
            checkpoint: proved.checkpoint,
        }))
    }
}
