//! What came of a replay through the services: how each application fared, whether the books balance, what it cost.
//!
//! The services, keys, signatures and lists of a replay are real; its clock is stepped, and its holders are made up.

use std::collections::BTreeMap;

use lgpki_domain::{
    BodyCode, BusinessCalendar, Timestamp,
    estimate::{Capacity, Promise},
    order::{Claim, Waiting},
};
use serde::Serialize;

use crate::{
    plan::{Basis, optimum},
    report::{Report, Waits},
    simulation::Outcome,
    trace::{Arrival, Trace},
};

/// An estimate may be wrong by so much of the wait, or by an hour, whichever is more.
const TOLERATED_PERCENT: i64 = 10;
const HOUR_MILLIS: i64 = 3_600_000;
/// The days before the renewal window's end that count as the peak: January and February 2011.
const PEAK_DAYS: i32 = 59;

/// An application of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// As it was received.
    pub waiting: Waiting,
    /// When it was issued, or its revocation was carried out; none if it was still open at the end.
    pub issued: Option<Timestamp>,
    /// What the acknowledgement estimated.
    pub promised: Option<Promise>,
}

impl Case {
    fn outcome(&self, calendar: &BusinessCalendar) -> Option<Outcome> {
        let issued = self.issued?;
        Some(Outcome {
            branch: self.waiting.branch,
            claim: self.waiting.claim,
            received: self.waiting.received,
            issued,
            waited: calendar.millis_between(self.waiting.received, issued),
        })
    }
}

/// How good the estimates of the acknowledgements were.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimates {
    /// How many were given and came due.
    pub given: u64,
    /// How far outside of the estimated interval (or from the estimated time) they came true, in business hours.
    pub error_business_hours: Waits,
    /// Of a hundred, how many were wrong by no more than a tenth of the wait or an hour.
    pub within_tolerance_percent: f64,
    /// Of a hundred, how many were issued no later than the end of the estimate.
    pub upper_end_held_percent: f64,
}

impl Estimates {
    /// Of those received from `first` on; `None` if no estimate was given.
    fn new(cases: &[Case], calendar: &BusinessCalendar, first: Timestamp) -> Option<Self> {
        let mut errors = Vec::new();
        let (mut tolerable, mut held) = (0, 0);
        for case in cases.iter().filter(|case| case.waiting.received >= first) {
            let (Some(promise), Some(issued)) = (case.promised, case.issued) else {
                continue;
            };
            let early = calendar.millis_between(issued, promise.earliest);
            let late = calendar.millis_between(promise.latest, issued);
            let wait = calendar.millis_between(case.waiting.received, issued);
            let error = early.max(late);
            tolerable += u64::from(error <= (wait * TOLERATED_PERCENT / 100).max(HOUR_MILLIS));
            held += u64::from(late == 0);
            errors.push(error);
        }
        let given = errors.len() as u64;
        (given > 0).then(|| Self {
            given,
            error_business_hours: Waits::of(errors),
            within_tolerance_percent: percent(tolerable, given),
            upper_end_held_percent: percent(held, given),
        })
    }
}

/// The books at the end.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Books {
    /// Applications that intake has, by the state in which they are.
    pub applications: BTreeMap<String, u64>,
    /// Of these, how many have not ended.
    pub open: u64,
    /// Certificates in the inventory, by kind.
    pub certificates: BTreeMap<String, u64>,
    /// Of these, revoked ones, superseded ones among them.
    pub revoked: u64,
    /// CRLs that were published, by the list's name.
    pub crls: BTreeMap<String, u64>,
    /// Revoked certificates on the last of them.
    pub listed: u64,
    /// What does not fit; empty if everything does.
    pub differences: Vec<String>,
}

/// What a replay cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Effort {
    /// Seconds from the first application to the last.
    pub seconds: f64,
    /// Processor seconds of the services.
    pub services_seconds: f64,
    /// Processor seconds of front ends, examiners and subscribers, their keys included.
    pub others_seconds: f64,
    /// Signatures that were checked: proofs of possession and lists.
    pub checks: u64,
    /// Processor seconds of that.
    pub checking_seconds: f64,
    /// Signatures that were made: certificates, lists, OCSP answers.
    pub signatures: u64,
    /// Processor seconds of that.
    pub signing_seconds: f64,
    /// Which part of the services' processor time checking and signing were, of a hundred.
    pub cryptography_percent: f64,
    /// Steps of the clock.
    pub steps: u64,
}

