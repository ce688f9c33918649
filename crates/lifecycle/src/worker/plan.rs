//! When a CRL is due. Pure: the time is an argument, and nothing is done here.
//!
//! A CA's CRL is due when there is none, when its file is gone, once a day at the hour set, at once
//! after a key compromise, and on demand. After a pause the daily one is made up for at once, but
//! only once. A CRL never shares its thisUpdate with the one before, so one that comes within the
//! same second waits for the next.

use lgpki_domain::{CrlSeries, Timestamp};

use super::put_off;
use crate::config::Schedule;

/// Where the publication of one series of CRLs stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeriesState {
    /// The series.
    pub(crate) series: CrlSeries,
    /// thisUpdate of the newest CRL.
    pub(crate) this_update: Option<Timestamp>,
    /// Whether its file is there and is the one that was recorded.
    pub(crate) file_intact: bool,
    /// Whether a key compromise waits to be published.
    pub(crate) urgent: bool,
    /// Whether somebody asked for a CRL and waits.
    pub(crate) demanded: bool,
    /// After a failed attempt: when to try again.
    pub(crate) retry_at: Option<Timestamp>,
}

/// Why a CRL is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// There is none yet.
    First,
    /// The newest one's file is missing or damaged.
    FileMissing,
    /// A key was compromised.
    Urgent,
    /// Somebody asked.
    Demanded,
    /// The hour has come, or was missed.
    Daily,
}

impl Due {
    /// The stable name, for logs and metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::FileMissing => "file-missing",
            Self::Urgent => "urgent",
            Self::Demanded => "demanded",
            Self::Daily => "daily",
        }
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// To be published now.
    pub(crate) due: Vec<(CrlSeries, Due)>,
    /// When to look again if nothing happens before.
    pub(crate) wake_at: Timestamp,
}

/// Plans at `now`.
pub(crate) fn plan(now: Timestamp, schedule: Schedule, states: &[SeriesState]) -> Plan {
    let hour = last_hour(now, schedule);
    let mut plan = Plan {
        due: Vec::new(),
        wake_at: next_hour(now, schedule),
    };
    for state in states {
        let Some(due) = due(state, hour) else {
            continue;
        };
        let earliest = earliest(now, state);
        if earliest <= now {
            plan.due.push((state.series, due));
        } else {
            plan.wake_at = plan.wake_at.min(earliest);
        }
    }
    plan
}

fn due(state: &SeriesState, hour: Timestamp) -> Option<Due> {
    match state.this_update {
        None => Some(Due::First),
        Some(_) if !state.file_intact => Some(Due::FileMissing),
        Some(_) if state.urgent => Some(Due::Urgent),
        Some(_) if state.demanded => Some(Due::Demanded),
        Some(this_update) if this_update < hour => Some(Due::Daily),
        Some(_) => None,
    }
}

/// When a CRL that is due may be made.
fn earliest(now: Timestamp, state: &SeriesState) -> Timestamp {
    let after_failure = match state.retry_at {
        // Whoever asks shall hear at once whether it still fails.
        Some(at) if !state.demanded => put_off(at, now),
        _ => now,
    };
    let free = state
        .this_update
        .map_or(now, |this_update| this_update.plus_seconds(1));
    // Further ahead than a second means that the clock was set back: waiting for it to come round
    // again would leave a compromised key unlisted.
    let free = if free > now.plus_seconds(1) {
        now
    } else {
        free
    };
    after_failure.max(free)
}

/// thisUpdate of a CRL made at `now`: strictly after the one before, and not before the latest
/// revocation that it lists. Both come true by themselves unless the clock was set back.
pub(crate) fn this_update(
    now: Timestamp,
    previous: Option<Timestamp>,
    latest: Option<Timestamp>,
) -> Timestamp {
    let after = previous.map(|previous| previous.plus_seconds(1));
    let at = [after, latest]
        .into_iter()
        .flatten()
        .fold(now, Timestamp::max);
    Timestamp::from_seconds(at.as_seconds())
}

/// The last time at or before `now` when the daily CRLs were due.
fn last_hour(now: Timestamp, schedule: Schedule) -> Timestamp {
    let today = now.jst_date();
    let at = today.start().plus_seconds(schedule.daily_at_seconds());
    if at <= now {
        at
    } else {
        today
            .plus_days(-1)
            .start()
            .plus_seconds(schedule.daily_at_seconds())
    }
}

/// The next time after `now` when the daily CRLs will be due.
fn next_hour(now: Timestamp, schedule: Schedule) -> Timestamp {
    let day = last_hour(now, schedule).jst_date().plus_days(1);
    day.start().plus_seconds(schedule.daily_at_seconds())
}

