//! Requests and responses: against the openssl library in both directions, and against bytes that
//! nobody should send.

use lgpki_domain::{Serial, Validity};
use openssl::{
    hash::MessageDigest,
    ocsp::{
        OcspCertId, OcspCertStatus, OcspFlag, OcspRequest as OpensslRequest,
        OcspResponse as OpensslResponse, OcspResponseStatus, OcspRevokedStatus,
    },
    stack::Stack,
    x509::{X509, store::X509StoreBuilder, verify::X509VerifyFlags},
};

use super::*;
use crate::{
    Blueprint, Certificate, Particulars,
    encode::{nested, sequence, tag, tlv},
    error::X509Error,
    fixture::{CA, P256, RSA, TestKey, ca_certificate, certify, issuer, serial},
    issuer::Issuer,
    lint::lint_certificate,
    tbs,
};

fn at(text: &str) -> Timestamp {
    format!("{text}+09:00").parse().unwrap()
}

fn ca() -> Issuer {
    issuer(Authority::Organization, &CA)
}

/// The responder's certificate for `key`, first valid on `day`.
fn responder_certificate(issuer: &Issuer, ca: &TestKey, key: &TestKey) -> Vec<u8> {
    let subject = responder_subject(issuer.authority()).unwrap();
    let day = "2010-08-03".parse().unwrap();
    let blueprint = Blueprint {
        subject: &subject,
        particulars: &Particulars::OcspResponder,
        public_key: &key.public,
        serial: serial(77),
        validity: Validity::for_responder(day, issuer.validity()).unwrap(),
    };
    certify(issuer, ca, &blueprint)
}

fn responder() -> Responder {
    let certificate = responder_certificate(&ca(), &CA, &P256);
    Responder::try_new(&ca(), &P256.public, &certificate).unwrap()
}

const REVOKED: Status = Status::Revoked {
    at: Timestamp::from_seconds(1_280_900_000),
    reason: RevocationReason::KeyCompromise,
};

/// Answers a request: the first certificate as `statuses` begin, and so on.
fn answered(request: &[u8], statuses: &[Status]) -> Vec<u8> {
    let request = OcspRequest::parse(request).unwrap();
    let singles: Vec<_> = request
        .cert_ids()
        .iter()
        .zip(statuses)
        .map(|(id, status)| Single {
            cert_id: id.der(),
            status: *status,
            this_update: at("2010-08-05T12:00:00"),
            next_update: at("2010-08-05T20:00:00"),
        })
        .collect();
    let responder = responder();
    let tbs = responder
        .write(at("2010-08-05T12:00:01"), &singles, request.nonce())
        .unwrap();
    responder.assemble(&tbs, &P256.sign(&tbs))
}

#[test]
fn what_is_asked_and_answered_reads_back() {
    let id = IssuerId::of(&ca());
    for algorithm in HashAlgorithm::ALL {
        for nonce in [None, Some(&[9_u8; 32][..])] {
            let asked = [serial(1), serial(2), serial(3)];
            let request = write_request(&id, algorithm, &asked, nonce);
            let parsed = OcspRequest::parse(&request).unwrap();
            assert!(parsed.cert_ids().iter().all(|c| id.issued(c)));
            let response = answered(&request, &[Status::Good, REVOKED, Status::Unknown]);
            let read = BasicResponse::parse(&response).unwrap();
            let serials: Vec<_> = read.entries().iter().filter_map(|e| e.serial).collect();
            assert_eq!(serials, asked);
            let statuses: Vec<_> = read.entries().iter().map(|e| e.status).collect();
            assert_eq!(statuses, [Status::Good, REVOKED, Status::Unknown]);
            assert_eq!(read.nonce(), nonce);
            assert_eq!(read.produced_at(), at("2010-08-05T12:00:01"));
            assert_eq!(
                read.entries()[0].next_update,
                Some(at("2010-08-05T20:00:00"))
            );
            assert!(read.is_from(&ca()));
            assert!(!read.is_from(&issuer(Authority::Organization, &RSA)));
        }
    }
}

#[test]
fn no_changed_byte_of_a_response_passes_for_the_responders() {
    let id = IssuerId::of(&ca());
    let request = write_request(&id, HashAlgorithm::Sha1, &[serial(1)], None);
    let good = answered(&request, &[Status::Good]);
    let meant = BasicResponse::parse(&good).unwrap();
    for i in 0..good.len() {
        let mut changed = good.clone();
        changed[i] ^= 1;
        let Ok(read) = BasicResponse::parse(&changed) else {
            continue;
        };
        // Not every byte is signed: the responder's certificate has its own signature.
        assert!(
            !read.is_from(&ca()) || read.entries() == meant.entries(),
            "byte {i}"
        );
    }
}

