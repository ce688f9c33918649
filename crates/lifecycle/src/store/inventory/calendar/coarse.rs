//! The counters of one branch by week or by month, for all kinds together and for each.
//!
//! Nearly every week of a branch that holds many certificates has some, so the counters stand side by
//! side, without a key, from the first week to the last that has any: a histogram of every branch is
//! then a copy of stretches, not a search.

use std::ops::Range;

use lgpki_domain::JstDate;

use super::{Cell, KIND_MASK, Row, key};
use crate::ports::{Bucket, HistogramRow};

/// Room that is made beyond what is needed, in buckets.
const AHEAD: usize = 8;

/// The counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Coarse {
    all: Dense,
    /// By the kind's place in its list, in ascending order.
    kinds: Vec<(u32, Dense)>,
}

/// Counters of consecutive buckets; the first and the last of them count something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Dense {
    /// The number of the first bucket; 0 where there is none.
    first: i32,
    unrevoked: Vec<u32>,
    revoked: Vec<u32>,
}

/// The number of the bucket that begins on `day`: consecutive ones have consecutive numbers.
pub(super) fn number(bucket: Bucket, day: JstDate) -> i32 {
    match bucket {
        Bucket::Day => day.number(),
        Bucket::Week => day.number().div_euclid(7),
        Bucket::Month => {
            let (year, month, _) = day.parts();
            i32::from(year) * 12 + i32::from(month) - 1
        }
    }
}

/// The first day of the bucket of this number.
fn begin(bucket: Bucket, number: i32) -> JstDate {
    match bucket {
        Bucket::Day => JstDate::from_number(number),
        // The Monday that lies among these seven days is on or before the last of them.
        Bucket::Week => JstDate::from_number(number * 7 + 6).week_start(),
        Bucket::Month => JstDate::from_number(0).plus_months(number - 1970 * 12),
    }
}

impl Coarse {
    /// Changes the counter of a kind in the bucket of this number.
    pub(super) fn change(
        &mut self,
        (number, kind): (i32, u32),
        revoked: bool,
        change: impl Fn(u32) -> u32,
    ) {
        self.all.change(number, revoked, &change);
        let at = self.kinds.partition_point(|(one, _)| *one < kind);
        if self.kinds.get(at).is_none_or(|(one, _)| *one != kind) {
            self.kinds.insert(at, (kind, Dense::default()));
        }
        self.kinds[at].1.change(number, revoked, &change);
        if self.kinds[at].1.unrevoked.is_empty() {
            self.kinds.remove(at);
        }
    }

    /// Adds what is counted of the kinds in `mask` to the buckets `to` of a row, of which the first has
    /// this number.
    pub(super) fn add(&self, row: &mut HistogramRow, to: Range<usize>, (number, mask): (i32, u32)) {
        let chosen = |kind: u32| (mask >> kind) & 1 == 1;
        if self.kinds.iter().all(|(kind, _)| chosen(*kind)) {
            return self.all.add(row, to, number);
        }
        for (_, dense) in self.kinds.iter().filter(|(kind, _)| chosen(*kind)) {
            dense.add(row, to.clone(), number);
        }
    }

    /// The same as cells under the first day of each bucket: of each kind, and of all together.
    pub(super) fn cells(&self, bucket: Bucket) -> (Row, Row) {
        let mut kinds: Vec<_> = self
            .kinds
            .iter()
            .flat_map(|(kind, dense)| dense.cells(bucket, *kind))
            .collect();
        kinds.sort_by_key(|cell| cell.key);
        (Row(kinds), Row(self.all.cells(bucket, 0).collect()))
    }
}

impl Dense {
    fn change(&mut self, number: i32, revoked: bool, change: impl Fn(u32) -> u32) {
        let at = self.make_room(number);
        let counters = if revoked {
            &mut self.revoked
        } else {
            &mut self.unrevoked
        };
        if let Some(counter) = counters.get_mut(at) {
            *counter = change(*counter);
        }
        self.trim();
    }

    /// Where the counters of a bucket stand; they are put there if they are not.
    fn make_room(&mut self, number: i32) -> usize {
        if self.unrevoked.is_empty() {
            self.first = number;
        }
        let distance = |from: i32, to: i32| usize::try_from(to.saturating_sub(from)).unwrap_or(0);
        let before = distance(number, self.first);
        let at = distance(self.first, number);
        for counters in [&mut self.unrevoked, &mut self.revoked] {
            if before > 0 {
                counters.splice(0..0, std::iter::repeat_n(0, before));
            }
            let longer = (at + 1).saturating_sub(counters.len());
            if longer > counters.capacity() - counters.len() {
                counters.reserve_exact(longer + AHEAD);
            }
            counters.resize(counters.len() + longer, 0);
        }
        self.first = self.first.min(number);
        at
    }

