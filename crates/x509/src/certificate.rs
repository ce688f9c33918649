//! Certificates of this CA, read by `x509-cert`.
//!
//! Who reads a certificate here learns what its fields say, not whether to believe them: identities
//! count only after the chain was verified, a login's up to the Organization CA, a service's up to
//! the service CA.

mod extensions;

use lgpki_domain::{
    Authority, BodyCode, CertificateKind, Digest, Names, OfficerRole, Role, Serial, Subject,
    Timestamp, Validity,
};
use x509_cert::{TbsCertificate, name::Name};

use crate::{
    attribute::{Attribute, read_name},
    decode::{NotDer, Reader, check_strict},
    encode::tag,
    error::X509Error,
    key::{KeyId, SubjectPublicKey, sha256},
    name::{Language, authority_parts, name, subject_parts},
    oid,
    particulars::{HostNames, MailAddress, Particulars, parse_login_uri},
    profile::kind_of_policy,
    service::SERVICE_URI,
    signed::{Parts, Signed},
    time::from_time,
};
use der::Decode;
use extensions::Extensions;
pub(crate) use extensions::policies_of;

const WHAT: &str = "a certificate";

/// A certificate, read.
#[derive(Clone, Debug)]
pub struct Certificate {
    der: Vec<u8>,
    serial: Vec<u8>,
    issuer_der: Vec<u8>,
    subject_der: Vec<u8>,
    subject: Vec<Attribute>,
    subject_name: Name,
    not_before: Timestamp,
    not_after: Timestamp,
    public_key: Option<SubjectPublicKey>,
    key_digest: Digest,
    extensions: Extensions,
}

impl Certificate {
    /// Reads a certificate in DER. Its signature algorithm must be an allowed one; everything else
    /// is taken as it stands.
    pub fn parse(der: &[u8]) -> Result<Self, X509Error> {
        let wrong = |e: NotDer| X509Error::unreadable(WHAT, &e);
        check_strict(der).map_err(wrong)?;
        let raw = Raw::read(der)?;
        let parsed =
            TbsCertificate::from_der(raw.tbs).map_err(|e| X509Error::unreadable(WHAT, &e))?;
        let name = Reader::new(raw.subject)
            .open(tag::SEQUENCE)
            .and_then(read_name)
            .map_err(wrong)?;
        Ok(Self {
            serial: parsed.serial_number().as_bytes().to_vec(),
            issuer_der: raw.issuer.to_vec(),
            subject_der: raw.subject.to_vec(),
            subject: name.0,
            subject_name: parsed.subject().clone(),
            not_before: from_time(parsed.validity().not_before),
            not_after: from_time(parsed.validity().not_after),
            public_key: SubjectPublicKey::parse("certificate", raw.public_key).ok(),
            key_digest: sha256(raw.public_key),
            extensions: Extensions::read(&parsed)?,
            der: der.to_vec(),
        })
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The SHA-256 of the certificate in DER.
    #[must_use]
    pub fn digest(&self) -> Digest {
        sha256(&self.der)
    }

    /// The serial number, if it is of the form that this CA gives.
    #[must_use]
    pub fn serial(&self) -> Option<Serial> {
        Serial::from_bytes(&self.serial)
    }

    /// The serial number's octets.
    #[must_use]
    pub fn serial_bytes(&self) -> &[u8] {
        &self.serial
    }

    /// The LGPKI CA that the issuer's name names.
    #[must_use]
    pub fn authority(&self) -> Option<Authority> {
        Authority::ALL.into_iter().find(|authority| {
            let mut expected = Vec::new();
            let parts = authority_parts(*authority, Language::English);
            name(&mut expected, &parts, Language::English);
            self.issuer_der == expected
        })
    }

    /// The kind, by the certificate policy.
    #[must_use]
    pub fn kind(&self) -> Option<CertificateKind> {
        match self.extensions.policies.as_slice() {
            [policy] => kind_of_policy(policy),
            _ => None,
        }
    }

    /// The registered names, from the subject and the Japanese directory name; `None` where either
    /// is not of a subscriber's form.
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        let [japanese] = self.extensions.directory_names.as_slice() else {
            return None;
        };
        let subject = subject_of(&self.subject, japanese)?;
        let same = |parts: &[(&[u8], &str)], found: &[Attribute]| {
            parts.len() == found.len()
                && parts
                    .iter()
                    .zip(found)
                    .all(|((oid, value), a)| a.is(oid) && a.value() == *value)
        };
        (same(&subject_parts(&subject, Language::English), &self.subject)
            && same(&subject_parts(&subject, Language::Japanese), japanese))
        .then_some(subject)
    }

