//! A round of booking: of all certificates in or near their windows, which get a slot, which another one.
//!
//! Months are booked whole, some days before they begin, so that those that expire together are spread with all of
//! them in view. Who let a slot pass gets another; who has one keeps it, unless its day is a business day no longer or
//! the capacity was changed. No slot is earlier than tomorrow, so that there is time to hear of it.

use std::collections::BTreeMap;

use super::{APPLICATION, Candidate, SlotBook, SlotRules};
use crate::{calendar::BusinessCalendar, time::JstDate};

/// When and how a round is held.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// The day.
    pub today: JstDate,
    /// How many days before a month begins the windows that open in it are booked.
    pub lead_days: u16,
    /// Applications expected on each business day of those to whom no slot is advised, such as new ones.
    pub unadvised: u32,
    /// Whether slots were booked for another capacity than the rules have.
    pub capacity_changed: bool,
}

/// A certificate that stands and is not being renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing<K> {
    /// The certificate.
    pub candidate: Candidate<K>,
    /// Its slot.
    pub slot: Option<JstDate>,
}

/// A slot that is booked, or booked anew, or was let pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move<K> {
    /// The certificate.
    pub certificate: K,
    /// The slot that it had.
    pub from: Option<JstDate>,
    /// The slot that it gets; none where its window has no business day left.
    pub to: Option<JstDate>,
    /// Whether it let the slot pass that it had.
    pub missed: bool,
}

/// What a round decides.
#[derive(Clone, Debug)]
pub struct Plan<K> {
    /// In the order of the new days.
    pub moves: Vec<Move<K>>,
    /// What is forecast to come without a slot on each day, in hundredths of an application.
    pub forecast: BTreeMap<JstDate, u64>,
}

impl Round {
    /// The last day on which a window may open that is booked in this round.
    #[must_use]
    pub fn horizon(&self) -> JstDate {
        let reached = self.today.plus_days(i32::from(self.lead_days));
        reached.month_start().plus_months(1).plus_days(-1)
    }

    /// Decides. The same certificates, in any order, get the same slots.
    #[must_use]
    pub fn plan<K: Copy + Ord>(
        &self,
        calendar: BusinessCalendar,
        rules: SlotRules,
        certificates: &[Standing<K>],
    ) -> Plan<K> {
        let (first, horizon) = (self.today.plus_days(1), self.horizon());
        let mut book = SlotBook::new(calendar, rules);
        self.forecast(&mut book, certificates);
        let forecast = book.forecast.clone();
        let mut before = BTreeMap::new();
        let mut again = Vec::new();
        let mut months: BTreeMap<JstDate, Vec<Candidate<K>>> = BTreeMap::new();
        for standing in certificates {
            let Standing { candidate, slot } = *standing;
            let certificate = candidate.certificate;
            match slot {
                Some(day) if day < self.today || self.lost(&book, day) => {
                    before.insert(certificate, day);
                    again.push(candidate);
                }
                Some(day) if self.capacity_changed && day > self.today => {
                    before.insert(certificate, day);
                    book.assign(candidate, day);
                }
                Some(day) => book.occupied(day, 1),
                None if candidate.opens <= horizon => {
                    let month = candidate.opens.max(self.today).month_start();
                    months.entry(month).or_default().push(candidate);
                }
                None => {}
            }
        }
        if self.capacity_changed {
            book.change_capacity(first, rules.per_business_day);
        }
        book.book(first, &again);
        for candidates in months.into_values() {
            book.book(first, &candidates);
        }
        Plan {
            moves: self.moves(&book, &before),
            forecast,
        }
    }

    /// Whether a slot to come lies on a day that is no business day any more.
    fn lost<K: Copy + Ord>(&self, book: &SlotBook<K>, day: JstDate) -> bool {
        day > self.today && !book.calendar.is_business_day(day)
    }

    fn forecast<K: Copy + Ord>(&self, book: &mut SlotBook<K>, certificates: &[Standing<K>]) {
        let horizon = self.horizon();
        let mut ending: BTreeMap<JstDate, u64> = BTreeMap::new();
        for Standing { candidate, .. } in certificates {
            if candidate.opens <= horizon {
                *ending.entry(candidate.last_day).or_default() += 1;
            }
        }
        let Some(last) = ending.keys().next_back().copied() else {
            return;
        };
        let days: Vec<_> = book.calendar.business_days(self.today, last).collect();
        for day in days {
            book.expect(day, u64::from(self.unadvised) * APPLICATION);
        }
        for (last_day, certificates) in ending {
            book.expect_ignoring(last_day, certificates);
        }
    }

