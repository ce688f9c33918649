//! What the demonstration leaves behind with `--out`, and its summary.

use std::{fs, path::Path};

use lgpki_domain::Authority;
use lgpki_x509::pem;
use serde_json::{Value, json};

use super::{
    applicants::Applicant, refusals::Refused, revocation::Crl, stage::Stage, verify::Checks,
};
use crate::error::CommandError;

/// What came of it.
#[derive(Debug)]
pub(super) struct Results {
    /// The CA certificates, PEM.
    pub(super) authorities: Vec<(Authority, String)>,
    pub(super) applicants: Vec<Applicant>,
    pub(super) crls: Vec<Crl>,
    pub(super) refused: Vec<Refused>,
    pub(super) checks: Checks,
}

/// Refuses a place that cannot be written to, before anything is done.
pub(super) fn check(out: &Path) -> Result<(), CommandError> {
    fs::create_dir_all(out)
        .map_err(|e| CommandError::file("make", out, &e).hint("name another directory with --out"))
}

/// Writes `ca/`, `csr/`, `cert/`, `crl/` and `summary.json`.
pub(super) fn write(out: &Path, results: &Results, stage: &Stage) -> Result<(), CommandError> {
    for (authority, text) in &results.authorities {
        put(&out.join(format!("ca/{authority}.pem")), text.as_bytes())?;
    }
    for applicant in &results.applicants {
        put(
            &out.join(format!("csr/{}.pem", applicant.label)),
            &csr_pem(applicant)?,
        )?;
        let der = applicant.der().unwrap_or_default();
        let text = pem::encode(pem::Label::Certificate, der)
            .map_err(|e| CommandError::from_error("PEM", &e))?;
        put(
            &out.join(format!("cert/{}.pem", applicant.label)),
            text.as_bytes(),
        )?;
    }
    for crl in &results.crls {
        put(&out.join(format!("crl/{}.crl", crl.authority)), &crl.der)?;
    }
    let summary = serde_json::to_string_pretty(&summary(results, stage)).unwrap_or_default();
    put(&out.join("summary.json"), (summary + "\n").as_bytes())
}

fn csr_pem(applicant: &Applicant) -> Result<Vec<u8>, CommandError> {
    let csr = &applicant.content.csr;
    if csr.starts_with(b"-----BEGIN") {
        return Ok(csr.clone());
    }
    pem::encode(pem::Label::CertificateRequest, csr)
        .map(String::into_bytes)
        .map_err(|e| CommandError::from_error("PEM", &e))
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(|e| CommandError::file("make", dir, &e))?;
    }
    fs::write(path, bytes).map_err(|e| CommandError::file("write", path, &e))
}

/// The summary, for machines.
pub(super) fn summary(results: &Results, stage: &Stage) -> Value {
    let applicants: Vec<_> = results.applicants.iter().map(applicant).collect();
    let refused: Vec<_> = results
        .refused
        .iter()
        .map(|r| json!({ "rule": r.rule, "tried": r.tried, "reason": r.reason, "message": r.message }))
        .collect();
    let crls: Vec<_> = results
        .crls
        .iter()
        .map(|c| json!({ "authority": c.authority.name(), "url": c.url, "bytes": c.der.len() }))
        .collect();
    let steps: Vec<_> = stage
        .steps()
        .iter()
        .map(|s| json!({ "step": s.name, "seconds": s.seconds }))
        .collect();
    json!({
        "certificates": applicants,
        "refused": refused,
        "crls": crls,
        "checks": {
            "certificates": results.checks.certificates,
            "fields": results.checks.fields,
            "crls": results.checks.crls,
            "openssl": results.checks.openssl,
        },
        "steps": steps,
        "seconds": stage.seconds(),
    })
}

fn applicant(applicant: &Applicant) -> Value {
    let names = |n: &lgpki_domain::Names| json!({ "en": n.en(), "ja": n.ja() });
    json!({
        "label": applicant.label,
        "kind": applicant.kind.name(),
        "authority": applicant.kind.authority().map(Authority::name),
        "branch": applicant.branch.to_string(),
        "application": applicant.number(),
        "serial": applicant.serial(),
        "revoked": applicant.revoked,
        "subject": {
            "body": names(&applicant.subject.body),
            "unit": applicant.subject.unit.as_ref().map(names),
            "name": names(&applicant.subject.name),
        },
        "dns_names": applicant.content.dns_names,
        "mail_address": applicant.content.mail_address,
    })
}
