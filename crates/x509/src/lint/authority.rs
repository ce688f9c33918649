//! The lint of CA certificates.

use lgpki_domain::KeyAlgorithm;
use x509_cert::{
    TbsCertificate,
    ext::pkix::{BasicConstraints, SubjectAltName, name::GeneralName},
};

use super::{
    Findings, LintRefused, Linted,
    fields::{self, Expected, check_extensions, check_key_ids, check_key_usage, check_name, value},
};
use crate::{
    authority::{CaBlueprint, path_length},
    name::{Language, authority_parts},
    oid,
    profile::usage,
};

/// Checks the tbsCertificate of a self-signed CA certificate.
pub fn lint_authority(blueprint: &CaBlueprint<'_>, tbs: Vec<u8>) -> Result<Linted, LintRefused> {
    let mut findings = Findings::default();
    if let Some(parsed) = fields::read(&tbs, &mut findings) {
        check(blueprint, &parsed, &mut findings);
    }
    findings.into_result()?;
    Ok(Linted {
        tbs,
        algorithm: blueprint.public_key.algorithm().signature(),
    })
}

fn check(blueprint: &CaBlueprint<'_>, tbs: &TbsCertificate, findings: &mut Findings) {
    const CONSTRAINTS: &str = "RFC 5280 §4.2.1.9";
    const NAMES: &str = "profile subjectAltName";
    findings.require(
        KeyAlgorithm::FOR_CA.contains(&blueprint.public_key.algorithm()),
        "profile",
        "the key is not of an algorithm that a CA may have",
    );
    let english = authority_parts(blueprint.authority, Language::English);
    let expected = Expected {
        serial: blueprint.serial,
        algorithm: blueprint.public_key.algorithm().signature(),
        validity: blueprint.validity,
        public_key: blueprint.public_key,
        subject: &english,
    };
    fields::check(tbs, &expected, findings);
    findings.require(
        tbs.issuer() == tbs.subject(),
        "RFC 5280 §4.1.2.4",
        "issuer and subject of a self-signed certificate differ",
    );
    let extensions = tbs.extensions().map_or(&[][..], Vec::as_slice);
    check_extensions(
        extensions,
        &[
            (oid::AUTHORITY_KEY_IDENTIFIER, false),
            (oid::SUBJECT_KEY_IDENTIFIER, false),
            (oid::KEY_USAGE, true),
            (oid::SUBJECT_ALT_NAME, false),
            (oid::BASIC_CONSTRAINTS, true),
        ],
        findings,
    );
    let key_id = blueprint.public_key.key_id();
    check_key_ids(extensions, key_id, key_id, findings);
    check_key_usage(extensions, usage::KEY_CERT_SIGN | usage::CRL_SIGN, findings);
    let constraints = value(extensions, oid::BASIC_CONSTRAINTS, CONSTRAINTS, findings);
    if let Some(BasicConstraints {
        ca,
        path_len_constraint,
    }) = constraints
    {
        findings.require(
            ca && path_len_constraint == path_length(blueprint.authority),
            CONSTRAINTS,
            "it is not a CA with the path length of its profile",
        );
    }
    let names = value(extensions, oid::SUBJECT_ALT_NAME, NAMES, findings);
    if let Some(SubjectAltName(names)) = names {
        let japanese = authority_parts(blueprint.authority, Language::Japanese);
        match names.as_slice() {
            [GeneralName::DirectoryName(name)] => {
                check_name(name, &japanese, Language::Japanese, NAMES, findings);
            }
            _ => findings.note(NAMES, "there is not exactly one Japanese name"),
        }
    }
}
