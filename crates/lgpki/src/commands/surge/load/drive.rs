//! Sends what is due when it is due, or as fast as answers come, and notes every answer.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use lgpki_proto::{RemoteError, status::TRANSPORT, v1};
use lgpki_surge::{Act, Due, Heard, Reply, Tally};
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
    /// Numbers of those acknowledged, with desk and request id.
    pub(super) acknowledged: Vec<(usize, String, String)>,
    /// Desk and request id of those about which nothing is known.
    pub(super) unanswered: Vec<(usize, String)>,
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
    pub(super) async fn open_loop(self: &Arc<Self>, due: &[Due], wishes: Vec<Wish>) {
        let mut calls = JoinSet::new();
        for (due, wish) in due.iter().zip(wishes) {
            sleep_until(self.start + due.at).await;
            let (drive, at) = (self.clone(), self.start + due.at);
            calls.spawn(async move { drive.apply(wish, at).await });
            while calls.try_join_next().is_some() {}
        }
        while calls.join_next().await.is_some() {}
    }

    /// Each worker sends the next when its last was answered, for so long.
    pub(super) async fn closed_loop(
        self: &Arc<Self>,
        workers: u32,
        seconds: u32,
        wishes: Vec<Wish>,
    ) {
        let end = self.start + Duration::from_secs(u64::from(seconds));
        let wishes = Arc::new(Mutex::new(wishes.into_iter()));
        let mut at_work = JoinSet::new();
        for _ in 0..workers {
            let (drive, wishes) = (self.clone(), wishes.clone());
            at_work.spawn(async move {
                sleep_until(drive.start).await;
                while Instant::now() < end {
                    let Some(wish) = lock(&wishes).next() else {
                        return;
                    };
                    let now = Instant::now();
                    lock(&drive.tally).due(now.duration_since(drive.start));
                    drive.apply(wish, now).await;
                }
            });
        }
        while at_work.join_next().await.is_some() {}
    }

    /// Sends an application, and again whenever a refusal says so, as long as the run lasts.
    async fn apply(&self, mut wish: Wish, mut due: Instant) {
        let Some(desk) = self.desks.get(wish.desk) else {
            return;
        };
        self.under_way.fetch_add(1, Ordering::Relaxed);
        if wish.meant == Act::Revoke
            && let Some(serial) = desk.revocable()
        {
            wish.revoke(serial);
        }
        {
            let mut sent = lock(&self.sent);
            *sent.acts.entry(wish.act.name()).or_default() += 1;
            sent.instead += u64::from(wish.act != wish.meant);
        }
        let mut came_back = false;
        while let Some(back) = self.attempt(desk, &wish, (due, came_back)).await {
            sleep_until(back).await;
            (due, came_back) = (back, true);
        }
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// One call. Says when to come back, if that is still within the run.
    async fn attempt(
        &self,
        desk: &Desk,
        wish: &Wish,
        (due, came_back): (Instant, bool),
    ) -> Option<Instant> {
        // Closed never, so there is always a permit in the end.
        let permit = self.in_flight.acquire().await;
        let sent = Instant::now();
        let answer = timeout(self.patience, submit(desk, wish)).await;
        let answered = Instant::now();
        drop(permit);
        let reply = self.read(wish, answer);
        let since = |at: Instant| at.duration_since(self.start);
        let back = match &reply {
            Reply::Refused { retry_after, .. } => retry_after.map(|after| answered + after),
            Reply::Acknowledged | Reply::Failed { .. } => None,
        };
        lock(&self.tally).note(&Heard {
            side: wish.side,
            came_back,
            due: since(due),
            sent: since(sent),
            answered: since(answered),
            answer: reply,
        });
        back.filter(|back| *back <= self.last)
    }

    fn read<E>(
        &self,
        wish: &Wish,
        answer: Result<Result<tonic::Response<v1::SubmitApplicationResponse>, RemoteError>, E>,
    ) -> Reply {
        let unanswered = || {
            let id = wish.request.request_id.clone();
            lock(&self.sent).unanswered.push((wish.desk, id));
        };
        match answer {
            Ok(Ok(answer)) => {
                let application = answer.into_inner().application.unwrap_or_default();
                let entry = (wish.desk, application.id, application.request_id);
                lock(&self.sent).acknowledged.push(entry);
                Reply::Acknowledged
            }
            Ok(Err(refused)) if refused.reason == TRANSPORT => {
                unanswered();
                Reply::Failed {
                    reason: refused.reason,
                }
            }
            Ok(Err(refused)) if refused.may_be_tried_again() => Reply::Refused {
                retry_after: refused.retry_after,
                reason: refused.reason,
            },
            Ok(Err(refused)) => Reply::Failed {
                reason: in_full(&refused),
            },
            Err(_) => {
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
async fn submit(
    desk: &Desk,
    wish: &Wish,
) -> Result<tonic::Response<v1::SubmitApplicationResponse>, RemoteError> {
    loop {
        let mut client = desk.applications();
        let call = client.submit_application(wish.request.clone());
        let refused = match call.await {
            Ok(answer) => return Ok(answer),
            Err(status) => RemoteError::from(status),
        };
        let mut faults = refused.faults.iter();
        let unknown_yet = faults.any(|fault| fault.reason == UNKNOWN);
        if wish.act != Act::Revoke || !unknown_yet {
            return Err(refused);
        }
        sleep(UNKNOWN_YET).await;
    }
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
