//! R5, and that only what was requested is stored.

use lgpki_domain::{CertificateKind, KeyAlgorithm, KeyMedium, Subject};
use lgpki_keys::SoftwareKey;
use lgpki_x509::Particulars;

use super::*;
use crate::{
    Format,
    testing::{World, make_request, names, particulars, pin},
};

const DUTY: CertificateKind = CertificateKind::OfficialDuty;

fn reasons(refused: &KitError) -> Vec<&'static str> {
    match refused.faults() {
        Some(faults) => faults.iter().map(|f| f.reason).collect(),
        None => panic!("{refused}"),
    }
}

#[test]
fn the_certificate_of_the_request_is_stored_where_it_was_made() {
    let world = World::new();
    let kit = world.pc();
    for kind in [
        DUTY,
        CertificateKind::User,
        CertificateKind::Mail,
        CertificateKind::Login,
    ] {
        let path = world.medium(&kit, kind.name(), KeyMedium::IcCard);
        let requested = make_request(&kit, &path, kind);
        let chain = world.answer(&requested, kind) + &world.ca_certificate(kind);
        let stored = kit.store(&path, &pin(), chain.as_bytes()).unwrap();
        assert_eq!(stored.chain, 2);
        let shown = kit.show(&path).unwrap();
        assert_eq!(shown.state(), "certified");
        let certificate = shown.certificate.unwrap();
        assert_eq!(certificate.serial, stored.serial);
        assert_eq!(certificate.chain.concat(), chain);
        assert_eq!(certificate.subject, Some(requested.subject));
    }
}

#[test]
fn another_pc_is_refused_even_under_the_same_name() {
    let world = World::new();
    let kit = world.pc();
    let path = world.medium(&kit, "card", KeyMedium::IcCard);
    let requested = make_request(&kit, &path, DUTY);
    let certificate = world.answer(&requested, DUTY);
    let other = world.fresh_pc("pc-02", "yamada");
    world.set_up(&other);
    let refused = other
        .store(&path, &pin(), certificate.as_bytes())
        .unwrap_err();
    assert_eq!(reasons(&refused), ["OTHER_PC"]);
    let text = refused.to_string();
    assert!(
        text.contains("pc-01") && text.contains("pc-02") && text.contains("(R5)"),
        "{text}"
    );

    let impostor = Kit::new(
        &world.path("elsewhere"),
        kit.pc().clone(),
        world.clock.clone(),
        world.random.clone(),
    );
    world.set_up(&impostor);
    let refused = impostor
        .store(&path, &pin(), certificate.as_bytes())
        .unwrap_err();
    assert_eq!(reasons(&refused), ["OTHER_PC"]);
    assert_eq!(kit.show(&path).unwrap().state(), "pending");
    kit.store(&path, &pin(), certificate.as_bytes()).unwrap();
}

#[test]
fn another_os_login_is_refused() {
    let world = World::new();
    let kit = world.pc();
    let path = world.medium(&kit, "card", KeyMedium::IcCard);
    let requested = make_request(&kit, &path, DUTY);
    let certificate = world.answer(&requested, DUTY);
    let colleague = Kit::new(
        kit.directory(),
        crate::Pc::try_new("pc-01", "suzuki").unwrap(),
        world.clock.clone(),
        world.random.clone(),
    );
    let refused = colleague
        .store(&path, &pin(), certificate.as_bytes())
        .unwrap_err();
    assert_eq!(reasons(&refused), ["OTHER_OS_LOGIN"]);
    let text = refused.to_string();
    assert!(text.contains("yamada") && text.contains("suzuki"), "{text}");
}

#[test]
fn another_medium_is_refused_and_the_right_one_named() {
    let world = World::new();
    let kit = world.pc();
    let right = world.medium(&kit, "right", KeyMedium::IcCard);
    let wrong = world.medium(&kit, "wrong", KeyMedium::IcCard);
    let requested = make_request(&kit, &right, DUTY);
    make_request(&kit, &wrong, DUTY);
    let certificate = world.answer(&requested, DUTY);
    let refused = kit
        .store(&wrong, &pin(), certificate.as_bytes())
        .unwrap_err();
    assert_eq!(reasons(&refused), ["OTHER_MEDIUM"]);
    assert!(refused.to_string().contains(&requested.medium), "{refused}");
}

#[test]
fn a_certificate_for_a_key_that_formatting_destroyed_is_refused() {
    let world = World::new();
    let kit = world.pc();
    let path = world.medium(&kit, "card", KeyMedium::IcCard);
    let first = make_request(&kit, &path, DUTY);
    let certificate = world.answer(&first, DUTY);
    let format = Format {
        medium: KeyMedium::IcCard,
        pin: &pin(),
        destroy_key: true,
    };
    kit.format(&path, &format).unwrap();
    let refused = kit
        .store(&path, &pin(), certificate.as_bytes())
        .unwrap_err();
    assert!(matches!(refused, KitError::NoRequest { .. }), "{refused}");
    make_request(&kit, &path, DUTY);
    let refused = kit
        .store(&path, &pin(), certificate.as_bytes())
        .unwrap_err();
    assert_eq!(reasons(&refused), ["KEY_DESTROYED"]);
    assert!(refused.to_string().contains("revoked"), "{refused}");
}

