//! Certification requests as they come in (RFC 2986), DER or PEM.
//!
//! A request is judged by our own allow-list, and its proof of possession is verified over the raw
//! bytes of the CertificationRequestInfo, never over a re-encoding. Nothing of a request enters a
//! certificate but its public key; its names are only compared with the application's.

mod extensions;
mod names;

use lgpki_domain::{Faults, SignatureAlgorithm, Subject};

use crate::{
    attribute::{Attribute, Flaw, NotText, read_name, string_type},
    decode::{NotDer, Reader, check_strict},
    encode::tag,
    key::{self, SubjectPublicKey},
    oid,
    particulars::Particulars,
    pem,
    signed::{self, Parts},
};

/// The largest request in DER, in bytes.
pub const LARGEST: usize = 16 * 1024;
/// The largest request in PEM: base64, line ends and a margin.
const LARGEST_PEM: usize = LARGEST / 48 * 65 + 1024;

/// A request whose form, algorithms and proof of possession were found good.
#[derive(Clone, Debug)]
pub struct CertificationRequest {
    der: Vec<u8>,
    public_key: SubjectPublicKey,
    signature_algorithm: SignatureAlgorithm,
    subject: Vec<Attribute>,
    subject_der: Vec<u8>,
    names: extensions::RequestedNames,
}

impl CertificationRequest {
    /// Reads and checks a request; every fault that can be judged is reported under `field`.
    pub fn parse(field: &str, bytes: &[u8]) -> Result<Self, Faults> {
        Self::parse_as(field, bytes, |faults| faults)
    }

    /// Reads and checks a request of another operator's CA, which may ask to be one.
    pub(crate) fn parse_for_ca(field: &str, bytes: &[u8]) -> Result<Self, Faults> {
        Self::parse_as(field, bytes, |faults| {
            let mut left = Faults::new();
            for fault in faults {
                if fault.reason != extensions::ASKS_FOR_CA {
                    left.add(fault);
                }
            }
            left
        })
    }

    fn parse_as(
        field: &str,
        bytes: &[u8],
        pardon: impl FnOnce(Faults) -> Faults,
    ) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let Some(der) = unwrap(field, bytes, &mut faults) else {
            return Err(faults);
        };
        let judged = judge(field, &der, &mut faults);
        let mut faults = pardon(faults);
        match judged {
            Ok(Some(judged)) if faults.is_empty() => Ok(Self {
                public_key: judged.public_key,
                signature_algorithm: judged.signature_algorithm,
                subject: judged.subject,
                subject_der: judged.subject_der,
                names: judged.names,
                der,
            }),
            Ok(_) => Err(faults),
            Err(not_der) => {
                faults.push(field, "CSR_NOT_DER", not_a_request(&not_der));
                Err(faults)
            }
        }
    }

    /// The request in DER, as it came.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The public key, which the sender has proved to possess.
    #[must_use]
    pub const fn public_key(&self) -> &SubjectPublicKey {
        &self.public_key
    }

    /// The algorithm of the proof of possession.
    #[must_use]
    pub const fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.signature_algorithm
    }

    /// The subject's attributes in their order.
    #[must_use]
    pub fn subject(&self) -> &[Attribute] {
        &self.subject
    }

    /// The subject in DER, as it came.
    pub(crate) fn subject_der(&self) -> &[u8] {
        &self.subject_der
    }

    /// The host names asked for.
    #[must_use]
    pub fn dns_names(&self) -> &[String] {
        &self.names.dns_names
    }

    /// The mail addresses asked for.
    #[must_use]
    pub fn mail_addresses(&self) -> &[String] {
        &self.names.mail_addresses
    }

    /// Compares the request's names with the application's, value by value and whatever their
    /// string types; what the request leaves out of its subjectAltName is not missed.
    pub fn check_names(
        &self,
        field: &str,
        subject: &Subject,
        particulars: &Particulars,
    ) -> Result<(), Faults> {
        names::check(self, field, subject, particulars)
    }
}

/// What a request consists of, once judged.
struct Judged {
    public_key: SubjectPublicKey,
    signature_algorithm: SignatureAlgorithm,
    subject: Vec<Attribute>,
    subject_der: Vec<u8>,
    names: extensions::RequestedNames,
}

fn not_a_request(not_der: &NotDer) -> String {
    format!(
        "this is neither a PEM block CERTIFICATE REQUEST nor a certification request in DER: {not_der}"
    )
}

