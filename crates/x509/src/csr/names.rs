//! Comparing a request's names with the application's.
//!
//! Values count, string types and the order of different attributes do not; the certificate is
//! built from the application's names either way.

use lgpki_domain::{Faults, Subject};

use super::CertificationRequest;
use crate::{
    attribute::{Attribute, label},
    name::{Language, Part, subject_parts},
    oid,
    particulars::Particulars,
};

pub(super) fn check(
    request: &CertificationRequest,
    field: &str,
    subject: &Subject,
    particulars: &Particulars,
) -> Result<(), Faults> {
    let mut faults = Faults::new();
    let english = subject_parts(subject, Language::English);
    compare(field, "subject", &request.subject, &english, &mut faults);
    let japanese = subject_parts(subject, Language::Japanese);
    for found in &request.names.directory_names {
        compare(field, "Japanese name", found, &japanese, &mut faults);
    }
    compare_list(
        field,
        "host names",
        &request.names.dns_names,
        particulars.dns_names(),
        &mut faults,
    );
    let mail: Vec<_> = particulars.mail().map(str::to_owned).into_iter().collect();
    compare_list(
        field,
        "mail addresses",
        &request.names.mail_addresses,
        &mail,
        &mut faults,
    );
    faults.into_result()
}

fn compare(
    field: &str,
    what: &str,
    found: &[Attribute],
    expected: &[Part<'_>],
    faults: &mut Faults,
) {
    for kind in [
        oid::COUNTRY,
        oid::ORGANIZATION,
        oid::ORGANIZATIONAL_UNIT,
        oid::COMMON_NAME,
    ] {
        let mut wanted = expected.iter().filter(|(k, _)| *k == kind);
        let mut there = found.iter().filter(|a| a.is(kind));
        loop {
            match (wanted.next(), there.next()) {
                (None, None) => break,
                (Some((_, wanted)), Some(there)) if *wanted == there.value() => {}
                (Some((_, wanted)), Some(there)) => faults.push(
                    field,
                    "CSR_SUBJECT_MISMATCH",
                    format!(
                        "{} of the request's {what} is {:?}, the application's is {wanted:?}",
                        label(kind),
                        there.value()
                    ),
                ),
                (Some((_, wanted)), None) => faults.push(
                    field,
                    "CSR_SUBJECT_INCOMPLETE",
                    format!("the request's {what} lacks {}={wanted}", label(kind)),
                ),
                (None, Some(there)) => unexpected(field, what, there, faults),
            }
        }
    }
    let known = |a: &&Attribute| expected.iter().any(|(k, _)| a.is(k));
    for stray in found.iter().filter(|a| !known(a)) {
        unexpected(field, what, stray, faults);
    }
}

fn unexpected(field: &str, what: &str, attribute: &Attribute, faults: &mut Faults) {
    faults.push(
        field,
        "CSR_SUBJECT_UNEXPECTED",
        format!("the request's {what} has {attribute:?}, which the application does not"),
    );
}

/// A list that the request leaves out is not missed; one that it has must be the application's.
fn compare_list(
    field: &str,
    what: &str,
    found: &[String],
    expected: &[String],
    faults: &mut Faults,
) {
    let same = found.len() == expected.len() && found.iter().all(|name| expected.contains(name));
    if found.is_empty() || same {
        return;
    }
    let list = |names: &[String]| {
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    };
    let message = format!(
        "the request's {what} are {}; the application's are {}",
        list(found),
        list(expected)
    );
    faults.push(field, "CSR_SAN_MISMATCH", message);
}
