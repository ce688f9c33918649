//! Every reason for a CRL, and the times at which none is due.

use lgpki_domain::{Authority, AuthorityKey, CrlScope};

use super::*;

fn at(text: &str) -> Timestamp {
    format!("{text}+09:00").parse().unwrap()
}

fn made(this_update: &str) -> ListState {
    ListState {
        this_update: Some(at(this_update)),
        recorded_at: Some(at(this_update).plus_millis(300)),
        file_intact: true,
        retry_at: None,
    }
}

fn quiet(this_update: &str) -> SeriesState {
    SeriesState {
        series: CrlSeries {
            key: AuthorityKey::new(Authority::Organization, 1),
            scope: CrlScope::User,
        },
        complete: made(this_update),
        delta: None,
        urgent: false,
        demanded: false,
    }
}

fn planned(now: &str, state: SeriesState) -> (Option<Due>, String) {
    let schedule = Schedule::try_new(9, 15, 48).unwrap();
    let plan = plan(at(now), schedule, &[state]);
    (
        plan.due.first().map(|(_, due)| *due),
        plan.wake_at.to_string()[..19].to_owned(),
    )
}

#[test]
fn the_daily_crl_comes_at_its_hour_and_once() {
    let yesterday = quiet("2011-03-17T09:15:00");
    for (now, due, wake) in [
        ("2011-03-18T09:14:59.999", None, "2011-03-18T09:15:00"),
        (
            "2011-03-18T09:15:00",
            Some(Due::Daily),
            "2011-03-19T09:15:00",
        ),
        (
            "2011-03-18T23:00:00",
            Some(Due::Daily),
            "2011-03-19T09:15:00",
        ),
        ("2011-03-18T00:00:00", None, "2011-03-18T09:15:00"),
    ] {
        assert_eq!(planned(now, yesterday), (due, wake.to_owned()), "{now}");
    }
    let today = quiet("2011-03-18T09:15:00");
    assert_eq!(planned("2011-03-18T09:15:01", today).0, None);
    assert_eq!(planned("2011-03-18T23:59:59", today).0, None);
}

#[test]
fn a_crl_made_before_the_hour_does_not_stand_for_the_daily_one() {
    let state = quiet("2011-03-18T08:00:00");
    assert_eq!(planned("2011-03-18T09:15:00", state).0, Some(Due::Daily));
}

#[test]
fn after_a_pause_the_daily_crl_is_made_up_for_at_once_and_only_once() {
    let old = quiet("2011-03-10T09:15:00");
    assert_eq!(planned("2011-03-18T03:00:00", old).0, Some(Due::Daily));
    let made_up = quiet("2011-03-18T03:00:00");
    assert_eq!(planned("2011-03-18T03:00:05", made_up).0, None);
}

#[test]
fn first_missing_urgent_and_demanded_are_due_at_once() {
    let base = quiet("2011-03-18T09:15:00");
    for (state, due) in [
        (
            SeriesState {
                complete: ListState::default(),
                ..base
            },
            Due::First,
        ),
        (
            SeriesState {
                complete: ListState {
                    file_intact: false,
                    ..base.complete
                },
                ..base
            },
            Due::FileMissing,
        ),
        (
            SeriesState {
                urgent: true,
                ..base
            },
            Due::Urgent,
        ),
        (
            SeriesState {
                demanded: true,
                ..base
            },
            Due::Demanded,
        ),
        (
            SeriesState {
                urgent: true,
                demanded: true,
                ..base
            },
            Due::Urgent,
        ),
    ] {
        assert_eq!(planned("2011-03-18T10:00:00", state).0, Some(due));
    }
}