#[test]
fn a_certificate_for_a_foreign_key_is_refused() {
    let world = World::new();
    let kit = world.pc();
    let path = world.medium(&kit, "card", KeyMedium::IcCard);
    let requested = make_request(&kit, &path, DUTY);
    let foreign = SoftwareKey::generate(KeyAlgorithm::P256).unwrap();
    let certificate = world.certify(
        foreign.public_key().der(),
        &requested.subject,
        &Particulars::OfficialDuty,
    );
    let refused = kit
        .store(&path, &pin(), certificate.as_bytes())
        .unwrap_err();
    assert_eq!(reasons(&refused), ["OTHER_KEY"]);
}

#[test]
fn another_kind_subject_or_address_than_requested_is_refused() {
    let world = World::new();
    let kit = world.pc();
    let path = world.medium(&kit, "card", KeyMedium::IcCard);
    let requested = make_request(&kit, &path, CertificateKind::Mail);
    let csr = lgpki_x509::CertificationRequest::parse("csr", requested.csr.as_bytes()).unwrap();
    let key = csr.public_key().der();
    let renamed = Subject {
        name: names("Deputy Mayor", "副市長"),
        ..requested.subject.clone()
    };
    let other_address = Particulars::try_new(
        "p",
        CertificateKind::Mail,
        &lgpki_x509::Requested {
            mail: Some("kikaku@city.example.lg.jp"),
            ..Default::default()
        },
    )
    .unwrap();
    for (subject, particulars, expected) in [
        (
            &requested.subject,
            &particulars(CertificateKind::CodeSigning),
            &["OTHER_KIND"][..],
        ),
        (
            &renamed,
            &particulars(CertificateKind::Mail),
            &["OTHER_SUBJECT"],
        ),
        (&requested.subject, &other_address, &["OTHER_PARTICULARS"]),
        (
            &renamed,
            &other_address,
            &["OTHER_PARTICULARS", "OTHER_SUBJECT"],
        ),
    ] {
        let certificate = world.certify(key, subject, particulars);
        let refused = kit
            .store(&path, &pin(), certificate.as_bytes())
            .unwrap_err();
        assert_eq!(reasons(&refused), expected);
    }
    assert_eq!(kit.show(&path).unwrap().state(), "pending");
}

#[test]
fn a_certificate_that_was_imported_elsewhere_first_must_be_revoked() {
    let world = World::new();
    let kit = world.pc();
    let path = world.medium(&kit, "card", KeyMedium::IcCard);
    let requested = make_request(&kit, &path, DUTY);
    let certificate = world.answer(&requested, DUTY);
    kit.import_elsewhere(certificate.as_bytes()).unwrap();
    let refused = kit
        .store(&path, &pin(), certificate.as_bytes())
        .unwrap_err();
    assert_eq!(reasons(&refused), ["CERTIFICATE_IMPORTED_ELSEWHERE"]);
    let text = refused.to_string();
    for part in ["revoked", "失効申請", "--destroy-key", "request", "(R5)"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn every_breach_is_told_at_once() {
    let world = World::new();
    let kit = world.pc();
    let path = world.medium(&kit, "card", KeyMedium::IcCard);
    let requested = make_request(&kit, &path, DUTY);
    let certificate = world.answer(&requested, DUTY);
    let other = world.fresh_pc("pc-02", "suzuki");
    world.set_up(&other);
    other.import_elsewhere(certificate.as_bytes()).unwrap();
    let chain = certificate + &world.ca_certificate(CertificateKind::Mail);
    let refused = other.store(&path, &pin(), chain.as_bytes()).unwrap_err();
    assert_eq!(
        reasons(&refused),
        [
            "OTHER_PC",
            "OTHER_OS_LOGIN",
            "CERTIFICATE_IMPORTED_ELSEWHERE",
            "CHAIN_BROKEN"
        ]
    );
}

#[test]
fn a_wrong_pin_stores_nothing() {
    let world = World::new();
    let kit = world.pc();
    let path = world.medium(&kit, "card", KeyMedium::IcCard);
    let requested = make_request(&kit, &path, DUTY);
    let certificate = world.answer(&requested, DUTY);
    let wrong = Pin::try_new("9999").unwrap();
    let refused = kit
        .store(&path, &wrong, certificate.as_bytes())
        .unwrap_err();
    assert!(matches!(refused, KitError::WrongPin { .. }));
    assert_eq!(kit.show(&path).unwrap().state(), "pending");
}

#[test]
fn a_stored_certificate_is_not_stored_over() {
    let world = World::new();
    let kit = world.pc();
    let path = world.medium(&kit, "card", KeyMedium::IcCard);
    let requested = make_request(&kit, &path, DUTY);
    let certificate = world.answer(&requested, DUTY);
    kit.store(&path, &pin(), certificate.as_bytes()).unwrap();
    let refused = kit
        .store(&path, &pin(), certificate.as_bytes())
        .unwrap_err();
    assert!(matches!(refused, KitError::NoRequest { .. }), "{refused}");
}

#[test]
fn what_is_no_certificate_is_refused() {
    let world = World::new();
    let kit = world.pc();
    let path = world.medium(&kit, "card", KeyMedium::IcCard);
    let requested = make_request(&kit, &path, DUTY);
    for text in ["", "garbage", requested.csr.as_str()] {
        let refused = kit.store(&path, &pin(), text.as_bytes()).unwrap_err();
        assert!(matches!(refused, KitError::X509 { .. }), "{refused}");
    }
}
