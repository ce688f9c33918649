//! The lint of cross certificates.
//!
//! The constraints are read back by `x509-cert`, but for what holds policy OIDs: its OID type cannot
//! hold the arc 2.999, and this crate's strict reader takes its place.

use der::{Encode, Tagged};
use x509_cert::{
    TbsCertificate,
    ext::{
        Extension,
        pkix::{
            NameConstraints, PolicyConstraints, constraints::name::GeneralSubtree,
            name::GeneralName,
        },
    },
};

use super::{
    Findings, LintRefused, Linted,
    fields::{self, Frame, check_extensions, check_key_ids, check_key_usage, raw_value, value},
    link::{check_constraints, check_policies, check_publication},
};
use crate::{
    cross::{Constraints, CrossBlueprint, PolicyOid, Subtree},
    decode::{NotDer, Reader, check_strict},
    encode::tag,
    oid,
    profile::usage,
};

/// Checks the tbsCertificate of a cross certificate.
pub fn lint_cross(blueprint: &CrossBlueprint<'_>, tbs: Vec<u8>) -> Result<Linted, LintRefused> {
    let mut findings = Findings::default();
    if let Err(faults) = blueprint.check() {
        findings.note("profile", faults.to_string());
    }
    if let Some(parsed) = fields::read(&tbs, &mut findings) {
        check(blueprint, &parsed, &mut findings);
    }
    findings.into_result()?;
    Ok(Linted {
        tbs,
        algorithm: blueprint.issuer.signature_algorithm(),
    })
}

fn check(blueprint: &CrossBlueprint<'_>, tbs: &TbsCertificate, findings: &mut Findings) {
    let (signs, subject) = (blueprint.issuer, blueprint.subject);
    let frame = Frame {
        serial: blueprint.serial,
        algorithm: signs.signature_algorithm(),
        validity: blueprint.validity,
        public_key: subject.public_key(),
    };
    fields::check_frame(tbs, &frame, findings);
    findings.require(
        tbs.subject()
            .to_der()
            .is_ok_and(|name| name == subject.name_der()),
        "RFC 5280 §4.1.2.6",
        "the subject is not the other CA's name, byte for byte",
    );
    findings.require(
        *tbs.issuer() == signs.name,
        "RFC 5280 §4.1.2.4",
        "the issuer is not the CA certificate's subject",
    );
    let extensions = tbs.extensions().map_or(&[][..], Vec::as_slice);
    let constraints = blueprint.constraints;
    check_presence(extensions, constraints, findings);
    check_key_ids(extensions, signs.key_id(), subject.key_id(), findings);
    check_key_usage(extensions, usage::KEY_CERT_SIGN | usage::CRL_SIGN, findings);
    let policies: Vec<_> = constraints.policies.iter().map(PolicyOid::octets).collect();
    check_policies(extensions, &policies, findings);
    check_constraints(extensions, constraints.path_length, findings);
    check_names(extensions, constraints, findings);
    check_policy_rules(extensions, constraints, findings);
    check_publication(extensions, signs, findings);
}

fn check_presence(found: &[Extension], constraints: &Constraints, findings: &mut Findings) {
    let mut expected = vec![
        (oid::AUTHORITY_KEY_IDENTIFIER, false),
        (oid::SUBJECT_KEY_IDENTIFIER, false),
        (oid::KEY_USAGE, true),
        (oid::CERTIFICATE_POLICIES, false),
        (oid::BASIC_CONSTRAINTS, true),
        (oid::NAME_CONSTRAINTS, true),
        (oid::POLICY_CONSTRAINTS, true),
        (oid::CRL_DISTRIBUTION_POINTS, false),
        (oid::AUTHORITY_INFO_ACCESS, false),
    ];
    if !constraints.mappings.is_empty() {
        expected.push((oid::POLICY_MAPPINGS, false));
    }
    if constraints.inhibit_any_policy.is_some() {
        expected.push((oid::INHIBIT_ANY_POLICY, true));
    }
    check_extensions(found, &expected, findings);
}