#[test]
fn openssls_requests_are_read_and_openssl_believes_the_answers() {
    let ca_der = ca_certificate(Authority::Organization, &CA);
    let openssl_ca = X509::from_der(&ca_der).unwrap();
    let subject_of = |n: u8| {
        let subject = responder_subject(Authority::Organization).unwrap();
        let blueprint = Blueprint {
            subject: &subject,
            particulars: &Particulars::OfficialDuty,
            public_key: &RSA.public,
            serial: serial(n),
            validity: Validity::for_subscriber("2010-08-03".parse().unwrap()),
        };
        X509::from_der(&certify(&ca(), &CA, &blueprint)).unwrap()
    };
    for digest in [MessageDigest::sha1(), MessageDigest::sha256()] {
        let name = |n| OcspCertId::from_cert(digest, &subject_of(n), &openssl_ca).unwrap();
        let mut request = OpensslRequest::new().unwrap();
        for n in [1, 2, 3] {
            request.add_id(name(n)).unwrap();
        }
        let request = request.to_der().unwrap();
        let parsed = OcspRequest::parse(&request).unwrap();
        let id = IssuerId::of(&ca());
        assert!(parsed.cert_ids().iter().all(|c| id.issued(c)));
        let other = IssuerId::of(&issuer(Authority::Organization, &RSA));
        assert!(!parsed.cert_ids().iter().any(|c| other.issued(c)));

        let response = answered(&request, &[Status::Good, REVOKED, Status::Unknown]);
        let read = OpensslResponse::from_der(&response).unwrap();
        assert_eq!(read.status(), OcspResponseStatus::SUCCESSFUL);
        let basic = read.basic().unwrap();
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(openssl_ca.clone()).unwrap();
        store
            .set_flags(X509VerifyFlags::NO_CHECK_TIME | X509VerifyFlags::X509_STRICT)
            .unwrap();
        let none = Stack::new().unwrap();
        basic
            .verify(&none, &store.build(), OcspFlag::empty())
            .unwrap();
        let found = |n| basic.find_status(&name(n)).unwrap();
        assert_eq!(found(1).status, OcspCertStatus::GOOD);
        assert_eq!(found(2).status, OcspCertStatus::REVOKED);
        assert_eq!(found(2).reason, OcspRevokedStatus::KEY_COMPROMISE);
        assert_eq!(found(3).status, OcspCertStatus::UNKNOWN);
        assert!(found(1).next_update().is_some());
    }
    for (failure, status) in [
        (
            Failure::MalformedRequest,
            OcspResponseStatus::MALFORMED_REQUEST,
        ),
        (Failure::InternalError, OcspResponseStatus::INTERNAL_ERROR),
        (Failure::TryLater, OcspResponseStatus::TRY_LATER),
        (Failure::Unauthorized, OcspResponseStatus::UNAUTHORIZED),
    ] {
        let read = OpensslResponse::from_der(&failure.to_der()).unwrap();
        assert_eq!(read.status(), status);
    }
}

