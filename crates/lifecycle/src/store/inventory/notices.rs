//! Notices, derived from what is held: nothing is kept for those that the passing of time brings, since
//! the order of expiry is the order of each kind of them.
//!
//! A cursor's index is taken up to the end of the log before its moment moves on. Therefore every
//! certificate is either known when one of its moments is passed, or stands among the acts as late
//! and is told of there.

use std::iter::Peekable;

use lgpki_domain::{
    BodyCode, CertificateKind, JstDate, Serial, Timestamp, validity::RENEWAL_WINDOW_MONTHS,
};

use super::{super::record::Held, Candidate, Inventory, Place};
use crate::ports::{
    Cursor, Moment, NoticeCursor, NoticeKind, NoticeQuery, NoticeStart, window_opens,
};

/// Places that one look passes at most; few in tests, so that they come to the end of one.
const STRETCH: usize = if cfg!(test) { 50 } else { 10_000 };
/// Before every serial number.
const LOWEST: [u8; 16] = [0; 16];
/// What the passing of time brings.
const TIMED: [NoticeKind; 3] = [
    NoticeKind::EntersWindow,
    NoticeKind::ExpiresSoon,
    NoticeKind::Expired,
];

/// What there is to tell, as memory knows it.
#[derive(Debug)]
pub(crate) struct Told {
    /// In order.
    pub(crate) found: Vec<(NoticeKind, Timestamp, Candidate, NoticeCursor)>,
    /// Where to go on.
    pub(crate) cursor: NoticeCursor,
    /// Whether nothing is left for now.
    pub(crate) caught_up: bool,
    /// When the passing of time may bring the next one.
    pub(crate) next_at: Option<Timestamp>,
}

impl Held {
    /// The entry by which this certificate brings a notice that time alone does not.
    pub(crate) fn notable(&self) -> Option<u64> {
        self.kind.filter(|kind| concerns_anybody(*kind))?;
        match &self.revoked {
            Some(revoked) => Some(revoked.index),
            None => self.marks.late.then_some(self.index),
        }
    }

    /// Whether the passing of time brings this notice; nothing becomes due of what is revoked.
    fn brings(&self, kind: NoticeKind, at: Timestamp) -> bool {
        let of = self.kind.filter(|kind| concerns_anybody(*kind));
        let fits = kind != NoticeKind::EntersWindow
            || of.is_some_and(|of| CertificateKind::APPLICABLE.contains(&of));
        let stands = self
            .revoked
            .is_none_or(|revoked| revoked.revocation.at > at);
        of.is_some() && fits && stands
    }
}

/// A responder's certificate lives for days and is renewed by lifecycle itself.
fn concerns_anybody(kind: CertificateKind) -> bool {
    kind != CertificateKind::OcspResponder
}

/// When a certificate brings a notice.
fn due(kind: NoticeKind, not_after: Timestamp, soon_days: i32) -> Timestamp {
    match kind {
        NoticeKind::EntersWindow => window_opens(not_after),
        NoticeKind::ExpiresSoon => not_after.jst_date().plus_days(-soon_days).start(),
        NoticeKind::Expired | NoticeKind::Revoked => {
            Timestamp::from_seconds(not_after.as_seconds().saturating_add(1))
        }
    }
}

/// The first notAfter whose notice comes at `at` or later.
fn first_due(kind: NoticeKind, at: Timestamp, soon_days: i32) -> Timestamp {
    if at.as_millis() <= 0 {
        return Timestamp::from_millis(i64::MIN);
    }
    let day = at.jst_date();
    let day = if day.start() < at {
        day.plus_days(1)
    } else {
        day
    };
    match kind {
        NoticeKind::EntersWindow => {
            // Up to four days enter the window together, where a month is shorter.
            let mut expiry: JstDate = day.plus_months(RENEWAL_WINDOW_MONTHS).plus_days(-4);
            // Bounded, for at the end of the calendar no day is late enough.
            for _ in 0..8 {
                if expiry.plus_months(-RENEWAL_WINDOW_MONTHS) >= day {
                    break;
                }
                expiry = expiry.plus_days(1);
            }
            expiry.start()
        }
        NoticeKind::ExpiresSoon => day.plus_days(soon_days).start(),
        NoticeKind::Expired | NoticeKind::Revoked => {
            Timestamp::from_seconds(at.plus_millis(999).as_seconds() - 1)
        }
    }
}

