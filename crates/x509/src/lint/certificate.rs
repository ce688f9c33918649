//! The lint of subscribers' certificates.

use std::iter;

use lgpki_domain::{Serial, Validity};
use x509_cert::{
    TbsCertificate,
    ext::{
        Extension,
        pkix::{
            AuthorityInfoAccessSyntax, CrlDistributionPoints, ExtendedKeyUsage, SubjectAltName,
            crl::dp::DistributionPoint,
            name::{DistributionPointName, GeneralName},
        },
    },
};

use super::{
    Findings, LintRefused, Linted,
    crl::check_freshest,
    fields::{
        self, Expected, check_extensions, check_key_ids, check_key_usage, check_name, raw_value,
        value,
    },
};
use crate::{
    decode::{NotDer, Reader, check_strict},
    encode::tag,
    issuer::{Addresses, Issuer},
    name::{Language, subject_parts},
    oid,
    particulars::Particulars,
    profile::{Profile, profile},
    tbs::Blueprint,
};

/// Checks a tbsCertificate against the registered data that it should have been built from.
pub fn lint_certificate(
    issuer: &Issuer,
    blueprint: &Blueprint<'_>,
    tbs: Vec<u8>,
) -> Result<Linted, LintRefused> {
    let mut findings = Findings::default();
    if let Some(parsed) = fields::read(&tbs, &mut findings) {
        check(issuer, blueprint, &parsed, &mut findings);
    }
    findings.into_result()?;
    Ok(Linted {
        tbs,
        algorithm: issuer.signature_algorithm(),
    })
}

fn check(
    issuer: &Issuer,
    blueprint: &Blueprint<'_>,
    tbs: &TbsCertificate,
    findings: &mut Findings,
) {
    let particulars = blueprint.particulars;
    findings.require(
        particulars.kind().is_issued_by(issuer.authority()),
        "profile",
        "this CA does not issue this kind",
    );
    findings.require(
        particulars.check_subject("", blueprint.subject).is_ok(),
        "profile subject",
        "the common name is not the first host name",
    );
    let subject = subject_parts(blueprint.subject, Language::English);
    let expected = Expected {
        serial: blueprint.serial,
        algorithm: issuer.signature_algorithm(),
        validity: blueprint.validity,
        public_key: blueprint.public_key,
        subject: &subject,
    };
    fields::check(tbs, &expected, findings);
    findings.require(
        *tbs.issuer() == issuer.name,
        "RFC 5280 §4.1.2.4",
        "the issuer is not the CA certificate's subject",
    );
    check_period(issuer.validity(), blueprint, findings);
    findings.require(
        blueprint.public_key.digest() != issuer.public_key().digest(),
        "profile",
        "the public key is the CA's own",
    );
    let profile = profile(particulars, blueprint.public_key.algorithm());
    let extensions = tbs.extensions().map_or(&[][..], Vec::as_slice);
    check_presence(extensions, issuer, blueprint, findings);
    check_key_ids(
        extensions,
        issuer.key_id(),
        blueprint.public_key.key_id(),
        findings,
    );
    check_key_usage(extensions, profile.key_usage, findings);
    check_purposes(extensions, &profile, findings);
    check_policies(extensions, &profile, &issuer.addresses().cps, findings);
    check_alternatives(extensions, blueprint, findings);
    check_publication(extensions, issuer, blueprint.serial, findings);
    if let Some(value) = raw_value(extensions, oid::OCSP_NO_CHECK) {
        findings.require(
            value == [tag::NULL, 0],
            "RFC 6960 §4.2.2.2.1",
            "the value of id-pkix-ocsp-nocheck is not NULL",
        );
    }
}

