//! What the audit log costs of a certificate: the services' logs, written once more.
//!
//! After the load the three logs lie there. Every entry is put into canonical JSON again, appended in
//! the frames in which it was recorded (hashed, both trees grown, heads signed, one write and one
//! sync), and published in as many rounds as the publisher had time for; of each intent the proof is
//! made and checked as the signing step does it. All of that is counted, although a service without
//! an audit log would also have to write down and sync what it acknowledges.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::Path,
    sync::Arc,
    time::Duration,
};

use lgpki_issuer::event::IssuerEvent;
use lgpki_ledger::{
    Appended, Identity, Log, LogError, LogId, LogReader, NewEntry, OsDisk, Publisher, Snapshot,
    decode,
    entry::time_of,
    merkle::Hash,
    publisher::{Leaves, Place},
};
use serde::Serialize;

use crate::{Failure, cpu, installation::Installation};

/// The services, each of which has a log.
const SERVICES: [&str; 3] = ["intake", "issuer", "lifecycle"];
/// Bytes of entries that are read at once.
const READ_BYTES: usize = 4 << 20;

/// What the logs took of one thread.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct AuditLog {
    /// Entries in the three logs.
    pub entries: usize,
    /// Frames in which they became durable.
    pub frames: usize,
    /// Bytes of the entries.
    pub bytes: usize,
    /// CPU time of making the entries' bytes.
    pub encoding: Duration,
    /// CPU time of appending them.
    pub sequencing: Duration,
    /// CPU time of proving intents to the signing step.
    pub proving: Duration,
    /// CPU time of publishing.
    pub publishing: Duration,
}

impl AuditLog {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.encoding + self.sequencing + self.proving + self.publishing
    }
}

/// Writes the logs of an installation whose services have ended once more, published in `rounds`.
pub fn measure(installation: &Installation, rounds: usize) -> Result<AuditLog, Failure> {
    let mut cost = AuditLog::default();
    for service in SERVICES {
        let identity = installation.log_identity(service)?;
        let dir = installation.ca().join("data").join(service);
        let snapshot = Snapshot::take(&dir, &OsDisk, &identity)?;
        let snapshot = snapshot.ok_or_else(|| format!("{service} has no log"))?;
        let frames = frames(&snapshot.reader())?;
        let scratch = tempfile::tempdir_in(installation.ca())?;
        again(&mut cost, frames, rounds, (scratch.path(), &identity))?;
    }
    Ok(cost)
}

/// The entries as they were recorded together.
fn frames(reader: &LogReader) -> Result<Vec<Vec<NewEntry>>, Failure> {
    let (mut frames, mut frame, mut next) = (Vec::new(), Vec::new(), 0);
    while next < reader.durable() {
        for (index, bytes) in reader.read(next, usize::MAX, READ_BYTES)? {
            frame.push(NewEntry {
                time: time_of(&bytes).ok_or("an entry without a time")?,
                ceremony: reader.keys_leaf_of(index).is_some(),
                bytes,
            });
            let (log, leaf) = reader.leaf_of(index).ok_or("an entry without a leaf")?;
            if reader.head_at(log, leaf + 1)?.is_some() {
                frames.push(std::mem::take(&mut frame));
            }
            next = index + 1;
        }
    }
    Ok(frames)
}

fn again(
    cost: &mut AuditLog,
    frames: Vec<Vec<NewEntry>>,
    rounds: usize,
    (dir, identity): (&Path, &Identity),
) -> Result<(), Failure> {
    let (mut log, _) = Log::open(dir, Arc::new(OsDisk), identity.clone())?;
    let mut published = Published::new(dir, identity, log.reader());
    cost.frames += frames.len();
    let each = frames.len().div_ceil(rounds.max(1)).max(1);
    for (number, entries) in frames.into_iter().enumerate() {
        cost.entries += entries.len();
        cost.bytes += entries.iter().map(|e| e.bytes.len()).sum::<usize>();
        encode(&mut cost.encoding, &entries)?;
        let intents = intents(&entries);
        let appended = timed(&mut cost.sequencing, || log.append(entries))?;
        timed(&mut cost.proving, || prove(identity, &appended, &intents))?;
        if (number + 1) % each == 0 {
            timed(&mut cost.publishing, || published.round())?;
        }
    }
    timed(&mut cost.publishing, || published.round())
}

