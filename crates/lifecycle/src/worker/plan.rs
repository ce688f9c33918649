//! When a CRL is due. Pure: the time is an argument, and nothing is done here.
//!
//! A CA's CRL is due when there is none, when its file is gone, once a day at the hour set, at once
//! after a key compromise, and on demand. After a pause the daily one is made up for at once, but
//! only once. A CRL never shares its thisUpdate with the one before, so one that comes within the
//! same second waits for the next.
//!
//! Of those due, the ones with a compromised key come first, then those that somebody waits for.
//!
//! A delta comes with every complete CRL. It is due alone every few hours after the daily one, and
//! when its file is gone or it is older than the complete one: then the two were parted by a failure.

use lgpki_domain::{CrlSeries, Timestamp};

use super::put_off;
use crate::{alarm::is_ahead, config::Schedule, ports::CrlList};

/// Where the publication of one series of CRLs stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeriesState {
    /// The series.
    pub(crate) series: CrlSeries,
    /// The newest complete CRL.
    pub(crate) complete: ListState,
    /// The newest delta; none where there are no deltas.
    pub(crate) delta: Option<ListState>,
    /// Whether a key compromise waits to be published.
    pub(crate) urgent: bool,
    /// Whether somebody asked for a CRL and waits.
    pub(crate) demanded: bool,
}

/// Where one list of a series stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListState {
    /// thisUpdate of the newest.
    pub(crate) this_update: Option<Timestamp>,
    /// When it was recorded.
    pub(crate) recorded_at: Option<Timestamp>,
    /// Whether its file is there and is the one that was recorded.
    pub(crate) file_intact: bool,
    /// After a failed attempt: when to try again.
    pub(crate) retry_at: Option<Timestamp>,
}

impl ListState {
    /// When it was made by the clock of that time. Its thisUpdate may be later, after a clock that was
    /// ahead; and what was recorded under such a clock says nothing about the hours since.
    fn made_at(&self, now: Timestamp) -> Option<Timestamp> {
        let made = self.this_update?.min(self.recorded_at?);
        Some(if is_ahead(made, now) {
            Timestamp::from_millis(0)
        } else {
            made
        })
    }
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
    /// The time of a delta has come, or was missed.
    Delta,
    /// The delta is older than the complete CRL.
    DeltaBehind,
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
            Self::Delta => "delta",
            Self::DeltaBehind => "delta-behind",
        }
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// To be published now, in this order.
    pub(crate) due: Vec<(CrlList, Due)>,
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
    if states.iter().any(|state| state.delta.is_some()) {
        let next = last_delta(now, schedule).plus_seconds(schedule.delta_seconds());
        plan.wake_at = plan.wake_at.min(next);
    }
    let mut states: Vec<_> = states.iter().collect();
    states.sort_by_key(|state| (!state.urgent, !state.demanded));
    for state in states {
        let complete = due(now, state, hour).map(|due| {
            let at = earliest(now, state, &state.complete, state.demanded);
            (CrlList::complete(state.series), due, at)
        });
        // The delta comes with the complete CRL, unless that has to wait after a failure.
        let delta = state
            .delta
            .filter(|_| complete.is_none_or(|(.., at)| at > now));
        let delta = delta.and_then(|delta| {
            let due = delta_due(now, state, &delta, last_delta(now, schedule))?;
            let at = earliest(now, state, &delta, false);
            Some((CrlList::delta(state.series), due, at))
        });
        for (list, due, at) in complete.into_iter().chain(delta) {
            if at <= now {
                plan.due.push((list, due));
            } else {
                plan.wake_at = plan.wake_at.min(at);
            }
        }
    }
    plan
}

fn due(now: Timestamp, state: &SeriesState, hour: Timestamp) -> Option<Due> {
    match state.complete.made_at(now) {
        None => Some(Due::First),
        Some(_) if !state.complete.file_intact => Some(Due::FileMissing),
        Some(_) if state.urgent => Some(Due::Urgent),
        Some(_) if state.demanded => Some(Due::Demanded),
        Some(made_at) if made_at < hour => Some(Due::Daily),
        Some(_) => None,
    }
}

/// A delta needs a complete CRL to add to.
fn delta_due(
    now: Timestamp,
    state: &SeriesState,
    delta: &ListState,
    hour: Timestamp,
) -> Option<Due> {
    let complete = state.complete.this_update?;
    if !state.complete.file_intact {
        return None;
    }
    match delta.made_at(now) {
        None => Some(Due::DeltaBehind),
        Some(_) if !delta.file_intact => Some(Due::FileMissing),
        Some(_) if delta.this_update < Some(complete) => Some(Due::DeltaBehind),
        Some(made_at) if made_at < hour => Some(Due::Delta),
        Some(_) => None,
    }
}

/// When a list that is due may be made.
fn earliest(now: Timestamp, state: &SeriesState, list: &ListState, demanded: bool) -> Timestamp {
    let after_failure = match list.retry_at {
        // Whoever asks shall hear at once whether it still fails.
        Some(at) if !demanded => put_off(at, now),
        _ => now,
    };
    let delta = state.delta.and_then(|delta| delta.this_update);
    let newest = state.complete.this_update.max(delta);
    let free = newest.map_or(now, |this_update| this_update.plus_seconds(1));
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

/// The last time at or before `now` when deltas were due.
fn last_delta(now: Timestamp, schedule: Schedule) -> Timestamp {
    let hour = last_hour(now, schedule);
    let period = schedule.delta_seconds();
    let passed = (now.as_seconds() - hour.as_seconds()) / period;
    hour.plus_seconds(passed * period)
}

/// The next time after `now` when the daily CRLs will be due.
fn next_hour(now: Timestamp, schedule: Schedule) -> Timestamp {
    let day = last_hour(now, schedule).jst_date().plus_days(1);
    day.start().plus_seconds(schedule.daily_at_seconds())
}

#[cfg(test)]
mod tests;
