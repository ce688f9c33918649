//! A certificate as it comes in a file, alone or followed by those above it.

use lgpki_domain::{Faults, Timestamp};
use lgpki_x509::{Certificate, X509Error, pem};

use crate::error::KitError;

/// At least one certificate, in the order of the file.
#[derive(Debug)]
pub(crate) struct Chain {
    /// The subscriber's.
    pub(crate) first: Certificate,
    /// What follows it.
    above: Vec<Certificate>,
    /// The DER of all of them.
    pub(crate) der: Vec<Vec<u8>>,
}

impl Chain {
    /// Reads PEM blocks CERTIFICATE.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, X509Error> {
        let der = pem::decode_all(pem::Label::Certificate, text)?;
        let mut all = der
            .iter()
            .map(|der| Certificate::parse(der))
            .collect::<Result<Vec<_>, _>>()?;
        if all.is_empty() {
            return Err(X509Error::NotPem {
                label: pem::Label::Certificate.text(),
                why: "it is empty".to_owned(),
            });
        }
        let above = all.split_off(1);
        Ok(Self {
            first: all.swap_remove(0),
            above,
            der,
        })
    }

    /// Reads what somebody gave.
    pub(crate) fn given(text: &[u8]) -> Result<Self, KitError> {
        Self::parse(text).map_err(KitError::x509("the certificate given"))
    }

    /// The PEM blocks, one by one.
    pub(crate) fn to_pem(&self) -> Result<Vec<String>, KitError> {
        self.der
            .iter()
            .map(|der| pem::encode(pem::Label::Certificate, der))
            .collect::<Result<_, _>>()
            .map_err(KitError::x509("the certificate given"))
    }

    /// Each certificate must certify the one before it.
    pub(crate) fn check(&self, faults: &mut Faults) {
        let mut below = &self.first;
        for (number, above) in self.above.iter().enumerate() {
            if !above
                .public_key()
                .is_some_and(|key| below.is_signed_by(key))
            {
                faults.push(
                    format!("chain[{}]", number + 1),
                    "CHAIN_BROKEN",
                    format!(
                        "certificate {} of the file is not signed by the one after it; give the \
                         subscriber's certificate first and its CA's then, or the subscriber's alone",
                        number + 1
                    ),
                );
            }
            below = above;
        }
    }
}

/// Whether the certificate is over at `now`; its last second counts as valid (RFC 5280).
pub(crate) fn is_over(certificate: &Certificate, now: Timestamp) -> bool {
    now.as_seconds() > certificate.not_after().as_seconds()
}

/// The serial number in hexadecimal, of whatever length.
pub(crate) fn serial_of(certificate: &Certificate) -> String {
    certificate
        .serial_bytes()
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
