//! What is urgent does not wait for all that is due.

use lgpki_domain::{CrlOptions, CrlScope, RevocationReason::KeyCompromise};
use tower::ServiceExt as _;

use super::*;
use crate::{
    ports::IssuedCertificate,
    testing::{issued, item},
};

const PARTITIONS: u16 = 11;

#[tokio::test]
async fn a_key_compromise_amid_the_daily_crls_is_published_next() {
    let options = CrlOptions {
        partitions: PARTITIONS,
        delta: false,
    };
    let world = World::beside(FakeIssuer::publishing(options)).await;
    let scope = options.scope_of(serial(1));
    assert_eq!(scope, CrlScope::Partition(8));
    let of_the_eighth = IssuedCertificate { scope, ..issued(1) };
    world.register(vec![item(of_the_eighth, 1)]).await;
    let before = world.issuer.asked().len();
    world.issuer.hold();
    world.clock.set(at("2008-02-05T09:15:00"));
    let asked = async |count| {
        let asked = async {
            while world.issuer.asked().len() < before + count {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, asked).await.unwrap();
    };
    asked(1).await;
    world.revoke(100, 1, KeyCompromise).await;
    world.issuer.let_on(1);
    asked(2).await;
    let key = series(AUTHORITY).key;
    let urgent = CrlSeries { key, scope };
    assert_eq!(world.issuer.asked()[before + 1].series, urgent);
    // All the others follow.
    world.issuer.let_on(100);
    let options = world.issuer.ca(AUTHORITY).crl_options();
    for authority in Authority::ALL {
        for scope in options.scopes() {
            let key = series(authority).key;
            world.series_reached(CrlSeries { key, scope }, 2).await;
        }
    }
    // There is no list of all, and whoever asks for it is not told to wait.
    for (path, words) in [
        ("/crl/application-1.crl", "is never published"),
        ("/crl/application-1-p12.crl", "is not published"),
    ] {
        let request = axum::http::Request::get(path).body(axum::body::Body::empty());
        let answer = world.public().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), axum::http::StatusCode::NOT_FOUND);
        let body = axum::body::to_bytes(answer.into_body(), 10_000)
            .await
            .unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains(words), "{text}");
        assert_eq!(
            text.contains("such as /crl/application-1-p01.crl"),
            words.contains("never")
        );
    }
    world.stop().await;
}
