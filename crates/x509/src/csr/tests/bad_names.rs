//! Requests whose names cannot be read, or are not the application's.

use lgpki_domain::Subject;

use super::{super::CertificationRequest, draft::Draft, parse, reasons};
use crate::{
    encode::{nested, sequence, tag, tlv},
    fixture::{P256, every_kind, good_request, names},
    name::{Language, name},
    oid,
    particulars::{HostNames, MailAddress, Particulars},
};

/// A name with one attribute of the string type and bytes given.
fn odd_name(string: u8, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    sequence(&mut out, |out| {
        nested(out, tag::SET, |out| {
            sequence(out, |out| {
                tlv(out, tag::OID, oid::COMMON_NAME);
                tlv(out, string, value);
            });
        });
    });
    out
}

#[test]
fn strings_that_cannot_be_read_are_refused() {
    for (name, string, value, reason) in [
        ("T61String", 0x14, &b"Mayor"[..], "CSR_STRING_TYPE"),
        ("BMPString", 0x1e, &[0x5e, 2], "CSR_STRING_TYPE"),
        ("UniversalString", 0x1c, &[0, 0, 0x5e, 2], "CSR_STRING_TYPE"),
        ("NumericString", 0x12, b"1", "CSR_STRING_TYPE"),
        ("INTEGER", 2, &[1], "CSR_STRING_TYPE"),
        (
            "Shift_JIS as UTF-8",
            0x0c,
            &[0x8e, 0x73, 0x92, 0xb7],
            "CSR_STRING_ENCODING",
        ),
        ("overlong UTF-8", 0x0c, &[0xc0, 0x80], "CSR_STRING_ENCODING"),
        (
            "UTF-8 as PrintableString",
            0x13,
            "市長".as_bytes(),
            "CSR_STRING_ENCODING",
        ),
        ("@ as PrintableString", 0x13, b"a@b", "CSR_STRING_ENCODING"),
        (
            "UTF-8 as IA5String",
            0x16,
            "市長".as_bytes(),
            "CSR_STRING_ENCODING",
        ),
    ] {
        let draft = Draft::p256().with(|d| d.subject = odd_name(string, value));
        assert_eq!(reasons(parse(&draft.build())), [reason], "{name}");
    }
}

#[test]
fn several_attributes_in_one_place_are_refused() {
    let mut subject = Vec::new();
    sequence(&mut subject, |out| {
        nested(out, tag::SET, |out| {
            for _ in 0..2 {
                sequence(out, |out| {
                    tlv(out, tag::OID, oid::COMMON_NAME);
                    tlv(out, tag::PRINTABLE_STRING, b"Mayor");
                });
            }
        });
        nested(out, tag::SET, |_| {});
    });
    let draft = Draft::p256().with(|d| d.subject = subject);
    assert_eq!(
        reasons(parse(&draft.build())),
        ["CSR_SUBJECT_FORM", "CSR_SUBJECT_FORM"]
    );
}

#[test]
fn other_types_of_alternative_names_are_refused() {
    for (name, number, value, reason) in [
        ("IP address", 7, &[192, 0, 2, 1][..], "CSR_SAN_TYPE"),
        ("URI", 6, b"lgpki:login/operator/-", "CSR_SAN_TYPE"),
        ("registered OID", 8, &[0x2a, 3], "CSR_SAN_TYPE"),
        (
            "host in UTF-8",
            2,
            "札幌.lg.jp".as_bytes(),
            "CSR_STRING_ENCODING",
        ),
        (
            "mail with a space",
            1,
            b"a b@c.lg.jp",
            "CSR_STRING_ENCODING",
        ),
    ] {
        let draft = Draft::p256().names(|out| tlv(out, tag::context(number), value));
        assert_eq!(reasons(parse(&draft.build())), [reason], "{name}");
    }
}

fn compared(request: &CertificationRequest, subject: &Subject, kind: &Particulars) -> Vec<String> {
    match request.check_names("issue.csr", subject, kind) {
        Ok(()) => Vec::new(),
        Err(faults) => faults.iter().map(|f| f.reason.to_owned()).collect(),
    }
}

