//! Certificates that the services never issued: of foreign CAs, and of our own CAs with keys that a
//! thief might have, expired, not yet valid, or for a body that may not have them.

use lgpki_domain::{
    Authority, BodyCode, CertificateKind, Clock, KeyAlgorithm, Names, OfficerRole, Role, Serial,
    Subject, Validity,
};
use lgpki_keys::{Signer, SoftwareKey};
use lgpki_runtime::{
    clock::SystemClock, config::certificates, random::SystemRandomness, tls::Identity,
};
use lgpki_x509::{
    authority::{self, CaBlueprint},
    issuer::{Addresses, Issuer},
    key::SubjectPublicKey,
    particulars::{Particulars, Requested},
    service::{self, ServiceBlueprint, ServiceCa, ServiceCaBlueprint},
    signed,
    tbs::{self, Blueprint},
};

use crate::Installation;

/// A validity that began yesterday.
#[must_use]
pub fn valid_now() -> Validity {
    Validity::for_subscriber(SystemClock.now().jst_date().plus_days(-1))
}

/// A validity that ended long ago.
#[must_use]
pub fn expired() -> Validity {
    Validity::for_subscriber("2008-02-04".parse().expect("a day"))
}

/// A validity that begins in ten days.
#[must_use]
pub fn not_yet_valid() -> Validity {
    Validity::for_subscriber(SystemClock.now().jst_date().plus_days(10))
}

/// An Organization CA in the wrong hands.
#[derive(Debug)]
pub struct OrganizationCa {
    key: SoftwareKey,
    issuer: Issuer,
}

impl OrganizationCa {
    /// The installation's own, with its key.
    #[must_use]
    pub fn stolen(installation: &Installation) -> Self {
        let file = installation
            .ca()
            .join("data/issuer/keys/organization-1.key.pem");
        let key = SoftwareKey::load(&file, &installation.ca_passphrase()).expect("the CA key");
        let ca = certificates(&installation.ca().join("ca/organization.pem")).expect("the CA");
        Self::with(key, &ca[0])
    }

    /// A foreign one of the same name.
    #[must_use]
    pub fn foreign() -> Self {
        let key = generate();
        let tbs = authority::build(&CaBlueprint {
            authority: Authority::Organization,
            public_key: &public(&key),
            serial: serial(),
            validity: Validity::for_ca(SystemClock.now().jst_date().plus_days(-2)),
        });
        let certificate = sign(&key, tbs.expect("a CA"));
        Self::with(key, &certificate)
    }

    fn with(key: SoftwareKey, certificate: &[u8]) -> Self {
        let bases = ["http://127.0.0.1".to_owned()];
        let addresses = Addresses::at(&bases, Authority::Organization, 1);
        let issuer = Issuer::try_new(Authority::Organization, 1, certificate, addresses);
        Self {
            key,
            issuer: issuer.expect("a CA"),
        }
    }

    /// A login certificate of this CA.
    #[must_use]
    pub fn login(&self, role: OfficerRole, body: Option<BodyCode>, validity: Validity) -> Identity {
        let requested = Requested {
            login: Some((role, body)),
            ..Requested::default()
        };
        let login = Particulars::try_new("login", CertificateKind::Login, &requested);
        self.certify(&login.expect("a login"), validity)
    }

    /// A subscriber's certificate of this CA, which logs nobody in.
    #[must_use]
    pub fn official_duty(&self) -> Identity {
        self.certify(&Particulars::OfficialDuty, valid_now())
    }

    fn certify(&self, particulars: &Particulars, validity: Validity) -> Identity {
        let key = generate();
        let names = |en, ja| Names::try_new("names", en, ja).expect("names");
        let tbs = tbs::build(
            &self.issuer,
            &Blueprint {
                subject: &Subject {
                    body: names("Forged Body", "偽造団体"),
                    unit: None,
                    name: names("Officer", "責任者"),
                },
                particulars,
                public_key: &public(&key),
                serial: serial(),
                validity,
            },
        );
        identity(sign(&self.key, tbs.expect("a certificate")), &key)
    }
}

/// A service CA in the wrong hands.
#[derive(Debug)]
pub struct ServicesCa {
    key: SoftwareKey,
    ca: ServiceCa,
}

impl ServicesCa {
    /// The installation's own, with its key.
    #[must_use]
    pub fn stolen(installation: &Installation) -> Self {
        let file = installation.ca().join("service-ca/service-ca.key.pem");
        let key = SoftwareKey::load(&file, &installation.ca_passphrase()).expect("the CA key");
        let ca = certificates(&installation.ca().join("tls/service-ca.pem")).expect("the CA");
        let ca = ServiceCa::try_new(&ca[0]).expect("the CA");
        Self { key, ca }
    }

    /// A foreign one of the same name.
    #[must_use]
    pub fn foreign() -> Self {
        let key = generate();
        let tbs = service::build_ca(&ServiceCaBlueprint {
            public_key: &public(&key),
            serial: serial(),
            validity: Validity::for_ca(SystemClock.now().jst_date().plus_days(-2)),
        });
        let ca = ServiceCa::try_new(&sign(&key, tbs.expect("a CA"))).expect("a CA");
        Self { key, ca }
    }

    /// A service's TLS identity of this CA.
    #[must_use]
    pub fn service(&self, role: Role, validity: Validity) -> Identity {
        let key = generate();
        let tbs = service::build(&ServiceBlueprint {
            ca: &self.ca,
            role,
            dns_names: &["localhost".to_owned()],
            addresses: &[],
            public_key: &public(&key),
            serial: serial(),
            validity,
        });
        identity(sign(&self.key, tbs.expect("a certificate")), &key)
    }
}

fn generate() -> SoftwareKey {
    SoftwareKey::generate(KeyAlgorithm::P256).expect("a key")
}

fn serial() -> Serial {
    Serial::draw(&SystemRandomness::new()).expect("a serial number")
}

fn public(key: &SoftwareKey) -> SubjectPublicKey {
    SubjectPublicKey::parse("key", key.public_key().der()).expect("a public key")
}

fn sign(key: &SoftwareKey, tbs: Vec<u8>) -> Vec<u8> {
    let signature = key.sign(&tbs).expect("a signature");
    signed::assemble(tbs, key.algorithm().signature(), &signature)
}

fn identity(certificate: Vec<u8>, key: &SoftwareKey) -> Identity {
    let key = key.to_pkcs8_der().expect("a key");
    Identity::try_new(vec![certificate], key).expect("an identity")
}
