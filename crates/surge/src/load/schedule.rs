//! When which office applies for what: drawn before anything is sent, so that no answer changes it (open loop).

use std::time::Duration;

use super::{
    mix::{Act, Mix},
    profile::Profile,
};
use crate::dice::Dice;

/// Apart from other purposes of the same seed.
const PURPOSE: u64 = 5;
const FLOOD: u64 = 6;

/// One office that sends more than its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flood {
    /// Which of the offices.
    pub office: usize,
    /// Its applications in a second, beside what the others send; always at the same rate.
    pub rate: u32,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Applications in a second on the average, of all offices but the one that floods.
    pub rate: u32,
    /// For how long.
    pub seconds: u32,
    /// How they spread over that time.
    pub profile: Profile,
    /// What they ask for.
    pub mix: Mix,
    /// So many of one office are due together, to be sent in one stream; from 1.
    pub batch: u32,
    /// How many offices there are.
    pub offices: usize,
    /// The office that floods, which then takes no part in the rest.
    pub flood: Option<Flood>,
    /// For everything that is drawn.
    pub seed: u64,
}

/// An application that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// How long after the beginning.
    pub at: Duration,
    /// Which office sends it.
    pub office: usize,
    /// What it asks for.
    pub act: Act,
    /// Whether it is part of a flood.
    pub flooding: bool,
    /// Whether a call begins with it; the others follow in the same.
    pub first: bool,
}

/// All that is due, in order of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule(Vec<Due>);

impl Schedule {
    /// Exactly as many as rate and time say, each at a moment of its own chance, as those of many who know nothing of
    /// each other.
    #[must_use]
    pub fn new(demand: &Demand) -> Self {
        let mut due = Vec::new();
        let weights = demand.profile.weights(demand.seed);
        let mut dice = Dice::new(demand.seed, PURPOSE);
        let flooding = demand.flood.map(|flood| flood.office);
        let others: Vec<usize> = (0..demand.offices)
            .filter(|office| Some(*office) != flooding)
            .collect();
        for size in calls(count(demand.rate, demand.seconds), demand.batch) {
            let Some(office) = others.get(dice.below(others.len())) else {
                break;
            };
            let at = moment(&weights, demand.seconds, &mut dice);
            due.extend((0..size).map(|number| Due {
                at,
                office: *office,
                act: demand.mix.draw(&mut dice),
                flooding: false,
                first: number == 0,
            }));
        }
        let mut dice = Dice::new(demand.seed, FLOOD);
        if let Some(Flood { office, rate }) = demand.flood {
            for size in calls(count(rate, demand.seconds), demand.batch) {
                let at = moment(&[1], demand.seconds, &mut dice);
                due.extend((0..size).map(|number| Due {
                    at,
                    office,
                    act: Act::Issue,
                    flooding: true,
                    first: number == 0,
                }));
            }
        }
        // Those of one call stay together: what is due at the same moment keeps its order.
        due.sort_by_key(|due| due.at);
        Self(due)
    }

    /// One after the other.
    #[must_use]
    pub fn due(&self) -> &[Due] {
        &self.0
    }

    /// Those of each call.
    pub fn calls(&self) -> impl Iterator<Item = &[Due]> {
        self.0.chunk_by(|_, next| !next.first)
    }

    /// How many in each second of the run.
    #[must_use]
    pub fn by_second(&self) -> Vec<u64> {
        let mut seconds = Vec::new();
        for due in &self.0 {
            let second = usize::try_from(due.at.as_secs()).unwrap_or(usize::MAX);
            if seconds.len() <= second {
                seconds.resize(second + 1, 0);
            }
            seconds[second] += 1;
        }
        seconds
    }
}

fn count(rate: u32, seconds: u32) -> u64 {
    u64::from(rate) * u64::from(seconds)
}

/// The sizes of calls that carry so many together.
fn calls(count: u64, batch: u32) -> impl Iterator<Item = u64> {
    let batch = u64::from(batch.max(1));
    (0..count.div_ceil(batch)).map(move |call| batch.min(count - call * batch))
}

