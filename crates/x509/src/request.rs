//! Certification requests, the subscriber's side (RFC 2986).
//!
//! The standard system builds what is to be signed, signs it with the key on the medium and
//! assembles the request. The request names the subject in both languages, so that the branch can
//! compare them with the application.

use lgpki_domain::{SignatureAlgorithm, Subject};

use crate::{
    encode::{nested, sequence, tag, tlv},
    error::X509Error,
    extension,
    key::SubjectPublicKey,
    name::{Language, name, subject_parts},
    oid,
    particulars::Particulars,
    signed,
    tbs::directory_name,
};

/// Builds the CertificationRequestInfo in DER, which is what is signed.
pub fn build_info(
    subject: &Subject,
    particulars: &Particulars,
    public_key: &SubjectPublicKey,
) -> Result<Vec<u8>, X509Error> {
    let mut out = Vec::with_capacity(1024);
    sequence(&mut out, |out| {
        tlv(out, tag::INTEGER, &[0]);
        let english = subject_parts(subject, Language::English);
        name(out, &english, Language::English);
        out.extend_from_slice(public_key.der());
        nested(out, tag::context_constructed(0), |out| {
            extension_request(out, subject, particulars);
        });
    });
    if out.len() > crate::csr::LARGEST {
        return Err(X509Error::unencodable("the request", "it is too large"));
    }
    Ok(out)
}

fn extension_request(out: &mut Vec<u8>, subject: &Subject, particulars: &Particulars) {
    sequence(out, |out| {
        tlv(out, tag::OID, oid::EXTENSION_REQUEST);
        nested(out, tag::SET, |out| {
            sequence(out, |out| {
                extension::subject_alt_name(out, |out| {
                    for host in particulars.dns_names() {
                        tlv(out, tag::context(2), host.as_bytes());
                    }
                    if let Some(address) = particulars.mail() {
                        tlv(out, tag::context(1), address.as_bytes());
                    }
                    let japanese = subject_parts(subject, Language::Japanese);
                    directory_name(out, |out| name(out, &japanese, Language::Japanese));
                });
            });
        });
    });
}

/// Wraps a signed CertificationRequestInfo into a request in DER.
#[must_use]
pub fn assemble(info: Vec<u8>, algorithm: SignatureAlgorithm, signature: &[u8]) -> Vec<u8> {
    signed::assemble(info, algorithm, signature)
}