/// The DER of a request that came as DER or PEM, within the size limits.
fn unwrap(field: &str, bytes: &[u8], faults: &mut Faults) -> Option<Vec<u8>> {
    if bytes.trim_ascii().is_empty() {
        faults.push(field, "CSR_EMPTY", "the certification request is empty");
        return None;
    }
    let is_pem = pem::looks_like_pem(bytes);
    let limit = if is_pem { LARGEST_PEM } else { LARGEST };
    if bytes.len() > limit {
        let message = format!(
            "the certification request has {} bytes; at most {limit} are accepted",
            bytes.len()
        );
        faults.push(field, "CSR_TOO_LARGE", message);
        return None;
    }
    if !is_pem {
        return Some(bytes.to_vec());
    }
    match pem::decode(pem::Label::CertificateRequest, bytes) {
        Ok(der) => Some(der),
        Err(error) => {
            faults.push(field, "CSR_NOT_PEM", error.to_string());
            None
        }
    }
}

fn judge(field: &str, der: &[u8], faults: &mut Faults) -> Result<Option<Judged>, NotDer> {
    let whole = Reader::new(der).value()?;
    if whole.raw.len() < der.len() {
        let message = format!(
            "{} bytes follow the certification request; send the request alone",
            der.len() - whole.raw.len()
        );
        faults.push(field, "CSR_TRAILING_BYTES", message);
        return Ok(None);
    }
    check_strict(der)?;
    let parts = Parts::read(der)?;
    let mut info = Reader::new(parts.to_be_signed).open(tag::SEQUENCE)?;
    judge_version(field, info.expect(tag::INTEGER)?, faults);
    let name = info.value()?;
    let (subject, flaws) = read_name(name.open(tag::SEQUENCE)?)?;
    for flaw in &flaws {
        report(field, "subject", flaw, faults);
    }
    let public_key = match SubjectPublicKey::parse(field, info.value()?.raw) {
        Ok(key) => Some(key),
        Err(wrong) => {
            faults.append(wrong);
            None
        }
    };
    let names = extensions::judge(field, info.open(tag::context_constructed(0))?, faults)?;
    info.finish()?;
    let algorithm = judge_algorithm(field, &parts, faults);
    let (Some(public_key), Some(signature_algorithm)) = (public_key, algorithm) else {
        return Ok(None);
    };
    judge_possession(field, &public_key, signature_algorithm, &parts, faults);
    Ok(Some(Judged {
        public_key,
        signature_algorithm,
        subject,
        subject_der: name.raw.to_vec(),
        names,
    }))
}

fn judge_version(field: &str, version: &[u8], faults: &mut Faults) {
    if version != [0] {
        let message = match version {
            [n] if *n < 0x80 => format!(
                "the certification request says version {}; the only one is version 1 (RFC 2986 §4.1)",
                u16::from(*n) + 1
            ),
            _ => "the certification request's version is not version 1 (RFC 2986 §4.1)".to_owned(),
        };
        faults.push(field, "CSR_VERSION", message);
    }
}

fn judge_algorithm(
    field: &str,
    parts: &Parts<'_>,
    faults: &mut Faults,
) -> Option<SignatureAlgorithm> {
    let algorithm = signed::algorithm_of(parts.algorithm_oid, parts.algorithm_parameters);
    if algorithm.is_none() {
        let message = format!(
            "the certification request is signed with {}; allowed are SHA-256, SHA-384 or SHA-512 \
             with RSA (PKCS #1 v1.5, parameters NULL), SHA-256 or SHA-384 with ECDSA, and Ed25519 \
             (parameters absent)",
            oid::describe(parts.algorithm_oid)
        );
        faults.push(field, "CSR_SIGNATURE_ALGORITHM", message);
    }
    algorithm
}

fn judge_possession(
    field: &str,
    key: &SubjectPublicKey,
    algorithm: SignatureAlgorithm,
    parts: &Parts<'_>,
    faults: &mut Faults,
) {
    if !key::fits(key.algorithm(), algorithm) {
        let message = format!(
            "a {} key cannot make the signature that the request claims, {}",
            key.algorithm(),
            algorithm.oid()
        );
        faults.push(field, "CSR_SIGNATURE_ALGORITHM", message);
    } else if !key.verify(algorithm, parts.to_be_signed, parts.signature) {
        faults.push(
            field,
            "CSR_SIGNATURE_INVALID",
            "the request is not signed with the private key of its public key; it was changed after \
             signing, signed with another key, or its key is not a point of its curve",
        );
    }
}

fn report(field: &str, what: &str, flaw: &Flaw, faults: &mut Faults) {
    match flaw {
        Flaw::Rdn => faults.push(
            field,
            "CSR_SUBJECT_FORM",
            format!(
                "the request's {what} has several attributes in one place; put each on its own"
            ),
        ),
        Flaw::Value {
            label,
            why: NotText::Type(tag),
        } => faults.push(
            field,
            "CSR_STRING_TYPE",
            format!(
                "{label} of the request's {what} is {}; use PrintableString or UTF8String",
                string_type(*tag)
            ),
        ),
        Flaw::Value {
            label,
            why: NotText::Encoding,
        } => faults.push(
            field,
            "CSR_STRING_ENCODING",
            format!(
                "{label} of the request's {what} holds bytes that its string type does not allow"
            ),
        ),
    }
}

#[cfg(test)]
mod tests;
