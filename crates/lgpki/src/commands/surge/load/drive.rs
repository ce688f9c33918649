//! Sends what is due when it is due, or as fast as answers come, and notes every answer.

mod batch;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use lgpki_proto::{RemoteError, status::TRANSPORT, v1};
use lgpki_surge::{Act, Heard, Reply, Schedule, Tally};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{desks::Desk, wishes::Wish};
use crate::cli::LoadArgs;

/// What a call that was given up is called.
const TOO_LATE: &str = "NO_ANSWER_IN_TIME";
/// A fault of an application about a certificate that intake does not know, and how long it takes to know it.
const UNKNOWN: &str = "CERTIFICATE_UNKNOWN";
const UNKNOWN_YET: Duration = Duration::from_millis(100);
/// Before the first is due, so that everything is ready.
const RUN_UP: Duration = Duration::from_millis(50);

/// What is known of applications once all is sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent {
    /// By what they asked for.
    pub(super) acts: BTreeMap<&'static str, u64>,
    /// New certificates instead of renewals or revocations.
    pub(super) instead: u64,
    /// Those acknowledged.
    pub(super) acknowledged: Vec<Acknowledged>,
    /// Desk and request id of those about which nothing is known.
    pub(super) unanswered: Vec<(usize, String)>,
}

/// An application that was acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Acknowledged {
    /// Which of the desks sent it.
    pub(super) desk: usize,
    /// Its number.
    pub(super) id: String,
    /// Under which request id it was sent.
    pub(super) request_id: String,
    /// What it asked for.
    pub(super) act: Act,
    /// The certificate that it renews; empty for all others.
    pub(super) renews: String,
}

/// What came of a call, for one application; none if the call was given up.
type Answer = Option<Result<v1::SubmitApplicationResponse, RemoteError>>;

/// Of a call, for one application.
#[derive(Clone, Copy, Debug)]
struct Times {
    due: Instant,
    sent: Instant,
    came_back: bool,
}

/// A run.
pub(super) struct Drive {
    pub(super) desks: Vec<Desk>,
    pub(super) tally: Mutex<Tally>,
    pub(super) sent: Mutex<Sent>,
    start: Instant,
    /// Until when whoever was turned away comes back.
    last: Instant,
    patience: Duration,
    in_flight: Semaphore,
    under_way: AtomicU64,
}

impl Drive {
    /// A run that begins in a moment.
    pub(super) fn new(desks: Vec<Desk>, tally: Tally, args: &LoadArgs) -> Self {
        let start = Instant::now() + RUN_UP;
        let seconds = |n: u32| Duration::from_secs(u64::from(n));
        Self {
            desks,
            tally: Mutex::new(tally),
            sent: Mutex::default(),
            start,
            last: start + seconds(args.seconds) + seconds(args.linger),
            patience: seconds(args.patience),
            in_flight: Semaphore::new(usize::try_from(args.in_flight).unwrap_or(usize::MAX)),
            under_way: AtomicU64::new(0),
        }
    }

