//! NoticeService: pages of notices, and a stream that sleeps until the next one.

use std::ops::RangeInclusive;

use lgpki_domain::{BodyCode, Faults, JstDate, Timestamp};
use lgpki_proto::{
    Failure,
    convert::{FIELD_MALFORMED, optional_text},
    v1::{self, notice_service_server::NoticeService},
};
use lgpki_runtime::rpc::Rpc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{Handlers, encode};
use crate::ports::{Cursor, LifecycleStore, Notice, NoticeCursor, NoticeKind, NoticeStart};

/// Messages that may wait for a slow reader.
const WAITING: usize = 8;

/// How long a stream sleeps at most, in seconds: half of the day within which nobody is woken for a
/// certificate that arrives.
const LONGEST_SLEEP_SECONDS: i64 = 12 * 3600;

/// The times that a cursor may hold, in milliseconds: to the end of 9000, before that of the calendar.
const TIMES: RangeInclusive<i64> = 0..=221_876_841_600_000;

type Messages = Result<v1::WatchNoticesResponse, Status>;

/// What is asked for.
struct Asked {
    branch: Option<BodyCode>,
    start: NoticeStart,
}

#[tonic::async_trait]
impl<S: LifecycleStore> NoticeService for Handlers<S> {
    async fn list_notices(
        &self,
        request: Request<v1::ListNoticesRequest>,
    ) -> Result<Response<v1::ListNoticesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let asked = request.get_ref();
        let otherwise = if asked.from_now {
            NoticeStart::Now
        } else {
            NoticeStart::First
        };
        let Asked { branch, start } = read((&asked.branch, &asked.since, &asked.cursor), otherwise)
            .map_err(|e| rpc.refuse(e))?;
        let told = self.app.notices(branch, start, asked.page_size).await;
        let told = told.map_err(|e| rpc.refuse(e))?;
        let now = self.app.clock.now();
        Ok(Response::new(v1::ListNoticesResponse {
            notices: told.notices.into_iter().map(|n| notice(n, now)).collect(),
            next_cursor: write_cursor(told.cursor),
            caught_up: told.caught_up,
            next_at: encode::text_or_empty(told.next_at),
        }))
    }

    type WatchNoticesStream = ReceiverStream<Messages>;

    async fn watch_notices(
        &self,
        request: Request<v1::WatchNoticesRequest>,
    ) -> Result<Response<Self::WatchNoticesStream>, Status> {
        let rpc = Rpc::of(&request)?;
        let asked = request.get_ref();
        let asked = read(
            (&asked.branch, &asked.since, &asked.cursor),
            NoticeStart::Now,
        )
        .map_err(|e| rpc.refuse(e))?;
        let (sender, receiver) = mpsc::channel(WAITING);
        let handlers = self.clone();
        tokio::spawn(async move {
            let shutdown = handlers.shutdown.clone();
            tokio::select! {
                told = handlers.tell(asked, &sender) => {
                    if let Err(failure) = told {
                        // Whoever watched may have left.
                        let _ = sender.send(Err(rpc.refuse(failure))).await;
                    }
                }
                () = sender.closed() => {}
                () = shutdown.requested() => {}
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

impl<S: LifecycleStore> Handlers<S> {
    async fn tell(&self, asked: Asked, sender: &mpsc::Sender<Messages>) -> Result<(), Failure> {
        let Asked { branch, mut start } = asked;
        let mut notable = self.app.store.notable();
        let mut greeted = false;
        loop {
            notable.mark_unchanged();
            let told = self.app.notices(branch, start, 0).await?;
            start = NoticeStart::After(told.cursor);
            if !greeted || !told.notices.is_empty() {
                greeted = true;
                let now = self.app.clock.now();
                let message = v1::WatchNoticesResponse {
                    notices: told.notices.into_iter().map(|n| notice(n, now)).collect(),
                    next_cursor: write_cursor(told.cursor),
                };
                if sender.send(Ok(message)).await.is_err() {
                    return Ok(());
                }
            }
            if !told.caught_up {
                continue;
            }
            // A certificate that arrives without a sound brings nothing for a day.
            let later = self.app.clock.now().plus_seconds(LONGEST_SLEEP_SECONDS);
            let due = told.next_at.map_or(later, |at| at.min(later));
            tokio::select! {
                changed = notable.changed() => if changed.is_err() { return Ok(()); },
                () = self.app.clock.sleep_until(due) => {}
            }
        }
    }
}

fn read(
    (branch, since, cursor): (&str, &str, &str),
    otherwise: NoticeStart,
) -> Result<Asked, Faults> {
    let mut faults = Faults::new();
    let f = &mut faults;
    let branch = optional_text(f, "branch", branch);
    let since = optional_text::<JstDate>(f, "since", since);
    let start = if cursor.is_empty() {
        since.map_or(otherwise, |day| {
            let millis = day.start().as_millis();
            NoticeStart::Since(Timestamp::from_millis(
                millis.clamp(*TIMES.start(), *TIMES.end()),
            ))
        })
    } else {
        let read = read_cursor(cursor);
        if read.is_none() {
            let message = "this is no cursor of ours; give back the one of an earlier answer";
            f.push("cursor", FIELD_MALFORMED, message);
        }
        read.map_or(otherwise, NoticeStart::After)
    };
    faults.into_result().map(|()| Asked { branch, start })
}

fn notice(notice: Notice, now: Timestamp) -> v1::Notice {
    v1::Notice {
        kind: match notice.kind {
            NoticeKind::EntersWindow => v1::NoticeKind::EntersWindow,
            NoticeKind::ExpiresSoon => v1::NoticeKind::ExpiresSoon,
            NoticeKind::Expired => v1::NoticeKind::Expired,
            NoticeKind::Revoked => v1::NoticeKind::Revoked,
        }
        .into(),
        at: notice.at.to_string(),
        certificate: Some(encode::certificate(notice.certificate, now)),
        cursor: write_cursor(notice.cursor),
    }
}

const fn letter(kind: NoticeKind) -> char {
    match kind {
        NoticeKind::EntersWindow => 'w',
        NoticeKind::ExpiresSoon => 's',
        NoticeKind::Expired => 'e',
        NoticeKind::Revoked => 'r',
    }
}

fn kind(letter: &str) -> Option<NoticeKind> {
    match letter {
        "w" => Some(NoticeKind::EntersWindow),
        "s" => Some(NoticeKind::ExpiresSoon),
        "e" => Some(NoticeKind::Expired),
        "r" => Some(NoticeKind::Revoked),
        _ => None,
    }
}

/// The moment (time, kind, notAfter and serial number) and the index; then, where they are needed, how
/// far the entry at the index was told and what is left out.
fn write_cursor(cursor: NoticeCursor) -> String {
    let NoticeCursor {
        told: (at, kind, place),
        index,
        within,
        since,
    } = cursor;
    let kind = letter(kind);
    let place = place.map_or_else(
        || "-.-".to_owned(),
        |place| format!("{}.{}", place.not_after.as_millis(), place.serial),
    );
    let within = within.map_or_else(String::new, |kind| format!(".{}", letter(kind)));
    let since = since.map_or_else(String::new, |at| format!(".f{}", at.as_millis()));
    format!("{}.{kind}.{place}.{index}{within}{since}", at.as_millis())
}

fn read_cursor(text: &str) -> Option<NoticeCursor> {
    let mut parts = text.split('.');
    let at = time(parts.next()?)?;
    let told = kind(parts.next()?).filter(|kind| *kind != NoticeKind::Revoked)?;
    let place = match (parts.next()?, parts.next()?) {
        ("-", "-") => None,
        (not_after, serial) => Some(Cursor {
            not_after: time(not_after)?,
            serial: serial.parse().ok()?,
        }),
    };
    let index = parts.next()?.parse().ok()?;
    let mut rest = parts.next();
    let within = rest.and_then(kind);
    if within.is_some() {
        rest = parts.next();
    }
    let since = match rest {
        None => None,
        Some(text) => Some(time(text.strip_prefix('f')?)?),
    };
    parts.next().is_none().then_some(NoticeCursor {
        told: (at, told, place),
        index,
        within,
        since,
    })
}

fn time(text: &str) -> Option<Timestamp> {
    let millis = text.parse().ok().filter(|millis| TIMES.contains(millis));
    millis.map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use lgpki_domain::Serial;

    use super::*;

    #[test]
    fn a_cursor_reads_back_and_a_foreign_one_is_refused() {
        let place = Cursor {
            not_after: Timestamp::from_millis(1_296_745_199_000),
            serial: Serial::from_bytes(&[0x41; 16]).unwrap(),
        };
        let withins = [
            None,
            Some(NoticeKind::EntersWindow),
            Some(NoticeKind::Revoked),
        ];
        for place in [Some(place), None] {
            for within in withins {
                for since in [None, Some(Timestamp::from_millis(5))] {
                    let cursor = NoticeCursor {
                        told: (Timestamp::from_millis(77), NoticeKind::ExpiresSoon, place),
                        index: u64::MAX,
                        within,
                        since,
                    };
                    assert_eq!(read_cursor(&write_cursor(cursor)), Some(cursor));
                }
            }
        }
        for text in [
            "x",
            "1.w.-.-",
            "1.r.-.-.2",
            "1.w.-.41.2",
            "1.w.-.-.2.3",
            "1.w.-.-.2.f",
            "1.w.-.-.2.f-1",
            "1.w.-.-.2.f1.w",
            "1.w.-.-.2.w.w",
            "1.w.-.-.2.w.f1.",
            "1.w.-.-.-1",
            "9223372036854775807.s.-.-.0",
            "9223372036854775807.w.-.-.0",
            "-9223372036854775808.s.-.-.0",
            "-1.e.-.-.0",
            "1.w.9223372036854775807.41414141414141414141414141414141.0",
        ] {
            assert_eq!(read_cursor(text), None, "{text}");
        }
        let last = format!("{}.s.-.-.0", TIMES.end());
        assert!(read_cursor(&last).is_some());
    }

    #[test]
    fn whatever_day_is_asked_for_the_cursor_of_the_answer_reads_back() {
        for day in ["1970-01-01", "2008-02-04", "9000-12-31"] {
            let asked = read(("", day, ""), NoticeStart::Now).unwrap();
            let NoticeStart::Since(at) = asked.start else {
                panic!("{day}: {:?}", asked.start);
            };
            let cursor = NoticeCursor {
                since: Some(at),
                ..NoticeCursor::new(at, 0)
            };
            assert_eq!(read_cursor(&write_cursor(cursor)), Some(cursor), "{day}");
        }
    }
}
