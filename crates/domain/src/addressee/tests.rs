//! The rules for addressees.

use super::*;

fn day(text: &str) -> JstDate {
    text.parse().unwrap()
}

fn names(en: &str, ja: &str) -> Names {
    Names::try_new("names", en, ja).unwrap()
}

#[test]
fn a_number_reads_back_what_it_prints_and_has_one_spelling() {
    let body: BodyCode = "01001".parse().unwrap();
    for (number, text) in [(1, "01001-0001"), (12_345, "01001-12345")] {
        let id = AddresseeId::try_new(body, number).unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(text.parse(), Ok(id));
        assert_eq!((id.body(), id.number()), (body, number));
    }
    assert_eq!(AddresseeId::try_new(body, 0), None);
    assert_eq!(AddresseeId::try_new(body, AddresseeId::LAST + 1), None);
    for text in [
        "",
        "01001",
        "01001-",
        "01001-0000",
        "01001-1",
        "01001-00001",
        "01001-+001",
        "1001-0001",
        "48001-0001",
        "01001-1000000",
        "01001-0001 ",
    ] {
        assert!(text.parse::<AddresseeId>().is_err(), "{text}");
    }
}

#[test]
fn entries_of_a_body_stand_together_in_the_order_of_their_numbers() {
    let mut ids: Vec<AddresseeId> = ["02001-0001", "01001-12345", "01001-0002", "01002-0001"]
        .map(|text| text.parse().unwrap())
        .to_vec();
    ids.sort_unstable();
    let sorted: Vec<_> = ids.iter().map(ToString::to_string).collect();
    assert_eq!(
        sorted,
        ["01001-0002", "01001-12345", "01002-0001", "02001-0001"]
    );
}

#[test]
fn an_address_is_plain_labels_joined_by_dots() {
    let long = format!("a.{}", "b".repeat(62));
    for good in ["soumu.city-001", "a.b", "1.2.3", long.as_str()] {
        let address = DocumentAddress::try_new("f", good).unwrap();
        assert_eq!(address.to_string().parse(), Ok(address));
    }
    let longer = format!("a.{}", "b".repeat(63));
    for bad in [
        "soumu",
        "Soumu.city",
        "soumu..city",
        ".soumu.city",
        "soumu.city.",
        "soumu city.a",
        "総務.city",
        "-a.b",
        "a@b.c",
        longer.as_str(),
    ] {
        let fault = DocumentAddress::try_new("content.document_address", bad).unwrap_err();
        assert_eq!(fault.reason, "DOCUMENT_ADDRESS_MALFORMED", "{bad}");
        assert_eq!(fault.field, "content.document_address");
    }
    let fault = DocumentAddress::try_new("f", "").unwrap_err();
    assert_eq!(fault.reason, "DOCUMENT_ADDRESS_MISSING");
}

#[test]
fn an_entry_holds_from_today_or_a_day_not_too_far_away() {
    let today = day("2009-02-10");
    let check = |text| check_valid_since("f", day(text), today, 366).map_err(|f| f.reason);
    assert_eq!(check("2009-02-10"), Ok(()));
    assert_eq!(check("2010-02-11"), Ok(()));
    assert_eq!(check("2009-02-09"), Err("VALID_SINCE_PAST"));
    assert_eq!(check("2010-02-12"), Err("VALID_SINCE_TOO_FAR"));
}

#[test]
fn a_version_is_announced_until_its_day_and_ended_whatever_the_day() {
    let today = day("2009-02-10");
    let on = |since, ended| Standing::on(today, day(since), ended);
    assert_eq!(on("2009-02-11", false), Standing::Announced);
    assert_eq!(on("2009-02-10", false), Standing::InForce);
    assert_eq!(on("2009-02-11", true), Standing::Ended);
}

#[test]
fn a_unit_must_be_registered_and_equal_in_both_languages() {
    let registered = Organization {
        body: "01001".parse().unwrap(),
        names: names("General Affairs", "総務部"),
    };
    let check = |unit: Option<&Organization>, en, ja| {
        let faults = check_unit("content.unit", unit, &names(en, ja));
        let found = faults.into_iter().map(|f| (f.field, f.reason));
        found.collect::<Vec<_>>()
    };
    let differs = |language: &str| {
        let field = format!("content.unit.{language}");
        (field, "ORGANIZATION_NAME_DIFFERS")
    };
    assert_eq!(check(Some(&registered), "General Affairs", "総務部"), []);
    assert_eq!(
        check(Some(&registered), "General Affairs", "総務課"),
        [differs("ja")]
    );
    assert_eq!(
        check(Some(&registered), "Planning", "企画部"),
        [differs("en"), differs("ja")]
    );
    let missing = ("content.unit".to_owned(), "ORGANIZATION_NOT_REGISTERED");
    assert_eq!(check(None, "General Affairs", "総務部"), [missing]);
}

#[test]
fn a_reason_and_a_contact_person_are_short_texts() {
    for (text, reason) in [
        ("", "REASON_MISSING"),
        (" ", "REASON_MISSING"),
        ("a\nb", "REASON_MALFORMED"),
    ] {
        assert_eq!(check_end_reason("reason", text).unwrap_err().reason, reason);
    }
    assert!(check_end_reason("reason", &"終".repeat(200)).is_ok());
    assert!(check_end_reason("reason", &"終".repeat(201)).is_err());
    assert!(check_contact_person("f", "模擬花子").is_ok());
    for name in ["", "　", "a\tb", &"花".repeat(65)] {
        let fault = check_contact_person("f", name).unwrap_err();
        assert_eq!(fault.reason, "CONTACT_PERSON_MALFORMED");
        assert!(name.is_empty() || !fault.message.contains(name), "{fault}");
    }
}
