//! An exchange with another service on an application's way: how long it takes as measured, and until when
//! it is put off while that service does not answer.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use lgpki_domain::Timestamp;
use parking_lot::RwLock;

/// Milliseconds that an exchange is taken to last before one was measured (X).
const UNMEASURED: i64 = 1_000;

/// An exchange with the issuer, or with lifecycle.
#[derive(Debug)]
pub struct Leg {
    /// Milliseconds from claim to answer recorded.
    lasts: AtomicI64,
    /// Until when it is put off, and for how many milliseconds it was put off last.
    put_off: RwLock<Option<(Timestamp, i64)>>,
}

impl Default for Leg {
    fn default() -> Self {
        Self {
            lasts: AtomicI64::new(UNMEASURED),
            put_off: RwLock::new(None),
        }
    }
}

impl Leg {
    /// Notes an exchange that came to its end in so many milliseconds.
    pub fn done(&self, millis: i64) {
        let before = self.lasts.load(Ordering::Relaxed);
        // A slower one counts at once, faster ones by an eighth each; two that come together may lose one.
        let after = millis.max(before - ((before - millis).max(0) + 7) / 8);
        self.lasts.store(after.max(0), Ordering::Relaxed);
        let mut put_off = self.put_off.write();
        *put_off = None;
    }

    /// Notes that it failed and is tried again at `until`, after a wait of this length.
    pub fn put_off(&self, until: Timestamp, wait: Duration) {
        let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        *self.put_off.write() = Some((until, wait));
    }

    /// From when on it can be counted upon by what needs it at `at`: while it fails, it is taken to fail once
    /// more after the next try.
    pub(super) fn begins(&self, at: Timestamp) -> Timestamp {
        match *self.put_off.read() {
            Some((until, wait)) => at.max(until).plus_millis(wait.saturating_mul(2)),
            None => at,
        }
    }

    /// Milliseconds that it takes: one that is under way, and then its own.
    pub(super) fn lasts(&self) -> i64 {
        self.lasts.load(Ordering::Relaxed).saturating_mul(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_exchange_counts_at_once_and_is_forgotten_slowly() {
        let leg = Leg::default();
        leg.done(4_000);
        assert_eq!(leg.lasts(), 8_000);
        leg.done(0);
        assert_eq!(leg.lasts(), 7_000);
        for _ in 0..200 {
            leg.done(3);
        }
        assert_eq!(leg.lasts(), 6);
    }

    #[test]
    fn what_fails_is_waited_for_once_more_and_again_counted_upon_after_a_success() {
        let leg = Leg::default();
        let now = Timestamp::from_millis(1_000_000);
        assert_eq!(leg.begins(now), now);
        leg.put_off(now.plus_seconds(3), Duration::from_secs(4));
        assert_eq!(leg.begins(now), now.plus_seconds(11));
        // Overdue: its next failure may come any moment.
        let later = now.plus_seconds(60);
        assert_eq!(leg.begins(later), later.plus_seconds(8));
        leg.done(5);
        assert_eq!(leg.begins(now), now);
    }
}