#[cfg(test)]
mod tests {
    use lgpki_domain::{Authority, AuthorityKey, CrlScope};

    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("{text}+09:00").parse().unwrap()
    }

    fn quiet(this_update: &str) -> SeriesState {
        SeriesState {
            series: CrlSeries {
                key: AuthorityKey::new(Authority::Organization, 1),
                scope: CrlScope::User,
            },
            this_update: Some(at(this_update)),
            file_intact: true,
            urgent: false,
            demanded: false,
            retry_at: None,
        }
    }

    fn planned(now: &str, state: SeriesState) -> (Option<Due>, String) {
        let schedule = Schedule::try_new(9, 15, 48).unwrap();
        let plan = plan(at(now), schedule, &[state]);
        (
            plan.due.first().map(|(_, due)| *due),
            plan.wake_at.to_string()[..19].to_owned(),
        )
    }

    #[test]
    fn the_daily_crl_comes_at_its_hour_and_once() {
        let yesterday = quiet("2011-03-17T09:15:00");
        for (now, due, wake) in [
            ("2011-03-18T09:14:59.999", None, "2011-03-18T09:15:00"),
            (
                "2011-03-18T09:15:00",
                Some(Due::Daily),
                "2011-03-19T09:15:00",
            ),
            (
                "2011-03-18T23:00:00",
                Some(Due::Daily),
                "2011-03-19T09:15:00",
            ),
            ("2011-03-18T00:00:00", None, "2011-03-18T09:15:00"),
        ] {
            assert_eq!(planned(now, yesterday), (due, wake.to_owned()), "{now}");
        }
        let today = quiet("2011-03-18T09:15:00");
        assert_eq!(planned("2011-03-18T09:15:01", today).0, None);
        assert_eq!(planned("2011-03-18T23:59:59", today).0, None);
    }

    #[test]
    fn a_crl_made_before_the_hour_does_not_stand_for_the_daily_one() {
        let state = quiet("2011-03-18T08:00:00");
        assert_eq!(planned("2011-03-18T09:15:00", state).0, Some(Due::Daily));
    }

    #[test]
    fn after_a_pause_the_daily_crl_is_made_up_for_at_once_and_only_once() {
        let old = quiet("2011-03-10T09:15:00");
        assert_eq!(planned("2011-03-18T03:00:00", old).0, Some(Due::Daily));
        let made_up = quiet("2011-03-18T03:00:00");
        assert_eq!(planned("2011-03-18T03:00:05", made_up).0, None);
    }

    #[test]
    fn first_missing_urgent_and_demanded_are_due_at_once() {
        let base = quiet("2011-03-18T09:15:00");
        for (state, due) in [
            (
                SeriesState {
                    this_update: None,
                    ..base
                },
                Due::First,
            ),
            (
                SeriesState {
                    file_intact: false,
                    ..base
                },
                Due::FileMissing,
            ),
            (
                SeriesState {
                    urgent: true,
                    ..base
                },
                Due::Urgent,
            ),
            (
                SeriesState {
                    demanded: true,
                    ..base
                },
                Due::Demanded,
            ),
            (
                SeriesState {
                    urgent: true,
                    demanded: true,
                    ..base
                },
                Due::Urgent,
            ),
        ] {
            assert_eq!(planned("2011-03-18T10:00:00", state).0, Some(due));
        }
    }

    #[test]
    fn no_crl_is_older_than_what_it_lists() {
        let now = at("2011-03-18T10:00:00.900");
        let latest = |text| this_update(now, None, Some(at(text)));
        assert_eq!(latest("2011-03-18T10:00:00.800"), at("2011-03-18T10:00:00"));
        assert_eq!(latest("2011-03-18T10:30:00"), at("2011-03-18T10:30:00"));
    }

    #[test]
    fn two_crls_do_not_share_a_second() {
        let urgent = SeriesState {
            urgent: true,
            ..quiet("2011-03-18T10:00:00")
        };
        assert_eq!(
            planned("2011-03-18T10:00:00.400", urgent),
            (None, "2011-03-18T10:00:01".to_owned())
        );
        assert_eq!(planned("2011-03-18T10:00:01", urgent).0, Some(Due::Urgent));
        let previous = Some(at("2011-03-18T10:00:00"));
        let this = this_update(at("2011-03-18T10:00:01.900"), previous, None);
        assert_eq!(this, at("2011-03-18T10:00:01"));
    }

    #[test]
    fn a_clock_set_back_does_not_hold_an_urgent_crl_up() {
        let urgent = SeriesState {
            urgent: true,
            ..quiet("2011-03-18T11:00:00")
        };
        assert_eq!(planned("2011-03-18T10:00:00", urgent).0, Some(Due::Urgent));
        let this = this_update(at("2011-03-18T10:00:00"), urgent.this_update, None);
        assert_eq!(this, at("2011-03-18T11:00:01"));
    }

    #[test]
    fn a_clock_set_back_after_a_failed_attempt_does_not_hold_the_next_one_up() {
        let failed = SeriesState {
            urgent: true,
            retry_at: Some(at("2011-03-18T10:00:08")),
            ..quiet("2011-03-17T09:15:00")
        };
        for now in ["2011-03-18T08:00:00", "2011-03-18T09:59:07"] {
            assert_eq!(planned(now, failed).0, Some(Due::Urgent), "{now}");
        }
        assert_eq!(planned("2011-03-18T09:59:08", failed).0, None);
    }

    #[test]
    fn a_failed_attempt_is_repeated_after_a_while_but_for_a_demand_at_once() {
        let failed = SeriesState {
            urgent: true,
            retry_at: Some(at("2011-03-18T10:00:08")),
            ..quiet("2011-03-18T09:15:00")
        };
        assert_eq!(
            planned("2011-03-18T10:00:00", failed),
            (None, "2011-03-18T10:00:08".to_owned())
        );
        assert_eq!(planned("2011-03-18T10:00:08", failed).0, Some(Due::Urgent));
        let demanded = SeriesState {
            demanded: true,
            ..failed
        };
        assert_eq!(
            planned("2011-03-18T10:00:00", demanded).0,
            Some(Due::Urgent)
        );
    }
}
