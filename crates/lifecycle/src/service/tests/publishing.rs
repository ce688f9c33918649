//! CRLs: when they come, what they list, and that their numbers never repeat or go back.

use axum::{
    body::{Body, to_bytes},
    http::{Method, StatusCode, header},
    response::Response,
};
use lgpki_domain::{
    CrlNumber, CrlOptions, CrlScope, CrlSeries,
    RevocationReason::{KeyCompromise, Superseded},
};
use tonic::Code;
use tower::ServiceExt as _;

use super::*;
use crate::testing::{abandoned_item, issued_item};

#[tokio::test]
async fn the_first_crls_come_by_themselves_and_list_what_was_abandoned() {
    let world = World::new().await;
    let first = world.crl().summary();
    assert_eq!((first.number.0, first.entries), (1, 0));
    assert_eq!(first.this_update, at("2008-02-04T12:00:00"));
    assert_eq!(first.next_update, at("2008-02-06T12:00:00"));
    world
        .register(vec![issued_item(1), abandoned_item(2)])
        .await;
    world.clock.advance_seconds(1);
    world.publish(0).await.unwrap();
    assert!(world.crl().find(serial(2)).is_some());
    assert!(world.crl().find(serial(1)).is_none());
    world.stop().await;
}

#[tokio::test]
async fn the_daily_crl_comes_at_its_hour() {
    let world = World::new().await;
    for (day, number) in [("2008-02-05", 2), ("2008-02-06", 3)] {
        world.clock.set(at(&format!("{day}T09:15:00")));
        let newest = world.newest(number).await;
        assert_eq!(newest.number.0, number);
        assert_eq!(newest.this_update, at(&format!("{day}T09:15:00")));
    }
    world.stop().await;
}

#[tokio::test]
async fn a_key_compromise_is_published_at_once_and_takes_the_others_along() {
    let world = World::new().await;
    world.register(vec![issued_item(1), issued_item(2)]).await;
    world.clock.advance_seconds(60);
    assert_eq!(world.revoke(100, 1, Superseded).await.refused, None);
    let revoked = world.revoke(101, 2, KeyCompromise).await;
    assert_eq!(revoked.revoked_at, "2008-02-04T12:01:00.000+09:00");
    world.reached(2).await;
    let list = world.crl();
    assert_eq!(list.find(serial(1)).unwrap().reason, Superseded);
    let entry = list.find(serial(2)).unwrap();
    assert_eq!(
        (entry.reason, entry.revoked_at),
        (KeyCompromise, at("2008-02-04T12:01:00"))
    );
    // The other CA had nothing to say.
    let other = world
        .store
        .publication(series(Authority::Organization))
        .await
        .unwrap();
    assert_eq!(other.newest.unwrap().number.0, 1);
    world.stop().await;
}

#[tokio::test]
async fn a_key_compromise_that_was_not_published_before_the_end_is_published_at_the_start() {
    let world = World::new().await;
    world.register(vec![issued_item(1)]).await;
    world.issuer.refuse(&[Code::Unavailable; 50]);
    world.clock.advance_seconds(60);
    world.revoke(100, 1, KeyCompromise).await;
    let left = world.stop().await;
    left.issuer.forgive();
    let world = left.start().await;
    world
        .eventually(|| async {
            let standing = world.store.publication(series(AUTHORITY)).await.unwrap();
            standing.newest.filter(|newest| newest.entries == 1)
        })
        .await;
    assert!(world.crl().find(serial(1)).is_some());
    world.stop().await;
}

#[tokio::test]
async fn after_a_pause_a_crl_comes_at_once() {
    let left = World::new().await.stop().await;
    left.clock.set(at("2008-02-09T03:00:00"));
    let world = left.start().await;
    let newest = world.newest(2).await;
    assert_eq!(newest.this_update, at("2008-02-09T03:00:00"));
    world.stop().await;
}

