//! One planted fault for every rule about deltas, beside deltas that pass.

use lgpki_domain::{Authority, AuthorityKey, CrlScope, CrlSeries, RevocationReason};
use lgpki_x509::{
    Issuer as CaKey,
    crl::{self, CrlEntry, CrlHeader},
    signed,
};

use super::*;
use crate::testing::{FakeIssuer, at, serial};
use lgpki_domain::CrlOptions;

const HOURS_8: i64 = 8 * 3600;
const SERIES: CrlSeries = CrlSeries {
    key: AuthorityKey::new(Authority::Application, 1),
    scope: CrlScope::User,
};
const BASE: &str = "2011-03-17T09:15:00";
const COMPLETE: &str = "2011-03-18T09:15:00";

fn publishing() -> FakeIssuer {
    FakeIssuer::publishing(CrlOptions {
        partitions: 0,
        delta: true,
    })
}

/// Delta 9, issued alone at 13:15.
fn header() -> CrlHeader {
    let this_update = at("2011-03-18T13:15:00");
    CrlHeader {
        scope: CrlScope::User,
        base: Some(CrlNumber(5)),
        number: CrlNumber(9),
        this_update,
        next_update: this_update.plus_seconds(HOURS_8),
    }
}

/// Each was revoked on the given time.
fn list(key: &CaKey, header: CrlHeader, revoked: &[(u32, &str)]) -> RevocationList {
    let entries = revoked.iter().map(|(n, when)| CrlEntry {
        serial: serial(*n),
        revoked_at: at(when),
        reason: RevocationReason::Superseded,
    });
    let tbs = crl::write(key, &header, entries).unwrap();
    let der = signed::assemble(tbs, key.signature_algorithm(), &[]);
    RevocationList::from_der(der).unwrap()
}

/// The scene: base 5 of yesterday, complete list 8 of this morning that lists 1 (before the base), 2
/// and 3 (since), delta 8 beside it with base 4 that lists 1, 2 and 3; four revocations since the
/// base. 2 expired before list 8 was issued, the others live on.
struct Scene {
    base: Base,
    complete: CrlSummary,
    recorded: u64,
    now: Timestamp,
}

impl Scene {
    fn new() -> Self {
        Self {
            base: Base {
                number: CrlNumber(5),
                this_update: at(BASE),
                until: at("2011-03-19T09:15:00"),
                reflects: 0,
            },
            complete: CrlSummary {
                base: None,
                number: CrlNumber(8),
                this_update: at(COMPLETE),
                next_update: at("2011-03-20T09:15:00"),
                entries: 3,
            },
            recorded: 4,
            now: at("2011-03-18T13:15:00"),
        }
    }

    fn broken(self, header: CrlHeader, revoked: &[(u32, &str)]) -> Option<Rule> {
        let issuer = publishing();
        let key = issuer.ca(Authority::Application);
        let complete = CrlHeader {
            base: None,
            number: CrlNumber(8),
            this_update: at(COMPLETE),
            ..self::header()
        };
        let complete = list(key, complete, &[ONE, TWO, THREE]);
        let previous = CrlHeader {
            base: Some(CrlNumber(4)),
            number: CrlNumber(8),
            this_update: at(COMPLETE),
            ..self::header()
        };
        let before = DeltaBefore {
            complete: Some(self.complete),
            revoked_since: revoked_since(&complete, self.base.this_update),
            previous: Some(list(key, previous, &[ONE, TWO, THREE])),
            newest: Some((CrlNumber(8), at(COMPLETE))),
            base: Some(self.base),
            recorded: self.recorded,
        };
        judged(key, &before, &list(key, header, revoked), self.now)
    }
}

fn judged(
    key: &CaKey,
    before: &DeltaBefore<RevocationList>,
    next: &RevocationList,
    now: Timestamp,
) -> Option<Rule> {
    let expiry = |one: Serial| {
        let end = if one == serial(2) {
            BASE
        } else {
            "2012-01-01T23:59:59"
        };
        (one, Some(at(end)))
    };
    let missing: Vec<_> = missing(before, next.contents())
        .into_iter()
        .map(expiry)
        .collect();
    let terms = Terms {
        key,
        series: SERIES,
        validity_seconds: HOURS_8,
        now,
    };
    judge_delta(terms, before, next.contents(), &missing)
        .err()
        .map(|refusal| refusal.rule)
}

const ONE: (u32, &str) = (1, "2011-03-16T10:00:00");
const TWO: (u32, &str) = (2, "2011-03-17T10:00:00");
const THREE: (u32, &str) = (3, "2011-03-17T11:00:00");
const FOUR: (u32, &str) = (4, "2011-03-18T12:00:00");

