//! A signed note, alone and as it is submitted to a witness: what is read is written again byte for byte.
#![no_main]

use lgpki_ledger::{SignedNote, Submission, VerifierKey, WitnessKey, WitnessPolicy};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(note) = text.parse::<SignedNote>() {
        assert_eq!(note.to_string(), text);
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(key) = text.parse::<WitnessKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(submission) = text.parse::<Submission>() {
        assert_eq!(submission.to_string(), text);
    }
    let _ = WitnessPolicy::parse(text);
});
