//! A request of which every part can be wrong, signed correctly all the same.

use openssl::{
    hash::MessageDigest,
    pkey::{PKey, Private},
};

use crate::{
    encode::{bit_string, nested, sequence, tag, tlv},
    fixture::{P256, RSA, sign},
    name::{JAPAN, Language, name},
    oid,
};

pub(super) struct Draft {
    pub(super) version: Vec<u8>,
    /// A Name in DER.
    pub(super) subject: Vec<u8>,
    /// A SubjectPublicKeyInfo in DER.
    pub(super) key: Vec<u8>,
    /// The content of the attributes field; absent if `None`.
    pub(super) attributes: Option<Vec<u8>>,
    /// An AlgorithmIdentifier in DER.
    pub(super) algorithm: Vec<u8>,
    pub(super) digest: Option<MessageDigest>,
    pub(super) signer: PKey<Private>,
}

impl Draft {
    pub(super) fn new(signer: PKey<Private>, algorithm: Vec<u8>, digest: MessageDigest) -> Self {
        let mut subject = Vec::new();
        let parts = [(oid::COUNTRY, JAPAN), (oid::COMMON_NAME, "Mayor")];
        name(&mut subject, &parts, Language::English);
        Self {
            version: vec![0],
            subject,
            key: signer.public_key_to_der().unwrap(),
            attributes: Some(Vec::new()),
            algorithm,
            digest: Some(digest),
            signer,
        }
    }

    pub(super) fn rsa() -> Self {
        Self::rsa_of(RSA.private.clone())
    }

    pub(super) fn rsa_of(key: PKey<Private>) -> Self {
        Self::new(key, rsa_sha256(), MessageDigest::sha256())
    }

    pub(super) fn p256() -> Self {
        Self::ec_of(P256.private.clone())
    }

    pub(super) fn ec_of(key: PKey<Private>) -> Self {
        Self::new(key, ecdsa(2), MessageDigest::sha256())
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Puts one extension list into the attributes.
    pub(super) fn extensions(self, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut attribute = Vec::new();
        extension_request(&mut attribute, write);
        self.with(|draft| draft.attributes = Some(attribute))
    }

    /// Puts a subjectAltName into the attributes.
    pub(super) fn names(self, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        self.extensions(|out| crate::extension::subject_alt_name(out, write))
    }

    pub(super) fn info(&self) -> Vec<u8> {
        let mut info = Vec::new();
        sequence(&mut info, |out| {
            tlv(out, tag::INTEGER, &self.version);
            out.extend_from_slice(&self.subject);
            out.extend_from_slice(&self.key);
            if let Some(attributes) = &self.attributes {
                tlv(out, tag::context_constructed(0), attributes);
            }
        });
        info
    }

    pub(super) fn build(&self) -> Vec<u8> {
        let info = self.info();
        let signature = sign(&self.signer, self.digest, &info);
        self.wrap(&info, &signature)
    }

    pub(super) fn wrap(&self, info: &[u8], signature: &[u8]) -> Vec<u8> {
        let mut request = Vec::new();
        sequence(&mut request, |out| {
            out.extend_from_slice(info);
            out.extend_from_slice(&self.algorithm);
            bit_string(out, signature);
        });
        request
    }
}

pub(super) fn extension_request(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    sequence(out, |out| {
        tlv(out, tag::OID, oid::EXTENSION_REQUEST);
        nested(out, tag::SET, |out| sequence(out, write));
    });
}

/// An AlgorithmIdentifier.
pub(super) fn algorithm(oid: &[u8], parameters: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    sequence(&mut out, |out| {
        tlv(out, tag::OID, oid);
        out.extend_from_slice(parameters);
    });
    out
}

pub(super) const NULL: &[u8] = &[tag::NULL, 0];

/// PKCS #1's algorithm with this number: 4 MD5, 5 SHA-1, 10 PSS, 11 SHA-256.
pub(super) fn rsa_with(number: u8) -> Vec<u8> {
    algorithm(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, number], NULL)
}

pub(super) fn rsa_sha256() -> Vec<u8> {
    rsa_with(11)
}

/// ECDSA with SHA-2: 1 SHA-224, 2 SHA-256, 3 SHA-384, 4 SHA-512.
pub(super) fn ecdsa(number: u8) -> Vec<u8> {
    algorithm(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, number], &[])
}

/// A SubjectPublicKeyInfo of any content.
pub(super) fn key_info(algorithm: &[u8], bits: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    sequence(&mut out, |out| {
        out.extend_from_slice(algorithm);
        bit_string(out, bits);
    });
    out
}

/// An RSA SubjectPublicKeyInfo of the INTEGER contents given.
pub(super) fn rsa_key_info(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let mut key = Vec::new();
    sequence(&mut key, |out| {
        tlv(out, tag::INTEGER, modulus);
        tlv(out, tag::INTEGER, exponent);
    });
    key_info(&algorithm(oid::RSA_ENCRYPTION, NULL), &key)
}
