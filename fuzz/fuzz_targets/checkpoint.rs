//! A checkpoint's text: what is read is written again byte for byte.
#![no_main]

use lgpki_ledger::Checkpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.text(), text);
    }
});
