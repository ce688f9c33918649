//! Notices: relayed from lifecycle, to each officer those of the own branch.

use lgpki_domain::{BodyCode, OfficerRole};
use lgpki_proto::{
    RemoteError,
    v1::{self, notice_service_server::NoticeService},
};
use tokio_stream::{StreamExt as _, wrappers::WatchStream};
use tonic::{Code, Request, Response, Status, async_trait};

use crate::{
    fakes::{Answers, World},
    scene::{Scene, hakodate, sapporo},
};

#[async_trait]
impl NoticeService for World {
    /// The cursor is the place in the list of all notices.
    async fn list_notices(
        &self,
        request: Request<v1::ListNoticesRequest>,
    ) -> Result<Response<v1::ListNoticesResponse>, Status> {
        let asked = request.into_inner();
        let known = self.known();
        let end = known.notices.len();
        let from = match asked.cursor.as_str() {
            "" if asked.from_now => end,
            "" => 0,
            cursor => cursor
                .parse()
                .map_err(|_| Status::invalid_argument("cursor"))?,
        };
        let own = |n: &&v1::Notice| {
            let branch = n.certificate.as_ref().map(|c| c.branch.as_str());
            asked.branch.is_empty() || branch == Some(asked.branch.as_str())
        };
        Ok(Response::new(v1::ListNoticesResponse {
            notices: known.notices[from..].iter().filter(own).cloned().collect(),
            next_cursor: end.to_string(),
            caught_up: true,
            next_at: String::new(),
        }))
    }

    type WatchNoticesStream = Answers<v1::WatchNoticesResponse>;

    async fn watch_notices(
        &self,
        _: Request<v1::WatchNoticesRequest>,
    ) -> Result<Response<Self::WatchNoticesStream>, Status> {
        let world = self.clone();
        let stream = WatchStream::new(self.told.subscribe()).map(move |_| {
            let notices = world.known().notices.clone();
            let next_cursor = notices.len().to_string();
            Ok(v1::WatchNoticesResponse {
                notices,
                next_cursor,
            })
        });
        Ok(Response::new(Box::pin(stream)))
    }
}

fn notice(branch: BodyCode, serial: &str) -> v1::Notice {
    v1::Notice {
        kind: v1::NoticeKind::Revoked.into(),
        certificate: Some(v1::Certificate {
            serial: serial.to_owned(),
            branch: branch.to_string(),
            ..v1::Certificate::default()
        }),
        ..v1::Notice::default()
    }
}

fn serials(notices: &[v1::Notice]) -> Vec<&str> {
    let certificates = notices.iter().filter_map(|n| n.certificate.as_ref());
    certificates.map(|c| c.serial.as_str()).collect()
}

#[tokio::test]
async fn officers_are_told_of_their_own_branch_and_operators_of_all() {
    let scene = Scene::new().await;
    let tell = |notices: Vec<v1::Notice>| {
        scene.world.known().notices.extend(notices);
        scene.world.tell();
    };
    tell(vec![notice(hakodate(), "1")]);
    let other = scene.officer(OfficerRole::BranchOfficer, hakodate(), 30);
    let watch = other
        .notices()
        .watch_notices(v1::WatchNoticesRequest::default())
        .await;
    let mut stream = watch.unwrap().into_inner();
    let first = stream.message().await.unwrap().unwrap();
    assert_eq!((first.notices.len(), first.next_cursor.as_str()), (0, "1"));
    tell(vec![notice(sapporo(), "2")]);
    tell(vec![notice(sapporo(), "3"), notice(hakodate(), "4")]);
    let next = stream.message().await.unwrap().unwrap();
    assert_eq!(serials(&next.notices), ["4"]);

    let all = v1::ListNoticesRequest::default();
    let own = other.notices().list_notices(all.clone()).await.unwrap();
    assert_eq!(serials(&own.into_inner().notices), ["1", "4"]);
    let operator = scene.officer(OfficerRole::Operator, sapporo(), 20);
    let seen = operator.notices().list_notices(all).await.unwrap();
    assert_eq!(serials(&seen.into_inner().notices), ["1", "2", "3", "4"]);
    let foreign = v1::WatchNoticesRequest {
        branch: sapporo().to_string(),
        ..v1::WatchNoticesRequest::default()
    };
    let refused = other.notices().watch_notices(foreign).await.unwrap_err();
    let refused = RemoteError::from(refused);
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (Code::PermissionDenied, "BRANCH_NOT_YOURS")
    );
}
