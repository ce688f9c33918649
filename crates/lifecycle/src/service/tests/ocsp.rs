//! OCSP: what is answered, what is kept, what is recorded, and how the responder gets its certificate.

mod shares;

use axum::{
    body::{Body, to_bytes},
    http::{StatusCode, header, response::Parts},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use lgpki_domain::{AuthorityKey, Serial, Timestamp};
use lgpki_runtime::plain_http::Limits;
use lgpki_testkit::tool::tool;
use lgpki_x509::{
    ocsp::{
        BasicResponse, HashAlgorithm, IssuerId, LONGEST_REQUEST, ResponseError, Status,
        write_request,
    },
    pem,
};
use tower::ServiceExt as _;

use super::*;
use crate::{
    ports::FeedItem,
    store::LifecycleEvent,
    testing::{issued, issued_item, item},
};

const CA: AuthorityKey = AuthorityKey::new(AUTHORITY, 1);
const PLACE: &str = "/ocsp/application-1";

/// A request about one certificate.
fn request(world: &World, serial: Serial, nonce: Option<&[u8]>) -> Vec<u8> {
    let id = IssuerId::of(world.issuer.ca(AUTHORITY));
    write_request(&id, HashAlgorithm::Sha1, &[serial], nonce)
}

async fn send(
    world: &World,
    request: axum::http::request::Builder,
    body: Vec<u8>,
) -> (Parts, Vec<u8>) {
    let request = request.body(Body::from(body)).unwrap();
    let (parts, body) = world.public().oneshot(request).await.unwrap().into_parts();
    (parts, to_bytes(body, 1 << 20).await.unwrap().to_vec())
}

async fn post(world: &World, place: &str, request: Vec<u8>) -> (Parts, Vec<u8>) {
    let head =
        axum::http::Request::post(place).header(header::CONTENT_TYPE, "application/ocsp-request");
    send(world, head, request).await
}

fn path_of(request: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(request);
    let escaped = text
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    format!("{PLACE}/{escaped}")
}

async fn get(world: &World, request: &[u8]) -> (Parts, Vec<u8>) {
    send(
        world,
        axum::http::Request::get(path_of(request)),
        Vec::new(),
    )
    .await
}

/// The answer about one certificate, believed.
fn believed(world: &World, bytes: &[u8]) -> (Status, Timestamp) {
    let read = BasicResponse::parse(bytes).unwrap();
    assert!(read.is_from(world.issuer.ca(AUTHORITY)));
    (read.entries()[0].status, read.produced_at())
}

async fn status(world: &World, serial: Serial) -> Status {
    let (_, body) = get(world, &request(world, serial, None)).await;
    believed(world, &body).0
}

/// A world whose responders are certified.
async fn world() -> World {
    let world = World::new().await;
    certified(&world, 2).await;
    world
}

/// Returns once so many responders are certified and both CAs have one.
async fn certified(world: &World, count: usize) {
    let open = async {
        let both = Authority::ALL.map(|authority| AuthorityKey::new(authority, 1));
        while world.issuer.responders() < count
            || both.iter().any(|key| world.answerer.desk(*key).is_none())
        {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, open).await.unwrap();
}

/// How many answers the log says were signed.
async fn recorded(store: &EngineStore) -> u64 {
    let events = store.history(0).await.unwrap();
    events
        .iter()
        .map(|event| match event {
            LifecycleEvent::OcspSigned(body) => body.count,
            _ => 0,
        })
        .sum()
}

#[tokio::test]
async fn good_revoked_and_never_issued_are_told_apart_by_get_and_by_post() {
    let world = world().await;
    world.register(vec![issued_item(1), issued_item(2)]).await;
    world.revoke(9, 2, RevocationReason::KeyCompromise).await;
    let revoked = Status::Revoked {
        at: at("2008-02-04T12:00:00"),
        reason: RevocationReason::KeyCompromise,
    };
    for (n, expected) in [(1, Status::Good), (2, revoked), (3, Status::Unknown)] {
        for nonce in [None, Some(&[5_u8; 32][..])] {
            let request = request(&world, serial(n), nonce);
            for (parts, body) in [
                get(&world, &request).await,
                post(&world, PLACE, request.clone()).await,
            ] {
                assert_eq!(parts.status, StatusCode::OK);
                assert_eq!(
                    parts.headers[header::CONTENT_TYPE],
                    "application/ocsp-response"
                );
                assert_eq!(believed(&world, &body).0, expected);
                assert_eq!(BasicResponse::parse(&body).unwrap().nonce(), nonce);
                // A cache may keep what is good for everybody, and nothing else.
                let for_everybody = nonce.is_none() && expected != Status::Unknown;
                let control = parts.headers[header::CACHE_CONTROL].to_str().unwrap();
                assert_eq!(control != "no-store", for_everybody, "{control}");
            }
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn several_certificates_are_answered_in_one_response() {
    let world = world().await;
    world.register(vec![issued_item(1), issued_item(2)]).await;
    world.revoke(9, 2, RevocationReason::Superseded).await;
    let id = IssuerId::of(world.issuer.ca(AUTHORITY));
    let asked = [serial(3), serial(2), serial(1)];
    let request = write_request(&id, HashAlgorithm::Sha256, &asked, None);
    let (_, body) = post(&world, PLACE, request).await;
    let read = BasicResponse::parse(&body).unwrap();
    let serials: Vec<_> = read.entries().iter().filter_map(|e| e.serial).collect();
    assert_eq!(serials, asked);
    assert!(matches!(read.entries()[0].status, Status::Unknown));
    assert!(matches!(read.entries()[1].status, Status::Revoked { .. }));
    assert!(matches!(read.entries()[2].status, Status::Good));
    world.stop().await;
}

#[tokio::test]
async fn what_is_not_this_ca_keys_and_what_is_no_request_are_refused() {
    let world = world().await;
    world.register(vec![issued_item(1)]).await;
    let good = request(&world, serial(1), None);
    let refusal = |body: &[u8]| match BasicResponse::parse(body) {
        Err(ResponseError::Refused(status)) => status,
        other => panic!("{other:?}"),
    };
    // At the place of another CA, and at that of a key that there is not: unauthorized, which nobody
    // tries again.
    for (place, expected) in [("/ocsp/organization-1", 6), ("/ocsp/application-2", 6)] {
        let (parts, body) = post(&world, place, good.clone()).await;
        assert_eq!((parts.status, refusal(&body)), (StatusCode::OK, expected));
        assert_eq!(parts.headers[header::CACHE_CONTROL], "no-store");
    }
    for malformed in [Vec::new(), vec![0x30, 0], vec![0; LONGEST_REQUEST + 1]] {
        let (parts, body) = post(&world, PLACE, malformed).await;
        assert_eq!((parts.status, refusal(&body)), (StatusCode::OK, 1));
    }
    let (_, body) = send(
        &world,
        axum::http::Request::get(format!("{PLACE}/not*base64")),
        Vec::new(),
    )
    .await;
    assert_eq!(refusal(&body), 1);
    for place in ["/ocsp/nobody-1", "/ocsp/application-01", "/ocsp"] {
        let (parts, _) = post(&world, place, good.clone()).await;
        assert_eq!(parts.status, StatusCode::NOT_FOUND, "{place}");
    }
    for (named, expected) in [
        ("text/plain", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (
            "application/ocsp-requests",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        ("application/ocsp-request; x=y", StatusCode::OK),
        ("Application/OCSP-Request ;x=y", StatusCode::OK),
    ] {
        let named = axum::http::Request::post(PLACE).header(header::CONTENT_TYPE, named);
        let (parts, _) = send(&world, named, good.clone()).await;
        assert_eq!(parts.status, expected);
    }
    world.stop().await;
}

#[tokio::test]
async fn an_answer_is_given_again_until_the_certificate_is_revoked() {
    let world = world().await;
    world.register(vec![issued_item(1)]).await;
    let request = request(&world, serial(1), None);
    let (parts, first) = get(&world, &request).await;
    assert_eq!(
        parts.headers[header::CACHE_CONTROL],
        "no-transform, must-revalidate, public, max-age=3600"
    );
    assert_eq!(
        parts.headers[header::LAST_MODIFIED],
        "Mon, 04 Feb 2008 03:00:00 GMT"
    );
    assert_eq!(
        parts.headers[header::EXPIRES],
        "Mon, 04 Feb 2008 11:00:00 GMT"
    );
    world.clock.advance_seconds(600);
    let (parts, again) = get(&world, &request).await;
    assert_eq!(again, first, "signed once");
    let tag = parts.headers[header::ETAG].clone();
    let known = axum::http::Request::get(path_of(&request)).header(header::IF_NONE_MATCH, &tag);
    let (parts, body) = send(&world, known, Vec::new()).await;
    assert_eq!(parts.status, StatusCode::NOT_MODIFIED);
    assert!(body.is_empty());
    let head = axum::http::Request::head(path_of(&request));
    assert_eq!(
        send(&world, head, Vec::new()).await.0.headers[header::ETAG],
        tag
    );

    world.revoke(9, 1, RevocationReason::Superseded).await;
    let known = axum::http::Request::get(path_of(&request)).header(header::IF_NONE_MATCH, &tag);
    let (parts, body) = send(&world, known, Vec::new()).await;
    assert_eq!(parts.status, StatusCode::OK);
    assert!(matches!(believed(&world, &body).0, Status::Revoked { .. }));
    // A date decides nothing: the answer may have become another within the second.
    let date = &parts.headers[header::LAST_MODIFIED];
    let known = axum::http::Request::get(path_of(&request)).header(header::IF_MODIFIED_SINCE, date);
    let (parts, _) = send(&world, known, Vec::new()).await;
    assert_eq!(parts.status, StatusCode::OK);
    world.stop().await;
}

#[tokio::test]
async fn a_hot_answer_is_signed_anew_before_half_its_time_is_over() {
    let world = world().await;
    world.register(vec![issued_item(1), issued_item(2)]).await;
    let (hot, cold) = (
        request(&world, serial(1), None),
        request(&world, serial(2), None),
    );
    get(&world, &cold).await;
    let first = get(&world, &hot).await.1;
    assert_eq!(get(&world, &hot).await.1, first);
    assert_eq!(world.answerer.desk(CA).unwrap().kept().len(), 2);
    // Eight hours stand, half of that is four, a tenth before it signing begins.
    let near = at("2008-02-04T15:37:00");
    world.clock.set(near);
    world.answerer.refresh(CA).await.unwrap();
    let second = get(&world, &hot).await.1;
    assert_eq!(believed(&world, &second), (Status::Good, near));
    assert_eq!(world.answerer.desk(CA).unwrap().kept().len(), 1);
    // Past half its time an answer is not given even if nobody has signed it anew.
    world.clock.set(near.plus_seconds(4 * 3600));
    let third = get(&world, &hot).await.1;
    assert_eq!(believed(&world, &third).1, near.plus_seconds(4 * 3600));
    world.stop().await;
}

#[tokio::test]
async fn answers_are_recorded_once_a_second_at_most() {
    let world = world().await;
    world.register(vec![issued_item(1)]).await;
    post(&world, PLACE, request(&world, serial(1), Some(&[1; 16]))).await;
    let first = world.eventually(|| async { (recorded(&world.store).await > 0).then_some(()) });
    first.await;
    for n in 2..9 {
        post(&world, PLACE, request(&world, serial(1), Some(&[n; 16]))).await;
    }
    assert_eq!(recorded(&world.store).await, 1, "the second is not over");
    world.clock.advance_seconds(1);
    let all = world.eventually(|| async { (recorded(&world.store).await == 8).then_some(()) });
    all.await;
    world.stop().await;
}

#[tokio::test]
async fn the_responder_is_certified_anew_at_half_of_its_thirty_days() {
    let world = world().await;
    world.register(vec![issued_item(1)]).await;
    let before = world.answerer.desk(CA).unwrap().serial();
    let (_, first) = get(&world, &request(&world, serial(1), None)).await;
    world.issuer.set_today("2008-02-19".parse().unwrap());
    world.clock.set(at("2008-02-18T23:59:58"));
    assert_eq!(world.issuer.responders(), 2);
    world.clock.set(at("2008-02-19T00:00:00"));
    certified(&world, 4).await;
    let changed = async {
        while world.answerer.desk(CA).unwrap().serial() == before {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, changed).await.unwrap();
    let (_, second) = get(&world, &request(&world, serial(1), None)).await;
    let key = |bytes: &[u8]| {
        let read = BasicResponse::parse(bytes).unwrap();
        read.responder().unwrap().key_digest()
    };
    assert_ne!(key(&first), key(&second));
    assert_eq!(status(&world, serial(1)).await, Status::Good);
    world.stop().await;
}

#[tokio::test]
async fn while_the_issuer_is_away_it_says_try_later_and_goes_on_by_itself() {
    let issuer = FakeIssuer::new();
    let world = World::beside(issuer.clone()).await;
    certified(&world, 2).await;
    world.register(vec![issued_item(1)]).await;
    let left = world.stop().await;
    issuer.set_away(true);
    let world = left.start().await;
    let (_, body) = get(&world, &request(&world, serial(1), None)).await;
    let away = BasicResponse::parse(&body).unwrap_err();
    assert_eq!(away, ResponseError::Refused(3));
    issuer.set_away(false);
    let back = async {
        while world.answerer.desk(CA).is_none() {
            world.clock.advance_seconds(1);
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, back).await.unwrap();
    assert_eq!(status(&world, serial(1)).await, Status::Good);
    world.stop().await;
}

#[tokio::test]
async fn a_request_that_the_issuer_gave_up_is_not_repeated_the_next_brings_another_key() {
    let issuer = FakeIssuer::new();
    issuer.give_up(1);
    let world = World::beside(issuer.clone()).await;
    let certified = async {
        while Authority::ALL
            .iter()
            .any(|one| world.answerer.desk(AuthorityKey::new(*one, 1)).is_none())
        {
            world.clock.advance_seconds(1);
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, certified).await.unwrap();
    let requests = issuer.requests();
    assert_eq!(requests.len(), 3);
    let given_up = &requests[0];
    let again = requests[1..]
        .iter()
        .find(|one| one.authority == given_up.authority)
        .unwrap();
    assert_ne!(again.request, given_up.request);
    assert_ne!(again.csr, given_up.csr);
    world.stop().await;
}

#[tokio::test]
async fn a_responder_certified_under_a_clock_that_was_ahead_is_replaced() {
    let issuer = FakeIssuer::new();
    issuer.set_today("2008-03-04".parse().unwrap());
    let left = Left {
        clock: ManualClock::new(at("2008-03-04T12:00:00")),
        issuer: issuer.clone(),
        dir: tempfile::tempdir().unwrap(),
        slots: no_slots(),
    };
    let world = left.start().await;
    world.all_published().await;
    certified(&world, 2).await;
    world.register(vec![issued_item(1)]).await;
    issuer.set_today("2008-02-04".parse().unwrap());
    world.clock.set(at("2008-02-04T12:00:00"));
    let replaced = async {
        while !world
            .answerer
            .desk(CA)
            .is_some_and(|desk| desk.validity().contains(world.clock.now()))
        {
            world.clock.advance_seconds(1);
            tokio::task::yield_now().await;
        }
    };
    // Whoever publishes a CRL hears of the CAs anew, which wakes the certifier.
    world.publish(0).await.unwrap();
    timeout(PATIENCE, replaced).await.unwrap();
    assert_eq!(status(&world, serial(1)).await, Status::Good);
    assert!(world.clock.now() < at("2008-03-04T00:00:00"));
    world.stop().await;
}

#[tokio::test]
async fn a_responder_certified_by_a_clock_that_lags_by_weeks_is_not_replaced_over_and_over() {
    let issuer = FakeIssuer::new();
    issuer.set_today("2008-02-04".parse().unwrap());
    let left = Left {
        // Its thirty days are not over, but half of them are.
        clock: ManualClock::new(at("2008-02-24T12:00:00")),
        issuer: issuer.clone(),
        dir: tempfile::tempdir().unwrap(),
        slots: no_slots(),
    };
    let world = left.start().await;
    certified(&world, 2).await;
    world.clock.advance_seconds(60);
    let rest = world.clock.now().plus_seconds(60);
    let asleep = async {
        while !world.clock.has_sleeper(rest) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, asleep).await.unwrap();
    assert_eq!(issuer.responders(), 4, "once more after a minute");
    world.stop().await;
}

#[tokio::test]
async fn what_was_revoked_by_a_clock_that_was_ahead_was_revoked_by_the_time_of_the_answer() {
    let world = world().await;
    world.register(vec![issued_item(1)]).await;
    world.clock.set(at("2008-02-04T14:00:00"));
    world.revoke(9, 1, RevocationReason::Superseded).await;
    let now = at("2008-02-04T12:30:00");
    world.clock.set(now);
    let (_, body) = get(&world, &request(&world, serial(1), None)).await;
    let revoked = Status::Revoked {
        at: now,
        reason: RevocationReason::Superseded,
    };
    assert_eq!(believed(&world, &body), (revoked, now));
    world.stop().await;
}

#[tokio::test]
async fn a_responder_whose_certificate_was_revoked_is_replaced() {
    let world = world().await;
    let desk = world.answerer.desk(CA).unwrap();
    let own = crate::ports::IssuedCertificate {
        serial: desk.serial(),
        ..issued(50)
    };
    let told: Vec<FeedItem> = vec![item(own, 50)];
    world.register(told).await;
    let order = crate::ports::RevocationOrder {
        serial: desk.serial(),
        ..crate::testing::order(9, 50, RevocationReason::KeyCompromise)
    };
    let done = world.store.revoke(vec![order], world.clock.now()).await;
    assert!(done.unwrap()[0].is_ok());
    let replaced = async {
        while world.answerer.desk(CA).unwrap().serial() == desk.serial() {
            world.clock.advance_seconds(1);
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, replaced).await.unwrap();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_believes_the_running_responder() {
    let Some(openssl) = tool("openssl", "openssl") else {
        return;
    };
    let world = world().await;
    world.register(vec![issued_item(1), issued_item(2)]).await;
    world.revoke(9, 2, RevocationReason::KeyCompromise).await;
    let dir = tempfile::tempdir().unwrap();
    let certificate = world.issuer.ca(AUTHORITY).certificate();
    let text = pem::encode(pem::Label::Certificate, certificate).unwrap();
    std::fs::write(dir.path().join("ca.pem"), text).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{PLACE}", listener.local_addr().unwrap());
    let (trigger, shutdown) = shutdown::channel();
    let clock: Arc<dyn Clock> = Arc::new(world.clock.clone());
    let public = Public::new(world.files.clone(), Arc::clone(&world.answerer), clock);
    let serving = tokio::spawn(http::serve(listener, public, Limits::new(8), shutdown));
    let ask = |n: u32, extra: &[&str]| {
        let mut command = openssl.command();
        command.current_dir(dir.path());
        command.args(["ocsp", "-CAfile", "ca.pem", "-issuer", "ca.pem"]);
        // The answers are of 2008, and so is the clock that they are right by.
        command.args(["-no_check_time", "-validity_period", "1000000000"]);
        command.args(extra);
        command.args(["-serial", &format!("0x{}", serial(n))]);
        let run = tokio::task::spawn_blocking(move || command.output().unwrap());
        async move {
            let output = run.await.unwrap();
            [output.stdout, output.stderr]
                .map(|text| String::from_utf8_lossy(&text).into_owned())
                .concat()
        }
    };
    for (n, state) in [(1, "good"), (2, "revoked"), (3, "unknown")] {
        for extra in [&["-no_nonce"][..], &["-nonce"], &["-no_nonce", "-sha256"]] {
            // The hash is named before the certificate it is for.
            let text = ask(n, &[&extra[1..], &["-url", &url, extra[0]]].concat()).await;
            assert!(text.contains("Response verify OK"), "{text}");
            assert!(text.contains(&format!(": {state}")), "{state}: {text}");
            assert!(!text.contains("no nonce in response"), "{text}");
            assert_eq!(n == 2, text.contains("keyCompromise"), "{text}");
        }
    }
    // And by GET, of a request that openssl wrote.
    ask(1, &["-no_nonce", "-reqout", "request.der"]).await;
    let request = std::fs::read(dir.path().join("request.der")).unwrap();
    let (_, response) = get(&world, &request).await;
    std::fs::write(dir.path().join("response.der"), response).unwrap();
    let text = ask(1, &["-no_nonce", "-respin", "response.der"]).await;
    assert!(
        text.contains("Response verify OK") && text.contains(": good"),
        "{text}"
    );
    trigger.request();
    serving.await.unwrap();
    world.stop().await;
}
