//! What admission remembers across a restart: the places that were given to whoever was turned away, and the meters that
//! have counted them. It is written down as text, one of them a line.

use std::{fmt, str::FromStr};

use lgpki_domain::{BodyCode, Serial, Timestamp, rate::Meter};

use super::{
    Admission, Limit, STEP_BACK,
    bookings::{Booking, Name},
};

/// What stands first; the time follows.
const HEAD: &str = "lgpki places 1 ";
/// Which limits give places.
const GIVING: [Limit; 3] = [Limit::Caller, Limit::Branch, Limit::All];

/// Places and meters at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    at: Timestamp,
    all: Meter,
    branches: Vec<(BodyCode, Meter)>,
    callers: Vec<(Serial, Meter)>,
    places: Vec<(Name, Booking)>,
}

impl Admission {
    /// Places and meters as they stand; none while no place is given.
    #[must_use]
    pub fn memory(&self, now: Timestamp) -> Option<Memory> {
        let mut inner = self.inner.lock();
        let places = inner.bookings.places(now);
        if places.is_empty() {
            return None;
        }
        Some(Memory {
            at: now,
            all: inner.all,
            branches: inner.branches.iter().map(|(k, v)| (*k, *v)).collect(),
            callers: inner.callers.iter().map(|(k, v)| (*k, *v)).collect(),
            places,
        })
    }

    /// Takes up what was remembered, before anything is admitted; not after the clock was set back. Whose time has passed
    /// meanwhile is let in for as long after it as ever.
    pub fn recall(&self, memory: Memory, now: Timestamp) {
        if now.plus_seconds(STEP_BACK) < memory.at {
            return;
        }
        let mut inner = self.inner.lock();
        inner.all = memory.all;
        inner.branches.extend(memory.branches);
        inner.callers.extend(memory.callers);
        for (name, booking) in memory.places {
            inner.bookings.keep(name, booking);
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}{}", self.at.as_millis())?;
        let meter = |f: &mut fmt::Formatter<'_>, what: &str, meter: &Meter| {
            let (even, interval) = meter.parts();
            writeln!(f, "{what} {even} {interval}")
        };
        meter(f, "all", &self.all)?;
        for (branch, counted) in &self.branches {
            meter(f, &format!("branch {branch}"), counted)?;
        }
        for (serial, counted) in &self.callers {
            meter(f, &format!("caller {serial}"), counted)?;
        }
        for (name, booking) in &self.places {
            let passed = booking.passed.map(u8::from);
            let (at, limit) = (booking.at.as_millis(), booking.limit.name());
            let [caller, branch, all] = passed;
            writeln!(f, "place {name} {at} {limit} {caller}{branch}{all}")?;
        }
        Ok(())
    }
}

/// What was written is not what was remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {0} cannot be read")]
pub struct Unreadable(usize);

impl FromStr for Memory {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let mut lines = text.lines().enumerate();
        let head = lines.next().and_then(|(_, head)| head.strip_prefix(HEAD));
        let at = head.and_then(millis).ok_or(Unreadable(1))?;
        let mut memory = Self {
            at,
            all: Meter::default(),
            branches: Vec::new(),
            callers: Vec::new(),
            places: Vec::new(),
        };
        for (number, line) in lines {
            memory.add(line).ok_or(Unreadable(number + 1))?;
        }
        Ok(memory)
    }
}

impl Memory {
    fn add(&mut self, line: &str) -> Option<()> {
        let words: Vec<_> = line.split(' ').collect();
        match words.as_slice() {
            ["all", even, interval] => self.all = meter(even, interval)?,
            ["branch", code, even, interval] => {
                let counted = (code.parse().ok()?, meter(even, interval)?);
                self.branches.push(counted);
            }
            ["caller", serial, even, interval] => {
                let counted = (serial.parse().ok()?, meter(even, interval)?);
                self.callers.push(counted);
            }
            ["place", name, at, limit, passed] => {
                let limit = GIVING.into_iter().find(|one| one.name() == *limit)?;
                let passed: Vec<_> = passed.chars().map(|flag| flag == '1').collect();
                let booking = Booking {
                    at: millis(at)?,
                    limit,
                    passed: passed.try_into().ok()?,
                };
                self.places.push((name.parse().ok()?, booking));
            }
            _ => return None,
        }
        Some(())
    }
}

