//! Responses read back, as a relying party reads them.
//!
//! For tests, the demonstration and benches; whoever believes an answer must ask
//! [`BasicResponse::is_from`] first.

use std::fmt;

use der::Decode as _;
use lgpki_domain::{RevocationReason, Serial, Timestamp};

use super::{CertId, Status};
use crate::{
    certificate::Certificate,
    decode::{NotDer, Reader, check_strict},
    encode::tag,
    error::X509Error,
    issuer::Issuer,
    oid,
    particulars::Particulars,
    signed::algorithm_of,
};

const WHAT: &str = "an OCSP response";

/// Why there is no answer in a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseError {
    /// The responder gave none; its OCSPResponseStatus.
    Refused(u8),
    /// It cannot be read.
    Unreadable(X509Error),
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status) => write!(f, "the responder refused with status {status}"),
            Self::Unreadable(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ResponseError {}

/// The answer about one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnsweredEntry {
    /// The serial number asked about, if it is of this CA's form.
    pub serial: Option<Serial>,
    /// The state.
    pub status: Status,
    /// When that was known to be so.
    pub this_update: Timestamp,
    /// By when a newer answer is to be had.
    pub next_update: Option<Timestamp>,
}

/// A signed answer.
#[derive(Clone, Debug)]
pub struct BasicResponse {
    tbs: Vec<u8>,
    algorithm: Option<lgpki_domain::SignatureAlgorithm>,
    signature: Vec<u8>,
    responder: Option<Certificate>,
    produced_at: Timestamp,
    entries: Vec<AnsweredEntry>,
    nonce: Option<Vec<u8>>,
}

impl BasicResponse {
    /// Reads an OCSPResponse in DER.
    pub fn parse(der: &[u8]) -> Result<Self, ResponseError> {
        let unreadable = |why: NotDer| ResponseError::Unreadable(X509Error::unreadable(WHAT, &why));
        check_strict(der).map_err(unreadable)?;
        let mut response = Reader::new(der).open(tag::SEQUENCE).map_err(unreadable)?;
        match response.expect(tag::ENUMERATED).map_err(unreadable)? {
            [0] => {}
            [status] => return Err(ResponseError::Refused(*status)),
            _ => {
                return Err(unreadable(NotDer {
                    why: "its status is no small number",
                }));
            }
        }
        let basic = unwrap(response).map_err(unreadable)?;
        check_strict(basic).map_err(unreadable)?;
        Self::read(basic).map_err(unreadable)
    }

    fn read(basic: &[u8]) -> Result<Self, NotDer> {
        let mut parts = Reader::new(basic).open(tag::SEQUENCE)?;
        let tbs = parts.value()?;
        let mut algorithm = parts.open(tag::SEQUENCE)?;
        let name = algorithm.expect(tag::OID)?;
        let parameters = if algorithm.is_empty() {
            &[]
        } else {
            algorithm.value()?.raw
        };
        let [0, signature @ ..] = parts.expect(tag::BIT_STRING)? else {
            return Err(NotDer {
                why: "the signature is not a whole number of octets",
            });
        };
        let responder = if parts.is_empty() {
            None
        } else {
            let mut certificates = parts
                .open(tag::context_constructed(0))?
                .open(tag::SEQUENCE)?;
            Certificate::parse(certificates.value()?.raw).ok()
        };
        let mut data = tbs.open(tag::SEQUENCE)?;
        // The responderID; the certificate beside it says the same.
        data.value()?;
        let produced_at = date(data.value()?.raw)?;
        let mut list = data.open(tag::SEQUENCE)?;
        let mut entries = Vec::new();
        while !list.is_empty() {
            entries.push(entry(list.open(tag::SEQUENCE)?)?);
        }
        let mut nonce = None;
        if !data.is_empty() {
            let mut extensions = data
                .open(tag::context_constructed(1))?
                .open(tag::SEQUENCE)?;
            while !extensions.is_empty() {
                let mut one = extensions.open(tag::SEQUENCE)?;
                if one.expect(tag::OID)? == oid::OCSP_NONCE {
                    let mut value = Reader::new(one.expect(tag::OCTET_STRING)?);
                    nonce = Some(value.expect(tag::OCTET_STRING)?.to_vec());
                }
            }
        }
        Ok(Self {
            tbs: tbs.raw.to_vec(),
            algorithm: algorithm_of(name, parameters),
            signature: signature.to_vec(),
            responder,
            produced_at,
            entries,
            nonce,
        })
    }

