//! Responses (RFC 6960 §4.2.1), written.
//!
//! One key signs, named by its hash; its certificate stands in every response, so that a relying
//! party needs nothing but the CA certificate to believe it.

use lgpki_domain::{Fault, Faults, KeyAlgorithm, Timestamp, Validity};

use super::{Status, identity::HashAlgorithm};
use crate::{
    certificate::Certificate,
    encode::{bit_string, extension, header, header_length, nested, sequence, tag, tlv},
    error::X509Error,
    issuer::Issuer,
    key::SubjectPublicKey,
    oid,
    particulars::Particulars,
    signed::algorithm_identifier,
    time::generalized_time,
};

/// The answer about one certificate.
#[derive(Clone, Copy, Debug)]
pub struct Single<'a> {
    /// The CertID in DER, as the request had it.
    pub cert_id: &'a [u8],
    /// The certificate's state.
    pub status: Status,
    /// When that was known to be so.
    pub this_update: Timestamp,
    /// By when a newer answer is to be had.
    pub next_update: Timestamp,
}

/// An OCSP responder's certificate: what all its responses repeat.
#[derive(Clone, Debug)]
pub struct Responder {
    certificate: Certificate,
    validity: Validity,
    /// The responderID, tag included.
    id: Vec<u8>,
    /// The signature's AlgorithmIdentifier.
    algorithm_identifier: Vec<u8>,
    /// `certs`, tag included.
    certificates: Vec<u8>,
}

impl Responder {
    /// The responder to which `issuer` has delegated its answers with this certificate, which must
    /// be one of kind `ocsp-responder` for `key`, signed by the CA's key itself (RFC 6960
    /// §4.2.2.2).
    pub fn try_new(
        issuer: &Issuer,
        key: &SubjectPublicKey,
        certificate: &[u8],
    ) -> Result<Self, X509Error> {
        const WHAT: &str = "an OCSP responder's certificate";
        let certificate = Certificate::parse(certificate)?;
        let wrong = |why: &str| X509Error::unreadable(WHAT, why);
        if certificate.particulars() != Some(Particulars::OcspResponder) {
            return Err(wrong("it is of another kind"));
        }
        if certificate.public_key() != Some(key) {
            return Err(wrong("it is for another key"));
        }
        let from_here = certificate.authority_key_id() == Some(issuer.key_id())
            && certificate.is_signed_by(issuer.public_key());
        if !from_here {
            return Err(wrong("another CA signed it"));
        }
        let validity = certificate
            .validity()
            .ok_or_else(|| wrong("it is not valid from 00:00:00 to 23:59:59 JST"))?;
        let mut id = Vec::new();
        nested(&mut id, tag::context_constructed(2), |out| {
            let hash = HashAlgorithm::Sha1.hash(key.bits());
            tlv(out, tag::OCTET_STRING, hash.as_ref());
        });
        let mut identifier = Vec::new();
        algorithm_identifier(&mut identifier, key.algorithm().signature());
        let mut certificates = Vec::new();
        nested(&mut certificates, tag::context_constructed(0), |out| {
            sequence(out, |out| out.extend_from_slice(certificate.der()));
        });
        Ok(Self {
            certificate,
            validity,
            id,
            algorithm_identifier: identifier,
            certificates,
        })
    }

    /// The responder's certificate.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// When the responder may sign.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// Writes a tbsResponseData in DER; `nonce` is the value of the request's extension.
    pub fn write(
        &self,
        produced_at: Timestamp,
        singles: &[Single<'_>],
        nonce: Option<&[u8]>,
    ) -> Result<Vec<u8>, X509Error> {
        let mut written = Ok(());
        let mut out = Vec::with_capacity(128 + 160 * singles.len());
        sequence(&mut out, |out| {
            out.extend_from_slice(&self.id);
            written = generalized_time(out, produced_at);
            sequence(out, |out| {
                for single in singles {
                    if written.is_ok() {
                        written = write_single(out, single);
                    }
                }
            });
            if let Some(nonce) = nonce {
                nested(out, tag::context_constructed(1), |out| {
                    sequence(out, |out| {
                        extension(out, oid::OCSP_NONCE, false, |out| {
                            out.extend_from_slice(nonce);
                        });
                    });
                });
            }
        });
        written.map(|()| out)
    }

    /// The whole OCSPResponse in DER, once the tbsResponseData is signed.
    #[must_use]
    pub fn assemble(&self, tbs: &[u8], signature: &[u8]) -> Vec<u8> {
        let bits = header_length(signature.len() + 1) + signature.len() + 1;
        let basic = tbs.len() + self.algorithm_identifier.len() + bits + self.certificates.len();
        let whole = header_length(basic) + basic;
        let typed = 2 + oid::OCSP_BASIC.len() + header_length(whole) + whole;
        let bytes = header_length(typed) + typed;
        let response = 3 + header_length(bytes) + bytes;
        let mut out = Vec::with_capacity(header_length(response) + response);
        header(&mut out, tag::SEQUENCE, response);
        tlv(&mut out, tag::ENUMERATED, &[0]);
        header(&mut out, tag::context_constructed(0), bytes);
        header(&mut out, tag::SEQUENCE, typed);
        tlv(&mut out, tag::OID, oid::OCSP_BASIC);
        header(&mut out, tag::OCTET_STRING, whole);
        header(&mut out, tag::SEQUENCE, basic);
        out.extend_from_slice(tbs);
        out.extend_from_slice(&self.algorithm_identifier);
        bit_string(&mut out, signature);
        out.extend_from_slice(&self.certificates);
        out
    }
}

fn write_single(out: &mut Vec<u8>, single: &Single<'_>) -> Result<(), X509Error> {
    if single.next_update < single.this_update {
        return Err(X509Error::unencodable(
            "nextUpdate",
            "it lies before thisUpdate",
        ));
    }
    let mut written = Ok(());
    sequence(out, |out| {
        out.extend_from_slice(single.cert_id);
        match single.status {
            Status::Good => tlv(out, tag::context(0), &[]),
            Status::Unknown => tlv(out, tag::context(2), &[]),
            Status::Revoked { at, reason } => {
                nested(out, tag::context_constructed(1), |out| {
                    written = generalized_time(out, at);
                    nested(out, tag::context_constructed(0), |out| {
                        tlv(out, tag::ENUMERATED, &[reason.code()]);
                    });
                });
            }
        }
        let mut dates = || {
            generalized_time(out, single.this_update)?;
            let mut next = Vec::with_capacity(17);
            generalized_time(&mut next, single.next_update)?;
            tlv(out, tag::context_constructed(0), &next);
            Ok(())
        };
        if written.is_ok() {
            written = dates();
        }
    });
    written
}

/// The algorithms of which a responder's key may be: fast ones with short signatures.
pub(crate) const RESPONDER_KEYS: [KeyAlgorithm; 2] = [KeyAlgorithm::P256, KeyAlgorithm::P384];

impl SubjectPublicKey {
    /// Whether the key may be an OCSP responder's; the fault is reported under `field`.
    pub fn check_for_responder(&self, field: &str) -> Result<(), Faults> {
        if RESPONDER_KEYS.contains(&self.algorithm()) {
            return Ok(());
        }
        let mut faults = Faults::new();
        faults.add(Fault::new(
            field,
            "RESPONDER_KEY_ALGORITHM",
            "an OCSP responder's key is of P-256 or P-384",
        ));
        Err(faults)
    }
}
