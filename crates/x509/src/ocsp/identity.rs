//! How OCSP names a certificate: hashes of its issuer's name and key, and its serial number
//! (RFC 6960 §4.1.1, CertID).

use lgpki_domain::Serial;
use ring::digest;

use crate::{
    decode::{NotDer, Reader},
    encode::{sequence, tag, tlv},
    issuer::Issuer,
    oid,
};

/// The hash algorithms in which an issuer may be named. SHA-1 protects nothing here: both sides
/// know what is hashed, and RFC 5019 clients speak nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl HashAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 2] = [Self::Sha1, Self::Sha256];

    const fn oid(self) -> &'static [u8] {
        match self {
            Self::Sha1 => oid::SHA_1,
            Self::Sha256 => oid::SHA_256,
        }
    }

    pub(super) fn hash(self, bytes: &[u8]) -> digest::Digest {
        let algorithm = match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
        };
        digest::digest(algorithm, bytes)
    }
}

/// A certificate as a request names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertId<'a> {
    raw: &'a [u8],
    algorithm: Option<HashAlgorithm>,
    name_hash: &'a [u8],
    key_hash: &'a [u8],
    serial: &'a [u8],
}

impl<'a> CertId<'a> {
    /// The CertID in DER, as it came; a response repeats it.
    #[must_use]
    pub const fn der(&self) -> &'a [u8] {
        self.raw
    }

    /// The serial number, if it is of the form that this CA gives; another one it never gave.
    #[must_use]
    pub fn serial(&self) -> Option<Serial> {
        Serial::from_bytes(self.serial)
    }

    /// Reads the next CertID; the bytes were found to be strict DER before.
    pub(super) fn read(from: &mut Reader<'a>) -> Result<Self, NotDer> {
        let value = from.value()?;
        let mut fields = value.open(tag::SEQUENCE)?;
        let mut algorithm = fields.open(tag::SEQUENCE)?;
        let named = algorithm.expect(tag::OID)?;
        // Parameters are NULL or absent (RFC 5754 §2): clients write both.
        if !algorithm.is_empty() {
            algorithm.expect(tag::NULL)?;
        }
        algorithm.finish()?;
        let name_hash = fields.expect(tag::OCTET_STRING)?;
        let key_hash = fields.expect(tag::OCTET_STRING)?;
        let serial = fields.expect(tag::INTEGER)?;
        fields.finish()?;
        Ok(Self {
            raw: value.raw,
            algorithm: HashAlgorithm::ALL.into_iter().find(|a| a.oid() == named),
            name_hash,
            key_hash,
            serial,
        })
    }
}

/// One CA key as CertIDs name it, in every hash algorithm.
#[derive(Clone, Debug)]
pub struct IssuerId([Hashes; 2]);

#[derive(Clone, Debug)]
struct Hashes {
    algorithm: HashAlgorithm,
    name: digest::Digest,
    key: digest::Digest,
}

impl IssuerId {
    /// The names of a CA's key.
    #[must_use]
    pub fn of(issuer: &Issuer) -> Self {
        Self(HashAlgorithm::ALL.map(|algorithm| Hashes {
            algorithm,
            name: algorithm.hash(issuer.name_der()),
            key: algorithm.hash(issuer.public_key().bits()),
        }))
    }

    /// Whether `id` names a certificate of this CA's key.
    #[must_use]
    pub fn issued(&self, id: &CertId<'_>) -> bool {
        self.0.iter().any(|hashes| {
            id.algorithm == Some(hashes.algorithm)
                && id.name_hash == hashes.name.as_ref()
                && id.key_hash == hashes.key.as_ref()
        })
    }

    /// Appends the CertID of a certificate of this CA's key.
    pub(super) fn write(&self, out: &mut Vec<u8>, algorithm: HashAlgorithm, serial: &[u8]) {
        sequence(out, |out| {
            sequence(out, |out| {
                tlv(out, tag::OID, algorithm.oid());
                tlv(out, tag::NULL, &[]);
            });
            for hashes in self.0.iter().filter(|h| h.algorithm == algorithm) {
                tlv(out, tag::OCTET_STRING, hashes.name.as_ref());
                tlv(out, tag::OCTET_STRING, hashes.key.as_ref());
            }
            tlv(out, tag::INTEGER, serial);
        });
    }
}
