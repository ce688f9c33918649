//! The settings of the OCSP responder.

use serde::Deserialize;

use crate::{error::LifecycleError, ocsp::FEWEST};

/// The longest time for which an answer may stand, in hours: no longer than a CRL's usual two days.
const LONGEST_HOURS: i64 = 48;
/// The most signatures a second that may be allowed.
const MOST_PER_SECOND: u32 = 1_000_000;

/// Section `[lifecycle.ocsp]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OcspConfig {
    /// For how many hours an answer stands: nextUpdate less thisUpdate.
    pub validity_hours: i64,
    /// For how many minutes a cache may keep an answer without asking again; so long may a
    /// revocation stay unseen behind a cache.
    pub cache_minutes: i64,
    /// How many answers a second are signed on demand; whoever comes later is told to try again. Half
    /// of them are kept for answers about one certificate without a nonce, which are given again, and
    /// at most a quarter is about serial numbers that were never issued.
    pub signatures_per_second: u32,
    /// How many signed answers are kept for those who ask again.
    pub kept_answers: usize,
}

impl Default for OcspConfig {
    fn default() -> Self {
        Self {
            validity_hours: 8,
            cache_minutes: 60,
            signatures_per_second: 2_000,
            kept_answers: 20_000,
        }
    }
}

/// Validated settings of the OCSP responder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OcspSettings {
    pub(crate) validity_seconds: i64,
    pub(crate) cache_seconds: i64,
    pub(crate) signatures_per_second: u32,
    pub(crate) kept_answers: usize,
}

impl OcspSettings {
    /// Checks the section.
    pub fn try_new(config: &OcspConfig) -> Result<Self, LifecycleError> {
        let wrong = |why: String| Err(LifecycleError::Settings(why));
        if !(1..=LONGEST_HOURS).contains(&config.validity_hours) {
            return wrong(format!(
                "ocsp.validity_hours: {} is not between 1 and {LONGEST_HOURS}",
                config.validity_hours
            ));
        }
        // An answer is renewed at half its time; what a cache keeps must not outlast that.
        let most = config.validity_hours * 30;
        if !(0..=most).contains(&config.cache_minutes) {
            return wrong(format!(
                "ocsp.cache_minutes: {} is not between 0 and {most}, half of what an answer stands",
                config.cache_minutes
            ));
        }
        if !(FEWEST..=MOST_PER_SECOND).contains(&config.signatures_per_second) {
            return wrong(format!(
                "ocsp.signatures_per_second: {} is not between {FEWEST} and {MOST_PER_SECOND}",
                config.signatures_per_second
            ));
        }
        Ok(Self {
            validity_seconds: config.validity_hours * 3600,
            cache_seconds: config.cache_minutes * 60,
            signatures_per_second: config.signatures_per_second,
            kept_answers: config.kept_answers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_let_answers_go_stale_is_refused() {
        let base = OcspConfig::default();
        assert!(OcspSettings::try_new(&base).is_ok());
        for config in [
            OcspConfig {
                validity_hours: 0,
                ..base.clone()
            },
            OcspConfig {
                validity_hours: 49,
                ..base.clone()
            },
            OcspConfig {
                validity_hours: 1,
                cache_minutes: 31,
                ..base.clone()
            },
            OcspConfig {
                signatures_per_second: 3,
                ..base.clone()
            },
        ] {
            assert!(OcspSettings::try_new(&config).is_err(), "{config:?}");
        }
    }
}
