//! Certificates and services for this crate's tests: real CAs of LGPKI's own making, a directory
//! service as intake serves it to officers, and an issuer service that only services may call.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use lgpki_domain::{
    Authority, BodyCode, CertificateKind, Clock, KeyAlgorithm, Names, OfficerRole, Role, Serial,
    Subject, Timestamp, Validity,
};
use lgpki_keys::{Signer, SoftwareKey};
use lgpki_testkit::{ManualClock, SeededRandom};
use lgpki_x509::{
    authority::{self, CaBlueprint},
    issuer::{Addresses, Issuer},
    key::SubjectPublicKey,
    particulars::{Particulars, Requested},
    service::{self, ServiceBlueprint, ServiceCa, ServiceCaBlueprint},
    signed,
    tbs::{self, Blueprint},
};

use crate::tls::{Identity, TrustAnchors};

/// The day on which everything begins.
pub(crate) const OPENING: &str = "2008-02-04";

pub(crate) fn opening() -> Timestamp {
    OPENING.parse::<lgpki_domain::JstDate>().unwrap().start()
}

/// A clock that stands at noon of the second day.
pub(crate) fn clock() -> ManualClock {
    ManualClock::new(opening().plus_seconds(36 * 3600))
}

pub(crate) fn body() -> BodyCode {
    "01001".parse().unwrap()
}

pub(crate) fn serial(number: u8) -> Serial {
    let mut bytes = [number; 16];
    bytes[0] = 0x41;
    Serial::from_bytes(&bytes).unwrap()
}

fn key() -> SoftwareKey {
    key_of(KeyAlgorithm::P256)
}

fn key_of(algorithm: KeyAlgorithm) -> SoftwareKey {
    SoftwareKey::generate(algorithm).unwrap()
}

fn public(key: &SoftwareKey) -> SubjectPublicKey {
    SubjectPublicKey::parse("key", key.public_key().der()).unwrap()
}

fn sign(tbs: Vec<u8>, key: &SoftwareKey) -> Vec<u8> {
    let signature = key.sign(&tbs).unwrap();
    signed::assemble(tbs, key.algorithm().signature(), &signature)
}

fn validity() -> Validity {
    Validity::for_subscriber(OPENING.parse().unwrap())
}

/// A service CA and an Organization CA.
pub(crate) struct Pki {
    service_key: SoftwareKey,
    service_ca: ServiceCa,
    organization_key: SoftwareKey,
    organization: Issuer,
}

impl Pki {
    pub(crate) fn make() -> Self {
        Self::with(KeyAlgorithm::P256)
    }

    /// With CA keys of `algorithm`.
    pub(crate) fn with(algorithm: KeyAlgorithm) -> Self {
        let (service_key, organization_key) = (key_of(algorithm), key_of(algorithm));
        let ca_validity = Validity::for_ca(OPENING.parse().unwrap());
        let tbs = service::build_ca(&ServiceCaBlueprint {
            public_key: &public(&service_key),
            serial: serial(1),
            validity: ca_validity,
        });
        let service_ca = ServiceCa::try_new(&sign(tbs.unwrap(), &service_key)).unwrap();
        let tbs = authority::build(&CaBlueprint {
            authority: Authority::Organization,
            public_key: &public(&organization_key),
            serial: serial(2),
            validity: ca_validity,
        });
        let certificate = sign(tbs.unwrap(), &organization_key);
        let addresses = Addresses::at(&["http://ca.lg.jp".to_owned()], Authority::Organization, 1);
        let organization =
            Issuer::try_new(Authority::Organization, 1, &certificate, addresses).unwrap();
        Self {
            service_key,
            service_ca,
            organization_key,
            organization,
        }
    }

    /// The one that most tests share.
    pub(crate) fn ours() -> &'static Self {
        static OURS: OnceLock<Pki> = OnceLock::new();
        OURS.get_or_init(Self::make)
    }

    pub(crate) fn service_anchors(&self) -> TrustAnchors {
        TrustAnchors::try_new(&[self.service_ca.certificate()]).unwrap()
    }

    pub(crate) fn officer_anchors(&self) -> TrustAnchors {
        TrustAnchors::try_new(&[self.organization.certificate()]).unwrap()
    }

    /// The DER of the Organization CA's certificate.
    pub(crate) fn organization_certificate(&self) -> Vec<u8> {
        self.organization.certificate().to_vec()
    }

    /// A service's TLS identity, named `localhost`.
    pub(crate) fn service(&self, role: Role) -> Identity {
        let key = key();
        let tbs = service::build(&ServiceBlueprint {
            ca: &self.service_ca,
            role,
            dns_names: &["localhost".to_owned()],
            addresses: &[],
            public_key: &public(&key),
            serial: serial(3),
            validity: validity(),
        });
        let certificate = sign(tbs.unwrap(), &self.service_key);
        Identity::try_new(vec![certificate], key.to_pkcs8_der().unwrap()).unwrap()
    }

    /// A login certificate's identity with serial number `number`.
    pub(crate) fn login(&self, role: OfficerRole, number: u8) -> Identity {
        self.login_with(role, number, KeyAlgorithm::P256)
    }

    /// The same with a key of `algorithm`.
    pub(crate) fn login_with(
        &self,
        role: OfficerRole,
        number: u8,
        algorithm: KeyAlgorithm,
    ) -> Identity {
        let body = role.belongs_to_a_body().then(body);
        let requested = Requested {
            dns_names: &[],
            mail: None,
            login: Some((role, body)),
        };
        self.subscriber(CertificateKind::Login, &requested, number, algorithm)
    }

    /// An official-duty certificate's identity: the right CA, the wrong kind.
    pub(crate) fn official_duty(&self) -> Identity {
        let requested = Requested {
            dns_names: &[],
            mail: None,
            login: None,
        };
        self.subscriber(
            CertificateKind::OfficialDuty,
            &requested,
            99,
            KeyAlgorithm::P256,
        )
    }

    fn subscriber(
        &self,
        kind: CertificateKind,
        requested: &Requested<'_>,
        number: u8,
        algorithm: KeyAlgorithm,
    ) -> Identity {
        let key = key_of(algorithm);
        let names = |en, ja| Names::try_new("names", en, ja).unwrap();
        let tbs = tbs::build(
            &self.organization,
            &Blueprint {
                subject: &Subject {
                    body: names("Sapporo City", "札幌市"),
                    unit: Some(names("General Affairs", "総務部")),
                    name: names("Officer", "責任者"),
                },
                particulars: &Particulars::try_new("x", kind, requested).unwrap(),
                public_key: &public(&key),
                serial: serial(number),
                validity: validity(),
            },
        );
        let certificate = sign(tbs.unwrap(), &self.organization_key);
        Identity::try_new(vec![certificate], key.to_pkcs8_der().unwrap()).unwrap()
    }
}

/// Seeded randomness.
pub(crate) fn randomness() -> Arc<SeededRandom> {
    Arc::new(SeededRandom::new(7))
}

/// A channel to `address` under the name `localhost`.
pub(crate) fn dial(
    address: SocketAddr,
    identity: Option<Identity>,
    clock: &ManualClock,
) -> crate::client::Dial {
    let target = crate::config::Target::try_new(&address.to_string()).unwrap();
    crate::client::Dial {
        target: target.with_server_name("localhost"),
        identity,
        anchors: Pki::ours().service_anchors(),
        clock: Arc::new(clock.clone()) as Arc<dyn Clock>,
    }
}