    /// The answers, in the order asked for.
    #[must_use]
    pub fn entries(&self) -> &[AnsweredEntry] {
        &self.entries
    }

    /// When the answer was signed.
    #[must_use]
    pub const fn produced_at(&self) -> Timestamp {
        self.produced_at
    }

    /// The nonce's octets.
    #[must_use]
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }

    /// The responder's certificate, if the response brought one that can be read.
    #[must_use]
    pub const fn responder(&self) -> Option<&Certificate> {
        self.responder.as_ref()
    }

    /// Whether a responder that `issuer` delegated to signed the answer while it was allowed to.
    #[must_use]
    pub fn is_from(&self, issuer: &Issuer) -> bool {
        let (Some(responder), Some(algorithm)) = (&self.responder, self.algorithm) else {
            return false;
        };
        let delegated = responder.particulars() == Some(Particulars::OcspResponder)
            && responder.is_signed_by(issuer.public_key())
            && responder
                .validity()
                .is_some_and(|validity| validity.contains(self.produced_at));
        delegated
            && responder
                .public_key()
                .is_some_and(|key| key.verify(algorithm, &self.tbs, &self.signature))
    }
}

/// The BasicOCSPResponse's bytes.
fn unwrap(mut response: Reader<'_>) -> Result<&[u8], NotDer> {
    let mut bytes = response.open(tag::context_constructed(0))?;
    response.finish()?;
    let mut typed = bytes.open(tag::SEQUENCE)?;
    bytes.finish()?;
    if typed.expect(tag::OID)? != oid::OCSP_BASIC {
        return Err(NotDer {
            why: "it is of another type than basic",
        });
    }
    let basic = typed.expect(tag::OCTET_STRING)?;
    typed.finish()?;
    Ok(basic)
}

fn entry(mut fields: Reader<'_>) -> Result<AnsweredEntry, NotDer> {
    let id = CertId::read(&mut fields)?;
    let state = fields.value()?;
    let status = match state.tag {
        0x80 => Status::Good,
        0x82 => Status::Unknown,
        _ => {
            let mut revoked = state.open(tag::context_constructed(1))?;
            let at = date(revoked.value()?.raw)?;
            let mut reason = revoked.open(tag::context_constructed(0))?;
            let reason = match reason.expect(tag::ENUMERATED)? {
                [code] => RevocationReason::from_code(*code),
                _ => None,
            };
            Status::Revoked {
                at,
                reason: reason.ok_or(NotDer {
                    why: "a revocation's reason is none of this CA's",
                })?,
            }
        }
    };
    let this_update = date(fields.value()?.raw)?;
    let next_update = match fields.peek() {
        Some(0xa0) => Some(date(fields.open(0xa0)?.value()?.raw)?),
        _ => None,
    };
    Ok(AnsweredEntry {
        serial: id.serial(),
        status,
        this_update,
        next_update,
    })
}

fn date(der: &[u8]) -> Result<Timestamp, NotDer> {
    let read = der::asn1::GeneralizedTime::from_der(der).map_err(|_| NotDer {
        why: "a date is no GeneralizedTime",
    })?;
    let seconds = read.to_unix_duration().as_secs();
    Ok(Timestamp::from_seconds(
        i64::try_from(seconds).unwrap_or(i64::MAX / 1000),
    ))
}
