//! When holders renew: habits, as the sources fear them and as this system advises.

use std::collections::{BTreeMap, BTreeSet};

use lgpki_domain::{
    BodyCode, BusinessCalendar, JstDate, Timestamp,
    slots::{APPLICATION, Candidate, SlotBook, SlotRules},
};

use crate::{
    dice::Dice,
    population::{Holding, Population, moment},
};

/// Holders of a thousand who miss the slot that they were advised; assumed.
const MISSED_PER_THOUSAND: usize = 20;
/// Certificates of a branch on one day of a trip are at most this part of a day's capacity.
const TRIP_PART: u32 = 8;

/// When holders renew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Habit {
    /// In the month of expiry or the one before (in January and February for what expires in February), but not on the
    /// last business day, when it could not be issued in time by anybody.
    Procrastinate,
    /// On any business day of the six months but the last.
    Spread,
    /// In the slots that this system advises, except for branches that ignore them and procrastinate.
    Slots,
}

impl Habit {
    /// Every habit.
    pub const ALL: [Self; 3] = [Self::Procrastinate, Self::Spread, Self::Slots];

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Procrastinate => "procrastinate",
            Self::Spread => "spread",
            Self::Slots => "slots",
        }
    }
}

/// What slots are booked by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Booking {
    /// Applications that can be examined in a business day.
    pub(crate) per_business_day: u32,
    /// Branches that hold this part of the certificates ignore the advice.
    pub(crate) ignoring_percent: u8,
    /// Applications without a date on a business day, in hundredths.
    pub(crate) steady: u64,
}

/// Who heeds the slots that are advised, and when they come: for a replay, whose slots a running system books.
#[derive(Clone, Debug)]
pub struct Visits {
    calendar: BusinessCalendar,
    ignoring: BTreeSet<Option<BodyCode>>,
    dice: Dice,
    trips: BTreeMap<(Option<BodyCode>, JstDate), Timestamp>,
}

impl Visits {
    /// When the holder of a certificate with a slot on `day` comes: together with others of its branch and day. `None`
    /// for those who ignore the advice, and for a few who miss the day.
    pub fn comes(&mut self, branch: Option<BodyCode>, day: JstDate) -> Option<Timestamp> {
        if self.ignoring.contains(&branch) || self.dice.chance(MISSED_PER_THOUSAND) {
            return None;
        }
        let trip = self.trips.entry((branch, day));
        Some(*trip.or_insert_with(|| moment(&mut self.dice, &self.calendar, day)))
    }
}

/// Renewals of branches that ignore the advice alone; and who heeds it.
pub(crate) fn unadvised(
    population: &Population,
    calendar: &BusinessCalendar,
    (ignoring_percent, seed): (u8, u64),
) -> (Vec<Option<Timestamp>>, Visits) {
    let mut dice = Dice::new(seed, 3);
    let ignoring = ignoring(population, ignoring_percent, &mut dice);
    let late = |holding: &Holding| {
        let first = late(holding).max(population.first);
        ignoring
            .contains(&holding.branch)
            .then(|| draw(holding, first, calendar, &mut dice))?
    };
    let drawn = population.holdings.iter().map(late).collect();
    let renewals = those_that_happen(population, drawn);
    let visits = Visits {
        calendar: calendar.clone(),
        ignoring,
        dice,
        trips: BTreeMap::new(),
    };
    (renewals, visits)
}

/// When each certificate's renewal is applied for; `None` if it does not come to that within the time looked at.
pub(crate) fn renewals(
    population: &Population,
    calendar: &BusinessCalendar,
    habit: Habit,
    booking: Booking,
    seed: u64,
) -> Vec<Option<Timestamp>> {
    let mut dice = Dice::new(seed, 3);
    let drawn: Vec<_> = match habit {
        Habit::Procrastinate => each(population, calendar, &mut dice, late),
        Habit::Spread => each(population, calendar, &mut dice, Holding::opens),
        Habit::Slots => advised(population, calendar, booking, &mut dice),
    };
    those_that_happen(population, drawn)
}

/// Leaves out what would come after the certificate's revocation, or after the time looked at.
fn those_that_happen(
    population: &Population,
    drawn: Vec<Option<Timestamp>>,
) -> Vec<Option<Timestamp>> {
    let happens = |(holding, at): (&Holding, Option<Timestamp>)| {
        let gone = |at: &Timestamp| holding.revoked.is_some_and(|(revoked, _)| revoked <= *at);
        at.filter(|at| at.jst_date() <= population.last && !gone(at))
    };
    population.holdings.iter().zip(drawn).map(happens).collect()
}

/// The first day of the month before the last month.
fn late(holding: &Holding) -> JstDate {
    holding
        .last_day
        .month_start()
        .plus_months(-1)
        .max(holding.opens())
}

