//! Ready-made login media unlock like those made at a body, and never replace a key in use.

use lgpki_domain::{CertificateKind, OfficerRole};

use super::*;
use crate::{
    LoginMaterial,
    testing::{World, code, pin},
};

#[test]
fn a_ready_made_login_medium_unlocks() {
    let world = World::new();
    let (key, certificate) = world.officer(OfficerRole::Operator, None);
    let chain = certificate + &world.ca_certificate(CertificateKind::Login);
    let provision = Provision {
        medium: KeyMedium::IcCard,
        pin: &pin(),
        key: &key,
        certificate: chain.as_bytes(),
    };
    let path = world.path("operator");
    let id = provision
        .write(&path, world.clock.as_ref(), world.random.as_ref())
        .unwrap();
    let login = LoginMaterial::unlock(&path, &pin()).unwrap();
    assert_eq!((login.role, login.body), (OfficerRole::Operator, None));
    assert_eq!(login.chain.len(), 2);
    let shown = world.fresh_pc("pc", "x").show(&path).unwrap();
    assert_eq!((shown.id, shown.request), (id, None));

    let again = provision.write(&path, world.clock.as_ref(), world.random.as_ref());
    assert!(matches!(again, Err(KitError::KeyWouldBeDestroyed { .. })));
}

#[test]
fn a_certificate_for_another_key_is_not_written() {
    let world = World::new();
    let (_, certificate) = world.officer(OfficerRole::BranchOfficer, Some(code()));
    let (key, _) = world.officer(OfficerRole::BranchOfficer, Some(code()));
    let provision = Provision {
        medium: KeyMedium::UsbToken,
        pin: &pin(),
        key: &key,
        certificate: certificate.as_bytes(),
    };
    let path = world.path("officer");
    let refused = provision.write(&path, world.clock.as_ref(), world.random.as_ref());
    assert!(matches!(refused, Err(KitError::NotAPair { .. })));
    assert!(!path.exists());
}
