//! The publishing thread: brings the logs' tiles and checkpoints to `<dir>/audit`, behind the commits.
//!
//! It goes by the machine's own time, for publication is nothing that a replay simulates. Whatever
//! goes wrong is tried again in the next round; what is recorded never waits for it. How far it lags
//! behind is told by [`Publication`], so that a service may wait with what must not run ahead.

mod logs;

use std::{sync::Arc, time::Duration};

use lgpki_domain::ErrorClass;
use lgpki_ledger::PublishError;
pub use lgpki_ledger::publication::{
    Hold, Publication, WitnessDispute, WitnessStanding, Witnessed,
};
use parking_lot::Mutex;
use tokio::time::Instant;

pub(crate) use self::logs::{Publishers, Reached};
use crate::{engine::Core, error::chain, machine::Machine, metrics, witness::Witnessing};

/// How often those who measure hear of a lag that nothing changes.
const LOOK: Duration = Duration::from_secs(5);

/// How a service's logs are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publishing {
    /// The time between two rounds.
    pub every: Duration,
    /// How long what is durable may stay unpublished before publication is late.
    pub limit: Duration,
    /// By whom the checkpoints are cosigned, if by anybody.
    pub witnesses: Option<Arc<Witnessing>>,
}

impl Default for Publishing {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(1),
            limit: Duration::from_mins(5),
            witnesses: None,
        }
    }
}

/// What the publishing thread has done.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    end: u64,
    /// Since when something durable is not published.
    behind: Option<Instant>,
    failing: Option<Arc<str>>,
    witnessed: u64,
    /// Since when something durable is not cosigned.
    unwitnessed: Option<Instant>,
    standings: Vec<WitnessStanding>,
}

/// Publishes until the engine closes or stops.
pub(crate) fn run<M: Machine>(core: &Core<M>, how: &Publishing, mut publishers: Publishers) {
    let mut end = 0;
    let mut witnessed = true;
    loop {
        // A witness that did not cosign is asked again though nothing is new.
        let again = publishers.next_try();
        let look = (!witnessed).then(|| Instant::now() + LOOK);
        let until = again.into_iter().chain(look).min();
        let closing = {
            let mut signals = core.signals.lock();
            let idle = |s: &mut crate::flush::Signals| s.durable <= end && !s.closing && !s.stopped;
            match until {
                Some(until) => {
                    core.signalled
                        .wait_while_until(&mut signals, idle, until.into_std());
                }
                None => core.signalled.wait_while(&mut signals, idle),
            }
            if signals.stopped {
                return;
            }
            signals.closing
        };
        let begun = Instant::now();
        let round = publishers.round();
        core.witnesses_stand(publishers.standings());
        match round {
            Ok(reached) => {
                (end, witnessed) = (reached.end, reached.witnessed);
                core.published(reached, begun);
            }
            // No later round mends it, and nobody may rely on such a log.
            Err(e) if is_altered(&e) => {
                core.stop(&chain(&e));
                return;
            }
            Err(e) => core.not_published(&chain(&e)),
        }
        if let Some(publication) = core.publication() {
            metrics::published(core.options.log.service(), &publication);
        }
        if closing {
            return;
        }
        let mut signals = core.signals.lock();
        let going = |s: &mut crate::flush::Signals| !s.closing && !s.stopped;
        core.signalled
            .wait_while_for(&mut signals, going, how.every);
    }
}

/// Whether the log itself is not what was signed.
fn is_altered(error: &PublishError) -> bool {
    match error {
        PublishError::Altered { .. } => true,
        PublishError::Log(error) => error.class() == ErrorClass::Corrupt,
        _ => false,
    }
}

impl<M: Machine> Core<M> {
    /// How far publication has come; none if nothing is published.
    pub(crate) fn publication(&self) -> Option<Publication> {
        let how = self.options.publish.as_ref()?;
        let progress = self.progress.lock();
        let since = |then: Option<Instant>| then.map(|then| then.elapsed()).unwrap_or_default();
        let lag = since(progress.behind);
        let witnessed = how.witnesses.as_ref().map(|witnesses| {
            let (lag, limits) = (since(progress.unwitnessed), witnesses.limits());
            Witnessed {
                end: progress.witnessed,
                lag,
                limit: limits.lag,
                late: lag > limits.lag,
                stops: limits.stop.is_some_and(|stop| lag > stop),
                outvoted: witnesses.outvoted(&progress.standings),
                each: progress.standings.clone(),
            }
        });
        Some(Publication {
            end: progress.end,
            lag,
            limit: how.limit,
            late: lag > how.limit,
            failing: progress.failing.clone(),
            witnessed,
        })
    }

    /// Notes that something new is durable.
    pub(crate) fn falls_behind(&self) {
        if self.options.publish.is_some() {
            self.progress.lock().fall_behind();
        }
    }

    /// Notes how the witnesses stand.
    pub(crate) fn witnesses_stand(&self, standings: Vec<WitnessStanding>) {
        self.progress.lock().standings = standings;
    }

    /// Notes that everything before an end was published in the round begun at `begun`.
    fn published(&self, reached: Reached, begun: Instant) {
        let recovered = {
            let mut progress = self.progress.lock();
            let more = (self.reader.durable() > reached.end).then_some(begun);
            (progress.end, progress.behind) = (reached.end, more);
            if reached.witnessed {
                (progress.witnessed, progress.unwitnessed) = (reached.end, more);
            }
            progress.failing.take().is_some()
        };
        if recovered {
            tracing::info!(dir = %self.dir.display(), "the log is published again");
        }
    }

    fn not_published(&self, why: &str) {
        let mut progress = self.progress.lock();
        progress.fall_behind();
        if progress.failing.as_deref() != Some(why) {
            tracing::error!(dir = %self.dir.display(), why, "the log cannot be published; it is tried again");
            progress.failing = Some(Arc::from(why));
        }
    }
}

impl Progress {
    fn fall_behind(&mut self) {
        self.behind.get_or_insert_with(Instant::now);
        self.unwitnessed.get_or_insert_with(Instant::now);
    }
}

/// Nothing is behind before anything is durable.
pub(crate) fn progress(durable: u64) -> Mutex<Progress> {
    let mut progress = Progress::default();
    if durable > 0 {
        progress.fall_behind();
    }
    Mutex::new(progress)
}
