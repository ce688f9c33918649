//! After a run: is everything there that was acknowledged?

use std::{sync::Arc, time::Duration};

use indicatif::ProgressBar;
use lgpki_proto::{RemoteError, v1};
use lgpki_surge::{Act, LoadBooks};
use tokio::{task::JoinSet, time::sleep};

use super::drive::{Acknowledged, Drive, Sent};
use crate::{commands::application::spell, error::CommandError};

/// Looks at once.
const AT_ONCE: usize = 64;
/// How often a look is tried while the service is away or busy, and how long it waits between.
const TRIES: u32 = 30;
const AGAIN: Duration = Duration::from_secs(1);

/// What one look found.
enum Found {
    /// It is there.
    There(Box<v1::Application>),
    /// There is no such application.
    Not,
}

/// Looks at every application that was acknowledged, and for those that were not answered.
pub(super) async fn balance(
    drive: &Arc<Drive>,
    sent: &Sent,
    bar: &ProgressBar,
) -> Result<LoadBooks, CommandError> {
    let mut books = LoadBooks {
        acknowledged: sent.acknowledged.len() as u64,
        unanswered: sent.unanswered.len() as u64,
        ..LoadBooks::default()
    };
    let mut looks = JoinSet::new();
    let acknowledged = sent.acknowledged.iter().map(|told| {
        let request = v1::GetApplicationRequest {
            id: told.id.clone(),
            ..Default::default()
        };
        (told.desk, request, Some(told.clone()))
    });
    let unanswered = sent.unanswered.iter().filter_map(|(desk, request_id)| {
        let request = v1::GetApplicationRequest {
            branch: drive.desks.get(*desk)?.branch.clone(),
            request_id: request_id.clone(),
            ..Default::default()
        };
        Some((*desk, request, None))
    });
    for (desk, request, known) in acknowledged.chain(unanswered) {
        if looks.len() >= AT_ONCE {
            settle(looks.join_next().await, &mut books)?;
            bar.inc(1);
        }
        let drive = drive.clone();
        looks.spawn(async move { (look(&drive, desk, request).await, known) });
    }
    while !looks.is_empty() {
        settle(looks.join_next().await, &mut books)?;
        bar.inc(1);
    }
    books.missing.sort();
    Ok(books)
}

/// What was found, and what had been acknowledged.
type Looked = (Result<Found, CommandError>, Option<Acknowledged>);

fn settle(
    looked: Option<Result<Looked, tokio::task::JoinError>>,
    books: &mut LoadBooks,
) -> Result<(), CommandError> {
    let Some(looked) = looked else {
        return Ok(());
    };
    let (found, known) =
        looked.map_err(|e| CommandError::from_error("looking at what was acknowledged", &e))?;
    match (found?, known) {
        (Found::There(application), Some(told)) => {
            let state = spell(application.state().as_str_name(), "APPLICATION_STATE_");
            let states = books.states_by_act.entry(told.act.name()).or_default();
            *states.entry(state.clone()).or_default() += 1;
            *books.states.entry(state).or_default() += 1;
            if !is_as_sent(&application, &told) {
                books.missing.push(told.id);
            }
        }
        (Found::Not, Some(told)) => books.missing.push(told.id),
        (Found::There(_), None) => books.unanswered_that_arrived += 1,
        (Found::Not, None) => {}
    }
    Ok(())
}

/// Whether it is what was sent under this request id: a renewal of the same certificate, for one.
fn is_as_sent(application: &v1::Application, told: &Acknowledged) -> bool {
    let sort = match told.act {
        Act::Issue => v1::ApplicationSort::Issue,
        Act::Renew => v1::ApplicationSort::Renew,
        Act::Revoke => v1::ApplicationSort::Revoke,
    };
    application.request_id == told.request_id
        && application.sort() == sort
        && application.renewed_serial == told.renews
}

async fn look(
    drive: &Drive,
    desk: usize,
    request: v1::GetApplicationRequest,
) -> Result<Found, CommandError> {
    let Some(desk) = drive.desks.get(desk) else {
        return Ok(Found::Not);
    };
    let mut tries = 0;
    loop {
        let status = match desk.applications().get_application(request.clone()).await {
            Ok(answer) => {
                let application = answer.into_inner().application.unwrap_or_default();
                return Ok(Found::There(Box::new(application)));
            }
            Err(status) if status.code() == tonic::Code::NotFound => return Ok(Found::Not),
            Err(status) => RemoteError::from(status),
        };
        tries += 1;
        if tries >= TRIES || !status.may_be_tried_again() {
            return Err(CommandError::from(status).during("looking at what was acknowledged"));
        }
        sleep(AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_what_was_sent_or_it_is_missing() {
        let told = Acknowledged {
            desk: 0,
            id: String::from("01"),
            request_id: String::from("load-1"),
            act: Act::Renew,
            renews: String::from("ab"),
        };
        let application = v1::Application {
            request_id: String::from("load-1"),
            sort: v1::ApplicationSort::Renew.into(),
            renewed_serial: String::from("ab"),
            ..Default::default()
        };
        assert!(is_as_sent(&application, &told));
        let wrong = [
            v1::Application {
                renewed_serial: String::from("ac"),
                ..application.clone()
            },
            v1::Application {
                sort: v1::ApplicationSort::Issue.into(),
                ..application.clone()
            },
            v1::Application {
                request_id: String::from("load-2"),
                ..application
            },
        ];
        assert!(wrong.iter().all(|wrong| !is_as_sent(wrong, &told)));
    }
}