#[tokio::test]
async fn a_demand_publishes_the_cas_asked_for() {
    let world = World::new().await;
    world.clock.advance_seconds(5);
    let one = world.publish(wire(AUTHORITY)).await.unwrap();
    let scopes: Vec<_> = one.iter().map(|crl| crl.scope.as_str()).collect();
    assert_eq!(scopes, ["user", "ca"]);
    assert_eq!(
        (one[0].number, one[0].url.as_str()),
        (2, "http://crl.example/crl/application-1.crl")
    );
    assert_eq!(
        one[0].digest,
        world
            .files
            .find(Name::Crl(CrlList::complete(series(AUTHORITY))))
            .unwrap()
            .digest
            .to_string()
    );
    world.clock.advance_seconds(5);
    let all = world.publish(0).await.unwrap();
    let numbers: Vec<_> = all.iter().map(|crl| (crl.authority, crl.number)).collect();
    assert_eq!(numbers, [(1, 2), (1, 2), (2, 3), (2, 3)]);
    world.stop().await;
}

#[tokio::test]
async fn demands_that_come_together_are_met_by_one_crl() {
    let world = World::new().await;
    world.clock.advance_seconds(5);
    let demand = || world.publish(wire(AUTHORITY));
    let (a, b, c) = tokio::join!(demand(), demand(), demand());
    let numbers = [a, b, c].map(|answer| answer.unwrap()[0].number);
    assert_eq!(numbers, [2; 3]);
    world.stop().await;
}

#[tokio::test]
async fn a_number_lost_on_the_way_is_never_used_again() {
    let world = World::new().await;
    world.clock.advance_seconds(5);
    // Signed and recorded by the issuer, but the answer does not arrive.
    world.issuer.lose_answers(1);
    let lost = world.publish(wire(AUTHORITY)).await.unwrap_err();
    assert_eq!(lost.code(), Code::Unavailable);
    assert_eq!(world.issuer.highest(AUTHORITY), 2);
    world.clock.advance_seconds(1);
    let next = world.publish(wire(AUTHORITY)).await.unwrap();
    assert_eq!(next[0].number, 3);
    let left = world.stop().await;
    left.clock.set(at("2008-02-05T09:15:00"));
    let world = left.start().await;
    let newest = world.reached(4).await;
    assert_eq!(newest.number.0, 4);
    world.stop().await;
}

#[tokio::test]
async fn a_number_that_another_took_meanwhile_is_passed_over() {
    let world = World::new().await;
    world.clock.advance_seconds(5);
    world.issuer.refuse(&[Code::Aborted]);
    world.issuer.take_a_number(AUTHORITY);
    let published = world.publish(wire(AUTHORITY)).await.unwrap();
    assert_eq!(published[0].number, 3);
    world.stop().await;
}

#[tokio::test]
async fn a_crl_whose_publication_was_not_recorded_is_replaced_by_a_higher_one() {
    let world = World::new().await;
    let path = world.dir.path().join("publication/crl/application-1.crl");
    let recorded = std::fs::read(&path).unwrap();
    world.clock.advance_seconds(5);
    world.publish(wire(AUTHORITY)).await.unwrap();
    let left = world.stop().await;
    // As after a crash between the file and the record, the other way round: the file is not the
    // one that the log names.
    std::fs::write(&path, recorded).unwrap();
    left.clock.advance_seconds(5);
    let world = left.start().await;
    let newest = world.reached(3).await;
    assert_eq!(newest.number.0, 3);
    assert_eq!(world.crl().summary().number.0, 3);
    world.stop().await;
}

#[tokio::test]
async fn a_file_newer_than_the_record_is_followed_not_repeated() {
    let world = World::new().await;
    world.clock.advance_seconds(5);
    world.publish(wire(AUTHORITY)).await.unwrap();
    let newer = std::fs::read(world.dir.path().join("publication/crl/application-1.crl")).unwrap();
    let left = world.stop().await;
    // A data directory that holds the file of number 2 and the record of number 3 at an earlier
    // time than the file's.
    let other = World::beside(left.issuer.clone()).await.stop().await;
    std::fs::write(
        other.dir.path().join("publication/crl/application-1.crl"),
        newer,
    )
    .unwrap();
    other.clock.set(at("2008-02-04T12:00:03"));
    let world = other.start().await;
    let newest = world.reached(4).await;
    assert_eq!(newest.this_update, at("2008-02-04T12:00:06"));
    world.stop().await;
}

