//! A service's index and how far it is published, as its store would tell.

use std::{path::Path, sync::Arc, time::Duration};

use lgpki_ledger::{
    Log, LogReader, MemoryDisk, NewEntry,
    publication::{Publication, WitnessDispute, WitnessStanding, Witnessed},
};
use lgpki_proto::Failure;

use super::{
    super::{EntryIndex, Wanted},
    SIZE, entry, identity,
};

/// An index of a log of which more is recorded than published.
#[derive(Debug)]
pub(super) struct Index(Log);

impl Index {
    pub(super) fn new() -> Self {
        let disk = Arc::new(MemoryDisk::new());
        let (mut log, _) = Log::open(Path::new("/issuer"), disk, identity()).unwrap();
        let recorded = (0..SIZE + 100).map(|i| NewEntry {
            bytes: entry(i),
            time: "2009-02-10T10:00:00+09:00".parse().unwrap(),
            ceremony: false,
        });
        log.append(recorded.collect()).unwrap();
        Self(log)
    }
}

#[tonic::async_trait]
impl EntryIndex for Index {
    async fn entries(&self, wanted: Wanted) -> Result<Vec<u64>, Failure> {
        match wanted {
            // The opening entry is no entry of the index: leaf 1 is its first.
            Wanted::Application(_) => Ok(vec![300, 4, 300, SIZE - 2, SIZE - 1, SIZE + 50, 9_999]),
            Wanted::Certificate(_) => Ok(Vec::new()),
        }
    }

    fn log(&self) -> LogReader {
        self.0.reader()
    }

    fn publication(&self) -> Option<Publication> {
        Some(Publication {
            lag: Duration::from_millis(1500),
            failing: Some("the disk is full".into()),
            witnessed: Some(Witnessed {
                lag: Duration::from_secs(700),
                late: true,
                each: vec![WitnessStanding {
                    name: "w1".to_owned(),
                    failing: None,
                    dispute: Some(WitnessDispute {
                        what: "it knows 9".into(),
                        proved: true,
                    }),
                }],
                ..Witnessed::default()
            }),
            ..Publication::default()
        })
    }
}
