//! What a human must look at about the CRLs and, in [`keys`], about the CAs' keys and their responders.
//!
//! The publisher keeps what went wrong; how much time is left is judged anew whenever somebody asks.
//! A CRL is overdue well before its nextUpdate, so that somebody can act before relying parties
//! notice.

pub(crate) mod keys;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use lgpki_domain::Timestamp;

use crate::{config::Schedule, gate::Rule, ports::CrlList};

/// Attempts in a row that may fail before it is an alarm: the issuer may just be restarting.
const TOLERATED: u32 = 3;

/// How far ahead of the clock a CRL may be before it is an alarm, in seconds.
const AHEAD: i64 = 300;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AlarmKind {
    /// The gate refused the new CRL; the old one stands.
    Refused,
    /// It could not be made or published, several times.
    Failing,
    /// The daily CRL has not come; the old one still stands.
    Overdue,
    /// Relying parties have no CRL that is in force.
    RunOut,
    /// The newest CRL was made under a clock that was ahead: relying parties may refuse it.
    Ahead,
    /// The CA soon issues no more, or no more already.
    IssuingEnds,
    /// The OCSP responder has no certificate in force.
    NotAnswering,
    /// The OCSP responder answers, but could not be certified anew.
    NotRenewed,
    /// OCSP requests were turned away for their number.
    Overloaded,
}

impl AlarmKind {
    /// The kinds about CRLs.
    pub(crate) const OF_CRLS: [Self; 5] = [
        Self::Refused,
        Self::Failing,
        Self::Overdue,
        Self::RunOut,
        Self::Ahead,
    ];

    /// The kinds about keys and responders.
    pub(crate) const OF_KEYS: [Self; 4] = [
        Self::IssuingEnds,
        Self::NotAnswering,
        Self::NotRenewed,
        Self::Overloaded,
    ];

    /// The stable name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Refused => "crl-refused",
            Self::Failing => "crl-failing",
            Self::Overdue => "crl-overdue",
            Self::RunOut => "crl-run-out",
            Self::Ahead => "crl-ahead",
            Self::IssuingEnds => "ca-issuing-ends",
            Self::NotAnswering => "ocsp-not-answering",
            Self::NotRenewed => "ocsp-not-renewed",
            Self::Overloaded => "ocsp-overloaded",
        }
    }
}

/// An alarm that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alarm {
    pub(crate) kind: AlarmKind,
    /// Which CRL, if it is about one.
    pub(crate) list: Option<CrlList>,
    /// Since when.
    pub(crate) since: Timestamp,
    /// What happened and what to do.
    pub(crate) message: String,
}

/// What went wrong with one list, last time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trouble {
    since: Timestamp,
    attempts: u32,
    rule: Option<Rule>,
    why: String,
}

/// What goes wrong, kept by the publisher and read by whoever asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<RwLock<BTreeMap<CrlList, Trouble>>>);

impl Board {
    /// An attempt failed; `rule` is what the gate found.
    pub(crate) fn failed(&self, list: CrlList, at: Timestamp, rule: Option<Rule>, why: &str) {
        let mut troubles = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let trouble = troubles.entry(list).or_insert_with(|| Trouble {
            since: at,
            attempts: 0,
            rule: None,
            why: String::new(),
        });
        trouble.attempts = trouble.attempts.saturating_add(1);
        trouble.rule = rule;
        why.clone_into(&mut trouble.why);
    }

    /// A CRL was published.
    pub(crate) fn published(&self, list: CrlList) {
        let mut troubles = self.0.write().unwrap_or_else(PoisonError::into_inner);
        troubles.remove(&list);
    }

    /// The alarms at `now`, given from when until when the newest CRL of each list stands.
    pub(crate) fn alarms(
        &self,
        now: Timestamp,
        schedule: Schedule,
        standing: &[(CrlList, Option<(Timestamp, Timestamp)>)],
    ) -> Vec<Alarm> {
        let troubles = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut alarms = Vec::new();
        for (list, standing) in standing {
            alarms.extend(troubles.get(list).and_then(|one| one.alarm(*list)));
            if let Some((this_update, next_update)) = *standing {
                alarms.extend(late(*list, now, schedule, next_update));
                alarms.extend(ahead(*list, now, this_update));
            }
        }
        alarms
    }
}

impl Trouble {
    fn alarm(&self, list: CrlList) -> Option<Alarm> {
        let (since, why) = (self.since, &self.why);
        let (kind, message) = match self.rule {
            Some(rule) => (
                AlarmKind::Refused,
                format!(
                    "the gate refused the new CRL of {list} ({}): {why}; the old one stands; \
                     compare lifecycle's data with its backup before publishing again",
                    rule.name()
                ),
            ),
            None if self.attempts > TOLERATED => (
                AlarmKind::Failing,
                format!(
                    "the CRL of {list} could not be published in {} attempts: {why}; see that the \
                     issuer runs and the disk is not full",
                    self.attempts
                ),
            ),
            None => return None,
        };
        Some(Alarm {
            kind,
            list: Some(list),
            since,
            message,
        })
    }
}