#[test]
fn what_is_urgent_comes_first_then_what_somebody_waits_for() {
    let series = |scope| CrlSeries {
        scope: CrlScope::Partition(scope),
        ..quiet("2011-03-17T09:15:00").series
    };
    let states = [
        (1, false, false),
        (2, false, true),
        (3, true, false),
        (4, false, false),
    ];
    let states = states.map(|(scope, urgent, demanded)| SeriesState {
        series: series(scope),
        urgent,
        demanded,
        ..quiet("2011-03-17T09:15:00")
    });
    let schedule = Schedule::try_new(9, 15, 48).unwrap();
    let plan = plan(at("2011-03-18T09:15:00"), schedule, &states);
    let order: Vec<_> = plan.due.iter().map(|(list, _)| list.series.scope).collect();
    assert_eq!(order, [3, 2, 1, 4].map(CrlScope::Partition));
}

#[test]
fn no_crl_is_older_than_what_it_lists() {
    let now = at("2011-03-18T10:00:00.900");
    let latest = |text| this_update(now, None, Some(at(text)));
    assert_eq!(latest("2011-03-18T10:00:00.800"), at("2011-03-18T10:00:00"));
    assert_eq!(latest("2011-03-18T10:30:00"), at("2011-03-18T10:30:00"));
}

#[test]
fn two_crls_do_not_share_a_second() {
    let urgent = SeriesState {
        urgent: true,
        ..quiet("2011-03-18T10:00:00")
    };
    assert_eq!(
        planned("2011-03-18T10:00:00.400", urgent),
        (None, "2011-03-18T10:00:01".to_owned())
    );
    assert_eq!(planned("2011-03-18T10:00:01", urgent).0, Some(Due::Urgent));
    let previous = Some(at("2011-03-18T10:00:00"));
    let this = this_update(at("2011-03-18T10:00:01.900"), previous, None);
    assert_eq!(this, at("2011-03-18T10:00:01"));
}

#[test]
fn a_clock_set_back_does_not_hold_an_urgent_crl_up() {
    let urgent = SeriesState {
        urgent: true,
        ..quiet("2011-03-18T11:00:00")
    };
    assert_eq!(planned("2011-03-18T10:00:00", urgent).0, Some(Due::Urgent));
    let this = this_update(at("2011-03-18T10:00:00"), urgent.complete.this_update, None);
    assert_eq!(this, at("2011-03-18T11:00:01"));
}

#[test]
fn a_clock_set_back_after_a_failed_attempt_does_not_hold_the_next_one_up() {
    let failed = SeriesState {
        urgent: true,
        complete: ListState {
            retry_at: Some(at("2011-03-18T10:00:08")),
            ..made("2011-03-17T09:15:00")
        },
        ..quiet("2011-03-17T09:15:00")
    };
    for now in ["2011-03-18T08:00:00", "2011-03-18T09:59:07"] {
        assert_eq!(planned(now, failed).0, Some(Due::Urgent), "{now}");
    }
    assert_eq!(planned("2011-03-18T09:59:08", failed).0, None);
}

#[test]
fn a_failed_attempt_is_repeated_after_a_while_but_for_a_demand_at_once() {
    let failed = SeriesState {
        urgent: true,
        complete: ListState {
            retry_at: Some(at("2011-03-18T10:00:08")),
            ..made("2011-03-18T09:15:00")
        },
        ..quiet("2011-03-18T09:15:00")
    };
    assert_eq!(
        planned("2011-03-18T10:00:00", failed),
        (None, "2011-03-18T10:00:08".to_owned())
    );
    assert_eq!(planned("2011-03-18T10:00:08", failed).0, Some(Due::Urgent));
    let demanded = SeriesState {
        demanded: true,
        ..failed
    };
    assert_eq!(
        planned("2011-03-18T10:00:00", demanded).0,
        Some(Due::Urgent)
    );
}

