//! What a human must look at about a CA's key: how long the CA can still issue, and whether the key's
//! OCSP responder answers.

use lgpki_domain::Timestamp;

use super::{Alarm, AlarmKind, TOLERATED};
use crate::{crl, ports::IssuerInfo};

/// How many months before the last day on which a CA can issue it is an alarm.
const WARNING_MONTHS: i32 = 12;

/// For how long a responder may be without its certificate, in seconds: the issuer may just be
/// restarting.
const GRACE: i64 = 300;

/// For how long it is told that requests were turned away, in seconds.
const REMEMBERED: i64 = 300;

/// How the OCSP responder of a CA's key fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Responder {
    /// Since when this process answers, or should.
    pub(crate) since: Timestamp,
    /// Until when its certificate stands, if it has one in force.
    pub(crate) until: Option<Timestamp>,
    /// The attempts in a row that brought no new certificate.
    pub(crate) failing: Option<Failing>,
    /// When a request was turned away last because there were too many.
    pub(crate) turned_away: Option<Timestamp>,
}

/// Attempts in a row that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failing {
    /// Since when.
    pub(crate) since: Timestamp,
    /// How many.
    pub(crate) attempts: u32,
    /// Why the last one did.
    pub(crate) why: String,
}

/// The alarms about one of the keys `infos`; none about a key that has ended.
pub(crate) fn alarms(
    info: &IssuerInfo,
    infos: &[IssuerInfo],
    responder: &Responder,
    now: Timestamp,
) -> Vec<Alarm> {
    if crl::has_ended(info, now) {
        return Vec::new();
    }
    let key = info.key().to_string();
    [
        issuing_ends(info, infos, now),
        certificate(&key, responder, now),
        overload(&key, responder, now),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Told of the newest key of its CA, once, for the keys of a CA that issue.
fn issuing_ends(info: &IssuerInfo, infos: &[IssuerInfo], now: Timestamp) -> Option<Alarm> {
    let authority = info.authority;
    let own = || infos.iter().filter(|one| one.authority == authority);
    if own().any(|one| one.generation > info.generation) {
        return None;
    }
    let issuing = own().filter(|one| !one.unlinked);
    let last = issuing
        .filter_map(|one| crl::ca_key(one).ok()?.validity().last_issuing_day())
        .max()?;
    let since = last.plus_months(-WARNING_MONTHS).plus_days(1).start();
    let ends = if last.last_second() < now {
        format!("since {last} the {authority} CA issues nothing: its certificates would outlive it")
    } else {
        format!("after {last} the {authority} CA issues no more")
    };
    (now >= since).then(|| Alarm {
        kind: AlarmKind::IssuingEnds,
        list: None,
        since,
        message: format!(
            "{ends}; stop the issuer and make the next key with: lgpki ceremony rollover --authority \
             {authority}"
        ),
    })
}

fn certificate(key: &str, responder: &Responder, now: Timestamp) -> Option<Alarm> {
    let stands = |since: Timestamp| now >= since.plus_seconds(GRACE);
    let failing = responder.failing.as_ref();
    let failing = failing.filter(|it| it.attempts > TOLERATED && stands(it.since));
    let why = failing.map_or_else(String::new, |it| {
        format!(" ({} attempts failed: {})", it.attempts, it.why)
    });
    let (kind, since, message) = match (responder.until, failing) {
        (Some(_), None) => return None,
        (Some(until), Some(failing)) => (
            AlarmKind::NotRenewed,
            failing.since,
            format!(
                "the OCSP responder of {key} could not be certified anew{why}; from {until} on it \
                 answers nothing but tryLater; see that the issuer runs"
            ),
        ),
        (None, _) if failing.is_none() && !stands(responder.since) => return None,
        (None, failing) => (
            AlarmKind::NotAnswering,
            failing.map_or(responder.since, |it| it.since),
            format!(
                "the OCSP responder of {key} has no certificate in force and answers tryLater{why}; see \
                 that the issuer runs and that both clocks are right"
            ),
        ),
    };
    Some(Alarm {
        kind,
        list: None,
        since,
        message,
    })
}

fn overload(key: &str, responder: &Responder, now: Timestamp) -> Option<Alarm> {
    let last = responder.turned_away?;
    (now <= last.plus_seconds(REMEMBERED)).then(|| Alarm {
        kind: AlarmKind::Overloaded,
        list: None,
        since: last,
        message: format!(
            "the OCSP responder of {key} answered tryLater, last at {last}, because more was asked than \
             it may sign in a second; if the load is meant, raise signatures_per_second in [lifecycle] ocsp"
        ),
    })
}

#[cfg(test)]
mod tests {
    use lgpki_domain::{Authority, CrlOptions};

    use super::*;
    use crate::{
        ports::Issuer as _,
        testing::{FakeIssuer, at},
    };

    fn in_force() -> Responder {
        Responder {
            since: at("2008-02-04T12:00:00"),
            until: Some(at("2008-03-04T23:59:59")),
            failing: None,
            turned_away: None,
        }
    }

    fn failing(attempts: u32, since: &str) -> Failing {
        Failing {
            since: at(since),
            attempts,
            why: "the issuer is away".to_owned(),
        }
    }

    async fn infos() -> Vec<IssuerInfo> {
        FakeIssuer::new().issuers().await.unwrap()
    }

    async fn kinds(responder: Responder, now: &str) -> Vec<AlarmKind> {
        let infos = infos().await;
        let alarms = alarms(&infos[0], &infos, &responder, at(now));
        alarms.into_iter().map(|alarm| alarm.kind).collect()
    }

    #[tokio::test]
    async fn a_ca_is_told_of_for_a_year_before_it_issues_no_more_and_from_then_on() {
        // Both CAs end on 2018-02-03; what they issue after 2015-02-04 would outlive them.
        for (now, expected) in [
            ("2014-02-04T23:59:59", None),
            ("2014-02-05T00:00:00", Some("after 2015-02-04")),
            ("2015-02-04T23:59:58", Some("after 2015-02-04")),
            ("2015-02-05T00:00:00", Some("since 2015-02-04")),
            ("2018-02-04T00:00:00", None),
        ] {
            let infos = infos().await;
            let told = alarms(&infos[0], &infos, &in_force(), at(now));
            assert_eq!(
                told.len(),
                usize::from(expected.is_some()),
                "{now} {told:?}"
            );
            if let Some(words) = expected {
                assert_eq!(told[0].kind, AlarmKind::IssuingEnds);
                assert!(told[0].message.contains(words), "{now} {told:?}");
            }
        }
    }

    #[tokio::test]
    async fn the_next_key_ends_the_alarm_once_it_is_linked() {
        let mut infos = infos().await;
        infos.retain(|info| info.authority == Authority::Organization);
        let mut next = infos[0].clone();
        next.generation = 2;
        next.unlinked = true;
        infos.push(next);
        let told = |infos: &[IssuerInfo]| {
            let now = at("2014-06-01T00:00:00");
            let told = infos
                .iter()
                .flat_map(|info| alarms(info, infos, &in_force(), now));
            told.count()
        };
        assert_eq!(
            told(&infos),
            1,
            "of two keys that end together, one is told"
        );
        infos[1].certificate = lengthened().await;
        assert_eq!(told(&infos), 1, "the new key is not linked");
        infos[1].unlinked = false;
        assert_eq!(told(&infos), 0);
    }

    /// A certificate of the Organization CA that stands longer.
    async fn lengthened() -> std::sync::Arc<[u8]> {
        let issuer = FakeIssuer::opened_on("2013-02-04", CrlOptions::default());
        issuer.issuers().await.unwrap()[0].certificate.clone()
    }

    #[tokio::test]
    async fn a_responder_may_be_without_a_certificate_for_five_minutes() {
        let without = Responder {
            until: None,
            ..in_force()
        };
        assert_eq!(kinds(without.clone(), "2008-02-04T12:04:59").await, []);
        let told = [AlarmKind::NotAnswering];
        assert_eq!(kinds(without, "2008-02-04T12:05:00").await, told);
    }

    #[tokio::test]
    async fn attempts_that_keep_failing_are_an_alarm_while_it_still_answers_and_afterwards() {
        let since = "2008-02-19T00:00:00";
        for (attempts, now, expected) in [
            (3, "2008-02-19T01:00:00", &[][..]),
            (4, "2008-02-19T00:04:59", &[]),
            (4, "2008-02-19T00:05:00", &[AlarmKind::NotRenewed]),
        ] {
            let responder = Responder {
                failing: Some(failing(attempts, since)),
                ..in_force()
            };
            assert_eq!(kinds(responder, now).await, expected, "{attempts} {now}");
        }
        let ended = Responder {
            until: None,
            failing: Some(failing(9, since)),
            ..in_force()
        };
        let told = [AlarmKind::NotAnswering];
        assert_eq!(kinds(ended, "2008-03-06T00:00:00").await, told);
    }

    #[tokio::test]
    async fn requests_turned_away_are_told_for_five_minutes() {
        let responder = Responder {
            turned_away: Some(at("2008-02-05T12:00:00")),
            ..in_force()
        };
        let told = [AlarmKind::Overloaded];
        assert_eq!(kinds(responder.clone(), "2008-02-05T12:05:00").await, told);
        assert_eq!(kinds(responder, "2008-02-05T12:05:01").await, []);
    }
}
