//! Notices over the service's clock: a stream sleeps until the next one, and goes on after a break.

use lgpki_domain::RevocationReason::Superseded;
use lgpki_proto::v1::notice_service_server::NoticeService as _;
use tokio_stream::StreamExt as _;

use super::*;
use crate::testing::issued_item;

type Stream = tokio_stream::wrappers::ReceiverStream<Result<v1::WatchNoticesResponse, Status>>;

async fn watch(world: &World, cursor: &str) -> Stream {
    let request = from_intake(v1::WatchNoticesRequest {
        branch: "01001".to_owned(),
        cursor: cursor.to_owned(),
        ..v1::WatchNoticesRequest::default()
    });
    let stream = world.handlers.watch_notices(request).await;
    stream.unwrap().into_inner()
}

async fn next(stream: &mut Stream) -> v1::WatchNoticesResponse {
    timeout(PATIENCE, stream.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap()
}

fn told(message: &v1::WatchNoticesResponse) -> Vec<(v1::NoticeKind, &str)> {
    message
        .notices
        .iter()
        .map(|n| (n.kind(), n.at.as_str()))
        .collect()
}

#[tokio::test]
async fn a_stream_tells_what_time_brings_and_what_is_revoked_and_goes_on_after_a_break() {
    let world = World::new().await;
    let mut stream = watch(&world, "").await;
    assert_eq!(told(&next(&mut stream).await), []);
    // A certificate that arrives while the stream sleeps.
    world.register(vec![issued_item(1)]).await;
    world.clock.set(at("2008-02-05T12:00:00"));
    world.clock.set(at("2010-08-03T00:00:00"));
    let entered = next(&mut stream).await;
    assert_eq!(
        told(&entered),
        [(
            v1::NoticeKind::EntersWindow,
            "2010-08-03T00:00:00.000+09:00"
        )]
    );
    drop(stream);
    world.revoke(100, 1, Superseded).await;
    let mut stream = watch(&world, &entered.next_cursor).await;
    let revoked = next(&mut stream).await;
    assert_eq!(
        told(&revoked),
        [(v1::NoticeKind::Revoked, "2010-08-03T00:00:00.000+09:00")]
    );
    let certificate = revoked.notices[0].certificate.as_ref().unwrap();
    assert_eq!(certificate.state(), v1::CertificateState::Revoked);
    assert_eq!(
        certificate.revocation_reason(),
        v1::RevocationReason::Superseded
    );
    let asked = v1::ListNoticesRequest {
        cursor: "x".to_owned(),
        since: "y".to_owned(),
        ..v1::ListNoticesRequest::default()
    };
    let refused = world.handlers.list_notices(from_intake(asked)).await;
    let refused = lgpki_proto::RemoteError::from(refused.unwrap_err());
    let fields: Vec<_> = refused.faults.iter().map(|f| f.field.as_str()).collect();
    assert_eq!(fields, ["since", "cursor"]);
    world.stop().await;
}
