//! Witnessing (C2SP tlog-witness): who cosigns a log's checkpoints, and when it refuses.
//!
//! A witness remembers of each log the largest tree that it cosigned. It cosigns another one only if
//! that continues this one, so that whoever holds a log's host and key can neither rewrite nor set
//! back what was witnessed without being found out. [`open`] and [`judge`] are its rules, without
//! I/O; [`Book`] keeps what it cosigned, and what proves a fork; [`Submission`] is what it is sent; [`WitnessPolicy`] says which
//! witnesses whoever relies on a log wants.

mod book;
mod evidence;
mod policy;
mod shown;
mod submission;
#[cfg(test)]
mod tests;

pub use self::{
    book::{Book, BookError, Cosigned, Unsigned},
    policy::{PolicyError, Standing, Without, WitnessPolicy},
    shown::{SHOWN, show, shown},
    submission::{Reply, Submission},
};
use crate::{
    checkpoint::Checkpoint,
    merkle::{CompactRange, Hash},
    note::{KeyName, NoteError, NoteSignature, VerifierKey},
    proof::{check_consistency, shows_fork},
    published::TreeError,
};

/// Where checkpoints are posted, below a witness's address.
pub const ADD_CHECKPOINT: &str = "add-checkpoint";

/// The kind of the body that tells a size.
pub const SIZE_TYPE: &str = "text/x.tlog.size";

/// The largest tree of a log that a witness has cosigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its entries.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// When it was cosigned last, in seconds since 1970.
    pub time: u64,
}

/// Why a witness does not cosign.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The request is not of the form of C2SP tlog-witness, or holds no checkpoint.
    #[error("the request cannot be read")]
    Malformed(#[from] NoteError),
    /// No such log.
    #[error("this witness knows no log {0}")]
    Unknown(KeyName),
    /// The log did not sign.
    #[error("the checkpoint is not signed by its log")]
    NotSigned(#[source] NoteError),
    /// The proof begins past the checkpoint's end.
    #[error("the old size {old} is above the checkpoint's size {size}")]
    Backwards {
        /// The size that the proof begins at.
        old: u64,
        /// The checkpoint's.
        size: u64,
    },
    /// The proof begins at another size than the one cosigned last. No fault: it is sent again.
    #[error("the size cosigned last is {known}, and the proof begins at {old}")]
    Elsewhere {
        /// The size cosigned last.
        known: u64,
        /// The size that the proof begins at.
        old: u64,
    },
    /// The log shows less than it did, or somebody sent an old checkpoint again.
    #[error(
        "ROLLBACK: {size} entries are shown, and there were {known} when the log was cosigned last: it was set \
         back, or an old checkpoint was sent again"
    )]
    Rollback {
        /// The size cosigned last.
        known: u64,
        /// The checkpoint's.
        size: u64,
    },
    /// The log shows another tree of the same size.
    #[error("FORK: the log has signed two trees of {size} entries")]
    Fork {
        /// The size of both.
        size: u64,
    },
    /// The log shows a later tree that is proved to begin otherwise.
    #[error(
        "FORK: the tree of {size} entries does not begin with the {known} that were cosigned last: the log was \
         rewritten"
    )]
    Rewritten {
        /// The size cosigned last.
        known: u64,
        /// The checkpoint's.
        size: u64,
    },
    /// The log is not shown to continue what it was. Whoever sends a proof may make it up.
    #[error(
        "NOT PROVED: the tree of {size} entries is not proved to continue the one of {known} that was cosigned \
         last: the proof is of something else, or the log was rewritten"
    )]
    NotContinued {
        /// The size cosigned last.
        known: u64,
        /// The checkpoint's.
        size: u64,
        /// What the proof lacks.
        source: TreeError,
    },
}

impl Refused {
    /// The HTTP status that says so.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Backwards { .. } => 400,
            Self::NotSigned(_) => 403,
            Self::Unknown(_) => 404,
            Self::Elsewhere { .. } | Self::Rollback { .. } | Self::Fork { .. } => 409,
            Self::Rewritten { .. } | Self::NotContinued { .. } => 422,
        }
    }

    /// The size cosigned last, where the answer tells it.
    #[must_use]
    pub const fn known(&self) -> Option<u64> {
        match self {
            Self::Elsewhere { known, .. } | Self::Rollback { known, .. } => Some(*known),
            _ => None,
        }
    }

    /// Whether the answer shows what was cosigned last, which contradicts the checkpoint or may.
    #[must_use]
    pub const fn contradicts(&self) -> bool {
        matches!(self, Self::Rollback { .. } | Self::NotContinued { .. }) || self.is_evidence()
    }

    /// A stable name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Unknown(_) => "unknown-log",
            Self::NotSigned(_) => "not-signed",
            Self::Backwards { .. } => "backwards",
            Self::Elsewhere { .. } => "elsewhere",
            Self::Rollback { .. } => "rollback",
            Self::Fork { .. } | Self::Rewritten { .. } => "fork",
            Self::NotContinued { .. } => "not-continued",
        }
    }

    /// Whether what the log signed proves that it forked. An old checkpoint proves nothing, for it is public
    /// and anybody can send it again; nor does an honest one with a proof of something else.
    #[must_use]
    pub const fn is_evidence(&self) -> bool {
        matches!(self, Self::Fork { .. } | Self::Rewritten { .. })
    }
}

/// The checkpoint that is submitted, if one of the logs with these keys signed it, and the signature with
/// which it did.
pub fn open(
    submission: &Submission,
    logs: &[VerifierKey],
) -> Result<(Checkpoint, NoteSignature), Refused> {
    let checkpoint = Checkpoint::parse(submission.note.text())?;
    let origin = &checkpoint.origin;
    let mut keys = logs.iter().filter_map(|key| key.of_log(origin)).peekable();
    if keys.peek().is_none() {
        return Err(Refused::Unknown(origin.clone()));
    }
    let mut why = NoteError::NotSigned(origin.to_string());
    for key in keys {
        match submission.note.signed_by(&key) {
            Ok(signature) => return Ok((checkpoint, signature.clone())),
            Err(error) => why = error,
        }
    }
    Err(Refused::NotSigned(why))
}

/// Whether a checkpoint that its log signed may be cosigned, by what was cosigned of the log before.
pub fn judge(
    checkpoint: &Checkpoint,
    submission: &Submission,
    seen: Option<&Seen>,
) -> Result<(), Refused> {
    let (old, size) = (submission.old, checkpoint.size);
    if old > size {
        return Err(Refused::Backwards { old, size });
    }
    let empty = CompactRange::new().root();
    let (known, root) = seen.map_or((0, empty), |seen| (seen.size, seen.root));
    if size < known {
        // The empty tree says nothing of a log: whoever shows it asks for the size.
        return Err(match size {
            0 => Refused::Elsewhere { known, old },
            size => Refused::Rollback { known, size },
        });
    }
    if size == known && checkpoint.root != root {
        return Err(Refused::Fork { size });
    }
    if old != known {
        return Err(Refused::Elsewhere { known, old });
    }
    let (before, after) = ((known, &root), (size, &checkpoint.root));
    match check_consistency(before, after, &submission.proof) {
        Ok(()) => Ok(()),
        Err(_) if shows_fork(before, after, &submission.proof) => {
            Err(Refused::Rewritten { known, size })
        }
        Err(source) => Err(Refused::NotContinued {
            known,
            size,
            source,
        }),
    }
}