    /// Takes away what counts nothing at both ends, so that equal counters are equal.
    fn trim(&mut self) {
        let counts = |(one, other): (&u32, &u32)| *one > 0 || *other > 0;
        let both = || self.unrevoked.iter().zip(&self.revoked);
        let Some(first) = both().position(counts) else {
            *self = Self::default();
            return;
        };
        let length = both().rposition(counts).map_or(0, |last| last + 1);
        for counters in [&mut self.unrevoked, &mut self.revoked] {
            counters.truncate(length);
            if first > 0 {
                counters.drain(..first);
            }
        }
        self.first += i32::try_from(first).unwrap_or_default();
    }

    fn add(&self, row: &mut HistogramRow, to: Range<usize>, number: i32) {
        // The part of the counters that lies among the buckets, and where it begins there.
        let shift = i64::from(self.first) - i64::from(number);
        let (skipped, at) = match usize::try_from(shift) {
            Ok(shift) => (0, shift),
            Err(_) => (usize::try_from(-shift).unwrap_or(usize::MAX), 0),
        };
        let Some(begin) = to.start.checked_add(at).filter(|begin| *begin < to.end) else {
            return;
        };
        for (sums, counters) in [
            (&mut row.unrevoked, &self.unrevoked),
            (&mut row.revoked, &self.revoked),
        ] {
            let counters = counters.get(skipped..).unwrap_or_default();
            let sums = sums.get_mut(begin..to.end).unwrap_or_default();
            for (sum, counter) in sums.iter_mut().zip(counters) {
                *sum = sum.saturating_add(*counter);
            }
        }
    }

    fn cells(&self, bucket: Bucket, kind: u32) -> impl Iterator<Item = Cell> {
        let counters = self.unrevoked.iter().zip(&self.revoked);
        (self.first..)
            .zip(counters)
            .filter(|(_, (unrevoked, revoked))| **unrevoked > 0 || **revoked > 0)
            .map(move |(number, (unrevoked, revoked))| Cell {
                key: key(begin(bucket, number).number(), kind & KIND_MASK),
                unrevoked: *unrevoked,
                revoked: *revoked,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(coarse: &Coarse, from: i32, length: usize, mask: u32) -> (Vec<u32>, Vec<u32>) {
        let mut row = HistogramRow {
            unrevoked: vec![0; length],
            revoked: vec![0; length],
            ..HistogramRow::default()
        };
        coarse.add(&mut row, 1..length, (from, mask));
        (row.unrevoked, row.revoked)
    }

    fn more(n: u32) -> u32 {
        n + 1
    }

    #[test]
    fn numbers_follow_one_another_and_read_back() {
        for bucket in [Bucket::Day, Bucket::Week, Bucket::Month] {
            let mut day = bucket.next("2007-11-20".parse().unwrap());
            let mut last = number(bucket, day) - 1;
            for _ in 0..60 {
                assert_eq!(number(bucket, day), last + 1, "{bucket:?} {day}");
                last = number(bucket, day);
                assert_eq!(begin(bucket, last), day, "{bucket:?}");
                day = bucket.next(day);
            }
        }
    }

    #[test]
    fn the_part_that_is_asked_for_is_added_of_the_kinds_that_are_asked_for() {
        let mut coarse = Coarse::default();
        for (bucket, kind, revoked) in [
            (12, 1, false),
            (10, 0, false),
            (14, 1, true),
            (10, 1, false),
        ] {
            coarse.change((bucket, kind), revoked, more);
        }
        let every = u32::MAX;
        assert_eq!(
            sum(&coarse, 10, 6, every),
            (vec![0, 2, 0, 1, 0, 0], vec![0, 0, 0, 0, 0, 1])
        );
        assert_eq!(sum(&coarse, 10, 6, 0b1).0, [0, 1, 0, 0, 0, 0]);
        assert_eq!(sum(&coarse, 10, 6, 0b10).0, [0, 1, 0, 1, 0, 0]);
        // The buckets begin after the first counter, or before it, or lie elsewhere.
        assert_eq!(
            sum(&coarse, 11, 4, every),
            (vec![0, 0, 1, 0], vec![0, 0, 0, 0])
        );
        assert_eq!(sum(&coarse, 8, 5, every).0, [0, 0, 0, 2, 0]);
        for elsewhere in [i32::MIN, 2, 15, i32::MAX] {
            assert_eq!(sum(&coarse, elsewhere, 4, every).0, [0; 4], "{elsewhere}");
        }
    }

    #[test]
    fn what_is_taken_back_leaves_no_trace_whatever_the_order() {
        let less = |n: u32| n - 1;
        let mut one = Coarse::default();
        one.change((5, 2), false, more);
        let before = one.clone();
        for (bucket, kind) in [(9, 2), (1, 2), (5, 3)] {
            one.change((bucket, kind), false, more);
            one.change((bucket, kind), false, less);
            assert_eq!(one, before, "{bucket} {kind}");
        }
        one.change((5, 2), true, more);
        one.change((5, 2), false, less);
        let (kinds, all) = one.cells(Bucket::Week);
        assert_eq!((kinds.0.len(), all.0.len()), (1, 1));
        assert_eq!((all.0[0].unrevoked, all.0[0].revoked), (0, 1));
        one.change((5, 2), true, less);
        assert_eq!(one, Coarse::default());
    }
}
