//! `[intake.queue]`: the order of the queues, the examiners' hours and their stated capacity.

use std::{collections::BTreeSet, sync::Arc};

use lgpki_domain::{
    BusinessCalendar, BusinessHours, JstDate, estimate::Capacity, order::OrderName,
};
use serde::Deserialize;

use super::BadSetting;
use crate::pace::Pace;

/// The most examiners, what one of them examines in a day, and signatures a second.
const MOST: u32 = 100_000;

/// The order of the queues, and what estimates go by.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawQueue {
    /// `fair`, `fifo`, `fifo-passing` or `earliest-expiry`; fair if not given.
    pub order: Option<String>,
    /// When the examiners begin on a business day, such as `09:00`.
    pub opens: Option<String>,
    /// When they end, such as `17:00`.
    pub closes: Option<String>,
    /// Days on which they do not work beside week-ends, national holidays and the turn of the year.
    pub closed_days: Vec<String>,
    /// How many examiners there are; 4 if not given.
    pub examiners: Option<u32>,
    /// How many applications one of them examines in a business day; 60 if not given.
    pub per_examiner: Option<u32>,
    /// How many certificates the issuer is taken to sign in a second until it is measured; 100 if not given.
    pub signatures_per_second: Option<u32>,
}

/// The order of the queues, and what estimates go by, checked.
#[derive(Clone, Debug)]
pub struct Queues {
    order: OrderName,
    calendar: Option<Arc<BusinessCalendar>>,
    capacity: Capacity,
}

impl Queues {
    /// What waits is worked off at this pace.
    #[must_use]
    pub fn pace(&self) -> Pace {
        match &self.calendar {
            Some(calendar) => Pace::new(self.order, calendar.clone(), self.capacity),
            None => Pace::usual(self.order, self.capacity),
        }
    }
}

impl TryFrom<&RawQueue> for Queues {
    type Error = BadSetting;

    fn try_from(raw: &RawQueue) -> Result<Self, BadSetting> {
        let order = match &raw.order {
            None => OrderName::Fair,
            Some(name) => OrderName::parse(name).ok_or_else(|| {
                let known = OrderName::ALL.map(OrderName::name).join(", ");
                let message = format!("{name:?} is no order; known: {known}");
                BadSetting::new("queue.order", message)
            })?,
        };
        let examiners = number("queue.examiners", raw.examiners, 4)?;
        let each = number("queue.per_examiner", raw.per_examiner, 60)?;
        let signing = number(
            "queue.signatures_per_second",
            raw.signatures_per_second,
            100,
        )?;
        let capacity = Capacity::try_new(examiners.saturating_mul(each), signing);
        Ok(Self {
            order,
            calendar: calendar(raw)?,
            capacity: capacity.unwrap_or_default(),
        })
    }
}

/// None for the usual one, which takes a while to compute.
fn calendar(raw: &RawQueue) -> Result<Option<Arc<BusinessCalendar>>, BadSetting> {
    if raw.opens.is_none() && raw.closes.is_none() && raw.closed_days.is_empty() {
        return Ok(None);
    }
    let opens = minutes("queue.opens", raw.opens.as_deref().unwrap_or("09:00"))?;
    let closes = minutes("queue.closes", raw.closes.as_deref().unwrap_or("17:00"))?;
    let hours = BusinessHours::try_new(opens, closes).ok_or_else(|| {
        let message =
            "the examiners would end before they begin; set a later time than queue.opens";
        BadSetting::new("queue.closes", message)
    })?;
    let mut without = BTreeSet::new();
    for day in &raw.closed_days {
        without.insert(day.parse::<JstDate>().map_err(|_| {
            let message = format!("{day:?} is no day such as \"2011-02-14\"");
            BadSetting::new("queue.closed_days", message)
        })?);
    }
    Ok(Some(Arc::new(BusinessCalendar::new(hours, &without))))
}

fn number(key: &str, value: Option<u32>, usual: u32) -> Result<u32, BadSetting> {
    let value = value.unwrap_or(usual);
    if (1..=MOST).contains(&value) {
        return Ok(value);
    }
    let message = format!("{value} is out of range; it may be 1 to {MOST}");
    Err(BadSetting::new(key, message))
}

/// Minutes after midnight of a time such as `09:00`.
fn minutes(key: &str, text: &str) -> Result<u16, BadSetting> {
    let read = || {
        let (hours, minutes) = text.split_once(':')?;
        let (hours, minutes) = (hours.parse::<u16>().ok()?, minutes.parse::<u16>().ok()?);
        let within = hours <= 24 && minutes < 60 && text.len() == 5;
        within.then_some(hours * 60 + minutes)
    };
    read().ok_or_else(|| BadSetting::new(key, format!("{text:?} is no time such as \"09:00\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_fair_and_usual() {
        let pace = Queues::try_from(&RawQueue::default()).unwrap().pace();
        assert_eq!(pace.order(), OrderName::Fair);
        assert_eq!(pace.capacity(), Capacity::try_new(240, 100).unwrap());
        assert_eq!(pace.calendar().hours(), BusinessHours::default());
    }

    #[test]
    fn hours_days_and_capacity_are_as_said() {
        let raw = RawQueue {
            order: Some("fifo".to_owned()),
            opens: Some("08:30".to_owned()),
            closes: Some("12:00".to_owned()),
            closed_days: vec!["2011-02-14".to_owned()],
            examiners: Some(2),
            per_examiner: Some(30),
            signatures_per_second: Some(7),
        };
        let pace = Queues::try_from(&raw).unwrap().pace();
        assert_eq!(pace.order(), OrderName::Fifo);
        assert_eq!(pace.capacity(), Capacity::try_new(60, 7).unwrap());
        assert_eq!(pace.calendar().hours().millis(), 210 * 60_000);
        assert!(
            !pace
                .calendar()
                .is_business_day("2011-02-14".parse().unwrap())
        );
    }

    #[test]
    fn what_cannot_work_is_refused_by_its_key() {
        let text = |text: &str| Some(text.to_owned());
        let usual = RawQueue::default;
        let table = [
            (
                RawQueue {
                    order: text("lifo"),
                    ..usual()
                },
                "intake.queue.order:",
            ),
            (
                RawQueue {
                    opens: text("9am"),
                    ..usual()
                },
                "intake.queue.opens:",
            ),
            (
                RawQueue {
                    closes: text("08:00"),
                    ..usual()
                },
                "intake.queue.closes:",
            ),
            (
                RawQueue {
                    closes: text("24:30"),
                    ..usual()
                },
                "intake.queue.closes:",
            ),
            (
                RawQueue {
                    closed_days: vec!["soon".to_owned()],
                    ..usual()
                },
                "intake.queue.closed_days:",
            ),
            (
                RawQueue {
                    examiners: Some(0),
                    ..usual()
                },
                "intake.queue.examiners:",
            ),
            (
                RawQueue {
                    per_examiner: Some(100_001),
                    ..usual()
                },
                "intake.queue.per_examiner:",
            ),
        ];
        for (raw, expected) in table {
            let refused = Queues::try_from(&raw).unwrap_err().to_string();
            assert!(refused.starts_with(expected), "{refused}");
        }
    }
}
