//! Lifecycle's settings: as they stand in the configuration file, and validated.
//!
//! Where to listen, TLS and the issuer's address are the same for every service and not read here.

mod ocsp;
mod slots;

use std::path::PathBuf;

use lgpki_ledger::Identity;
use lgpki_runtime::plain_http::PublicLimits;
use lgpki_store::{Publishing, Rhythm};
use serde::Deserialize;

pub(crate) use self::slots::MOST_LEAD;
pub use self::{
    ocsp::{OcspConfig, OcspSettings},
    slots::{SlotConfig, SlotSettings},
};
use crate::error::LifecycleError;

/// Hours between two daily CRLs.
const DAY: i64 = 24;
/// The longest time for which a CRL may stand, in hours: relying parties keep it that long.
const LONGEST: i64 = 240;

/// The earliest that a certificate may count as expiring soon, in days: within every window of six
/// months.
const MOST_NOTICE: i32 = 180;

/// Section `[lifecycle]`, as far as lifecycle itself reads it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LifecycleConfig {
    /// When the daily CRLs are published, JST, such as `09:15`.
    pub crl_daily_at: String,
    /// For how many hours a CRL stands: nextUpdate less thisUpdate. More than 24, so that it has
    /// not run out when the next one comes late.
    pub crl_validity_hours: i64,
    /// Where a CA publishes delta CRLs: every how many hours one comes, counted from the hour of the
    /// daily CRLs; 24 means only together with a complete CRL. It stands for twice that long.
    pub crl_delta_hours: i64,
    /// The OCSP responder.
    pub ocsp: OcspConfig,
    /// What the public HTTP port allows.
    pub publication_limits: PublicLimits,
    /// How many days before the day of expiry branches are told that a certificate expires soon.
    pub notice_days: i32,
    /// Renewal slots.
    pub slots: SlotConfig,
}

impl Default for LifecycleConfig {
    fn default() -> Self {
        Self {
            crl_daily_at: "09:15".to_owned(),
            crl_validity_hours: 48,
            crl_delta_hours: 4,
            ocsp: OcspConfig::default(),
            publication_limits: PublicLimits::default(),
            notice_days: 30,
            slots: SlotConfig::default(),
        }
    }
}

/// Validated settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where log, index and published files lie.
    pub data: PathBuf,
    /// Whose log it is.
    pub log: Identity,
    /// When CRLs are due.
    pub schedule: Schedule,
    /// How OCSP is answered.
    pub ocsp: OcspSettings,
    /// What the public HTTP port allows.
    pub public: PublicLimits,
    /// How many days before the day of expiry a certificate expires soon.
    pub notice_days: i32,
    /// How renewal slots are booked.
    pub slots: SlotSettings,
    /// How its logs are published.
    pub publishing: Publishing,
    /// How often heartbeats come into its log; never without one.
    pub heartbeats: Option<Rhythm>,
}

/// When CRLs are due and how long they stand, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    daily_at: i64,
    validity: i64,
    delta_period: i64,
}

impl Schedule {
    /// Daily at `hour`:`minute` JST, standing for `validity_hours`; deltas every four hours.
    pub fn try_new(hour: u8, minute: u8, validity_hours: i64) -> Result<Self, LifecycleError> {
        if hour > 23 || minute > 59 {
            return Err(LifecycleError::Settings(format!(
                "crl_daily_at: {hour:02}:{minute:02} is no time of day; write one such as 09:15"
            )));
        }
        if !(DAY + 1..=LONGEST).contains(&validity_hours) {
            return Err(LifecycleError::Settings(format!(
                "crl_validity_hours: {validity_hours} is not between 25 and {LONGEST}; a daily CRL \
                 must outlast a day, and relying parties must not keep one for too long"
            )));
        }
        Ok(Self {
            daily_at: i64::from(hour) * 3600 + i64::from(minute) * 60,
            validity: validity_hours * 3600,
            delta_period: 4 * 3600,
        })
    }

    /// The same, with deltas every `hours`.
    pub fn with_delta_hours(self, hours: i64) -> Result<Self, LifecycleError> {
        if !(1..=DAY).contains(&hours) || DAY % hours != 0 {
            return Err(LifecycleError::Settings(format!(
                "crl_delta_hours: {hours} does not divide the day; write 1, 2, 3, 4, 6, 8, 12 or 24"
            )));
        }
        Ok(Self {
            delta_period: hours * 3600,
            ..self
        })
    }

