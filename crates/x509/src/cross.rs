//! Cross certificates: this CA certifies another operator's CA, such as a bridge (相互認証証明書).
//!
//! Made by ceremony only, never for an application. The other CA's name and key are taken from its
//! own certificate or request byte for byte, because what it issues bears them so; everything else is
//! decided here, and there is no cross certificate without constraints on names and policies.

mod constraints;
mod foreign;

use lgpki_domain::{Faults, Serial, Validity};

pub use constraints::{Constraints, PolicyOid, Subtree};
pub use foreign::ForeignCa;

pub use crate::name::AttributeName;
use crate::{error::X509Error, extension, issuer::Issuer, link, profile::usage, tbs::Frame};

/// What a cross certificate is built from.
#[derive(Clone, Copy, Debug)]
pub struct CrossBlueprint<'a> {
    /// The CA key that signs.
    pub issuer: &'a Issuer,
    /// The CA that is certified.
    pub subject: &'a ForeignCa,
    /// What it may vouch for.
    pub constraints: &'a Constraints,
    /// The certificate's serial number.
    pub serial: Serial,
    /// When it is valid.
    pub validity: Validity,
}

impl CrossBlueprint<'_> {
    /// Everything that forbids such a certificate, told in words for the people at the ceremony.
    pub fn check(&self) -> Result<(), Faults> {
        let mut faults = Faults::new();
        if let Err(wrong) = self.constraints.check() {
            faults.append(wrong);
        }
        let (ca, own) = (self.issuer.validity(), self.validity);
        if own.first_day() < ca.first_day() || own.last_day() > ca.last_day() {
            let message = format!(
                "a certificate valid from {} to {} would outlive or predate its CA, which is valid \
                 from {} to {}; choose fewer years, or a newer generation of the CA's key",
                own.first_day(),
                own.last_day(),
                ca.first_day(),
                ca.last_day()
            );
            faults.push("validity", "CA_EXPIRES_FIRST", message);
        }
        if self.issuer.path_length().is_some() {
            let message = format!(
                "the certificate of the {} CA allows no CA below it, so that nobody could follow a \
                 cross certificate of it",
                self.issuer.authority()
            );
            faults.push("authority", "CROSS_FORBIDDEN_TO_CA", message);
        }
        if self.subject.public_key().digest() == self.issuer.public_key().digest() {
            let message = "the key is this CA's own; give the other CA's certificate";
            faults.push("certificate", "CROSS_WITH_ITSELF", message);
        }
        faults.into_result()
    }
}

/// Builds the tbsCertificate in DER.
pub fn build(blueprint: &CrossBlueprint<'_>) -> Result<Vec<u8>, X509Error> {
    if let Err(faults) = blueprint.check() {
        return Err(X509Error::unencodable(
            "a cross certificate",
            faults.to_string(),
        ));
    }
    let (signs, subject) = (blueprint.issuer, blueprint.subject);
    let frame = Frame {
        serial: blueprint.serial,
        algorithm: signs.signature_algorithm(),
        issuer: signs.name_der(),
        validity: blueprint.validity,
        public_key: subject.public_key(),
    };
    frame.write(
        |out| out.extend_from_slice(subject.name_der()),
        |out| {
            let constraints = blueprint.constraints;
            extension::authority_key_identifier(out, signs.key_id());
            extension::subject_key_identifier(out, subject.key_id());
            extension::key_usage(out, usage::KEY_CERT_SIGN | usage::CRL_SIGN);
            let policies: Vec<_> = constraints.policies.iter().map(PolicyOid::octets).collect();
            extension::policies(out, &policies);
            extension::ca_constraints(out, constraints.path_length);
            constraints.write(out);
            link::publication(out, signs);
        },
    )
}
