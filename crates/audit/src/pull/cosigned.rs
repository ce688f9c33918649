//! Which signatures of a pulled checkpoint are kept beside its log's.
//!
//! A source may write any line under any name. Where witnesses are known, only what their keys made is
//! kept. Where none are, nobody can tell a cosignature from a lie: then a line never takes the place of
//! one that is kept, and so few are kept that others find room.

use std::collections::BTreeSet;

use lgpki_ledger::{SignedNote, VerifierKey, WitnessKey, note::NoteSignature};

/// Signatures that are kept beside the log's while no witness is known.
const UNKNOWN: usize = 16;

/// Whose signatures may stand in a note of a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signers<'a> {
    /// The log's own key.
    pub(super) key: &'a VerifierKey,
    /// The witnesses that are known; none to believe nobody and keep a few.
    pub(super) witnesses: &'a [WitnessKey],
}

impl Signers<'_> {
    /// Whether a signature of a note's text may stay where it is kept.
    pub(super) fn may_stay(&self, text: &str, signature: &NoteSignature) -> bool {
        self.key.is_named_by(signature)
            || self.witnesses.is_empty()
            || self.cosigned(text, signature)
    }

    fn cosigned(&self, text: &str, signature: &NoteSignature) -> bool {
        let mut witnesses = self.witnesses.iter();
        witnesses.any(|key| key.time_of(text, signature).is_some())
    }

    /// What is to be kept of a note that the log signed, beside the kept one.
    pub(super) fn vetted(&self, note: &SignedNote, kept: Option<&SignedNote>) -> SignedNote {
        let kept = kept.filter(|kept| kept.text() == note.text());
        let kept = kept.map(SignedNote::signatures).unwrap_or_default();
        let others = kept.iter().filter(|s| !self.key.is_named_by(s)).count();
        let mut room = UNKNOWN.saturating_sub(others);
        let mut named: BTreeSet<_> = kept.iter().map(|s| (s.name().clone(), s.id())).collect();
        let mut vetted = note.clone();
        vetted.retain(|signature| {
            if self.key.is_named_by(signature) || kept.contains(signature) {
                return self.may_stay(note.text(), signature);
            }
            if !self.witnesses.is_empty() {
                return self.cosigned(note.text(), signature);
            }
            let new = named.insert((signature.name().clone(), signature.id()));
            let fits = new && room > 0;
            room -= usize::from(fits);
            fits
        });
        vetted
    }
}
