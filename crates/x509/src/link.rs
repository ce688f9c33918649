//! Link certificates: two key generations of one CA vouch for one another (RFC 4210 §4.4).
//!
//! *Old with new*, the older key certified with the newer one, leads who trusts the new CA
//! certificate to what the old key signed; *new with old* leads who still trusts the old one to what
//! the new key signs. Both bear the CA's own name twice. Neither outlives the older generation, and
//! each can be revoked: its distribution point is the list of revoked CA certificates of the
//! generation that signed it.

use lgpki_domain::{Serial, Validity};

use crate::{
    authority::path_length,
    encode::{sequence, tlv},
    error::X509Error,
    extension,
    issuer::Issuer,
    name::{Language, authority_parts, name},
    oid,
    profile::usage,
    tbs::{Frame, directory_name},
};

/// What a link certificate is built from.
#[derive(Clone, Copy, Debug)]
pub struct LinkBlueprint<'a> {
    /// The generation that signs.
    pub issuer: &'a Issuer,
    /// The generation whose key is certified.
    pub certified: &'a Issuer,
    /// The certificate's serial number.
    pub serial: Serial,
}

impl LinkBlueprint<'_> {
    /// From the day on which the certified generation begins, until the first of the two ends
    /// (RFC 4210 §4.4.1, steps 2 and 3); `None` where they do not overlap.
    #[must_use]
    pub fn validity(&self) -> Option<Validity> {
        let (signs, certified) = (self.issuer.validity(), self.certified.validity());
        let last = signs.last_day().min(certified.last_day());
        Validity::try_new(certified.first_day(), last)
    }

    /// Why these two cannot be linked, if they cannot.
    pub(crate) fn unfit(&self) -> Option<&'static str> {
        let (signs, certified) = (self.issuer, self.certified);
        if signs.authority() != certified.authority() {
            Some("the two keys are of different CAs")
        } else if signs.generation() == certified.generation()
            || signs.public_key().digest() == certified.public_key().digest()
        {
            Some("a key is not linked with itself")
        } else if self.validity().is_none() {
            Some("the two generations are not valid at any one time")
        } else {
            None
        }
    }
}

/// Builds the tbsCertificate in DER.
pub fn build(blueprint: &LinkBlueprint<'_>) -> Result<Vec<u8>, X509Error> {
    let unencodable = |why| X509Error::unencodable("a link certificate", why);
    if let Some(why) = blueprint.unfit() {
        return Err(unencodable(why));
    }
    let (signs, certified) = (blueprint.issuer, blueprint.certified);
    let validity = blueprint
        .validity()
        .ok_or_else(|| unencodable("there is no common day"))?;
    let frame = Frame {
        serial: blueprint.serial,
        algorithm: signs.signature_algorithm(),
        issuer: signs.name_der(),
        validity,
        public_key: certified.public_key(),
    };
    let japanese = authority_parts(certified.authority(), Language::Japanese);
    frame.write(
        |out| out.extend_from_slice(certified.name_der()),
        |out| {
            extension::authority_key_identifier(out, signs.key_id());
            extension::subject_key_identifier(out, certified.key_id());
            extension::key_usage(out, usage::KEY_CERT_SIGN | usage::CRL_SIGN);
            // Between two keys of one CA no policy is lost (RFC 5280 §4.2.1.4).
            extension::policies(out, &[oid::ANY_POLICY]);
            extension::subject_alt_name(out, |out| {
                directory_name(out, |out| name(out, &japanese, Language::Japanese));
            });
            extension::ca_constraints(out, path_length(certified.authority()));
            publication(out, signs);
        },
    )
}

/// cRLDistributionPoints and authorityInfoAccess of a CA certificate that `signs` issues.
pub(crate) fn publication(out: &mut Vec<u8>, signs: &Issuer) {
    let mut point = Vec::new();
    extension::distribution_point_name(&mut point, &signs.addresses().ca_crl());
    extension::crl_distribution_points(out, &point);
    extension::extension_of(out, oid::AUTHORITY_INFO_ACCESS, false, |out| {
        sequence(out, |out| {
            for address in &signs.addresses().ca_certificate {
                sequence(out, |out| {
                    tlv(out, crate::encode::tag::OID, oid::CA_ISSUERS);
                    tlv(out, crate::encode::tag::context(6), address.as_bytes());
                });
            }
        });
    });
}
