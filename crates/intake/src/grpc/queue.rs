//! QueueService.

use std::collections::BTreeMap;

use lgpki_domain::order::{Class, FairRules};
use lgpki_proto::{
    convert,
    v1::{self, queue_service_server::QueueService},
};
use lgpki_runtime::rpc::Rpc;
use tonic::{Request, Response, Status, async_trait};

use super::{Handlers, encode, id};
use crate::ports::{IntakeStore, QueueLook, Waits};

#[async_trait]
impl<S: IntakeStore> QueueService for Handlers<S> {
    async fn explain_queue(
        &self,
        request: Request<v1::ExplainQueueRequest>,
    ) -> Result<Response<v1::ExplainQueueResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let id = id(&rpc, &request.get_ref().id)?;
        let told = self.app.explain(rpc.caller(), id).await;
        let told = told.map_err(|error| rpc.refuse(error))?;
        let mut answer = v1::ExplainQueueResponse {
            id: id.to_string(),
            estimate: told.application.estimate.map(encode::estimate),
            words: told.words,
            as_of: told.as_of.to_string(),
            ..v1::ExplainQueueResponse::default()
        };
        if let Some(place) = told.place {
            answer.queue = name(place.queue);
            answer.order = String::from(self.app.pace().order().name());
            answer.waiting = count(place.waiting);
            answer.ahead = count(place.ahead);
            answer.about = place.about;
            answer.ahead_by_class = classes(&place.ahead_by_class);
            answer.class = String::from(place.class.name());
            answer.expires = convert::text_or_empty(place.expires);
            if let Some(standing) = place.standing {
                answer.overdue_from = standing.patience_ends.to_string();
                answer.overdue_every = FairRules::default().overdue_every.into();
                answer.of_branch = count(standing.of_branch);
                answer.weight = standing.weight;
                answer.weights = standing.weights;
            }
        }
        Ok(Response::new(answer))
    }

    async fn get_queues(
        &self,
        request: Request<v1::GetQueuesRequest>,
    ) -> Result<Response<v1::GetQueuesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let seen = self.app.queues().await.map_err(|error| rpc.refuse(error))?;
        let capacity = self.app.pace().capacity();
        let at_risk_until = seen.queues[0].1.at_risk_until;
        let shown = seen.queues.iter();
        let queues = shown.map(|(waits, look, clears)| v1::Queue {
            clears: if look.waiting == 0 {
                String::new()
            } else {
                clears.to_string()
            },
            ..queue(*waits, look)
        });
        let errors = seen.errors.iter().map(|errors| v1::EstimateErrors {
            queue: name(errors.queue),
            missed: errors.missed,
            held: errors.held,
            p50_ms: errors.p50,
            p95_ms: errors.p95,
        });
        Ok(Response::new(v1::GetQueuesResponse {
            queues: queues.collect(),
            order: self.app.pace().order().name().to_owned(),
            per_business_day: capacity.per_business_day(),
            signatures_per_second: capacity.signatures_per_second(),
            at_risk_until: convert::text_or_empty(at_risk_until),
            errors: errors.collect(),
            as_of: seen.as_of.to_string(),
        }))
    }
}

fn queue(waits: Waits, look: &QueueLook) -> v1::Queue {
    v1::Queue {
        name: name(waits),
        waiting: count(look.waiting),
        by_class: classes(&look.by_class),
        oldest: convert::text_or_empty(look.oldest),
        clears: String::new(),
    }
}

fn name(waits: Waits) -> i32 {
    match waits {
        Waits::Examination => v1::QueueName::Examination,
        Waits::Issue => v1::QueueName::Issue,
    }
    .into()
}

fn classes(counts: &BTreeMap<Class, usize>) -> Vec<v1::QueueClass> {
    let class = |(class, n): (&Class, &usize)| v1::QueueClass {
        class: class.name().to_owned(),
        count: count(*n),
    };
    counts.iter().map(class).collect()
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
