//! How long answers took: a histogram whose memory does not grow, and what is read from it.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longer answers count as an hour.
const LONGEST_MICROS: u64 = 3_600_000_000;
/// A thousandth of the value.
const DIGITS: u8 = 3;
/// Up to which share each point of the curve tells, in millionths.
const CURVE: [u32; 16] = [
    0, 250_000, 500_000, 750_000, 900_000, 950_000, 980_000, 990_000, 995_000, 998_000, 999_000,
    999_500, 999_800, 999_900, 999_990, 999_999,
];

/// Times from due to answered, in microseconds.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

impl Latencies {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        #[expect(
            clippy::expect_used,
            clippy::missing_panics_doc,
            reason = "the library takes any bounds with 1 ≤ low, 2·low ≤ high and at most 5 digits"
        )]
        let histogram =
            Histogram::new_with_bounds(1, LONGEST_MICROS, DIGITS).expect("constant bounds");
        Self(histogram)
    }

    /// Adds one.
    pub fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros.max(1));
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The time within which so many millionths were answered, in milliseconds.
    #[must_use]
    pub fn at_millionths(&self, millionths: u32) -> f64 {
        let quantile = f64::from(millionths) / 1_000_000.0;
        millis(self.0.value_at_quantile(quantile))
    }

    /// What is told of them.
    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        let curve = CURVE.map(|millionths| {
            (
                f64::from(millionths) / 10_000.0,
                self.at_millionths(millionths),
            )
        });
        Quantiles {
            count: self.len(),
            p50: self.at_millionths(500_000),
            p90: self.at_millionths(900_000),
            p99: self.at_millionths(990_000),
            p999: self.at_millionths(999_000),
            max: if self.is_empty() {
                0.0
            } else {
                millis(self.0.max())
            },
            curve: if self.is_empty() {
                Vec::new()
            } else {
                curve.into()
            },
        }
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

/// Milliseconds within which a share of all was answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// How many there were.
    pub count: u64,
    /// The median.
    pub p50: f64,
    /// Nine of ten.
    pub p90: f64,
    /// All but one of a hundred.
    pub p99: f64,
    /// All but one of a thousand.
    pub p999: f64,
    /// All.
    pub max: f64,
    /// Shares of a hundred with their milliseconds.
    pub curve: Vec<(f64, f64)>,
}

fn millis(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_told_within_a_thousandth_and_what_is_too_long_counts_as_an_hour() {
        let mut latencies = Latencies::new();
        assert_eq!(latencies.quantiles(), Quantiles::default());
        for millis in 1..=1000 {
            latencies.add(Duration::from_millis(millis));
        }
        let told = latencies.quantiles();
        assert_eq!(told.count, 1000);
        for (is, should) in [(told.p50, 500.0), (told.p99, 990.0), (told.max, 1000.0)] {
            assert!((is - should).abs() <= should / 1000.0, "{is} {should}");
        }
        assert!(told.curve.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1));
        latencies.add(Duration::ZERO);
        latencies.add(Duration::from_secs(10_000));
        assert!(latencies.quantiles().max >= 3_599_000.0);
    }
}