fn check_period(ca: Validity, blueprint: &Blueprint<'_>, findings: &mut Findings) {
    let period = blueprint.validity;
    let due = match blueprint.particulars {
        Particulars::OcspResponder => Validity::for_responder(period.first_day(), ca),
        _ => Some(Validity::for_subscriber(period.first_day())),
    };
    findings.require(
        due == Some(period),
        "R1",
        "the certificate is not valid for three years, or an OCSP responder's for 30 days",
    );
    findings.require(
        ca.first_day() <= period.first_day() && period.last_day() <= ca.last_day(),
        "R1",
        "the certificate is not valid within its CA's validity",
    );
}

fn check_presence(
    found: &[Extension],
    issuer: &Issuer,
    blueprint: &Blueprint<'_>,
    findings: &mut Findings,
) {
    let profile = profile(blueprint.particulars, blueprint.public_key.algorithm());
    let options = issuer.crl_options();
    let mut expected = vec![
        (oid::AUTHORITY_KEY_IDENTIFIER, false),
        (oid::SUBJECT_KEY_IDENTIFIER, false),
        (oid::KEY_USAGE, true),
        (oid::CERTIFICATE_POLICIES, profile.policy_is_critical),
        (oid::SUBJECT_ALT_NAME, false),
    ];
    if profile.tells_publication {
        expected.push((oid::CRL_DISTRIBUTION_POINTS, false));
        expected.push((oid::AUTHORITY_INFO_ACCESS, false));
        if options.has_delta(options.scope_of(blueprint.serial)) {
            expected.push((oid::FRESHEST_CRL, false));
        }
    } else {
        expected.push((oid::OCSP_NO_CHECK, false));
    }
    if !profile.extended_key_usage.is_empty() {
        expected.push((oid::EXTENDED_KEY_USAGE, false));
    }
    check_extensions(found, &expected, findings);
}

fn check_purposes(found: &[Extension], profile: &Profile, findings: &mut Findings) {
    const RULE: &str = "profile extKeyUsage";
    let purposes: Option<ExtendedKeyUsage> = value(found, oid::EXTENDED_KEY_USAGE, RULE, findings);
    if let Some(ExtendedKeyUsage(purposes)) = purposes {
        let same = purposes
            .iter()
            .map(const_oid::ObjectIdentifier::as_bytes)
            .eq(profile.extended_key_usage.iter().copied());
        findings.require(same, RULE, "the extKeyUsage is not the profile's");
    }
}

fn check_policies(found: &[Extension], profile: &Profile, cps: &str, findings: &mut Findings) {
    const RULE: &str = "profile certificatePolicies";
    let Some(bytes) = raw_value(found, oid::CERTIFICATE_POLICIES) else {
        return;
    };
    if let Some(same) = findings.decoded(policy_matches(bytes, &profile.policy, cps), RULE) {
        findings.require(
            same,
            RULE,
            "the policy or its CPS address is not the profile's",
        );
    }
}

/// Whether the value is one policy with one CPS qualifier. (Read here and not by `x509-cert`, whose
/// OID type cannot hold the arc 2.999.)
fn policy_matches(value: &[u8], policy: &[u8], cps: &str) -> Result<bool, NotDer> {
    check_strict(value)?;
    let mut policies = Reader::new(value).open(tag::SEQUENCE)?;
    let mut information = policies.open(tag::SEQUENCE)?;
    policies.finish()?;
    let found = information.expect(tag::OID)?;
    let mut qualifiers = information.open(tag::SEQUENCE)?;
    information.finish()?;
    let mut qualifier = qualifiers.open(tag::SEQUENCE)?;
    qualifiers.finish()?;
    let kind = qualifier.expect(tag::OID)?;
    let address = qualifier.expect(tag::IA5_STRING)?;
    qualifier.finish()?;
    Ok(found == policy && kind == oid::CPS && address == cps.as_bytes())
}

