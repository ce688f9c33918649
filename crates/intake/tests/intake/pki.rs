//! A service CA, an Organization CA and identities under them.

use std::sync::OnceLock;

use lgpki_domain::{
    Authority, BodyCode, CertificateKind, KeyAlgorithm, Names, OfficerRole, Role, Serial, Subject,
    Validity,
};
use lgpki_keys::{Signer, SoftwareKey};
use lgpki_runtime::{Identity, TrustAnchors};
use lgpki_x509::{
    authority::{self, CaBlueprint},
    issuer::{Addresses, Issuer},
    key::SubjectPublicKey,
    particulars::{Particulars, Requested},
    service::{self, ServiceBlueprint, ServiceCa, ServiceCaBlueprint},
    signed,
    tbs::{self, Blueprint},
};

pub(crate) fn serial(number: u8) -> Serial {
    let mut bytes = [number; 16];
    bytes[0] = 0x41;
    Serial::from_bytes(&bytes).unwrap()
}

pub(crate) fn names(en: &str, ja: &str) -> Names {
    Names::try_new("names", en, ja).unwrap()
}

pub(crate) fn key() -> SoftwareKey {
    SoftwareKey::generate(KeyAlgorithm::P256).unwrap()
}

pub(crate) fn public(key: &SoftwareKey) -> SubjectPublicKey {
    SubjectPublicKey::parse("key", key.public_key().der()).unwrap()
}

fn sign(tbs: Vec<u8>, key: &SoftwareKey) -> Vec<u8> {
    let signature = key.sign(&tbs).unwrap();
    signed::assemble(tbs, key.algorithm().signature(), &signature)
}

/// The CAs of all tests.
pub(crate) struct Pki {
    service_key: SoftwareKey,
    service_ca: ServiceCa,
    organization_key: SoftwareKey,
    organization: Issuer,
}

impl Pki {
    pub(crate) fn ours() -> &'static Self {
        static OURS: OnceLock<Pki> = OnceLock::new();
        OURS.get_or_init(Self::make)
    }

    fn make() -> Self {
        let (service_key, organization_key) = (key(), key());
        let validity = Validity::for_ca("2008-02-04".parse().unwrap());
        let tbs = service::build_ca(&ServiceCaBlueprint {
            public_key: &public(&service_key),
            serial: serial(1),
            validity,
        });
        let service_ca = ServiceCa::try_new(&sign(tbs.unwrap(), &service_key)).unwrap();
        let tbs = authority::build(&CaBlueprint {
            authority: Authority::Organization,
            public_key: &public(&organization_key),
            serial: serial(2),
            validity,
        });
        let certificate = sign(tbs.unwrap(), &organization_key);
        let addresses = Addresses::at(&["http://ca.lg.jp".to_owned()], Authority::Organization, 1);
        let organization = Issuer::try_new(Authority::Organization, 1, &certificate, addresses);
        Self {
            service_key,
            service_ca,
            organization_key,
            organization: organization.unwrap(),
        }
    }

    pub(crate) fn services(&self) -> TrustAnchors {
        TrustAnchors::try_new(&[self.service_ca.certificate()]).unwrap()
    }

    pub(crate) fn officers(&self) -> TrustAnchors {
        TrustAnchors::try_new(&[self.organization.certificate()]).unwrap()
    }

    /// The TLS identity of a service, named `localhost`.
    pub(crate) fn service(&self, role: Role) -> Identity {
        let key = key();
        let tbs = service::build(&ServiceBlueprint {
            ca: &self.service_ca,
            role,
            dns_names: &["localhost".to_owned()],
            addresses: &[],
            public_key: &public(&key),
            serial: serial(3),
            validity: Validity::for_subscriber("2008-02-04".parse().unwrap()),
        });
        let certificate = sign(tbs.unwrap(), &self.service_key);
        Identity::try_new(vec![certificate], key.to_pkcs8_der().unwrap()).unwrap()
    }

    /// Whom the login certificate of this number names: 120 is another card of officer 20.
    pub(crate) fn officer(number: u8) -> Subject {
        let person = number % 100;
        Subject {
            body: names("Sapporo City", "札幌市"),
            unit: None,
            name: names(&format!("Officer {person}"), &format!("責任者{person}")),
        }
    }

    /// An officer's login certificate with serial number `number`.
    pub(crate) fn login(&self, role: OfficerRole, body: BodyCode, number: u8) -> Identity {
        let key = key();
        let requested = Requested {
            login: Some((role, role.belongs_to_a_body().then_some(body))),
            ..Requested::default()
        };
        let particulars = Particulars::try_new("x", CertificateKind::Login, &requested).unwrap();
        let blueprint = Blueprint {
            subject: &Self::officer(number),
            particulars: &particulars,
            public_key: &public(&key),
            serial: serial(number),
            validity: Validity::for_subscriber("2008-02-04".parse().unwrap()),
        };
        let tbs = tbs::build(&self.organization, &blueprint).unwrap();
        let certificate = sign(tbs, &self.organization_key);
        Identity::try_new(vec![certificate], key.to_pkcs8_der().unwrap()).unwrap()
    }
}
