//! Renewal slots: which business day each certificate is advised to be renewed on, so that certificates that
//! expire together are not renewed together.
//!
//! A slot is a business day within the certificate's renewal window (R2), some business days before its last, so that
//! one that was missed can be booked again. Certificates of one branch whose windows open within a month of each other
//! share a day or a run of business days, for one trip to the branch's window instead of thirty. Days are chosen so
//! that the heaviest load of any day stays least; the load is what was booked, less the share of holders who ignore
//! advice, and what was forecast ([`SlotBook::expect`]). If that would load a day beyond its capacity, the
//! certificates in question are spread by expiry alone, which finds room wherever there is some. The same calls give
//! the same days. Booking advises; it never refuses an application that comes at another time.

mod claim;
mod round;
mod trip;

use std::collections::BTreeMap;

pub use self::{
    claim::{SlotClaim, SlotKeyId, SlotRefused, SlotToken},
    round::{Move, Plan, Round, Standing},
};
use crate::{calendar::BusinessCalendar, id::BodyCode, time::JstDate, validity::Validity};

/// Load is counted in hundredths of an application.
pub const APPLICATION: u64 = 100;

/// How often each trip of a booking chooses its days.
const ROUNDS: u8 = 4;

/// The numbers of booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotRules {
    /// Applications that can be examined in a business day.
    pub per_business_day: u32,
    /// Of a hundred certificates, those whose holders do not heed the advice.
    pub ignoring_percent: u8,
    /// Business days kept free at the end of a window for those who miss their slot.
    pub margin_days: u8,
    /// Certificates of one branch on one day at most, unless its window is too short for more days.
    pub trip: u32,
}

/// A certificate for which a slot is wanted, and the days on which it may be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate<K> {
    /// Whose it is.
    pub branch: Option<BodyCode>,
    /// The first day of the window.
    pub opens: JstDate,
    /// The last day of validity.
    pub last_day: JstDate,
    /// The certificate.
    pub certificate: K,
}

impl<K> Candidate<K> {
    /// The certificate with this validity.
    #[must_use]
    pub fn new(certificate: K, branch: Option<BodyCode>, validity: Validity) -> Self {
        Self {
            branch,
            opens: validity.renewal_opens(),
            last_day: validity.last_day(),
            certificate,
        }
    }
}

/// What is booked, and the load of each day.
#[derive(Clone, Debug)]
pub struct SlotBook<K> {
    calendar: BusinessCalendar,
    rules: SlotRules,
    forecast: BTreeMap<JstDate, u64>,
    booked: BTreeMap<JstDate, u32>,
    slots: BTreeMap<K, (Candidate<K>, JstDate)>,
}

impl<K: Copy + Ord> SlotBook<K> {
    /// With nothing booked and no load.
    #[must_use]
    pub const fn new(calendar: BusinessCalendar, rules: SlotRules) -> Self {
        Self {
            calendar,
            rules,
            forecast: BTreeMap::new(),
            booked: BTreeMap::new(),
            slots: BTreeMap::new(),
        }
    }

    /// Adds to the forecast of a day what comes without a slot, in hundredths of an application.
    pub fn expect(&mut self, day: JstDate, hundredths: u64) {
        *self.forecast.entry(day).or_default() += hundredths;
    }

    /// Adds to the forecast the holders of certificates with this last day who do not heed the advice. They come late,
    /// in the last month and the one before it; which of them, nobody knows, so that all count by the share.
    pub fn expect_ignoring(&mut self, last_day: JstDate, certificates: u64) {
        let first = last_day.month_start().plus_months(-1);
        let late = certificates * u64::from(self.rules.ignoring_percent) * APPLICATION / 100;
        let days: Vec<_> = self.calendar.business_days(first, last_day).collect();
        for day in &days {
            self.expect(*day, late / days.len() as u64);
        }
    }

    /// Counts certificates on a day that were booked there before and stay.
    pub fn occupied(&mut self, day: JstDate, certificates: u32) {
        *self.booked.entry(day).or_default() += certificates;
    }

