//! The use cases with real keys and certificates, on a manual clock.

mod bad;
mod ceremony;
mod crash;
mod crl;
mod cross;
mod feed;
mod responder;
mod rollover;
mod support;
mod turnstile;

use lgpki_domain::{Authority, CertificateKind, JstDate, KeyAlgorithm, OfficerRole, Validity};
use lgpki_x509::{Certificate, SubjectPublicKey, key::sha256};

use super::*;
use crate::ports::Issuance;
use support::{Fixture, certificate, order, serials};

#[tokio::test]
async fn every_kind_is_issued_as_ordered_and_signed_by_its_ca() {
    let fixture = Fixture::new().await;
    let orders: Vec<_> = CertificateKind::APPLICABLE
        .into_iter()
        .zip(1..)
        .map(|(kind, n)| order(n, kind))
        .collect();
    let answers = fixture.issue(orders.clone()).await;
    let authorities = fixture.app.authorities().await.unwrap();
    for (order, answer) in orders.iter().zip(&answers) {
        let wanted = order.wanted.as_ref().unwrap();
        let issued = certificate(answer);
        let read = Certificate::parse(&issued.der).unwrap();
        let authority = wanted.kind.authority().unwrap();
        let ca = authorities.iter().find(|a| a.authority == authority);
        let ca = Certificate::parse(&ca.unwrap().certificate).unwrap();
        assert!(read.is_signed_by(ca.public_key().unwrap()));
        assert_eq!(read.serial(), Some(issued.serial));
        assert_eq!(read.kind(), Some(wanted.kind));
        assert_eq!(read.authority(), Some(authority));
        assert_eq!(read.subject().as_ref(), Some(&wanted.subject));
        let day = JstDate::try_new(2008, 2, 4).unwrap();
        assert_eq!(read.validity(), Some(Validity::for_subscriber(day)));
        assert_eq!(read.key_digest(), sha256(&wanted.public_key));
        assert_eq!(read.dns_names(), wanted.dns_names);
        let mail: Vec<_> = wanted.mail.iter().cloned().collect();
        assert_eq!(read.mail_addresses(), mail);
        let login = wanted.login_role.map(|role| (role, wanted.branch));
        assert_eq!(read.login(), login);
    }
    assert_eq!(serials(&answers).len(), 6, "no serial twice");
}

#[tokio::test]
async fn ordered_again_the_same_certificate_is_answered_without_another_signature() {
    let fixture = Fixture::new().await;
    let first = fixture.issue(vec![order(1, CertificateKind::Mail)]).await;
    let size = fixture.log_size();
    fixture.clock.advance_seconds(86_400);
    let again = fixture.issue(vec![order(1, CertificateKind::Mail)]).await;
    assert_eq!(first, again);
    assert_eq!(fixture.log_size(), size);
    // Long after the CA could issue no more, what exists is still answered.
    fixture.clock.advance_seconds(9 * 366 * 86_400);
    let again = fixture.issue(vec![order(1, CertificateKind::Mail)]).await;
    assert_eq!(first, again);
}

#[tokio::test]
async fn an_intent_is_durable_before_the_key_and_the_record_before_the_answer() {
    let fixture = Fixture::new().await;
    let begin = fixture.log_size();
    let orders = (1..=70).map(|n| order(n, CertificateKind::User)).collect();
    let answers = fixture.issue(orders).await;
    let kinds = fixture.kinds(begin);
    assert_eq!(kinds[..70], ["certificate.intent"; 70]);
    assert_eq!(kinds[70..], ["certificate.issued"; 70]);
    for answer in &answers {
        assert!(certificate(answer).index < fixture.log_size());
    }
}

