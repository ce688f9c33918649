//! When the clock of a replay stops: only when something is due.
//!
//! Front ends and examiners look about every few minutes of business hours; what falls in between is done at the next
//! look. CRLs are due at a quarter past nine on every day of the year.

use lgpki_domain::{JstDate, Timestamp};

/// Seconds after 00:00:00 JST at which the daily CRLs are due: the default of `crl_daily_at`.
const DAILY: i64 = 9 * 3600 + 15 * 60;
/// The same of what was issued when the CA opened.
const OPENING: i64 = 10 * 3600;

/// The rounding of times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agenda {
    /// Between two looks.
    pub(super) step_minutes: u32,
}

impl Agenda {
    /// The look at which something is seen that happens at `at`.
    pub(super) fn look(self, at: Timestamp) -> Timestamp {
        let step = i64::from(self.step_minutes.max(1)) * 60_000;
        let start = at.jst_date().start().as_millis();
        let within = at.as_millis() - start;
        Timestamp::from_millis(start + (within + step - 1).div_euclid(step) * step)
    }
}

/// When the daily CRLs are due after `now`.
pub(super) fn next_daily(now: Timestamp) -> Timestamp {
    let today = now.jst_date();
    let hour = today.start().plus_seconds(DAILY);
    if hour > now {
        hour
    } else {
        today.plus_days(1).start().plus_seconds(DAILY)
    }
}

/// When the certificates of an opening day are imported.
pub(super) fn opening(day: JstDate) -> Timestamp {
    day.start().plus_seconds(OPENING)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("{text}+09:00").parse().unwrap()
    }

    #[test]
    fn a_look_comes_at_or_after_what_it_sees() {
        let agenda = Agenda { step_minutes: 15 };
        let table = [
            ("2011-02-03T09:00:00", "2011-02-03T09:00:00"),
            ("2011-02-03T09:00:01", "2011-02-03T09:15:00"),
            ("2011-02-03T16:59:59", "2011-02-03T17:00:00"),
        ];
        for (happens, seen) in table {
            assert_eq!(agenda.look(at(happens)), at(seen), "{happens}");
        }
    }

    #[test]
    fn crls_are_due_once_a_day() {
        let due = at("2011-02-03T09:15:00");
        assert_eq!(next_daily(at("2011-02-03T00:00:00")), due);
        assert_eq!(next_daily(due), at("2011-02-04T09:15:00"));
    }
}
