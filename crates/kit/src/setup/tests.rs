//! The body's name must be the login certificate's.

use lgpki_domain::{KeyAlgorithm, KeyMedium};

use super::*;
use crate::{
    Order,
    testing::{World, body, code, names, pin, unit},
};

fn wanted<'a>(body: &'a Names, code: BodyCode, pem: &'a str) -> SetUp<'a> {
    SetUp {
        body,
        code,
        login_certificate: Some(pem.as_bytes()),
    }
}

#[test]
fn the_body_of_the_login_certificate_is_taken_and_read_back() {
    let world = World::new();
    let kit = world.fresh_pc("pc-01", "yamada");
    for role in [OfficerRole::BranchOfficer, OfficerRole::LgwanOfficer] {
        let (_, login) = world.officer(role, Some(code()));
        let made = kit.set_up(&wanted(&body(), code(), &login)).unwrap();
        assert_eq!(kit.settings().unwrap(), made);
        assert_eq!((made.body, made.code), (body(), code()));
        let by = made.vouched.unwrap();
        assert_eq!((by.role, by.serial.len()), (role, 32));
    }
}

#[test]
fn every_difference_from_the_login_certificate_is_told_and_nothing_kept() {
    let world = World::new();
    let kit = world.fresh_pc("pc-01", "yamada");
    let (_, login) = world.officer(OfficerRole::BranchOfficer, Some(code()));
    let other = names("Example Town", "例示町");
    let refused = kit
        .set_up(&wanted(&other, "01002".parse().unwrap(), &login))
        .unwrap_err();
    let fields: Vec<_> = refused
        .faults()
        .unwrap()
        .iter()
        .map(|f| (f.field.as_str(), f.reason))
        .collect();
    assert_eq!(
        fields,
        [
            ("body.en", "BODY_NOT_THE_LOGINS"),
            ("body.ja", "BODY_NOT_THE_LOGINS"),
            ("body.code", "BODY_NOT_THE_LOGINS")
        ]
    );
    let text = refused.to_string();
    assert!(text.contains("例示町") && text.contains("例示市"), "{text}");
    assert!(matches!(kit.settings(), Err(KitError::NotSetUp { .. })));
}

#[test]
fn only_a_login_certificate_of_a_body_vouches_for_one() {
    let world = World::new();
    let kit = world.fresh_pc("pc-01", "yamada");
    let (key, _) = world.officer(OfficerRole::BranchOfficer, Some(code()));
    let (_, operator) = world.officer(OfficerRole::Operator, None);
    let subject = lgpki_domain::Subject {
        body: body(),
        unit: None,
        name: names("Mayor", "市長"),
    };
    let duty = world.certify(
        lgpki_keys::Signer::public_key(&key).der(),
        &subject,
        &lgpki_x509::Particulars::OfficialDuty,
    );
    let ca = world.ca_certificate(CertificateKind::Login);
    for pem in [operator, duty, ca] {
        let refused = kit.set_up(&wanted(&body(), code(), &pem)).unwrap_err();
        assert!(
            matches!(refused, KitError::WrongCertificate { .. }),
            "{refused}"
        );
    }
    for pem in ["", "no PEM at all"] {
        let refused = kit.set_up(&wanted(&body(), code(), pem)).unwrap_err();
        assert!(matches!(refused, KitError::X509 { .. }), "{refused}");
    }
}

/// What the PC would do with an order for a certificate of this kind.
fn refused(kit: &Kit, world: &World, card: &str, kind: CertificateKind) -> Vec<&'static str> {
    let path = world.medium(kit, card, KeyMedium::IcCard);
    let (unit, name) = (unit(), names("Branch Officer", "登録分局責任者"));
    let login = kind == CertificateKind::Login;
    let order = Order {
        unit: (!login).then_some(&unit),
        login: login.then_some(OfficerRole::BranchOfficer),
        algorithm: KeyAlgorithm::P256,
        ..Order::new(kind, &name)
    };
    match kit.request(&path, &pin(), &order) {
        Ok(_) => Vec::new(),
        Err(error) => error.faults().unwrap().iter().map(|f| f.reason).collect(),
    }
}

#[test]
fn a_body_whose_login_expired_or_is_lost_sets_a_pc_up_for_its_next_login_and_nothing_else() {
    use CertificateKind::{Login, OfficialDuty};
    let world = World::new();
    let kit = world.fresh_pc("pc-01", "yamada");
    let (_, login) = world.officer(OfficerRole::BranchOfficer, Some(code()));
    world
        .clock
        .set("2011-02-03T23:59:59.999+09:00".parse().unwrap());
    let made = kit.set_up(&wanted(&body(), code(), &login)).unwrap();
    assert!(made.vouched.is_some());
    assert!(refused(&kit, &world, "card-1", OfficialDuty).is_empty());
    world
        .clock
        .set("2011-02-04T00:00:00.000+09:00".parse().unwrap());
    let body = body();
    let expired = wanted(&body, code(), &login);
    let none = SetUp {
        login_certificate: None,
        ..expired
    };
    for (n, how) in [expired, none].iter().enumerate() {
        let made = kit.set_up(how).unwrap();
        assert_eq!(
            (kit.settings().unwrap(), &made.vouched),
            (made.clone(), &None)
        );
        let card = |what: &str| format!("{what}-{n}");
        let other = refused(&kit, &world, &card("duty"), OfficialDuty);
        assert_eq!(other, ["PC_FOR_LOGINS_ONLY"]);
        assert!(refused(&kit, &world, &card("login"), Login).is_empty());
    }
    // An expired one still says whose it was.
    let other = names("Example Town", "例示町");
    assert!(kit.set_up(&wanted(&other, code(), &login)).is_err());
    let (_, new) = world.officer(OfficerRole::BranchOfficer, Some(code()));
    kit.set_up(&wanted(&body, code(), &new)).unwrap();
    assert!(refused(&kit, &world, "card-2", OfficialDuty).is_empty());
}

#[test]
fn damaged_settings_are_told_and_not_guessed() {
    let world = World::new();
    let kit = world.pc();
    let path = kit.settings_path();
    let text = std::fs::read_to_string(&path).unwrap();
    for broken in [
        "{",
        &text.replace("\"version\": 1", "\"version\": 2"),
        &text.replace("01001", "99999"),
        &text.replace("branch-officer", "mayor"),
        &text.replace("login_serial", "serial_of_login"),
    ] {
        std::fs::write(&path, broken).unwrap();
        let refused = kit.settings().unwrap_err();
        assert!(matches!(refused, KitError::Damaged { .. }), "{refused}");
    }
}
