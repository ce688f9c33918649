//! Good requests, and a table of bad ones, each refused with its own reason.

mod bad_keys;
mod bad_names;
mod bad_requests;
mod draft;

use lgpki_domain::Faults;
use openssl::{hash::MessageDigest, x509::X509ReqBuilder};

use super::*;
use crate::fixture::{ED25519, P256, P384, RSA, every_kind, good_request};

fn reasons(result: Result<CertificationRequest, Faults>) -> Vec<&'static str> {
    match result {
        Ok(_) => Vec::new(),
        Err(faults) => {
            assert!(faults.iter().all(|fault| fault.field == "issue.csr"));
            faults.iter().map(|fault| fault.reason).collect()
        }
    }
}

fn parse(bytes: &[u8]) -> Result<CertificationRequest, Faults> {
    CertificationRequest::parse("issue.csr", bytes)
}

#[test]
fn the_standard_systems_requests_are_accepted_for_every_kind_and_key() {
    for key in [&*RSA, &*P256, &*P384, &*ED25519] {
        for (subject, particulars) in every_kind() {
            let der = good_request(&subject, &particulars, key);
            let request = parse(&der).unwrap();
            assert_eq!(request.der(), der);
            assert_eq!(request.public_key(), &key.public);
            assert_eq!(request.dns_names(), particulars.dns_names());
            assert_eq!(request.subject().last().unwrap().value(), subject.name.en());
            request
                .check_names("issue.csr", &subject, &particulars)
                .unwrap();
            let text = pem::encode(pem::Label::CertificateRequest, &der).unwrap();
            assert_eq!(parse(text.as_bytes()).unwrap().der(), der);
        }
    }
}

#[test]
fn a_request_made_by_openssl_is_accepted() {
    let mut name = openssl::x509::X509NameBuilder::new().unwrap();
    name.append_entry_by_text("C", "JP").unwrap();
    name.append_entry_by_text("CN", "www.city.sapporo.lg.jp")
        .unwrap();
    let mut builder = X509ReqBuilder::new().unwrap();
    builder.set_subject_name(&name.build()).unwrap();
    builder.set_pubkey(&RSA.private).unwrap();
    builder.sign(&RSA.private, MessageDigest::sha512()).unwrap();
    let request = parse(&builder.build().to_pem().unwrap()).unwrap();
    assert_eq!(request.signature_algorithm(), SignatureAlgorithm::RsaSha512);
    assert_eq!(
        format!("{:?}", request.subject()),
        "[C=JP, CN=www.city.sapporo.lg.jp]"
    );
}

#[test]
fn no_single_flipped_bit_in_a_request_goes_unnoticed() {
    let (subject, particulars) = every_kind().remove(2);
    let der = good_request(&subject, &particulars, &P256);
    for i in 0..der.len() {
        let mut changed = der.clone();
        changed[i] ^= 1 << (i % 8);
        assert!(parse(&changed).is_err(), "byte {i} was changed");
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_change_of_a_good_request_makes_the_parser_panic(
        at in 0_usize..300,
        with: Vec<u8>,
        cut in 0_usize..40,
    ) {
        let (subject, particulars) = every_kind().remove(1);
        let mut der = good_request(&subject, &particulars, &P256);
        let at = at.min(der.len());
        let end = (at + cut).min(der.len());
        der.splice(at..end, with);
        let _ = parse(&der);
    }
}
