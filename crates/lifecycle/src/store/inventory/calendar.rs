//! When certificates expire, counted: per day and kind, for all together and for each branch.
//!
//! Every event changes the counters by one, so that a histogram is a walk over them and never over
//! the certificates. Revoked certificates are counted apart. Nothing here knows the time.

mod coarse;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use lgpki_domain::{BodyCode, CertificateKind, JstDate};

use self::coarse::Coarse;
use super::{
    super::{rebuild::Found, record::Held},
    compare::{along, beyond},
};
use crate::ports::{Bucket, Grouping, Histogram, HistogramQuery, HistogramRow, Place};

/// Buckets of one histogram at most.
const MOST_BUCKETS: usize = 4_000;
/// Numbers of one histogram at most, all rows together: some two megabytes on the wire.
const MOST_NUMBERS: usize = 500_000;
/// Branches whose counters are compared at once: a branch has some thousands at most.
const COMPARED: usize = if cfg!(test) { 1 } else { 64 };
/// Bits of a cell's key that tell the kind.
const KIND_BITS: u32 = 4;
/// These bits.
const KIND_MASK: u32 = (1 << KIND_BITS) - 1;
const _: () = assert!(CertificateKind::ALL.len() <= 1 << KIND_BITS);

/// The branch that holds certificates, if one does.
pub(super) type Holder = Option<BodyCode>;

/// The counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calendar {
    all: Row,
    branches: BTreeMap<Holder, Rows>,
}

/// The counters of one branch. Most of its days hold one certificate, so that all branches' cells of
/// days are as many as the certificates; those of weeks and months answer where every branch is asked
/// for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rows {
    days: Row,
    weeks: Coarse,
    months: Coarse,
}

/// Cells in ascending order of their keys. New certificates expire last, so that nearly every cell
/// is found, or put, at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Row(Vec<Cell>);

/// The certificates of one kind that expire on one day; never without any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    /// The day's number, then the kind's place in its list.
    key: u32,
    unrevoked: u32,
    revoked: u32,
}

/// What a cell tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    /// The day of expiry.
    pub(crate) day: i32,
    /// The kind.
    pub(crate) kind: CertificateKind,
    /// How many are not revoked.
    pub(crate) unrevoked: u32,
    /// How many are.
    pub(crate) revoked: u32,
}

impl Row {
    fn change(&mut self, key: u32, change: impl FnOnce(&mut Cell)) {
        let at = match self.0.last() {
            Some(last) if last.key == key => self.0.len() - 1,
            Some(last) if last.key > key => self.0.partition_point(|cell| cell.key < key),
            _ => self.0.len(),
        };
        if self.0.get(at).is_none_or(|cell| cell.key != key) {
            let empty = Cell {
                key,
                unrevoked: 0,
                revoked: 0,
            };
            self.0.insert(at, empty);
        }
        change(&mut self.0[at]);
        if self.0[at].unrevoked == 0 && self.0[at].revoked == 0 {
            self.0.remove(at);
        }
    }

    /// The cells of the days from `from` to `to`.
    fn between(&self, from: i32, to: i32) -> &[Cell] {
        let first = self.0.partition_point(|cell| cell.key < key(from, 0));
        let end = self
            .0
            .partition_point(|cell| cell.key < key(to.saturating_add(1), 0));
        &self.0[first..end.max(first)]
    }
}

impl Row {
    fn compare(&self, rebuilt: &Self, (name, by_kind): (&str, bool), found: &mut Found) {
        if self == rebuilt {
            return;
        }
        let keys = |row: &Self| row.0.iter().map(|cell| cell.key).collect::<BTreeSet<_>>();
        for key in keys(self).union(&keys(rebuilt)) {
            let cell = |row: &Self| {
                let at = row.0.partition_point(|cell| cell.key < *key);
                let cell = row.0.get(at).filter(|cell| cell.key == *key);
                cell.map_or((0, 0), |cell| (cell.unrevoked, cell.revoked))
            };
            let (live, rebuilt) = (cell(self), cell(rebuilt));
            if live != rebuilt {
                found.differs(Place::Counter, None, || {
                    let day = JstDate::from_number(i32::try_from(key >> KIND_BITS).unwrap_or(0));
                    let kind = usize::try_from(key & KIND_MASK).unwrap_or_default();
                    let kind = CertificateKind::ALL.get(kind).filter(|_| by_kind);
                    let kind = kind.map_or("of all kinds", |kind| kind.name());
                    let text = |(unrevoked, revoked)| format!("{unrevoked} and {revoked} revoked");
                    let field = format!("expiry {day} {kind}, {name}");
                    (field, text(live), text(rebuilt))
                });
            }
        }
    }
}

