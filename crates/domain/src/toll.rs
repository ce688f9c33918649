//! What cryptography costs, counted where it is done, for rehearsals that ask which part of all work it is.
//!
//! Nothing is counted, and no time is asked for, until somebody says by which clock; a service in production never
//! does. The clock is an argument here as everywhere: processor time of the calling thread, in nanoseconds.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A signature is checked: a proof of possession, a list that was signed.
    Check,
    /// A CA key, or whom it delegated to, signs.
    Sign,
}

/// What was counted of one sort of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Toll {
    /// How often it was done.
    pub times: u64,
    /// Nanoseconds of processor time that it took all together.
    pub nanos: u64,
}

static CLOCK: OnceLock<fn() -> u64> = OnceLock::new();
static CHECKED: Counter = Counter::new();
static SIGNED: Counter = Counter::new();

struct Counter {
    times: AtomicU64,
    nanos: AtomicU64,
}

impl Counter {
    const fn new() -> Self {
        Self {
            times: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
        }
    }
}

const fn counter(work: Work) -> &'static Counter {
    match work {
        Work::Check => &CHECKED,
        Work::Sign => &SIGNED,
    }
}

/// From now on everything is counted by this clock; the first that is named stays.
pub fn count_by(thread_time: fn() -> u64) {
    let _ = CLOCK.set(thread_time);
}

/// Does `work`, and counts it if somebody asked for that.
pub fn counted<T>(work: Work, doing: impl FnOnce() -> T) -> T {
    let Some(thread_time) = CLOCK.get() else {
        return doing();
    };
    let begun = thread_time();
    let done = doing();
    let nanos = thread_time().saturating_sub(begun);
    let counter = counter(work);
    counter.times.fetch_add(1, Ordering::Relaxed);
    counter.nanos.fetch_add(nanos, Ordering::Relaxed);
    done
}

/// What was counted in this process so far.
#[must_use]
pub fn toll(work: Work) -> Toll {
    let counter = counter(work);
    Toll {
        times: counter.times.load(Ordering::Relaxed),
        nanos: counter.nanos.load(Ordering::Relaxed),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static NOW: Cell<u64> = const { Cell::new(0) };
    }

    #[test]
    fn nothing_is_counted_before_a_clock_is_named_and_everything_afterwards() {
        let sign = || counted(Work::Sign, || NOW.set(NOW.get() + 7));
        sign();
        assert_eq!(toll(Work::Sign), Toll::default());
        count_by(|| NOW.get());
        sign();
        sign();
        let counted = Toll {
            times: 2,
            nanos: 14,
        };
        assert_eq!(toll(Work::Sign), counted);
        assert_eq!(toll(Work::Check), Toll::default());
    }
}
