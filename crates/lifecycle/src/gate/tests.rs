//! One planted fault for every rule of the gate, beside a list that passes.

use lgpki_domain::{Authority, AuthorityKey, CrlScope, RevocationReason};
use lgpki_x509::{
    crl::{self, CrlEntry, CrlHeader, RevocationList},
    signed,
};

use super::*;
use crate::testing::{FakeIssuer, at, serial};

const HOURS_48: i64 = 172_800;
const SERIES: CrlSeries = CrlSeries {
    key: AuthorityKey::new(Authority::Application, 1),
    scope: CrlScope::User,
};

fn header() -> CrlHeader {
    let this_update = at("2011-03-18T09:15:00");
    CrlHeader {
        scope: CrlScope::User,
        base: None,
        number: CrlNumber(8),
        this_update,
        next_update: this_update.plus_seconds(HOURS_48),
    }
}

fn list(key: &CaKey, header: CrlHeader, serials: &[u32]) -> Contents {
    let entries = serials.iter().map(|n| CrlEntry {
        serial: serial(*n),
        revoked_at: at("2011-03-01T10:00:00"),
        reason: RevocationReason::Superseded,
    });
    let tbs = crl::write(key, &header, entries).unwrap();
    let der = signed::assemble(tbs, key.signature_algorithm(), &[]);
    RevocationList::from_der(der).unwrap().contents().clone()
}

/// The rule that a list breaks after one of yesterday that listed 1 to 4, of which 2 has expired on
/// the day before and 3 just before it was issued; one entry was recorded since.
fn broken(header: CrlHeader, serials: &[u32]) -> Option<Rule> {
    broken_at(self::header().this_update, None, header, serials)
}

/// The same by another clock, or with a record of a newer list.
fn broken_at(
    now: Timestamp,
    newest: Option<Timestamp>,
    header: CrlHeader,
    serials: &[u32],
) -> Option<Rule> {
    let issuer = FakeIssuer::new();
    let key = issuer.ca(Authority::Application);
    let yesterday = CrlHeader {
        number: CrlNumber(7),
        this_update: at("2011-03-17T09:15:00"),
        next_update: at("2011-03-19T09:15:00"),
        ..self::header()
    };
    let previous = list(key, yesterday, &[1, 2, 3, 4]);
    let next = list(key, header, serials);
    let expiry = |one: Serial| match one {
        one if one == serial(2) => Some(at("2011-03-16T23:59:59")),
        one if one == serial(3) => Some(at("2011-03-17T09:15:00")),
        one if one == serial(4) => Some(at("2012-01-01T23:59:59")),
        _ => None,
    };
    let gone: Vec<_> = gone(&previous, &next)
        .into_iter()
        .map(|one| (one, expiry(one)))
        .collect();
    let before = Before {
        number: Some(CrlNumber(7)),
        this_update: Some(yesterday.this_update),
        newest,
        list: Some(&previous),
        recorded: Some(1),
    };
    let terms = Terms {
        key,
        series: SERIES,
        validity_seconds: HOURS_48,
        now,
    };
    judge(terms, &before, &next, &gone)
        .err()
        .map(|refusal| refusal.rule)
}

#[test]
fn a_list_that_follows_passes() {
    for serials in [
        &[1, 2, 3, 4][..],
        &[1, 3, 4],
        &[1, 2, 3, 4, 5],
        &[0, 1, 3, 4],
    ] {
        assert_eq!(broken(header(), serials), None, "{serials:?}");
    }
}

#[test]
fn a_missing_entry_is_refused_unless_it_stood_on_a_list_past_its_expiry() {
    // Not expired; expired, but not before the last list; never heard of.
    for serials in [&[1, 3][..], &[1, 4], &[2, 3, 4], &[]] {
        assert_eq!(
            broken(header(), serials),
            Some(Rule::Missing),
            "{serials:?}"
        );
    }
}

#[test]
fn what_expired_by_a_clock_that_was_ahead_but_not_by_that_of_now_is_missed() {
    let without_the_second = &[1, 3, 4][..];
    let now = at("2011-03-16T23:59:59");
    let broken = |now| broken_at(now, None, header(), without_the_second);
    assert_eq!(broken(now), Some(Rule::Missing));
    assert_eq!(broken(now.plus_seconds(1)), None);
}

#[test]
fn what_left_since_a_list_that_was_restored_from_a_copy_is_not_missed() {
    let now = header().this_update;
    let broken = |newest, serials| broken_at(now, Some(newest), header(), serials);
    let newest = at("2011-03-17T09:15:01");
    assert_eq!(broken(newest, &[1, 4][..]), None);
    assert_eq!(broken(newest, &[1, 3]), Some(Rule::Missing));
    let older = at("2011-03-16T09:15:00");
    assert_eq!(broken(older, &[1, 4]), Some(Rule::Missing));
}

#[test]
fn a_number_that_does_not_rise_is_refused() {
    for number in [7, 6, 0] {
        let planted = CrlHeader {
            number: CrlNumber(number),
            ..header()
        };
        assert_eq!(broken(planted, &[1, 2, 3, 4]), Some(Rule::Number));
    }
}

#[test]
fn a_time_that_does_not_go_forward_is_refused() {
    for text in [
        "2011-03-17T09:15:00",
        "2011-03-17T09:14:59",
        "2010-01-01T00:00:00",
    ] {
        let planted = CrlHeader {
            this_update: at(text),
            next_update: at(text).plus_seconds(HOURS_48),
            ..header()
        };
        assert_eq!(
            broken(planted, &[1, 2, 3, 4]),
            Some(Rule::ThisUpdate),
            "{text}"
        );
    }
}

#[test]
fn a_next_update_that_is_not_the_schedule_s_is_refused() {
    for seconds in [HOURS_48 - 1, HOURS_48 + 1, 60, HOURS_48 * 30] {
        let planted = CrlHeader {
            next_update: header().this_update.plus_seconds(seconds),
            ..header()
        };
        assert_eq!(broken(planted, &[1, 2, 3, 4]), Some(Rule::NextUpdate));
    }
}

#[test]
fn a_list_that_grew_by_more_than_was_recorded_is_refused() {
    assert_eq!(broken(header(), &[1, 2, 3, 4, 5, 6]), Some(Rule::Size));
}

#[test]
fn the_list_of_another_scope_is_refused() {
    let planted = CrlHeader {
        scope: CrlScope::CaCertificates,
        ..header()
    };
    assert_eq!(broken(planted, &[1, 2, 3, 4]), Some(Rule::Scope));
}

#[test]
fn what_is_gone_is_found_wherever_it_stood() {
    let issuer = FakeIssuer::new();
    let key = issuer.ca(Authority::Application);
    for (before, after, missing) in [
        (&[1, 2, 3][..], &[1, 2, 3][..], &[][..]),
        (&[1, 2, 3], &[2, 4], &[1, 3]),
        (&[1], &[], &[1]),
        (&[], &[1, 2], &[]),
        (&[5, 6], &[1, 2, 6, 7], &[5]),
    ] {
        let found = gone(&list(key, header(), before), &list(key, header(), after));
        let missing: Vec<_> = missing.iter().map(|n| serial(*n)).collect();
        assert_eq!(found, missing, "{before:?} {after:?}");
    }
}
