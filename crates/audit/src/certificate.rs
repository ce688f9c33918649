//! A certificate as the independent reader sees it, held against what its entry says of it.
//!
//! The reader is `x509-certificate`, which shares no code with whoever built the certificate; the
//! subjectPublicKeyInfo, which it does not give whole, is found by walking along the outermost
//! values of the tbsCertificate.

use lgpki_domain::{CertificateKind, Digest, JstDate, Serial, Timestamp};
use lgpki_x509::{Attribute, SubjectPublicKey, key::sha256, reader::read_back, signed::Signed};

use crate::{
    der::value,
    finding::Rule,
    view::{Names, Subject},
};

/// What a kind's policy ends in, below 2.999.392.1.
const POLICIES: &str = "2.999.392.1.";

/// What is known of a certificate once it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// SHA-256 of the whole certificate.
    pub(crate) der: Digest,
    /// SHA-256 of its tbsCertificate.
    pub(crate) tbs: Digest,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub(crate) key: Digest,
    /// Of whom it names.
    pub(crate) subject: Digest,
    /// Of the host names, mail addresses and URIs beside that.
    pub(crate) others: Digest,
}

/// What an entry says of a certificate.
pub(crate) struct Claims<'a> {
    pub(crate) serial: Serial,
    pub(crate) kind: CertificateKind,
    pub(crate) key: Digest,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) subject: &'a Subject,
}

/// A rule that does not hold, and why.
pub(crate) type Fault = (Rule, String);

/// Reads a certificate and compares it with what is said of it.
pub(crate) fn examine(der: &[u8], claims: &Claims<'_>, faults: &mut Vec<Fault>) -> Option<Seen> {
    let mut tell = |rule, what: &str| faults.push((rule, what.to_owned()));
    let (read, signed) = match (read_back(der), Signed::parse(der)) {
        (Ok(read), Ok(signed)) => (read, signed),
        (Err(error), _) | (_, Err(error)) => {
            tell(Rule::CertificateUnreadable, &error.to_string());
            return None;
        }
    };
    let tbs = signed.to_be_signed();
    let Some(key) = public_key_info(tbs) else {
        tell(
            Rule::CertificateUnreadable,
            "it has no public key where one belongs",
        );
        return None;
    };
    let key = sha256(key);
    let mut same = |holds: bool, what: &str| {
        if !holds {
            tell(
                Rule::CertificateDiffers,
                &format!("the certificate has another {what} than its entry says"),
            );
        }
    };
    same(read.serial == claims.serial.to_string(), "serial number");
    same(key == claims.key, "public key");
    same(read.not_before == claims.not_before, "notBefore");
    same(read.not_after == claims.not_after, "notAfter");
    let subject = subject_digest(claims.subject);
    if !claims.kind.is_ca() {
        same(kind_of(&read.policies) == Some(claims.kind), "kind");
        let named = named(&read.subject, &read.japanese_name);
        same(
            named.as_ref().map(subject_digest) == Some(subject),
            "subject",
        );
        if !is_period(claims) {
            let what = format!(
                "{} to {} is no period of its kind",
                claims.not_before, claims.not_after
            );
            tell(Rule::Validity, &what);
        }
    }
    Some(Seen {
        der: sha256(der),
        tbs: sha256(tbs),
        key,
        subject,
        others: others_digest(
            read.dns_names.iter().map(String::as_str),
            read.mail_addresses.iter().map(String::as_str),
            read.uris.iter().map(String::as_str),
        ),
    })
}

/// Whether a CA's key signed a certificate or CRL.
pub(crate) fn is_signed_by(der: &[u8], key: &SubjectPublicKey) -> bool {
    Signed::parse(der).is_ok_and(|signed| signed.is_signed_by(key))
}

/// R1, R11: whole days in Japan; three years for subscribers, thirty days or less for responders.
fn is_period(claims: &Claims<'_>) -> bool {
    let first = claims.not_before.jst_date();
    let last = claims.not_after.jst_date();
    let whole = first.start() == claims.not_before && last.last_second() == claims.not_after;
    let due = match claims.kind {
        CertificateKind::OcspResponder => first <= last && last <= first.plus_days(30),
        _ => last == three_years(first),
    };
    whole && due
}

/// The last day of three years from a day on.
fn three_years(first: JstDate) -> JstDate {
    lgpki_domain::Validity::for_subscriber(first).last_day()
}

