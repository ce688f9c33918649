//! The service CA and the TLS identities of the services, apart from the LGPKI CAs.
//!
//! A service's certificate names it by the URI `lgpki:service/<name>` in its subjectAltName, beside
//! the host names and addresses under which it is reached; it serves and calls with the same one.

use std::net::IpAddr;

use lgpki_domain::{Role, Serial, Validity};

use crate::{
    certificate::Certificate,
    encode::{tag, tlv},
    error::X509Error,
    extension,
    key::{KeyId, SubjectPublicKey},
    name::{JAPAN, LGPKI, Language, Part, name},
    oid,
    profile::usage,
    tbs::Frame,
};

/// What the URI of a service's certificate begins with.
pub(crate) const SERVICE_URI: &str = "lgpki:service/";

const CA_NAME: [Part<'static>; 3] = [
    (oid::COUNTRY, JAPAN),
    (oid::ORGANIZATION, LGPKI),
    (oid::ORGANIZATIONAL_UNIT, "Service CA"),
];

/// What the service CA's certificate is built from.
#[derive(Clone, Copy, Debug)]
pub struct ServiceCaBlueprint<'a> {
    /// Its public key.
    pub public_key: &'a SubjectPublicKey,
    /// The certificate's serial number.
    pub serial: Serial,
    /// When it is valid.
    pub validity: Validity,
}

/// Builds the service CA's tbsCertificate in DER.
pub fn build_ca(blueprint: &ServiceCaBlueprint<'_>) -> Result<Vec<u8>, X509Error> {
    let mut own_name = Vec::new();
    name(&mut own_name, &CA_NAME, Language::English);
    let frame = Frame {
        serial: blueprint.serial,
        algorithm: blueprint.public_key.algorithm().signature(),
        issuer: &own_name,
        validity: blueprint.validity,
        public_key: blueprint.public_key,
    };
    let key_id = blueprint.public_key.key_id();
    frame.write(
        |out| out.extend_from_slice(&own_name),
        |out| {
            extension::authority_key_identifier(out, key_id);
            extension::subject_key_identifier(out, key_id);
            extension::key_usage(out, usage::KEY_CERT_SIGN | usage::CRL_SIGN);
            extension::ca_constraints(out, Some(0));
        },
    )
}

/// The service CA, as far as its certificates need it.
#[derive(Clone, Debug)]
pub struct ServiceCa {
    certificate: Certificate,
    key: SubjectPublicKey,
    key_id: KeyId,
}

impl ServiceCa {
    /// Reads the service CA's certificate in DER.
    pub fn try_new(certificate: &[u8]) -> Result<Self, X509Error> {
        const WHAT: &str = "the service CA's certificate";
        let certificate = Certificate::parse(certificate)?;
        let mut expected = Vec::new();
        name(&mut expected, &CA_NAME, Language::English);
        if certificate.subject_der() != expected || !certificate.is_self_issued() {
            return Err(X509Error::unreadable(WHAT, "it bears another name"));
        }
        let key = certificate
            .public_key()
            .filter(|key| certificate.is_ca() && certificate.is_signed_by(key));
        match (key.cloned(), certificate.key_id()) {
            (Some(key), Some(key_id)) => Ok(Self {
                certificate,
                key,
                key_id,
            }),
            _ => Err(X509Error::unreadable(
                WHAT,
                "it is not a CA certificate signed with its own key",
            )),
        }
    }

    /// The certificate in DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        self.certificate.der()
    }

    /// The public key.
    #[must_use]
    pub const fn public_key(&self) -> &SubjectPublicKey {
        &self.key
    }
}

/// What a service's certificate is built from.
#[derive(Clone, Copy, Debug)]
pub struct ServiceBlueprint<'a> {
    /// The service CA that signs it.
    pub ca: &'a ServiceCa,
    /// The service; an officer's role is refused.
    pub role: Role,
    /// Host names under which it is reached.
    pub dns_names: &'a [String],
    /// Addresses under which it is reached.
    pub addresses: &'a [IpAddr],
    /// Its public key.
    pub public_key: &'a SubjectPublicKey,
    /// The certificate's serial number.
    pub serial: Serial,
    /// When it is valid.
    pub validity: Validity,
}

/// Builds a service's tbsCertificate in DER.
pub fn build(blueprint: &ServiceBlueprint<'_>) -> Result<Vec<u8>, X509Error> {
    if Role::service(blueprint.role.name()).is_none() {
        let why = format!("{} is not a service", blueprint.role);
        return Err(X509Error::unencodable("the role", why));
    }
    if let Some(wrong) = blueprint.dns_names.iter().find(|n| !is_host(n)) {
        return Err(X509Error::unencodable(
            "a host name",
            format!("{wrong:?} is not a host name"),
        ));
    }
    let subject = [
        (oid::COUNTRY, JAPAN),
        (oid::ORGANIZATION, LGPKI),
        (oid::COMMON_NAME, blueprint.role.name()),
    ];
    let frame = Frame {
        serial: blueprint.serial,
        algorithm: blueprint.ca.key.algorithm().signature(),
        issuer: blueprint.ca.certificate.subject_der(),
        validity: blueprint.validity,
        public_key: blueprint.public_key,
    };
    frame.write(
        |out| name(out, &subject, Language::English),
        |out| {
            extension::authority_key_identifier(out, blueprint.ca.key_id);
            extension::subject_key_identifier(out, blueprint.public_key.key_id());
            extension::key_usage(out, usage::DIGITAL_SIGNATURE);
            extension::extended_key_usage(out, &[oid::SERVER_AUTH, oid::CLIENT_AUTH]);
            extension::subject_alt_name(out, |out| alternatives(out, blueprint));
        },
    )
}

fn alternatives(out: &mut Vec<u8>, blueprint: &ServiceBlueprint<'_>) {
    for host in blueprint.dns_names {
        tlv(out, tag::context(2), host.as_bytes());
    }
    let uri = format!("{SERVICE_URI}{}", blueprint.role);
    tlv(out, tag::context(6), uri.as_bytes());
    for address in blueprint.addresses {
        match address {
            IpAddr::V4(v4) => tlv(out, tag::context(7), &v4.octets()),
            IpAddr::V6(v6) => tlv(out, tag::context(7), &v6.octets()),
        }
    }
}

fn is_host(host: &str) -> bool {
    (1..=253).contains(&host.len())
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
}
