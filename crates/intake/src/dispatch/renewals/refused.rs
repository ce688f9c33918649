//! The ends of renewals that lifecycle refuses.
//!
//! At first that may be a matter of moments: the new certificate is on its way into the inventory. If
//! it stays so, the two logs disagree, and only a person can tell which is right; until then the end is
//! told again every ten minutes, and the log says what to do. Nothing is given up.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use lgpki_domain::{ApplicationId, Randomness};
use lgpki_runtime::backoff::Backoff;
use tokio::time::Instant;

use super::TurnedDown;
use crate::ports::{RenewalDue, RenewalStep};

/// Refusals in a row that may be a matter of moments.
const TOLERATED: u32 = 6;

/// When a refused end is told again.
const AGAIN: Backoff = Backoff {
    first: Duration::from_millis(100),
    most: Duration::from_mins(10),
};

/// The ends that were refused last time.
#[derive(Debug, Default)]
pub(super) struct RefusedEnds(HashMap<ApplicationId, Refused>);

#[derive(Debug)]
struct Refused {
    times: u32,
    again_at: Instant,
}

impl RefusedEnds {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many a person was told of.
    pub(super) fn told(&self) -> usize {
        self.0.values().filter(|one| one.times > TOLERATED).count()
    }

    /// Leaves out of what is due the ends whose time has not come, and forgets those that are over.
    pub(super) fn ready(&mut self, due: Vec<RenewalDue>, now: Instant) -> Vec<RenewalDue> {
        let is_end = |due: &RenewalDue| matches!(due.step, RenewalStep::Close { .. });
        if !self.0.is_empty() {
            let ends: HashSet<_> = due
                .iter()
                .filter(|due| is_end(due))
                .map(|due| due.id)
                .collect();
            self.0.retain(|id, _| ends.contains(id));
        }
        let mut room = (super::MOST, super::MOST);
        let mut ready = due;
        ready.retain(|due| {
            let refused = self.0.get(&due.id).filter(|_| is_end(due));
            let room = if is_end(due) {
                &mut room.0
            } else {
                &mut room.1
            };
            if *room == 0 || refused.is_some_and(|it| it.again_at > now) {
                return false;
            }
            *room -= 1;
            true
        });
        ready
    }

    /// An end was refused, perhaps again.
    pub(super) fn note(&mut self, end: &TurnedDown, now: Instant, random: &dyn Randomness) {
        let refused = self.0.entry(end.id).or_insert(Refused {
            times: 0,
            again_at: now,
        });
        refused.again_at = now + AGAIN.delay(refused.times, random, None);
        refused.times = refused.times.saturating_add(1);
        if refused.times == TOLERATED + 1 {
            tracing::error!(
                application = %end.id,
                certificate = %end.serial,
                why = %end.why,
                "lifecycle refuses to close a renewal, and its certificate stays renewing: compare what both \
                 logs say of the application (lgpki operator show, lgpki operator certificate) and \
                 lifecycle's inventory with its log (lgpki operator rebuild-inventory); it is told again \
                 every ten minutes"
            );
        } else {
            tracing::info!(application = %end.id, why = %end.why, "a renewal cannot be closed yet");
        }
    }

    /// Returns when the next of them is to be told again; never, if there is none.
    pub(super) async fn wait(&self) {
        match self.0.values().map(|one| one.again_at).min() {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use lgpki_domain::{RenewalOutcome, Serial, Timestamp};
    use lgpki_testkit::SeededRandom;

    use super::*;

    fn due(n: u8, step: RenewalStep) -> RenewalDue {
        RenewalDue {
            id: ApplicationId::from_bytes([n; 16]),
            serial: Serial::from_bytes(&[0x40 | n; 16]).unwrap(),
            branch: None,
            log_index: u64::from(n),
            step,
        }
    }

    fn end(n: u8) -> RenewalDue {
        let step = RenewalStep::Close {
            outcome: RenewalOutcome::GivenUp,
            new_serial: None,
        };
        due(n, step)
    }

    fn beginning(n: u8) -> RenewalDue {
        let received_at = Timestamp::default();
        due(n, RenewalStep::Open { received_at })
    }

    fn down(n: u8) -> TurnedDown {
        TurnedDown {
            id: end(n).id,
            serial: end(n).serial,
            why: "no renewal was ever opened [RENEWAL_UNKNOWN]".to_owned(),
        }
    }

    fn numbers(due: &[RenewalDue]) -> Vec<u64> {
        due.iter().map(|due| due.log_index).collect()
    }

    #[test]
    fn a_refused_end_waits_ever_longer_and_keeps_no_other_waiting() {
        let (random, mut refused) = (SeededRandom::new(1), RefusedEnds::default());
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..20 {
            refused.note(&down(1), now, &random);
            let others = refused.ready(vec![end(1), end(2), beginning(3)], now);
            assert_eq!(numbers(&others), [2, 3]);
            let again_at = refused.0[&end(1).id].again_at;
            waits.push(again_at - now);
            now = again_at;
            assert_eq!(numbers(&refused.ready(vec![end(1)], now)), [1]);
        }
        assert!(waits[0] <= Duration::from_millis(100));
        let longest = Duration::from_mins(5)..=Duration::from_mins(10);
        assert!(
            waits[14..].iter().all(|wait| longest.contains(wait)),
            "{waits:?}"
        );
    }

    #[test]
    fn a_person_is_told_of_what_stays_refused_until_it_is_over() {
        let (random, mut refused) = (SeededRandom::new(1), RefusedEnds::default());
        let now = Instant::now();
        for times in 1..=TOLERATED + 2 {
            refused.note(&down(1), now, &random);
            refused.note(&down(2), now, &random);
            let told = if times > TOLERATED { 2 } else { 0 };
            assert_eq!((refused.len(), refused.told()), (2, told));
        }
        refused.ready(vec![end(2)], now);
        assert_eq!((refused.len(), refused.told()), (1, 1));
        // The same application may not begin again; what begins was never refused to end.
        refused.ready(vec![beginning(2)], now);
        assert_eq!((refused.len(), refused.told()), (0, 0));
    }

    #[test]
    fn one_call_takes_no_more_ends_and_no_more_beginnings_than_lifecycle_does() {
        let mut refused = RefusedEnds::default();
        let many = super::super::MOST + 7;
        let all = (0..many).flat_map(|_| [end(1), beginning(2)]).collect();
        let ready = refused.ready(all, Instant::now());
        assert_eq!(ready.len(), 2 * super::super::MOST);
    }
}
