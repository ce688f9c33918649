//! Places given to applications that were turned away.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    str::FromStr,
};

use lgpki_domain::{BodyCode, RequestId, Timestamp};
use lgpki_x509::key::sha256;

use super::Limit;

/// The most places booked at the same time; some 100 bytes each.
const MOST: usize = 1_000_000;
/// How long after its time a place is kept, in seconds.
const GRACE_SECONDS: i64 = 120;

/// The application's name: its branch's space of names and the request id, digested, so that a place takes the same little
/// room whatever a front end calls its applications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Name([u8; 16]);

impl Name {
    /// Of an application.
    pub(super) fn of(branch: Option<BodyCode>, request: &RequestId) -> Self {
        let branch = branch.map_or_else(String::new, |branch| branch.to_string());
        let digest = sha256(format!("{branch}/{}", request.as_str()).as_bytes()).0;
        let mut name = [0; 16];
        name.copy_from_slice(&digest[..16]);
        Self(name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl FromStr for Name {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).map_err(drop)?;
        digits.then_some(Self(number.to_be_bytes())).ok_or(())
    }
}

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
                self.by_time.remove(&(booking.at, *name));
                Found::Due(booking)
            }
        }
    }

    /// Keeps a place, unless there are too many.
    pub(super) fn keep(&mut self, name: Name, booking: Booking) -> bool {
        if self.by_name.len() >= MOST {
            return false;
        }
        self.by_time.insert((booking.at, name));
        self.by_name.insert(name, booking);
        true
    }

    /// All that are kept now.
    pub(super) fn places(&mut self, now: Timestamp) -> Vec<(Name, Booking)> {
        self.drop_missed(now);
        self.by_name.iter().map(|(k, v)| (*k, *v)).collect()
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
        Name::of(None, &text.parse().unwrap())
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

    #[test]
    fn branches_have_spaces_of_names_of_their_own() {
        let request = "request-1".parse().unwrap();
        let of = |branch| Name::of(branch, &request);
        let names = [
            of(None),
            of(BodyCode::try_new(1, 1)),
            of(BodyCode::try_new(1, 2)),
        ];
        assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2]);
        assert_eq!(of(None), name("request-1"));
    }
}