/// Days before 1970 and after all calendars count as the first and the last.
fn key(day: i32, kind: u32) -> u32 {
    let day = u32::try_from(day.max(0)).unwrap_or_default();
    (day.min(u32::MAX >> KIND_BITS) << KIND_BITS) | kind
}

fn place(kind: CertificateKind) -> u32 {
    let at = CertificateKind::ALL.iter().position(|k| *k == kind);
    at.and_then(|at| u32::try_from(at).ok()).unwrap_or_default()
}

impl Calendar {
    /// Takes note of what became of a serial number.
    pub(crate) fn replace(&mut self, before: Option<&Held>, now: &Held) {
        if let Some(before) = before {
            self.count(before, |n| n.saturating_sub(1));
        }
        self.count(now, |n| n.saturating_add(1));
    }

    fn count(&mut self, held: &Held, change: impl Fn(u32) -> u32 + Copy) {
        // An abandoned serial number is no certificate.
        let Some(kind) = held.kind else { return };
        let day = held.not_after.jst_date();
        let of_day = key(day.number(), place(kind));
        let revoked = held.revoked.is_some();
        let change_cell = |cell: &mut Cell| {
            let number = if revoked {
                &mut cell.revoked
            } else {
                &mut cell.unrevoked
            };
            *number = change(*number);
        };
        self.all.change(of_day, change_cell);
        let rows = self.branches.entry(held.branch).or_default();
        rows.days.change(of_day, change_cell);
        for (bucket, begin, coarse) in [
            (Bucket::Week, day.week_start(), &mut rows.weeks),
            (Bucket::Month, day.month_start(), &mut rows.months),
        ] {
            coarse.change(
                (coarse::number(bucket, begin), place(kind)),
                revoked,
                change,
            );
        }
    }

    /// What is counted for the days from `from` to `to`, of one branch or of all together.
    pub(crate) fn tallies(
        &self,
        branch: Option<BodyCode>,
        (from, to): (i32, i32),
    ) -> impl Iterator<Item = Tally> {
        let row = match branch {
            None => Some(&self.all),
            branch => self.branches.get(&branch).map(|rows| &rows.days),
        };
        let cells = row.map_or(&[][..], |row| row.between(from, to));
        cells.iter().filter_map(|cell| {
            let kind = usize::try_from(cell.key & KIND_MASK).ok()?;
            Some(Tally {
                day: i32::try_from(cell.key >> KIND_BITS).ok()?,
                kind: *CertificateKind::ALL.get(kind)?,
                unrevoked: cell.unrevoked,
                revoked: cell.revoked,
            })
        })
    }

    /// Takes note of the counters that differ from `rebuilt`: of all together first, then of some branches
    /// after one. Returns the last of these, or nothing if none comes after.
    pub(crate) fn compare(
        &self,
        rebuilt: &Self,
        after: Option<Holder>,
        found: &mut Found,
    ) -> Option<Holder> {
        if after.is_none() {
            self.all.compare(&rebuilt.all, ("all", true), found);
        }
        let [live, rebuilt] = [self, rebuilt].map(|of| {
            let branches = of.branches.range(beyond(after));
            branches.map(|(branch, rows)| (*branch, rows))
        });
        let nothing = Rows::default();
        along(COMPARED, live, rebuilt, |branch, live, rebuilt| {
            let (live, rebuilt) = (live.unwrap_or(&nothing), rebuilt.unwrap_or(&nothing));
            let name = branch.map_or_else(|| "no branch".to_owned(), |code| code.to_string());
            live.days.compare(&rebuilt.days, (&name, true), found);
            for (bucket, by, live, rebuilt) in [
                (Bucket::Week, "by week", &live.weeks, &rebuilt.weeks),
                (Bucket::Month, "by month", &live.months, &rebuilt.months),
            ] {
                if live == rebuilt {
                    continue;
                }
                let name = format!("{name} {by}");
                let (live, rebuilt) = (live.cells(bucket), rebuilt.cells(bucket));
                live.0.compare(&rebuilt.0, (&name, true), found);
                live.1.compare(&rebuilt.1, (&name, false), found);
            }
        })
    }

