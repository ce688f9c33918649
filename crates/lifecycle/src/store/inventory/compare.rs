//! What memory holds beside the records, compared with an inventory that was rebuilt: the orders, the
//! counters, and what each series of CRLs must list. Nothing here changes anything.
//!
//! It goes part by part, and along each a stretch at a time. Both inventories stand after the same entry
//! whenever a stretch is compared; what comes between two stretches comes into both.

use std::{collections::BTreeSet, ops::Bound};

use lgpki_domain::{BodyCode, CrlSeries, JstDate, Serial};

use super::{
    super::{
        rebuild::{COMPARED, Found},
        record::Held,
    },
    Book, Inventory,
    calendar::Holder,
};
use crate::ports::Place;

/// The bytes of a serial number.
pub(super) type Bytes = [u8; 16];

/// A part of memory, and after which place of it to go on; from its beginning where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// How much is held, and where each series of CRLs stands.
    Sums,
    /// The order of expiry.
    Expiry(Option<super::Place>),
    /// That of each branch.
    Branches(Option<(BodyCode, super::Place)>),
    /// The order of keys.
    Keys(Option<(u32, Bytes)>),
    /// The entries that brought notices.
    Notices(Option<(u64, Bytes)>),
    /// Those of each branch.
    BranchNotices(Option<(BodyCode, u64, Bytes)>),
    /// The counters of the days of expiry, after a branch, or the certificates of none.
    Calendar(Option<Holder>),
    /// What the CRLs must list.
    Crls(Option<(CrlSeries, Serial)>),
    /// What the delta CRLs may have to list.
    Deltas(Option<(CrlSeries, u64)>),
    /// The renewal slots.
    Slots(Option<(JstDate, Bytes)>),
}

impl Part {
    /// How many there are.
    pub(crate) const COUNT: u64 = 10;

    /// How many come before this one.
    pub(crate) const fn before(self) -> u64 {
        match self {
            Self::Sums => 0,
            Self::Expiry(_) => 1,
            Self::Branches(_) => 2,
            Self::Keys(_) => 3,
            Self::Notices(_) => 4,
            Self::BranchNotices(_) => 5,
            Self::Calendar(_) => 6,
            Self::Crls(_) => 7,
            Self::Deltas(_) => 8,
            Self::Slots(_) => 9,
        }
    }
}

impl Inventory {
    /// Takes note of what differs from `rebuilt` along one stretch of a part; returns where to go on.
    pub(crate) fn compare(&self, rebuilt: &Self, part: Part, found: &mut Found) -> Option<Part> {
        Some(match part {
            Part::Sums => {
                self.compare_sums(rebuilt, found);
                Part::Expiry(None)
            }
            Part::Expiry(after) => orders(
                (&self.by_expiry, &rebuilt.by_expiry),
                after,
                |(at, serial)| ("order of expiry", serial, at.to_string()),
                found,
            )
            .map_or(Part::Branches(None), |end| Part::Expiry(Some(end))),
            Part::Branches(after) => orders(
                (&self.by_branch, &rebuilt.by_branch),
                after,
                |(branch, (at, serial))| ("order of a branch", serial, format!("{branch} {at}")),
                found,
            )
            .map_or(Part::Keys(None), |end| Part::Branches(Some(end))),
            Part::Keys(after) => orders(
                (&self.by_key, &rebuilt.by_key),
                after,
                |(key, serial)| ("order of keys", serial, format!("{key:08x}")),
                found,
            )
            .map_or(Part::Notices(None), |end| Part::Keys(Some(end))),
            Part::Notices(after) => orders(
                (&self.acts, &rebuilt.acts),
                after,
                |(entry, serial)| ("notice", serial, format!("entry {entry}")),
                found,
            )
            .map_or(Part::BranchNotices(None), |end| Part::Notices(Some(end))),
            Part::BranchNotices(after) => orders(
                (&self.acts_by_branch, &rebuilt.acts_by_branch),
                after,
                |(branch, entry, serial)| {
                    let text = format!("{branch} entry {entry}");
                    ("notice of a branch", serial, text)
                },
                found,
            )
            .map_or(Part::Calendar(None), |end| Part::BranchNotices(Some(end))),
            Part::Calendar(after) => {
                let end = self.calendar.compare(&rebuilt.calendar, after, found);
                end.map_or(Part::Crls(None), |end| Part::Calendar(Some(end)))
            }
            Part::Crls(after) => {
                let end = self.compare_listed(rebuilt, after, found);
                end.map_or(Part::Deltas(None), |end| Part::Crls(Some(end)))
            }
            Part::Deltas(after) => {
                let end = self.compare_recent(rebuilt, after, found);
                end.map_or(Part::Slots(None), |end| Part::Deltas(Some(end)))
            }
            Part::Slots(after) => {
                let end = self.slots.compare(&rebuilt.slots, after, found);
                return end.map(|end| Part::Slots(Some(end)));
            }
        })
    }