#[tokio::test]
async fn a_file_restored_from_a_copy_is_followed_by_what_the_record_says() {
    let world = World::new().await;
    world.register(vec![issued_item(1)]).await;
    world.clock.advance_seconds(5);
    world.revoke(100, 1, Superseded).await;
    world.publish(wire(AUTHORITY)).await.unwrap();
    let path = world.dir.path().join("publication/crl/application-1.crl");
    let copy = std::fs::read(&path).unwrap();
    // It expires, stands on one more list, and leaves.
    for (now, number) in [("2011-02-04T09:15:00", 3), ("2011-02-05T09:15:00", 4)] {
        world.clock.set(at(now));
        world.reached(number).await;
    }
    assert!(world.crl().find(serial(1)).is_none());
    let left = world.stop().await;
    std::fs::write(&path, copy).unwrap();
    left.clock.advance_seconds(5);
    let world = left.start().await;
    world.reached(5).await;
    assert!(world.crl().find(serial(1)).is_none());
    world.stop().await;
}

#[tokio::test]
async fn a_missing_file_is_made_anew() {
    let left = World::new().await.stop().await;
    std::fs::remove_dir_all(left.dir.path().join("publication")).unwrap();
    left.clock.advance_seconds(5);
    let world = left.start().await;
    world.newest(2).await;
    assert_eq!(world.crl().summary().number.0, 2);
    assert!(world.files.find(Name::Certificate(AUTHORITY, 1)).is_some());
    world.stop().await;
}