fn millis(text: &str) -> Option<Timestamp> {
    text.parse().ok().map(Timestamp::from_millis)
}

fn meter(even: &str, interval: &str) -> Option<Meter> {
    Meter::from_parts(even.parse().ok()?, interval.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use lgpki_domain::{Caller, Limits, OfficerRole, RequestId};

    use super::{super::Entrant, *};

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_200_000_000_000 + millis)
    }

    /// One a second for a branch, one at once.
    fn admission() -> Admission {
        let limits = Limits {
            branch_per_hour: 3_600,
            branch_per_hour_per_certificate: 0,
            branch_burst: 1,
            branch_burst_per_certificate: 0,
            ..Limits::default()
        };
        Admission::new(limits, 1)
    }

    /// Milliseconds after which an application is to come back; none if it is let in.
    fn comes(admission: &Admission, id: &str, now: Timestamp) -> Option<u128> {
        let caller = Caller::Officer {
            role: OfficerRole::BranchOfficer,
            serial: Serial::from_bytes(&[0x41; 16]).unwrap(),
            body: BodyCode::try_new(1, 1),
        };
        let request: RequestId = id.parse().unwrap();
        let entrant = Entrant {
            caller: &caller,
            branch: BodyCode::try_new(1, 1),
            held: 0,
            request_id: Some(&request),
        };
        let admitted = admission.admit(entrant, now);
        admitted.err().map(|turned| turned.retry_after.as_millis())
    }

    #[test]
    fn who_was_told_when_to_come_back_is_let_in_then_though_admission_was_begun_anew() {
        let first = admission();
        assert_eq!(first.memory(at(0)), None);
        assert_eq!(comes(&first, "request-1", at(0)), None);
        assert_eq!(comes(&first, "request-2", at(0)), Some(1_000));
        assert_eq!(comes(&first, "request-3", at(0)), Some(2_000));
        let memory = first.memory(at(10)).unwrap();
        let text = memory.to_string();
        assert_eq!(text.parse(), Ok(memory));

        let second = admission();
        second.recall(text.parse().unwrap(), at(500));
        // Early, it is told the same time; whoever is new stands behind those who have a place.
        assert_eq!(comes(&second, "request-2", at(600)), Some(400));
        assert_eq!(comes(&second, "request-4", at(600)), Some(2_400));
        assert_eq!(comes(&second, "request-2", at(1_000)), None);
        assert_eq!(comes(&second, "request-3", at(2_000)), None);
        assert_eq!(comes(&second, "request-4", at(3_000)), None);
        assert_eq!(second.memory(at(3_000)), None);
    }

    #[test]
    fn a_memory_of_the_future_and_one_that_cannot_be_read_are_left_out() {
        let first = admission();
        assert_eq!(comes(&first, "request-1", at(0)), None);
        assert_eq!(comes(&first, "request-2", at(0)), Some(1_000));
        let memory = first.memory(at(0)).unwrap();
        let second = admission();
        second.recall(memory.clone(), at(-1_000 * STEP_BACK - 1));
        assert_eq!(second.memory(at(0)), None);
        let text = memory.to_string();
        let changed = |from: &str, to: &str| text.replacen(from, to, 1).parse::<Memory>();
        assert_eq!(changed("lgpki", "LGPKI"), Err(Unreadable(1)));
        assert_eq!(changed("all ", "all x"), Err(Unreadable(2)));
        let last = text.lines().count();
        assert_eq!(changed(" branch 1", " queue 1"), Err(Unreadable(last)));
        assert_eq!(changed("place ", "place 00"), Err(Unreadable(last)));
    }
}
