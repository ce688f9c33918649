//! Cross certificates at the issuer.

use lgpki_domain::{CrlScope, Names};
use lgpki_testkit::BRIDGE_CA;
use lgpki_x509::cross::{Constraints, ForeignCa};

use super::{super::ca_certificate::Cross, support::opening_day, *};
use crate::event::IssuerEvent;

fn cross(authority: Authority) -> Cross {
    Cross {
        authority,
        subject: ForeignCa::from_certificate("certificate", BRIDGE_CA).unwrap(),
        names: Names::try_new("names", "GPKI Bridge CA", "政府認証基盤ブリッジ認証局").unwrap(),
        constraints: Constraints {
            permitted: vec!["dn:C=JP,O=Japanese Government".parse().unwrap()],
            policies: vec!["2.999.392.1.1".parse().unwrap()],
            require_explicit_policy: Some(0),
            path_length: Some(1),
            ..Constraints::default()
        },
        validity: Validity::for_subscriber(opening_day()),
    }
}

fn reasons(result: Result<(u32, crate::ports::Certificate), IssuerError>) -> Vec<&'static str> {
    match result.unwrap_err() {
        IssuerError::Refused(faults) => faults.iter().map(|f| f.reason).collect(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_cross_certificate_is_recorded_like_all_others_and_made_once() {
    let fixture = Fixture::new().await;
    let begin = fixture.log_size();
    let wanted = cross(Authority::Organization);
    let (generation, made) = fixture.app.certify(&wanted, "ceremony").await.unwrap();
    assert_eq!(generation, 1);
    assert_eq!(
        fixture.kinds(begin),
        ["certificate.intent", "certificate.issued"]
    );
    let IssuerEvent::Issued(recorded) = &fixture.events(begin)[1] else {
        panic!("not issued")
    };
    assert_eq!(recorded.kind, CertificateKind::Cross);
    assert_eq!(recorded.scope, CrlScope::CaCertificates);
    assert_eq!(recorded.subject.name.en, "GPKI Bridge CA");
    let read = Certificate::parse(&made.der).unwrap();
    let bridge = ForeignCa::from_certificate("certificate", BRIDGE_CA).unwrap();
    assert_eq!(read.public_key(), Some(bridge.public_key()));
    assert!(read.crl_addresses()[0].ends_with("/crl/organization-1-ca.crl"));
    assert!(read.is_ca());
    let again = fixture.app.certify(&wanted, "ceremony").await.unwrap();
    assert_eq!(again, (1, made.clone()));
    let mut narrower = wanted;
    narrower.constraints.path_length = Some(0);
    // The same CA may be certified anew, with other constraints or for other years.
    let (_, other) = fixture.app.certify(&narrower, "ceremony").await.unwrap();
    assert_ne!(other.serial, made.serial);
}

#[tokio::test]
async fn a_key_is_either_another_cas_or_a_subscribers() {
    let fixture = Fixture::new().await;
    let bridge = cross(Authority::Organization);
    let with_bridges_key = |n| {
        let mut order = order(n, CertificateKind::User);
        if let Ok(wanted) = &mut order.wanted {
            wanted.public_key = bridge.subject.public_key().der().to_vec();
        }
        order
    };
    let taken = Fixture::new().await;
    assert!(matches!(
        taken.issue(vec![with_bridges_key(1)]).await[0],
        Answer::Issued(_)
    ));
    let refused = taken.app.certify(&bridge, "ceremony").await;
    assert_eq!(reasons(refused), ["KEY_CERTIFIED_BEFORE"]);
    fixture.app.certify(&bridge, "ceremony").await.unwrap();
    let answers = fixture.issue(vec![with_bridges_key(2)]).await;
    assert!(
        matches!(&answers[0], Answer::Refused(f) if f.iter().any(|f| f.reason == "KEY_CERTIFIED_BEFORE")),
        "{answers:?}"
    );
}

#[tokio::test]
async fn what_a_cross_certificate_must_not_be_is_refused_before_anything_is_recorded() {
    let fixture = Fixture::new().await;
    let begin = fixture.log_size();
    let refused = fixture
        .app
        .certify(&cross(Authority::Application), "ceremony")
        .await;
    assert_eq!(reasons(refused), ["CROSS_FORBIDDEN_TO_CA"]);
    let mut wide = cross(Authority::Organization);
    wide.constraints = Constraints::default();
    wide.validity = Validity::for_ca(opening_day().plus_days(1));
    let refused = fixture.app.certify(&wide, "ceremony").await;
    assert_eq!(
        reasons(refused),
        [
            "CROSS_WITHOUT_NAMES",
            "CROSS_WITHOUT_POLICY",
            "CROSS_POLICY_OPTIONAL",
            "CA_EXPIRES_FIRST"
        ]
    );
    assert_eq!(fixture.log_size(), begin);
}
