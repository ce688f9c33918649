//! Whose processor time it was. Everything but the services happens on the one thread that calls here.

use lgpki_domain::toll::{Toll, Work, count_by, toll};
use lgpki_surge::{Effort, percent};
use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// A moment to measure from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begin {
    at: Instant,
    process: u64,
    own: u64,
    checks: Toll,
    signatures: Toll,
}

impl Begin {
    /// Now.
    pub(super) fn now() -> Self {
        count_by(thread_time);
        Self {
            at: Instant::now(),
            process: nanos(ClockId::ProcessCPUTime),
            own: thread_time(),
            checks: toll(Work::Check),
            signatures: toll(Work::Sign),
        }
    }

    /// What it cost since then.
    pub(super) fn cost(self, steps: u64) -> Effort {
        let own = thread_time().saturating_sub(self.own);
        let process = nanos(ClockId::ProcessCPUTime).saturating_sub(self.process);
        let services = process.saturating_sub(own);
        let since = |begin: Toll, now: Toll| Toll {
            times: now.times - begin.times,
            nanos: now.nanos - begin.nanos,
        };
        let checks = since(self.checks, toll(Work::Check));
        let signatures = since(self.signatures, toll(Work::Sign));
        Effort {
            seconds: self.at.elapsed().as_secs_f64(),
            services_seconds: seconds(services),
            others_seconds: seconds(own),
            checks: checks.times,
            checking_seconds: seconds(checks.nanos),
            signatures: signatures.times,
            signing_seconds: seconds(signatures.nanos),
            cryptography_percent: percent(checks.nanos + signatures.nanos, services),
            steps,
        }
    }
}

/// Nanoseconds for which the calling thread has run.
fn thread_time() -> u64 {
    nanos(ClockId::ThreadCPUTime)
}

fn nanos(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let (seconds, rest) = (
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u64::try_from(time.tv_nsec).unwrap_or_default(),
    );
    seconds * 1_000_000_000 + rest
}

fn seconds(nanos: u64) -> f64 {
    std::time::Duration::from_nanos(nanos).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_do_is_not_ones_own() {
        let measure = Begin::now();
        let busy = std::thread::spawn(|| {
            let begun = thread_time();
            while thread_time() - begun < 20_000_000 {
                std::hint::spin_loop();
            }
        });
        busy.join().unwrap();
        let cost = measure.cost(3);
        assert!(cost.services_seconds >= 0.02 && cost.steps == 3, "{cost:?}");
        assert!(cost.others_seconds < cost.seconds);
    }
}
