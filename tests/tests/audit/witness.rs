//! A witness that is shown published logs, as their services would show them.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use lgpki_audit::Published;
use lgpki_ledger::{
    MemoryDisk, NoteSigner as _, OsDisk, Submission, TileReader, VerifierKey, WitnessKey,
    WitnessPolicy, published::Directory, witness::Book,
};
use lgpki_testkit::log_signer;

/// Its signing key's seed.
const SEED: u8 = 77;

pub(crate) struct Witness {
    book: Book,
    key: WitnessKey,
}

impl Witness {
    pub(crate) fn new() -> Self {
        let name = "audit-office.example/w1".parse().unwrap();
        let key = WitnessKey::new(name, log_signer(SEED).public_key());
        let (disk, dir) = (MemoryDisk::new(), Path::new("/witness"));
        Book::begin(&disk, dir).unwrap();
        let book = Book::open(Arc::new(disk), dir, key.clone()).unwrap();
        Self { book, key }
    }

    /// Wants its cosignature.
    pub(crate) fn policy(&self) -> WitnessPolicy {
        WitnessPolicy::of(vec![self.key.clone()], 1).unwrap()
    }

    /// Cosigns each checkpoint in a directory of published logs; tells how many it refused.
    pub(crate) fn visit(&mut self, dir: &Path) -> usize {
        let logs: Vec<_> = Published::open(dir).unwrap().logs().cloned().collect();
        logs.iter().filter(|log| !self.cosign(&log.path)).count()
    }

    fn cosign(&mut self, log: &Path) -> bool {
        let line = fs::read_to_string(log.join("vkey")).unwrap();
        let key: VerifierKey = line.trim().parse().unwrap();
        let source = Arc::new(Directory::new(Arc::new(OsDisk), log));
        let (tiles, head, mut note) = TileReader::open(source, &key).unwrap();
        let known: BTreeMap<_, _> = self.book.logs().collect();
        let old = known.get(&head.origin).map_or(0, |seen| seen.size);
        let proof = match old {
            0 => Vec::new(),
            old => tiles.consistency(old).unwrap_or_default(),
        };
        let submission = Submission {
            old,
            proof,
            note: note.clone(),
        };
        let cosigned = self
            .book
            .cosign(&submission, &[key], 1_204_000_000, &log_signer(SEED));
        if let Ok(cosigned) = &cosigned {
            note.add(cosigned.signature.clone()).unwrap();
            fs::write(log.join("checkpoint"), note.to_string()).unwrap();
        }
        cosigned.is_ok()
    }
}
