//! Who applies when, and the capacity that follows from it.

use std::collections::BTreeMap;

use lgpki_domain::{
    ApplicationId, BodyCode, BusinessCalendar, JstDate, Timestamp,
    order::{Claim, Waiting},
};

use crate::{
    habit::{self, Booking, Habit, Visits},
    population::{Holding, Population},
};

/// An application as it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// What will wait.
    pub waiting: Waiting,
    /// When the certificate that it concerns expires; none for a new one.
    pub expires: Option<Timestamp>,
    /// Which of the population's certificates it concerns.
    pub holding: usize,
}

/// All applications of the time looked at.
#[derive(Clone, Debug)]
pub struct Trace {
    /// In the order of arrival.
    pub arrivals: Vec<Arrival>,
    /// How many certificates expire when, whatever becomes of them.
    pub expiring: BTreeMap<Timestamp, u64>,
    /// How many certificates each branch holds.
    pub sizes: BTreeMap<Option<BodyCode>, u32>,
}

/// The time from six months before the month in which most certificates expire to its end, and what falls due in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) first: JstDate,
    pub(crate) last: JstDate,
    pub(crate) applications: u64,
    pub(crate) business_days: u64,
}

impl Window {
    /// Finds it: renewals count where the certificate expires, so that no habit changes it.
    pub(crate) fn of(population: &Population, calendar: &BusinessCalendar) -> Self {
        let mut months: BTreeMap<JstDate, u64> = BTreeMap::new();
        for holding in &population.holdings {
            *months.entry(holding.last_day.month_start()).or_default() += 1;
        }
        let within = months
            .iter()
            .filter(|(month, _)| **month <= population.last);
        let peak = within.max_by_key(|(month, n)| (**n, std::cmp::Reverse(**month)));
        let peak = peak.map_or(population.first, |(month, _)| *month);
        let first = peak.plus_months(-6).max(population.first);
        let last = peak.plus_months(1).plus_days(-1);
        let is_in = |day: JstDate| u64::from(first <= day && day <= last);
        let due = |holding: &Holding| {
            let new = holding.applied.map_or(0, |at| is_in(at.jst_date()));
            let end = match holding.revoked {
                Some((at, _)) => is_in(at.jst_date()),
                None => is_in(holding.last_day),
            };
            new + end
        };
        Self {
            first,
            last,
            applications: population.holdings.iter().map(due).sum(),
            business_days: calendar.business_days(first, last).len().max(1) as u64,
        }
    }

    /// 1.2 times the mean daily load, rounded up.
    pub(crate) fn capacity(self) -> u32 {
        let load = (self.applications * 12).div_ceil(self.business_days * 10);
        u32::try_from(load).unwrap_or(u32::MAX).max(1)
    }
}

impl Trace {
    /// Who applies when, by a habit; slots are booked against `capacity`.
    #[must_use]
    pub fn new(
        population: &Population,
        calendar: &BusinessCalendar,
        habit: Habit,
        (capacity, ignoring_percent, seed): (u32, u8, u64),
    ) -> Self {
        let booking = Booking {
            per_business_day: capacity,
            ignoring_percent: ignoring_percent.min(99),
            steady: steady(population, calendar),
        };
        let renewals = habit::renewals(population, calendar, habit, booking, seed);
        Self::of(population, renewals)
    }

    /// Who applies when, but for the renewals of those who heed the slots that a running system advises: they come when
    /// the visits say.
    #[must_use]
    pub fn without_advised(
        population: &Population,
        calendar: &BusinessCalendar,
        (ignoring_percent, seed): (u8, u64),
    ) -> (Self, Visits) {
        let wanted = (ignoring_percent.min(99), seed);
        let (renewals, visits) = habit::unadvised(population, calendar, wanted);
        (Self::of(population, renewals), visits)
    }

    /// With a renewal of each certificate at these times.
    fn of(population: &Population, renewals: Vec<Option<Timestamp>>) -> Self {
        let mut drafts = Vec::new();
        for (number, (holding, renewed)) in population.holdings.iter().zip(renewals).enumerate() {
            let expires = holding.expires();
            let mut draft = |at, claim, expires| {
                drafts.push((at, holding.branch, claim, (expires, number)));
            };
            if let Some(at) = holding.applied {
                draft(at, Claim::New, None);
            }
            if let Some(at) = renewed {
                draft(at, Claim::Renewal { expires }, Some(expires));
            } else if let Some((at, emergency)) = holding.revoked {
                let claim = if emergency {
                    Claim::EmergencyRevocation
                } else {
                    Claim::Revocation
                };
                draft(at, claim, Some(expires));
            }
        }
        drafts.sort_by_key(|(at, branch, ..)| (*at, *branch));
        let arrivals =
            drafts
                .into_iter()
                .zip(0..)
                .map(|((at, branch, claim, (expires, holding)), n)| Arrival {
                    waiting: Waiting {
                        id: number(at, n),
                        branch,
                        received: at,
                        claim,
                    },
                    expires,
                    holding,
                });
        let mut expiring = BTreeMap::new();
        for holding in &population.holdings {
            *expiring.entry(holding.expires()).or_default() += 1;
        }
        Self {
            arrivals: arrivals.collect(),
            expiring,
            sizes: population.sizes(),
        }
    }
}

/// Applications without a date on a business day, on the whole, in hundredths.
#[must_use]
pub fn steady(population: &Population, calendar: &BusinessCalendar) -> u64 {
    let holdings = &population.holdings;
    let new = holdings.iter().filter(|h| h.applied.is_some()).count();
    let revoked = holdings.iter().filter(|h| h.revoked.is_some()).count();
    let days = calendar
        .business_days(population.first, population.last)
        .len()
        .max(1);
    ((new + revoked) * 100 / days) as u64
}

/// An application number as intake gives it, but for chance: the time, then a count.
fn number(at: Timestamp, n: u128) -> ApplicationId {
    let millis = u128::from(at.as_millis().unsigned_abs());
    ApplicationId::from_bytes(((millis << 80) | n).to_be_bytes())
}
