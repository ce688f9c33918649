//! The other side of a cross certificate: a CA's name and key, out of its self-signed certificate or
//! its certification request.
//!
//! Both prove that who sent them holds the key. Nothing else of them is believed.

use lgpki_domain::{Faults, KeyAlgorithm};

use crate::{
    attribute::{Attribute, Flaw, read_name},
    certificate::Certificate,
    csr::CertificationRequest,
    decode::Reader,
    encode::tag,
    key::{KeyId, SubjectPublicKey},
    name::{LGPKI, OUR_NAMES},
    oid, pem,
};

/// A CA of another operator.
#[derive(Clone, Debug)]
pub struct ForeignCa {
    name: Vec<u8>,
    attributes: Vec<Attribute>,
    key: SubjectPublicKey,
    key_id: KeyId,
}

impl ForeignCa {
    /// Reads the CA's self-signed certificate, PEM or DER; faults are reported under `field`.
    pub fn from_certificate(field: &str, bytes: &[u8]) -> Result<Self, Faults> {
        let refuse = |reason, message: String| {
            let mut faults = Faults::new();
            faults.push(field, reason, message);
            faults
        };
        let unreadable = |why: String| refuse("CERTIFICATE_UNREADABLE", why);
        let der = if pem::looks_like_pem(bytes) {
            pem::decode(pem::Label::Certificate, bytes).map_err(|e| unreadable(e.to_string()))?
        } else {
            bytes.to_vec()
        };
        let certificate = Certificate::parse(&der).map_err(|e| unreadable(e.to_string()))?;
        if !certificate.is_ca() {
            let message = "it is no CA's: basicConstraints or keyUsage say otherwise".to_owned();
            return Err(refuse("NOT_A_CA", message));
        }
        let key = certificate.public_key().cloned().ok_or_else(|| {
            let message = "its key is none of RSA-2048 to RSA-4096, P-256 and P-384".to_owned();
            refuse("KEY_ALGORITHM", message)
        })?;
        if !certificate.is_self_issued() || !certificate.is_signed_by(&key) {
            let message =
                "it is not self-signed, so that nothing proves that its sender holds the \
                           key; ask for the self-signed one, or for a certification request"
                    .to_owned();
            return Err(refuse("NOT_SELF_SIGNED", message));
        }
        // Its own identifier, for it stands in the authorityKeyIdentifier of all that it issued.
        let key_id = certificate.key_id().unwrap_or_else(|| key.key_id());
        Self::judge(field, certificate.subject_der(), key, key_id)
    }

    /// Reads the CA's certification request, PEM or DER; its signature proves possession of the key.
    pub fn from_request(field: &str, bytes: &[u8]) -> Result<Self, Faults> {
        let request = CertificationRequest::parse_for_ca(field, bytes)?;
        let key = request.public_key().clone();
        let key_id = key.key_id();
        Self::judge(field, request.subject_der(), key, key_id)
    }

    fn judge(
        field: &str,
        name: &[u8],
        key: SubjectPublicKey,
        key_id: KeyId,
    ) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        if !KeyAlgorithm::FOR_CA.contains(&key.algorithm()) {
            let message = format!("a CA key cannot be {}", key.algorithm());
            faults.push(field, "KEY_ALGORITHM", message);
        }
        let read = Reader::new(name).open(tag::SEQUENCE).and_then(read_name);
        let attributes = match read {
            Ok((attributes, flaws)) => {
                if attributes.is_empty() || !flaws.is_empty() {
                    let message = describe(&flaws);
                    faults.push(field, "CROSS_NAME_FORM", message);
                }
                attributes
            }
            Err(not_der) => {
                faults.push(field, "CROSS_NAME_FORM", not_der.to_string());
                Vec::new()
            }
        };
        if is_ours(&attributes) {
            let message = format!(
                "its name lies in this authority's own name space ({}); a cross certificate is for \
                 another operator's CA",
                text(&attributes)
            );
            faults.push(field, "CROSS_NAME_OURS", message);
        }
        faults.into_result()?;
        Ok(Self {
            name: name.to_vec(),
            attributes,
            key,
            key_id,
        })
    }

    /// Its name, as `C=JP, O=Japanese Government, OU=BridgeCA`.
    #[must_use]
    pub fn name(&self) -> String {
        text(&self.attributes)
    }

    /// Its name's attributes.
    #[must_use]
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// Its public key.
    #[must_use]
    pub const fn public_key(&self) -> &SubjectPublicKey {
        &self.key
    }

    /// Its key's identifier.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Its name in DER, byte for byte as it writes it.
    pub(crate) fn name_der(&self) -> &[u8] {
        &self.name
    }
}

fn text(attributes: &[Attribute]) -> String {
    let parts: Vec<_> = attributes.iter().map(ToString::to_string).collect();
    parts.join(", ")
}

fn describe(flaws: &[Flaw]) -> String {
    match flaws.first() {
        None => "its name is empty".to_owned(),
        Some(Flaw::Rdn) => "its name has several attributes in one place".to_owned(),
        Some(Flaw::Value { label, .. }) => {
            format!("{label} of its name is neither PrintableString nor UTF8String")
        }
    }
}

/// Whether a name lies under one of the two organizations whose names this authority gives.
fn is_ours(attributes: &[Attribute]) -> bool {
    let organization = attributes.iter().find(|a| a.is(oid::ORGANIZATION));
    organization.is_some_and(|o| {
        o.value().eq_ignore_ascii_case(LGPKI)
            || OUR_NAMES
                .iter()
                .any(|ours| o.value().eq_ignore_ascii_case(ours))
    })
}