/// What was played.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Played {
    /// When holders renew.
    pub habit: &'static str,
    /// In which order applications are examined.
    pub order: String,
    /// The capacity.
    #[serde(flatten)]
    pub basis: Basis,
    /// Branches with so many of a hundred certificates ignored the slots that they were advised.
    pub ignoring_percent: u8,
    /// The seed.
    pub seed: u64,
    /// Certificates beside their renewals.
    pub certificates: u64,
    /// The first of the opening days.
    pub first: String,
    /// The first day of the steady years that was played; before it lie only the opening days.
    pub from: String,
    /// The last day.
    pub to: String,
    /// Minutes between two looks of front ends and examiners.
    pub step_minutes: u32,
}

/// What came of a replay.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replay {
    /// What was played.
    #[serde(flatten)]
    pub played: Played,
    /// Certificates issued in the opening days, outside the examiners' capacity and the waiting times.
    pub imported: u64,
    /// Applications received after that.
    pub received: u64,
    /// Applications sent again because they were turned away for the time being.
    pub retries: u64,
    /// Applications that were refused for good, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Renewals whose certificate had expired while they waited and that still waited at the end.
    pub expired_and_open: u64,
    /// How many certificates would have expired by the end of the replay while the same applications waited, at the same
    /// capacity, in the order that loses fewest: the offline optimum.
    pub optimum_expired_waiting: u64,
    /// How good the estimates were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimates: Option<Estimates>,
    /// The same for January and February 2011 alone, or what corresponds to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimates_at_the_peak: Option<Estimates>,
    /// The books.
    pub books: Books,
    /// What it cost.
    pub effort: Effort,
    /// How long they waited.
    #[serde(flatten)]
    pub report: Report,
}

/// What a replay noted besides its cases.
#[derive(Clone, Debug, PartialEq)]
pub struct Noted {
    /// What was played.
    pub played: Played,
    /// How many certificates each branch held.
    pub sizes: BTreeMap<Option<BodyCode>, u32>,
    /// Certificates issued in the opening days.
    pub imported: u64,
    /// Applications sent again.
    pub retries: u64,
    /// Applications refused for good.
    pub refused: BTreeMap<String, u64>,
    /// The books.
    pub books: Books,
    /// What it cost.
    pub effort: Effort,
    /// When it ended.
    pub end: Timestamp,
}

impl Replay {
    /// Tells what came of it.
    #[must_use]
    pub fn new(noted: Noted, cases: &[Case], calendar: &BusinessCalendar) -> Self {
        let outcomes: Vec<_> = cases.iter().filter_map(|c| c.outcome(calendar)).collect();
        let mut trace = trace(cases, noted.sizes);
        let mut report = Report::new(&trace, &outcomes, calendar);
        let open = || cases.iter().filter(|case| case.issued.is_none());
        let mut expired_and_open = 0;
        for case in open().filter(|case| case.waiting.has_lapsed(noted.end)) {
            expired_and_open += 1;
            report.count_expired(&case.waiting);
        }
        // Whoever still waits at the end has waited that long at least; without them the longest waits would be missing.
        let waited = |case: &Case| {
            let until = case.issued.unwrap_or(noted.end);
            let waited = calendar.millis_between(case.waiting.received, until);
            (case.waiting.branch, waited)
        };
        report.compare(&trace.sizes, cases.iter().map(waited));
        // What goes straight to lifecycle takes no examiner's time.
        let is_examined = |a: &Arrival| a.waiting.claim != Claim::EmergencyRevocation;
        trace.arrivals.retain(is_examined);
        let per_day = noted.played.basis.capacity_per_business_day;
        let optimum = Capacity::try_new(per_day, u32::MAX).map_or(0, |capacity| {
            optimum(&trace, calendar, capacity, Some(noted.end))
        });
        let peak = noted.played.basis.window_last.parse();
        let peak = peak.map(|day: lgpki_domain::JstDate| day.plus_days(-PEAK_DAYS).start());
        let always = Timestamp::from_millis(i64::MIN);
        Self {
            imported: noted.imported,
            received: cases.len() as u64,
            retries: noted.retries,
            refused: noted.refused,
            expired_and_open,
            optimum_expired_waiting: optimum,
            estimates: Estimates::new(cases, calendar, always),
            estimates_at_the_peak: peak
                .ok()
                .and_then(|first| Estimates::new(cases, calendar, first)),
            books: noted.books,
            effort: noted.effort,
            report,
            played: noted.played,
        }
    }
}

