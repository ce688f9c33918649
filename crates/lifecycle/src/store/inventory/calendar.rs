//! When certificates expire, counted: per day and kind, for all together and for each branch.
//!
//! Every event changes the counters by one, so that a histogram is a walk over them and never over
//! the certificates. Revoked certificates are counted apart. Nothing here knows the time.

use std::collections::BTreeMap;

use lgpki_domain::{BodyCode, CertificateKind, JstDate};

use super::super::record::Held;
use crate::ports::{Grouping, Histogram, HistogramQuery, HistogramRow};

/// Buckets of one histogram at most.
const MOST_BUCKETS: usize = 4_000;
/// Numbers of one histogram at most, all rows together: some two megabytes on the wire.
const MOST_NUMBERS: usize = 500_000;
/// Bits of a cell's key that tell the kind.
const KIND_BITS: u32 = 4;
const _: () = assert!(CertificateKind::ALL.len() <= 1 << KIND_BITS);

/// The counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calendar {
    all: Row,
    branches: BTreeMap<Option<BodyCode>, Row>,
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
        let key = key(held.not_after.jst_day_number(), place(kind));
        let revoked = held.revoked.is_some();
        let change = |cell: &mut Cell| {
            let number = if revoked {
                &mut cell.revoked
            } else {
                &mut cell.unrevoked
            };
            *number = change(*number);
        };
        self.all.change(key, change);
        self.branches
            .entry(held.branch)
            .or_default()
            .change(key, change);
    }

    /// What is counted for the days from `from` to `to`, of one branch or of all together.
    pub(crate) fn tallies(
        &self,
        branch: Option<BodyCode>,
        (from, to): (i32, i32),
    ) -> impl Iterator<Item = Tally> {
        let row = match branch {
            None => Some(&self.all),
            branch => self.branches.get(&branch),
        };
        let cells = row.map_or(&[][..], |row| row.between(from, to));
        cells.iter().filter_map(|cell| {
            let kind = usize::try_from(cell.key & ((1 << KIND_BITS) - 1)).ok()?;
            Some(Tally {
                day: i32::try_from(cell.key >> KIND_BITS).ok()?,
                kind: *CertificateKind::ALL.get(kind)?,
                unrevoked: cell.unrevoked,
                revoked: cell.revoked,
            })
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
            branch => self.branches.get(&branch).unwrap_or(&nothing),
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
                rows.filter_map(|(branch, row)| scale.sum(row, *branch))
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

/// The buckets of a query, and into which of them each day falls.
struct Scale {
    buckets: Vec<JstDate>,
    first: i32,
    last: i32,
    bucket_of: Vec<u16>,
    kinds: u32,
}

impl Scale {
    fn try_new(query: &HistogramQuery, to: JstDate) -> Option<Self> {
        let mut buckets = Vec::new();
        let mut bucket_of = Vec::new();
        let mut day = query.from;
        while day <= to {
            if buckets.len() == MOST_BUCKETS {
                return None;
            }
            let next = query.bucket.next(day).min(to.plus_days(1));
            let days = usize::try_from(next.number() - day.number()).ok()?;
            let number = u16::try_from(buckets.len()).ok()?;
            bucket_of.extend(std::iter::repeat_n(number, days));
            buckets.push(day);
            day = next;
        }
        let chosen = query.kinds.iter().map(|kind| 1 << place(*kind));
        let kinds = match chosen.fold(0, |mask, bit: u32| mask | bit) {
            0 => u32::MAX,
            mask => mask,
        };
        Some(Self {
            buckets,
            first: query.from.number(),
            last: to.number(),
            bucket_of,
            kinds,
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

    /// The cells of a row that count, each with its bucket and its kind's place.
    fn cells<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = (usize, usize, &'a Cell)> {
        let first = key(self.first, 0) >> KIND_BITS;
        let cells = row.between(self.first, self.last).iter();
        cells.filter_map(move |cell| {
            let kind = cell.key & ((1 << KIND_BITS) - 1);
            let day = usize::try_from((cell.key >> KIND_BITS) - first).ok()?;
            let bucket = usize::from(*self.bucket_of.get(day)?);
            (self.kinds & (1 << kind) != 0).then_some((bucket, usize::try_from(kind).ok()?, cell))
        })
    }

    /// The row of one branch, or of all together; none if nothing expires.
    fn sum(&self, row: &Row, branch: Option<BodyCode>) -> Option<HistogramRow> {
        let mut sum = self.row(branch, None);
        // Cells of one bucket stand together; their sum is put down once.
        let mut run: Option<(usize, Cell)> = None;
        for (bucket, _, cell) in self.cells(row) {
            match &mut run {
                Some((at, total)) if *at == bucket => {
                    total.unrevoked = total.unrevoked.saturating_add(cell.unrevoked);
                    total.revoked = total.revoked.saturating_add(cell.revoked);
                }
                _ => {
                    if let Some((at, total)) = run.replace((bucket, *cell)) {
                        add(&mut sum, at, &total);
                    }
                }
            }
        }
        let (at, total) = run?;
        add(&mut sum, at, &total);
        Some(sum)
    }

    /// A row for each kind that occurs.
    fn by_kind(&self, row: &Row) -> Vec<HistogramRow> {
        let mut rows = CertificateKind::ALL.map(|_| None);
        for (bucket, kind, cell) in self.cells(row) {
            let of = CertificateKind::ALL.get(kind).copied();
            if let Some(slot) = rows.get_mut(kind) {
                add(slot.get_or_insert_with(|| self.row(None, of)), bucket, cell);
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
