//! The self-signed certificates of the LGPKI CAs.
//!
//! Named `C=JP, O=LGPKI, OU=Organization CA`, with the Japanese name in the subjectAltName; they
//! sign certificates and CRLs. The Application CA has no CA below it; the Organization CA may have a
//! bridge CA below it, by cross certificate.

use lgpki_domain::{Authority, Serial, Validity};

use crate::{
    error::X509Error,
    extension,
    key::SubjectPublicKey,
    name::{Language, authority_parts, name},
    profile::usage,
    tbs::{Frame, directory_name},
};

/// What a CA certificate is built from.
#[derive(Clone, Copy, Debug)]
pub struct CaBlueprint<'a> {
    /// The CA.
    pub authority: Authority,
    /// Its public key.
    pub public_key: &'a SubjectPublicKey,
    /// The certificate's serial number.
    pub serial: Serial,
    /// When it is valid; see [`Validity::for_ca`].
    pub validity: Validity,
}

/// How many CAs may come below an authority. None may below the Application CA; the Organization
/// CA's certificate leaves it open, for a limit there would forbid every cross certificate, each of
/// which has a limit of its own.
pub(crate) const fn path_length(authority: Authority) -> Option<u8> {
    match authority {
        Authority::Organization => None,
        Authority::Application => Some(0),
    }
}

/// Builds the tbsCertificate in DER.
pub fn build(blueprint: &CaBlueprint<'_>) -> Result<Vec<u8>, X509Error> {
    let english = authority_parts(blueprint.authority, Language::English);
    let japanese = authority_parts(blueprint.authority, Language::Japanese);
    let mut own_name = Vec::new();
    name(&mut own_name, &english, Language::English);
    let frame = Frame {
        serial: blueprint.serial,
        algorithm: blueprint.public_key.algorithm().signature(),
        issuer: &own_name,
        validity: blueprint.validity,
        public_key: blueprint.public_key,
    };
    let key_id = blueprint.public_key.key_id();
    frame.write(
        |out| out.extend_from_slice(&own_name),
        |out| {
            extension::authority_key_identifier(out, key_id);
            extension::subject_key_identifier(out, key_id);
            extension::key_usage(out, usage::KEY_CERT_SIGN | usage::CRL_SIGN);
            extension::subject_alt_name(out, |out| {
                directory_name(out, |out| name(out, &japanese, Language::Japanese));
            });
            extension::ca_constraints(out, path_length(blueprint.authority));
        },
    )
}
