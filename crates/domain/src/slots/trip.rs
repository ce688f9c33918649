//! Trips: certificates of one branch that can be renewed together.

use std::collections::BTreeMap;

use super::Candidate;
use crate::{id::BodyCode, time::JstDate};

/// Days by which the windows of one trip may open apart.
const TOGETHER_DAYS: i32 = 31;

/// Certificates of one branch, and the days on which all of them may be renewed.
#[derive(Clone, Debug)]
pub(super) struct Trip<K> {
    /// The latest opening.
    pub(super) opens: JstDate,
    /// The earliest last day.
    pub(super) last_day: JstDate,
    /// By last day.
    pub(super) candidates: Vec<Candidate<K>>,
}

impl<K: Copy> Trip<K> {
    /// A trip for one certificate.
    pub(super) fn of(candidate: Candidate<K>) -> Self {
        Self {
            opens: candidate.opens,
            last_day: candidate.last_day,
            candidates: vec![candidate],
        }
    }
}

/// The trips of all branches: those that end first come first, of these the largest.
pub(super) fn trips<K: Copy + Ord>(candidates: impl Iterator<Item = Candidate<K>>) -> Vec<Trip<K>> {
    let mut branches: BTreeMap<Option<BodyCode>, Vec<Candidate<K>>> = BTreeMap::new();
    for candidate in candidates {
        branches
            .entry(candidate.branch)
            .or_default()
            .push(candidate);
    }
    let mut trips: Vec<Trip<K>> = Vec::new();
    for mut candidates in branches.into_values() {
        candidates.sort_by_key(|c| (c.opens, c.last_day, c.certificate));
        let mut first: Option<JstDate> = None;
        for candidate in candidates {
            let apart = first.map_or(i32::MAX, |first| candidate.opens.number() - first.number());
            let last = trips
                .last_mut()
                .filter(|trip| apart <= TOGETHER_DAYS && candidate.opens <= trip.last_day);
            if let Some(trip) = last {
                trip.opens = trip.opens.max(candidate.opens);
                trip.last_day = trip.last_day.min(candidate.last_day);
                trip.candidates.push(candidate);
            } else {
                first = Some(candidate.opens);
                trips.push(Trip::of(candidate));
            }
        }
    }
    // Sorted without looking at the branch, they keep its order among equals.
    trips.sort_by_key(|trip| (trip.last_day, usize::MAX - trip.candidates.len()));
    trips
}
