//! The witness's door: HTTP in, a decision of the book, HTTP out, and a line for whoever watches.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use lgpki_domain::Clock;
use lgpki_ledger::{
    NoteSigner, Submission, VerifierKey, WitnessKey,
    witness::{ADD_CHECKPOINT, Book, Cosigned, Refused, SHOWN, SIZE_TYPE, Unsigned, show},
};
use lgpki_runtime::error::chain;
use serde_json::json;

use super::{lines::Lines, time};
use crate::output::Output;

/// Bytes of a request: a checkpoint with a hundred signatures and the longest proof.
const MOST: usize = 64 * 1024;
/// How long a request's body may take.
const PATIENCE: Duration = Duration::from_secs(10);
const TEXT: &str = "text/plain; charset=utf-8";

/// What cosigning takes.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) key: WitnessKey,
    pub(super) book: Mutex<Book>,
    pub(super) logs: Vec<VerifierKey>,
    pub(super) signer: Arc<dyn NoteSigner>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) output: Output,
    pub(super) lines: Mutex<Lines>,
}

/// What is answered.
struct Answer {
    status: StatusCode,
    kind: &'static str,
    body: String,
    /// What was cosigned last, where that contradicts what was sent.
    shown: Option<String>,
}

pub(super) fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route(&format!("/{ADD_CHECKPOINT}"), post(add_checkpoint))
        .route("/vkey", get(vkey))
        .with_state(desk)
}

async fn vkey(State(desk): State<Arc<Desk>>) -> Response {
    let key = &desk.key;
    ([(header::CONTENT_TYPE, TEXT)], format!("{key}\n")).into_response()
}

async fn add_checkpoint(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let body = axum::body::to_bytes(request.into_body(), MOST);
    let answer = match tokio::time::timeout(PATIENCE, body).await {
        Err(_) => plain(
            StatusCode::REQUEST_TIMEOUT,
            "the request did not come in time",
        ),
        Ok(Err(_)) => plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the request is too long or broke off",
        ),
        Ok(Ok(body)) => {
            let deciding = tokio::task::spawn_blocking(move || desk.answer(&body));
            deciding.await.unwrap_or_else(|_| {
                plain(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the witness failed; see its output",
                )
            })
        }
    };
    let kind = [(header::CONTENT_TYPE, answer.kind)];
    let shown = answer.shown.map(|shown| [(SHOWN, shown)]);
    match shown {
        Some(shown) => (answer.status, kind, shown, answer.body).into_response(),
        None => (answer.status, kind, answer.body).into_response(),
    }
}

fn plain(status: StatusCode, said: &str) -> Answer {
    of(status, TEXT, format!("{said}\n"))
}

const fn of(status: StatusCode, kind: &'static str, body: String) -> Answer {
    Answer {
        status,
        kind,
        body,
        shown: None,
    }
}

impl Desk {
    /// Decides, and tells whoever watches.
    fn answer(&self, body: &[u8]) -> Answer {
        let read = std::str::from_utf8(body).ok().map(str::parse::<Submission>);
        let submission = match read {
            Some(Ok(submission)) => submission,
            Some(Err(error)) => return plain(StatusCode::BAD_REQUEST, &error.to_string()),
            None => return plain(StatusCode::BAD_REQUEST, "the request is not UTF-8"),
        };
        let Ok(now) = u64::try_from(self.clock.now().as_seconds()) else {
            let said = "the witness's clock shows a time before 1970";
            return plain(StatusCode::INTERNAL_SERVER_ERROR, said);
        };
        let (decided, last) = {
            let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
            let decided = book.cosign(&submission, &self.logs, now, self.signer.as_ref());
            let last = decided.is_err().then(|| book.last(&submission).map(show));
            (decided, last.flatten())
        };
        match decided {
            Ok(cosigned) => {
                if !cosigned.repeated {
                    self.tell_cosigned(&cosigned);
                }
                of(StatusCode::OK, TEXT, format!("{}\n", cosigned.signature))
            }
            Err(Unsigned::Refused(refused)) => {
                self.tell_refused(&submission, &refused, now);
                let status = StatusCode::from_u16(refused.status());
                let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let answer = match refused.known() {
                    Some(known) => of(status, SIZE_TYPE, format!("{known}\n")),
                    None => plain(status, &chain(&refused)),
                };
                let shown = last.filter(|_| refused.contradicts());
                Answer { shown, ..answer }
            }
            Err(Unsigned::Unrecorded(error)) => {
                let value = json!({ "event": "failed", "error": chain(&error) });
                self.output
                    .item(&value, || format!("NOT COSIGNED: {}", chain(&error)));
                let said = "the cosignature could not be recorded";
                plain(StatusCode::INTERNAL_SERVER_ERROR, said)
            }
        }
    }

    fn tell_cosigned(&self, cosigned: &Cosigned) {
        let (origin, now) = (&cosigned.origin, &cosigned.now);
        let before = cosigned.before.map(|before| before.size);
        let at = time(now.time).to_string();
        let value = json!({
            "event": "cosigned", "log": origin.to_string(), "size": now.size,
            "root": lgpki_domain::Digest(now.root).to_string(), "before": before, "time": at,
        });
        self.output.item(&value, || {
            let more = match before {
                None => String::from("for the first time"),
                Some(before) if before == now.size => String::from("again"),
                Some(before) => format!("{} more", now.size - before),
            };
            format!("{at}  cosigned {origin}: {} entries, {more}", now.size)
        });
    }

    /// Tells of what a log's own key signed and should not have, or may not have. What only a stranger
    /// sends, and the asking for a size, is no news.
    fn tell_refused(&self, submission: &Submission, refused: &Refused, now: u64) {
        let unproved = matches!(
            refused,
            Refused::Rollback { .. } | Refused::NotContinued { .. }
        );
        if !refused.is_evidence() && !unproved {
            return;
        }
        let text = submission.note.text();
        let log = text.lines().next().unwrap_or_default();
        // Each fork is told of; what anybody can send, once for each log.
        let subject = match refused {
            fork if fork.is_evidence() => text.to_owned(),
            other => format!("{log} {}", other.name()),
        };
        let told = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.tell(subject, now)
        };
        let Some(untold) = told else {
            return;
        };
        let at = time(now).to_string();
        let value = json!({
            "event": "refused", "reason": refused.name(), "log": log, "why": chain(refused), "time": at,
            "more_before": untold,
        });
        self.output.item(&value, || {
            let more = match untold {
                0 => String::new(),
                untold => format!(" ({untold} more like it since the last line)"),
            };
            format!("{at}  REFUSED {log}: {}{more}", chain(refused))
        });
    }
}