    /// The subject's attributes in their order.
    #[must_use]
    pub fn subject_attributes(&self) -> &[Attribute] {
        &self.subject
    }

    /// The validity, if it begins at 00:00:00 and ends at 23:59:59 JST (R11).
    #[must_use]
    pub fn validity(&self) -> Option<Validity> {
        Validity::try_new(self.not_before.jst_date(), self.not_after.jst_date())
            .filter(|v| v.not_before() == self.not_before && v.not_after() == self.not_after)
    }

    /// notBefore.
    #[must_use]
    pub const fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// notAfter; the whole second counts as valid.
    #[must_use]
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// The public key, if it is an allowed one.
    #[must_use]
    pub const fn public_key(&self) -> Option<&SubjectPublicKey> {
        self.public_key.as_ref()
    }

    /// The SHA-256 of the SubjectPublicKeyInfo.
    #[must_use]
    pub const fn key_digest(&self) -> Digest {
        self.key_digest
    }

    /// The subjectKeyIdentifier, if it has 20 octets.
    #[must_use]
    pub fn key_id(&self) -> Option<KeyId> {
        self.extensions.key_id
    }

    /// The authorityKeyIdentifier's key, if it has 20 octets.
    #[must_use]
    pub fn authority_key_id(&self) -> Option<KeyId> {
        self.extensions.authority_key_id
    }

    /// The host names of the subjectAltName.
    #[must_use]
    pub fn dns_names(&self) -> &[String] {
        &self.extensions.dns_names
    }

    /// The mail addresses of the subjectAltName.
    #[must_use]
    pub fn mail_addresses(&self) -> &[String] {
        &self.extensions.mail_addresses
    }

    /// The URIs of the subjectAltName.
    #[must_use]
    pub fn uris(&self) -> &[String] {
        &self.extensions.uris
    }

    /// The addresses of the CRL distribution points.
    #[must_use]
    pub fn crl_addresses(&self) -> &[String] {
        &self.extensions.crl_addresses
    }

    /// The addresses of the OCSP responder, from the authorityInfoAccess.
    #[must_use]
    pub fn ocsp_addresses(&self) -> &[String] {
        &self.extensions.ocsp_addresses
    }

    /// Whether it is a CA's: basicConstraints say so, and its key may sign certificates and CRLs.
    #[must_use]
    pub const fn is_ca(&self) -> bool {
        self.extensions.is_ca
    }

    /// How many CAs may come below it, if its basicConstraints say.
    #[must_use]
    pub const fn path_length(&self) -> Option<u8> {
        self.extensions.path_length
    }

    /// Whether issuer and subject are the same.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.issuer_der == self.subject_der
    }

    /// Kind and what only that kind has.
    #[must_use]
    pub fn particulars(&self) -> Option<Particulars> {
        match self.kind()? {
            CertificateKind::OfficialDuty => Some(Particulars::OfficialDuty),
            CertificateKind::User => Some(Particulars::User),
            CertificateKind::CodeSigning => Some(Particulars::CodeSigning),
            CertificateKind::WebServer => HostNames::try_new("", self.dns_names())
                .ok()
                .map(|hosts| Particulars::WebServer { hosts }),
            CertificateKind::Mail => match self.mail_addresses() {
                [address] => MailAddress::try_new("", address)
                    .ok()
                    .map(|address| Particulars::Mail { address }),
                _ => None,
            },
            CertificateKind::Login => {
                let (role, body) = self.login()?;
                Some(Particulars::Login { role, body })
            }
            CertificateKind::OcspResponder => Some(Particulars::OcspResponder),
            CertificateKind::Cross | CertificateKind::Link => None,
        }
    }

    /// Role and body of a login certificate: of kind login, with exactly one URI that says so.
    #[must_use]
    pub fn login(&self) -> Option<(OfficerRole, Option<BodyCode>)> {
        match self.uris() {
            [uri] if self.kind() == Some(CertificateKind::Login) => parse_login_uri(uri),
            _ => None,
        }
    }

    /// The service that a TLS identity names: exactly one URI, and no policy of LGPKI's.
    #[must_use]
    pub fn service(&self) -> Option<Role> {
        match self.uris() {
            [uri] if self.extensions.policies.is_empty() => {
                uri.strip_prefix(SERVICE_URI).and_then(Role::service)
            }
            _ => None,
        }
    }

    /// Whether `key` made the certificate's signature.
    #[must_use]
    pub fn is_signed_by(&self, key: &SubjectPublicKey) -> bool {
        Signed::parse(&self.der).is_ok_and(|signed| signed.is_signed_by(key))
    }

    pub(crate) fn subject_der(&self) -> &[u8] {
        &self.subject_der
    }

    pub(crate) const fn subject_name(&self) -> &Name {
        &self.subject_name
    }
}