    /// Seconds after 00:00:00 JST at which the daily CRLs are due.
    #[must_use]
    pub const fn daily_at_seconds(self) -> i64 {
        self.daily_at
    }

    /// Seconds between two deltas.
    #[must_use]
    pub const fn delta_seconds(self) -> i64 {
        self.delta_period
    }

    /// How long before nextUpdate a list is overdue, in seconds: when its successor's time has come,
    /// less a twelfth of what is left then.
    #[must_use]
    pub const fn reserve_seconds(self, delta: bool) -> i64 {
        let period = if delta { self.delta_period } else { DAY * 3600 };
        (self.validity_seconds(delta) - period) * 11 / 12
    }

    /// nextUpdate less thisUpdate, in seconds, of a complete CRL or a delta.
    #[must_use]
    pub const fn validity_seconds(self, delta: bool) -> i64 {
        if delta {
            2 * self.delta_period
        } else {
            self.validity
        }
    }
}

impl Settings {
    /// Checks a section; `data` is lifecycle's own data directory.
    pub fn try_new(
        config: &LifecycleConfig,
        data: PathBuf,
        log: Identity,
    ) -> Result<Self, LifecycleError> {
        let time = config
            .crl_daily_at
            .split_once(':')
            .and_then(|(hour, minute)| {
                let part = |text: &str| (text.len() == 2).then(|| text.parse().ok()).flatten();
                Some((part(hour)?, part(minute)?))
            });
        let (hour, minute) = time.ok_or_else(|| {
            LifecycleError::Settings(format!(
                "crl_daily_at: {:?} is no time of day; write one such as 09:15",
                config.crl_daily_at
            ))
        })?;
        if !(1..=MOST_NOTICE).contains(&config.notice_days) {
            return Err(LifecycleError::Settings(format!(
                "notice_days: {} is not between 1 and {MOST_NOTICE}; earlier a renewal cannot be applied \
                 for, and the window's own notice comes six months before",
                config.notice_days
            )));
        }
        Ok(Self {
            data,
            log,
            schedule: Schedule::try_new(hour, minute, config.crl_validity_hours)?
                .with_delta_hours(config.crl_delta_hours)?,
            ocsp: OcspSettings::try_new(&config.ocsp)?,
            public: config.publication_limits.clone(),
            notice_days: config.notice_days,
            slots: SlotSettings::try_new(&config.slots)?,
            publishing: Publishing::default(),
            heartbeats: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn try_new(config: &LifecycleConfig) -> Result<Settings, LifecycleError> {
        let log = lgpki_testkit::log_identity("lifecycle-1");
        Settings::try_new(config, "x".into(), log)
    }

    #[test]
    fn the_defaults_are_the_practice_of_the_time() {
        let settings = try_new(&LifecycleConfig::default()).unwrap();
        assert_eq!(settings.schedule, Schedule::try_new(9, 15, 48).unwrap());
    }

    #[test]
    fn what_would_let_a_crl_run_out_is_refused() {
        let base = LifecycleConfig::default();
        for config in [
            LifecycleConfig {
                crl_validity_hours: 24,
                ..base.clone()
            },
            LifecycleConfig {
                crl_validity_hours: 1000,
                ..base.clone()
            },
            LifecycleConfig {
                crl_daily_at: "9:15".to_owned(),
                ..base.clone()
            },
            LifecycleConfig {
                crl_daily_at: "24:00".to_owned(),
                ..base.clone()
            },
            LifecycleConfig {
                crl_daily_at: "0915".to_owned(),
                ..base.clone()
            },
            LifecycleConfig {
                crl_delta_hours: 5,
                ..base.clone()
            },
            LifecycleConfig {
                crl_delta_hours: 0,
                ..base.clone()
            },
            LifecycleConfig {
                crl_delta_hours: 48,
                ..base.clone()
            },
            LifecycleConfig {
                notice_days: 181,
                ..base.clone()
            },
        ] {
            assert!(try_new(&config).is_err(), "{config:?}");
        }
    }
}
