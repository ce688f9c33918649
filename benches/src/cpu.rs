//! CPU time as the kernel counts it.
//!
//! A process's is read from `/proc/<pid>/stat` (all its threads, those that ended included, in
//! clock ticks of 10 ms); a thread's own is read from its CPU clock.

use std::{fs, time::Duration};

use rustix::{
    param::clock_ticks_per_second,
    time::{ClockId, clock_gettime},
};

use crate::Failure;

/// CPU time of a process, by where it was spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// In the program.
    pub user: Duration,
    /// In the kernel on the program's behalf: sockets, syncs.
    pub system: Duration,
}

impl Spent {
    /// Both together.
    #[must_use]
    pub fn total(self) -> Duration {
        self.user + self.system
    }

    /// What was spent since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }
}

/// What the process `id` has spent so far.
pub fn of_process(id: u32) -> Result<Spent, Failure> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    parse(&stat, clock_ticks_per_second())
        .ok_or_else(|| format!("/proc/{id}/stat reads {stat}").into())
}

/// The fields `utime` and `stime` (proc(5)), which follow the command's name in parentheses.
fn parse(stat: &str, ticks_per_second: u64) -> Option<Spent> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let mut next = || {
        let ticks: u64 = fields.next()?.parse().ok()?;
        Some(Duration::from_millis(
            ticks * 1000 / ticks_per_second.max(1),
        ))
    };
    Some(Spent {
        user: next()?,
        system: next()?,
    })
}

/// What the calling thread has spent so far.
#[must_use]
pub fn of_this_thread() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let stat = "42 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0";
        let spent = parse(stat, 100).unwrap();
        assert_eq!(spent.user, Duration::from_millis(1500));
        assert_eq!(spent.system, Duration::from_millis(250));
        assert_eq!(parse("42 (a) S 1 2 3", 100), None);
    }

    #[test]
    fn this_process_and_this_thread_have_a_time() {
        let before = of_this_thread();
        let sum: u64 = (0..200_000_u64).fold(0, |a, b| a.wrapping_mul(31).wrapping_add(b));
        assert_ne!(sum, 1);
        assert!(of_this_thread() > before);
        let id = std::process::id();
        let one = of_process(id).unwrap();
        assert!(of_process(id).unwrap().total() >= one.total());
    }
}
