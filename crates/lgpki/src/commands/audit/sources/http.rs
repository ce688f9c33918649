//! Published files over HTTP: `logs` lists the logs' names, and each log's files lie below its name as
//! C2SP tlog-tiles lays them out.

use std::{io, sync::Arc, time::Duration};

use lgpki_audit::pull::{LogSource, SourceError};
use lgpki_domain::ErrorClass;
use lgpki_ledger::{
    Checkpoint, Tile, TileReader, TreeError,
    merkle::Hash,
    published::{CHECKPOINT, TileSource},
};
use lgpki_runtime::http_client::{HttpClient, HttpError, HttpLimits, HttpUrl};
use tokio::{runtime::Runtime, task::JoinSet};

/// A bundle: 256 entries of 65,535 bytes, each with its length.
const LONGEST: usize = 256 * (65_535 + 2);
/// How long one file may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// Files that are asked for at the same time.
const AT_ONCE: usize = 8;

/// An address with published logs. Clones share its connections.
#[derive(Clone, Debug)]
pub(super) struct HttpSource {
    runtime: Arc<Runtime>,
    client: HttpClient,
    base: HttpUrl,
}

impl HttpSource {
    pub(super) fn new(runtime: Arc<Runtime>, base: HttpUrl) -> Self {
        let limits = HttpLimits {
            bytes: LONGEST,
            time: PATIENCE,
        };
        Self {
            runtime,
            client: HttpClient::new(limits),
            base,
        }
    }

    /// The bytes of a file; none if there is no such file.
    async fn get(client: HttpClient, url: HttpUrl) -> Result<Option<Vec<u8>>, SourceError> {
        let answer = client.get(&url).await.map_err(|error| failed(&error))?;
        match answer.status.as_u16() {
            200 => Ok(Some(answer.body.to_vec())),
            404 | 410 => Ok(None),
            // What a server says while it has too much to do, or a proxy before one that is away.
            status @ (429 | 500..=599) => Err(SourceError::away(format!("{url} answers {status}"))),
            status => Err(SourceError::answer(format!("{url} answers {status}"))),
        }
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let url = self.base.join(path).map_err(|error| failed(&error))?;
        self.runtime.block_on(Self::get(self.client.clone(), url))
    }

    fn text(&self, path: &str) -> Result<String, SourceError> {
        let bytes = self.read(path)?.ok_or_else(|| {
            SourceError::answer(format!(
                "{} has no {path}: is this the address of published logs?",
                self.base
            ))
        })?;
        String::from_utf8(bytes)
            .map_err(|_| SourceError::answer(format!("{path} of {} is no text", self.base)))
    }
}

fn failed(error: &HttpError) -> SourceError {
    let mut what = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        what = format!("{what}: {inner}");
        source = inner.source();
    }
    match error.class() {
        ErrorClass::Unavailable => SourceError::away(what),
        _ => SourceError::answer(what),
    }
}

impl LogSource for HttpSource {
    fn logs(&mut self) -> Result<Vec<String>, SourceError> {
        let text = self.text("logs")?;
        let names = text.lines().map(str::trim).filter(|name| !name.is_empty());
        Ok(names.map(str::to_owned).collect())
    }

    fn checkpoint(&mut self, log: &str) -> Result<String, SourceError> {
        self.text(&format!("{log}/{CHECKPOINT}"))
    }

    fn key(&mut self, log: &str) -> Result<String, SourceError> {
        self.text(&format!("{log}/vkey"))
    }

    fn files(&mut self, log: &str, tiles: &[Tile]) -> Result<Vec<Option<Vec<u8>>>, SourceError> {
        let mut found = vec![None; tiles.len()];
        let mut asked = JoinSet::new();
        let mut rest = tiles.iter().enumerate();
        self.runtime.block_on(async {
            loop {
                while asked.len() < AT_ONCE
                    && let Some((at, tile)) = rest.next()
                {
                    let url = self.base.join(&format!("{log}/{tile}"));
                    let url = url.map_err(|error| failed(&error))?;
                    let client = self.client.clone();
                    asked.spawn(async move { (at, Self::get(client, url).await) });
                }
                let Some(answered) = asked.join_next().await else {
                    return Ok(());
                };
                let (at, bytes) =
                    answered.map_err(|lost| SourceError::away(format!("no answer: {lost}")))?;
                if let Some(place) = found.get_mut(at) {
                    *place = bytes?;
                }
            }
        })?;
        Ok(found)
    }

    fn has_hashes(&self) -> bool {
        true
    }

    fn consistency(
        &mut self,
        log: &str,
        old: u64,
        head: &Checkpoint,
    ) -> Result<Vec<Hash>, SourceError> {
        let source = Below {
            source: self.clone(),
            log: log.to_owned(),
        };
        let proof = TileReader::at(Arc::new(source), head.size, &head.root)
            .and_then(|reader| reader.consistency(old));
        proof.map_err(|error| match error.class() {
            ErrorClass::Unavailable => SourceError::away(error.to_string()),
            _ => SourceError::answer(error.to_string()),
        })
    }
}

/// The files of one log.
#[derive(Debug)]
struct Below {
    source: HttpSource,
    log: String,
}

impl TileSource for Below {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, TreeError> {
        let path = format!("{}/{path}", self.log);
        self.source.read(&path).map_err(|error| TreeError::Io {
            path: path.into(),
            source: io::Error::other(error),
        })
    }
}
