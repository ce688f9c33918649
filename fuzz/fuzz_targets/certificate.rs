//! A certificate from anybody, as lifecycle, TLS and the standard system read it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lgpki_x509::{certificate::Certificate, reader};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(certificate) = Certificate::parse(bytes) {
        let _ = (certificate.login(), certificate.service(), certificate.particulars());
    }
    let _ = reader::read_back(bytes);
});
