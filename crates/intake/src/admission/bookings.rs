//! Places given to applications that were turned away.

use std::collections::{BTreeSet, HashMap};

use lgpki_domain::{BodyCode, RequestId, Timestamp};

use super::Limit;

/// The most places booked at the same time; some 200 bytes each.
const MOST: usize = 200_000;
/// How long after its time a place is kept, in seconds.
const GRACE_SECONDS: i64 = 120;

/// The application's name: its branch's space of names, and the request id.
pub(super) type Name = (Option<BodyCode>, RequestId);

/// A place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Booking {
    /// From when on the application is let in.
    pub(super) at: Timestamp,
    /// Which limit turned it away.
    pub(super) limit: Limit,
    /// Which meters (caller, branch, all) have counted it already.
    pub(super) passed: [bool; 3],
}

/// What is booked for an application that comes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing, or it came too late.
    None,
    /// It is not its time yet.
    Early(Booking),
    /// It is let in; the place is taken.
    Due(Booking),
}

/// All places.
#[derive(Debug, Default)]
pub(super) struct Bookings {
    by_name: HashMap<Name, Booking>,
    by_time: BTreeSet<(Timestamp, Name)>,
}

impl Bookings {
    /// Looks for an application's place, and takes it if its time has come.
    pub(super) fn find(&mut self, name: &Name, now: Timestamp) -> Found {
        self.drop_missed(now);
        match self.by_name.get(name).copied() {
            None => Found::None,
            Some(booking) if now < booking.at => Found::Early(booking),
            Some(booking) => {
                self.by_name.remove(name);
                self.by_time.remove(&(booking.at, name.clone()));
                Found::Due(booking)
            }
        }
    }

    /// Keeps a place, unless there are too many.
    pub(super) fn keep(&mut self, name: Name, booking: Booking) -> bool {
        if self.by_name.len() >= MOST {
            return false;
        }
        self.by_time.insert((booking.at, name.clone()));
        self.by_name.insert(name, booking);
        true
    }

    fn drop_missed(&mut self, now: Timestamp) {
        while let Some((at, _)) = self.by_time.first()
            && at.plus_seconds(GRACE_SECONDS) < now
            && let Some((_, name)) = self.by_time.pop_first()
        {
            self.by_name.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_200_000_000 + seconds)
    }

    fn name(text: &str) -> Name {
        (None, text.parse().unwrap())
    }

    #[test]
    fn a_place_is_there_from_its_time_on_for_a_while_and_once() {
        let mut bookings = Bookings::default();
        let booking = Booking {
            at: at(10),
            limit: Limit::Branch,
            passed: [false, true, false],
        };
        assert!(bookings.keep(name("request-1"), booking));
        assert!(bookings.keep(name("request-2"), booking));
        let mut find = |text, when| bookings.find(&name(text), at(when));
        assert_eq!(find("request-1", 9), Found::Early(booking));
        assert_eq!(find("request-3", 10), Found::None);
        assert_eq!(find("request-1", 10), Found::Due(booking));
        assert_eq!(find("request-1", 10), Found::None);
        assert_eq!(find("request-2", 10 + GRACE_SECONDS + 1), Found::None);
        assert!(bookings.by_name.is_empty() && bookings.by_time.is_empty());
    }
}