fn trace(cases: &[Case], sizes: BTreeMap<Option<BodyCode>, u32>) -> Trace {
    let mut arrivals: Vec<_> = cases
        .iter()
        .map(|case| Arrival {
            waiting: case.waiting,
            expires: case.waiting.expires(),
            holding: 0,
        })
        .collect();
    arrivals.sort_by_key(|arrival| arrival.waiting.received);
    Trace {
        arrivals,
        expiring: BTreeMap::new(),
        sizes,
    }
}

/// So many of so many, of a hundred, with one digit.
#[must_use]
pub fn percent(part: u64, whole: u64) -> f64 {
    let tenths = (u128::from(part) * 1000)
        .checked_div(u128::from(whole))
        .unwrap_or_default();
    f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0
}

#[cfg(test)]
mod tests {
    use lgpki_domain::ApplicationId;

    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("{text}:00+09:00").parse().unwrap()
    }

    fn case(number: u8, received: &str, issued: Option<&str>, promised: (&str, &str)) -> Case {
        Case {
            waiting: Waiting {
                id: ApplicationId::from_bytes([number; 16]),
                branch: BodyCode::try_new(1, 1),
                received: at(received),
                claim: Claim::Renewal {
                    expires: at("2011-02-03T00:00"),
                },
            },
            issued: issued.map(at),
            promised: Some(Promise {
                earliest: at(promised.0),
                latest: at(promised.1),
            }),
        }
    }

    fn noted() -> Noted {
        let played = Played {
            habit: "procrastinate",
            order: String::from("fifo"),
            basis: Basis {
                capacity_per_business_day: 8,
                capacity_from: crate::CapacityFrom::Given,
                window_first: String::from("2010-08-01"),
                window_last: String::from("2011-02-28"),
                window_applications: 3,
                window_business_days: 139,
            },
            ignoring_percent: 10,
            seed: 1,
            certificates: 3,
            first: String::from("2008-02-04"),
            from: String::from("2008-03-01"),
            to: String::from("2011-02-10"),
            step_minutes: 15,
        };
        Noted {
            played,
            sizes: [(BodyCode::try_new(1, 1), 3)].into(),
            imported: 3,
            retries: 1,
            refused: BTreeMap::new(),
            books: Books::default(),
            effort: Effort::default(),
            end: at("2011-02-10T17:00"),
        }
    }

    #[test]
    fn what_still_waits_at_the_end_counts_as_expired_where_it_is() {
        let calendar = BusinessCalendar::default();
        let cases = [
            case(
                1,
                "2010-12-01T10:00",
                Some("2010-12-02T10:00"),
                ("2010-12-02T09:00", "2010-12-02T09:00"),
            ),
            case(
                2,
                "2011-01-31T10:00",
                Some("2011-02-04T10:00"),
                ("2011-02-03T10:00", "2011-02-04T17:00"),
            ),
            case(
                3,
                "2011-02-01T10:00",
                None,
                ("2011-02-03T10:00", "2011-02-04T17:00"),
            ),
        ];
        let replay = Replay::new(noted(), &cases, &calendar);
        assert_eq!(replay.expired_and_open, 1);
        assert_eq!(replay.report.totals.expired_waiting, 2);
        let week = |name: &str| replay.report.weeks.iter().find(|w| w.week == name);
        assert_eq!(week("2011-W05").unwrap().expired_waiting, 2);
        assert_eq!(replay.report.weeks.last().unwrap().queue, 1);
        let estimates = replay.estimates.unwrap();
        assert_eq!(estimates.given, 2);
        assert!((estimates.error_business_hours.max - 1.0).abs() < 1e-9);
        assert!((estimates.within_tolerance_percent - 100.0).abs() < 1e-9);
        assert!((estimates.upper_end_held_percent - 50.0).abs() < 1e-9);
        assert_eq!(replay.estimates_at_the_peak.unwrap().given, 1);
    }
}
