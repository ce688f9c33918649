//! The RPCs: what they answer, and what they refuse.

use lgpki_domain::RevocationReason::{KeyCompromise, Superseded};
use lgpki_proto::{RemoteError, v1::certificate_service_server::CertificateService as _};
use tonic::Code;

use super::*;
use crate::testing::{issued, issued_item};

async fn get(world: &World, serial: String) -> Result<v1::Certificate, Status> {
    let request = from_intake(v1::GetCertificateRequest { serial });
    let answer = world.handlers.get_certificate(request).await?;
    Ok(answer.into_inner().certificate.unwrap())
}

#[tokio::test]
async fn a_certificate_is_valid_then_expired_or_revoked() {
    let world = World::new().await;
    world.register(vec![issued_item(1), issued_item(2)]).await;
    let found = get(&world, serial(1).to_string()).await.unwrap();
    assert_eq!(found.state(), v1::CertificateState::Valid);
    assert_eq!(found.der, issued(1).der);
    assert_eq!(
        (found.branch.as_str(), found.revoked_at.as_str()),
        ("01001", "")
    );
    world.revoke(100, 2, Superseded).await;
    world.clock.set(at("2011-02-03T23:59:59.999"));
    let valid = get(&world, serial(1).to_string()).await.unwrap();
    assert_eq!(valid.state(), v1::CertificateState::Valid);
    world.clock.set(at("2011-02-04T00:00:00"));
    let expired = get(&world, serial(1).to_string()).await.unwrap();
    assert_eq!(expired.state(), v1::CertificateState::Expired);
    let revoked = get(&world, serial(2).to_string()).await.unwrap();
    assert_eq!(revoked.state(), v1::CertificateState::Revoked);
    assert_eq!(
        revoked.revocation_reason(),
        v1::RevocationReason::Superseded
    );
    assert_eq!(revoked.revoked_at, "2008-02-04T12:00:00.000+09:00");
    let unknown = RemoteError::from(get(&world, serial(9).to_string()).await.unwrap_err());
    assert_eq!(
        (unknown.code, unknown.reason.as_str()),
        (Code::NotFound, "CERTIFICATE_UNKNOWN")
    );
    world.stop().await;
}

#[tokio::test]
async fn certificates_are_listed_by_page() {
    let world = World::new().await;
    world.register((1..8).map(issued_item).collect()).await;
    world.revoke(100, 3, KeyCompromise).await;
    let mut asked = v1::ListCertificatesRequest {
        branch: "01001".to_owned(),
        state: v1::CertificateState::Valid.into(),
        page_size: 4,
        ..v1::ListCertificatesRequest::default()
    };
    let mut seen = Vec::new();
    loop {
        let answer = world
            .handlers
            .list_certificates(from_intake(asked.clone()))
            .await
            .unwrap();
        let page = answer.into_inner();
        assert!(
            page.certificates
                .iter()
                .all(|certificate| certificate.der.is_empty())
        );
        seen.extend(
            page.certificates
                .into_iter()
                .map(|certificate| certificate.serial),
        );
        if page.next_page_token.is_empty() {
            break;
        }
        asked.page_token = page.next_page_token;
    }
    let expected: Vec<_> = [1, 2, 4, 5, 6, 7].map(|n| serial(n).to_string()).into();
    assert_eq!(seen, expected);
    world.stop().await;
}