/// Adds to `spent` what this thread takes for something.
fn timed<T>(spent: &mut Duration, work: impl FnOnce() -> T) -> T {
    let before = cpu::of_this_thread();
    let done = work();
    *spent += cpu::of_this_thread().saturating_sub(before);
    done
}

/// Writes entries as JSON; what comes out must be what was recorded.
fn encode(spent: &mut Duration, entries: &[NewEntry]) -> Result<(), Failure> {
    let values = entries.iter().map(|e| serde_json::from_slice(&e.bytes));
    let values: Vec<serde_json::Value> = values.collect::<Result<_, _>>()?;
    let written: Vec<_> = timed(spent, || {
        let written = values.iter().map(serde_json::to_vec);
        written.collect::<Result<_, _>>()
    })?;
    let same = written
        .iter()
        .zip(entries)
        .all(|(bytes, entry)| *bytes == entry.bytes);
    if same {
        return Ok(());
    }
    Err("an entry is not the JSON that it was made from".into())
}

/// Which of a frame's entries are intents of certificates.
fn intents(entries: &[NewEntry]) -> Vec<u64> {
    let is_intent = |entry: &NewEntry| {
        let event = decode::<IssuerEvent>(0, &entry.bytes).map(|recorded| recorded.event);
        matches!(event, Ok(IssuerEvent::Intended(_)))
    };
    let numbered = (0..).zip(entries);
    numbered
        .filter(|(_, entry)| is_intent(entry))
        .map(|(at, _)| at)
        .collect()
}

/// Does for each intent what the issuer's signing step does before a key is used.
fn prove(identity: &Identity, appended: &Appended, intents: &[u64]) -> Result<(), Failure> {
    let frame = appended.frame.as_deref().ok_or("an empty frame")?;
    let mut verified = false;
    for at in intents {
        let index = appended.first + at;
        let evidence = frame.evidence(index).ok_or("an entry without evidence")?;
        decode::<IssuerEvent>(index, &evidence.entry)?;
        verified = verified || identity.signed(evidence.log, &evidence.head);
        if !(verified && evidence.leads_to_the_head()) {
            return Err("an intent is not in the log".into());
        }
    }
    Ok(())
}

/// The published logs of one service.
struct Published {
    place: Place,
    identity: Identity,
    reader: LogReader,
    open: BTreeMap<LogId, Publisher>,
}

/// One log, for its publisher.
struct One<'a>(&'a LogReader, LogId);

impl Leaves for One<'_> {
    fn leaves(
        &self,
        from: u64,
        max_entries: usize,
        max_bytes: usize,
    ) -> Result<Vec<Vec<u8>>, LogError> {
        self.0.leaves(self.1, from, max_entries, max_bytes)
    }

    fn root_at(&self, size: u64) -> Result<Option<Hash>, LogError> {
        self.0.root_at(self.1, size)
    }
}

impl Published {
    fn new(dir: &Path, identity: &Identity, reader: LogReader) -> Self {
        Self {
            place: Place {
                disk: Arc::new(OsDisk),
                dir: dir.join("audit"),
                key: identity.public(),
            },
            identity: identity.clone(),
            reader,
            open: BTreeMap::new(),
        }
    }

    /// Publishes the newest head of each log.
    fn round(&mut self) -> Result<(), Failure> {
        for id in self.reader.logs() {
            let Some(head) = self.reader.head(id)? else {
                continue;
            };
            let leaves = One(&self.reader, id);
            let publisher = match self.open.entry(id) {
                Entry::Occupied(found) => found.into_mut(),
                Entry::Vacant(place) => {
                    let at = Place {
                        dir: self.place.dir.join(id.to_string()),
                        key: self.identity.verifier(id),
                        ..self.place.clone()
                    };
                    place.insert(Publisher::open(at, &leaves)?.0)
                }
            };
            if publisher.size() < head.size {
                publisher.publish(&self.identity.checkpoint(id, &head), &leaves)?;
            }
        }
        Ok(())
    }
}