fn check_names(found: &[Extension], constraints: &Constraints, findings: &mut Findings) {
    const RULE: &str = "RFC 5280 §4.2.1.10";
    let read: Option<NameConstraints> = value(found, oid::NAME_CONSTRAINTS, RULE, findings);
    let Some(read) = read else { return };
    let same = |found: Option<Vec<GeneralSubtree>>, wanted: &[Subtree]| match found {
        None => wanted.is_empty(),
        Some(found) => {
            found.len() == wanted.len()
                && !found.is_empty()
                && found.iter().zip(wanted).all(|(f, w)| is_subtree(f, w))
        }
    };
    findings.require(
        same(read.permitted_subtrees, &constraints.permitted)
            && same(read.excluded_subtrees, &constraints.excluded),
        RULE,
        "the name constraints are not those that were decided",
    );
}

fn is_subtree(found: &GeneralSubtree, wanted: &Subtree) -> bool {
    let base = match (&found.base, wanted) {
        (GeneralName::DnsName(found), Subtree::Host(wanted))
        | (GeneralName::Rfc822Name(found), Subtree::Mail(wanted)) => found.as_str() == wanted,
        (GeneralName::DirectoryName(found), Subtree::Directory(wanted)) => {
            found.iter_rdn().all(|rdn| rdn.len() == 1)
                && found.iter().count() == wanted.len()
                && found.iter().zip(wanted).all(|(found, (name, value))| {
                    found.oid.as_bytes() == name.oid()
                        && matches!(
                            found.value.tag(),
                            der::Tag::PrintableString | der::Tag::Utf8String
                        )
                        && found.value.value() == value.as_bytes()
                })
        }
        _ => false,
    };
    base && found.minimum == 0 && found.maximum.is_none()
}

fn check_policy_rules(found: &[Extension], constraints: &Constraints, findings: &mut Findings) {
    const CONSTRAINTS: &str = "RFC 5280 §4.2.1.11";
    const MAPPINGS: &str = "RFC 5280 §4.2.1.5";
    const ANY: &str = "RFC 5280 §4.2.1.14";
    let read: Option<PolicyConstraints> =
        value(found, oid::POLICY_CONSTRAINTS, CONSTRAINTS, findings);
    if let Some(read) = read {
        findings.require(
            read.require_explicit_policy == constraints.require_explicit_policy.map(u32::from)
                && read.inhibit_policy_mapping == constraints.inhibit_policy_mapping.map(u32::from),
            CONSTRAINTS,
            "the policy constraints are not those that were decided",
        );
    }
    let any: Option<u32> = value(found, oid::INHIBIT_ANY_POLICY, ANY, findings);
    findings.require(
        any == constraints.inhibit_any_policy.map(u32::from),
        ANY,
        "inhibitAnyPolicy is not what was decided",
    );
    if let Some(bytes) = raw_value(found, oid::POLICY_MAPPINGS)
        && let Some(read) = findings.decoded(mappings_of(bytes), MAPPINGS)
    {
        let wanted = constraints.mappings.iter();
        let same = read
            .into_iter()
            .eq(wanted.map(|(ours, theirs)| (ours.octets(), theirs.octets())));
        findings.require(
            same,
            MAPPINGS,
            "the mappings are not those that were decided",
        );
    }
}

type Mapping<'a> = (&'a [u8], &'a [u8]);

fn mappings_of(value: &[u8]) -> Result<Vec<Mapping<'_>>, NotDer> {
    check_strict(value)?;
    let mut whole = Reader::new(value);
    let mut mappings = whole.open(tag::SEQUENCE)?;
    whole.finish()?;
    let mut read = Vec::new();
    while !mappings.is_empty() {
        let mut mapping = mappings.open(tag::SEQUENCE)?;
        read.push((mapping.expect(tag::OID)?, mapping.expect(tag::OID)?));
        mapping.finish()?;
    }
    Ok(read)
}
