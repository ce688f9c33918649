//! The inventory in memory: every serial number, in the orders in which it is asked for, and what
//! each series of CRLs must list as revoked.
//!
//! Some 250 bytes a certificate. All of it follows from the records of the index, so that it is
//! restored by one walk over them. Nothing here decides or records; the machine does.

mod calendar;
mod compare;
mod notices;
mod slots;
mod walk;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::{Bound, Range},
};

use lgpki_domain::{ApplicationId, BodyCode, CrlSeries, Serial, Timestamp};

pub(crate) use self::compare::{Part, along};
pub(crate) use self::walk::{Candidate, Query};
use self::{calendar::Calendar, slots::Slots};
use super::{chain::Chain, event::CrlPublished, record::Held};
use crate::ports::{Histogram, HistogramQuery, Listed, PublicationStanding, Snapshot};

/// Entries of a CRL that one look passes at most; few in tests, so that they come to the end of one.
const LISTED: usize = if cfg!(test) { 3 } else { 8_192 };

/// A place in the order of expiry: notAfter and serial number.
type Place = (Timestamp, [u8; 16]);

/// Every certificate and what became of it.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    held: HashMap<Serial, Held>,
    by_expiry: BTreeSet<Place>,
    by_branch: BTreeSet<(BodyCode, Place)>,
    by_command: HashMap<ApplicationId, Serial>,
    /// The open renewals.
    renewals: HashMap<Serial, ApplicationId>,
    /// Bits of the key and serial number.
    by_key: BTreeSet<(u32, [u8; 16])>,
    calendar: Calendar,
    /// The entries that brought notices, of all branches and of each.
    acts: BTreeSet<(u64, [u8; 16])>,
    acts_by_branch: BTreeSet<(BodyCode, u64, [u8; 16])>,
    /// The first entry by which something was revoked on a day, by the day's number.
    first_revoked: BTreeMap<i32, u64>,
    books: BTreeMap<CrlSeries, Book>,
    pub(crate) slots: Slots,
    position: u64,
}

/// What one series of CRLs must publish.
#[derive(Debug, Default, PartialEq, Eq)]
struct Book {
    /// Every revocation, with the index of its entry. Which of them a CRL may leave out after their
    /// certificates' expiry is found when it is made: a clock that is ahead once must not let them go.
    listed: BTreeMap<Serial, (Listed, u64)>,
    /// How many of them there are by notAfter.
    ends: BTreeMap<Timestamp, usize>,
    /// When the latest of them was revoked.
    latest: Option<Timestamp>,
    /// The serial numbers revoked since the oldest base, by the index of the entry.
    recent: BTreeMap<u64, Serial>,
    /// The entry of the last key compromise.
    last_urgent: Option<u64>,
    chain: Chain,
}

impl Book {
    /// How many entries the snapshot lists, without a look at each of them.
    fn count(&self, snapshot: &Snapshot) -> usize {
        let all = self.listed.len();
        let Some((this_update, reflects)) = snapshot.newest else {
            return all;
        };
        let ended = this_update.min(snapshot.now);
        let ends = self.ends.range(..ended);
        let ends = ends.map(|(_, count)| count).sum::<usize>();
        if ends == 0 {
            return all;
        }
        // Revoked after their end, and not listed before.
        let recent = self.recent.range(reflects..).map(|(_, serial)| serial);
        let late = recent.filter_map(|serial| self.listed.get(serial));
        let late = late.filter(|(entry, _)| entry.not_after < ended).count();
        all - ends.saturating_sub(late)
    }
}

impl Inventory {
    /// What is held of a serial number.
    pub(crate) fn held(&self, serial: Serial) -> Option<&Held> {
        self.held.get(&serial)
    }

    /// Everything of the issuer's log below this index is here.
    pub(crate) const fn position(&self) -> u64 {
        self.position
    }

    /// What a command revoked.
    pub(crate) fn revoked_by(&self, command: ApplicationId) -> Option<Serial> {
        self.by_command.get(&command).copied()
    }

    /// The application by which a certificate is being renewed.
    pub(crate) fn renewal_of(&self, serial: Serial) -> Option<ApplicationId> {
        self.renewals.get(&serial).copied()
    }

    /// Takes note of a renewal.
    pub(crate) fn renewal_opened(&mut self, serial: Serial, by: ApplicationId) {
        self.renewals.insert(serial, by);
    }

    /// Takes note of the end of a renewal, which may never have been open.
    pub(crate) fn renewal_closed(&mut self, serial: Serial, by: ApplicationId) {
        if self.renewal_of(serial) == Some(by) {
            self.renewals.remove(&serial);
        }
    }

