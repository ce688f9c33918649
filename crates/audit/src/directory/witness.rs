//! The witnesses of a checkpoint: who cosigned it, and who should have.

use lgpki_domain::Timestamp;
use lgpki_ledger::SignedNote;

use super::{Against, LogDir};
use crate::report::Cosigned;

/// Tells what a log's checkpoint lacks of the witnesses that are wanted.
pub(super) fn check(log: &LogDir, note: &str, against: &Against, tell: &mut dyn FnMut(String)) {
    let Some(policy) = &against.witnesses else {
        return;
    };
    // What is no note is told of as such.
    let Ok(note) = SignedNote::parse(note) else {
        return;
    };
    let standing = policy.judge(&note);
    for wrong in standing.without.iter().filter(|without| without.wrong) {
        tell(format!(
            "the cosignature of {} does not fit the checkpoint: one of them was changed",
            wrong.name
        ));
    }
    if standing.met {
        return;
    }
    let names = |names: Vec<&str>| match names.as_slice() {
        [] => String::from("nobody"),
        names => names.join(", "),
    };
    let has = names(
        standing
            .cosigned
            .iter()
            .map(|(name, _)| name.as_str())
            .collect(),
    );
    let lacks = names(
        standing
            .without
            .iter()
            .map(|without| without.name.as_str())
            .collect(),
    );
    let size = log.head.as_ref().map_or(0, |head| head.size);
    tell(format!(
        "its {size} entries were cosigned by {has}, and not by {lacks}: fetch it again in case it was not asked \
         for yet, and ask those what they know of this log"
    ));
}

/// Who cosigned a log's checkpoint, and when.
pub(super) fn cosigned(log: &LogDir, against: &Against) -> Vec<Cosigned> {
    let note = log
        .note
        .as_deref()
        .and_then(|note| SignedNote::parse(note).ok());
    let (Some(policy), Some(note)) = (&against.witnesses, note) else {
        return Vec::new();
    };
    let time =
        |seconds: u64| Timestamp::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX / 1000));
    let cosigned = policy.judge(&note).cosigned.into_iter();
    cosigned
        .map(|(witness, at)| Cosigned {
            witness,
            time: time(at).to_string(),
        })
        .collect()
}