    /// The calendar.
    #[must_use]
    pub const fn calendar(&self) -> &BusinessCalendar {
        &self.calendar
    }

    /// The slot of a certificate.
    #[must_use]
    pub fn slot(&self, certificate: K) -> Option<JstDate> {
        self.slots.get(&certificate).map(|(_, day)| *day)
    }

    /// All slots.
    pub fn slots(&self) -> impl Iterator<Item = (K, JstDate)> + '_ {
        self.slots.iter().map(|(k, (_, day))| (*k, *day))
    }

    /// The load of a day, in hundredths of an application.
    #[must_use]
    pub fn load(&self, day: JstDate) -> u64 {
        let forecast = self.forecast.get(&day).copied().unwrap_or_default();
        forecast + self.each() * u64::from(self.booked.get(&day).copied().unwrap_or_default())
    }

    /// Whether a day's load is more than can be examined.
    #[must_use]
    pub fn is_over(&self, day: JstDate) -> bool {
        self.load(day) > APPLICATION * u64::from(self.rules.per_business_day)
    }

    /// Books a slot from `from` on for each candidate, in place of the one that it had. A certificate whose window has
    /// no business day left after `from` gets none.
    pub fn book(&mut self, from: JstDate, candidates: &[Candidate<K>]) {
        let mut wanted: BTreeMap<K, Candidate<K>> = BTreeMap::new();
        for candidate in candidates {
            self.release(candidate.certificate);
            wanted.insert(candidate.certificate, *candidate);
        }
        let mut trips = Vec::new();
        for trip in trip::trips(wanted.into_values()) {
            if self.days(from, trip.opens, trip.last_day).is_empty() {
                // No day suits all of them; each comes on its own.
                trips.extend(trip.candidates.into_iter().map(trip::Trip::of));
            } else {
                trips.push(trip);
            }
        }
        // Whoever chose first did not know of the others; with each round days come nearer to each other.
        let mut booked = Vec::new();
        for _ in 0..ROUNDS {
            booked.clear();
            for trip in &trips {
                for candidate in &trip.candidates {
                    self.release(candidate.certificate);
                }
                booked.extend(self.book_trip(from, trip));
            }
        }
        let over = booked.iter().any(|(_, day)| self.is_over(*day));
        if over {
            self.spread(from, booked.into_iter().map(|(candidate, _)| candidate));
        }
    }

    /// Books a later slot, from `from` on, for certificates that missed theirs.
    pub fn missed(&mut self, from: JstDate, certificates: &[K]) {
        let again: Vec<_> = certificates
            .iter()
            .filter_map(|certificate| self.slots.get(certificate).map(|(c, _)| *c))
            .collect();
        self.book(from, &again);
    }

    /// Forgets a certificate that was renewed, revoked or has expired.
    pub fn release(&mut self, certificate: K) {
        let Some((_, day)) = self.slots.remove(&certificate) else {
            return;
        };
        if let Some(booked) = self.booked.get_mut(&day) {
            *booked -= 1;
        }
    }

    /// Changes the capacity, and books anew those whose day, from `from` on, cannot take them any more: of each such
    /// day the latest to expire, so that as few as possible hear of another day.
    pub fn change_capacity(&mut self, from: JstDate, per_business_day: u32) {
        self.rules.per_business_day = per_business_day;
        let mut by_day: BTreeMap<JstDate, Vec<Candidate<K>>> = BTreeMap::new();
        for (candidate, day) in self.slots.values() {
            if *day >= from && self.is_over(*day) {
                by_day.entry(*day).or_default().push(*candidate);
            }
        }
        let mut again = Vec::new();
        for (day, mut candidates) in by_day {
            candidates.sort_by_key(|c| (c.last_day, c.branch, c.certificate));
            while let Some(last) = candidates.pop().filter(|_| self.is_over(day)) {
                self.release(last.certificate);
                again.push(last);
            }
        }
        if !again.is_empty() {
            self.book(from, &again);
        }
    }

    /// What one booking adds to a day's load.
    fn each(&self) -> u64 {
        u64::from(100_u8.saturating_sub(self.rules.ignoring_percent)).max(1)
    }

    /// The days on which a candidate may come, from `from` on: without the margin if that leaves any.
    fn days(&self, from: JstDate, opens: JstDate, last_day: JstDate) -> Vec<JstDate> {
        let days = self.calendar.business_days(from.max(opens), last_day);
        let mut days: Vec<_> = days.collect();
        let keep = days
            .len()
            .saturating_sub(usize::from(self.rules.margin_days));
        days.truncate(keep.max(1));
        days
    }

    /// Puts a certificate where it was booked before.
    fn assign(&mut self, candidate: Candidate<K>, day: JstDate) {
        *self.booked.entry(day).or_default() += 1;
        self.slots.insert(candidate.certificate, (candidate, day));
    }

    /// Books those of one trip on a run of business days.
    fn book_trip(&mut self, from: JstDate, trip: &trip::Trip<K>) -> Vec<(Candidate<K>, JstDate)> {
        let days = self.days(from, trip.opens, trip.last_day);
        let run = self.run(&days, trip.candidates.len());
        let mut booked = Vec::new();
        let per_day = trip.candidates.len().div_ceil(run.len().max(1)).max(1);
        for (candidates, day) in trip.candidates.chunks(per_day).zip(run) {
            for candidate in candidates {
                self.assign(*candidate, *day);
                booked.push((*candidate, *day));
            }
        }
        booked
    }

    /// The run of consecutive business days on which so many certificates load the heaviest day least; the earliest
    /// of those that are equal.
    fn run<'d>(&self, days: &'d [JstDate], certificates: usize) -> &'d [JstDate] {
        let trip = usize::try_from(self.rules.trip)
            .unwrap_or(usize::MAX)
            .max(1);
        let length = certificates.div_ceil(trip).clamp(1, days.len().max(1));
        let runs = days.windows(length);
        let heaviest = |run: &&[JstDate]| run.iter().map(|day| self.load(*day)).max();
        runs.min_by_key(heaviest).unwrap_or_default()
    }

    /// Books by expiry alone: each day, as far as it has room, takes those that expire first. Who finds no room comes
    /// on the least loaded day of the window, the margin included.
    fn spread(&mut self, from: JstDate, candidates: impl Iterator<Item = Candidate<K>>) {
        let mut opening: BTreeMap<JstDate, Vec<(JstDate, Candidate<K>)>> = BTreeMap::new();
        for candidate in candidates {
            self.release(candidate.certificate);
            let days = self.days(from, candidate.opens, candidate.last_day);
            if let (Some(first), Some(last)) = (days.first(), days.last()) {
                opening.entry(*first).or_default().push((*last, candidate));
            }
        }
        let (Some(first), Some(last)) = (
            opening.keys().next().copied(),
            opening.values().flatten().map(|(last, _)| *last).max(),
        ) else {
            return;
        };
        let days: Vec<_> = self.calendar.business_days(first, last).collect();
        let mut waiting: BTreeMap<(JstDate, Option<BodyCode>, K), Candidate<K>> = BTreeMap::new();
        let mut homeless = Vec::new();
        for day in days {
            let open = opening.remove(&day).unwrap_or_default();
            waiting.extend(
                open.into_iter()
                    .map(|(last, c)| ((last, c.branch, c.certificate), c)),
            );
            while let Some(((until, _, _), candidate)) = waiting.pop_first() {
                if until < day {
                    homeless.push(candidate);
                } else if self.has_room(day) {
                    self.assign(candidate, day);
                } else {
                    waiting.insert((until, candidate.branch, candidate.certificate), candidate);
                    break;
                }
            }
        }
        homeless.extend(waiting.into_values());
        for candidate in homeless {
            let opens = candidate.opens.max(from);
            let days = self.calendar.business_days(opens, candidate.last_day);
            if let Some(day) = days.min_by_key(|day| self.load(*day)) {
                self.assign(candidate, day);
            }
        }
    }

    fn has_room(&self, day: JstDate) -> bool {
        self.load(day) + self.each() <= APPLICATION * u64::from(self.rules.per_business_day)
    }
}

#[cfg(test)]
mod tests;