    /// Takes in a serial number, or what has changed about it.
    pub(crate) fn put(&mut self, serial: Serial, held: Held) {
        self.position = self.position.max(held.issuer_index.saturating_add(1));
        if held.kind.is_some() {
            let place = (held.not_after, *serial.as_bytes());
            self.by_expiry.insert(place);
            self.by_key.insert((held.marks.key, *serial.as_bytes()));
            if let Some(branch) = held.branch {
                self.by_branch.insert((branch, place));
            }
        }
        self.note(serial, &held);
        if let Some(revoked) = held.revoked {
            if let Some(command) = revoked.command {
                self.by_command.insert(command, serial);
            }
            let entry = Listed {
                serial,
                at: revoked.revocation.at,
                reason: revoked.revocation.reason,
                not_after: held.not_after,
            };
            let book = self.books.entry(held.series()).or_default();
            if book.listed.insert(serial, (entry, revoked.index)).is_none() {
                *book.ends.entry(entry.not_after).or_default() += 1;
            }
            book.latest = book.latest.max(Some(entry.at));
            if revoked.index >= book.chain.oldest_base() {
                book.recent.insert(revoked.index, serial);
            }
            if entry.reason.is_urgent() {
                book.last_urgent = book.last_urgent.max(Some(revoked.index));
            }
        }
        let before = self.held.insert(serial, held);
        self.calendar.replace(before.as_ref(), &held);
        self.slots.replace(serial, before.as_ref(), &held);
    }

    /// When certificates expire; none if there would be too many numbers.
    pub(crate) fn histogram(&self, query: &HistogramQuery) -> Option<Histogram> {
        self.calendar.histogram(query)
    }

    /// Takes note of a published CRL. Returns what is to be kept of the series' publications.
    pub(crate) fn published(
        &mut self,
        series: CrlSeries,
        crl: CrlPublished,
        recorded_at: Timestamp,
    ) -> &Chain {
        let book = self.books.entry(series).or_default();
        book.chain.take(crl, recorded_at);
        let oldest = book.chain.oldest_base();
        if book
            .recent
            .first_key_value()
            .is_some_and(|(index, _)| *index < oldest)
        {
            book.recent = book.recent.split_off(&oldest);
        }
        &book.chain
    }

    /// Takes in what was kept of a series' publications, before any certificate.
    pub(crate) fn restore(&mut self, chain: Chain) {
        let series = chain.newest().map(CrlPublished::series);
        if let Some(series) = series {
            self.books.entry(series).or_default().chain = chain;
        }
    }

    /// Every series in which a CRL was published.
    pub(crate) fn series(&self) -> Vec<CrlSeries> {
        let published = |book: &Book| book.chain.newest().is_some();
        let books = self.books.iter().filter(|(_, book)| published(book));
        books.map(|(series, _)| *series).collect()
    }

    /// What was published in a series.
    pub(crate) fn chain(&self, series: CrlSeries) -> Option<&Chain> {
        Some(&self.books.get(&series)?.chain)
    }

    /// Where the publication of a series stands.
    pub(crate) fn standing(&self, series: CrlSeries) -> PublicationStanding {
        let Some(book) = self.books.get(&series) else {
            return PublicationStanding::default();
        };
        let reflected = book.chain.newest().map_or(0, |crl| crl.reflects);
        let urgent = book.last_urgent.is_some_and(|index| index >= reflected);
        book.chain.standing(urgent)
    }

    /// What the next CRLs of a series must list if they are made at `now`; `next` is the index of the
    /// next entry of the log.
    pub(crate) fn snapshot(&self, series: CrlSeries, now: Timestamp, next: u64) -> Snapshot {
        let book = self.books.get(&series);
        let newest = book.and_then(|book| book.chain.newest());
        let mut snapshot = Snapshot {
            now,
            reflects: next,
            entries: 0,
            latest: book.and_then(|book| book.latest),
            newest: newest.map(|crl| (crl.this_update, crl.reflects)),
        };
        snapshot.entries = book.map_or(0, |book| book.count(&snapshot));
        snapshot
    }

    /// What the next complete CRL of a series must list after a serial number, along one stretch, and
    /// where the stretch ends; nowhere if nothing comes after.
    pub(crate) fn listed(
        &self,
        series: CrlSeries,
        snapshot: &Snapshot,
        after: Option<Serial>,
    ) -> (Vec<Listed>, Option<Serial>) {
        let Some(book) = self.books.get(&series) else {
            return (Vec::new(), None);
        };
        let low = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut stretch = Vec::with_capacity(LISTED.min(book.listed.len()));
        let mut end = None;
        let entries = book.listed.range((low, Bound::Unbounded));
        for (serial, (entry, index)) in entries.take(LISTED) {
            end = Some(*serial);
            if snapshot.lists(entry.not_after, *index) {
                stretch.push(*entry);
            }
        }
        (stretch, end)
    }

    /// What of a snapshot was revoked since the entry `since`, as far back as the oldest base. What
    /// leaves the complete CRL leaves the delta as well, so that both tell the same.
    pub(crate) fn changes(
        &self,
        series: CrlSeries,
        snapshot: &Snapshot,
        since: u64,
    ) -> Vec<Listed> {
        let Some(book) = self.books.get(&series) else {
            return Vec::new();
        };
        let recent = book
            .recent
            .range(since.min(snapshot.reflects)..snapshot.reflects);
        let entries = recent.filter_map(|(_, serial)| book.listed.get(serial));
        let listed = entries.filter(|(entry, index)| snapshot.lists(entry.not_after, *index));
        listed.map(|(entry, _)| *entry).collect()
    }

    /// How many revocations in a series these entries of the log hold, as far back as its oldest base.
    pub(crate) fn recorded(&self, series: CrlSeries, meant: Range<u64>) -> u64 {
        let book = self.books.get(&series);
        book.map_or(0, |book| book.recent.range(meant).count() as u64)
    }

    /// How many certificates there are.
    pub(crate) fn len(&self) -> usize {
        self.by_expiry.len()
    }
}