#[tokio::test]
async fn certificates_are_counted_and_drawn_as_a_histogram() {
    let world = World::new().await;
    world.register((1..8).map(issued_item).collect()).await;
    world.revoke(100, 3, KeyCompromise).await;
    let asked = v1::CountCertificatesRequest {
        issued_from: "2008-02-04".to_owned(),
        subject: Some(v1::Subject {
            name: Some(v1::Names {
                en: "Chief".to_owned(),
                ja: String::new(),
            }),
            ..v1::Subject::default()
        }),
        ..v1::CountCertificatesRequest::default()
    };
    for asked in [asked, v1::CountCertificatesRequest::default()] {
        let answer = world.handlers.count_certificates(from_intake(asked)).await;
        let answer = answer.unwrap().into_inner();
        let told: Vec<_> = answer.counts.iter().map(|c| (c.state(), c.count)).collect();
        let (valid, revoked) = (v1::CertificateState::Valid, v1::CertificateState::Revoked);
        assert_eq!((told, answer.total), (vec![(valid, 6), (revoked, 1)], 7));
    }
    let asked = v1::GetExpiryHistogramRequest {
        group_by: v1::HistogramGrouping::Branch.into(),
        from: "2011-01-15".to_owned(),
        ..v1::GetExpiryHistogramRequest::default()
    };
    let answer = world
        .handlers
        .get_expiry_histogram(from_intake(asked))
        .await;
    let answer = answer.unwrap().into_inner();
    assert_eq!(answer.buckets, ["2011-01-15", "2011-02-01"]);
    assert_eq!(
        (answer.to.as_str(), answer.unrevoked, answer.revoked),
        ("2011-02-03", 6, 1)
    );
    assert_eq!(answer.rows[0].branch, "01001");
    assert_eq!(
        (&answer.rows[0].unrevoked[..], &answer.rows[0].revoked[..]),
        (&[0, 6][..], &[0, 1][..])
    );
    world.stop().await;
}

#[tokio::test]
async fn a_question_that_cannot_be_read_is_refused_with_every_fault() {
    let world = World::new().await;
    let asked = v1::ListCertificatesRequest {
        issued_to: "x".to_owned(),
        key_digest: "y".to_owned(),
        authority: 9,
        ..v1::ListCertificatesRequest::default()
    };
    let refused = world.handlers.list_certificates(from_intake(asked)).await;
    let refused = RemoteError::from(refused.unwrap_err());
    let fields: Vec<_> = refused.faults.iter().map(|f| f.field.as_str()).collect();
    assert_eq!(fields, ["issued_to", "key_digest", "authority"]);
    let asked = v1::GetExpiryHistogramRequest {
        from: "2011-02-03".to_owned(),
        to: "2011-02-02".to_owned(),
        bucket: 9,
        group_by: 9,
        ..v1::GetExpiryHistogramRequest::default()
    };
    let refused = world
        .handlers
        .get_expiry_histogram(from_intake(asked))
        .await;
    let refused = RemoteError::from(refused.unwrap_err());
    let fields: Vec<_> = refused.faults.iter().map(|f| f.field.as_str()).collect();
    assert_eq!(fields, ["to", "bucket", "group_by"]);
    let asked = v1::GetExpiryHistogramRequest {
        to: "2108-02-04".to_owned(),
        bucket: v1::HistogramBucket::Day.into(),
        ..v1::GetExpiryHistogramRequest::default()
    };
    let refused = world
        .handlers
        .get_expiry_histogram(from_intake(asked))
        .await;
    assert_eq!(
        RemoteError::from(refused.unwrap_err()).faults[0].reason,
        "TOO_MANY"
    );
    world.stop().await;
}

#[tokio::test]
async fn authorities_are_told_with_their_newest_crl() {
    let world = World::new().await;
    let request = from_intake(v1::ListAuthoritiesRequest {});
    let answer = world
        .handlers
        .list_authorities(request)
        .await
        .unwrap()
        .into_inner();
    let told: Vec<_> = answer
        .authorities
        .iter()
        .map(|a| (a.authority(), a.crl_number, a.crl_url.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (
                v1::Authority::Organization,
                1,
                "http://crl.example/crl/organization-1.crl"
            ),
            (
                v1::Authority::Application,
                1,
                "http://crl.example/crl/application-1.crl"
            ),
        ]
    );
    assert_eq!(
        answer.authorities[0].crl_next_update,
        "2008-02-06T12:00:00.000+09:00"
    );
    world.stop().await;
}

