//! What a branch asks for: a content with a good certification request, and the key behind it.

use lgpki_proto::v1;
use lgpki_runtime::tls::Identity;
use openssl::{
    nid::Nid,
    pkey::{PKey, Private},
};

use super::System;
use crate::{
    draft::Draft,
    request::{self, names},
};

/// An order for a certificate, with a new P-256 key.
#[derive(Clone, Debug)]
pub struct Order {
    /// What is asked for.
    pub content: v1::IssueContent,
    key: PKey<Private>,
}

impl Order {
    /// An official-duty certificate for the post `name` in the unit of [`System::unit`].
    #[must_use]
    pub fn official_duty(branch: &str, en: &str, ja: &str) -> Self {
        let subject = request::subject(branch, Some(System::unit()), names(en, ja));
        Self::new(v1::CertificateKind::OfficialDuty, subject)
    }

    /// A web server's certificate.
    #[must_use]
    pub fn web_server(branch: &str, host: &str) -> Self {
        let subject = request::subject(branch, None, names(host, "公式サイト"));
        let mut order = Self::new(v1::CertificateKind::WebServer, subject);
        order.content.dns_names = vec![host.to_owned()];
        order
    }

    /// A login certificate for a branch officer.
    #[must_use]
    pub fn login(branch: &str, en: &str, ja: &str) -> Self {
        let subject = request::subject(branch, None, names(en, ja));
        let mut order = Self::new(v1::CertificateKind::Login, subject);
        order.content.login_role = v1::OfficerRole::BranchOfficer.into();
        order
    }

    fn new(kind: v1::CertificateKind, subject: v1::Subject) -> Self {
        let draft = Draft::ec(&subject, Nid::X9_62_PRIME256V1);
        let medium = match kind {
            v1::CertificateKind::WebServer => v1::KeyMedium::Server,
            _ => v1::KeyMedium::IcCard,
        };
        let content = v1::IssueContent {
            kind: kind.into(),
            csr: draft.build(),
            subject: Some(subject),
            medium: medium.into(),
            ..v1::IssueContent::default()
        };
        Self {
            content,
            key: draft.signer,
        }
    }

    /// An order for what a certificate of the inventory names, as for its renewal.
    #[must_use]
    pub fn for_the_same_as(certificate: &v1::Certificate) -> Self {
        let subject = certificate.subject.clone().unwrap_or_default();
        Self::new(certificate.kind(), subject)
    }

    /// What is asked for to renew a certificate with the order's key.
    #[must_use]
    pub fn renewal(&self, serial: &str) -> v1::RenewContent {
        v1::RenewContent {
            serial: serial.to_owned(),
            csr: self.content.csr.clone(),
            medium: self.content.medium,
            slot_token: String::new(),
        }
    }

    /// The same order with another new key.
    #[must_use]
    pub fn again(&self) -> Self {
        let subject = self.content.subject.clone().expect("an order has one");
        let draft = Draft::ec(&subject, Nid::X9_62_PRIME256V1);
        Self {
            content: v1::IssueContent {
                csr: draft.build(),
                ..self.content.clone()
            },
            key: draft.signer,
        }
    }

    /// What to log in with, once the login certificate ordered is there.
    #[must_use]
    pub fn identity(&self, certificate: &[u8], ca: &[u8]) -> Identity {
        let key = self.key.private_key_to_pkcs8().expect("a key");
        let chain = vec![certificate.to_vec(), ca.to_vec()];
        Identity::try_new(chain, key.into()).expect("an identity")
    }
}