fn check_alternatives(found: &[Extension], blueprint: &Blueprint<'_>, findings: &mut Findings) {
    const RULE: &str = "profile subjectAltName";
    let Some(SubjectAltName(names)) = value(found, oid::SUBJECT_ALT_NAME, RULE, findings) else {
        return;
    };
    let (mut hosts, mut mail, mut uris) = (Vec::new(), Vec::new(), Vec::new());
    let mut directory = Vec::new();
    for name in &names {
        match name {
            GeneralName::DnsName(host) => hosts.push(host.as_str()),
            GeneralName::Rfc822Name(address) => mail.push(address.as_str()),
            GeneralName::UniformResourceIdentifier(uri) => uris.push(uri.as_str()),
            GeneralName::DirectoryName(name) => directory.push(name),
            _ => findings.note(RULE, "a name is of a type that no profile has"),
        }
    }
    let particulars = blueprint.particulars;
    findings.require(
        hosts == particulars.dns_names(),
        RULE,
        "the host names are not the application's",
    );
    findings.require(
        mail.into_iter().eq(particulars.mail()),
        RULE,
        "the mail address is not the application's",
    );
    let login: Vec<_> = particulars.login_uri().into_iter().collect();
    findings.require(uris == login, RULE, "the role is not the application's");
    let japanese = subject_parts(blueprint.subject, Language::Japanese);
    match directory.as_slice() {
        [name] => check_name(name, &japanese, Language::Japanese, RULE, findings),
        _ => findings.note(RULE, "there is not exactly one Japanese name"),
    }
}

fn check_publication(
    found: &[Extension],
    issuer: &Issuer,
    serial: Serial,
    findings: &mut Findings,
) {
    const POINTS: &str = "RFC 5280 §4.2.1.13";
    const ACCESS: &str = "RFC 5280 §4.2.2.1";
    let scope = issuer.crl_options().scope_of(serial);
    if issuer.crl_options().has_delta(scope) {
        check_freshest(issuer, scope, found, findings);
    }
    let points = value(found, oid::CRL_DISTRIBUTION_POINTS, POINTS, findings);
    if let Some(CrlDistributionPoints(points)) = points {
        let right = is_point(&points, &issuer.addresses().crl_of(scope, false));
        findings.require(right, POINTS, "the distribution point is not the CA's");
    }
    let access = value(found, oid::AUTHORITY_INFO_ACCESS, ACCESS, findings);
    if let Some(AuthorityInfoAccessSyntax(access)) = access {
        let Addresses {
            ca_certificate,
            ocsp,
            ..
        } = issuer.addresses();
        let methods = access.iter().map(|a| a.access_method.as_bytes());
        let expected = iter::repeat_n(oid::CA_ISSUERS, ca_certificate.len())
            .chain(iter::repeat_n(oid::OCSP, ocsp.len()));
        let addresses = [ca_certificate.as_slice(), ocsp].concat();
        findings.require(
            methods.eq(expected) && are_uris(access.iter().map(|a| &a.access_location), &addresses),
            ACCESS,
            "the addresses of CA certificate and OCSP responder are not the CA's",
        );
    }
}

/// Whether there is one point, and its name is a fullName of exactly these addresses.
pub(super) fn is_point(points: &[DistributionPoint], addresses: &[String]) -> bool {
    match points {
        [point] if point.reasons.is_none() && point.crl_issuer.is_none() => point
            .distribution_point
            .as_ref()
            .is_some_and(|name| is_full_name(name, addresses)),
        _ => false,
    }
}

/// Whether a distribution point's name is a fullName of exactly these addresses.
pub(super) fn is_full_name(name: &DistributionPointName, addresses: &[String]) -> bool {
    match name {
        DistributionPointName::FullName(names) => are_uris(names.iter(), addresses),
        DistributionPointName::NameRelativeToCRLIssuer(_) => false,
    }
}

pub(super) fn are_uris<'a>(
    names: impl Iterator<Item = &'a GeneralName>,
    addresses: &[String],
) -> bool {
    names
        .map(|name| match name {
            GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str()),
            _ => None,
        })
        .eq(addresses.iter().map(|a| Some(a.as_str())))
}
