//! What a witness is sent and what it answers, as C2SP tlog-witness writes them.
//!
//! `old SIZE`, the consistency proof from there in base64, an empty line, the signed checkpoint; and
//! back, signature lines or a size. Reading is strict, so that a submission has one spelling.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::SIZE_TYPE;
use crate::{
    cosignature::WitnessKey,
    merkle::Hash,
    note::{NoteError, NoteSignature, SignedNote},
};

/// C2SP tlog-witness: lines that a proof may have.
const MAX_HASHES: usize = 63;

/// Letters of what a witness says that are told on.
const TOLD: usize = 200;

/// A checkpoint for a witness. Its `Display` is the request's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The size that the witness is taken to have cosigned last.
    pub old: u64,
    /// That the checkpoint's tree continues the one of that size.
    pub proof: Vec<Hash>,
    /// The checkpoint.
    pub note: SignedNote,
}

impl fmt::Display for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        for hash in &self.proof {
            writeln!(f, "{}", STANDARD.encode(hash))?;
        }
        write!(f, "\n{}", self.note)
    }
}

impl FromStr for Submission {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let bad = NoteError::Malformed;
        let form = bad("it does not begin with the old size, the proof and an empty line");
        let (head, note) = text.split_once("\n\n").ok_or_else(|| form.clone())?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old = old.and_then(size).ok_or(form)?;
        let mut proof = Vec::new();
        for line in lines {
            let hash = STANDARD.decode(line).ok();
            let hash = hash.and_then(|hash| hash.try_into().ok());
            proof.push(hash.ok_or(bad("a line of the proof is no hash in base64"))?);
            if proof.len() > MAX_HASHES {
                return Err(bad("the proof has more than 63 lines"));
            }
        }
        let note = SignedNote::parse(note)?;
        Ok(Self { old, proof, note })
    }
}

/// What a witness answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It cosigned.
    Cosigned {
        /// Its signature, which was checked.
        signature: NoteSignature,
        /// The time that it gives.
        time: u64,
    },
    /// It cosigned a tree of this size last.
    Knows(u64),
    /// It refuses, or is not as a witness should be.
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it says.
        why: String,
    },
}

impl Reply {
    /// Reads what the witness with this key answered to a checkpoint of this text: status, content type
    /// and body. Signatures of other keys are ignored.
    #[must_use]
    pub fn read(
        key: &WitnessKey,
        text: &str,
        (status, kind, body): (u16, Option<&str>, &[u8]),
    ) -> Self {
        let said = String::from_utf8_lossy(body);
        let told = || -> String {
            let printable = |c: char| if c.is_control() { ' ' } else { c };
            said.trim().chars().map(printable).take(TOLD).collect()
        };
        let kind = kind.map(|kind| kind.split(';').next().unwrap_or(kind).trim());
        if status == 409
            && kind == Some(SIZE_TYPE)
            && let Some(known) = said.strip_suffix('\n').and_then(size)
        {
            return Self::Knows(known);
        }
        if status != 200 {
            let why = told();
            return Self::Refused { status, why };
        }
        let lines = said
            .lines()
            .filter_map(|line| NoteSignature::parse(line).ok());
        let mut ours = lines.filter_map(|signature| {
            let time = key.time_of(text, &signature)?;
            Some(Self::Cosigned { signature, time })
        });
        ours.next_back().unwrap_or_else(|| Self::Refused {
            status,
            why: format!("it gave no cosignature that {} made", key.name()),
        })
    }
}

/// A size in decimal, without leading zeros.
fn size(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}
