//! What the projection answers, whatever order things are told in.

use lgpki_domain::Names;

use super::*;

fn held(n: u8, revoked: bool) -> Held {
    let names = |en: &str, ja: &str| Names::try_new("x", en, ja).unwrap();
    Held {
        serial: Serial::from_bytes(&[0x40 | n; 16]).unwrap(),
        branch: None,
        kind: CertificateKind::OfficialDuty,
        subject: Subject {
            body: names("Body", "団体"),
            unit: None,
            name: names("Mayor", "市長"),
        },
        key_digest: Digest([n; 32]),
        validity: Validity::for_subscriber("2008-02-04".parse().unwrap()),
        revoked_at: revoked.then_some(Timestamp::from_seconds(1)),
        application: None,
        renewal: None,
    }
}

fn now() -> Timestamp {
    "2009-01-01T00:00:00+09:00".parse().unwrap()
}

#[test]
fn a_revoked_certificate_frees_its_subject_but_never_its_key() {
    let standings = Standings::default();
    let key = subject_key(CertificateKind::OfficialDuty, &held(1, false).subject);
    standings.apply(vec![held(1, false)], Progress::default());
    assert_eq!(standings.in_force(key, now()), Some(held(1, false)));
    assert_eq!(
        standings.in_force(key, "2011-02-04T00:00:00+09:00".parse().unwrap()),
        None
    );
    standings.apply(vec![held(1, true)], Progress::default());
    assert_eq!(standings.in_force(key, now()), None);
    assert!(standings.key_was_certified(Digest([1; 32])));
    assert!(standings.revoked_at(held(1, true).serial).is_some());
}

#[test]
fn a_revocation_holds_from_its_answer_on_whatever_the_stream_told_before_it() {
    let standings = Standings::default();
    let key = subject_key(CertificateKind::OfficialDuty, &held(1, false).subject);
    let revoked_at = Timestamp::from_seconds(1);
    // Of one that is not known yet the stream will tell.
    standings.revoke(held(1, false).serial, revoked_at);
    assert!(!standings.is_known(held(1, false).serial));
    standings.apply(vec![held(1, false)], Progress::default());
    standings.revoke(held(1, false).serial, revoked_at);
    assert_eq!(standings.in_force(key, now()), None);
    standings.apply(vec![held(1, false)], Progress::default());
    assert_eq!(
        standings.revoked_at(held(1, false).serial),
        Some(revoked_at)
    );
    assert_eq!(standings.in_force(key, now()), None);
}

#[test]
fn a_subject_whose_new_certificate_is_revoked_still_has_its_old_one() {
    let standings = Standings::default();
    let old = held(1, false);
    let key = subject_key(old.kind, &old.subject);
    let renewed = |revoked| Held {
        validity: Validity::for_subscriber("2008-12-04".parse().unwrap()),
        ..held(2, revoked)
    };
    for order in [[old.clone(), renewed(false)], [renewed(false), old.clone()]] {
        let standings = Standings::default();
        // Told again, as after a break.
        for _ in 0..2 {
            standings.apply(order.to_vec(), Progress::default());
        }
        assert_eq!(standings.in_force(key, now()), Some(renewed(false)));
        standings.apply(vec![renewed(true)], Progress::default());
        assert_eq!(standings.in_force(key, now()), Some(old.clone()));
        standings.apply(vec![held(1, true)], Progress::default());
        assert_eq!(standings.in_force(key, now()), None);
    }
    standings.apply(
        vec![old, renewed(false), held(1, true)],
        Progress::default(),
    );
    assert_eq!(standings.in_force(key, now()), Some(renewed(false)));
}

#[test]
fn what_is_to_be_renewed_follows_each_change_and_leaves_out_what_has_ended() {
    let standings = Standings::default();
    let (now, until) = (now(), "2012-12-31".parse().unwrap());
    let put = |held: Held| standings.apply(vec![held], Progress::default());
    let found = |now, until| {
        let days = standings.to_be_renewed(now, until).into_iter();
        days.map(|(day, counts)| (day.to_string(), counts))
            .collect::<Vec<_>>()
    };
    let on = |day: &str, counts| vec![(day.to_owned(), counts)];
    put(held(1, false));
    assert_eq!(found(now, until), on("2011-02-03", (1, 1)));
    // What nobody applies for is left out, and what is told again is one.
    put(Held {
        kind: CertificateKind::OcspResponder,
        ..held(3, false)
    });
    put(held(1, false));
    put(Held {
        renewal: Some(ApplicationId::from_bytes([1; 16])),
        ..held(1, false)
    });
    assert_eq!(found(now, until), on("2011-02-03", (1, 0)));
    let renewed = Held {
        validity: Validity::for_subscriber("2008-12-04".parse().unwrap()),
        ..held(2, false)
    };
    put(renewed.clone());
    assert_eq!(found(now, until), on("2011-12-03", (1, 1)));
    put(held(1, true));
    assert_eq!(found(now, until), on("2011-12-03", (1, 1)));
    let late = "2011-12-03T23:59:59+09:00".parse::<Timestamp>().unwrap();
    assert_eq!(found(late, until).len(), 1);
    assert_eq!(found(late.plus_seconds(1), until), []);
    assert_eq!(found(now, "2011-12-02".parse().unwrap()), []);
    assert_eq!(found(until.plus_days(1).start(), until), []);
    put(Held {
        revoked_at: Some(now),
        ..renewed
    });
    assert_eq!(found(now, until), []);
}

#[test]
fn what_was_caught_up_once_stays_so_and_positions_never_go_back() {
    let standings = Standings::default();
    let step = |caught_up, issuance_position, next_position| Progress {
        caught_up,
        issuance_position,
        next_position,
    };
    standings.apply(vec![], step(true, 9, 4));
    standings.apply(vec![], step(false, 3, 5));
    assert_eq!(standings.progress(), step(true, 9, 5));
}
