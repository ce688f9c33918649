//! What the wire may say and what it may not.

use lgpki_domain::{ApplicationId, BodyCode, JstDate, Serial, Timestamp};

use super::*;

fn reasons(faults: &Faults) -> Vec<(String, &'static str)> {
    faults.iter().map(|f| (f.field.clone(), f.reason)).collect()
}

fn round_trip<T: WireEnum + PartialEq + std::fmt::Debug>(expected: usize) {
    let mut faults = Faults::new();
    assert_eq!(T::all().len(), expected);
    for value in T::all() {
        assert_ne!(wire(*value), 0);
        assert_eq!(required::<T>(&mut faults, "x", wire(*value)), Some(*value));
    }
    assert!(faults.is_empty());
}

#[test]
fn every_value_of_every_enum_comes_back() {
    round_trip::<CertificateKind>(CertificateKind::ALL.len());
    round_trip::<Authority>(Authority::ALL.len());
    round_trip::<KeyMedium>(KeyMedium::ALL.len());
    round_trip::<OfficerRole>(OfficerRole::ALL.len());
    round_trip::<RevocationReason>(RevocationReason::ALL.len());
    round_trip::<Sort>(Sort::ALL.len());
}

#[test]
fn revocation_reasons_travel_with_the_numbers_of_rfc_5280() {
    for reason in RevocationReason::ALL {
        assert_eq!(wire(reason), i32::from(reason.code()));
    }
}

#[test]
fn a_missing_and_an_unknown_value_are_different_faults() {
    let mut faults = Faults::new();
    assert_eq!(required::<KeyMedium>(&mut faults, "a", 0), None);
    assert_eq!(required::<KeyMedium>(&mut faults, "b", 99), None);
    assert_eq!(optional::<KeyMedium>(&mut faults, "c", 0), None);
    assert_eq!(optional::<RevocationReason>(&mut faults, "d", 6), None);
    assert_eq!(
        all_of::<KeyMedium>(&mut faults, "e", &[1, 0, 2]),
        [KeyMedium::IcCard, KeyMedium::UsbToken]
    );
    assert_eq!(
        reasons(&faults),
        [
            ("a".to_owned(), FIELD_MISSING),
            ("b".to_owned(), FIELD_UNKNOWN_VALUE),
            ("d".to_owned(), FIELD_UNKNOWN_VALUE),
            ("e[1]".to_owned(), FIELD_MISSING),
        ]
    );
    let message = &faults.iter().next().unwrap().message;
    assert!(message.contains("KEY_MEDIUM_USB_TOKEN"), "{message}");
}

#[test]
fn texts_are_read_or_refused_under_their_field() {
    let mut faults = Faults::new();
    let f = &mut faults;
    assert!(required_text::<BodyCode>(f, "branch", "01001").is_some());
    assert!(optional_text::<Timestamp>(f, "at", "2008-02-04T09:15:00.123+09:00").is_some());
    assert!(optional_text::<JstDate>(f, "day", "").is_none());
    assert!(required_text::<JstDate>(f, "decided_on", "").is_none());
    assert!(required_text::<Serial>(f, "serial", "zz").is_none());
    assert!(all_texts::<ApplicationId>(f, "ids", &["short".to_owned()]).is_empty());
    assert_eq!(
        reasons(&faults),
        [
            ("decided_on".to_owned(), FIELD_MISSING),
            ("serial".to_owned(), FIELD_MALFORMED),
            ("ids[0]".to_owned(), FIELD_MALFORMED),
        ]
    );
}

#[test]
fn a_filter_by_state_reads_what_states_are_written_as() {
    let at = Timestamp::from_seconds(1);
    let mut faults = Faults::new();
    let numbers = [
        state_number(&State::Received { at }),
        0,
        77,
        state_number(&State::Completed { at }),
    ];
    assert_eq!(
        known_states(&mut faults, "states", &numbers),
        [
            v1::ApplicationState::Received,
            v1::ApplicationState::Completed
        ]
    );
    assert_eq!(
        reasons(&faults),
        [
            ("states[1]".to_owned(), FIELD_MISSING),
            ("states[2]".to_owned(), FIELD_UNKNOWN_VALUE),
        ]
    );
}

fn a_subject() -> v1::Subject {
    let names = |en: &str, ja: &str| {
        Some(v1::Names {
            en: en.to_owned(),
            ja: ja.to_owned(),
        })
    };
    v1::Subject {
        body: names("Sapporo", "札幌市"),
        unit: names("General Affairs", "総務部"),
        name: names("Mayor", "市長"),
    }
}

#[test]
fn a_subject_comes_back_as_it_went() {
    let mut faults = Faults::new();
    let wired = a_subject();
    let subject = subject(&mut faults, "issue.subject", Some(&wired)).unwrap();
    assert_eq!(v1::Subject::from(&subject), wired);
    assert!(faults.is_empty());
}

#[test]
fn an_empty_unit_is_no_unit() {
    let mut faults = Faults::new();
    let wired = v1::Subject {
        unit: Some(v1::Names::default()),
        ..a_subject()
    };
    let subject = subject(&mut faults, "issue.subject", Some(&wired)).unwrap();
    assert_eq!(subject.unit, None);
}

#[test]
fn every_fault_of_a_subject_is_named() {
    let mut faults = Faults::new();
    let wired = v1::Subject {
        body: None,
        unit: Some(v1::Names {
            en: "Büro".to_owned(),
            ja: "総務部".to_owned(),
        }),
        name: Some(v1::Names::default()),
    };
    assert!(subject(&mut faults, "issue.subject", Some(&wired)).is_none());
    assert_eq!(
        reasons(&faults),
        [
            ("issue.subject.body".to_owned(), FIELD_MISSING),
            (
                "issue.subject.unit.en".to_owned(),
                "NAME_NOT_PRINTABLE_STRING"
            ),
            ("issue.subject.name.en".to_owned(), "NAME_MISSING"),
            ("issue.subject.name.ja".to_owned(), "NAME_MISSING"),
        ]
    );
}
