//! After a run: is everything there that was acknowledged?

use std::{sync::Arc, time::Duration};

use indicatif::ProgressBar;
use lgpki_proto::{RemoteError, v1};
use lgpki_surge::LoadBooks;
use tokio::{task::JoinSet, time::sleep};

use super::drive::{Drive, Sent};
use crate::{commands::application::spell, error::CommandError};

/// Looks at once.
const AT_ONCE: usize = 64;
/// How often a look is tried while the service is away or busy, and how long it waits between.
const TRIES: u32 = 30;
const AGAIN: Duration = Duration::from_secs(1);

/// What one look found.
enum Found {
    /// It is there, in this state.
    There { state: String, request_id: String },
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
    let acknowledged = sent.acknowledged.iter().map(|(desk, id, request_id)| {
        let request = v1::GetApplicationRequest {
            id: id.clone(),
            ..Default::default()
        };
        (*desk, request, Some((id.clone(), request_id.clone())))
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

/// The number and request id under which an application was acknowledged.
type Known = Option<(String, String)>;
type Looked = (Result<Found, CommandError>, Known);

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
        (Found::There { state, request_id }, Some((id, expected))) => {
            *books.states.entry(state).or_default() += 1;
            if request_id != expected {
                books.missing.push(id);
            }
        }
        (Found::Not, Some((id, _))) => books.missing.push(id),
        (Found::There { .. }, None) => books.unanswered_that_arrived += 1,
        (Found::Not, None) => {}
    }
    Ok(())
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
                let state = application.state().as_str_name();
                return Ok(Found::There {
                    state: spell(state, "APPLICATION_STATE_"),
                    request_id: application.request_id,
                });
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