    /// How long it has been running.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Calls that are under way, and how many wait for their time or for room.
    pub(super) fn under_way(&self) -> u64 {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Sends each when it is due, whatever became of those before.
    pub(super) async fn open_loop(self: &Arc<Self>, schedule: &Schedule, wishes: Vec<Wish>) {
        let mut under_way = JoinSet::new();
        let mut wishes = wishes.into_iter();
        for call in schedule.calls() {
            let items: Vec<_> = wishes.by_ref().take(call.len()).collect();
            let Some(first) = call.first() else {
                continue;
            };
            let at = self.start + first.at;
            sleep_until(at).await;
            let drive = self.clone();
            under_way.spawn(async move { drive.send(items, at).await });
            while under_way.try_join_next().is_some() {}
        }
        while under_way.join_next().await.is_some() {}
    }

    /// Each worker makes the next call when its last was answered, for so long.
    pub(super) async fn closed_loop(
        self: &Arc<Self>,
        (workers, seconds): (u32, u32),
        schedule: &Schedule,
        wishes: Vec<Wish>,
    ) {
        let end = self.start + Duration::from_secs(u64::from(seconds));
        let mut wishes = wishes.into_iter();
        let calls = schedule.calls();
        let calls: Vec<Vec<_>> = calls
            .map(|call| wishes.by_ref().take(call.len()).collect())
            .collect();
        let calls = Arc::new(Mutex::new(calls.into_iter()));
        let mut at_work = JoinSet::new();
        for _ in 0..workers {
            let (drive, calls) = (self.clone(), calls.clone());
            at_work.spawn(async move {
                sleep_until(drive.start).await;
                while Instant::now() < end {
                    let Some(items) = lock(&calls).next() else {
                        return;
                    };
                    let now = Instant::now();
                    for _ in &items {
                        lock(&drive.tally).due(now.duration_since(drive.start));
                    }
                    drive.send(items, now).await;
                }
            });
        }
        while at_work.join_next().await.is_some() {}
    }

    /// Sends applications of one office, in a stream if there are several, and again whenever a refusal says so, as
    /// long as the run lasts.
    async fn send(self: &Arc<Self>, mut items: Vec<Wish>, due: Instant) {
        let count = items.len() as u64;
        self.under_way.fetch_add(count, Ordering::Relaxed);
        for wish in &mut items {
            self.begin(wish);
        }
        if items.len() > 1 {
            self.stream(items, due).await;
        } else if let Some(wish) = items.pop() {
            self.pursue(wish, (due, false)).await;
        }
        self.under_way.fetch_sub(count, Ordering::Relaxed);
    }

    /// Notes that an application is sent for the first time; one that is to revoke does, if there is anything to revoke.
    fn begin(&self, wish: &mut Wish) {
        if wish.meant == Act::Revoke
            && let Some(serial) = self.desks.get(wish.desk).and_then(Desk::revocable)
        {
            wish.revoke(serial);
        }
        let mut sent = lock(&self.sent);
        *sent.acts.entry(wish.act.name()).or_default() += 1;
        sent.instead += u64::from(wish.act != wish.meant);
    }

    /// Sends one when it is due, and again whenever a refusal says so.
    async fn pursue(&self, wish: Wish, (mut due, mut came_back): (Instant, bool)) {
        let Some(desk) = self.desks.get(wish.desk) else {
            return;
        };
        loop {
            sleep_until(due).await;
            // Closed never, so there is always a permit in the end.
            let permit = self.in_flight.acquire().await;
            let times = Times {
                due,
                sent: Instant::now(),
                came_back,
            };
            let answer = timeout(self.patience, submit(desk, &wish)).await;
            drop(permit);
            match self.note(&wish, times, answer.ok()) {
                Some(back) => (due, came_back) = (back, true),
                None => return,
            }
        }
    }

    /// Notes an answer. Says when to come back, if that is still within the run.
    fn note(&self, wish: &Wish, times: Times, answer: Answer) -> Option<Instant> {
        let answered = Instant::now();
        let reply = self.read(wish, answer);
        let since = |at: Instant| at.duration_since(self.start);
        let back = match &reply {
            Reply::Refused { retry_after, .. } => retry_after.map(|after| answered + after),
            Reply::Acknowledged | Reply::Failed { .. } => None,
        };
        lock(&self.tally).note(&Heard {
            side: wish.side,
            act: wish.act,
            came_back: times.came_back,
            due: since(times.due),
            sent: since(times.sent),
            answered: since(answered),
            answer: reply,
        });
        back.filter(|back| *back <= self.last)
    }

    fn read(&self, wish: &Wish, answer: Answer) -> Reply {
        let unanswered = || {
            let id = wish.request.request_id.clone();
            lock(&self.sent).unanswered.push((wish.desk, id));
        };
        match answer {
            Some(Ok(answer)) => {
                let application = answer.application.unwrap_or_default();
                lock(&self.sent).acknowledged.push(Acknowledged {
                    desk: wish.desk,
                    id: application.id,
                    request_id: application.request_id,
                    act: wish.act,
                    renews: wish.renews().to_owned(),
                });
                Reply::Acknowledged
            }
            Some(Err(refused)) if refused.reason == TRANSPORT => {
                unanswered();
                Reply::Failed {
                    reason: refused.reason,
                }
            }
            Some(Err(refused)) if refused.may_be_tried_again() => Reply::Refused {
                retry_after: refused.retry_after,
                reason: refused.reason,
            },
            Some(Err(refused)) => Reply::Failed {
                reason: in_full(&refused),
            },
            None => {
                unanswered();
                Reply::Failed {
                    reason: TOO_LATE.to_owned(),
                }
            }
        }
    }
}

/// One call. What intake knows of certificates follows the issuer's record by a moment: a revocation that comes earlier
/// is sent again, and its time goes on.
async fn submit(desk: &Desk, wish: &Wish) -> Result<v1::SubmitApplicationResponse, RemoteError> {
    loop {
        let mut client = desk.applications();
        let refused = match client.submit_application(wish.request.clone()).await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => RemoteError::from(status),
        };
        if !is_too_early(wish, &refused) {
            return Err(refused);
        }
        sleep(UNKNOWN_YET).await;
    }
}

/// Whether intake does not know yet of the certificate that is to be revoked.
fn is_too_early(wish: &Wish, refused: &RemoteError) -> bool {
    wish.act == Act::Revoke && refused.faults.iter().any(|fault| fault.reason == UNKNOWN)
}

/// The reason, and of which fault.
fn in_full(refused: &RemoteError) -> String {
    match refused.faults.first() {
        Some(fault) => format!("{}: {}", refused.reason, fault.reason),
        None => refused.reason.clone(),
    }
}

/// Tells a desk of the certificates that this run applied for, as they are issued; until it is stopped.
pub(super) async fn follow(drive: Arc<Drive>, desk: usize, prefix: String) {
    let Some(desk) = drive.desks.get(desk) else {
        return;
    };
    loop {
        let states = vec![v1::ApplicationState::Issued.into()];
        let sorts = vec![v1::ApplicationSort::Issue.into()];
        let request = v1::WatchApplicationsRequest {
            filter: Some(v1::ApplicationFilter {
                states,
                sorts,
                ..Default::default()
            }),
            ids: Vec::new(),
        };
        if let Ok(changes) = desk.applications().watch_applications(request).await {
            let mut changes = changes.into_inner();
            while let Ok(Some(change)) = changes.message().await {
                let application = change.application.unwrap_or_default();
                if application.request_id.starts_with(&prefix) && !application.serial.is_empty() {
                    desk.issued(application.serial);
                }
            }
        }
        // The server ended the stream, or is away; what was told before is known.
        sleep(Duration::from_secs(1)).await;
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
