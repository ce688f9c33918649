//! The disputes of a service's logs: `<dir>/disputed`.
//!
//! A dispute begins when a witness contradicts the log, and ends when the same witness cosigns that log
//! again or is not configured any more. Either is written before it is told of, so that a restart while the
//! witness is away does not forget a dispute. What cannot be written holds in memory, and is
//! written with the next answer of a witness.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_ledger::{Disk, LogError, LogId, SignedNote, WitnessKey, publication::WitnessDispute};
use serde::{Deserialize, Serialize};

use crate::error::{StoreError, chain};

const NAME: &str = "disputed";
const NEW: &str = "disputed.new";

/// A dispute as the file holds it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// The witness's key, with its name.
    witness: String,
    log: String,
    what: String,
    /// A signed checkpoint that the log does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof: Option<String>,
}

#[derive(Debug)]
struct Dispute {
    what: Arc<str>,
    proof: Option<String>,
}

/// The disputes, by the witness's place and the log.
#[derive(Debug)]
pub(super) struct Disputes {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    keys: Vec<WitnessKey>,
    all: BTreeMap<(usize, LogId), Dispute>,
    unsaved: bool,
}

impl Disputes {
    /// Reads the disputes of a data directory, as far as they are of these witnesses.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        keys: &[WitnessKey],
    ) -> Result<Self, StoreError> {
        let path = dir.join(NAME);
        let failed = |source: io::Error| LogError::Io {
            doing: "read",
            path: path.clone(),
            source,
        };
        let lines: Vec<Line> = match disk.read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(failed(e).into()),
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| failed(e.into()))?,
        };
        let mut all = BTreeMap::new();
        for line in lines {
            let at = keys.iter().position(|key| key.to_string() == line.witness);
            if let (Some(at), Ok(log)) = (at, line.log.parse()) {
                tracing::error!(
                    witness = line.witness,
                    log = line.log,
                    what = line.what,
                    proved = line.proof.is_some(),
                    "a witness has disputed the log since before this start"
                );
                let (what, proof) = (Arc::from(line.what), line.proof);
                all.insert((at, log), Dispute { what, proof });
            }
        }
        Ok(Self {
            disk,
            dir: dir.to_owned(),
            keys: keys.to_vec(),
            all,
            unsaved: false,
        })
    }

    /// Notes a dispute; whether that is news. What is proved stays so, whatever is said later.
    pub(super) fn begin(
        &mut self,
        (witness, log): (usize, LogId),
        what: &str,
        proof: Option<&SignedNote>,
    ) -> bool {
        if let Some(known) = self.all.get(&(witness, log))
            && (*known.what == *what || (known.proof.is_some() && proof.is_none()))
        {
            return false;
        }
        let dispute = Dispute {
            what: Arc::from(what),
            proof: proof.map(ToString::to_string),
        };
        self.all.insert((witness, log), dispute);
        self.unsaved = true;
        true
    }

    /// Notes that a witness has cosigned the log; whether that ends a dispute.
    pub(super) fn end(&mut self, witness: usize, log: LogId) -> bool {
        let ended = self.all.remove(&(witness, log)).is_some();
        self.unsaved |= ended;
        ended
    }

    /// Whether this witness disputes this log.
    pub(super) fn has(&self, witness: usize, log: LogId) -> bool {
        self.all.contains_key(&(witness, log))
    }

    /// Whether any witness disputes this log.
    pub(super) fn any_of(&self, log: LogId) -> bool {
        self.all.keys().any(|(_, of)| *of == log)
    }

    /// What a witness says, of whichever log; what is proved before the rest.
    pub(super) fn of(&self, witness: usize) -> Option<WitnessDispute> {
        let of = self.all.iter().filter(|((of, _), _)| *of == witness);
        let (_, dispute) = of.min_by_key(|(_, dispute)| dispute.proof.is_none())?;
        Some(WitnessDispute {
            what: Arc::clone(&dispute.what),
            proved: dispute.proof.is_some(),
        })
    }

    /// Makes what changed durable.
    pub(super) fn save(&mut self) {
        if !self.unsaved {
            return;
        }
        match self.write() {
            Ok(()) => self.unsaved = false,
            Err(e) => tracing::error!(
                dir = %self.dir.display(), why = chain(&e),
                "the witnesses' disputes cannot be recorded; it is tried again"
            ),
        }
    }

    fn write(&self) -> io::Result<()> {
        let lines = self.all.iter().filter_map(|((witness, log), dispute)| {
            Some(Line {
                witness: self.keys.get(*witness)?.to_string(),
                log: log.to_string(),
                what: dispute.what.to_string(),
                proof: dispute.proof.clone(),
            })
        });
        let bytes = serde_json::to_vec(&lines.collect::<Vec<_>>())?;
        let new = self.dir.join(NEW);
        let file = self.disk.create(&new)?;
        file.write_at(&bytes, 0)?;
        file.sync()?;
        self.disk.rename(&new, &self.dir.join(NAME))?;
        self.disk.sync_dir(&self.dir)
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use lgpki_ledger::NoteSigner as _;
    use lgpki_testkit::{Fault, FaultyDisk, Persisted, log_signer};

    use super::*;

    const LOG: LogId = LogId::Year(2008);

    fn open(disk: &FaultyDisk) -> Disputes {
        let key = |n| WitnessKey::new(format!("w{n}").parse().unwrap(), log_signer(n).public_key());
        let disk = Arc::new(disk.clone());
        Disputes::open(disk, Path::new("/data"), &[key(1), key(2)]).unwrap()
    }

    #[test]
    fn wherever_the_power_is_cut_a_dispute_is_there_or_not_and_is_there_once_it_is_saved() {
        for fault in [
            Fault::Before(ErrorKind::Other),
            Fault::After(ErrorKind::Other),
            Fault::Torn(3, ErrorKind::Other),
        ] {
            for step in 1..=6 {
                let disk = FaultyDisk::new();
                disk.create_dir(Path::new("/data")).unwrap();
                let mut disputes = open(&disk);
                disputes.begin((1, LOG), "the first", None);
                disputes.save();
                disputes.begin((0, LOG), "the second", None);
                disk.fail_at(step, fault);
                disputes.save();
                // It holds, whatever the disk says, and the next answer of a witness tries again.
                assert!(disputes.has(0, LOG));
                let failed = disputes.unsaved;
                assert_eq!(failed, !disk.fault_pending());
                if step % 2 == 0 {
                    disputes.save();
                }
                let saved = !disputes.unsaved;
                disk.power_cut(Persisted::Nothing);
                let again = open(&disk);
                assert_eq!(again.of(1).unwrap().what.as_ref(), "the first");
                assert!(again.has(0, LOG) || !saved, "{fault:?} {step}");
            }
        }
    }
}
