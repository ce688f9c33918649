//! The logs of auditors as they should be, computed from the entries alone.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;

use lgpki_ledger::{
    Identity, Log, LogId, LogReader, NewEntry, Opened,
    merkle::{CompactRange, leaf},
};

/// An entry of this time.
pub(crate) fn new_entry(bytes: Vec<u8>, time: &str, ceremony: bool) -> NewEntry {
    NewEntry {
        bytes,
        time: time.parse().unwrap(),
        ceremony,
    }
}

/// What a log should hold.
pub(crate) struct Reference {
    reader: LogReader,
    leaves: BTreeMap<LogId, Vec<Vec<u8>>>,
}

impl Reference {
    /// The logs of `entries`, with the opening entries that `log` has.
    pub(crate) fn of(log: &Log, entries: &[NewEntry]) -> Self {
        let reader = log.reader();
        let mut leaves: BTreeMap<LogId, Vec<Vec<u8>>> = BTreeMap::new();
        let mut newest = LogId::Year(i16::MIN);
        for entry in entries {
            newest = newest.max(LogId::of(entry.time));
            let logs = [Some(newest), entry.ceremony.then_some(LogId::Keys)];
            for id in logs.into_iter().flatten() {
                let leaves = leaves.entry(id).or_default();
                leaves.push(entry.bytes.clone());
            }
        }
        if !entries.is_empty() {
            leaves.entry(LogId::Keys).or_default();
        }
        for (id, leaves) in &mut leaves {
            leaves.insert(0, reader.opening(*id).unwrap());
        }
        Self { reader, leaves }
    }

    /// Compares everything that a reader tells with what should be.
    pub(crate) fn check(&self, identity: &Identity) {
        let reader = &self.reader;
        let ids: Vec<_> = self.leaves.keys().copied().collect();
        assert_eq!(reader.logs(), ids);
        let mut first = 0;
        let mut previous = None;
        for (id, leaves) in &self.leaves {
            let head = reader.head(*id).unwrap().unwrap();
            assert_eq!(
                (head.size, head.root),
                (leaves.len() as u64, root(leaves)),
                "{id}"
            );
            assert!(identity.signed(*id, &head), "{id}");
            assert_eq!(reader.head_at(*id, head.size).unwrap(), Some(head), "{id}");
            for (from, most, bytes) in [(0, 1000, usize::MAX), (0, 3, 200), (1, 2, 1), (2, 9, 700)]
            {
                self.check_leaves(*id, from, most, bytes);
            }
            let opened = Opened::decode(&leaves[0]).unwrap();
            assert_eq!(opened.log, identity.origin(*id).to_string());
            let keys = *id == LogId::Keys;
            assert_eq!(opened.first, if keys { 0 } else { first }, "{id}");
            assert_eq!(opened.previous, previous.take().filter(|_| !keys), "{id}");
            previous = Some(identity.checkpoint(*id, &head).to_string());
            for leaf in 1..leaves.len() as u64 {
                let index = reader.index_of(*id, leaf).unwrap();
                let back = reader.leaf_of(index);
                match id {
                    LogId::Keys => assert_eq!(reader.keys_leaf_of(index), Some(leaf)),
                    LogId::Year(_) => assert_eq!((index, back), (first, Some((*id, leaf)))),
                }
                first += u64::from(!keys);
            }
            assert_eq!(reader.index_of(*id, 0), None);
            assert_eq!(reader.index_of(*id, leaves.len() as u64), None);
        }
        assert_eq!(reader.leaf_of(first), None);
    }

    fn check_leaves(&self, id: LogId, from: usize, most: usize, bytes: usize) {
        let read = self.reader.leaves(id, from as u64, most, bytes).unwrap();
        let all = self.leaves[&id].get(from..).unwrap_or_default();
        let mut room = bytes;
        let mut expected = Vec::new();
        for leaf in all.iter().take(most) {
            if !expected.is_empty() && leaf.len() > room {
                break;
            }
            room = room.saturating_sub(leaf.len());
            expected.push(leaf.clone());
        }
        assert_eq!(read, expected, "{id} {from} {most} {bytes}");
    }
}

/// The Merkle root over leaves.
pub(crate) fn root(leaves: &[Vec<u8>]) -> [u8; 32] {
    let mut range = CompactRange::new();
    for bytes in leaves {
        range.push(leaf(bytes));
    }
    range.root()
}