#[tokio::test]
async fn batches_overlap_and_none_waits_for_another_to_be_signed() {
    let fixture = Fixture::new().await;
    let gate = fixture.hold_signing(Authority::Organization);
    let app = Arc::clone(&fixture.app);
    let orders = vec![order(1, CertificateKind::User)];
    let held = tokio::spawn(async move { app.issue(orders, "intake".to_owned()).await });
    gate.reached().await;
    let other = fixture.issue(vec![order(2, CertificateKind::Mail)]).await;
    certificate(&other[0]);
    let ids = vec![order(1, CertificateKind::User).application];
    let known = fixture.app.issuances(ids.clone()).await.unwrap();
    assert_eq!(known, [Issuance::InProgress { attempt: 1 }]);
    gate.open();
    let answers = held.await.unwrap().unwrap();
    let known = fixture.app.issuances(ids).await.unwrap();
    assert_eq!(known, [Issuance::Issued(certificate(&answers[0]).clone())]);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_nothing_half_done() {
    let fixture = Fixture::new().await;
    let gate = fixture.hold_signing(Authority::Organization);
    let app = Arc::clone(&fixture.app);
    let orders = vec![order(1, CertificateKind::User)];
    let call = tokio::spawn(async move { app.issue(orders, "intake".to_owned()).await });
    gate.reached().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    gate.open();
    let _all = fixture.app.drained().await;
    let id = order(1, CertificateKind::User).application;
    let known = fixture.app.issuances(vec![id]).await.unwrap();
    assert!(matches!(known[0], Issuance::Issued(_)), "{known:?}");
}

#[tokio::test]
async fn while_draining_nothing_new_is_begun() {
    let fixture = Fixture::new().await;
    let _all = fixture.app.drained().await;
    let orders = vec![order(1, CertificateKind::User)];
    let refused = fixture.app.issue(orders, "intake".to_owned()).await;
    assert!(matches!(refused, Err(IssuerError::ShuttingDown)));
}

#[tokio::test]
async fn a_key_that_fails_closes_its_intents_and_the_next_attempt_succeeds() {
    let fixture = Fixture::new().await;
    let broken = fixture.break_signing(Authority::Application);
    let orders = vec![
        order(1, CertificateKind::Mail),
        order(2, CertificateKind::User),
    ];
    let answers = fixture.issue(orders).await;
    assert_eq!(answers[0], Answer::Abandoned { attempt: 1 });
    certificate(&answers[1]);
    broken.repair();
    let second = Order {
        attempt: 2,
        ..order(1, CertificateKind::Mail)
    };
    certificate(&fixture.issue(vec![second]).await[0]);
}

#[tokio::test]
async fn more_orders_than_a_batch_takes_are_refused_whole() {
    let fixture = Fixture::new().await;
    let size = fixture.log_size();
    let orders = vec![order(1, CertificateKind::User); MOST_ORDERS + 1];
    let refused = fixture.app.issue(orders, "intake".to_owned()).await;
    assert!(matches!(refused, Err(IssuerError::TooMany { .. })));
    assert_eq!(fixture.log_size(), size);
}

#[tokio::test]
async fn logins_without_a_body_belong_to_operators_and_auditors() {
    let fixture = Fixture::new().await;
    let mut operator = order(1, CertificateKind::Login);
    let wanted = operator.wanted.as_mut().unwrap();
    wanted.login_role = Some(OfficerRole::Operator);
    wanted.branch = None;
    let answers = fixture.issue(vec![operator]).await;
    let read = Certificate::parse(&certificate(&answers[0]).der).unwrap();
    assert_eq!(read.login(), Some((OfficerRole::Operator, None)));
}

#[tokio::test]
async fn every_allowed_ca_key_signs_what_verifies() {
    for algorithm in [KeyAlgorithm::Rsa2048, KeyAlgorithm::P384] {
        let fixture = Fixture::with(algorithm).await;
        let answers = fixture.issue(vec![order(1, CertificateKind::User)]).await;
        let read = Certificate::parse(&certificate(&answers[0]).der).unwrap();
        let records = fixture.app.authorities().await.unwrap();
        let ca = Certificate::parse(&records[0].certificate).unwrap();
        let key: &SubjectPublicKey = ca.public_key().unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert!(read.is_signed_by(key));
    }
}