#[test]
fn a_responders_certificate_says_what_it_is_for_and_that_nobody_need_ask() {
    let der = responder_certificate(&ca(), &CA, &P256);
    let read = Certificate::parse(&der).unwrap();
    assert_eq!(read.particulars(), Some(Particulars::OcspResponder));
    assert!(read.crl_addresses().is_empty() && read.ocsp_addresses().is_empty());
    let text = X509::from_der(&der).unwrap().to_text().unwrap();
    let text = String::from_utf8(text).unwrap();
    for expected in ["OCSP Signing", "OCSP No Check", "Policy: 2.999.392.1.9"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn no_single_changed_bit_of_a_responders_certificate_passes_the_lint() {
    let (issuer, subject) = (ca(), responder_subject(Authority::Organization).unwrap());
    let day = "2010-08-03".parse().unwrap();
    let blueprint = Blueprint {
        subject: &subject,
        particulars: &Particulars::OcspResponder,
        public_key: &P256.public,
        serial: serial(7),
        validity: Validity::for_responder(day, issuer.validity()).unwrap(),
    };
    let good = tbs::build(&issuer, &blueprint).unwrap();
    for i in 0..good.len() {
        for bit in 0..8 {
            let mut changed = good.clone();
            changed[i] ^= 1 << bit;
            assert!(lint_certificate(&issuer, &blueprint, changed).is_err());
        }
    }
    assert!(lint_certificate(&issuer, &blueprint, good).is_ok());
    // Three years are for subscribers.
    let long = Blueprint {
        validity: Validity::for_subscriber(day),
        ..blueprint
    };
    let tbs = tbs::build(&issuer, &long).unwrap();
    assert!(lint_certificate(&issuer, &long, tbs).is_err());
}

#[test]
fn a_responder_speaks_only_for_the_ca_that_certified_it() {
    let good = responder_certificate(&ca(), &CA, &P256);
    let other_ca = issuer(Authority::Organization, &RSA);
    let of_other_ca = responder_certificate(&other_ca, &RSA, &P256);
    let of_another_kind = ca_certificate(Authority::Organization, &CA);
    let refused = |key: &TestKey, der: &[u8]| {
        matches!(
            Responder::try_new(&ca(), &key.public, der),
            Err(X509Error::NotReadable { .. })
        )
    };
    assert!(refused(&RSA, &good));
    assert!(refused(&P256, &of_other_ca));
    assert!(refused(&CA, &of_another_kind));
    assert!(Responder::try_new(&other_ca, &P256.public, &of_other_ca).is_ok());
}

/// A request written by hand: what stands before the list, after it, and in each of its CertIDs.
fn by_hand(before: &[u8], after: &[u8], ids: usize, serial: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    sequence(&mut out, |out| {
        sequence(out, |out| {
            out.extend_from_slice(before);
            sequence(out, |out| {
                for _ in 0..ids {
                    sequence(out, |out| {
                        sequence(out, |out| {
                            sequence(out, |out| tlv(out, tag::OID, crate::oid::SHA_1));
                            tlv(out, tag::OCTET_STRING, &[1; 20]);
                            tlv(out, tag::OCTET_STRING, &[2; 20]);
                            tlv(out, tag::INTEGER, serial);
                        });
                    });
                }
            });
            out.extend_from_slice(after);
        });
    });
    out
}

/// requestExtensions with these.
fn extensions(each: &[(&[u8], bool, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    nested(&mut out, tag::context_constructed(2), |out| {
        sequence(out, |out| {
            for (oid, critical, value) in each {
                crate::encode::extension(out, oid, *critical, |out| {
                    out.extend_from_slice(value);
                });
            }
        });
    });
    out
}

#[test]
fn what_is_no_request_is_refused_with_a_reason() {
    let nonce = |length: usize| {
        let mut value = Vec::new();
        tlv(&mut value, tag::OCTET_STRING, &vec![7; length]);
        value
    };
    let (short, long) = (nonce(0), nonce(129));
    let one = |value: &[u8]| extensions(&[(crate::oid::OCSP_NONCE, false, value)]);
    let two = extensions(&[
        (crate::oid::OCSP_NONCE, false, &nonce(16)),
        (crate::oid::OCSP_NONCE, false, &nonce(16)),
    ]);
    let critical = extensions(&[(crate::oid::KEY_USAGE, true, &[5, 0])]);
    let good = by_hand(&[], &[], 1, &[5]);
    let mut trailing = good.clone();
    trailing.push(0);
    let mut ber = vec![0x30, 0x80];
    ber.extend_from_slice(&good[2..]);
    ber.extend_from_slice(&[0, 0]);
    for (bytes, part) in [
        (Vec::new(), "missing"),
        (vec![0x30, 0], "missing"),
        (b"GET / HTTP/1.1".to_vec(), ""),
        (good[..good.len() - 1].to_vec(), "ends within"),
        (trailing, "ends within"),
        (ber, "indefinite"),
        (by_hand(&[], &[], 0, &[5]), "no certificate"),
        (by_hand(&[], &[], MOST_CERT_IDS + 1, &[5]), "too many"),
        (by_hand(&[], &[], 1, &[0, 5]), "leading zero"),
        (by_hand(&[0xa0, 3, 2, 1, 1], &[], 1, &[5]), "version"),
        (by_hand(&[], &one(&short), 1, &[5]), "nonce"),
        (by_hand(&[], &one(&long), 1, &[5]), "nonce"),
        (by_hand(&[], &one(&[2, 1, 1]), 1, &[5]), "another type"),
        (by_hand(&[], &two, 1, &[5]), "two nonces"),
        (by_hand(&[], &critical, 1, &[5]), "critical"),
        (by_hand(&[], &[5, 0], 1, &[5]), "more parts"),
        (vec![0x30; LONGEST_REQUEST + 1], "too long"),
    ] {
        let error = OcspRequest::parse(&bytes).unwrap_err().to_string();
        assert!(error.contains(part), "{part}: {error}");
    }
    for harmless in [
        good,
        by_hand(&[0xa0, 3, 2, 1, 0], &[], 1, &[5]),
        by_hand(&[], &one(&nonce(128)), MOST_CERT_IDS, &[0x80]),
        by_hand(
            &[],
            &extensions(&[(crate::oid::KEY_USAGE, false, &[5, 0])]),
            1,
            &[5],
        ),
    ] {
        let parsed = OcspRequest::parse(&harmless).unwrap();
        assert_eq!(parsed.cert_ids()[0].serial(), None);
        assert!(!IssuerId::of(&ca()).issued(&parsed.cert_ids()[0]));
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes: Vec<u8>) {
        let _ = OcspRequest::parse(&bytes);
        let _ = BasicResponse::parse(&bytes);
    }

    #[test]
    fn no_change_of_a_request_makes_it_name_an_uneven_answer(
        place in 0_usize..120, value: u8, n in 1_u8..255,
    ) {
        let id = IssuerId::of(&ca());
        let mut request = write_request(&id, HashAlgorithm::Sha1, &[serial(n)], Some(&[1; 16]));
        if let Some(byte) = request.get_mut(place) {
            *byte = value;
        }
        if let Ok(parsed) = OcspRequest::parse(&request) {
            let asked: Vec<Option<Serial>> =
                parsed.cert_ids().iter().map(CertId::serial).collect();
            let statuses = vec![Status::Unknown; asked.len()];
            let response = answered(&request, &statuses);
            let read = BasicResponse::parse(&response).unwrap();
            let answered: Vec<_> = read.entries().iter().map(|e| e.serial).collect();
            proptest::prop_assert_eq!(answered, asked);
        }
    }
}