/// For each certificate a business day between the one that `from` names and its last.
fn each(
    population: &Population,
    calendar: &BusinessCalendar,
    dice: &mut Dice,
    from: impl Fn(&Holding) -> JstDate,
) -> Vec<Option<Timestamp>> {
    let draw = |holding: &Holding| {
        let first = from(holding).max(population.first);
        draw(holding, first, calendar, dice)
    };
    population.holdings.iter().map(draw).collect()
}

fn draw(
    holding: &Holding,
    first: JstDate,
    calendar: &BusinessCalendar,
    dice: &mut Dice,
) -> Option<Timestamp> {
    let mut days = calendar.business_days(first, holding.last_day);
    let index = dice.below(days.len().saturating_sub(1));
    days.nth(index).map(|day| moment(dice, calendar, day))
}

/// Books month by month, a month's windows before the first of them opens, and lets holders come in their slots.
fn advised(
    population: &Population,
    calendar: &BusinessCalendar,
    booking: Booking,
    dice: &mut Dice,
) -> Vec<Option<Timestamp>> {
    let rules = SlotRules {
        per_business_day: booking.per_business_day,
        ignoring_percent: booking.ignoring_percent,
        margin_days: 5,
        trip: (booking.per_business_day / TRIP_PART).max(1),
    };
    let mut book: SlotBook<usize> = SlotBook::new(calendar.clone(), rules);
    let end = population.last.plus_months(7);
    for day in calendar.business_days(population.first, end) {
        book.expect(day, booking.steady);
    }
    let mut months: BTreeMap<JstDate, Vec<Candidate<usize>>> = BTreeMap::new();
    for (index, holding) in population.holdings.iter().enumerate() {
        let opens = holding.opens().max(population.first);
        let revoked = holding
            .revoked
            .is_some_and(|(at, _)| at.jst_date() < opens.month_start());
        if opens <= population.last && !revoked {
            let candidate = Candidate {
                branch: holding.branch,
                opens,
                last_day: holding.last_day,
                certificate: index,
            };
            months
                .entry(opens.month_start())
                .or_default()
                .push(candidate);
        }
    }
    for (month, candidates) in months {
        expect_ignoring(&mut book, &candidates, booking.ignoring_percent);
        book.book(month.max(population.first), &candidates);
    }
    let ignoring = ignoring(population, booking.ignoring_percent, dice);
    come(population, &mut book, &ignoring, dice)
}

/// Who ignores advice comes late: forecast by the average, for nobody knows who it will be.
fn expect_ignoring(book: &mut SlotBook<usize>, candidates: &[Candidate<usize>], percent: u8) {
    let mut by_day: BTreeMap<JstDate, u64> = BTreeMap::new();
    for candidate in candidates {
        *by_day.entry(candidate.last_day).or_default() += 1;
    }
    for (last_day, certificates) in by_day {
        let first = last_day.month_start().plus_months(-1);
        let days: Vec<_> = book.calendar().business_days(first, last_day).collect();
        let late = certificates * u64::from(percent) * APPLICATION / 100;
        for day in &days {
            book.expect(*day, late / days.len() as u64);
        }
    }
}

/// Branches, drawn until they hold this part of the certificates.
fn ignoring(population: &Population, percent: u8, dice: &mut Dice) -> BTreeSet<Option<BodyCode>> {
    let mut sizes: Vec<_> = population.sizes().into_iter().collect();
    dice.shuffle(&mut sizes);
    let total: u64 = sizes.iter().map(|(_, n)| u64::from(*n)).sum();
    let mut left = total * u64::from(percent) / 100;
    let mut ignoring = BTreeSet::new();
    for (branch, size) in sizes {
        if let Some(rest) = left.checked_sub(u64::from(size)) {
            left = rest;
            ignoring.insert(branch);
        }
    }
    ignoring
}

/// Holders come in their slots, those of one branch and day together; a few miss it and come in the next.
fn come(
    population: &Population,
    book: &mut SlotBook<usize>,
    ignoring: &BTreeSet<Option<BodyCode>>,
    dice: &mut Dice,
) -> Vec<Option<Timestamp>> {
    let calendar = book.calendar().clone();
    let mut trips = BTreeMap::new();
    let mut come = Vec::with_capacity(population.holdings.len());
    for (index, holding) in population.holdings.iter().enumerate() {
        let Some(mut slot) = book.slot(index) else {
            come.push(None);
            continue;
        };
        if ignoring.contains(&holding.branch) {
            let first = late(holding).max(population.first);
            come.push(draw(holding, first, &calendar, dice));
            continue;
        }
        if dice.chance(MISSED_PER_THOUSAND) {
            book.missed(slot.plus_days(1), &[index]);
            slot = book.slot(index).unwrap_or(slot);
        }
        let trip = trips.entry((holding.branch, slot));
        let at = *trip.or_insert_with(|| moment(dice, &calendar, slot));
        come.push(Some(at));
    }
    come
}
