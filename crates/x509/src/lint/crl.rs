//! The lint of CRLs.

use der::Decode;
use lgpki_domain::{CrlNumber, CrlScope};
use x509_cert::{
    ext::{
        Extension,
        pkix::{CrlDistributionPoints, crl::IssuingDistributionPoint},
    },
    name::Name,
    spki::AlgorithmIdentifierOwned,
};

use super::{
    Findings, LintRefused, LintedCrl,
    certificate::{is_full_name, is_point},
    fields::{check_algorithm, check_authority_key, check_extensions, check_time, value},
};
use crate::{
    crl::{CrlSummary, Entries, Fields, number_of},
    issuer::Issuer,
    key::Digested,
    oid,
};

/// Checks a tbsCertList: form, issuer, dates, extensions, and every entry. One entry at a time is
/// decoded, so that a large list needs no more memory than its bytes.
pub fn lint_crl(issuer: &Issuer, tbs: impl Into<Digested>) -> Result<LintedCrl, LintRefused> {
    let (tbs, digest) = tbs.into().finish();
    let mut findings = Findings::default();
    let checked = check(issuer, &tbs, &mut findings);
    findings.into_result()?;
    match checked {
        Some((scope, summary)) => Ok(LintedCrl {
            digest,
            scope,
            tbs,
            algorithm: issuer.signature_algorithm(),
            summary,
        }),
        None => Err(LintRefused {
            findings: Vec::new(),
        }),
    }
}

fn check(issuer: &Issuer, tbs: &[u8], findings: &mut Findings) -> Option<(CrlScope, CrlSummary)> {
    const FORM: &str = "RFC 5280 §5.1";
    const DATES: &str = "RFC 5280 §5.1.2";
    let fields = findings.decoded(Fields::read(tbs), FORM)?;
    findings.require(
        fields.version == [1],
        "RFC 5280 §5.1.2.1",
        "the version is not v2",
    );
    let algorithm = AlgorithmIdentifierOwned::from_der(fields.algorithm);
    check_algorithm(
        &findings.decoded(algorithm, "RFC 5280 §5.1.2.2")?,
        issuer.signature_algorithm(),
        findings,
    );
    let name = findings.decoded(Name::from_der(fields.issuer), "RFC 5280 §5.1.2.3")?;
    findings.require(
        name == issuer.name,
        "RFC 5280 §5.1.2.3",
        "the issuer is not the CA certificate's subject",
    );
    let (this_update, next_update) = findings.decoded(fields.dates(), DATES)?;
    for (der, date) in [
        (fields.this_update, this_update),
        (fields.next_update, next_update),
    ] {
        let time = findings.decoded(x509_cert::time::Time::from_der(der), DATES)?;
        check_time(time, date, findings);
    }
    findings.require(
        this_update < next_update,
        DATES,
        "nextUpdate is not after thisUpdate",
    );
    let ca = issuer.validity();
    // A key publishes CRLs from its ceremony on, which may come before its first day.
    findings.require(
        !ca.is_over(this_update),
        DATES,
        "thisUpdate is after the CA's end",
    );
    findings.require(
        fields.lists_entries != fields.entries.is_empty(),
        "RFC 5280 §5.1.2.6",
        "an empty list of entries must be left out",
    );
    let extensions = findings.decoded(fields.extensions(), "RFC 5280 §5.2")?;
    let scope = scope_of(issuer, &extensions, findings)?;
    let (number, base) = check_crl_extensions(issuer, scope, &extensions, findings);
    let options = issuer.crl_options();
    let mut entries = 0;
    for entry in Entries::new(fields.entries) {
        let entry = findings.decoded(entry, "RFC 5280 §5.3")?;
        if entry.revoked_at > this_update {
            let message = format!("{} is revoked after thisUpdate", entry.serial);
            findings.note("RFC 5280 §5.1.2.6", message);
            break;
        }
        if scope != CrlScope::CaCertificates && options.scope_of(entry.serial) != scope {
            let message = format!("{} belongs to another partition", entry.serial);
            findings.note("RFC 5280 §5.2.5", message);
            break;
        }
        entries += 1;
    }
    let summary = CrlSummary {
        base,
        number: number?,
        this_update,
        next_update,
        entries,
    };
    Some((scope, summary))
}

