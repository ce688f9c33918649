//! Renewal slots in memory: by day, with the keys that sign tokens and the capacity that they were booked for.
//!
//! The slot itself stands in the record; here is the order of days. Some 30 bytes for each certificate that has one,
//! which are those near their expiry.

use std::collections::{BTreeMap, BTreeSet};

use lgpki_domain::{JstDate, Serial, Timestamp, validity::RENEWAL_WINDOW_MONTHS};

use super::{
    super::{
        rebuild::{COMPARED, Found},
        record::Held,
    },
    Candidate, Inventory,
    compare::{Bytes, along, beyond, from},
};
use crate::{
    config::MOST_LEAD,
    ports::{Cursor, Place, Renewable, RenewableQuery},
};

/// Places that one look passes at most; few in tests, so that they come to the end of one.
const STRETCH: usize = if cfg!(test) { 50 } else { 10_000 };
/// Days by which a slot is booked before its window opens, at most: the notice and a month.
const BOOKED_AHEAD: i32 = MOST_LEAD as i32 + 31;
/// Before every serial number.
const LOWEST: [u8; 16] = [0; 16];

/// Slots, keys and capacity.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    by_day: BTreeMap<JstDate, BTreeSet<[u8; 16]>>,
    /// By the index of the entry: the public key and when it came.
    pub(crate) keys: BTreeMap<u64, ([u8; 32], Timestamp)>,
    /// The capacity by which slots were booked last.
    pub(crate) per_business_day: Option<u32>,
}

impl Slots {
    /// Takes note of what became of a certificate.
    pub(super) fn replace(&mut self, serial: Serial, before: Option<&Held>, now: &Held) {
        let (before, now) = (before.and_then(Held::slot), now.slot());
        if before == now {
            return;
        }
        if let Some(day) = before
            && let Some(of_day) = self.by_day.get_mut(&day)
        {
            of_day.remove(serial.as_bytes());
            if of_day.is_empty() {
                self.by_day.remove(&day);
            }
        }
        if let Some(day) = now {
            self.by_day
                .entry(day)
                .or_default()
                .insert(*serial.as_bytes());
        }
    }

    /// Takes note of what differs from `rebuilt` after a slot, along one stretch; returns where that ended,
    /// or nothing if nothing comes after.
    pub(super) fn compare(
        &self,
        rebuilt: &Self,
        after: Option<(JstDate, Bytes)>,
        found: &mut Found,
    ) -> Option<(JstDate, Bytes)> {
        let rest = |of: &Self| format!("{:?} {:?}", of.keys, of.per_business_day);
        if after.is_none() && rest(self) != rest(rebuilt) {
            let field = "keys and capacity of slots".to_owned();
            found.differs(Place::Memory, None, || (field, rest(self), rest(rebuilt)));
        }
        let [live, rebuilt] = [self, rebuilt].map(|of| {
            let days = of.by_day.range(from(after.map(|(day, _)| day)));
            days.flat_map(move |(day, of_day)| {
                let within = after.filter(|(of, _)| of == day).map(|(_, at)| at);
                let slots = of_day.range(beyond(within));
                slots.map(|bytes| ((*day, *bytes), ()))
            })
        });
        along(COMPARED, live, rebuilt, |(day, serial), live, _| {
            let serial = Serial::from_bytes(&serial);
            let text = || day.to_string();
            found.missing(Place::Memory, serial, "slot", (text, live.is_some()));
        })
    }

    /// How many slots there are on each day.
    pub(crate) fn load(&self) -> BTreeMap<JstDate, u32> {
        let count = |of_day: &BTreeSet<_>| u32::try_from(of_day.len()).unwrap_or(u32::MAX);
        let days = self.by_day.iter();
        days.map(|(day, of_day)| (*day, count(of_day))).collect()
    }
}

/// What one look found.
#[derive(Debug, Default)]
pub(crate) struct Renewables {
    /// In order.
    pub(crate) found: Vec<Renewable>,
    /// Where to go on; none at the end.
    pub(crate) reached: Option<Cursor>,
}

