//! The lint of CRLs.

use der::Decode;
use x509_cert::{
    ext::{Extension, pkix::crl::IssuingDistributionPoint},
    name::Name,
    spki::AlgorithmIdentifierOwned,
};

use super::{
    Findings, LintRefused, LintedCrl,
    certificate::is_full_name,
    fields::{check_algorithm, check_authority_key, check_extensions, check_time, value},
};
use crate::{
    crl::{CrlSummary, Entries, Fields, number_of},
    issuer::Issuer,
    oid,
};

/// Checks a tbsCertList: form, issuer, dates, extensions, and every entry. One entry at a time is
/// decoded, so that a large list needs no more memory than its bytes.
pub fn lint_crl(issuer: &Issuer, tbs: Vec<u8>) -> Result<LintedCrl, LintRefused> {
    let mut findings = Findings::default();
    let summary = check(issuer, &tbs, &mut findings);
    findings.into_result()?;
    match summary {
        Some(summary) => Ok(LintedCrl {
            tbs,
            algorithm: issuer.signature_algorithm(),
            summary,
        }),
        None => Err(LintRefused {
            findings: Vec::new(),
        }),
    }
}

fn check(issuer: &Issuer, tbs: &[u8], findings: &mut Findings) -> Option<CrlSummary> {
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
    findings.require(
        ca.contains(this_update),
        DATES,
        "thisUpdate is not within the CA's validity",
    );
    findings.require(
        fields.lists_entries != fields.entries.is_empty(),
        "RFC 5280 §5.1.2.6",
        "an empty list of entries must be left out",
    );
    let extensions = findings.decoded(fields.extensions(), "RFC 5280 §5.2")?;
    let number = check_crl_extensions(issuer, &extensions, findings);
    let mut entries = 0;
    for entry in Entries::new(fields.entries) {
        let entry = findings.decoded(entry, "RFC 5280 §5.3")?;
        if entry.revoked_at > this_update {
            let message = format!("{} is revoked after thisUpdate", entry.serial);
            findings.note("RFC 5280 §5.1.2.6", message);
            break;
        }
        entries += 1;
    }
    Some(CrlSummary {
        number: number?,
        this_update,
        next_update,
        entries,
    })
}

fn check_crl_extensions(
    issuer: &Issuer,
    found: &[Extension],
    findings: &mut Findings,
) -> Option<lgpki_domain::CrlNumber> {
    const POINT: &str = "RFC 5280 §5.2.5";
    check_extensions(
        found,
        &[
            (oid::AUTHORITY_KEY_IDENTIFIER, false),
            (oid::CRL_NUMBER, false),
            (oid::ISSUING_DISTRIBUTION_POINT, true),
        ],
        findings,
    );
    check_authority_key(found, issuer.key_id(), findings);
    let point: Option<IssuingDistributionPoint> =
        value(found, oid::ISSUING_DISTRIBUTION_POINT, POINT, findings);
    if let Some(point) = point {
        let named = point
            .distribution_point
            .as_ref()
            .is_some_and(|name| is_full_name(name, &issuer.addresses().crl));
        let scope = point.only_contains_user_certs
            && !point.only_contains_ca_certs
            && !point.only_contains_attribute_certs
            && !point.indirect_crl
            && point.only_some_reasons.is_none();
        findings.require(
            named && scope,
            POINT,
            "the issuingDistributionPoint is not that of the CA's certificates",
        );
    }
    let number = found
        .iter()
        .find(|e| e.extn_id.as_bytes() == oid::CRL_NUMBER)
        .map(number_of);
    if number == Some(None) {
        findings.note("RFC 5280 §5.2.3", "the CRL number does not fit 64 bits");
    }
    number.flatten()
}