/// The kind that the policy stands for.
fn kind_of(policies: &[String]) -> Option<CertificateKind> {
    let [policy] = policies else { return None };
    let rest = policy.strip_prefix(POLICIES)?;
    let (kind, role) = match rest.split_once('.') {
        Some((kind, role)) => (kind, Some(role)),
        None => (rest, None),
    };
    let kind = match kind {
        "1" => CertificateKind::OfficialDuty,
        "2" => CertificateKind::User,
        "3" => CertificateKind::Login,
        "4" => CertificateKind::WebServer,
        "5" => CertificateKind::CodeSigning,
        "6" => CertificateKind::Mail,
        "9" => CertificateKind::OcspResponder,
        _ => return None,
    };
    (role.is_some() == (kind == CertificateKind::Login)).then_some(kind)
}

/// Whom the attributes of both names name: C, O, OU (body), OU (unit), CN.
fn named(english: &[Attribute], japanese: &[Attribute]) -> Option<Subject> {
    let parts = |attributes: &[Attribute]| {
        let labels: Vec<_> = attributes.iter().map(Attribute::label).collect();
        let fits = matches!(
            labels.iter().map(String::as_str).collect::<Vec<_>>()[..],
            ["C", "O", "OU", "CN"] | ["C", "O", "OU", "OU", "CN"]
        );
        let values: Vec<_> = attributes.iter().map(|a| a.value().to_owned()).collect();
        (fits && values[0] == "JP").then_some(values)
    };
    let (en, ja) = (parts(english)?, parts(japanese)?);
    if en.len() != ja.len() {
        return None;
    }
    let mut names = en
        .into_iter()
        .zip(ja)
        .skip(2)
        .map(|(en, ja)| Names { en, ja });
    let body = names.next()?;
    let mut rest: Vec<_> = names.collect();
    let name = rest.pop()?;
    Some(Subject {
        body,
        name,
        unit: rest.pop(),
    })
}

/// A digest by which subjects are compared.
pub(crate) fn subject_digest(subject: &Subject) -> Digest {
    let mut text = String::with_capacity(256);
    for names in [
        Some(&subject.body),
        subject.unit.as_ref(),
        Some(&subject.name),
    ] {
        for part in names
            .map(|names| [&names.en, &names.ja])
            .into_iter()
            .flatten()
        {
            text.push_str(part);
            text.push('\u{1f}');
        }
        text.push('\u{1e}');
    }
    sha256(text.as_bytes())
}

/// A digest by which the names beside the subject are compared.
pub(crate) fn others_digest<'a>(
    dns_names: impl Iterator<Item = &'a str>,
    mail: impl Iterator<Item = &'a str>,
    uris: impl Iterator<Item = &'a str>,
) -> Digest {
    let mut text = String::new();
    let all = dns_names.map(|n| ('d', n));
    let all = all
        .chain(mail.map(|n| ('m', n)))
        .chain(uris.map(|n| ('u', n)));
    for (sort, name) in all {
        text.push(sort);
        text.push_str(name);
        text.push('\u{1f}');
    }
    sha256(text.as_bytes())
}

/// The SubjectPublicKeyInfo of a tbsCertificate: the seventh value, behind version, serial number,
/// algorithm, issuer, validity and subject.
pub(crate) fn public_key_info(tbs: &[u8]) -> Option<&[u8]> {
    let mut rest = value(tbs)?.0.content;
    for _ in 0..6 {
        rest = value(rest)?.1;
    }
    Some(value(rest)?.0.whole)
}

/// The SubjectPublicKeyInfo of a certification request (RFC 2986): the third value of what it signs,
/// behind version and subject.
pub(crate) fn requested_key(csr: &[u8]) -> Option<&[u8]> {
    let request = value(csr)?.0.content;
    let mut rest = value(request)?.0.content;
    for _ in 0..2 {
        rest = value(rest)?.1;
    }
    Some(value(rest)?.0.whole)
}

/// The issuer's name of a certificate or CRL, DER: it stands behind version, serial number and algorithm,
/// of which the first two may be missing.
pub(crate) fn issuer_name(der: &[u8]) -> Option<&[u8]> {
    let whole = value(der)?.0.content;
    let mut rest = value(whole)?.0.content;
    while matches!(rest.first()?, 0xa0 | 0x02) {
        rest = value(rest)?.1;
    }
    Some(value(value(rest)?.1)?.0.whole)
}