#[tokio::test]
async fn an_expired_certificate_stands_on_one_more_crl() {
    let world = World::new().await;
    world.register(vec![issued_item(1)]).await;
    world.revoke(100, 1, Superseded).await;
    for (now, number, listed) in [
        ("2011-02-03T09:15:00", 2, true),
        ("2011-02-04T09:15:00", 3, true),
        ("2011-02-05T09:15:00", 4, false),
    ] {
        world.clock.set(at(now));
        world.newest(number).await;
        assert_eq!(world.crl().find(serial(1)).is_some(), listed, "{now}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_crl_that_lacks_what_the_published_one_lists_is_held_back() {
    let world = World::new().await;
    world.register(vec![issued_item(1)]).await;
    world.revoke(100, 1, Superseded).await;
    world.clock.advance_seconds(5);
    world.publish(wire(AUTHORITY)).await.unwrap();
    let listed = world.crl().der().to_vec();
    let left = world.stop().await;
    // A log that never heard of the revocation, beside the file of one that did.
    let other = FakeIssuer::clone(&left.issuer);
    other.forget_feed();
    let other = World::beside(other).await.stop().await;
    let path = other.dir.path().join("publication/crl/application-1.crl");
    std::fs::write(path, listed).unwrap();
    other.clock.set(at("2008-02-04T13:00:00"));
    let world = other.start().await;
    let refused = world.publish(wire(AUTHORITY)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal);
    let standing = world.store.publication(series(AUTHORITY)).await.unwrap();
    assert_eq!(standing.newest.unwrap().number.0, 3);
    // The file of another CA is nothing to compare with.
    let strange = World::new().await;
    let strange_crl = strange.crl().der().to_vec();
    strange.stop().await;
    let left = world.stop().await;
    let path = left.dir.path().join("publication/crl/application-1.crl");
    std::fs::write(path, strange_crl).unwrap();
    left.clock.advance_seconds(100);
    let world = left.start().await;
    world.reached(4).await;
    world.stop().await;
}

#[tokio::test]
async fn a_clock_set_back_holds_nothing_up() {
    let world = World::new().await;
    world.register(vec![issued_item(1)]).await;
    world.clock.set(at("2008-02-04T13:00:00"));
    world.revoke(100, 1, Superseded).await;
    world.clock.set(at("2008-02-04T11:00:00"));
    world.publish(wire(AUTHORITY)).await.unwrap();
    let list = world.crl();
    assert!(list.find(serial(1)).unwrap().revoked_at <= list.summary().this_update);
    world.stop().await;
}

#[tokio::test]
async fn a_ca_key_publishes_before_its_first_day_and_no_more_after_its_last() {
    let opening = FakeIssuer::new();
    let left = Left {
        clock: ManualClock::new(at("2008-02-03T12:00:00")),
        issuer: opening.clone(),
        dir: tempfile::tempdir().unwrap(),
        slots: no_slots(),
    };
    let world = left.start().await;
    world.all_published().await;
    let last = opening.ca(AUTHORITY).validity().not_after();
    world.clock.set(last.plus_seconds(-9));
    world
        .eventually(|| async {
            for authority in Authority::ALL {
                for scope in [CrlScope::User, CrlScope::CaCertificates] {
                    let one = CrlSeries {
                        scope,
                        ..series(authority)
                    };
                    let newest = world.store.publication(one).await.unwrap().newest;
                    newest.filter(|newest| newest.number.0 == 2)?;
                }
            }
            Some(())
        })
        .await;
    let highest = opening.highest(AUTHORITY);
    world.clock.set(last.plus_seconds(5 * 24 * 3600));
    assert_eq!(world.publish(0).await.unwrap(), []);
    assert_eq!(opening.highest(AUTHORITY), highest);
    let standing = world.handlers.app.authorities().await.unwrap();
    assert!(standing.iter().all(|one| one.crls.len() == 2));
    assert!(standing.iter().all(|one| one.alarms.is_empty()));
    world.stop().await;
}

async fn fetch(world: &World, method: Method, path: &str, known: Option<&str>) -> Response {
    let mut request = axum::http::Request::builder().method(method).uri(path);
    if let Some(known) = known {
        request = request.header(header::IF_NONE_MATCH, known);
    }
    let router = world.public();
    router
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap()
}

#[tokio::test]
async fn relying_parties_fetch_crls_and_ca_certificates() {
    let world = World::new().await;
    let found = fetch(&world, Method::GET, "/crl/application-1.crl", None).await;
    assert_eq!(found.status(), StatusCode::OK);
    assert_eq!(
        found.headers()[header::CONTENT_TYPE],
        "application/pkix-crl"
    );
    assert_eq!(
        found.headers()[header::LAST_MODIFIED],
        "Mon, 04 Feb 2008 03:00:00 GMT"
    );
    let tag = found.headers()[header::ETAG].to_str().unwrap().to_owned();
    let bytes = to_bytes(found.into_body(), 1 << 20).await.unwrap();
    assert_eq!(bytes, world.crl().der());
    let unchanged = fetch(&world, Method::GET, "/crl/application-1.crl", Some(&tag)).await;
    assert_eq!(unchanged.status(), StatusCode::NOT_MODIFIED);
    let head = fetch(
        &world,
        Method::HEAD,
        "/crl/application-1.crl",
        Some("\"other\""),
    )
    .await;
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(
        head.headers()[header::CONTENT_LENGTH],
        bytes.len().to_string()
    );
    assert!(
        to_bytes(head.into_body(), 1 << 20)
            .await
            .unwrap()
            .is_empty()
    );
    let certificate = fetch(&world, Method::GET, "/ca/organization-1.cer", None).await;
    assert_eq!(
        certificate.headers()[header::CONTENT_TYPE],
        "application/pkix-cert"
    );
    let bytes = to_bytes(certificate.into_body(), 1 << 20).await.unwrap();
    assert_eq!(
        bytes,
        world.issuer.ca(Authority::Organization).certificate()
    );
    let statement = fetch(&world, Method::GET, "/cps", None).await;
    assert_eq!(statement.status(), StatusCode::OK);
    assert_eq!(
        statement.headers()[header::CONTENT_TYPE],
        "text/plain; charset=utf-8"
    );
    let known = statement.headers()[header::ETAG].clone();
    let again = fetch(&world, Method::GET, "/cps", known.to_str().ok()).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    for path in [
        "/",
        "/crl/organization-2.crl",
        "/crl/..%2fca%2forganization-1.cer",
        "/crl/x",
    ] {
        let missing = fetch(&world, Method::GET, path, None).await;
        assert_eq!(missing.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let posted = fetch(&world, Method::POST, "/crl/application-1.crl", None).await;
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    world.stop().await;
}

#[tokio::test]
async fn what_the_gate_refuses_is_not_signed_the_old_crl_stays_and_an_alarm_is_raised() {
    use lgpki_x509::{
        crl::{self, CrlEntry, CrlHeader},
        signed,
    };

    use lgpki_proto::v1::certificate_service_server::CertificateService as _;

    use crate::{ports::Issuer as _, testing::lists::to_sign};

    let left = World::new().await.stop().await;
    // Relying parties fetch a list with an entry that the inventory has lost.
    let key = left.issuer.ca(AUTHORITY).clone();
    let header = CrlHeader {
        scope: CrlScope::User,
        base: None,
        number: CrlNumber(2),
        this_update: at("2008-02-04T12:00:01"),
        next_update: at("2008-02-06T12:00:01"),
    };
    let lost = CrlEntry {
        serial: serial(7),
        revoked_at: at("2008-02-04T12:00:00"),
        reason: KeyCompromise,
    };
    let tbs = crl::write(&key, &header, [lost]).unwrap();
    let to_sign = to_sign(series(AUTHORITY), 2, &tbs, tbs.len());
    let signature = left.issuer.sign_crl(to_sign).await.unwrap();
    let planted = signed::assemble(tbs, key.signature_algorithm(), &signature);
    let path = left.dir.path().join("publication/crl/application-1.crl");
    std::fs::write(&path, &planted).unwrap();
    left.clock.advance_seconds(5);
    let world = left.start().await;
    let refused = world.publish(wire(AUTHORITY)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal);
    // Nothing was signed, and what was published stands.
    assert_eq!(world.issuer.highest(AUTHORITY), 2);
    assert_eq!(world.crl().find(serial(7)).unwrap(), lost);
    assert_eq!(std::fs::read(&path).unwrap(), planted);
    let request = from_intake(v1::ListAuthoritiesRequest {});
    let told = world.handlers.list_authorities(request).await.unwrap();
    let told = told.into_inner().authorities;
    let alarms: Vec<_> = told
        .iter()
        .flat_map(|of| {
            of.alarms
                .iter()
                .map(|a| (of.authority(), &*a.kind, &*a.scope))
        })
        .collect();
    let application = v1::Authority::Application;
    assert_eq!(alarms, [(application, "crl-refused", "user")]);
    let message = &told[1].alarms[0].message;
    assert!(
        message.contains("missing") && message.contains(&serial(7).to_string()),
        "{message}"
    );
    world.stop().await;
}

#[tokio::test]
async fn each_partition_and_the_ca_certificates_have_a_list_of_their_own() {
    let options = CrlOptions {
        partitions: 3,
        delta: false,
    };
    let world = World::beside(FakeIssuer::publishing(options)).await;
    let key = series(AUTHORITY).key;
    let of = |n| options.scope_of(serial(n));
    let items = (1..=9).map(|n| {
        let issued = crate::ports::IssuedCertificate {
            scope: of(n),
            ..crate::testing::issued(n)
        };
        crate::testing::item(issued, n)
    });
    world.register(items.collect()).await;
    world.clock.advance_seconds(60);
    for n in 1..=9 {
        assert_eq!(world.revoke(100 + n, n, Superseded).await.refused, None);
    }
    let published = world.publish(wire(AUTHORITY)).await.unwrap();
    let told: Vec<_> = published
        .iter()
        .map(|crl| (&*crl.scope, &*crl.url))
        .collect();
    let url = |file: &str| format!("http://crl.example/crl/application-1-{file}.crl");
    let urls: Vec<_> = ["p01", "p02", "p03", "ca"]
        .map(|scope| (scope, url(scope)))
        .into();
    let urls: Vec<_> = urls.iter().map(|(scope, url)| (*scope, &**url)).collect();
    assert_eq!(told, urls);
    for scope in options.scopes() {
        let file = world
            .files
            .find(Name::Crl(CrlList::complete(CrlSeries { key, scope })))
            .unwrap();
        let list = RevocationList::parse(&file.bytes).unwrap();
        assert!(list.is_of(world.issuer.ca(AUTHORITY), scope), "{scope}");
        for n in 1..=9 {
            let listed = list.find(serial(n)).is_some();
            assert_eq!(listed, of(n) == scope, "{n} on {scope}");
        }
    }
    world.stop().await;
}
