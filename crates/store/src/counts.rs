//! How many entries of each kind the state has seen.
//!
//! The writer counts an event when it applies it, and the index notes the counters with the position
//! that they belong to. So they are the state's own word about the log, whatever its bytes say later:
//! after a crash the tail that is replayed brings them up to date, and only an index that is made anew
//! from the log counts anew. There are few kinds, and each has its place in an array.

use std::collections::BTreeMap;

use lgpki_ledger::Event;

/// A counter for each kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    kinds: &'static [&'static str],
    /// One for each of `kinds`.
    counted: Vec<u64>,
}

impl Counts {
    /// Nothing yet.
    pub(crate) fn new<E: Event>() -> Self {
        Self {
            kinds: E::KINDS,
            counted: vec![0; E::KINDS.len()],
        }
    }

    /// Counts an event.
    pub(crate) fn add<E: Event>(&mut self, event: &E) {
        if let Some(count) = self.counted.get_mut(event.place()) {
            *count += 1;
        }
    }

    /// Each kind of which there is any, with its count; in no particular order.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = self.kinds.iter().copied().zip(self.counted.iter().copied());
        all.filter(|(_, count)| *count > 0)
    }

    /// As the index notes them.
    pub(crate) fn noted(&self) -> BTreeMap<String, u64> {
        let each = self.each();
        each.map(|(kind, count)| (kind.to_owned(), count)).collect()
    }

    /// Reads what was noted at `position`; none if it does not count the entries before that.
    pub(crate) fn of<E: Event>(noted: &BTreeMap<String, u64>, position: u64) -> Option<Self> {
        let mut counts = Self::new::<E>();
        for (kind, count) in noted {
            let place = E::KINDS.iter().position(|known| known == kind)?;
            *counts.counted.get_mut(place)? = *count;
        }
        let total = noted
            .values()
            .try_fold(0_u64, |sum, count| sum.checked_add(*count));
        (total == Some(position)).then_some(counts)
    }
}

#[cfg(test)]
mod tests {
    use lgpki_ledger::{Body, events};
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Rung {}

    impl Body for Rung {
        const KIND: &'static str = "bell.rung";
    }

    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Cast {}

    impl Body for Cast {
        const KIND: &'static str = "bell.cast";
    }

    events! {
        enum BellEvent {
            Rung(Rung),
            Cast(Cast),
        }
    }

    fn noted(each: &[(&str, u64)]) -> BTreeMap<String, u64> {
        each.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect()
    }

    #[test]
    fn each_event_counts_for_its_own_kind() {
        let mut counts = Counts::new::<BellEvent>();
        assert_eq!(counts.noted(), noted(&[]));
        for event in [Cast {}.into(), BellEvent::Rung(Rung {}), Rung {}.into()] {
            counts.add(&event);
        }
        let told = noted(&[("bell.cast", 1), ("bell.rung", 2)]);
        assert_eq!(counts.noted(), told);
        assert_eq!(Counts::of::<BellEvent>(&told, 3), Some(counts));
    }

    #[test]
    fn counters_that_do_not_add_up_to_their_position_or_are_of_another_program_are_refused() {
        for (told, position) in [
            (noted(&[("bell.rung", 2)]), 3),
            (noted(&[]), 1),
            (noted(&[("bell.rung", 2), ("bell.cracked", 1)]), 3),
            (noted(&[("bell.rung", u64::MAX), ("bell.cast", 4)]), 3),
        ] {
            assert_eq!(Counts::of::<BellEvent>(&told, position), None, "{told:?}");
        }
        assert!(Counts::of::<BellEvent>(&noted(&[]), 0).is_some());
    }
}