fn late(
    list: CrlList,
    now: Timestamp,
    schedule: Schedule,
    next_update: Timestamp,
) -> Option<Alarm> {
    let overdue = next_update.plus_seconds(-schedule.reserve_seconds(list.delta));
    let (kind, since, message) = if now > next_update {
        let message = format!(
            "the CRL of {list} ran out at {next_update}: relying parties {}; publish one with: lgpki \
             operator crl",
            if list.delta {
                "know of no newer revocations"
            } else {
                "refuse its certificates"
            }
        );
        (AlarmKind::RunOut, next_update, message)
    } else if now > overdue {
        let message = format!(
            "the CRL of {list} runs out at {next_update} and the next one has not come; publish \
             one with: lgpki operator crl"
        );
        (AlarmKind::Overdue, overdue, message)
    } else {
        return None;
    };
    Some(Alarm {
        kind,
        list: Some(list),
        since,
        message,
    })
}

/// Relying parties whose clocks are right may refuse a CRL from the future. Later ones bear later
/// times until that time has come, for times never go back.
fn ahead(list: CrlList, now: Timestamp, this_update: Timestamp) -> Option<Alarm> {
    is_ahead(this_update, now).then(|| Alarm {
        kind: AlarmKind::Ahead,
        list: Some(list),
        since: now,
        message: format!(
            "the CRL of {list} is of {this_update}, which has not come: it was made while a clock \
             was ahead, and relying parties may refuse it and those that follow until then; see that \
             the clock is right"
        ),
    })
}

/// Whether a time lies too far ahead to have been told by this clock.
pub(crate) fn is_ahead(time: Timestamp, now: Timestamp) -> bool {
    time > now.plus_seconds(AHEAD)
}

#[cfg(test)]
mod tests {
    use lgpki_domain::Authority;

    use super::*;
    use crate::testing::{at, series};

    fn kinds(board: &Board, now: &str) -> Vec<AlarmKind> {
        let schedule = Schedule::try_new(9, 15, 48).unwrap();
        let next = [(
            CrlList::complete(series(Authority::Organization)),
            Some((at("2011-03-18T09:15:00"), at("2011-03-20T09:15:00"))),
        )];
        let alarms = board.alarms(at(now), schedule, &next);
        alarms.into_iter().map(|alarm| alarm.kind).collect()
    }

    #[test]
    fn a_crl_is_overdue_two_hours_after_its_time_and_run_out_after_next_update() {
        let board = Board::default();
        for (now, expected) in [
            ("2011-03-19T09:15:00", &[][..]),
            ("2011-03-19T11:15:00", &[]),
            ("2011-03-19T11:15:01", &[AlarmKind::Overdue]),
            ("2011-03-20T09:15:00", &[AlarmKind::Overdue]),
            ("2011-03-20T09:15:01", &[AlarmKind::RunOut]),
        ] {
            assert_eq!(kinds(&board, now), expected, "{now}");
        }
    }

    #[test]
    fn a_delta_is_overdue_by_its_own_schedule() {
        let schedule = Schedule::try_new(9, 15, 48).unwrap();
        let list = CrlList::delta(series(Authority::Organization));
        let stands = (at("2011-03-18T09:15:00"), at("2011-03-18T17:15:00"));
        for (now, expected) in [
            ("2011-03-18T13:35:00", &[][..]),
            ("2011-03-18T13:35:01", &[AlarmKind::Overdue]),
            ("2011-03-18T17:15:01", &[AlarmKind::RunOut]),
        ] {
            let alarms = Board::default().alarms(at(now), schedule, &[(list, Some(stands))]);
            let kinds: Vec<_> = alarms.iter().map(|alarm| alarm.kind).collect();
            assert_eq!(kinds, expected, "{now}");
            let named = alarms.iter().all(|alarm| alarm.message.contains("(delta)"));
            assert!(named, "{now}");
        }
    }

    #[test]
    fn a_crl_from_the_future_is_an_alarm_until_its_time_comes() {
        let board = Board::default();
        assert_eq!(kinds(&board, "2011-03-18T09:10:00"), []);
        for now in ["2011-03-18T09:09:59", "2010-01-01T00:00:00"] {
            assert_eq!(kinds(&board, now), [AlarmKind::Ahead], "{now}");
        }
    }

    #[test]
    fn a_refusal_is_an_alarm_at_once_a_failure_only_if_it_stays_and_both_end_with_a_crl() {
        let board = Board::default();
        let (one, now) = (
            CrlList::complete(series(Authority::Organization)),
            "2011-03-18T10:00:00",
        );
        for attempt in 1..=4 {
            board.failed(one, at(now), None, "the issuer is away");
            let expected: &[_] = if attempt > 3 {
                &[AlarmKind::Failing]
            } else {
                &[]
            };
            assert_eq!(kinds(&board, now), expected, "{attempt}");
        }
        board.published(one);
        assert_eq!(kinds(&board, now), []);
        board.failed(one, at(now), Some(Rule::Missing), "an entry is gone");
        assert_eq!(kinds(&board, now), [AlarmKind::Refused]);
        board.published(one);
        assert_eq!(kinds(&board, now), []);
    }
}