#[tokio::test]
async fn a_malformed_order_is_refused_with_every_fault_and_nothing_is_revoked() {
    let world = World::new().await;
    world.register(vec![issued_item(1)]).await;
    let good = v1::RevocationOrder {
        command_id: application(100).to_string(),
        serial: serial(1).to_string(),
        reason: wire(Superseded),
        branch: String::new(),
        actor: "operator/-/41".to_owned(),
        answers_index: 1,
    };
    let bad = v1::RevocationOrder {
        command_id: "x".to_owned(),
        serial: "00".to_owned(),
        reason: 6,
        branch: "1".to_owned(),
        actor: String::new(),
        answers_index: 0,
    };
    let request = v1::RevokeCertificatesRequest {
        orders: vec![good.clone(), bad],
    };
    let refused = world
        .handlers
        .revoke_certificates(from_intake(request))
        .await
        .unwrap_err();
    let refused = RemoteError::from(refused);
    assert_eq!(refused.code, Code::InvalidArgument);
    let fields: Vec<_> = refused
        .faults
        .iter()
        .map(|fault| fault.field.as_str())
        .collect();
    assert_eq!(
        fields,
        ["command_id", "serial", "reason", "branch", "actor"].map(|f| format!("orders[1].{f}"))
    );
    let request = v1::RevokeCertificatesRequest {
        orders: vec![good; 501],
    };
    let refused = world
        .handlers
        .revoke_certificates(from_intake(request))
        .await
        .unwrap_err();
    assert_eq!(RemoteError::from(refused).faults[0].reason, "TOO_MANY");
    let found = get(&world, serial(1).to_string()).await.unwrap();
    assert_eq!(found.state(), v1::CertificateState::Valid);
    world.stop().await;
}

#[tokio::test]
async fn a_refused_order_says_why_in_its_result() {
    let world = World::new().await;
    let result = world.revoke(100, 1, Superseded).await;
    assert_eq!(result.command_id, application(100).to_string());
    assert_eq!(result.revoked_at, "");
    assert_eq!(result.refused.unwrap().reason, "CERTIFICATE_UNKNOWN");
    world.stop().await;
}

#[tokio::test]
async fn without_the_issuer_the_cas_are_not_known_yet() {
    let issuer = FakeIssuer::new();
    issuer.set_away(true);
    let left = Left {
        clock: ManualClock::new(at("2008-02-04T12:00:00")),
        issuer,
        dir: tempfile::tempdir().unwrap(),
        slots: no_slots(),
    };
    let world = left.start().await;
    let request = from_intake(v1::ListAuthoritiesRequest {});
    let refused = world.handlers.list_authorities(request).await.unwrap_err();
    let publish = world.publish(0).await.unwrap_err();
    for refused in [refused, publish].map(RemoteError::from) {
        assert_eq!(refused.reason, "ISSUER_UNAVAILABLE");
        assert!(refused.may_be_tried_again() && refused.retry_after.is_some());
    }
    // It comes back, and the clock comes to the next attempt.
    world.issuer.set_away(false);
    world.clock.advance_seconds(120);
    world.newest(1).await;
    world.stop().await;
}

/// The alarms, each with its CA and scope, and where the first CRL is fetched.
async fn alarms(world: &World) -> (Vec<(Authority, String, String)>, String) {
    let request = from_intake(v1::ListAuthoritiesRequest {});
    let told = world.handlers.list_authorities(request).await.unwrap();
    let told = told.into_inner().authorities;
    let alarms = told.iter().flat_map(|of| {
        let authority = Authority::ALL
            .into_iter()
            .find(|one| wire(*one) == of.authority);
        let alarms = of.alarms.iter();
        alarms.map(move |a| (authority.unwrap(), a.kind.clone(), a.scope.clone()))
    });
    (alarms.collect(), told[0].crl_url.clone())
}

#[tokio::test]
async fn what_runs_out_after_a_restart_without_the_issuer_is_an_alarm_all_the_same() {
    let left = World::new().await.stop().await;
    left.issuer.set_away(true);
    left.clock.advance_seconds(10 * 24 * 3600);
    let world = left.start().await;
    let both = |authority| {
        let of = |scope: &str| (authority, "crl-run-out".to_owned(), scope.to_owned());
        [of("user"), of("ca")]
    };
    let (mut told, url) = alarms(&world).await;
    let mut expected = Authority::ALL.map(both).concat();
    told.sort();
    expected.sort();
    assert_eq!((told, url.as_str()), (expected, ""));
    // It comes back, and the clock comes to the next attempt.
    world.issuer.set_away(false);
    world.clock.advance_seconds(120);
    world.newest(2).await;
    assert!(alarms(&world).await.1.starts_with("http"));
    world.stop().await;
}
