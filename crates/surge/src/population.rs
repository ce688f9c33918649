//! Which certificates there are: made up as the sources tell it, or as a running system's inventory has them.
//!
//! The synthetic one has 1,748 branches by the table of prefectures. Of its certificates three fifths were issued when
//! the Organization CA opened, on the business days from 2008-02-04 to 02-29, outside the examiners' capacity; the
//! rest is issued evenly on the business days from 2008-03-03 to 2011-03-31. How branches differ in size, and how many
//! certificates are revoked and when, are assumptions.

use std::collections::BTreeMap;

use lgpki_domain::{
    BodyCode, BusinessCalendar, JstDate, Timestamp, Validity, prefecture::prefectures,
};

use crate::dice::Dice;

/// Certificates of a thousand that are revoked before they would be renewed; assumed.
const REVOKED_PER_THOUSAND: usize = 45;
/// Revocations of a thousand that are emergencies; assumed.
const EMERGENCIES_PER_THOUSAND: usize = 20;
/// From January to May, the end of the fiscal year and what follows, revocations are so many times as likely as
/// otherwise; after the revocations in a real list of March 2011.
const SEASON: usize = 2;

/// A certificate that somebody holds or will hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Whose it is.
    pub branch: Option<BodyCode>,
    /// When it was applied for, if that is part of the time looked at.
    pub applied: Option<Timestamp>,
    /// The day on which it was issued or, if it is applied for, should be; not known of a running system's.
    pub issued: Option<JstDate>,
    /// Its last day.
    pub last_day: JstDate,
    /// When its revocation is applied for, if it is, and whether that is an emergency.
    pub revoked: Option<(Timestamp, bool)>,
}

impl Holding {
    /// The first day on which it may be renewed (R2).
    #[must_use]
    pub fn opens(&self) -> JstDate {
        // Only the last day counts here.
        Validity::try_new(self.last_day, self.last_day)
            .map_or(self.last_day, Validity::renewal_opens)
    }

    /// The first instant at which it is no longer valid.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.last_day.plus_days(1).start()
    }
}

/// Certificates, and the time in which applications are looked at.
#[derive(Clone, Debug)]
pub struct Population {
    /// The first day.
    pub first: JstDate,
    /// The last day on which anybody applies.
    pub last: JstDate,
    /// The certificates.
    pub holdings: Vec<Holding>,
    /// Whether it was made up.
    pub synthetic: bool,
}

impl Population {
    /// The three years from the opening to 2011-03-31, with so many certificates beside their renewals.
    #[must_use]
    pub fn synthetic(calendar: &BusinessCalendar, certificates: u32, seed: u64) -> Self {
        let day = |year, month, day| {
            JstDate::try_new(year, month, day).unwrap_or(JstDate::from_number(0))
        };
        let (first, last) = (day(2008, 2, 4), day(2011, 3, 31));
        let total = usize::try_from(certificates).unwrap_or(usize::MAX);
        let opening = total / 5 * 3 + total % 5;
        let mut dice = Dice::new(seed, 1);
        let mut population = Self {
            first,
            last,
            holdings: Vec::with_capacity(total),
            synthetic: true,
        };
        let days: Vec<_> = calendar.business_days(first, day(2008, 2, 29)).collect();
        for (branch, size) in sizes(opening) {
            let from = dice.below(days.len());
            for _ in 0..size {
                let index = (from + dice.below(3)).min(days.len().saturating_sub(1));
                let issued = days.get(index).copied().unwrap_or(first);
                population.hold(branch, None, issued);
            }
        }
        let days: Vec<_> = calendar.business_days(day(2008, 3, 3), last).collect();
        let steady = total - opening;
        for (branch, n) in draw_branches(&mut dice, steady).into_iter().zip(0..) {
            let Some(today) = days.get(n * days.len() / steady.max(1)) else {
                break;
            };
            let at = moment(&mut dice, calendar, *today);
            population.hold(branch, Some(at), *today);
        }
        population.revoke(calendar, &mut dice);
        population
    }

