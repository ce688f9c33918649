//! The logs as services tell them over gRPC, through intake, to whoever is logged in there.

use std::{collections::BTreeMap, sync::Arc};

use lgpki_audit::pull::{LogSource, SourceError};
use lgpki_ledger::{
    Checkpoint, Tile,
    merkle::Hash,
    tile::{Layer, append_entry},
};
use lgpki_proto::{
    RemoteError,
    v1::{self, audit_log_service_client::AuditLogServiceClient},
};
use tokio::runtime::Runtime;
use tonic::{Code, Status, transport::Channel};

/// Bytes of one message: a batch of entries is shorter.
const MESSAGE: usize = 4 << 20;

/// Intake, which tells the logs of all services.
#[derive(Debug)]
pub(super) struct RpcSource {
    runtime: Arc<Runtime>,
    client: AuditLogServiceClient<Channel>,
    /// The verifier keys as they were listed.
    keys: BTreeMap<String, String>,
    away: Vec<String>,
}

impl RpcSource {
    pub(super) fn new(runtime: Arc<Runtime>, channel: Channel) -> Self {
        Self {
            runtime,
            client: AuditLogServiceClient::new(channel).max_decoding_message_size(MESSAGE),
            keys: BTreeMap::new(),
            away: Vec::new(),
        }
    }

    /// Entries of a log, as many as are told of those asked for.
    fn entries(&mut self, log: &str, from: u64, to: u64) -> Result<Vec<Vec<u8>>, SourceError> {
        let request = v1::ReadEntriesRequest {
            name: Some(name(log)?),
            from,
            to,
        };
        let most = usize::try_from(to - from).unwrap_or(usize::MAX);
        let client = &mut self.client;
        self.runtime.block_on(async {
            let answer = client.read_entries(request).await;
            let mut batches = answer.map_err(|s| failed(&s))?.into_inner();
            let mut entries = Vec::new();
            while let Some(batch) = batches.message().await.map_err(|s| failed(&s))? {
                if batch.first != from + entries.len() as u64
                    || entries.len() + batch.entries.len() > most
                {
                    let what = format!("other entries of {log} were told than asked for");
                    return Err(SourceError::answer(what));
                }
                entries.extend(batch.entries);
            }
            Ok(entries)
        })
    }
}

/// `issuer/2011`.
fn name(log: &str) -> Result<v1::LogName, SourceError> {
    let (service, log) = log
        .split_once('/')
        .ok_or_else(|| SourceError::answer(format!("there is no log {log}")))?;
    Ok(v1::LogName {
        service: service.to_owned(),
        log: log.to_owned(),
    })
}

fn failed(status: &Status) -> SourceError {
    let what = RemoteError::from(status).to_string();
    match status.code() {
        Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded => {
            SourceError::away(what)
        }
        _ => SourceError::answer(what),
    }
}

/// The bytes of the bundle of a tile; none if not all of it was told.
fn bundle(entries: &[Vec<u8>], tile: Tile) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let whole = entries.len() == usize::from(tile.width());
    let fit = whole && entries.iter().all(|entry| append_entry(&mut bytes, entry));
    fit.then_some(bytes)
}

impl LogSource for RpcSource {
    fn logs(&mut self) -> Result<Vec<String>, SourceError> {
        let request = v1::ListLogsRequest::default();
        let listed = self.runtime.block_on(self.client.list_logs(request));
        let listed = listed.map_err(|s| failed(&s))?.into_inner();
        self.away = listed.away;
        let keys = listed.logs.into_iter().filter_map(|log| {
            let name = log.name?;
            Some((format!("{}/{}", name.service, name.log), log.vkey))
        });
        self.keys = keys.collect();
        // Whoever refers to another comes first, so that what it refers to is there by then.
        let rank = |name: &String| {
            let refers = ["lifecycle/", "intake/", "issuer/"];
            refers.iter().position(|of| name.starts_with(of))
        };
        let mut names: Vec<String> = self.keys.keys().cloned().collect();
        names.sort_by_key(rank);
        Ok(names)
    }

    fn away(&self) -> &[String] {
        &self.away
    }

    fn checkpoint(&mut self, log: &str) -> Result<String, SourceError> {
        let name = Some(name(log)?);
        let asked = self
            .client
            .get_checkpoint(v1::GetCheckpointRequest { name });
        let answer = self.runtime.block_on(asked).map_err(|s| failed(&s))?;
        Ok(answer.into_inner().checkpoint)
    }

    fn key(&mut self, log: &str) -> Result<String, SourceError> {
        let key = self.keys.get(log).cloned();
        key.ok_or_else(|| SourceError::answer(format!("no verifier key of {log} was told")))
    }

    fn files(&mut self, log: &str, tiles: &[Tile]) -> Result<Vec<Option<Vec<u8>>>, SourceError> {
        let mut found = Vec::with_capacity(tiles.len());
        let mut rest = tiles;
        while let Some(first) = rest.first() {
            // Bundles that follow each other are asked for together.
            let follows =
                |pair: &[Tile]| pair[0].is_full() && pair[1].index() == pair[0].index() + 1;
            let run = 1 + rest.windows(2).take_while(|pair| follows(pair)).count();
            let (together, others) = rest.split_at(run);
            rest = others;
            if together.iter().any(|tile| tile.layer() != Layer::Entries) {
                return Err(SourceError::answer("only entries are told over gRPC"));
            }
            let end = together.last().unwrap_or(first);
            let to = end.first_entry() + u64::from(end.width());
            let entries = self.entries(log, first.first_entry(), to)?;
            let mut entries = entries.as_slice();
            for tile in together {
                let width = usize::from(tile.width()).min(entries.len());
                let (of_tile, others) = entries.split_at(width);
                entries = others;
                found.push(bundle(of_tile, *tile));
            }
        }
        Ok(found)
    }

    fn has_hashes(&self) -> bool {
        false
    }

    fn consistency(
        &mut self,
        log: &str,
        old: u64,
        head: &Checkpoint,
    ) -> Result<Vec<Hash>, SourceError> {
        let request = v1::GetConsistencyProofRequest {
            name: Some(name(log)?),
            old_size: old,
            size: head.size,
        };
        let asked = self.client.get_consistency_proof(request);
        let answer = self.runtime.block_on(asked).map_err(|s| failed(&s))?;
        let hashes = answer.into_inner().hashes.into_iter().map(Hash::try_from);
        let hashes: Result<Vec<Hash>, _> = hashes.collect();
        hashes.map_err(|_| SourceError::answer("the proof has hashes of another length"))
    }
}