    /// Answers a query; none if there would be too many numbers.
    pub(crate) fn histogram(&self, query: &HistogramQuery) -> Option<Histogram> {
        let last = self.all.0.last().map(|cell| cell.key >> KIND_BITS);
        let last = last.and_then(|day| i32::try_from(day).ok());
        let to = query
            .to
            .or_else(|| last.map(JstDate::from_number))
            .map_or(query.from, |to| to.max(query.from));
        let scale = Scale::try_new(query, to)?;
        let buckets = scale.buckets.len();
        let nothing = Row::default();
        let one = match query.branch {
            None => &self.all,
            branch => self
                .branches
                .get(&branch)
                .map_or(&nothing, |rows| &rows.days),
        };
        let rows = match (query.grouping, query.branch) {
            (Grouping::None, _) => vec![
                scale
                    .sum(one, None)
                    .unwrap_or_else(|| scale.row(None, None)),
            ],
            (Grouping::Kind, _) => scale.by_kind(one),
            (Grouping::Branch, Some(branch)) => scale.sum(one, Some(branch)).into_iter().collect(),
            (Grouping::Branch, None) => {
                if self.branches.len().saturating_mul(buckets) > MOST_NUMBERS {
                    return None;
                }
                let rows = self.branches.iter();
                rows.filter_map(|(branch, rows)| scale.sum_all(rows, *branch))
                    .collect()
            }
        };
        Some(Histogram {
            buckets: scale.buckets,
            to,
            rows,
        })
    }
}

/// The buckets of a query, and where the cells of each end.
struct Scale {
    buckets: Vec<JstDate>,
    /// For each bucket, the first key of the days after it.
    ends: Vec<u32>,
    kinds: u32,
    bucket: Bucket,
    /// The buckets that are whole weeks or months: the first and the last may be cut.
    whole: Range<usize>,
}

impl Scale {
    fn try_new(query: &HistogramQuery, to: JstDate) -> Option<Self> {
        let mut buckets = Vec::new();
        let mut ends = Vec::new();
        let mut day = query.from;
        while day <= to {
            if buckets.len() == MOST_BUCKETS {
                return None;
            }
            let next = query.bucket.next(day).min(to.plus_days(1));
            ends.push(key(next.number(), 0));
            buckets.push(day);
            day = next;
        }
        let begins_within = query.bucket.next(query.from.plus_days(-1)) != query.from;
        let cut = buckets
            .last()
            .is_some_and(|last| query.bucket.next(*last) > to.plus_days(1));
        let whole_end = buckets.len() - usize::from(cut);
        let chosen = query.kinds.iter().map(|kind| 1 << place(*kind));
        let kinds = match chosen.fold(0, |mask, bit: u32| mask | bit) {
            0 => u32::MAX,
            mask => mask,
        };
        Some(Self {
            ends,
            kinds,
            bucket: query.bucket,
            whole: usize::from(begins_within)..whole_end,
            buckets,
        })
    }

    fn row(&self, branch: Option<BodyCode>, kind: Option<CertificateKind>) -> HistogramRow {
        HistogramRow {
            branch,
            kind,
            unrevoked: vec![0; self.buckets.len()],
            revoked: vec![0; self.buckets.len()],
        }
    }