/// The scope that the issuingDistributionPoint tells of, which must be one that the CA publishes.
fn scope_of(issuer: &Issuer, found: &[Extension], findings: &mut Findings) -> Option<CrlScope> {
    const POINT: &str = "RFC 5280 §5.2.5";
    let point: Option<IssuingDistributionPoint> =
        value(found, oid::ISSUING_DISTRIBUTION_POINT, POINT, findings);
    let Some(point) = point else {
        findings.note(POINT, "the issuingDistributionPoint is missing".to_owned());
        return None;
    };
    let plain = !point.only_contains_attribute_certs
        && !point.indirect_crl
        && point.only_some_reasons.is_none();
    let covers = (point.only_contains_user_certs, point.only_contains_ca_certs);
    let name = point.distribution_point.as_ref();
    let fits = |scope: &CrlScope| match scope {
        CrlScope::CaCertificates => covers == (false, true) && name.is_none(),
        CrlScope::User | CrlScope::Partition(_) => {
            let addresses = issuer.addresses().crl_of(*scope, false);
            covers == (true, false) && name.is_some_and(|name| is_full_name(name, &addresses))
        }
    };
    let scope = issuer.crl_options().scopes().find(fits);
    if scope.is_none() || !plain {
        let message = "the issuingDistributionPoint is not that of the CA's certificates";
        findings.note(POINT, message.to_owned());
        return None;
    }
    scope
}

fn check_crl_extensions(
    issuer: &Issuer,
    scope: CrlScope,
    found: &[Extension],
    findings: &mut Findings,
) -> (Option<CrlNumber>, Option<CrlNumber>) {
    const DELTA: &str = "RFC 5280 §5.2.4";
    let has = |oid: &[u8]| found.iter().any(|e| e.extn_id.as_bytes() == oid);
    let mut expected = vec![
        (oid::AUTHORITY_KEY_IDENTIFIER, false),
        (oid::CRL_NUMBER, false),
        (oid::ISSUING_DISTRIBUTION_POINT, true),
    ];
    let is_delta = has(oid::DELTA_CRL_INDICATOR);
    let has_delta = issuer.crl_options().has_delta(scope);
    if is_delta {
        expected.push((oid::DELTA_CRL_INDICATOR, true));
        findings.require(has_delta, DELTA, "this CA publishes no delta of this CRL");
    } else if has_delta {
        expected.push((oid::FRESHEST_CRL, false));
        check_freshest(issuer, scope, found, findings);
    }
    check_extensions(found, &expected, findings);
    check_authority_key(found, issuer.key_id(), findings);
    let number = number(found, oid::CRL_NUMBER, findings);
    let base = number_if(is_delta, found, findings);
    if let (Some(number), Some(base)) = (number, base) {
        let message = "the base comes after the delta CRL";
        findings.require(base <= number, DELTA, message);
    }
    (number, base)
}

fn number_if(is_delta: bool, found: &[Extension], findings: &mut Findings) -> Option<CrlNumber> {
    if !is_delta {
        return None;
    }
    number(found, oid::DELTA_CRL_INDICATOR, findings)
}

/// A number of a CRL; one that does not fit is noted.
fn number(found: &[Extension], of: &[u8], findings: &mut Findings) -> Option<CrlNumber> {
    let number = found
        .iter()
        .find(|e| e.extn_id.as_bytes() == of)
        .map(number_of);
    if number == Some(None) {
        let message = "a CRL number does not fit 64 bits";
        findings.note("RFC 5280 §5.2.3", message.to_owned());
    }
    number.flatten()
}

/// Checks that a freshestCRL points to the delta of this scope.
pub(super) fn check_freshest(
    issuer: &Issuer,
    scope: CrlScope,
    found: &[Extension],
    findings: &mut Findings,
) {
    const RULE: &str = "RFC 5280 §5.2.6";
    let points = value(found, oid::FRESHEST_CRL, RULE, findings);
    if let Some(CrlDistributionPoints(points)) = points {
        let right = is_point(&points, &issuer.addresses().crl_of(scope, true));
        findings.require(right, RULE, "the freshestCRL is not the CA's delta CRL");
    }
}
