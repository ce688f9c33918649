//! The lint that stands before every signature.
//!
//! What the builders wrote is read back by another decoder and compared, field by field, with the
//! registered data, the profile and RFC 5280. Only what passed becomes a [`Linted`] or
//! [`LintedCrl`]: tokens that own the bytes, cannot be made otherwise, and are used up by the
//! signature.

mod authority;
mod certificate;
mod crl;
mod cross;
mod fields;
mod link;

use std::fmt;

use lgpki_domain::{CrlScope, Digest, ErrorClass, SignatureAlgorithm};

pub use authority::lint_authority;
pub use certificate::lint_certificate;
pub use crl::{CrlLint, lint_crl};
pub use cross::lint_cross;
pub use link::lint_link;

use crate::{crl::CrlSummary, key::sha256, signed};

/// A tbsCertificate that may be signed.
#[derive(Debug)]
pub struct Linted {
    tbs: Vec<u8>,
    algorithm: SignatureAlgorithm,
}

impl Linted {
    /// The bytes to sign.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// Their SHA-256.
    #[must_use]
    pub fn digest(&self) -> Digest {
        sha256(&self.tbs)
    }

    /// The signature algorithm that the bytes announce.
    #[must_use]
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The certificate in DER, once signed.
    #[must_use]
    pub fn into_certificate(self, signature: &[u8]) -> Vec<u8> {
        signed::assemble(self.tbs, self.algorithm, signature)
    }
}

/// A tbsCertList that may be signed.
#[derive(Debug)]
pub struct LintedCrl {
    /// None where only its digest is wanted.
    tbs: Option<Vec<u8>>,
    digest: Digest,
    scope: CrlScope,
    algorithm: SignatureAlgorithm,
    summary: CrlSummary,
}

impl LintedCrl {
    /// The bytes to sign, if they were kept.
    #[must_use]
    pub fn tbs(&self) -> Option<&[u8]> {
        self.tbs.as_deref()
    }

    /// Their SHA-256.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Which certificates it covers, by its issuingDistributionPoint.
    #[must_use]
    pub const fn scope(&self) -> CrlScope {
        self.scope
    }

    /// The signature algorithm that the bytes announce.
    #[must_use]
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// What the list says about itself.
    #[must_use]
    pub const fn summary(&self) -> CrlSummary {
        self.summary
    }
}

/// One thing that the lint found wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LintFinding {
    /// The rule that is broken, such as `RFC 5280 §4.1.2.2` or `profile keyUsage`.
    pub rule: &'static str,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for LintFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.rule)
    }
}

/// What was built must not be signed: a fault of ours, never of an applicant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LintRefused {
    findings: Vec<LintFinding>,
}

impl LintRefused {
    /// Everything that was found, at least one thing.
    #[must_use]
    pub fn findings(&self) -> &[LintFinding] {
        &self.findings
    }

    /// What the failure means to the caller.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        ErrorClass::Internal
    }
}

impl fmt::Display for LintRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lint refuses what was built: ")?;
        for (i, finding) in self.findings.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for LintRefused {}

/// Findings gathered while a structure is read.
#[derive(Debug, Default)]
struct Findings(Vec<LintFinding>);

impl Findings {
    fn note(&mut self, rule: &'static str, message: impl Into<String>) {
        self.0.push(LintFinding {
            rule,
            message: message.into(),
        });
    }

    /// Notes a finding unless `holds`.
    fn require(&mut self, holds: bool, rule: &'static str, message: &str) {
        if !holds {
            self.note(rule, message);
        }
    }

    /// The decoded value, or a finding that it cannot be decoded.
    fn decoded<T>(&mut self, value: Result<T, impl fmt::Display>, rule: &'static str) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(error) => {
                self.note(rule, format!("it cannot be decoded: {error}"));
                None
            }
        }
    }

    fn into_result(self) -> Result<(), LintRefused> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(LintRefused { findings: self.0 })
        }
    }
}

#[cfg(test)]
mod tests;