    /// The cells of a row, bucket by bucket: cells and ends ascend alike, so that one walk over both
    /// finds each cell's bucket without looking it up.
    fn stretches<'a>(
        &'a self,
        row: &'a Row,
        buckets: Range<usize>,
    ) -> impl Iterator<Item = &'a [Cell]> {
        let first = self.buckets.get(buckets.start);
        let first = first.map_or(u32::MAX, |day| key(day.number(), 0));
        let mut rest = &row.0[row.0.partition_point(|cell| cell.key < first)..];
        let ends = self.ends.get(buckets).unwrap_or_default();
        ends.iter().map(move |end| {
            let inside = rest.iter().take_while(|cell| cell.key < *end).count();
            let (stretch, after) = rest.split_at(inside);
            rest = after;
            stretch
        })
    }

    /// 1 for a cell of a kind that is asked for, 0 for another: a factor, for a branch would be
    /// mispredicted at every other cell.
    fn factor(&self, cell: &Cell) -> u32 {
        (self.kinds >> (cell.key & KIND_MASK)) & 1
    }

    /// The row of one branch, or of all together; none if nothing expires.
    fn sum(&self, row: &Row, branch: Option<BodyCode>) -> Option<HistogramRow> {
        let mut sum = HistogramRow {
            branch,
            kind: None,
            unrevoked: Vec::with_capacity(self.buckets.len()),
            revoked: Vec::with_capacity(self.buckets.len()),
        };
        let mut counted = 0;
        for stretch in self.stretches(row, 0..self.buckets.len()) {
            let (mut unrevoked, mut revoked) = (0_u32, 0_u32);
            for cell in stretch {
                let factor = self.factor(cell);
                counted |= factor;
                unrevoked = unrevoked.saturating_add(cell.unrevoked * factor);
                revoked = revoked.saturating_add(cell.revoked * factor);
            }
            sum.unrevoked.push(unrevoked);
            sum.revoked.push(revoked);
        }
        (counted != 0).then_some(sum)
    }

    /// The row of one branch, from its weeks or months where they tell it; from its days where the
    /// first or the last bucket is cut.
    fn sum_all(&self, rows: &Rows, branch: Option<BodyCode>) -> Option<HistogramRow> {
        let coarse = match self.bucket {
            Bucket::Week => &rows.weeks,
            Bucket::Month => &rows.months,
            Bucket::Day => return self.sum(&rows.days, branch),
        };
        let Range { start, end } = self.whole;
        let Some(begin) = self.buckets.get(start).filter(|_| start < end) else {
            return self.sum(&rows.days, branch);
        };
        let mut sum = self.row(branch, None);
        for edge in [0..start, end..self.buckets.len()] {
            for (at, stretch) in edge.clone().zip(self.stretches(&rows.days, edge)) {
                let asked = stretch.iter().filter(|cell| self.factor(cell) == 1);
                asked.for_each(|cell| add(&mut sum, at, cell));
            }
        }
        let number = coarse::number(self.bucket, *begin);
        coarse.add(&mut sum, start..end, (number, self.kinds));
        let counts = |numbers: &[u32]| numbers.iter().any(|number| *number > 0);
        (counts(&sum.unrevoked) || counts(&sum.revoked)).then_some(sum)
    }

    /// A row for each kind that occurs.
    fn by_kind(&self, row: &Row) -> Vec<HistogramRow> {
        let mut rows = CertificateKind::ALL.map(|_| None);
        for (bucket, stretch) in self.stretches(row, 0..self.buckets.len()).enumerate() {
            for cell in stretch.iter().filter(|cell| self.factor(cell) == 1) {
                let kind = usize::try_from(cell.key & KIND_MASK).unwrap_or_default();
                let of = CertificateKind::ALL.get(kind).copied();
                if let Some(slot) = rows.get_mut(kind) {
                    add(slot.get_or_insert_with(|| self.row(None, of)), bucket, cell);
                }
            }
        }
        rows.into_iter().flatten().collect()
    }
}

fn add(row: &mut HistogramRow, bucket: usize, cell: &Cell) {
    if let (Some(unrevoked), Some(revoked)) =
        (row.unrevoked.get_mut(bucket), row.revoked.get_mut(bucket))
    {
        *unrevoked = unrevoked.saturating_add(cell.unrevoked);
        *revoked = revoked.saturating_add(cell.revoked);
    }
}
