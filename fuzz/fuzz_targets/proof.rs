//! A proof that stands alone, and hashes that claim to be one: nothing but a refusal comes of them.
#![no_main]

use lgpki_ledger::{
    LogProof,
    proof::{check_consistency, check_inclusion},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some((text, proof)) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| Some((text, text.parse::<LogProof>().ok()?)))
    {
        assert_eq!(proof.to_string(), text);
    }
    let Some((numbers, hashes)) = bytes.split_at_checked(16) else {
        return;
    };
    let number = |at: usize| {
        numbers[at..at + 8]
            .iter()
            .fold(0, |n, byte| n << 8 | u64::from(*byte))
    };
    let (one, other) = (number(0), number(8));
    let hashes = hashes.as_chunks::<32>().0;
    let nothing = [0; 32];
    assert!(check_inclusion(&[1; 32], one, (other, &nothing), hashes).is_err());
    if one != other {
        assert!(check_consistency((one, &nothing), (other, &nothing), hashes).is_err());
    }
});
