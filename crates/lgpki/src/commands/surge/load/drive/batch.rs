//! Many applications of one office in one stream: each is admitted by itself and has an answer of its own, so that some
//! may be acknowledged while others are told when to come back, each at its own time.

use std::{collections::HashMap, sync::Arc};

use lgpki_proto::{
    RemoteError,
    v1::{self, submit_applications_response::Outcome},
};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};
use tonic::Status;

use super::{Drive, Times, Wish, is_too_early};

/// What is under way of a batch.
struct Batch {
    times: Times,
    /// What was not answered yet, by request id.
    waiting: HashMap<String, Wish>,
    /// What comes back by itself.
    later: JoinSet<()>,
}

impl Drive {
    /// Sends them together; whoever is told to come back does, by itself.
    pub(super) async fn stream(self: &Arc<Self>, items: Vec<Wish>, due: Instant) {
        let requests: Vec<_> = items
            .iter()
            .map(|wish| v1::SubmitApplicationsRequest {
                application: Some(wish.request.clone()),
            })
            .collect();
        let named = |wish: Wish| (wish.request.request_id.clone(), wish);
        let permit = self.in_flight.acquire().await;
        let mut batch = Batch {
            times: Times {
                due,
                sent: Instant::now(),
                came_back: false,
            },
            waiting: items.into_iter().map(named).collect(),
            later: JoinSet::new(),
        };
        let ended = timeout(self.patience, self.converse(requests, &mut batch)).await;
        drop(permit);
        // For all that was not answered.
        let refused = match ended {
            Ok(Ok(())) => Some(Status::unknown("the stream ended without an answer").into()),
            Ok(Err(refused)) => Some(refused),
            Err(_) => None,
        };
        for wish in std::mem::take(&mut batch.waiting).into_values() {
            self.answered(&mut batch, wish, refused.clone().map(Err));
        }
        while batch.later.join_next().await.is_some() {}
    }

    async fn converse(
        self: &Arc<Self>,
        requests: Vec<v1::SubmitApplicationsRequest>,
        batch: &mut Batch,
    ) -> Result<(), RemoteError> {
        let desk = batch.waiting.values().next();
        let Some(desk) = desk.and_then(|wish| self.desks.get(wish.desk)) else {
            return Ok(());
        };
        let mut client = desk.applications();
        let call = client.submit_applications(tokio_stream::iter(requests));
        let mut answers = call.await?.into_inner();
        while let Some(answer) = answers.message().await? {
            let outcome = match answer.outcome {
                Some(Outcome::Accepted(accepted)) => Ok(accepted),
                Some(Outcome::Refused(refusal)) => Err(RemoteError::from(refusal)),
                None => continue,
            };
            if let Some(wish) = batch.waiting.remove(&answer.request_id) {
                self.answered(batch, wish, Some(outcome));
            }
        }
        Ok(())
    }

    fn answered(self: &Arc<Self>, batch: &mut Batch, wish: Wish, answer: super::Answer) {
        let next = match &answer {
            Some(Err(refused)) if is_too_early(&wish, refused) => Some((batch.times.due, false)),
            _ => {
                let back = self.note(&wish, batch.times, answer);
                back.map(|back| (back, true))
            }
        };
        if let Some(next) = next {
            let drive = self.clone();
            batch
                .later
                .spawn(async move { drive.pursue(wish, next).await });
        }
    }
}