    /// What is held about a certificate besides its record: that is `live` or `as_rebuilt`.
    pub(crate) fn compare_about(
        &self,
        rebuilt: &Self,
        serial: Serial,
        (live, as_rebuilt): (Option<&Held>, &Held),
        found: &mut Found,
    ) {
        let renewals = [self, rebuilt].map(|of| of.renewal_of(serial));
        if renewals[0] != renewals[1] {
            found.differs(Place::Memory, Some(serial), || {
                let [live, rebuilt] =
                    renewals.map(|by| by.map_or_else(|| "none".to_owned(), |by| by.to_string()));
                ("open renewal".to_owned(), live, rebuilt)
            });
        }
        let command = |held: &Held| held.revoked.and_then(|revoked| revoked.command);
        let commands = [live.and_then(command), command(as_rebuilt)];
        for command in BTreeSet::from(commands).into_iter().flatten() {
            let has = [self, rebuilt].map(|of| of.revoked_by(command) == Some(serial));
            if has[0] != has[1] {
                let present = || command.to_string();
                let field = "revocation by command";
                found.missing(Place::Memory, Some(serial), field, (present, has[0]));
            }
        }
    }

    fn compare_sums(&self, rebuilt: &Self, found: &mut Found) {
        let sums = |of: &Self| {
            [
                ("position in the feed", of.position),
                ("serial numbers held", of.held.len() as u64),
                ("commands that revoked", of.by_command.len() as u64),
                ("open renewals", of.renewals.len() as u64),
            ]
        };
        for ((field, live), (_, rebuilt)) in sums(self).into_iter().zip(sums(rebuilt)) {
            if live != rebuilt {
                let text = || (field.to_owned(), live.to_string(), rebuilt.to_string());
                found.differs(Place::Counter, None, text);
            }
        }
        if self.first_revoked != rebuilt.first_revoked {
            found.differs(Place::Memory, None, || {
                let text = |of: &Self| format!("{} days", of.first_revoked.len());
                let field = "first revocation of each day".to_owned();
                (field, text(self), text(rebuilt))
            });
        }
        let series: BTreeSet<_> = self.books.keys().chain(rebuilt.books.keys()).collect();
        for series in series {
            let [live, rebuilt] = [self, rebuilt].map(|of| of.books.get(series));
            let rest = |book: Option<&Book>| {
                book.map(|book| {
                    let (ends, latest) = (book.ends.len(), book.latest);
                    let listed = book.listed.len();
                    format!(
                        "{:?} {:?}, {listed} listed, the latest {latest:?}, with {ends} ends",
                        book.chain, book.last_urgent
                    )
                })
            };
            let ends = |book: Option<&Book>| book.map(|book| book.ends.clone());
            let (text, as_rebuilt) = (rest(live), rest(rebuilt));
            if text != as_rebuilt || ends(live) != ends(rebuilt) {
                let text = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
                let (live, rebuilt) = (text(rest(live)), text(as_rebuilt));
                found.differs(Place::Memory, None, || {
                    (format!("CRLs of {series}"), live, rebuilt)
                });
            }
        }
    }

    /// What the CRLs of every series must list.
    fn compare_listed(
        &self,
        rebuilt: &Self,
        after: Option<(CrlSeries, Serial)>,
        found: &mut Found,
    ) -> Option<(CrlSeries, Serial)> {
        let [live, rebuilt] = [self, rebuilt].map(|of| {
            let books = of.books.range(from(after.map(|(series, _)| series)));
            books.flat_map(move |(series, book)| {
                let within = after.filter(|(of, _)| of == series).map(|(_, at)| at);
                let listed = book.listed.range(beyond(within));
                listed.map(|(serial, entry)| ((*series, *serial), entry))
            })
        });
        along(
            COMPARED,
            live,
            rebuilt,
            |(series, serial), live, rebuilt| {
                found.differs(Place::Memory, Some(serial), || {
                    let text = |entry: Option<_>| {
                        entry.map_or_else(|| "none".to_owned(), |entry| format!("{entry:?}"))
                    };
                    let field = format!("entry for the CRL {series}");
                    (field, text(live), text(rebuilt))
                });
            },
        )
    }

