//! The issuer as intake and lifecycle meet it: over a real socket, with TLS identities of a service
//! CA, on a manual clock that stands in 2008.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helpers fail the test"
)]

mod support;

use std::sync::Arc;

use lgpki_domain::{Authority, CrlNumber, CrlScope, RevocationReason, Role};
use lgpki_issuer::{Ceremony, Deps, IssuerError};
use lgpki_proto::{
    RemoteError, ServiceName,
    v1::{self, issuance_event::Event, issuance_result::Outcome, sign_crl_request::Part},
};
use lgpki_runtime::{Door, GrpcServer, config::ServerLimits, shutdown};
use lgpki_testkit::{ManualClock, SeededRandom};
use lgpki_x509::{
    Addresses, Certificate, Issuer,
    crl::{self, CrlEntry, CrlHeader, RevocationList},
    key::sha256,
    signed,
};
use tokio::net::TcpListener;
use tonic::Code;

use support::*;

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_answered_one_by_one_and_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    make_authorities(dir.path()).await;
    let names = Arc::new(Names::new(5));
    let served = Served::start(dir.path(), &names, 10).await;
    let mut intake = served.as_role(Role::Intake);
    let nameless = v1::IssuanceOrder {
        application_id: "nonsense".to_owned(),
        attempt: 0,
        ..order(9)
    };
    let mojibake = v1::IssuanceOrder {
        subject: Some(v1::Subject {
            name: Some(v1::Names {
                en: "Mayor".to_owned(),
                ja: "å¸‚é•·".to_owned(),
            }),
            ..order(8).subject.unwrap()
        }),
        ..order(8)
    };
    let batch = vec![order(1), nameless, order(2), mojibake, order(1)];
    let outcomes = issue(&mut intake, batch).await;
    let reasons = |outcome: &Outcome| match outcome {
        Outcome::Refused(refused) => refused
            .faults
            .iter()
            .map(|f| (f.field.clone(), f.reason.clone()))
            .collect::<Vec<_>>(),
        other => panic!("not refused: {other:?}"),
    };
    let first = issued(&outcomes[0]).clone();
    assert!(Certificate::parse(&first.certificate).is_ok());
    let fields: Vec<_> = reasons(&outcomes[1]).into_iter().map(|f| f.0).collect();
    assert_eq!(fields, ["order.application_id", "order.attempt"]);
    issued(&outcomes[2]);
    let expected = ("order.subject.name.ja".into(), "NAME_NOT_JAPANESE".into());
    assert_eq!(reasons(&outcomes[3]), [expected]);
    assert_eq!(
        outcomes[4],
        Outcome::InProgress(v1::IssuanceInProgress { attempt: 1 })
    );
    let known = v1::GetIssuancesRequest {
        application_ids: vec![order(1).application_id, order(8).application_id],
    };
    let results = intake
        .get_issuances(known.clone())
        .await
        .unwrap()
        .into_inner();
    let outcome = |i: usize| results.results[i].outcome.clone().unwrap();
    assert_eq!(outcome(0), Outcome::Issued(first.clone()));
    assert_eq!(outcome(1), Outcome::Unknown(v1::IssuanceUnknown {}));
    served.stop().await;

    let served = Served::start(dir.path(), &names, 20).await;
    let mut intake = served.as_role(Role::Intake);
    let again = issue(&mut intake, vec![order(1)]).await;
    assert_eq!(again, [Outcome::Issued(first)]);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lifecycle_follows_the_issuance_and_has_its_crls_signed() {
    let dir = tempfile::tempdir().unwrap();
    make_authorities(dir.path()).await;
    let names = Arc::new(Names::new(5));
    let served = Served::start(dir.path(), &names, 10).await;
    let mut intake = served.as_role(Role::Intake);
    let mut lifecycle = served.as_role(Role::Lifecycle);
    let request = v1::FollowIssuanceRequest { from_index: 0 };
    let mut feed = lifecycle
        .follow_issuance(request)
        .await
        .unwrap()
        .into_inner();
    let start = feed.message().await.unwrap().unwrap();
    assert!(start.events.is_empty() && start.next_index > 0);
    let outcomes = issue(&mut intake, vec![order(1)]).await;
    let first = issued(&outcomes[0]);
    let page = feed.message().await.unwrap().unwrap();
    assert_eq!(page.events.len(), 1);
    assert_eq!(page.events[0].log_index, first.log_index);
    let Some(Event::Issued(event)) = &page.events[0].event else {
        panic!("{page:?}");
    };
    assert_eq!(event.certificate, first.certificate);
    assert_eq!(event.subject, order(1).subject);
    assert_eq!(event.branch, "01001");
    assert_eq!(event.not_after, "2011-02-03T23:59:59.000+09:00");
    let key = &order(1).subject_public_key_info;
    assert_eq!(event.key_digest, sha256(key).to_string());

    let listed = lifecycle
        .list_issuers(v1::ListIssuersRequest {})
        .await
        .unwrap();
    let issuers = listed.into_inner().issuers;
    assert_eq!(issuers.len(), 2);
    let info = &issuers[0];
    assert!(info.crl_numbers.iter().all(|of| of.number == 0));
    let addresses = Addresses::at(&bases(), Authority::Organization, 1);
    assert_eq!(info.crl_urls, addresses.crl);
    let ca = Issuer::try_new(Authority::Organization, 1, &info.certificate, addresses).unwrap();
    let header = CrlHeader {
        scope: CrlScope::User,
        base: None,
        number: CrlNumber(1),
        this_update: now(),
        next_update: now().plus_seconds(172_800),
    };
    let entry = CrlEntry {
        serial: first.serial.parse().unwrap(),
        revoked_at: now(),
        reason: RevocationReason::KeyCompromise,
    };
    let tbs = crl::write(&ca, &header, [entry]).unwrap();
    let signed_crl = lifecycle.sign_crl(tokio_stream::iter(parts(&tbs, 1))).await;
    let signed_crl = signed_crl.unwrap().into_inner();
    let der = signed::assemble(tbs.clone(), ca.signature_algorithm(), &signed_crl.signature);
    let list = RevocationList::parse(&der).unwrap();
    assert!(list.is_signed_by(ca.public_key()));
    assert!(list.find(entry.serial).is_some());

    refuses_what_is_no_stream(&mut lifecycle, &tbs).await;
    let skipped = CrlHeader {
        number: CrlNumber(3),
        ..header
    };
    let tbs = crl::write(&ca, &skipped, [entry]).unwrap();
    let refused = lifecycle.sign_crl(tokio_stream::iter(parts(&tbs, 3))).await;
    let refused = RemoteError::from(refused.unwrap_err());
    assert_eq!(refused.code, Code::Aborted);
    assert_eq!(refused.reason, "CRL_NUMBER_NOT_NEXT");
    let ahead = v1::FollowIssuanceRequest {
        from_index: 1_000_000,
    };
    let refused = RemoteError::from(lifecycle.follow_issuance(ahead).await.unwrap_err());
    assert_eq!(refused.code, Code::FailedPrecondition);
    // The shutdown ends the feed, and the issuer with it.
    served.stop().await;
    while let Ok(Some(_)) = feed.message().await {}
}

