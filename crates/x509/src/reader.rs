//! The second reader: certificates through `x509-certificate`.
//!
//! It shares no code with the builders nor with the lint's decoder, and is what tests, the demo and
//! an auditor compare a certificate with its application by. Of an extension's content only the
//! strict DER reader of this crate is used, because `x509-certificate` does not know the implicit
//! tags of GeneralName.

use lgpki_domain::Timestamp;
use x509_certificate::{CapturedX509Certificate, rfc3280, rfc5280};

use crate::{
    attribute::{Attribute, read_name, text},
    decode::{NotDer, Reader},
    encode::tag,
    error::X509Error,
    oid,
};

const WHAT: &str = "a certificate";

/// A certificate as the second reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadCertificate {
    /// The serial number in lower-case hexadecimal.
    pub serial: String,
    /// The signature algorithm's OID, dotted.
    pub signature_algorithm: String,
    /// The issuer's attributes.
    pub issuer: Vec<Attribute>,
    /// The subject's attributes.
    pub subject: Vec<Attribute>,
    /// The attributes of the directoryName in the subjectAltName: the Japanese name.
    pub japanese_name: Vec<Attribute>,
    /// notBefore.
    pub not_before: Timestamp,
    /// notAfter.
    pub not_after: Timestamp,
    /// The octets of the subjectPublicKey.
    pub public_key: Vec<u8>,
    /// The extensions in their order.
    pub extensions: Vec<ReadExtension>,
    /// The host names of the subjectAltName.
    pub dns_names: Vec<String>,
    /// The mail addresses of the subjectAltName.
    pub mail_addresses: Vec<String>,
    /// The URIs of the subjectAltName.
    pub uris: Vec<String>,
    /// The policies' OIDs, dotted.
    pub policies: Vec<String>,
    /// The extended key usages' OIDs, dotted.
    pub purposes: Vec<String>,
    /// The key usages by their names in RFC 5280.
    pub key_usage: Vec<&'static str>,
    /// The addresses of the CRL distribution points.
    pub crl_addresses: Vec<String>,
}

/// An extension as the second reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadExtension {
    /// Its OID, dotted.
    pub oid: String,
    /// Whether it is critical.
    pub critical: bool,
    /// Its value in DER.
    pub value: Vec<u8>,
}

impl ReadCertificate {
    /// The first attribute of the subject with this label, such as `CN`.
    #[must_use]
    pub fn subject_value(&self, label: &str) -> Option<&str> {
        self.subject
            .iter()
            .find(|attribute| attribute.label() == label)
            .map(Attribute::value)
    }

    /// The extension with this dotted OID.
    #[must_use]
    pub fn extension(&self, oid: &str) -> Option<&ReadExtension> {
        self.extensions.iter().find(|e| e.oid == oid)
    }
}

fn wrong<W: std::fmt::Display>(why: &W) -> X509Error {
    X509Error::unreadable(WHAT, why)
}

/// Reads a certificate in DER.
pub fn read_back(der: &[u8]) -> Result<ReadCertificate, X509Error> {
    let certificate = CapturedX509Certificate::from_der(der).map_err(|e| wrong(&e))?;
    let tbs = certificate.tbs_certificate();
    let extensions: Vec<_> = certificate
        .iter_extensions()
        .map(|extension| ReadExtension {
            oid: extension.id.to_string(),
            critical: extension.critical.unwrap_or_default(),
            value: extension.value.to_bytes().to_vec(),
        })
        .collect();
    let mut read = ReadCertificate {
        serial: hex(tbs.serial_number.as_slice()),
        signature_algorithm: certificate.signature_algorithm_oid().to_string(),
        issuer: attributes(&tbs.issuer)?,
        subject: attributes(&tbs.subject)?,
        japanese_name: Vec::new(),
        not_before: Timestamp::from_seconds(certificate.validity_not_before().timestamp()),
        not_after: Timestamp::from_seconds(certificate.validity_not_after().timestamp()),
        public_key: certificate.public_key_data().to_vec(),
        dns_names: Vec::new(),
        mail_addresses: Vec::new(),
        uris: Vec::new(),
        policies: Vec::new(),
        purposes: Vec::new(),
        key_usage: Vec::new(),
        crl_addresses: Vec::new(),
        extensions: Vec::new(),
    };
    for extension in &extensions {
        read.take(extension).map_err(|e| wrong(&e))?;
    }
    read.extensions = extensions;
    Ok(read)
}

