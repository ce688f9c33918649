//! Checks that subscribers' and CAs' certificates share.

use der::{Decode, Encode, Tagged, asn1::OctetString};
use lgpki_domain::{Serial, SignatureAlgorithm, Validity};
use x509_cert::{
    TbsCertificate, Version,
    ext::{
        Extension,
        pkix::{AuthorityKeyIdentifier, KeyUsage, KeyUsages, SubjectKeyIdentifier},
    },
    name::Name,
    spki::AlgorithmIdentifierOwned,
    time::Time,
};

use super::Findings;
use crate::{
    decode::check_strict,
    encode::tag,
    key::{KeyId, SubjectPublicKey},
    name::{Language, Part},
    oid,
    profile::usage,
    signed::algorithm_of,
    time::from_time,
};

/// What the fixed fields but the subject must hold.
pub(super) struct Frame<'a> {
    pub(super) serial: Serial,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) validity: Validity,
    pub(super) public_key: &'a SubjectPublicKey,
}

/// What the fixed fields must hold.
pub(super) struct Expected<'a> {
    pub(super) serial: Serial,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) validity: Validity,
    pub(super) public_key: &'a SubjectPublicKey,
    pub(super) subject: &'a [Part<'a>],
}

/// Reads a tbsCertificate that is DER throughout.
pub(super) fn read(tbs: &[u8], findings: &mut Findings) -> Option<TbsCertificate> {
    const RULE: &str = "RFC 5280 §4.1";
    findings.decoded(check_strict(tbs), RULE)?;
    findings.decoded(TbsCertificate::from_der(tbs), RULE)
}

/// Checks version, serial number, algorithm, validity, subject and key.
pub(super) fn check(tbs: &TbsCertificate, expected: &Expected<'_>, findings: &mut Findings) {
    let frame = Frame {
        serial: expected.serial,
        algorithm: expected.algorithm,
        validity: expected.validity,
        public_key: expected.public_key,
    };
    check_frame(tbs, &frame, findings);
    check_name(
        tbs.subject(),
        expected.subject,
        Language::English,
        "RFC 5280 §4.1.2.6",
        findings,
    );
}

/// Checks all of it but the subject.
pub(super) fn check_frame(tbs: &TbsCertificate, expected: &Frame<'_>, findings: &mut Findings) {
    findings.require(
        tbs.version() == Version::V3,
        "RFC 5280 §4.1.2.1",
        "the version is not v3",
    );
    findings.require(
        tbs.serial_number().as_bytes() == expected.serial.as_bytes(),
        "RFC 5280 §4.1.2.2",
        "the serial number is not the one that was drawn",
    );
    check_algorithm(tbs.signature(), expected.algorithm, findings);
    check_time(
        tbs.validity().not_before,
        expected.validity.not_before(),
        findings,
    );
    check_time(
        tbs.validity().not_after,
        expected.validity.not_after(),
        findings,
    );
    let key = tbs.subject_public_key_info().to_der();
    findings.require(
        key.is_ok_and(|key| key == expected.public_key.der()),
        "RFC 5280 §4.1.2.7",
        "the public key is not the one of the checked request",
    );
    findings.require(
        tbs.issuer_unique_id().is_none() && tbs.subject_unique_id().is_none(),
        "RFC 5280 §4.1.2.8",
        "there are unique identifiers",
    );
}

/// Checks a signature algorithm in what is to be signed.
pub(super) fn check_algorithm(
    found: &AlgorithmIdentifierOwned,
    expected: SignatureAlgorithm,
    findings: &mut Findings,
) {
    let parameters = match &found.parameters {
        None => Some(Vec::new()),
        Some(parameters) => parameters.to_der().ok(),
    };
    let found = parameters.and_then(|p| algorithm_of(found.oid.as_bytes(), &p));
    findings.require(
        found == Some(expected),
        "RFC 5280 §4.1.2.3",
        "the signature algorithm is not the CA key's",
    );
}

/// Checks a date and that it has the form of its year.
pub(super) fn check_time(found: Time, expected: lgpki_domain::Timestamp, findings: &mut Findings) {
    if from_time(found) != expected {
        let message = format!("a date is {} and should be {expected}", from_time(found));
        findings.note("RFC 5280 §4.1.2.5", message);
    }
    findings.require(
        matches!(found, Time::UtcTime(_)) == (found.to_date_time().year() < 2050),
        "RFC 5280 §4.1.2.5",
        "a date before 2050 must be UTCTime, a later one GeneralizedTime",
    );
}