/// A moment of a run whose equally long parts have these weights.
fn moment(weights: &[u64], seconds: u32, dice: &mut Dice) -> Duration {
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let mut left = dice.below(size(weights.iter().sum()));
    let mut part = 0;
    for weight in weights {
        let weight = size(*weight);
        if left < weight {
            break;
        }
        left -= weight;
        part += 1;
    }
    // Microseconds of the whole run times the parts: far from what a u64 holds.
    let whole = size(u64::from(seconds) * 1_000_000);
    let parts = weights.len().max(1);
    let (from, to) = (whole * part / parts, whole * (part + 1) / parts);
    let micros = from + dice.below(to.saturating_sub(from));
    Duration::from_micros(micros as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn demand(rate: u32, seconds: u32) -> Demand {
        Demand {
            rate,
            seconds,
            profile: Profile::Steady,
            mix: Mix::default(),
            batch: 1,
            offices: 3,
            flood: None,
            seed: 1,
        }
    }

    #[test]
    fn a_ramp_has_three_quarters_in_its_second_half_and_a_spike_half_in_a_tenth() {
        let share = |profile, from: u64, to: u64| {
            let demand = Demand {
                profile,
                ..demand(100, 100)
            };
            let schedule = Schedule::new(&demand);
            let within = schedule
                .due()
                .iter()
                .filter(|due| (from..to).contains(&due.at.as_secs()));
            within.count()
        };
        assert!((7_300..7_700).contains(&share(Profile::Ramp, 50, 100)));
        assert!((5_000..5_500).contains(&share(Profile::Spike, 45, 55)));
        assert!((4_800..5_200).contains(&share(Profile::Steady, 50, 100)));
    }

    #[test]
    fn one_office_floods_and_takes_no_part_in_the_rest() {
        let flood = Flood {
            office: 1,
            rate: 90,
        };
        let demand = Demand {
            flood: Some(flood),
            ..demand(10, 10)
        };
        let schedule = Schedule::new(&demand);
        let of = |office| {
            schedule
                .due()
                .iter()
                .filter(move |due| due.office == office)
        };
        assert_eq!((of(1).count(), of(0).count() + of(2).count()), (900, 100));
        assert!(of(1).all(|due| due.flooding && due.act == Act::Issue));
        // The others come when and as they come without it, but for their offices.
        let without = Schedule::new(&Demand {
            flood: None,
            ..demand
        });
        let times: Vec<_> = without.due().iter().map(|due| due.at).collect();
        let others = schedule.due().iter().filter(|due| !due.flooding);
        assert_eq!(others.map(|due| due.at).collect::<Vec<_>>(), times);
        assert_eq!(schedule.by_second().iter().sum::<u64>(), 1_000);
    }

    #[test]
    fn an_only_office_that_floods_leaves_nobody_for_the_rest() {
        let flood = Flood { office: 0, rate: 2 };
        let demand = Demand {
            offices: 1,
            flood: Some(flood),
            ..demand(10, 10)
        };
        assert_eq!(Schedule::new(&demand).due().len(), 20);
    }

    proptest! {
        #[test]
        fn as_many_as_asked_are_due_in_order_within_the_time_and_the_same_again_for_a_seed(
            (rate, seconds, seed, offices) in (0_u32..60, 1_u32..90, any::<u64>(), 1_usize..9),
            batch in 1_u32..9,
            profile in prop::sample::select(vec![Profile::Steady, Profile::Ramp, Profile::Spike]),
        ) {
            let demand = Demand { profile, batch, offices, seed, ..demand(rate, seconds) };
            let schedule = Schedule::new(&demand);
            let due = schedule.due();
            prop_assert_eq!(due.len() as u64, count(rate, seconds));
            prop_assert!(due.is_sorted_by_key(|due| due.at));
            let end = Duration::from_secs(u64::from(seconds));
            prop_assert!(due.iter().all(|due| due.at < end && due.office < offices));
            prop_assert_eq!(schedule.clone(), Schedule::new(&demand));
            // What is sent in one call is one office's, due at one moment, and all calls but one are full.
            let calls: Vec<_> = schedule.calls().collect();
            let together = |call: &[Due]| {
                let named = |due: &Due| (due.at, due.office);
                call.iter().all(|due| named(due) == named(&call[0]))
            };
            prop_assert!(calls.iter().all(|call| together(call)));
            let full = calls.iter().filter(|call| call.len() == batch as usize).count() as u64;
            prop_assert_eq!(full, count(rate, seconds) / u64::from(batch));
            prop_assert_eq!(calls.len() as u64, count(rate, seconds).div_ceil(u64::from(batch)));
        }
    }
}
