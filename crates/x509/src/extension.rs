//! The extensions that certificates and CRLs carry, written.

use lgpki_domain::CrlNumber;

pub(crate) use crate::encode::extension as extension_of;
use crate::{
    encode::{extension, integer, named_bits, nested, sequence, tag, tlv},
    key::KeyId,
    oid,
    profile::Profile,
};

/// authorityKeyIdentifier with the key identifier only; not critical (RFC 5280 §4.2.1.1).
pub(crate) fn authority_key_identifier(out: &mut Vec<u8>, key: KeyId) {
    extension(out, oid::AUTHORITY_KEY_IDENTIFIER, false, |out| {
        sequence(out, |out| tlv(out, tag::context(0), key.as_bytes()));
    });
}

/// subjectKeyIdentifier; not critical (RFC 5280 §4.2.1.2).
pub(crate) fn subject_key_identifier(out: &mut Vec<u8>, key: KeyId) {
    extension(out, oid::SUBJECT_KEY_IDENTIFIER, false, |out| {
        tlv(out, tag::OCTET_STRING, key.as_bytes());
    });
}

/// keyUsage; critical (RFC 5280 §4.2.1.3).
pub(crate) fn key_usage(out: &mut Vec<u8>, bits: u16) {
    extension(out, oid::KEY_USAGE, true, |out| named_bits(out, bits));
}

/// extKeyUsage; not critical, and left out where there is none.
pub(crate) fn extended_key_usage(out: &mut Vec<u8>, purposes: &[&[u8]]) {
    if purposes.is_empty() {
        return;
    }
    extension(out, oid::EXTENDED_KEY_USAGE, false, |out| {
        sequence(out, |out| {
            for purpose in purposes {
                tlv(out, tag::OID, purpose);
            }
        });
    });
}

/// certificatePolicies with the address of the practice statement.
pub(crate) fn certificate_policies(out: &mut Vec<u8>, profile: &Profile, cps: &str) {
    extension(
        out,
        oid::CERTIFICATE_POLICIES,
        profile.policy_is_critical,
        |out| {
            sequence(out, |out| {
                sequence(out, |out| {
                    tlv(out, tag::OID, &profile.policy);
                    sequence(out, |out| {
                        sequence(out, |out| {
                            tlv(out, tag::OID, oid::CPS);
                            tlv(out, tag::IA5_STRING, cps.as_bytes());
                        });
                    });
                });
            });
        },
    );
}

/// A DistributionPointName: fullName with one URI per place of publication.
pub(crate) fn distribution_point_name(out: &mut Vec<u8>, addresses: &[String]) {
    nested(out, tag::context_constructed(0), |out| {
        nested(out, tag::context_constructed(0), |out| {
            for address in addresses {
                tlv(out, tag::context(6), address.as_bytes());
            }
        });
    });
}

/// cRLDistributionPoints with one point; not critical (RFC 5280 §4.2.1.13).
pub(crate) fn crl_distribution_points(out: &mut Vec<u8>, point_name: &[u8]) {
    extension(out, oid::CRL_DISTRIBUTION_POINTS, false, |out| {
        sequence(out, |out| {
            sequence(out, |out| out.extend_from_slice(point_name));
        });
    });
}

/// authorityInfoAccess with the places of the CA certificate and of the OCSP responder; not
/// critical (RFC 5280 §4.2.2.1).
pub(crate) fn authority_info_access(out: &mut Vec<u8>, certificate: &[String], ocsp: &[String]) {
    extension(out, oid::AUTHORITY_INFO_ACCESS, false, |out| {
        sequence(out, |out| {
            for (method, addresses) in [(oid::CA_ISSUERS, certificate), (oid::OCSP, ocsp)] {
                for address in addresses {
                    sequence(out, |out| {
                        tlv(out, tag::OID, method);
                        tlv(out, tag::context(6), address.as_bytes());
                    });
                }
            }
        });
    });
}

/// id-pkix-ocsp-nocheck; not critical, its value is NULL (RFC 6960 §4.2.2.2.1).
pub(crate) fn ocsp_no_check(out: &mut Vec<u8>) {
    extension(out, oid::OCSP_NO_CHECK, false, |out| {
        tlv(out, tag::NULL, &[]);
    });
}

/// basicConstraints of a CA that has at most so many CAs below it; critical (RFC 5280 §4.2.1.9).
pub(crate) fn ca_constraints(out: &mut Vec<u8>, path_length: Option<u8>) {
    extension(out, oid::BASIC_CONSTRAINTS, true, |out| {
        sequence(out, |out| {
            tlv(out, tag::BOOLEAN, &[0xff]);
            if let Some(length) = path_length {
                integer(out, u64::from(length));
            }
        });
    });
}

/// certificatePolicies of a CA certificate, without qualifiers; not critical (RFC 5280 §4.2.1.4).
pub(crate) fn policies(out: &mut Vec<u8>, policies: &[&[u8]]) {
    extension(out, oid::CERTIFICATE_POLICIES, false, |out| {
        policies_value(out, policies);
    });
}

/// The value of [`policies`].
pub(crate) fn policies_value(out: &mut Vec<u8>, policies: &[&[u8]]) {
    sequence(out, |out| {
        for policy in policies {
            sequence(out, |out| tlv(out, tag::OID, policy));
        }
    });
}

/// subjectAltName; not critical, for every certificate here has a subject (RFC 5280 §4.2.1.6).
pub(crate) fn subject_alt_name(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    extension(out, oid::SUBJECT_ALT_NAME, false, |out| {
        sequence(out, write);
    });
}

/// cRLNumber; not critical (RFC 5280 §5.2.3).
pub(crate) fn crl_number(out: &mut Vec<u8>, number: CrlNumber) {
    extension(out, oid::CRL_NUMBER, false, |out| integer(out, number.0));
}

/// issuingDistributionPoint; critical (RFC 5280 §5.2.5).
pub(crate) fn issuing_distribution_point(out: &mut Vec<u8>, value: &[u8]) {
    extension(out, oid::ISSUING_DISTRIBUTION_POINT, true, |out| {
        out.extend_from_slice(value);
    });
}

/// deltaCRLIndicator; critical (RFC 5280 §5.2.4).
pub(crate) fn delta_crl_indicator(out: &mut Vec<u8>, base: CrlNumber) {
    extension(out, oid::DELTA_CRL_INDICATOR, true, |out| {
        integer(out, base.0);
    });
}

/// freshestCRL with one point; not critical (RFC 5280 §4.2.1.15, §5.2.6).
pub(crate) fn freshest_crl(out: &mut Vec<u8>, point_name: &[u8]) {
    extension(out, oid::FRESHEST_CRL, false, |out| {
        sequence(out, |out| {
            sequence(out, |out| out.extend_from_slice(point_name));
        });
    });
}
