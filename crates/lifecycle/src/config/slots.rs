//! The settings of renewal slots.

use std::collections::BTreeSet;

use lgpki_domain::{BusinessCalendar, BusinessHours, JstDate, slots::SlotRules};
use serde::Deserialize;

use crate::error::LifecycleError;

/// The longest notice, in days before a month begins.
pub(crate) const MOST_LEAD: u16 = 60;
/// The most applications that anybody examines in a day.
const MOST_PER_DAY: u32 = 1_000_000;

/// Section `[lifecycle.slots]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlotConfig {
    /// Applications that the operator can examine in a business day; 0 books no slots.
    pub per_business_day: u32,
    /// Of a hundred certificates, those whose holders are expected not to heed the advice.
    pub ignoring_percent: u8,
    /// Applications expected on each business day without a slot, such as new ones.
    pub unadvised_per_business_day: u32,
    /// Business days kept free at the end of a window for those who miss their slot.
    pub margin_days: u8,
    /// Certificates of one branch on one day at most.
    pub trip: u32,
    /// How many days before a month begins the windows that open in it are booked.
    pub lead_days: u16,
    /// When the operator's office opens, JST, such as `09:00`.
    pub opens: String,
    /// When it closes.
    pub closes: String,
    /// Days on which it is closed, besides week-ends, national holidays and the year's end.
    pub closed_days: Vec<String>,
}

impl Default for SlotConfig {
    fn default() -> Self {
        Self {
            per_business_day: 200,
            ignoring_percent: 10,
            unadvised_per_business_day: 0,
            margin_days: 5,
            trip: 25,
            lead_days: 30,
            opens: "09:00".to_owned(),
            closes: "17:00".to_owned(),
            closed_days: Vec::new(),
        }
    }
}

/// Validated settings of renewal slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotSettings {
    /// The rules of booking.
    pub rules: SlotRules,
    /// How many days before a month begins it is booked.
    pub lead_days: u16,
    /// Applications expected on each business day without a slot.
    pub unadvised: u32,
    /// When the operator's office is open.
    pub calendar: BusinessCalendar,
    /// Seconds after midnight at which it opens and closes.
    pub hours: (i64, i64),
}

impl SlotSettings {
    /// Checks the section.
    pub fn try_new(config: &SlotConfig) -> Result<Self, LifecycleError> {
        let wrong = |why: String| Err(LifecycleError::Settings(why));
        if config.per_business_day > MOST_PER_DAY {
            return wrong(format!(
                "slots.per_business_day: {} is more than {MOST_PER_DAY}",
                config.per_business_day
            ));
        }
        if config.unadvised_per_business_day > config.per_business_day {
            return wrong(format!(
                "slots.unadvised_per_business_day: {} is more than slots.per_business_day, {}; that leaves no \
                 room for slots",
                config.unadvised_per_business_day, config.per_business_day
            ));
        }
        if config.ignoring_percent > 100 {
            return wrong(format!(
                "slots.ignoring_percent: {} is more than 100",
                config.ignoring_percent
            ));
        }
        if config.trip == 0 {
            return wrong("slots.trip: write 1 or more certificates".to_owned());
        }
        if config.lead_days > MOST_LEAD {
            return wrong(format!(
                "slots.lead_days: {} is more than {MOST_LEAD}; so long before its window nobody plans a \
                 renewal",
                config.lead_days
            ));
        }
        let opens = minutes("opens", &config.opens)?;
        let closes = minutes("closes", &config.closes)?;
        let Some(hours) = BusinessHours::try_new(opens, closes) else {
            return wrong(format!(
                "slots.closes: {} is not after slots.opens, {}",
                config.closes, config.opens
            ));
        };
        let holidays = config.closed_days.iter().map(|text| {
            text.parse::<JstDate>().map_err(|_| {
                LifecycleError::Settings(format!(
                    "slots.closed_days: {text:?} is no day; write one such as 2010-08-13"
                ))
            })
        });
        let holidays = holidays.collect::<Result<BTreeSet<_>, _>>()?;
        Ok(Self {
            rules: SlotRules {
                per_business_day: config.per_business_day,
                ignoring_percent: config.ignoring_percent,
                margin_days: config.margin_days,
                trip: config.trip,
            },
            lead_days: config.lead_days,
            unadvised: config.unadvised_per_business_day,
            calendar: BusinessCalendar::new(hours, &holidays),
            hours: (i64::from(opens) * 60, i64::from(closes) * 60),
        })
    }

    /// Whether slots are booked at all.
    #[must_use]
    pub const fn are_booked(&self) -> bool {
        self.rules.per_business_day > 0
    }
}

/// Minutes after midnight of a time such as `09:00`; `24:00` is the day's end.
fn minutes(key: &str, text: &str) -> Result<u16, LifecycleError> {
    let part = |text: &str| {
        (text.len() == 2)
            .then(|| text.parse::<u16>().ok())
            .flatten()
    };
    let time = text.split_once(':');
    let time = time.and_then(|(hour, minute)| Some((part(hour)?, part(minute)?)));
    let fits = |(hour, minute): &(u16, u16)| *minute < 60 && hour * 60 + minute <= 24 * 60;
    time.filter(fits)
        .map(|(hour, minute)| hour * 60 + minute)
        .ok_or_else(|| {
            LifecycleError::Settings(format!(
                "slots.{key}: {text:?} is no time of day; write one such as 09:00"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_book_and_what_makes_no_sense_is_refused_by_its_key() {
        let base = SlotConfig::default();
        let settings = SlotSettings::try_new(&base).unwrap();
        assert!(settings.are_booked());
        assert_eq!(settings.hours, (9 * 3600, 17 * 3600));
        let none = SlotConfig {
            per_business_day: 0,
            ..base.clone()
        };
        assert!(!SlotSettings::try_new(&none).unwrap().are_booked());
        let change = |change: fn(&mut SlotConfig)| {
            let mut config = SlotConfig::default();
            change(&mut config);
            SlotSettings::try_new(&config).unwrap_err().to_string()
        };
        for (key, told) in [
            ("ignoring_percent", change(|c| c.ignoring_percent = 101)),
            ("trip", change(|c| c.trip = 0)),
            ("lead_days", change(|c| c.lead_days = 61)),
            (
                "per_business_day",
                change(|c| c.per_business_day = u32::MAX),
            ),
            (
                "unadvised_per_business_day",
                change(|c| c.unadvised_per_business_day = 201),
            ),
            ("opens", change(|c| c.opens = "9:00".to_owned())),
            ("closes", change(|c| c.closes = "24:01".to_owned())),
            ("closes", change(|c| c.closes = "08:00".to_owned())),
            (
                "closed_days",
                change(|c| c.closed_days = vec!["13 Aug".to_owned()]),
            ),
        ] {
            assert!(told.contains(&format!("slots.{key}")), "{told}");
        }
    }

    #[test]
    fn a_day_on_which_the_office_is_closed_is_no_business_day() {
        let config = SlotConfig {
            closed_days: vec!["2010-08-13".to_owned()],
            ..SlotConfig::default()
        };
        let settings = SlotSettings::try_new(&config).unwrap();
        let day = |text: &str| text.parse().unwrap();
        assert!(!settings.calendar.is_business_day(day("2010-08-13")));
        assert!(settings.calendar.is_business_day(day("2010-08-12")));
    }
}
