//! What logs signed and a witness refused: proved forks in `evidence/`, the rest apart.
//!
//! A file of `evidence/` proves the fork to anybody who has the log's key, without a word of the witness: the
//! checkpoint that it cosigned last, with the log's own signature, an empty line, and the request that
//! was refused, whose checkpoint the same log signed. Either both are of one size, or the proof leads to the
//! second root and from another first one. `unproved/` holds signed checkpoints that came with a proof of
//! something else: whoever sends them may have made that up, yet one of them may prove a fork some day.

use std::path::Path;

use super::{
    Refused, Submission,
    book::{BookError, failed, name_of, write},
};
use crate::{disk::Disk, note::SignedNote};

const PROVED: &str = "evidence";
const UNPROVED: &str = "unproved";
/// Forks that are kept; one is enough.
const MOST_PROVED: usize = 1000;
/// Others that are kept.
const MOST_UNPROVED: usize = 100;

/// Keeps what was refused, once, durably. The submission bears its log's signature and no other; `known`
/// is what was cosigned of the log last.
pub(super) fn keep(
    (disk, dir): (&dyn Disk, &Path),
    refused: &Refused,
    known: &SignedNote,
    submission: &Submission,
) -> Result<(), BookError> {
    let (name, most) = match refused {
        refused if refused.is_evidence() => (PROVED, MOST_PROVED),
        Refused::NotContinued { .. } => (UNPROVED, MOST_UNPROVED),
        _ => return Ok(()),
    };
    let dir = dir.join(name);
    let made = disk.create_dir(&dir);
    made.map_err(|e| failed("create", &dir, e))?;
    // What is proved once is enough, whatever was cosigned since.
    let name = name_of(submission.note.text());
    let kept = disk.list(&dir).map_err(|e| failed("read", &dir, e))?;
    if kept.contains(&name) || kept.len() >= most {
        return Ok(());
    }
    let text = format!("{known}\n{submission}");
    write(disk, &dir.join(name), text.as_bytes())
}
