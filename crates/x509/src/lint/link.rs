//! The lint of link certificates, and what cross certificates share with them.

use x509_cert::ext::{
    Extension,
    pkix::{
        AuthorityInfoAccessSyntax, BasicConstraints, CrlDistributionPoints, SubjectAltName,
        name::GeneralName,
    },
};

use super::{
    Findings, LintRefused, Linted,
    certificate::{are_uris, is_full_name},
    fields::{
        self, Expected, check_extensions, check_key_ids, check_key_usage, check_name, raw_value,
        value,
    },
};
use crate::{
    authority::path_length,
    certificate::policies_of,
    issuer::Issuer,
    link::LinkBlueprint,
    name::{Language, authority_parts},
    oid,
    profile::usage,
};

/// Checks the tbsCertificate of a link certificate.
pub fn lint_link(blueprint: &LinkBlueprint<'_>, tbs: Vec<u8>) -> Result<Linted, LintRefused> {
    let mut findings = Findings::default();
    if let Some(parsed) = fields::read(&tbs, &mut findings) {
        check(blueprint, &parsed, &mut findings);
    }
    findings.into_result()?;
    Ok(Linted {
        tbs,
        algorithm: blueprint.issuer.signature_algorithm(),
    })
}

fn check(blueprint: &LinkBlueprint<'_>, tbs: &x509_cert::TbsCertificate, findings: &mut Findings) {
    const RULE: &str = "RFC 4210 §4.4";
    const NAMES: &str = "profile subjectAltName";
    let (signs, certified) = (blueprint.issuer, blueprint.certified);
    let validity = match (blueprint.unfit(), blueprint.validity()) {
        (None, Some(validity)) => validity,
        (why, _) => {
            findings.note(RULE, why.unwrap_or("the generations have no common day"));
            return;
        }
    };
    let english = authority_parts(certified.authority(), Language::English);
    let expected = Expected {
        serial: blueprint.serial,
        algorithm: signs.signature_algorithm(),
        validity,
        public_key: certified.public_key(),
        subject: &english,
    };
    fields::check(tbs, &expected, findings);
    findings.require(
        tbs.issuer() == tbs.subject() && *tbs.issuer() == signs.name,
        RULE,
        "issuer and subject of a link certificate are the same CA",
    );
    let extensions = tbs.extensions().map_or(&[][..], Vec::as_slice);
    check_extensions(
        extensions,
        &[
            (oid::AUTHORITY_KEY_IDENTIFIER, false),
            (oid::SUBJECT_KEY_IDENTIFIER, false),
            (oid::KEY_USAGE, true),
            (oid::CERTIFICATE_POLICIES, false),
            (oid::SUBJECT_ALT_NAME, false),
            (oid::BASIC_CONSTRAINTS, true),
            (oid::CRL_DISTRIBUTION_POINTS, false),
            (oid::AUTHORITY_INFO_ACCESS, false),
        ],
        findings,
    );
    check_key_ids(extensions, signs.key_id(), certified.key_id(), findings);
    check_key_usage(extensions, usage::KEY_CERT_SIGN | usage::CRL_SIGN, findings);
    check_policies(extensions, &[oid::ANY_POLICY], findings);
    check_constraints(extensions, path_length(certified.authority()), findings);
    if let Some(SubjectAltName(names)) = value(extensions, oid::SUBJECT_ALT_NAME, NAMES, findings) {
        let japanese = authority_parts(certified.authority(), Language::Japanese);
        match names.as_slice() {
            [GeneralName::DirectoryName(name)] => {
                check_name(name, &japanese, Language::Japanese, NAMES, findings);
            }
            _ => findings.note(NAMES, "there is not exactly one Japanese name"),
        }
    }
    check_publication(extensions, signs, findings);
}

/// Checks that basicConstraints are a CA's, with this path length.
pub(super) fn check_constraints(
    found: &[Extension],
    path_length: Option<u8>,
    findings: &mut Findings,
) {
    const RULE: &str = "RFC 5280 §4.2.1.9";
    let constraints = value(found, oid::BASIC_CONSTRAINTS, RULE, findings);
    if let Some(BasicConstraints {
        ca,
        path_len_constraint,
    }) = constraints
    {
        findings.require(
            ca && path_len_constraint == path_length,
            RULE,
            "it is not a CA with the path length that was decided",
        );
    }
}

/// Checks that the policies are exactly these, without qualifiers.
pub(super) fn check_policies(found: &[Extension], policies: &[&[u8]], findings: &mut Findings) {
    const RULE: &str = "RFC 5280 §4.2.1.4";
    let Some(bytes) = raw_value(found, oid::CERTIFICATE_POLICIES) else {
        return;
    };
    let mut expected = Vec::new();
    crate::extension::policies_value(&mut expected, policies);
    if let Some(read) = findings.decoded(policies_of(bytes), RULE) {
        findings.require(
            read.iter().map(Vec::as_slice).eq(policies.iter().copied()) && bytes == expected,
            RULE,
            "the policies are not those that were decided",
        );
    }
}

/// Checks that the distribution point is the signing key's list of revoked CA certificates, and the
/// issuer's certificate lies where it is published.
pub(super) fn check_publication(found: &[Extension], signs: &Issuer, findings: &mut Findings) {
    const POINTS: &str = "RFC 5280 §4.2.1.13";
    const ACCESS: &str = "RFC 5280 §4.2.2.1";
    let points = value(found, oid::CRL_DISTRIBUTION_POINTS, POINTS, findings);
    if let Some(CrlDistributionPoints(points)) = points {
        let addresses = signs.addresses().ca_crl();
        let right = match points.as_slice() {
            [point] if point.reasons.is_none() && point.crl_issuer.is_none() => point
                .distribution_point
                .as_ref()
                .is_some_and(|name| is_full_name(name, &addresses)),
            _ => false,
        };
        let message = "the distribution point is not the CA's list of revoked CA certificates";
        findings.require(right, POINTS, message);
    }
    let access = value(found, oid::AUTHORITY_INFO_ACCESS, ACCESS, findings);
    if let Some(AuthorityInfoAccessSyntax(access)) = access {
        let all = access
            .iter()
            .all(|a| a.access_method.as_bytes() == oid::CA_ISSUERS);
        let same = are_uris(
            access.iter().map(|a| &a.access_location),
            &signs.addresses().ca_certificate,
        );
        let message = "the CA certificate's address is not the CA's";
        findings.require(all && same, ACCESS, message);
    }
}