impl Inventory {
    /// A certificate, as far as its renewal is concerned.
    pub(crate) fn renewable(&self, serial: Serial) -> Option<Renewable> {
        let Candidate { held, renewal } = self.candidate(serial)?;
        Some(Renewable {
            serial,
            branch: held.branch,
            kind: held.kind?,
            not_after: held.not_after,
            revoked: held.revoked.is_some(),
            renewing: renewal.is_some(),
            slot: held.slot(),
            missed: held.marks.missed,
        })
    }

    /// Takes in a record in which nothing but the slot has changed.
    pub(crate) fn change_slot(&mut self, serial: Serial, held: Held) {
        let before = self.held.insert(serial, held);
        self.slots.replace(serial, before.as_ref(), &held);
    }

    /// The certificates whose slot was before `day`.
    pub(crate) fn slots_before(&self, day: JstDate) -> Vec<Renewable> {
        let passed = self
            .slots
            .by_day
            .range(..day)
            .flat_map(|(_, of_day)| of_day);
        passed
            .filter_map(|bytes| self.renewable(Serial::from_bytes(bytes)?))
            .collect()
    }

    /// Looks for at most `most` certificates after `after`, along one stretch.
    pub(crate) fn renewables(
        &self,
        query: &RenewableQuery,
        after: Option<Cursor>,
        most: usize,
    ) -> Renewables {
        let mut looked = Renewables::default();
        for (passed, (not_after, serial)) in (1..).zip(self.renewal_places(query, after)) {
            let found = self.renewable(serial).filter(|found| fits(query, found));
            looked.found.extend(found);
            if looked.found.len() == most || passed == STRETCH {
                looked.reached = Some(Cursor { not_after, serial });
                break;
            }
        }
        looked
    }

    /// Every place after `after` that may fit, in order.
    fn renewal_places<'a>(
        &'a self,
        query: &RenewableQuery,
        after: Option<Cursor>,
    ) -> Box<dyn Iterator<Item = (Timestamp, Serial)> + 'a> {
        let after = after.map(|cursor| (cursor.not_after, *cursor.serial.as_bytes()));
        // The whole last second counts as valid.
        let low = (Timestamp::from_seconds(query.now.as_seconds()), LOWEST);
        let later = move |place: &(Timestamp, [u8; 16])| after.is_none_or(|after| *place > after);
        let named = |(at, bytes): (Timestamp, [u8; 16])| Some((at, Serial::from_bytes(&bytes)?));
        if let Some(day) = query.slot_day {
            let of_day = self.slots.by_day.get(&day).into_iter().flatten();
            let mut places: Vec<_> = of_day
                .filter_map(|bytes| {
                    let held = self.held.get(&Serial::from_bytes(bytes)?)?;
                    Some((held.not_after, *bytes))
                })
                .filter(later)
                .collect();
            places.sort_unstable();
            return Box::new(places.into_iter().filter_map(named));
        }
        // Slots are booked when a window opens soon; a month's end is clamped by up to three days.
        let ahead = query.opens_by.plus_days(BOOKED_AHEAD);
        let last = ahead.plus_months(RENEWAL_WINDOW_MONTHS).plus_days(4);
        let within = move |place: &(Timestamp, [u8; 16])| place.0 <= last.last_second();
        let low = after.map_or(low, |after| after.max(low));
        match query.branch {
            Some(branch) => Box::new(
                self.by_branch
                    .range((branch, low)..)
                    .take_while(move |(of, _)| *of == branch)
                    .map(|(_, place)| *place)
                    .take_while(within)
                    .filter(later)
                    .filter_map(named),
            ),
            None => Box::new(
                self.by_expiry
                    .range(low..)
                    .copied()
                    .take_while(within)
                    .filter(later)
                    .filter_map(named),
            ),
        }
    }
}

fn fits(query: &RenewableQuery, found: &Renewable) -> bool {
    found.is_renewable(query.now)
        && query
            .branch
            .is_none_or(|branch| found.branch == Some(branch))
        && (found.slot.is_some() || found.window().opens() <= query.opens_by)
}
