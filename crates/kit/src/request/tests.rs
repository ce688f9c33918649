//! What a request leaves behind, and when none can be made.

use lgpki_domain::{KeyMedium, OfficerRole};
use lgpki_x509::CertificationRequest;

use super::*;
use crate::testing::{World, make_request, name_for, order, particulars, pin, try_request, unit};

#[test]
fn the_request_of_every_kind_is_accepted_by_the_csr_reader() {
    let world = World::new();
    let kit = world.pc();
    for kind in [
        CertificateKind::OfficialDuty,
        CertificateKind::User,
        CertificateKind::CodeSigning,
        CertificateKind::Mail,
        CertificateKind::Login,
    ] {
        let path = world.medium(&kit, kind.name(), KeyMedium::IcCard);
        let requested = make_request(&kit, &path, kind);
        let csr = CertificationRequest::parse("csr", requested.csr.as_bytes()).unwrap();
        csr.check_names("csr", &requested.subject, &particulars(kind))
            .unwrap();
        assert_eq!(csr.public_key().algorithm(), KeyAlgorithm::P256);
        assert_eq!(requested.subject.body, crate::testing::body());
    }
}

#[test]
fn a_key_is_rsa_2048_unless_another_is_chosen() {
    let world = World::new();
    let kit = world.pc();
    let name = name_for(CertificateKind::OfficialDuty);
    let unit = unit();
    let mut order = Order::new(CertificateKind::OfficialDuty, &name);
    order.unit = Some(&unit);
    for (medium, chosen, expected) in [
        ("default", None, KeyAlgorithm::Rsa2048),
        ("ed", Some(KeyAlgorithm::Ed25519), KeyAlgorithm::Ed25519),
        ("p384", Some(KeyAlgorithm::P384), KeyAlgorithm::P384),
    ] {
        let path = world.medium(&kit, medium, KeyMedium::IcCard);
        order.algorithm = chosen.unwrap_or(order.algorithm);
        let requested = kit.request(&path, &pin(), &order).unwrap();
        let csr = CertificationRequest::parse("csr", requested.csr.as_bytes()).unwrap();
        assert_eq!(csr.public_key().algorithm(), expected);
    }
}

#[test]
fn nothing_is_requested_before_set_up() {
    let world = World::new();
    let kit = world.fresh_pc("pc-09", "yamada");
    let path = world.medium(&kit, "card", KeyMedium::IcCard);
    let refused = try_request(&kit, &path, CertificateKind::OfficialDuty).unwrap_err();
    assert!(matches!(refused, KitError::NotSetUp { .. }));
    assert_eq!(kit.show(&path).unwrap().state(), "empty");
}

#[test]
fn a_second_request_does_not_replace_a_pending_key() {
    let world = World::new();
    let kit = world.pc();
    let path = world.medium(&kit, "card", KeyMedium::IcCard);
    let first = make_request(&kit, &path, CertificateKind::OfficialDuty);
    let refused = try_request(&kit, &path, CertificateKind::Login).unwrap_err();
    assert!(matches!(refused, KitError::MediumInUse { .. }), "{refused}");
    let shown = kit.show(&path).unwrap().request.unwrap();
    assert_eq!((shown.csr, shown.key_digest), (first.csr, first.key_digest));
}

#[test]
fn a_medium_with_a_certificate_takes_no_second_key() {
    let world = World::new();
    let kit = world.pc();
    let path = world.certified(&kit, "card", CertificateKind::User);
    let refused = try_request(&kit, &path, CertificateKind::User).unwrap_err();
    assert!(refused.to_string().contains("(R3)"), "{refused}");
}

#[test]
fn a_refused_order_and_a_wrong_pin_leave_the_medium_empty() {
    let world = World::new();
    let kit = world.pc();
    let token = world.medium(&kit, "token", KeyMedium::UsbToken);
    let refused = try_request(&kit, &token, CertificateKind::OfficialDuty).unwrap_err();
    assert!(matches!(refused, KitError::OrderRefused(_)));
    assert_eq!(kit.show(&token).unwrap().tries_left, crate::pin::TRIES);
    let name = name_for(CertificateKind::Login);
    let login = order(CertificateKind::Login, &name);
    let wrong = Pin::try_new("9999").unwrap();
    let refused = kit.request(&token, &wrong, &login).unwrap_err();
    assert!(matches!(refused, KitError::WrongPin { left: 9, .. }));
    assert_eq!(kit.show(&token).unwrap().state(), "empty");
}

#[test]
fn the_pc_the_login_and_the_medium_are_remembered_on_both_sides() {
    let world = World::new();
    let kit = world.pc();
    let path = world.medium(&kit, "card", KeyMedium::IcCard);
    let requested = make_request(&kit, &path, CertificateKind::Mail);
    let shown = kit.show(&path).unwrap().request.unwrap();
    assert_eq!(
        (shown.pc.as_str(), shown.os_login.as_str()),
        ("pc-01", "yamada")
    );
    assert_eq!(shown.mail.as_deref(), Some("soumu@city.example.lg.jp"));
    let remembered = kit.remembered(requested.key_digest).unwrap().unwrap();
    assert_eq!(remembered.medium, requested.medium);
    assert_eq!(remembered.pc, "pc-01");
}

#[test]
fn a_login_data_request_carries_the_csr_and_whose_login_it_is() {
    let world = World::new();
    let kit = world.pc();
    let path = world.medium(&kit, "token", KeyMedium::UsbToken);
    let name = name_for(CertificateKind::Login);
    let mut login = order(CertificateKind::Login, &name);
    login.login = Some(OfficerRole::LgwanOfficer);
    let made = kit.request_login_data(&path, &pin(), &login).unwrap();
    let file: serde_json::Value = serde_json::from_str(&made.file).unwrap();
    assert_eq!(file["body_code"], "01001");
    assert_eq!(file["body"]["ja"], "例示市");
    assert_eq!(file["login"]["role"], "lgwan-officer");
    assert_eq!(file["medium_kind"], "usb-token");
    assert_eq!(file["csr"], made.requested.csr);
    assert_eq!(file["key_digest"], made.requested.key_digest.to_string());
}

#[test]
fn there_is_login_data_for_login_certificates_only() {
    let world = World::new();
    let kit = world.pc();
    let path = world.medium(&kit, "token", KeyMedium::UsbToken);
    let name = name_for(CertificateKind::CodeSigning);
    let refused = kit
        .request_login_data(&path, &pin(), &order(CertificateKind::CodeSigning, &name))
        .unwrap_err();
    assert!(matches!(refused, KitError::OrderRefused(_)), "{refused}");
    assert_eq!(kit.show(&path).unwrap().state(), "empty");
}
