//! A log entry's bytes: what is canonical stays so.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = lgpki_ledger::canonical::is_canonical(bytes);
});
