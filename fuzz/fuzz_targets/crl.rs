//! A CRL from anybody, complete or delta: its entries are those that it counts, each once and in order,
//! and lookups agree with them. A scope's name from anybody has one spelling.
#![no_main]

use lgpki_domain::CrlScope;
use lgpki_x509::crl::RevocationList;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(list) = RevocationList::parse(bytes) {
        let entries: Vec<_> = list.entries().map(|entry| entry.unwrap()).collect();
        assert_eq!(entries.len() as u64, list.summary().entries);
        assert!(
            entries
                .windows(2)
                .all(|pair| pair[0].serial < pair[1].serial)
        );
        for entry in entries.iter().take(64) {
            assert_eq!(list.find(entry.serial), Some(*entry));
        }
        let again = RevocationList::from_der(list.der().to_vec()).unwrap();
        assert_eq!(again.summary(), list.summary());
    }
    if let Some(scope) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse::<CrlScope>().ok())
    {
        assert_eq!(scope.to_string().as_bytes(), bytes);
        assert_eq!(CrlScope::from_code(scope.code()), Some(scope));
    }
});
