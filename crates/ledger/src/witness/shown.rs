//! What a witness shows with a refusal: the checkpoint that it cosigned last, with the log's signature.
//!
//! C2SP tlog-witness fills the body of a refusal, so this stands in a field of the answer's head. A
//! refusal is nobody's word, since no signature covers it; this checkpoint proves it, if it contradicts
//! the log: the log's own key signed it.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    checkpoint::Checkpoint,
    note::{SignedNote, VerifierKey},
};

/// The field's name.
pub const SHOWN: &str = "lgpki-cosigned";

/// The field's value.
#[must_use]
pub fn show(note: &SignedNote) -> String {
    STANDARD.encode(note.to_string())
}

/// The checkpoint in a field's value, if `key`, the log's, signed it.
#[must_use]
pub fn shown(value: &str, key: &VerifierKey) -> Option<(Checkpoint, SignedNote)> {
    let note = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
    Checkpoint::open(&note, key).ok()
}