#[test]
fn names_that_are_not_the_applications_are_refused() {
    let (subject, user) = every_kind().remove(1);
    let request = parse(&good_request(&subject, &user, &P256)).unwrap();
    let changed = |change: fn(&mut Subject)| {
        let mut other = subject.clone();
        change(&mut other);
        compared(&request, &other, &user)
    };
    let mismatch = ["CSR_SUBJECT_MISMATCH"];
    let other_en = changed(|s| s.name = names("other-lgacc", "文書取扱主任（利用者）"));
    assert_eq!(other_en, mismatch);
    let other_ja = changed(|s| s.name = names("document-chief-lgacc", "他（利用者）"));
    assert_eq!(other_ja, mismatch);
    let other_body = changed(|s| s.body = names("Otaru City", "小樽市"));
    assert_eq!(other_body, [mismatch[0], mismatch[0]]);
    let no_unit = changed(|s| s.unit = None);
    assert_eq!(
        no_unit,
        ["CSR_SUBJECT_UNEXPECTED", "CSR_SUBJECT_UNEXPECTED"]
    );
    let (without_unit, _) = every_kind().remove(0);
    let request = parse(&good_request(&without_unit, &user, &P256)).unwrap();
    let mut with_unit = without_unit.clone();
    with_unit.unit = subject.unit.clone();
    assert_eq!(
        compared(&request, &with_unit, &user),
        ["CSR_SUBJECT_INCOMPLETE", "CSR_SUBJECT_INCOMPLETE"]
    );
}

#[test]
fn the_message_names_the_attribute_and_both_values() {
    let (subject, user) = every_kind().remove(1);
    let request = parse(&good_request(&subject, &user, &P256)).unwrap();
    let mut other = subject;
    other.name = names("Mistyped-lgacc", "文書取扱主任（利用者）");
    let faults = request.check_names("issue.csr", &other, &user).unwrap_err();
    assert_eq!(
        faults.to_string(),
        "issue.csr: CN of the request's subject is \"document-chief-lgacc\", the application's is \
         \"Mistyped-lgacc\" [CSR_SUBJECT_MISMATCH]"
    );
}

#[test]
fn missing_and_foreign_attributes_are_refused() {
    let (subject, kind) = every_kind().remove(0);
    let request_for = |parts: &[(&'static [u8], &str)]| {
        let mut der = Vec::new();
        name(&mut der, parts, Language::English);
        parse(&Draft::p256().with(|d| d.subject = der).build()).unwrap()
    };
    let full = [
        (oid::COUNTRY, "JP"),
        (oid::ORGANIZATION, "Local Governments"),
        (oid::ORGANIZATIONAL_UNIT, "Sapporo City"),
        (oid::COMMON_NAME, "Mayor"),
    ];
    assert!(compared(&request_for(&full), &subject, &kind).is_empty());
    for i in 0..full.len() {
        let mut parts = full.to_vec();
        parts.remove(i);
        assert_eq!(
            compared(&request_for(&parts), &subject, &kind),
            ["CSR_SUBJECT_INCOMPLETE"]
        );
    }
    assert_eq!(compared(&request_for(&[]), &subject, &kind).len(), 4);
    let mut more = full.to_vec();
    more.push((&[0x55, 4, 7], "Sapporo"));
    assert_eq!(
        compared(&request_for(&more), &subject, &kind),
        ["CSR_SUBJECT_UNEXPECTED"]
    );
}

#[test]
fn alternative_names_that_are_not_the_applications_are_refused() {
    let (subject, web) = every_kind().remove(2);
    let request = parse(&good_request(&subject, &web, &P256)).unwrap();
    let fewer = Particulars::WebServer {
        hosts: HostNames::try_new("h", &["www.city.sapporo.lg.jp".to_owned()]).unwrap(),
    };
    assert_eq!(compared(&request, &subject, &fewer), ["CSR_SAN_MISMATCH"]);
    assert_eq!(
        compared(&request, &subject, &Particulars::CodeSigning),
        ["CSR_SAN_MISMATCH"]
    );

    let (subject, mail) = every_kind().remove(4);
    let request = parse(&good_request(&subject, &mail, &P256)).unwrap();
    let other = Particulars::Mail {
        address: MailAddress::try_new("m", "other@city.sapporo.lg.jp").unwrap(),
    };
    assert_eq!(compared(&request, &subject, &other), ["CSR_SAN_MISMATCH"]);
}