/// Whether the second reader, too, finds `certificate` signed by the key of `issuer`, both in DER.
#[must_use]
pub fn is_signed_by(certificate: &[u8], issuer: &[u8]) -> bool {
    verify(certificate, issuer).is_some()
}

/// (The library's own `verify_signed_by_certificate` takes the algorithm of the subject's key for
/// that of the issuer's, and so fails where the two differ.)
fn verify(certificate: &[u8], issuer: &[u8]) -> Option<()> {
    let certificate = CapturedX509Certificate::from_der(certificate).ok()?;
    let issuer = CapturedX509Certificate::from_der(issuer).ok()?;
    let algorithm = certificate
        .signature_signature_algorithm()?
        .resolve_verification_algorithm(issuer.key_algorithm()?)
        .ok()?;
    let whole: &rfc5280::Certificate = certificate.as_ref();
    let signed = whole.tbs_certificate.raw_data.as_ref()?;
    issuer
        .verify_signed_data_with_algorithm(signed, whole.signature.octet_bytes(), algorithm)
        .ok()
}

impl ReadCertificate {
    fn take(&mut self, extension: &ReadExtension) -> Result<(), NotDer> {
        let is = |oid: &[u8]| extension.oid == oid::dotted(oid);
        let value = &extension.value;
        if is(oid::SUBJECT_ALT_NAME) {
            self.take_names(value)?;
        } else if is(oid::EXTENDED_KEY_USAGE) {
            let mut purposes = Reader::new(value).open(tag::SEQUENCE)?;
            while !purposes.is_empty() {
                self.purposes.push(oid::dotted(purposes.expect(tag::OID)?));
            }
        } else if is(oid::CERTIFICATE_POLICIES) {
            let mut policies = Reader::new(value).open(tag::SEQUENCE)?;
            while !policies.is_empty() {
                let policy = policies.open(tag::SEQUENCE)?.expect(tag::OID)?;
                self.policies.push(oid::dotted(policy));
            }
        } else if is(oid::KEY_USAGE) {
            self.key_usage = usages(Reader::new(value).expect(tag::BIT_STRING)?);
        } else if is(oid::CRL_DISTRIBUTION_POINTS) {
            self.take_points(value)?;
        }
        Ok(())
    }

    fn take_names(&mut self, value: &[u8]) -> Result<(), NotDer> {
        let mut names = Reader::new(value).open(tag::SEQUENCE)?;
        while !names.is_empty() {
            let name = names.value()?;
            let list = match name.tag & 0x1f {
                1 => &mut self.mail_addresses,
                2 => &mut self.dns_names,
                6 => &mut self.uris,
                4 => {
                    let (attributes, _) =
                        read_name(Reader::new(name.content).open(tag::SEQUENCE)?)?;
                    self.japanese_name = attributes;
                    continue;
                }
                _ => continue,
            };
            if let Ok(text) = text(tag::IA5_STRING, name.content) {
                list.push(text.to_owned());
            }
        }
        Ok(())
    }

    fn take_points(&mut self, value: &[u8]) -> Result<(), NotDer> {
        let mut points = Reader::new(value).open(tag::SEQUENCE)?;
        while !points.is_empty() {
            let mut names = points
                .open(tag::SEQUENCE)?
                .open(tag::context_constructed(0))?
                .open(tag::context_constructed(0))?;
            while !names.is_empty() {
                let name = names.value()?;
                if let Ok(text) = text(tag::IA5_STRING, name.content) {
                    self.crl_addresses.push(text.to_owned());
                }
            }
        }
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The names of the bits that are set in a keyUsage.
fn usages(content: &[u8]) -> Vec<&'static str> {
    const NAMES: [&str; 9] = [
        "digitalSignature",
        "nonRepudiation",
        "keyEncipherment",
        "dataEncipherment",
        "keyAgreement",
        "keyCertSign",
        "cRLSign",
        "encipherOnly",
        "decipherOnly",
    ];
    let is_set = |i: usize| {
        content
            .get(1 + i / 8)
            .is_some_and(|octet| octet & (0x80 >> (i % 8)) != 0)
    };
    NAMES
        .into_iter()
        .enumerate()
        .filter_map(|(i, name)| is_set(i).then_some(name))
        .collect()
}

fn attributes(name: &rfc3280::Name) -> Result<Vec<Attribute>, X509Error> {
    name.iter_attributes()
        .map(|attribute| {
            let value = attribute.value.to_string().map_err(|e| wrong(&e))?;
            Ok(Attribute::new(attribute.typ.as_ref(), value))
        })
        .collect()
}