impl Inventory {
    /// Keeps in mind by which entries a certificate brings notices.
    pub(super) fn note(&mut self, serial: Serial, held: &Held) {
        if held.kind.is_none_or(|kind| !concerns_anybody(kind)) {
            return;
        }
        let arrived = held.marks.late.then_some(held.index);
        let revoked = held.revoked.map(|revoked| revoked.index);
        for index in arrived.into_iter().chain(revoked) {
            self.acts.insert((index, *serial.as_bytes()));
            if let Some(branch) = held.branch {
                self.acts_by_branch
                    .insert((branch, index, *serial.as_bytes()));
            }
        }
        if let Some(revoked) = held.revoked {
            let day = revoked.revocation.at.jst_day_number();
            let first = self.first_revoked.entry(day).or_insert(revoked.index);
            *first = revoked.index.min(*first);
        }
    }

    /// What there is to tell; `end` is the end of the log.
    pub(crate) fn notices(&self, query: &NoticeQuery, end: u64) -> Told {
        let mut told = Told {
            found: Vec::new(),
            cursor: self.begin(query, end),
            caught_up: false,
            next_at: None,
        };
        if self.tell_acts(query, end, &mut told) {
            self.tell_moments(query, &mut told);
        }
        told
    }

    fn begin(&self, query: &NoticeQuery, end: u64) -> NoticeCursor {
        match query.start {
            NoticeStart::After(cursor) => cursor,
            NoticeStart::First => NoticeCursor::new(Timestamp::from_millis(0), 0),
            NoticeStart::Now => NoticeCursor::new(query.now, end),
            NoticeStart::Since(at) => {
                // The clock may have been set back, so that what happened earlier stands later in the
                // log: of each day its first entry is known, and what is older is left out on the way.
                let days = self.first_revoked.range(at.jst_day_number()..);
                let first = days.map(|(_, index)| *index).min();
                NoticeCursor {
                    since: Some(at),
                    ..NoticeCursor::new(at, first.unwrap_or(end))
                }
            }
        }
    }

