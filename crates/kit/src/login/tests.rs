//! Login material comes out of a login medium or login data, and of nothing else.

use lgpki_domain::{KeyAlgorithm, KeyMedium};

use super::*;
use crate::testing::{World, code, make_request, pin};

fn passphrase(text: &str) -> Passphrase {
    Passphrase::try_new(Zeroizing::new(text.as_bytes().to_vec()), "test").unwrap()
}

#[test]
fn a_login_card_gives_its_chain_and_the_key_that_belongs_to_it() {
    let world = World::new();
    let kit = world.pc();
    let path = world.medium(&kit, "card", KeyMedium::IcCard);
    let requested = make_request(&kit, &path, CertificateKind::Login);
    let chain = world.answer(&requested, CertificateKind::Login)
        + &world.ca_certificate(CertificateKind::Login);
    kit.store(&path, &pin(), chain.as_bytes()).unwrap();
    let login = LoginMaterial::unlock(&path, &pin()).unwrap();
    assert_eq!(login.chain.len(), 2);
    assert_eq!(
        (login.role, login.body),
        (OfficerRole::BranchOfficer, Some(code()))
    );
    // The PKCS#8 PrivateKeyInfo of an EC key ends in its public key, as the SubjectPublicKeyInfo does.
    let csr = lgpki_x509::CertificationRequest::parse("csr", requested.csr.as_bytes()).unwrap();
    let public = csr.public_key().der();
    assert_eq!(
        login.key[login.key.len() - 65..],
        public[public.len() - 65..]
    );
    assert!(!format!("{login:?}").contains("key"), "{login:?}");
}

#[test]
fn other_media_do_not_log_in() {
    let world = World::new();
    let kit = world.pc();
    let user = world.certified(&kit, "user", CertificateKind::User);
    let empty = world.medium(&kit, "empty", KeyMedium::IcCard);
    let pending = world.medium(&kit, "pending", KeyMedium::IcCard);
    make_request(&kit, &pending, CertificateKind::Login);
    for path in [&user, &empty, &pending] {
        let refused = LoginMaterial::unlock(path, &pin()).unwrap_err();
        assert!(matches!(refused, KitError::NoLogin { .. }), "{refused}");
    }
    let refused = LoginMaterial::unlock(&world.path("nowhere"), &pin()).unwrap_err();
    assert!(matches!(refused, KitError::NotFormatted { .. }));
}

#[test]
fn a_wrong_pin_unlocks_nothing() {
    let world = World::new();
    let path = world.certified(&world.pc(), "card", CertificateKind::Login);
    let refused = LoginMaterial::unlock(&path, &Pin::try_new("0000").unwrap()).unwrap_err();
    assert!(matches!(refused, KitError::WrongPin { left: 9, .. }));
    assert!(LoginMaterial::unlock(&path, &pin()).is_ok());
}

#[test]
fn login_data_is_a_certificate_and_its_encrypted_key() {
    let world = World::new();
    let (key, certificate) = world.officer(OfficerRole::LgwanOfficer, Some(code()));
    let pem = key
        .to_encrypted_pkcs8_pem_with(&passphrase("p"), 1)
        .unwrap();
    let open = |key: &str, pass: &str| {
        LoginMaterial::from_data(certificate.as_bytes(), key.as_bytes(), &passphrase(pass))
    };
    let login = open(&pem, "p").unwrap();
    assert_eq!(
        (login.role, login.chain.len()),
        (OfficerRole::LgwanOfficer, 1)
    );
    assert!(matches!(open(&pem, "q"), Err(KitError::Key(_))));
    let stranger = SoftwareKey::generate(KeyAlgorithm::P256)
        .and_then(|k| k.to_encrypted_pkcs8_pem_with(&passphrase("p"), 1))
        .unwrap();
    assert!(matches!(
        open(&stranger, "p"),
        Err(KitError::NotAPair { .. })
    ));
}