/// Checks a name: the same attributes in the same order, one per RDN, in the right string types.
pub(super) fn check_name(
    found: &Name,
    expected: &[Part<'_>],
    language: Language,
    rule: &'static str,
    findings: &mut Findings,
) {
    let single = found.iter_rdn().all(|rdn| rdn.len() == 1);
    let right = |(attribute, (oid, value)): (_, &Part<'_>)| {
        let attribute: &x509_cert::attr::AttributeTypeAndValue = attribute;
        let string = if language == Language::English || *oid == oid::COUNTRY {
            der::Tag::PrintableString
        } else {
            der::Tag::Utf8String
        };
        attribute.oid.as_bytes() == *oid
            && attribute.value.tag() == string
            && attribute.value.value() == value.as_bytes()
    };
    let same = found.iter().count() == expected.len() && found.iter().zip(expected).all(right);
    findings.require(
        single && same,
        rule,
        "a name is not the registered one in the right string types",
    );
}

/// Checks that exactly the expected extensions are there, each once and with its criticality.
pub(super) fn check_extensions(
    found: &[Extension],
    expected: &[(&[u8], bool)],
    findings: &mut Findings,
) {
    for (oid, critical) in expected {
        let mut matching = found.iter().filter(|e| e.extn_id.as_bytes() == *oid);
        let name = || crate::oid::dotted(oid);
        match (matching.next(), matching.next()) {
            (None, _) => findings.note("profile", format!("extension {} is missing", name())),
            (Some(_), Some(_)) => {
                findings.note(
                    "RFC 5280 §4.2",
                    format!("extension {} stands twice", name()),
                );
            }
            (Some(one), None) if one.critical != *critical => {
                let message = format!("extension {} has the wrong criticality", name());
                findings.note("profile", message);
            }
            (Some(_), None) => {}
        }
    }
    for extension in found {
        if !expected
            .iter()
            .any(|(oid, _)| extension.extn_id.as_bytes() == *oid)
        {
            let message = format!("extension {} does not belong here", extension.extn_id);
            findings.note("profile", message);
        }
    }
}

/// The value of an extension, decoded; `None` where it is missing, which is noted elsewhere.
pub(super) fn value<'a, T>(
    found: &'a [Extension],
    oid: &[u8],
    rule: &'static str,
    findings: &mut Findings,
) -> Option<T>
where
    T: Decode<'a, Error = der::Error>,
{
    let bytes = raw_value(found, oid)?;
    findings.decoded(check_strict(bytes), rule)?;
    findings.decoded(T::from_der(bytes), rule)
}

/// The value of an extension as bytes.
pub(super) fn raw_value<'a>(found: &'a [Extension], oid: &[u8]) -> Option<&'a [u8]> {
    found
        .iter()
        .find(|e| e.extn_id.as_bytes() == oid)
        .map(|e| e.extn_value.as_bytes())
}

/// Checks both key identifiers.
pub(super) fn check_key_ids(
    found: &[Extension],
    authority: KeyId,
    subject: KeyId,
    findings: &mut Findings,
) {
    const SUBJECT: &str = "RFC 5280 §4.2.1.2";
    check_authority_key(found, authority, findings);
    let ski: Option<SubjectKeyIdentifier> =
        value(found, oid::SUBJECT_KEY_IDENTIFIER, SUBJECT, findings);
    if let Some(ski) = ski {
        findings.require(
            ski.0.as_bytes() == subject.as_bytes(),
            SUBJECT,
            "the subjectKeyIdentifier is not the public key's",
        );
    }
}

/// Checks that the authorityKeyIdentifier is the CA key's and nothing more.
pub(super) fn check_authority_key(found: &[Extension], authority: KeyId, findings: &mut Findings) {
    const RULE: &str = "RFC 5280 §4.2.1.1";
    let aki: Option<AuthorityKeyIdentifier> =
        value(found, oid::AUTHORITY_KEY_IDENTIFIER, RULE, findings);
    if let Some(aki) = aki {
        let key = aki.key_identifier.as_ref().map(OctetString::as_bytes);
        findings.require(
            key == Some(&authority.as_bytes()[..])
                && aki.authority_cert_issuer.is_none()
                && aki.authority_cert_serial_number.is_none(),
            RULE,
            "the authorityKeyIdentifier is not the CA key's",
        );
    }
}

/// Checks the keyUsage, bit by bit.
pub(super) fn check_key_usage(found: &[Extension], bits: u16, findings: &mut Findings) {
    const RULE: &str = "profile keyUsage";
    const NAMED: [(u16, KeyUsages); 6] = [
        (usage::DIGITAL_SIGNATURE, KeyUsages::DigitalSignature),
        (usage::NON_REPUDIATION, KeyUsages::NonRepudiation),
        (usage::KEY_ENCIPHERMENT, KeyUsages::KeyEncipherment),
        (usage::KEY_AGREEMENT, KeyUsages::KeyAgreement),
        (usage::KEY_CERT_SIGN, KeyUsages::KeyCertSign),
        (usage::CRL_SIGN, KeyUsages::CRLSign),
    ];
    let Some(KeyUsage(set)) = value::<KeyUsage>(found, oid::KEY_USAGE, RULE, findings) else {
        return;
    };
    let as_wanted = NAMED
        .iter()
        .all(|(bit, flag)| set.contains(*flag) == (bits & bit != 0));
    let others = [
        KeyUsages::DataEncipherment,
        KeyUsages::EncipherOnly,
        KeyUsages::DecipherOnly,
    ];
    findings.require(
        as_wanted && !others.iter().any(|flag| set.contains(*flag)),
        RULE,
        "the keyUsage is not the profile's",
    );
    // A named-bit list ends with a one bit (X.690 §11.2.2), which decoders do not insist on.
    let minimal = match raw_value(found, oid::KEY_USAGE) {
        Some([tag::BIT_STRING, _, unused, .., last]) => last.trailing_zeros() == u32::from(*unused),
        _ => false,
    };
    findings.require(minimal, RULE, "the keyUsage has trailing zero bits");
}
