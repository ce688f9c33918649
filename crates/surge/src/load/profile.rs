//! How arrivals spread over a run: evenly, more and more, with a spike, or as in the winter of 2010 and 2011.

use lgpki_domain::{BusinessCalendar, JstDate};
use serde::Serialize;

use crate::{habit::Habit, population::Population, trace::Trace};

/// Certificates of the made-up inventory from which the profile of 2011 is read.
const MADE_UP: u32 = 8_000;
/// A spike: of so many parts of a run…
const PARTS: usize = 20;
/// …these have so many times as many arrivals as each of the others.
const SPIKE: (std::ops::Range<usize>, u64) = (9..11, 10);

/// A profile of arrivals. The rate that is asked for is the mean of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Profile {
    /// The same rate all the time.
    #[serde(rename = "steady")]
    Steady,
    /// From nothing to twice the mean.
    #[serde(rename = "ramp")]
    Ramp,
    /// A tenth of the time has ten times the rate of the rest.
    #[serde(rename = "spike")]
    Spike,
    /// The weeks from August 2010 to February 2011, with everybody renewing in the last two months.
    #[serde(rename = "2011")]
    Surge2011,
}

impl Profile {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Ramp => "ramp",
            Self::Spike => "spike",
            Self::Surge2011 => "2011",
        }
    }

    /// How many arrivals there are in each of equally long parts of a run, in proportion; never empty, and not all zero.
    #[must_use]
    pub fn weights(self, seed: u64) -> Vec<u64> {
        match self {
            Self::Steady => vec![1],
            Self::Ramp => (0..100).map(|part| 2 * part + 1).collect(),
            Self::Spike => {
                let (spike, times) = SPIKE;
                let weight = |part| if spike.contains(&part) { times } else { 1 };
                (0..PARTS).map(weight).collect()
            }
            Self::Surge2011 => weeks(seed),
        }
    }
}

fn weeks(seed: u64) -> Vec<u64> {
    let calendar = BusinessCalendar::default();
    let population = Population::synthetic(&calendar, MADE_UP, seed);
    let trace = Trace::new(&population, &calendar, Habit::Procrastinate, (1, 0, seed));
    let (Some(first), Some(last)) = (JstDate::try_new(2010, 8, 1), JstDate::try_new(2011, 3, 1))
    else {
        return vec![1];
    };
    let days = |day: JstDate| usize::try_from(day.number() - first.number()).ok();
    let mut weeks = vec![0; days(last).unwrap_or_default() / 7];
    for arrival in &trace.arrivals {
        let day = arrival.waiting.received.jst_date();
        if let Some(week) = days(day).and_then(|day| weeks.get_mut(day / 7)) {
            *week += 1;
        }
    }
    weeks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_has_arrivals_and_the_winter_of_2011_has_them_at_its_end() {
        for profile in [Profile::Steady, Profile::Ramp, Profile::Spike] {
            assert!(profile.weights(1).iter().all(|weight| *weight > 0));
        }
        let weeks = Profile::Surge2011.weights(1);
        assert_eq!(weeks.len(), 30);
        let (early, late) = weeks.split_at(20);
        assert!(early.iter().sum::<u64>() * 3 < late.iter().sum());
        assert_eq!(weeks, Profile::Surge2011.weights(1));
    }
}