/// What does not come as it was announced is refused.
async fn refuses_what_is_no_stream(lifecycle: &mut Client, tbs: &[u8]) {
    let refusals = [
        (parts(tbs, 2), Code::InvalidArgument, "CRL_NUMBER_DIFFERS"),
        (parts(&tbs[..90], 2), Code::InvalidArgument, "CRL_LINT"),
        (
            parts(tbs, 1)[1..].to_vec(),
            Code::InvalidArgument,
            "CRL_HEADER",
        ),
        (
            parts(tbs, 1)[..2].to_vec(),
            Code::InvalidArgument,
            "CRL_LENGTH",
        ),
        (
            without_end(parts(tbs, 2)),
            Code::InvalidArgument,
            "CRL_NO_END",
        ),
        (
            [parts(tbs, 2), parts(tbs, 2)[1..2].to_vec()].concat(),
            Code::InvalidArgument,
            "CRL_HEADER",
        ),
        (too_long(tbs), Code::InvalidArgument, "CRL_TOO_LONG"),
        (Vec::new(), Code::InvalidArgument, "CRL_HEADER"),
    ];
    for (stream, code, reason) in refusals {
        let refused = lifecycle
            .sign_crl(tokio_stream::iter(stream))
            .await
            .unwrap_err();
        let refused = RemoteError::from(refused);
        assert_eq!((refused.code, refused.reason.as_str()), (code, reason));
    }
}