    fn acts(
        &self,
        branch: Option<BodyCode>,
        from: u64,
    ) -> Box<dyn Iterator<Item = (u64, [u8; 16])> + '_> {
        match branch {
            None => Box::new(self.acts.range((from, LOWEST)..).copied()),
            Some(branch) => {
                let acts = self.acts_by_branch.range((branch, from, LOWEST)..);
                let own = acts.take_while(move |(of, ..)| *of == branch);
                Box::new(own.map(|(_, index, bytes)| (*index, *bytes)))
            }
        }
    }

    /// Tells what the log has brought; whether that was all.
    fn tell_acts(&self, query: &NoticeQuery, end: u64, told: &mut Told) -> bool {
        for (passed, (index, bytes)) in self.acts(query.branch, told.cursor.index).enumerate() {
            if passed == STRETCH {
                return false;
            }
            // An entry that was told in part is the first one here.
            let within = told.cursor.within.filter(|_| index == told.cursor.index);
            let start = NoticeCursor {
                index,
                within,
                ..told.cursor
            };
            for (kind, at, found) in self.act(query, (index, bytes), start) {
                if told.found.len() >= query.limit {
                    return false;
                }
                told.cursor.index = index;
                told.cursor.within = Some(kind);
                told.found.push((kind, at, found, told.cursor));
            }
            told.cursor.index = index + 1;
            told.cursor.within = None;
        }
        told.cursor = NoticeCursor {
            index: told.cursor.index.max(end),
            within: None,
            since: None,
            ..told.cursor
        };
        true
    }

    /// What an entry of the log brings after `start`, in the order of the kinds.
    fn act(
        &self,
        query: &NoticeQuery,
        (index, bytes): (u64, [u8; 16]),
        start: NoticeCursor,
    ) -> Vec<(NoticeKind, Timestamp, Candidate)> {
        let serial = Serial::from_bytes(&bytes);
        let Some((serial, found)) = serial.zip(serial.and_then(|serial| self.candidate(serial)))
        else {
            return Vec::new();
        };
        let held = found.held;
        let wanted = |kind, at| Some(kind) > start.within && Some(at) >= start.since;
        if let Some(revoked) = held.revoked.filter(|revoked| revoked.index == index) {
            let (kind, at) = (NoticeKind::Revoked, revoked.revocation.at);
            return wanted(kind, at)
                .then_some((kind, at, found))
                .into_iter()
                .collect();
        }
        let place = Some(Cursor {
            not_after: held.not_after,
            serial,
        });
        let moments = TIMED.map(|kind| (kind, due(kind, held.not_after, query.soon_days)));
        let due = moments.into_iter().filter(|(kind, at)| {
            (*at, *kind, place) <= start.told && held.brings(*kind, *at) && wanted(*kind, *at)
        });
        due.map(|(kind, at)| (kind, at, found)).collect()
    }

    /// Tells what the passing of time has brought.
    fn tell_moments(&self, query: &NoticeQuery, told: &mut Told) {
        let mut lines = TIMED.map(|kind| self.line(kind, query, told.cursor.told).peekable());
        let mut passed = 0;
        loop {
            let next = lines
                .iter_mut()
                .filter_map(|line| line.peek().copied().map(|moment| (moment, line)))
                .min_by_key(|(moment, _)| *moment);
            let Some(((at, kind, place), line)) = next else {
                told.caught_up = true;
                return;
            };
            if at > query.now {
                told.caught_up = true;
                told.next_at = Some(at);
                return;
            }
            if told.found.len() >= query.limit || passed == STRETCH {
                return;
            }
            passed += 1;
            advance(line);
            told.cursor.told = (at, kind, place);
            let found = place.and_then(|place| self.candidate(place.serial));
            if let Some(found) = found.filter(|found| found.held.brings(kind, at)) {
                told.found.push((kind, at, found, told.cursor));
            }
        }
    }

    /// The moments of one kind after `after`, in order.
    fn line(
        &self,
        kind: NoticeKind,
        query: &NoticeQuery,
        after: Moment,
    ) -> Box<dyn Iterator<Item = Moment> + '_> {
        let (at, of, place) = after;
        let soon = query.soon_days;
        let from = |at| (first_due(kind, at, soon), LOWEST);
        let (low, excluded): (Place, bool) = match place {
            Some(place) if of == kind => ((place.not_after, *place.serial.as_bytes()), true),
            _ if of > kind => (from(at.plus_millis(1)), false),
            _ => (from(at), false),
        };
        let places: Box<dyn Iterator<Item = Place>> = match query.branch {
            None => Box::new(self.by_expiry.range(low..).copied()),
            Some(branch) => {
                let places = self.by_branch.range((branch, low)..);
                let own = places.take_while(move |(of, _)| *of == branch);
                Box::new(own.map(|(_, place)| *place))
            }
        };
        let moments = places.filter_map(move |place| {
            let (not_after, bytes) = place;
            if excluded && place == low {
                return None;
            }
            let serial = Serial::from_bytes(&bytes)?;
            Some((
                due(kind, not_after, soon),
                kind,
                Some(Cursor { not_after, serial }),
            ))
        });
        Box::new(moments)
    }
}

fn advance<I: Iterator>(line: &mut Peekable<I>) {
    // It was peeked at.
    let _ = line.next();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_ends_of_the_calendar_the_search_for_the_first_that_is_due_ends() {
        for kind in TIMED {
            for at in [i64::MAX, 253_402_300_799_999, i64::MIN, 0] {
                let at = Timestamp::from_millis(at);
                assert!(first_due(kind, at, 30) <= at.plus_seconds(400 * 86_400));
            }
        }
    }

    #[test]
    fn the_first_that_is_due_is_found_for_every_time() {
        let day: JstDate = "2010-06-01".parse().unwrap();
        for kind in TIMED {
            for n in 0..800 {
                let expiry = day.plus_days(n).last_second();
                let at = due(kind, expiry, 30);
                // At its moment and before it, not after.
                assert!(first_due(kind, at, 30) <= expiry, "{kind:?} {expiry}");
                assert!(first_due(kind, at.plus_millis(-1), 30) <= expiry);
                assert!(
                    first_due(kind, at.plus_millis(1), 30) > expiry,
                    "{kind:?} {expiry}"
                );
            }
        }
    }
}