/// The key that an authorityKeyIdentifier names, if it has 20 octets, without reading the rest of the
/// certificate: for whoever looks for the issuer of one that was read before.
#[must_use]
pub fn authority_key_id(der: &[u8]) -> Option<KeyId> {
    let parts = Parts::read(der).ok()?;
    let mut tbs = Reader::new(parts.to_be_signed).open(tag::SEQUENCE).ok()?;
    while tbs.peek()? != tag::context_constructed(3) {
        tbs.value().ok()?;
    }
    let mut extensions = tbs.open(tag::context_constructed(3)).ok()?;
    let mut extensions = extensions.open(tag::SEQUENCE).ok()?;
    loop {
        let mut extension = extensions.open(tag::SEQUENCE).ok()?;
        if extension.expect(tag::OID).ok()? != oid::AUTHORITY_KEY_IDENTIFIER {
            continue;
        }
        if extension.peek()? == tag::BOOLEAN {
            extension.value().ok()?;
        }
        let value = extension.expect(tag::OCTET_STRING).ok()?;
        let mut identifier = Reader::new(value).open(tag::SEQUENCE).ok()?;
        return KeyId::from_bytes(identifier.expect(tag::context(0)).ok()?);
    }
}

/// Role and body in a login certificate; see [`Certificate::login`] for what it takes to trust it.
#[must_use]
pub fn login_identity(der: &[u8]) -> Option<(OfficerRole, Option<BodyCode>)> {
    Certificate::parse(der).ok()?.login()
}

/// The service in a TLS identity; see [`Certificate::service`] for what it takes to trust it.
#[must_use]
pub fn service_identity(der: &[u8]) -> Option<Role> {
    Certificate::parse(der).ok()?.service()
}

fn subject_of(english: &[Attribute], japanese: &[Attribute]) -> Option<Subject> {
    let names = |i: usize| {
        let (en, ja) = (english.get(i)?.value(), japanese.get(i)?.value());
        Names::try_new("", en, ja).ok()
    };
    match (english.len(), japanese.len()) {
        (4, 4) => Some(Subject {
            body: names(2)?,
            unit: None,
            name: names(3)?,
        }),
        (5, 5) => Some(Subject {
            body: names(2)?,
            unit: Some(names(3)?),
            name: names(4)?,
        }),
        _ => None,
    }
}

/// The parts of a certificate whose bytes matter as they stand.
struct Raw<'a> {
    tbs: &'a [u8],
    issuer: &'a [u8],
    subject: &'a [u8],
    public_key: &'a [u8],
}

impl<'a> Raw<'a> {
    fn read(der: &'a [u8]) -> Result<Self, X509Error> {
        let tbs = Signed::parse(der)?.to_be_signed();
        Self::split(tbs).map_err(|e| X509Error::unreadable(WHAT, &e))
    }

    fn split(tbs: &'a [u8]) -> Result<Self, NotDer> {
        let mut fields = Reader::new(tbs).open(tag::SEQUENCE)?;
        if fields.peek() == Some(tag::context_constructed(0)) {
            fields.value()?;
        }
        fields.expect(tag::INTEGER)?;
        fields.expect(tag::SEQUENCE)?;
        let issuer = fields.value()?.raw;
        fields.expect(tag::SEQUENCE)?;
        let subject = fields.value()?.raw;
        let public_key = fields.value()?.raw;
        Ok(Self {
            tbs,
            issuer,
            subject,
            public_key,
        })
    }
}

#[cfg(test)]
mod tests;