    /// What differs from before.
    fn moves<K: Copy + Ord>(
        &self,
        book: &SlotBook<K>,
        before: &BTreeMap<K, JstDate>,
    ) -> Vec<Move<K>> {
        let to = |certificate: K, from: Option<JstDate>, to: Option<JstDate>| Move {
            certificate,
            from,
            to,
            missed: from.is_some_and(|day| day < self.today),
        };
        let booked = book.slots().map(|(certificate, day)| {
            to(certificate, before.get(&certificate).copied(), Some(day))
        });
        // A day that is lost stands as long as there is no other; one that passed does not.
        let passed = before
            .iter()
            .filter(|(certificate, day)| **day < self.today && book.slot(**certificate).is_none());
        let passed = passed.map(|(certificate, day)| to(*certificate, Some(*day), None));
        let mut moves: Vec<_> = booked
            .chain(passed)
            .filter(|one| one.from != one.to)
            .collect();
        moves.sort_by_key(|one| (one.to, one.certificate));
        moves
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::calendar::BusinessHours;

    fn day(text: &str) -> JstDate {
        text.parse().unwrap()
    }

    fn rules(per_business_day: u32) -> SlotRules {
        SlotRules {
            per_business_day,
            ignoring_percent: 10,
            margin_days: 5,
            trip: 30,
        }
    }

    fn standing(n: u32, last_day: &str, slot: Option<&str>) -> Standing<u32> {
        let last_day = day(last_day);
        Standing {
            candidate: Candidate {
                branch: crate::id::BodyCode::try_new(1, u16::try_from(n % 900 + 1).unwrap()),
                opens: last_day.plus_months(-6),
                last_day,
                certificate: n,
            },
            slot: slot.map(day),
        }
    }

    fn round(today: &str) -> Round {
        Round {
            today: day(today),
            lead_days: 30,
            unadvised: 0,
            capacity_changed: false,
        }
    }

    fn plan(round: Round, rules: SlotRules, all: &[Standing<u32>]) -> Plan<u32> {
        round.plan(BusinessCalendar::default(), rules, all)
    }

    #[test]
    fn a_month_is_booked_whole_before_it_begins_and_later_ones_are_not() {
        // The windows open on 2010-08-03, 2010-08-28 and 2010-09-01.
        let all = [
            standing(1, "2011-02-03", None),
            standing(2, "2011-02-28", None),
            standing(3, "2011-03-01", None),
        ];
        let named = |today| {
            let plan = plan(round(today), rules(10), &all);
            plan.moves
                .iter()
                .map(|one| one.certificate)
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(named("2010-07-01"), BTreeSet::new());
        assert_eq!(named("2010-07-02"), [1, 2].into());
        assert_eq!(named("2010-08-02"), [1, 2, 3].into());
    }

    #[test]
    fn a_slot_that_passed_is_missed_and_booked_again_while_there_is_a_day() {
        let all = [
            standing(1, "2011-02-03", Some("2010-09-01")),
            standing(2, "2010-09-04", Some("2010-09-01")),
            standing(3, "2011-02-03", Some("2010-09-03")),
        ];
        let plan = plan(round("2010-09-03"), rules(10), &all);
        let told: Vec<_> = plan
            .moves
            .iter()
            .map(|one| (one.certificate, one.from, one.to.is_some(), one.missed))
            .collect();
        let passed = Some(day("2010-09-01"));
        // Today's slot stands until the day is over; the second has a Saturday left, which is none.
        assert_eq!(told, [(2, passed, false, true), (1, passed, true, true)]);
        assert!(plan.moves[1].to > Some(day("2010-09-03")));
    }

    #[test]
    fn who_has_a_slot_keeps_it_while_others_are_booked_around_it() {
        let held = |n| standing(n, "2011-02-10", Some("2010-08-16"));
        let new = |n| standing(n, "2011-02-10", None);
        let all: Vec<_> = (0..10).map(held).chain((10..500).map(new)).collect();
        let plan = plan(round("2010-08-10"), rules(10), &all);
        assert_eq!(plan.moves.len(), 490);
        assert!(plan.moves.iter().all(|one| one.certificate >= 10));
        let full = plan
            .moves
            .iter()
            .filter(|one| one.to == Some(day("2010-08-16")));
        assert!(full.count() <= 1);
    }

    #[test]
    fn a_slot_on_a_day_that_is_closed_since_is_moved_and_not_missed() {
        let closed = BusinessCalendar::new(BusinessHours::default(), &[day("2010-09-06")].into());
        let all = [standing(1, "2011-02-03", Some("2010-09-06"))];
        let plan = round("2010-09-03").plan(closed, rules(10), &all);
        let [moved] = plan.moves[..] else {
            panic!("{plan:?}")
        };
        assert_eq!(moved.from, Some(day("2010-09-06")));
        assert!(!moved.missed && moved.to > Some(day("2010-09-06")));
    }

    #[test]
    fn a_smaller_capacity_moves_what_a_day_cannot_take_any_more() {
        let all: Vec<_> = (0..20)
            .map(|n| standing(n, "2011-02-10", Some("2010-10-01")))
            .collect();
        let smaller = SlotRules {
            ignoring_percent: 0,
            ..rules(15)
        };
        let unchanged = plan(round("2010-09-03"), smaller, &all);
        assert_eq!(unchanged.moves, []);
        let changed = Round {
            capacity_changed: true,
            ..round("2010-09-03")
        };
        let plan = plan(changed, smaller, &all);
        assert_eq!(plan.moves.len(), 5);
        assert!(plan.moves.iter().all(|one| !one.missed && one.to.is_some()));
    }

    #[test]
    fn what_ignores_advice_is_expected_late() {
        let all: Vec<_> = (0..1_000)
            .map(|n| standing(n, "2011-02-28", None))
            .collect();
        let plan = plan(round("2010-08-02"), rules(100), &all);
        let late: u64 = plan
            .forecast
            .range(day("2011-01-01")..)
            .map(|(_, n)| n)
            .sum();
        let early: u64 = plan
            .forecast
            .range(..day("2011-01-01"))
            .map(|(_, n)| n)
            .sum();
        assert_eq!(early, 0);
        assert!((9_000..=10_000).contains(&late), "{late}");
    }
}
