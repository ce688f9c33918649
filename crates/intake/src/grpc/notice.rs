//! NoticeService for officers: lifecycle's notices, confined to what the caller may see.

use std::time::Duration;

use lgpki_proto::{
    Failure,
    v1::{self, notice_service_server::NoticeService},
};
use lgpki_runtime::rpc::Rpc;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, async_trait};

use super::{
    Handlers,
    certificate::{confine, fresh, relayed},
    feed::{self, Feed},
};
use crate::{peers::within_deadline, ports::IntakeStore};

/// Messages that may wait for a slow reader.
const BUFFERED: usize = 8;

type Message = v1::WatchNoticesResponse;

#[async_trait]
impl<S: IntakeStore> NoticeService for Handlers<S> {
    async fn list_notices(
        &self,
        request: Request<v1::ListNoticesRequest>,
    ) -> Result<Response<v1::ListNoticesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let mut request = request.into_inner();
        confine(&rpc, &mut request.branch)?;
        let mut notices = self.app.peers().notices();
        let answer = notices.list_notices(within_deadline(request)).await;
        answer.map(fresh).map_err(|status| relayed(&rpc, &status))
    }

    type WatchNoticesStream = Feed<Message>;

    async fn watch_notices(
        &self,
        request: Request<v1::WatchNoticesRequest>,
    ) -> Result<Response<Self::WatchNoticesStream>, Status> {
        let rpc = Rpc::of(&request)?;
        let mut request = request.into_inner();
        confine(&rpc, &mut request.branch)?;
        let asked = v1::ListNoticesRequest {
            branch: request.branch,
            since: request.since,
            cursor: request.cursor,
            page_size: 0,
            from_now: true,
        };
        let (sender, ending, feed) = feed::channel(BUFFERED);
        let handlers = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                ended = handlers.tell(&rpc, asked, &sender) => ending.set(ended),
                () = sender.closed() => {}
                () = handlers.shutdown.requested() => {
                    let message = "the service is stopping; watch again shortly";
                    let failure = Failure::unavailable("SHUTTING_DOWN", message, Duration::from_secs(1));
                    ending.set(rpc.refuse(failure));
                }
            }
        });
        Ok(Response::new(feed))
    }
}

impl<S: IntakeStore> Handlers<S> {
    /// Sends each page, and asks for the next whenever the branch's bell has rung.
    async fn tell(
        &self,
        rpc: &Rpc,
        mut asked: v1::ListNoticesRequest,
        sender: &mpsc::Sender<Vec<Message>>,
    ) -> Status {
        let mut bell = self.app.peers().bells().hear(&asked.branch);
        let mut greeted = false;
        loop {
            bell.mark_unchanged();
            let mut notices = self.app.peers().notices();
            let page = match notices.list_notices(within_deadline(asked.clone())).await {
                Ok(page) => page.into_inner(),
                Err(status) => return relayed(rpc, &status),
            };
            asked.cursor.clone_from(&page.next_cursor);
            if !greeted || !page.notices.is_empty() {
                greeted = true;
                let message = Message {
                    notices: page.notices,
                    next_cursor: page.next_cursor,
                };
                if sender.send(vec![message]).await.is_err() {
                    return Status::cancelled("the watcher left");
                }
            }
            if page.caught_up && bell.changed().await.is_err() {
                return Status::cancelled("nothing rings any more");
            }
        }
    }
}
