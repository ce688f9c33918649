//! An OCSP request from anybody, and a response from anybody: each is refused or read, and what is
//! read of a request is what was sent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lgpki_x509::ocsp::{BasicResponse, LONGEST_REQUEST, MOST_CERT_IDS, OcspRequest};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = OcspRequest::parse(bytes) {
        assert!(bytes.len() <= LONGEST_REQUEST);
        let ids = request.cert_ids();
        assert!((1..=MOST_CERT_IDS).contains(&ids.len()));
        for id in ids {
            let der = id.der();
            assert!(bytes.windows(der.len()).any(|window| window == der));
        }
    }
    // Read only by our own tests and demonstration, but from a socket all the same.
    let _ = BasicResponse::parse(bytes);
});
