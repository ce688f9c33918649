//! A CSR from anybody: it is refused or read, and what is read is what was sent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lgpki_x509::csr::CertificationRequest;

fuzz_target!(|bytes: &[u8]| {
    match CertificationRequest::parse("csr", bytes) {
        Ok(request) => {
            let again = CertificationRequest::parse("csr", request.der());
            let again = again.expect("what was accepted is accepted again");
            assert_eq!(again.public_key().digest(), request.public_key().digest());
        }
        Err(faults) => assert!(!faults.is_empty(), "a refusal says why"),
    }
});
