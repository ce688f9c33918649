//! The envelope that certificates, CRLs and CSRs share: what is signed, algorithm, signature.
//!
//! What was signed goes in and comes out byte for byte; nothing is ever re-encoded.

use lgpki_domain::SignatureAlgorithm;

use crate::{
    decode::{NotDer, Reader},
    encode::{bit_string, header, header_length, sequence, tag, tlv},
    error::X509Error,
    key::SubjectPublicKey,
};

/// Wraps what was signed: `SEQUENCE { to_be_signed, algorithm, signature }`.
#[must_use]
pub fn assemble(
    mut to_be_signed: Vec<u8>,
    algorithm: SignatureAlgorithm,
    signature: &[u8],
) -> Vec<u8> {
    let mut tail = Vec::with_capacity(signature.len() + 24);
    algorithm_identifier(&mut tail, algorithm);
    bit_string(&mut tail, signature);
    let length = to_be_signed.len() + tail.len();
    let mut front = Vec::with_capacity(header_length(length));
    header(&mut front, tag::SEQUENCE, length);
    // In place, because a CRL may be large.
    to_be_signed.reserve_exact(front.len() + tail.len());
    to_be_signed.extend_from_slice(&tail);
    to_be_signed.splice(0..0, front);
    to_be_signed
}

/// The content octets of a signature algorithm's OID.
pub(crate) const fn oid_of(algorithm: SignatureAlgorithm) -> &'static [u8] {
    match algorithm {
        SignatureAlgorithm::RsaSha256 => &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11],
        SignatureAlgorithm::RsaSha384 => &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12],
        SignatureAlgorithm::RsaSha512 => &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13],
        SignatureAlgorithm::EcdsaSha256 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
        SignatureAlgorithm::EcdsaSha384 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3],
        SignatureAlgorithm::Ed25519 => crate::oid::ED25519,
    }
}

/// Whether the algorithm's parameters are NULL (RSA, RFC 4055 §5) or absent (the others).
pub(crate) const fn has_null_parameters(algorithm: SignatureAlgorithm) -> bool {
    matches!(
        algorithm,
        SignatureAlgorithm::RsaSha256
            | SignatureAlgorithm::RsaSha384
            | SignatureAlgorithm::RsaSha512
    )
}

/// Appends an AlgorithmIdentifier.
pub(crate) fn algorithm_identifier(out: &mut Vec<u8>, algorithm: SignatureAlgorithm) {
    sequence(out, |out| {
        tlv(out, tag::OID, oid_of(algorithm));
        if has_null_parameters(algorithm) {
            tlv(out, tag::NULL, &[]);
        }
    });
}

/// The algorithm that an AlgorithmIdentifier's OID and parameters name, if it is allowed.
pub(crate) fn algorithm_of(oid: &[u8], parameters: &[u8]) -> Option<SignatureAlgorithm> {
    let algorithm = SignatureAlgorithm::ALL
        .into_iter()
        .find(|a| oid_of(*a) == oid)?;
    let expected: &[u8] = if has_null_parameters(algorithm) {
        &[tag::NULL, 0]
    } else {
        &[]
    };
    (parameters == expected).then_some(algorithm)
}

/// The three parts, unjudged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) to_be_signed: &'a [u8],
    pub(crate) algorithm_oid: &'a [u8],
    /// In DER, tag included; empty if absent.
    pub(crate) algorithm_parameters: &'a [u8],
    pub(crate) signature: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, NotDer> {
        let mut outer = Reader::new(der);
        let mut parts = outer.open(tag::SEQUENCE)?;
        outer.finish()?;
        let to_be_signed = parts.value()?;
        to_be_signed.expect(tag::SEQUENCE)?;
        let mut algorithm = parts.open(tag::SEQUENCE)?;
        let algorithm_oid = algorithm.expect(tag::OID)?;
        let algorithm_parameters = if algorithm.is_empty() {
            &[]
        } else {
            algorithm.value()?.raw
        };
        algorithm.finish()?;
        let [0, signature @ ..] = parts.expect(tag::BIT_STRING)? else {
            return Err(NotDer {
                why: "the signature is not a whole number of octets",
            });
        };
        parts.finish()?;
        Ok(Self {
            to_be_signed: to_be_signed.raw,
            algorithm_oid,
            algorithm_parameters,
            signature,
        })
    }
}

/// A certificate or CRL taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    content: &'a [u8],
    algorithm: SignatureAlgorithm,
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Takes a certificate or CRL in DER apart; its signature algorithm must be an allowed one.
    pub fn parse(der: &'a [u8]) -> Result<Self, X509Error> {
        const WHAT: &str = "a signed structure in DER";
        let parts = Parts::read(der).map_err(|e| X509Error::unreadable(WHAT, &e))?;
        let algorithm =
            algorithm_of(parts.algorithm_oid, parts.algorithm_parameters).ok_or_else(|| {
                let found = crate::oid::describe(parts.algorithm_oid);
                X509Error::unreadable(WHAT, &format!("signature algorithm {found} is not allowed"))
            })?;
        Ok(Self {
            content: parts.to_be_signed,
            algorithm,
            signature: parts.signature,
        })
    }

    /// The bytes that were signed.
    #[must_use]
    pub const fn to_be_signed(&self) -> &'a [u8] {
        self.content
    }

    /// The signature algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The signature's octets.
    #[must_use]
    pub const fn signature(&self) -> &'a [u8] {
        self.signature
    }

    /// Whether `key` made the signature.
    #[must_use]
    pub fn is_signed_by(&self, key: &SubjectPublicKey) -> bool {
        key.verify(self.algorithm, self.content, self.signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_signed_comes_out_byte_for_byte() {
        for algorithm in SignatureAlgorithm::ALL {
            let content = [0x30, 3, 2, 1, 5];
            let whole = assemble(content.to_vec(), algorithm, &[7; 200]);
            let parts = Signed::parse(&whole).unwrap();
            assert_eq!(parts.to_be_signed(), content);
            assert_eq!(parts.signature(), [7; 200]);
            assert_eq!(parts.algorithm(), algorithm);
            assert_eq!(crate::oid::dotted(oid_of(algorithm)), algorithm.oid());
        }
    }
}
