//! The three states of a medium, as shown.

use super::*;
use crate::testing::{World, make_request, pin};

#[test]
fn a_medium_is_shown_without_its_pin_in_each_state() {
    let world = World::new();
    let kit = world.pc();
    let path = world.medium(&kit, "token", KeyMedium::UsbToken);
    let empty = kit.show(&path).unwrap();
    assert_eq!(
        (empty.state(), empty.medium),
        ("empty", KeyMedium::UsbToken)
    );
    assert!(empty.id.starts_with("usb-token-"));
    assert_eq!(empty.tries_left, TRIES);
    assert_eq!(empty.formatted_at.to_string(), crate::testing::OPENING);

    let requested = make_request(&kit, &path, CertificateKind::CodeSigning);
    let pending = kit.show(&path).unwrap();
    assert_eq!(pending.state(), "pending");
    let request = pending.request.unwrap();
    assert_eq!(request.kind, CertificateKind::CodeSigning);
    assert_eq!(request.algorithm, KeyAlgorithm::P256);
    assert_eq!(request.csr, requested.csr);

    let certificate = world.answer(&requested, CertificateKind::CodeSigning);
    kit.store(&path, &pin(), certificate.as_bytes()).unwrap();
    let certified = kit.show(&path).unwrap();
    assert_eq!(certified.state(), "certified");
    let view = certified.certificate.unwrap();
    assert_eq!(view.kind, Some(CertificateKind::CodeSigning));
    assert_eq!(view.not_after.to_string(), "2011-02-03T23:59:59.000+09:00");
    assert!(!view.expired);
}

#[test]
fn an_expired_certificate_is_shown_as_such() {
    let world = World::new();
    let kit = world.pc();
    let path = world.certified(&kit, "card", CertificateKind::User);
    world
        .clock
        .set("2011-02-04T00:00:00.000+09:00".parse().unwrap());
    assert!(kit.show(&path).unwrap().certificate.unwrap().expired);
}
