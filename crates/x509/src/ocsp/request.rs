//! Requests (RFC 6960 §4.1): foreign bytes, read strictly.
//!
//! A signature over a request is not asked for and not judged: the answer is the same for
//! everybody. An explicit version 1 is taken though DER would leave it out; clients write it.

use lgpki_domain::Serial;

use super::identity::{CertId, HashAlgorithm, IssuerId};
use crate::{
    decode::{NotDer, Reader, check_strict},
    encode::{extension, nested, sequence, tag, tlv},
    error::X509Error,
    oid,
};

/// The longest request in bytes.
pub const LONGEST_REQUEST: usize = 8 * 1024;
/// The most certificates in one request.
pub const MOST_CERT_IDS: usize = 16;
/// The longest nonce in octets (RFC 9654 §2.1).
pub const LONGEST_NONCE: usize = 128;

const WHAT: &str = "an OCSP request";

/// A request, read.
#[derive(Clone, Debug)]
pub struct OcspRequest<'a> {
    cert_ids: Vec<CertId<'a>>,
    nonce: Option<&'a [u8]>,
}

impl<'a> OcspRequest<'a> {
    /// Reads a request in DER.
    pub fn parse(der: &'a [u8]) -> Result<Self, X509Error> {
        if der.len() > LONGEST_REQUEST {
            return Err(X509Error::unreadable(WHAT, "it is too long"));
        }
        let wrong = |e: NotDer| X509Error::unreadable(WHAT, &e);
        check_strict(der).map_err(wrong)?;
        let mut outer = Reader::new(der);
        let mut request = outer.open(tag::SEQUENCE).map_err(wrong)?;
        outer.finish().map_err(wrong)?;
        let parts = request.open(tag::SEQUENCE).map_err(wrong)?;
        if request.peek() == Some(tag::context_constructed(0)) {
            request.value().map_err(wrong)?;
        }
        request.finish().map_err(wrong)?;
        Self::read(parts).map_err(wrong)
    }

    fn read(mut parts: Reader<'a>) -> Result<Self, NotDer> {
        if parts.peek() == Some(tag::context_constructed(0)) {
            let mut version = parts.open(tag::context_constructed(0))?;
            if version.expect(tag::INTEGER)? != [0] {
                return Err(not("its version is not 1"));
            }
            version.finish()?;
        }
        if parts.peek() == Some(tag::context_constructed(1)) {
            parts.value()?;
        }
        let mut list = parts.open(tag::SEQUENCE)?;
        let mut cert_ids = Vec::with_capacity(1);
        while !list.is_empty() {
            if cert_ids.len() == MOST_CERT_IDS {
                return Err(not("it names too many certificates"));
            }
            let mut one = list.open(tag::SEQUENCE)?;
            cert_ids.push(CertId::read(&mut one)?);
            if one.peek() == Some(tag::context_constructed(0)) {
                let mut extensions = one.open(tag::context_constructed(0))?;
                read_extensions(extensions.open(tag::SEQUENCE)?)?;
                extensions.finish()?;
            }
            one.finish()?;
        }
        if cert_ids.is_empty() {
            return Err(not("it names no certificate"));
        }
        let mut nonce = None;
        if parts.peek() == Some(tag::context_constructed(2)) {
            let mut extensions = parts.open(tag::context_constructed(2))?;
            nonce = read_extensions(extensions.open(tag::SEQUENCE)?)?;
            extensions.finish()?;
        }
        parts.finish()?;
        Ok(Self { cert_ids, nonce })
    }

    /// The certificates asked about, at least one.
    #[must_use]
    pub fn cert_ids(&self) -> &[CertId<'a>] {
        &self.cert_ids
    }

    /// The value of the nonce extension in DER, as it came; the response repeats it.
    #[must_use]
    pub const fn nonce(&self) -> Option<&'a [u8]> {
        self.nonce
    }
}

const fn not(why: &'static str) -> NotDer {
    NotDer { why }
}

/// The nonce among extensions. Others change nothing here, but a critical one asks for what we
/// cannot give.
fn read_extensions(mut extensions: Reader<'_>) -> Result<Option<&[u8]>, NotDer> {
    let mut nonce = None;
    while !extensions.is_empty() {
        let mut one = extensions.open(tag::SEQUENCE)?;
        let name = one.expect(tag::OID)?;
        let critical = one.peek() == Some(tag::BOOLEAN) && one.expect(tag::BOOLEAN)? != [0];
        let value = one.expect(tag::OCTET_STRING)?;
        one.finish()?;
        if name == oid::OCSP_NONCE {
            check_strict(value)?;
            let mut inner = Reader::new(value);
            let octets = inner.expect(tag::OCTET_STRING)?;
            inner.finish()?;
            if octets.is_empty() || octets.len() > LONGEST_NONCE {
                return Err(not("its nonce has no octets or more than 128"));
            }
            if nonce.replace(value).is_some() {
                return Err(not("it has two nonces"));
            }
        } else if critical {
            return Err(not("it has a critical extension that is not known here"));
        }
    }
    Ok(nonce)
}

/// Writes a request, as a relying party does.
#[must_use]
pub fn write_request(
    issuer: &IssuerId,
    algorithm: HashAlgorithm,
    serials: &[Serial],
    nonce: Option<&[u8]>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    sequence(&mut out, |out| {
        sequence(out, |out| {
            sequence(out, |out| {
                for serial in serials {
                    sequence(out, |out| issuer.write(out, algorithm, serial.as_bytes()));
                }
            });
            if let Some(nonce) = nonce {
                nested(out, tag::context_constructed(2), |out| {
                    sequence(out, |out| {
                        extension(out, oid::OCSP_NONCE, false, |out| {
                            tlv(out, tag::OCTET_STRING, nonce);
                        });
                    });
                });
            }
        });
    });
    out
}
