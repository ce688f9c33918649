//! What was seen of logs before: their checkpoints, in a directory of the same form.
//!
//! Whoever may write there could empty it and set a log back, so it is believed no more than logs are:
//! each checkpoint must bear its log's signature, and what cannot be read is an error. What is left for
//! later is what held: the note that was verified and the key that signed it, each file whole or not at
//! all. A finding in a log stays in it for ever and does not keep its later checkpoints from being
//! remembered; only of a tree that does not hold, what was seen before stays.

use std::{io, path::Path};

use lgpki_ledger::{
    Checkpoint, Disk as _, OsDisk,
    published::{CHECKPOINT, VKEY},
};

use super::{Against, KEYS, LogDir, Published};
use crate::{
    auditor::Auditor,
    error::AuditError,
    fact::Service,
    finding::Rule,
    report::{Checked, Report},
};

/// Opens what was seen before; each log's checkpoint must be there, be read and be signed.
pub(super) fn open(dir: &Path, against: &Against) -> Result<Published, AuditError> {
    let seen = Published::open(dir)?;
    for log in seen.logs() {
        let wrong = |why: String| AuditError::Memory {
            path: log.path.join(CHECKPOINT),
            why,
        };
        let note = log.note.as_deref();
        let note = note.ok_or_else(|| wrong("it is not there or no text".to_owned()))?;
        let key = log.signer(&against.keys)?;
        Checkpoint::open(note, &key).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(seen)
}

/// Tells which logs were seen before and are gone, and of which nothing is remembered though it should be.
pub(super) fn compare(
    (now, seen): (&Published, &Published),
    services: &[Service],
    auditor: &mut Auditor,
) {
    let asked = |log: &&LogDir| services.contains(&log.service);
    for log in seen.logs().filter(asked) {
        if now.same(log).is_some() {
            continue;
        }
        let what = "the log was there before and is gone";
        auditor.find(Rule::SetBack, log.place(), what);
    }
    for log in now.logs().filter(asked) {
        if seen.same(log).is_some() {
            continue;
        }
        let newest = seen.years(log.service).next_back();
        // A year that has begun since is new.
        if log.name == KEYS || newest.is_none_or(|newest| log.name <= newest.name) {
            let what = "nothing is remembered of it, though of logs beside it: what was remembered was \
                        removed, or the log was not there";
            auditor.find(Rule::SetBack, log.place(), what);
        }
    }
}

impl Published {
    /// The log of the same place.
    pub(super) fn same(&self, log: &LogDir) -> Option<&LogDir> {
        self.logs.get(&(log.service, log.name.clone()))
    }

    /// Leaves the checkpoints of the trees that held in `report`, and the keys that signed them, in another
    /// directory for later audits. Of others, what was seen before stays or is left there; their names
    /// are returned.
    pub fn remember(
        &self,
        to: &Path,
        against: &Against,
        report: &Report,
    ) -> Result<Vec<String>, AuditError> {
        let seen = against.seen.as_deref().map(|dir| open(dir, against));
        let seen = seen.transpose()?;
        let gone = seen.iter().flat_map(Published::logs);
        let gone = gone.filter(|log| self.same(log).is_none());
        let mut left = Vec::new();
        for log in self.logs().chain(gone) {
            let (service, name) = (log.service.name(), log.name.as_str());
            let held = |of: &&Checked| of.service == service && of.log == name;
            if report.logs.iter().find(held).is_some_and(|of| of.holds) {
                keep(to, log, against)?;
                continue;
            }
            left.push(format!("{service}/{name}"));
            if let Some(before) = seen.as_ref().and_then(|seen| seen.same(log)) {
                keep(to, before, against)?;
            }
        }
        Ok(left)
    }
}

/// Writes a log's checkpoint and key; never one of fewer entries than is there.
fn keep(to: &Path, log: &LogDir, against: &Against) -> Result<(), AuditError> {
    let dir = to.join(log.service.name()).join(&log.name);
    let (Some(note), Some(head)) = (&log.note, &log.head) else {
        return Ok(());
    };
    let there = LogDir::open(log.service, &log.name, dir.clone()).head;
    if let Some(more) = there.filter(|there| there.origin == head.origin && there.size > head.size)
    {
        return Err(AuditError::Memory {
            path: dir.join(CHECKPOINT),
            why: format!(
                "it is of {} entries, and the log has {}; hold the log against it before it is replaced",
                more.size, head.size
            ),
        });
    }
    let key = log.signer(&against.keys)?;
    let failed = |source| AuditError::File {
        doing: "write",
        path: dir.clone(),
        source,
    };
    let write = |name: &str, text: String| -> io::Result<()> {
        let unnamed = dir.join("unnamed");
        let file = OsDisk.create_public(&unnamed)?;
        file.write_at(text.as_bytes(), 0)?;
        file.sync()?;
        OsDisk.rename(&unnamed, &dir.join(name))?;
        OsDisk.sync_dir(&dir)
    };
    OsDisk.create_public_dir(&dir).map_err(failed)?;
    write(VKEY, format!("{key}\n")).map_err(failed)?;
    write(CHECKPOINT, note.clone()).map_err(failed)
}