#[test]
fn a_delta_that_follows_passes() {
    for revoked in [
        &[TWO, THREE][..],
        &[TWO, THREE, FOUR],
        // It expired and stood on the complete list issued after that.
        &[THREE, FOUR],
        // More than the base asks for.
        &[ONE, TWO, THREE, FOUR],
    ] {
        assert_eq!(Scene::new().broken(header(), revoked), None, "{revoked:?}");
    }
}

#[test]
fn what_expired_by_a_clock_that_was_ahead_but_not_by_that_of_now_is_missed() {
    let ahead = Scene {
        now: at(BASE),
        ..Scene::new()
    };
    assert_eq!(ahead.broken(header(), &[THREE, FOUR]), Some(Rule::Missing));
}

#[test]
fn what_was_revoked_since_the_base_may_not_be_missing() {
    for revoked in [&[][..], &[TWO], &[TWO, FOUR], &[ONE, FOUR]] {
        let broken = Scene::new().broken(header(), revoked);
        assert_eq!(broken, Some(Rule::Missing), "{revoked:?}");
    }
}

#[test]
fn what_stood_on_the_delta_before_stays_while_the_base_is_the_same() {
    let mut scene = Scene::new();
    scene.base.number = CrlNumber(4);
    let planted = CrlHeader {
        base: Some(CrlNumber(4)),
        ..header()
    };
    let broken = scene.broken(planted, &[TWO, THREE, FOUR]);
    assert_eq!(broken, Some(Rule::Missing));
}

#[test]
fn a_base_that_was_not_chosen_or_that_is_newer_than_the_complete_list_is_refused() {
    let all = [TWO, THREE, FOUR];
    for base in [None, Some(CrlNumber(4)), Some(CrlNumber(6))] {
        let planted = CrlHeader { base, ..header() };
        let broken = Scene::new().broken(planted, &all);
        assert_eq!(broken, Some(Rule::Base), "{base:?}");
    }
    let mut scene = Scene::new();
    scene.base.number = CrlNumber(9);
    let planted = CrlHeader {
        base: Some(CrlNumber(9)),
        ..header()
    };
    assert_eq!(scene.broken(planted, &all), Some(Rule::Base));
    let issuer = publishing();
    let key = issuer.ca(Authority::Application);
    let next = list(key, header(), &all);
    for (complete, base) in [
        (None, Some(Scene::new().base)),
        (Some(Scene::new().complete), None),
    ] {
        let before = DeltaBefore {
            complete,
            revoked_since: Vec::new(),
            previous: None,
            newest: None,
            base,
            recorded: 9,
        };
        assert_eq!(judged(key, &before, &next, at(COMPLETE)), Some(Rule::Base));
    }
}

#[test]
fn a_number_that_does_not_rise_or_comes_before_the_complete_list_is_refused() {
    for number in [8, 7, 5] {
        let planted = CrlHeader {
            number: CrlNumber(number),
            this_update: at(COMPLETE),
            next_update: at(COMPLETE).plus_seconds(HOURS_8),
            ..header()
        };
        let broken = Scene::new().broken(planted, &[TWO, THREE, FOUR]);
        assert_eq!(broken, Some(Rule::Number), "{number}");
    }
}

#[test]
fn number_and_time_of_the_complete_list_go_together() {
    for (number, this_update) in [(9, COMPLETE), (9, BASE), (8, "2011-03-18T13:15:00")] {
        let planted = CrlHeader {
            number: CrlNumber(number),
            this_update: at(this_update),
            next_update: at(this_update).plus_seconds(HOURS_8),
            ..header()
        };
        let broken = Scene::new().broken(planted, &[TWO, THREE, FOUR]);
        assert_eq!(broken, Some(Rule::ThisUpdate), "{number} {this_update}");
    }
}

#[test]
fn a_next_update_that_is_not_the_schedule_s_is_refused() {
    for seconds in [HOURS_8 - 1, HOURS_8 + 1, 48 * 3600] {
        let planted = CrlHeader {
            next_update: header().this_update.plus_seconds(seconds),
            ..header()
        };
        let broken = Scene::new().broken(planted, &[TWO, THREE, FOUR]);
        assert_eq!(broken, Some(Rule::NextUpdate));
    }
}

#[test]
fn a_delta_with_more_than_was_revoked_since_the_base_is_refused() {
    let more = [ONE, TWO, THREE, FOUR, (5, "2011-03-18T12:00:00")];
    assert_eq!(Scene::new().broken(header(), &more), Some(Rule::Size));
    let mut scene = Scene::new();
    scene.recorded = 2;
    let broken = scene.broken(header(), &[TWO, THREE, FOUR]);
    assert_eq!(broken, Some(Rule::Size));
}

#[test]
fn the_delta_of_another_scope_is_refused() {
    let planted = CrlHeader {
        scope: CrlScope::CaCertificates,
        ..header()
    };
    let broken = Scene::new().broken(planted, &[TWO, THREE, FOUR]);
    assert_eq!(broken, Some(Rule::Scope));
}
