//! The tbsCertificate of a subscriber, built from registered data only.
//!
//! Nothing of a CSR enters but the public key. What is built is not signed before the `lint` has
//! read it back and agreed.

use lgpki_domain::{Serial, SignatureAlgorithm, Subject, Validity};

use crate::{
    encode::{nested, sequence, tag, tlv},
    error::X509Error,
    extension,
    issuer::Issuer,
    key::SubjectPublicKey,
    name::{Language, name, subject_parts},
    particulars::Particulars,
    profile::profile,
    signed::algorithm_identifier,
    time::time,
};

/// What a subscriber's certificate is built from.
#[derive(Clone, Copy, Debug)]
pub struct Blueprint<'a> {
    /// The registered names.
    pub subject: &'a Subject,
    /// The kind with what only it has.
    pub particulars: &'a Particulars,
    /// The public key of the checked CSR.
    pub public_key: &'a SubjectPublicKey,
    /// The serial number drawn for it.
    pub serial: Serial,
    /// When it is valid.
    pub validity: Validity,
}

/// Builds the tbsCertificate in DER.
pub fn build(issuer: &Issuer, blueprint: &Blueprint<'_>) -> Result<Vec<u8>, X509Error> {
    let kind = blueprint.particulars.kind();
    if !kind.is_issued_by(issuer.authority()) {
        return Err(X509Error::KindNotIssued {
            authority: issuer.authority(),
            kind,
        });
    }
    let frame = Frame {
        serial: blueprint.serial,
        algorithm: issuer.signature_algorithm(),
        issuer: issuer.name_der(),
        validity: blueprint.validity,
        public_key: blueprint.public_key,
    };
    let subject = subject_parts(blueprint.subject, Language::English);
    frame.write(
        |out| name(out, &subject, Language::English),
        |out| extensions(out, issuer, blueprint),
    )
}

fn extensions(out: &mut Vec<u8>, issuer: &Issuer, blueprint: &Blueprint<'_>) {
    let particulars = blueprint.particulars;
    let profile = profile(particulars, blueprint.public_key.algorithm());
    out.extend_from_slice(&issuer.parts.authority_key_identifier);
    extension::subject_key_identifier(out, blueprint.public_key.key_id());
    extension::key_usage(out, profile.key_usage);
    extension::extended_key_usage(out, profile.extended_key_usage);
    extension::certificate_policies(out, &profile, &issuer.addresses().cps);
    extension::subject_alt_name(out, |out| {
        for host in particulars.dns_names() {
            tlv(out, tag::context(2), host.as_bytes());
        }
        if let Some(address) = particulars.mail() {
            tlv(out, tag::context(1), address.as_bytes());
        }
        if let Some(uri) = particulars.login_uri() {
            tlv(out, tag::context(6), uri.as_bytes());
        }
        let japanese = subject_parts(blueprint.subject, Language::Japanese);
        directory_name(out, |out| name(out, &japanese, Language::Japanese));
    });
    if profile.tells_publication {
        issuer.write_distribution(out, blueprint.serial);
        out.extend_from_slice(&issuer.parts.access);
    } else {
        extension::ocsp_no_check(out);
    }
}

/// Appends a GeneralName of the form directoryName.
pub(crate) fn directory_name(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    nested(out, tag::context_constructed(4), write);
}

/// What every tbsCertificate consists of, subscriber's or CA's.
pub(crate) struct Frame<'a> {
    pub(crate) serial: Serial,
    pub(crate) algorithm: SignatureAlgorithm,
    /// The issuer's name in DER.
    pub(crate) issuer: &'a [u8],
    pub(crate) validity: Validity,
    pub(crate) public_key: &'a SubjectPublicKey,
}

impl Frame<'_> {
    pub(crate) fn write(
        &self,
        subject: impl FnOnce(&mut Vec<u8>),
        extensions: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Vec<u8>, X509Error> {
        let mut validity = Vec::with_capacity(32);
        time(&mut validity, self.validity.not_before())?;
        time(&mut validity, self.validity.not_after())?;
        let mut out = Vec::with_capacity(1536);
        sequence(&mut out, |out| {
            // version v3
            out.extend_from_slice(&[tag::context_constructed(0), 3, tag::INTEGER, 1, 2]);
            tlv(out, tag::INTEGER, self.serial.as_bytes());
            algorithm_identifier(out, self.algorithm);
            out.extend_from_slice(self.issuer);
            tlv(out, tag::SEQUENCE, &validity);
            subject(out);
            out.extend_from_slice(self.public_key.der());
            nested(out, tag::context_constructed(3), |out| {
                sequence(out, extensions);
            });
        });
        Ok(out)
    }
}
