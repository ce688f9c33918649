//! Finding the certificates that are meant by a filter.
//!
//! A walk goes along the order of expiry, a stretch at a time, so that the writer never waits long
//! for a search that finds little. What it finds fits as far as memory knows; whether a key or a name
//! is the one wanted is settled where the entry is read.

use std::{collections::BTreeSet, ops::Bound};

use lgpki_domain::{ApplicationId, JstDate, Serial, Timestamp};

use super::{
    super::record::{Held, key_bits, words},
    Inventory, Place,
};
use crate::ports::{Certificate, CertificateState, Counts, Cursor, Filter};

/// Places that one look passes at most; few in tests, so that they come to the end of one.
const STRETCH: usize = if cfg!(test) { 100 } else { 10_000 };
/// Before every serial number, and after.
const LOWEST: [u8; 16] = [0; 16];
const HIGHEST: [u8; 16] = [u8::MAX; 16];

/// A filter, with the bits by which memory knows what it asks for.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    filter: Filter,
    key: Option<u32>,
    words: [Option<u16>; 6],
}

impl Query {
    /// Prepares a filter.
    pub(crate) fn new(filter: Filter) -> Self {
        Self {
            key: filter.key_digest.as_ref().map(key_bits),
            words: words(&filter.subject),
            filter,
        }
    }

    /// Whether memory alone tells what fits.
    pub(crate) fn is_settled(&self) -> bool {
        self.key.is_none() && self.words.iter().all(Option::is_none)
    }

    /// Whether a certificate that fits as far as memory knows is the one wanted.
    pub(crate) fn confirms(&self, certificate: &Certificate) -> bool {
        let issued = &certificate.issued;
        let key = self
            .filter
            .key_digest
            .is_none_or(|key| key == issued.key_digest);
        key && self.filter.subject.fits(&issued.subject)
    }

    fn fits(&self, found: &Candidate) -> bool {
        let held = &found.held;
        let Some(kind) = held.kind else { return false };
        let Filter {
            branch,
            kinds,
            state,
            authority,
            issued_from,
            issued_to,
            ..
        } = &self.filter;
        let marks = &held.marks;
        let words = self.words.iter().zip(&marks.words);
        (kinds.is_empty() || kinds.contains(&kind))
            && branch.is_none_or(|branch| held.branch == Some(branch))
            && authority.is_none_or(|authority| held.authority == authority)
            && state.is_none_or(|(state, now)| found.state(now) == state)
            && issued_from.is_none_or(|day| day.number() <= marks.issued_on)
            && issued_to.is_none_or(|day| marks.issued_on <= day.number())
            && self.key.is_none_or(|key| key == marks.key)
            && words
                .into_iter()
                .all(|(wanted, word)| wanted.is_none_or(|wanted| wanted == *word))
    }

    /// The days of expiry that are meant, if the counters alone can answer.
    fn counted_days(&self) -> Option<(i32, i32)> {
        let Filter {
            expires_from: from,
            expires_to: to,
            authority: None,
            issued_from: None,
            issued_to: None,
            ..
        } = &self.filter
        else {
            return None;
        };
        let day = |at: Timestamp| JstDate::from_number(at.jst_day_number());
        let whole = from.is_none_or(|at| at == day(at).start())
            && to.is_none_or(|at| at == day(at).last_second());
        (whole && self.is_settled()).then(|| {
            (
                from.map_or(0, Timestamp::jst_day_number),
                to.map_or(i32::MAX, Timestamp::jst_day_number),
            )
        })
    }
}

/// A certificate as memory knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// Its record.
    pub(crate) held: Held,
    /// The application by which it is being renewed, if it is.
    pub(crate) renewal: Option<ApplicationId>,
}

/// What one look found.
#[derive(Debug, Default)]
pub(crate) struct Stretch {
    /// In order.
    pub(crate) found: Vec<Candidate>,
    /// Where to go on; none at the end.
    pub(crate) reached: Option<Cursor>,
}

impl Candidate {
    /// The state at `now`.
    pub(crate) fn state(&self, now: Timestamp) -> CertificateState {
        let Held {
            not_after, revoked, ..
        } = self.held;
        CertificateState::at(now, not_after, revoked.is_some(), self.renewal.is_some())
    }
}

impl Inventory {
    /// Looks for at most `most` certificates after `after`, along one stretch.
    pub(crate) fn walk(&self, query: &Query, after: Option<Cursor>, most: usize) -> Stretch {
        let mut stretch = Stretch::default();
        for (passed, (not_after, bytes)) in (1..).zip(self.places(query, after)) {
            let Some(serial) = Serial::from_bytes(&bytes) else {
                continue;
            };
            let found = self.candidate(serial).filter(|found| query.fits(found));
            stretch.found.extend(found);
            if stretch.found.len() == most || passed == STRETCH {
                stretch.reached = Some(Cursor { not_after, serial });
                break;
            }
        }
        stretch
    }