#[test]
fn a_crl_from_the_future_does_not_starve_the_daily_ones() {
    // Made while the clock was a month ahead, which has been set right since.
    let ahead = quiet("2011-04-18T09:15:00");
    let (due, _) = planned("2011-03-18T10:00:00", ahead);
    assert_eq!(due, Some(Due::Daily));
    // What follows bears a later time still, and was recorded under the right clock.
    let mut followed = quiet("2011-04-18T09:15:01");
    followed.complete.recorded_at = Some(at("2011-03-18T10:00:00"));
    assert_eq!(planned("2011-03-18T10:00:05", followed).0, None);
    assert_eq!(planned("2011-03-19T09:14:59", followed).0, None);
    assert_eq!(planned("2011-03-19T09:15:00", followed).0, Some(Due::Daily));
}

/// What is due of a series whose complete CRL and delta are of these times.
fn with_delta(now: &str, complete: &str, delta: Option<&str>) -> Vec<(bool, Due)> {
    let state = SeriesState {
        delta: Some(delta.map_or_else(ListState::default, made)),
        ..quiet(complete)
    };
    due_of(now, state)
}

fn due_of(now: &str, state: SeriesState) -> Vec<(bool, Due)> {
    let schedule = Schedule::try_new(9, 15, 48).unwrap();
    let plan = plan(at(now), schedule, &[state]);
    plan.due
        .iter()
        .map(|(list, due)| (list.delta, *due))
        .collect()
}

#[test]
fn a_delta_comes_alone_every_four_hours_and_with_the_daily_crl() {
    let morning = "2011-03-18T09:15:00";
    for (now, delta, due) in [
        ("2011-03-18T13:14:59", morning, None),
        ("2011-03-18T13:15:00", morning, Some((true, Due::Delta))),
        ("2011-03-18T16:00:00", "2011-03-18T13:15:00", None),
        // Several were missed: one makes up for them.
        (
            "2011-03-19T03:00:00",
            "2011-03-18T13:15:00",
            Some((true, Due::Delta)),
        ),
        ("2011-03-19T03:00:05", "2011-03-19T03:00:00", None),
        (
            "2011-03-19T09:15:00",
            "2011-03-19T05:15:00",
            Some((false, Due::Daily)),
        ),
    ] {
        let found = with_delta(now, morning, Some(delta));
        assert_eq!(found, Vec::from_iter(due), "{now}");
    }
    let schedule = Schedule::try_new(9, 15, 48).unwrap();
    let state = SeriesState {
        delta: Some(made(morning)),
        ..quiet(morning)
    };
    let wake = plan(at("2011-03-18T10:00:00"), schedule, &[state]).wake_at;
    assert_eq!(wake, at("2011-03-18T13:15:00"));
}

#[test]
fn a_delta_that_did_not_come_with_its_complete_crl_is_made_up_for() {
    let behind = [(true, Due::DeltaBehind)];
    let morning = "2011-03-18T09:15:00";
    let later = "2011-03-18T09:15:01";
    assert_eq!(with_delta(later, morning, None), behind);
    assert_eq!(
        with_delta(later, morning, Some("2011-03-18T05:15:00")),
        behind
    );
    // Not within the second of the complete one.
    assert_eq!(with_delta(morning, morning, None), []);
    let mut lost = SeriesState {
        delta: Some(made(morning)),
        ..quiet(morning)
    };
    lost.delta.as_mut().unwrap().file_intact = false;
    assert_eq!(due_of(later, lost), [(true, Due::FileMissing)]);
    // Without a complete CRL there is nothing to add to.
    let first = SeriesState {
        complete: ListState::default(),
        ..lost
    };
    assert_eq!(due_of(later, first), [(false, Due::First)]);
}

#[test]
fn a_complete_crl_that_waits_after_a_failure_does_not_hold_the_delta_up() {
    let mut state = SeriesState {
        urgent: true,
        delta: Some(made("2011-03-18T09:15:00")),
        ..quiet("2011-03-18T09:15:00")
    };
    state.complete.retry_at = Some(at("2011-03-18T13:15:08"));
    assert_eq!(due_of("2011-03-18T13:15:00", state), [(true, Due::Delta)]);
    assert_eq!(due_of("2011-03-18T13:15:08", state), [(false, Due::Urgent)]);
}