    /// What was revoked in every series since the oldest base of its delta CRLs.
    fn compare_recent(
        &self,
        rebuilt: &Self,
        after: Option<(CrlSeries, u64)>,
        found: &mut Found,
    ) -> Option<(CrlSeries, u64)> {
        let [live, rebuilt] = [self, rebuilt].map(|of| {
            let books = of.books.range(from(after.map(|(series, _)| series)));
            books.flat_map(move |(series, book)| {
                let within = after.filter(|(of, _)| of == series).map(|(_, at)| at);
                let recent = book.recent.range(beyond(within));
                recent.map(|(index, serial)| ((*series, *index), *serial))
            })
        });
        along(COMPARED, live, rebuilt, |(series, index), live, rebuilt| {
            let field = format!("entry for the delta CRL {series}");
            for (serial, is_live) in [(live, true), (rebuilt, false)] {
                let Some(serial) = serial else { continue };
                let text = || format!("revoked in {index}");
                found.missing(Place::Memory, Some(serial), &field, (text, is_live));
            }
        })
    }
}

#[cfg(test)]
impl Inventory {
    /// Counts a certificate once too often.
    pub(crate) fn miscount(&mut self, serial: Serial) {
        if let Some(held) = self.held.get(&serial) {
            self.calendar.replace(None, held);
        }
    }
}

/// A place and what comes after it.
pub(super) fn from<T>(first: Option<T>) -> (Bound<T>, Bound<T>) {
    let low = first.map_or(Bound::Unbounded, Bound::Included);
    (low, Bound::Unbounded)
}

/// What comes after a place.
pub(super) fn beyond<T>(after: Option<T>) -> (Bound<T>, Bound<T>) {
    let low = after.map_or(Bound::Unbounded, Bound::Excluded);
    (low, Bound::Unbounded)
}

/// Takes note of the places after `after` that only one of two orders has, along one stretch; returns
/// where that ended, or nothing if nothing comes after.
fn orders<T: Ord + Copy>(
    (live, rebuilt): (&BTreeSet<T>, &BTreeSet<T>),
    after: Option<T>,
    describe: impl Fn(T) -> (&'static str, Bytes, String),
    found: &mut Found,
) -> Option<T> {
    let [live, rebuilt] =
        [live, rebuilt].map(|of| of.range(beyond(after)).map(|place| (*place, ())));
    along(COMPARED, live, rebuilt, |place, live, _| {
        let (field, serial, text) = describe(place);
        let serial = Serial::from_bytes(&serial);
        found.missing(Place::Memory, serial, field, (|| text, live.is_some()));
    })
}

/// Walks along two ascending orders side by side, at most so many places; tells of those at which they
/// differ, and returns the last one, or nothing if the walk came to the end of both.
pub(crate) fn along<K: Ord + Clone, V: PartialEq>(
    most: usize,
    live: impl Iterator<Item = (K, V)>,
    rebuilt: impl Iterator<Item = (K, V)>,
    mut differs: impl FnMut(K, Option<V>, Option<V>),
) -> Option<K> {
    let (mut live, mut rebuilt) = (live.peekable(), rebuilt.peekable());
    let mut last = None;
    for _ in 0..most {
        let next = match (live.peek(), rebuilt.peek()) {
            (Some((one, _)), Some((other, _))) => one.min(other),
            (Some((key, _)), None) | (None, Some((key, _))) => key,
            (None, None) => return None,
        };
        let next = next.clone();
        let of_live = live.next_if(|(key, _)| *key == next).map(|(_, v)| v);
        let of_rebuilt = rebuilt.next_if(|(key, _)| *key == next).map(|(_, v)| v);
        if of_live != of_rebuilt {
            differs(next.clone(), of_live, of_rebuilt);
        }
        last = Some(next);
    }
    last
}