    /// A running system's certificates that are not revoked: of each branch, by last day, how many. From `today` until
    /// the last of them expires, so many new ones are applied for on each business day.
    #[must_use]
    pub fn live(
        calendar: &BusinessCalendar,
        today: JstDate,
        held: &[(Option<BodyCode>, JstDate, u32)],
        (new_per_day, seed): (u32, u64),
    ) -> Self {
        let mut dice = Dice::new(seed, 2);
        let last = held.iter().map(|(_, last_day, _)| *last_day).max();
        let mut population = Self {
            first: today,
            last: last.unwrap_or(today),
            holdings: Vec::new(),
            synthetic: false,
        };
        for (branch, last_day, certificates) in held {
            let holding = Holding {
                branch: *branch,
                applied: None,
                issued: None,
                last_day: *last_day,
                revoked: None,
            };
            for _ in 0..*certificates {
                population.holdings.push(holding);
            }
        }
        let held = population.holdings.len();
        for today in calendar.business_days(today, population.last) {
            for _ in 0..new_per_day {
                let of = population
                    .holdings
                    .get(dice.below(held))
                    .and_then(|h| h.branch);
                let at = moment(&mut dice, calendar, today);
                population.hold(of, Some(at), today);
            }
        }
        population
    }

    /// How many certificates each branch holds.
    #[must_use]
    pub fn sizes(&self) -> BTreeMap<Option<BodyCode>, u32> {
        let mut sizes = BTreeMap::new();
        for holding in &self.holdings {
            *sizes.entry(holding.branch).or_default() += 1;
        }
        sizes
    }

    fn hold(&mut self, branch: Option<BodyCode>, applied: Option<Timestamp>, issued: JstDate) {
        self.holdings.push(Holding {
            branch,
            applied,
            issued: Some(issued),
            last_day: Validity::for_subscriber(issued).last_day(),
            revoked: None,
        });
    }

    /// Draws which certificates are revoked, and when.
    fn revoke(&mut self, calendar: &BusinessCalendar, dice: &mut Dice) {
        let last = self.last;
        for holding in &mut self.holdings {
            if !dice.chance(REVOKED_PER_THOUSAND) {
                continue;
            }
            let issued = holding.last_day.plus_months(-36).plus_days(2);
            let days = calendar.business_days(issued, holding.last_day);
            let seasoned = days.flat_map(|day| {
                let times = if day.parts().1 <= 5 { SEASON } else { 1 };
                std::iter::repeat_n(day, times)
            });
            let days: Vec<_> = seasoned.collect();
            let drawn = days.get(dice.below(days.len())).copied();
            if let Some(day) = drawn.filter(|day| *day <= last) {
                let at = moment(dice, calendar, day);
                holding.revoked = Some((at, dice.chance(EMERGENCIES_PER_THOUSAND)));
            }
        }
    }
}

/// A time of business hours of `day`, to the second.
pub(crate) fn moment(dice: &mut Dice, calendar: &BusinessCalendar, day: JstDate) -> Timestamp {
    let seconds = usize::try_from(calendar.hours().millis() / 1000).unwrap_or_default();
    let into = i64::try_from(dice.below(seconds.saturating_sub(60)) + 1).unwrap_or_default();
    calendar.after(day.start(), into * 1000)
}

/// Every branch with its part of so many certificates: prefectures hold most, then their first cities; assumed.
fn sizes(certificates: usize) -> Vec<(Option<BodyCode>, usize)> {
    let weights = weights();
    let sum: usize = weights.iter().map(|(_, weight)| weight).sum();
    let mut before = 0;
    let mut given = 0;
    let mut sizes = Vec::with_capacity(weights.len());
    for (branch, weight) in weights {
        before += weight;
        let until = certificates * before / sum;
        sizes.push((branch, until - given));
        given = until;
    }
    sizes
}

fn weights() -> Vec<(Option<BodyCode>, usize)> {
    let mut weights = Vec::new();
    for prefecture in prefectures() {
        for number in 1..=prefecture.branches {
            let weight = 40 + 360 / usize::from(number);
            weights.push((BodyCode::try_new(prefecture.number, number), weight));
        }
    }
    weights
}

/// So many branches, drawn as often as they hold certificates.
fn draw_branches(dice: &mut Dice, n: usize) -> Vec<Option<BodyCode>> {
    let sizes = sizes(n);
    let each = sizes
        .into_iter()
        .flat_map(|(branch, size)| std::iter::repeat_n(branch, size));
    let mut branches: Vec<_> = each.collect();
    dice.shuffle(&mut branches);
    branches
}
