//! The slots that lifecycle advises: on each of its days those who have theirs come with its token, but for those who
//! do not heed it.

use lgpki_domain::{Timestamp, order::Claim};
use lgpki_surge::{Arrival, Holding, Visits};
use tokio::time::timeout;

use super::{super::super::front::PATIENCE, Play, Script, Sending};
use crate::error::CommandError;

/// Seconds after midnight at which lifecycle books slots.
const ROUND: i64 = 300;
/// It books a month's windows so many days before the month begins, or earlier by a day.
const LEAD_DAYS: i32 = 31;

/// When slots are booked and asked for.
pub(super) struct Advice {
    due: Timestamp,
    visits: Visits,
}

impl Advice {
    /// From when on something may be booked.
    pub(super) fn new(script: &Script<'_>, visits: Visits) -> Self {
        let opens = script.population.holdings.iter().map(Holding::opens);
        let first = opens.min().unwrap_or(script.to).month_start();
        let first = first.plus_days(-LEAD_DAYS).max(script.from);
        Self {
            due: first.start().plus_seconds(ROUND),
            visits,
        }
    }

    /// When slots are booked next.
    pub(super) const fn due(&self) -> Timestamp {
        self.due
    }
}

impl Play<'_> {
    /// Waits until the day's slots are booked, and notes who comes today.
    pub(super) async fn heed_advice(&mut self, at: Timestamp) -> Result<(), CommandError> {
        let Some(advice) = self.advice.as_mut().filter(|advice| advice.due <= at) else {
            return Ok(());
        };
        let today = at.jst_date();
        advice.due = today.plus_days(1).start().plus_seconds(ROUND);
        let asleep = self.system.clock().someone_sleeps_until(advice.due);
        timeout(PATIENCE, asleep)
            .await
            .map_err(|_| CommandError::new(format!("no slots are booked on {today}")))?;
        if !self.script.calendar.is_business_day(today) {
            return Ok(());
        }
        for (serial, token) in self.offices.slots(today).await? {
            let Some(holding) = self.by_serial.get(&serial).copied() else {
                continue;
            };
            let found = self.script.population.holdings.get(holding);
            let held = self.held.get(holding).filter(|held| !held.renewed);
            let (Some(found), Some(_), Some(advice)) = (found, held, self.advice.as_mut()) else {
                continue;
            };
            let Some(comes) = advice.visits.comes(found.branch, today) else {
                continue;
            };
            self.tokens.insert(holding, token);
            let arrival = Arrival {
                waiting: lgpki_domain::order::Waiting {
                    id: super::visit(holding, comes),
                    branch: found.branch,
                    received: comes,
                    claim: Claim::Renewal {
                        expires: found.expires(),
                    },
                },
                expires: Some(found.expires()),
                holding,
            };
            let sending = Sending { arrival, tries: 0 };
            self.later.entry(comes).or_default().push(sending);
        }
        Ok(())
    }
}