    pub(super) fn candidate(&self, serial: Serial) -> Option<Candidate> {
        let held = *self.held.get(&serial)?;
        Some(Candidate {
            held,
            renewal: self.renewal_of(serial),
        })
    }

    /// Every place after `after` that may fit.
    fn places<'a>(
        &'a self,
        query: &Query,
        after: Option<Cursor>,
    ) -> Box<dyn Iterator<Item = Place> + 'a> {
        let filter = &query.filter;
        let first = filter
            .expires_from
            .unwrap_or(Timestamp::from_millis(i64::MIN));
        let after = after.map(|cursor| (cursor.not_after, *cursor.serial.as_bytes()));
        let low = match after.filter(|(expiry, _)| *expiry >= first) {
            Some(place) => Bound::Excluded(place),
            None => Bound::Included((first, LOWEST)),
        };
        let to = filter.expires_to;
        let within = move |place: &Place| to.is_none_or(|to| place.0 <= to);
        if let Some(key) = query.key {
            let of_key = self.by_key.range((key, LOWEST)..=(key, HIGHEST));
            let places = of_key.filter_map(|(_, bytes)| {
                let held = self.held.get(&Serial::from_bytes(bytes)?)?;
                Some((held.not_after, *bytes))
            });
            let after = |place: &Place| match low {
                Bound::Excluded(low) => *place > low,
                Bound::Included(low) => *place >= low,
                Bound::Unbounded => true,
            };
            let mut places: Vec<_> = places.filter(after).filter(within).collect();
            places.sort_unstable();
            return Box::new(places.into_iter());
        }
        match filter.branch {
            Some(branch) => Box::new(
                self.by_branch
                    .range((low.map(|place| (branch, place)), Bound::Unbounded))
                    .take_while(move |(of, _)| *of == branch)
                    .map(|(_, place)| *place)
                    .take_while(within),
            ),
            None => Box::new(
                self.by_expiry
                    .range((low, Bound::Unbounded))
                    .copied()
                    .take_while(within),
            ),
        }
    }

    /// Counts what fits, if the counters can answer.
    pub(crate) fn counts(&self, query: &Query, now: Timestamp) -> Option<Counts> {
        let days = query.counted_days()?;
        let filter = &query.filter;
        let today = now.jst_day_number();
        let meant = |kind| filter.kinds.is_empty() || filter.kinds.contains(&kind);
        let mut counts = Counts::new();
        let mut add = |kind, state, count: u32| {
            let number = counts.entry((kind, state)).or_insert(0_u64);
            *number = number.saturating_add(u64::from(count));
        };
        for tally in self.calendar.tallies(filter.branch, days) {
            if meant(tally.kind) {
                let state = if tally.day < today {
                    CertificateState::Expired
                } else {
                    CertificateState::Valid
                };
                add(tally.kind, state, tally.unrevoked);
                add(tally.kind, CertificateState::Revoked, tally.revoked);
            }
        }
        // The counters know the day of expiry alone. What is being renewed, and what ended earlier
        // today (validity ends with a day, R11: hardly any), is looked at one by one.
        let day = JstDate::from_number(today);
        let ended = (day.start(), LOWEST)..(now.clamp(day.start(), day.last_second()), LOWEST);
        let ended = self.by_expiry.range(ended).map(|(_, bytes)| *bytes);
        let renewing = self.renewals.keys().map(|serial| *serial.as_bytes());
        let apart: BTreeSet<_> = ended.chain(renewing).collect();
        for bytes in apart {
            let found = Serial::from_bytes(&bytes).and_then(|serial| self.candidate(serial));
            let Some(Candidate { held, renewal }) = found else {
                continue;
            };
            let day = held.not_after.jst_day_number();
            let kind = held.kind.filter(|kind| meant(*kind));
            let branch = filter
                .branch
                .is_none_or(|branch| held.branch == Some(branch));
            let state = Candidate { held, renewal }.state(now);
            if let Some(kind) = kind.filter(|_| branch && (days.0..=days.1).contains(&day)) {
                let counted = if day < today {
                    CertificateState::Expired
                } else {
                    CertificateState::Valid
                };
                if held.revoked.is_none() && state != counted {
                    let number = counts.entry((kind, counted)).or_insert(0);
                    *number = number.saturating_sub(1);
                    *counts.entry((kind, state)).or_insert(0) += 1;
                }
            }
        }
        let state = filter.state.map(|(state, _)| state);
        counts.retain(|(_, of), count| *count > 0 && state.is_none_or(|state| state == *of));
        Some(counts)
    }
}