/// A tbsCertList as it is streamed, in pieces of 100 bytes.
fn parts(tbs: &[u8], number: u64) -> Vec<v1::SignCrlRequest> {
    let header = v1::SignCrlHeader {
        authority: v1::Authority::Organization.into(),
        number,
        length: tbs.len() as u64,
        key_generation: 1,
        scope: "user".to_owned(),
        base_number: 0,
    };
    let chunks = tbs
        .chunks(100)
        .map(|chunk| Part::Chunk(chunk.to_vec().into()));
    let end = Part::End(v1::SignCrlEnd {
        tbs_digest: sha256(tbs).to_string(),
    });
    std::iter::once(Part::Header(header))
        .chain(chunks)
        .chain([end])
        .map(|part| v1::SignCrlRequest { part: Some(part) })
        .collect()
}

fn without_end(mut parts: Vec<v1::SignCrlRequest>) -> Vec<v1::SignCrlRequest> {
    parts.pop();
    parts
}

fn too_long(tbs: &[u8]) -> Vec<v1::SignCrlRequest> {
    let mut parts = parts(tbs, 2);
    if let Some(Part::Header(header)) = &mut parts[0].part {
        header.length = 128 * 1024 * 1024 + 1;
    }
    parts
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_call_is_refused_on_every_rpc() {
    let dir = tempfile::tempdir().unwrap();
    make_authorities(dir.path()).await;
    let names = Arc::new(Names::new(5));
    let served = Served::start(dir.path(), &names, 10).await;
    let stranger = Names::new(99).identity(Role::Intake);
    let cases = [
        (served.client(None), [Code::Unauthenticated; 5]),
        (served.client(Some(stranger)), [Code::Unauthenticated; 5]),
        (served.as_role(Role::Issuer), [Code::PermissionDenied; 5]),
        (
            served.as_role(Role::Intake),
            [
                Code::Ok,
                Code::Ok,
                Code::PermissionDenied,
                Code::Ok,
                Code::PermissionDenied,
            ],
        ),
        (
            served.as_role(Role::Lifecycle),
            [
                Code::PermissionDenied,
                Code::PermissionDenied,
                Code::Ok,
                Code::Ok,
                Code::InvalidArgument,
            ],
        ),
    ];
    for (mut client, expected) in cases {
        let code = |result: Option<tonic::Status>| result.map_or(Code::Ok, |s| s.code());
        let empty = v1::IssueCertificatesRequest::default();
        let none = v1::GetIssuancesRequest::default();
        let follow = v1::FollowIssuanceRequest { from_index: 0 };
        let no_crl = tokio_stream::iter(Vec::<v1::SignCrlRequest>::new());
        let codes = [
            code(client.issue_certificates(empty).await.err()),
            code(client.get_issuances(none).await.err()),
            code(client.follow_issuance(follow).await.err()),
            code(client.list_issuers(v1::ListIssuersRequest {}).await.err()),
            code(client.sign_crl(no_crl).await.err()),
        ];
        assert_eq!(codes, expected);
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_without_authorities_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let names = Names::new(5);
    let door = Door {
        service: ServiceName::Issuer,
        identity: names.identity(Role::Issuer),
        services: names.anchors.clone(),
        officers: None,
        clock: Arc::new(ManualClock::new(now())),
        randomness: Arc::new(SeededRandom::new(3)),
        limits: ServerLimits::default(),
    };
    let deps = Deps {
        ports: ports(1),
        passphrase: passphrase(),
        server: GrpcServer::try_new(door).unwrap(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_trigger, shutdown) = shutdown::channel();
    let refused = lgpki_issuer::run(settings(dir.path()), deps, listener, shutdown).await;
    assert!(matches!(refused, Err(IssuerError::NoAuthorities)));
    // The directory is free again.
    make_authorities(dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_issuer_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    make_authorities(dir.path()).await;
    let names = Arc::new(Names::new(5));
    let served = Served::start(dir.path(), &names, 10).await;
    let second = Ceremony::open(&settings(dir.path()), ports(2), passphrase()).await;
    let text = lgpki_runtime::error::chain(&second.unwrap_err());
    assert!(text.contains("another"), "{text}");
    served.stop().await;
}
