//! Which CA certificate belongs to a certificate.

use lgpki_domain::{KeyAlgorithm, Names, Serial, Subject, Validity};
use lgpki_keys::{Signer, SoftwareKey};
use lgpki_x509::{
    authority::{self, CaBlueprint},
    issuer::{Addresses, Issuer},
    key::SubjectPublicKey,
    particulars::{Particulars, Requested},
    signed,
    tbs::{self, Blueprint},
};

use super::*;

const AUTHORITY: Authority = Authority::Organization;

fn key() -> (SoftwareKey, SubjectPublicKey) {
    let key = SoftwareKey::generate(KeyAlgorithm::P256).unwrap();
    let public = SubjectPublicKey::parse("key", key.public_key().der()).unwrap();
    (key, public)
}

fn serial(n: u8) -> Serial {
    let mut bytes = [n; 16];
    bytes[0] = 0x41;
    Serial::from_bytes(&bytes).unwrap()
}

fn sign(tbs: Vec<u8>, key: &SoftwareKey) -> Vec<u8> {
    let signature = key.sign(&tbs).unwrap();
    signed::assemble(tbs, key.algorithm().signature(), &signature)
}

/// A generation of the CA, and a certificate by its key.
fn generation(n: u8) -> (CaCertificate, Vec<u8>) {
    let (ca_key, ca_public) = key();
    let day = "2008-02-04".parse().unwrap();
    let tbs = authority::build(&CaBlueprint {
        authority: AUTHORITY,
        public_key: &ca_public,
        serial: serial(n),
        validity: Validity::for_ca(day),
    });
    let ca = sign(tbs.unwrap(), &ca_key);
    let addresses = Addresses::at(&["http://ca.lg.jp".to_owned()], AUTHORITY, u32::from(n));
    let issuer = Issuer::try_new(AUTHORITY, u32::from(n), &ca, addresses).unwrap();
    let kind = CertificateKind::OfficialDuty;
    let names = |en, ja| Names::try_new("names", en, ja).unwrap();
    let blueprint = Blueprint {
        subject: &Subject {
            body: names("Sapporo City", "札幌市"),
            unit: Some(names("General Affairs", "総務部")),
            name: names("Mayor", "市長"),
        },
        particulars: &Particulars::try_new("x", kind, &Requested::default()).unwrap(),
        public_key: &key().1,
        serial: serial(10 + n),
        validity: Validity::for_subscriber(day),
    };
    let certificate = sign(tbs::build(&issuer, &blueprint).unwrap(), &ca_key);
    let info = v1::IssuerInfo {
        authority: convert::wire(AUTHORITY),
        certificate: ca,
        key_generation: n.into(),
        ..v1::IssuerInfo::default()
    };
    (read(info).unwrap(), certificate)
}

#[test]
fn a_certificate_by_a_key_that_is_not_known_yet_gets_no_other_keys_ca_certificate() {
    let ((first, by_first), (second, by_second)) = (generation(1), generation(2));
    let der = |ca: &CaCertificate| Some(ca.der.clone());
    let of = Some(AUTHORITY);
    let old = [first.clone()];
    assert_eq!(pick(&old, of, &by_first), der(&first));
    assert_eq!(pick(&old, of, &by_second), None);
    assert_eq!(pick(&old, Some(Authority::Application), &by_first), None);
    let refreshed = [first.clone(), second.clone()];
    assert_eq!(pick(&refreshed, of, &by_first), der(&first));
    assert_eq!(pick(&refreshed, of, &by_second), der(&second));
    // What has no readable key identifier belongs to the only one there is.
    assert_eq!(pick(&old, of, b"no certificate"), None);
    assert_eq!(only(&old, of), der(&first));
    assert_eq!(only(&refreshed, of), None);
}
