//! OCSP responders' certificates: intended, linted, signed and recorded like every other.

use lgpki_domain::ApplicationId;
use lgpki_keys::{Signer as _, SoftwareKey};
use lgpki_x509::{
    Particulars,
    ocsp::{Responder, responder_subject},
    request,
};

use super::{support::opening_day, *};
use crate::event::{Cause, IssuerEvent};

/// A request that `key` signs and that names the responder of `named`.
fn csr(key: &SoftwareKey, named: Authority) -> Vec<u8> {
    let subject = responder_subject(named).unwrap();
    let public = SubjectPublicKey::parse("key", key.public_key().der()).unwrap();
    let info = request::build_info(&subject, &Particulars::OcspResponder, &public).unwrap();
    let signature = key.sign(&info).unwrap();
    request::assemble(info, key.algorithm().signature(), &signature)
}

fn asked(n: u8, csr: Vec<u8>) -> ResponderOrder {
    ResponderOrder {
        request: ApplicationId::from_bytes([n; 16]),
        authority: Authority::Application,
        generation: 1,
        csr,
    }
}

async fn ask(fixture: &Fixture, order: ResponderOrder) -> Result<Answer, IssuerError> {
    let lifecycle = "lifecycle".to_owned();
    fixture.app.issue_responder(order, lifecycle).await
}

fn key() -> SoftwareKey {
    SoftwareKey::generate(KeyAlgorithm::P256).unwrap()
}

#[tokio::test]
async fn a_responder_is_certified_for_one_ca_key_and_thirty_days() {
    let fixture = Fixture::new().await;
    let (key, begin) = (key(), fixture.log_size());
    let request = csr(&key, Authority::Application);
    let answer = ask(&fixture, asked(1, request.clone())).await.unwrap();
    let issued = certificate(&answer);
    assert_eq!(
        fixture.kinds(begin),
        ["certificate.intent", "certificate.issued"]
    );
    let ca = fixture.app.ca(Authority::Application).unwrap();
    let public = SubjectPublicKey::parse("key", key.public_key().der()).unwrap();
    let responder = Responder::try_new(&ca.issuer, &public, &issued.der).unwrap();
    let validity = Validity::for_responder(opening_day(), ca.issuer.validity());
    assert_eq!(Some(responder.validity()), validity);
    let IssuerEvent::Issued(event) = &fixture.events(begin)[1] else {
        panic!("not issued");
    };
    assert_eq!(event.kind, CertificateKind::OcspResponder);
    assert_eq!((event.branch, event.serial), (None, issued.serial));

    // Asked again, the same is answered, days later too.
    let size = fixture.log_size();
    fixture.clock.advance_seconds(86_400);
    let again = ask(&fixture, asked(1, request.clone())).await.unwrap();
    assert_eq!((again, fixture.log_size()), (answer, size));
    // The same key under another name is not certified again.
    let refused = ask(&fixture, asked(2, request)).await.unwrap();
    let Answer::Refused(faults) = refused else {
        panic!("{refused:?}");
    };
    assert!(faults.to_string().contains("certified before"), "{faults}");
}

#[tokio::test]
async fn what_is_no_responders_request_is_refused_and_leaves_no_trace() {
    let fixture = Fixture::new().await;
    let size = fixture.log_size();
    let rsa = SoftwareKey::generate(KeyAlgorithm::Rsa2048).unwrap();
    let mut forged = csr(&key(), Authority::Application);
    let last = forged.len() - 1;
    forged[last] ^= 1;
    for (csr, reason) in [
        (csr(&rsa, Authority::Application), "RESPONDER_KEY_ALGORITHM"),
        (csr(&key(), Authority::Organization), "CSR_SUBJECT_MISMATCH"),
        (forged, "CSR_SIGNATURE_INVALID"),
        (Vec::new(), "CSR_EMPTY"),
    ] {
        let answer = ask(&fixture, asked(1, csr)).await.unwrap();
        let Answer::Refused(faults) = answer else {
            panic!("{answer:?}");
        };
        assert!(faults.into_iter().any(|f| f.reason == reason), "{reason}");
    }
    let other_key = ResponderOrder {
        generation: 2,
        ..asked(1, csr(&key(), Authority::Application))
    };
    let error = ask(&fixture, other_key).await.unwrap_err();
    assert!(matches!(error, IssuerError::NoAuthority(_)), "{error}");
    assert_eq!(fixture.log_size(), size);
    // As an order of intake's the kind does not exist.
    let order = order(9, CertificateKind::OcspResponder);
    let answers = fixture.issue(vec![order]).await;
    assert!(matches!(&answers[0], Answer::Refused(_)), "{answers:?}");
    assert_eq!(fixture.log_size(), size);
}

#[tokio::test]
async fn a_failed_signature_is_recorded_and_the_request_given_up() {
    let fixture = Fixture::new().await;
    let begin = fixture.log_size();
    let broken = fixture.break_signing(Authority::Application);
    let request = csr(&key(), Authority::Application);
    let answer = ask(&fixture, asked(1, request.clone())).await.unwrap();
    assert!(matches!(answer, Answer::Abandoned { .. }), "{answer:?}");
    let IssuerEvent::Abandoned(event) = &fixture.events(begin)[1] else {
        panic!("not abandoned");
    };
    assert_eq!(event.cause, Cause::SigningFailed.name());
    broken.repair();
    let again = ask(&fixture, asked(1, request)).await.unwrap();
    let error = again.into_certificate().unwrap_err();
    assert_eq!(error.reason(), "ISSUANCE_ABANDONED");
    let fresh = csr(&key(), Authority::Application);
    let answer = ask(&fixture, asked(2, fresh)).await.unwrap();
    assert!(answer.into_certificate().is_ok());
}

#[tokio::test]
async fn a_responder_ends_with_its_ca_and_is_not_certified_after_it() {
    let fixture = Fixture::new().await;
    // The last day of the CA's ten years.
    let days = i64::from(10 * 365 + 2);
    fixture.clock.advance_seconds(days * 86_400);
    let answer = ask(&fixture, asked(1, csr(&key(), Authority::Application)));
    let der = certificate(&answer.await.unwrap()).der.clone();
    let read = Certificate::parse(&der).unwrap().validity().unwrap();
    assert_eq!(read.first_day(), read.last_day());
    fixture.clock.advance_seconds(86_400);
    let answer = ask(&fixture, asked(2, csr(&key(), Authority::Application))).await;
    let Answer::Refused(faults) = answer.unwrap() else {
        panic!("certified");
    };
    assert!(faults.into_iter().any(|f| f.reason == "CA_EXPIRED"));
}
