//! R4 and the PIN: what formatting destroys, and what locks.

use lgpki_domain::CertificateKind;

use super::*;
use crate::testing::{World, make_request, pin, try_request};

fn format(destroy_key: bool, pin: &Pin) -> Format<'_> {
    Format {
        medium: KeyMedium::IcCard,
        pin,
        destroy_key,
    }
}

#[test]
fn a_new_medium_too_must_be_formatted() {
    let world = World::new();
    let kit = world.pc();
    let path = world.path("card");
    fs::create_dir(&path).unwrap();
    for missing in [&path, &world.path("nowhere")] {
        let refused = try_request(&kit, missing, CertificateKind::OfficialDuty).unwrap_err();
        assert!(matches!(refused, KitError::NotFormatted { .. }));
        assert!(refused.to_string().contains("(R4)"), "{refused}");
    }
    kit.format(&path, &format(false, &pin())).unwrap();
    make_request(&kit, &path, CertificateKind::OfficialDuty);
}

#[test]
fn a_medium_says_that_it_is_simulated() {
    let world = World::new();
    let path = world.medium(&world.pc(), "card", KeyMedium::UsbToken);
    let label = fs::read_to_string(path.join("LABEL.txt")).unwrap();
    assert!(label.contains("SIMULATED") && label.contains("模擬"));
    let record = fs::read_to_string(path.join("medium.json")).unwrap();
    assert!(record.contains("\"simulated\": true"));
}

#[test]
fn an_empty_medium_is_formatted_again_and_keeps_its_id() {
    let world = World::new();
    let kit = world.pc();
    let path = world.path("card");
    let first = kit.format(&path, &format(false, &pin())).unwrap();
    let second = kit.format(&path, &format(false, &pin())).unwrap();
    assert_eq!(first.id, second.id);
    assert_eq!(second.destroyed, None);
    let other = kit.format(&world.path("other"), &format(false, &pin()));
    assert_ne!(first.id, other.unwrap().id);
}

#[test]
fn formatting_does_not_destroy_a_pending_key_unless_told_to() {
    let world = World::new();
    let kit = world.pc();
    let path = world.medium(&kit, "card", KeyMedium::IcCard);
    make_request(&kit, &path, CertificateKind::OfficialDuty);
    let before = fs::read(path.join("medium.json")).unwrap();
    let refused = kit.format(&path, &format(false, &pin())).unwrap_err();
    let text = refused.to_string();
    assert!(
        text.contains("(R4)") && text.contains("--destroy-key"),
        "{text}"
    );
    assert!(text.contains("例示市長"), "{text}");
    assert_eq!(fs::read(path.join("medium.json")).unwrap(), before);
    let formatted = kit.format(&path, &format(true, &pin())).unwrap();
    assert!(formatted.destroyed.unwrap().contains("official-duty"));
    assert_eq!(kit.show(&path).unwrap().state(), "empty");
}

#[test]
fn formatting_does_not_destroy_the_key_of_a_valid_certificate_unless_told_to() {
    let world = World::new();
    let kit = world.pc();
    let path = world.certified(&kit, "card", CertificateKind::User);
    let refused = kit.format(&path, &format(false, &pin())).unwrap_err();
    let text = refused.to_string();
    assert!(matches!(refused, KitError::KeyWouldBeDestroyed { .. }));
    for part in ["revoked first", "失効申請", "2011-02-03", "--destroy-key"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(kit.show(&path).unwrap().state(), "certified");
    kit.format(&path, &format(true, &pin())).unwrap();
    assert_eq!(kit.show(&path).unwrap().state(), "empty");
}

#[test]
fn the_medium_of_an_expired_certificate_is_formatted_freely() {
    let world = World::new();
    let kit = world.pc();
    let path = world.certified(&kit, "card", CertificateKind::User);
    world
        .clock
        .set("2011-02-03T23:59:59.999+09:00".parse().unwrap());
    assert!(kit.format(&path, &format(false, &pin())).is_err());
    world
        .clock
        .set("2011-02-04T00:00:00.000+09:00".parse().unwrap());
    assert!(kit.format(&path, &format(false, &pin())).is_ok());
}

#[test]
fn a_directory_with_other_files_is_not_formatted() {
    let world = World::new();
    let path = world.path("documents");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("letter.txt"), "dear").unwrap();
    let refused = world.pc().format(&path, &format(true, &pin())).unwrap_err();
    assert!(matches!(refused, KitError::NotEmpty { .. }));
    assert!(path.join("letter.txt").exists());
}

#[test]
fn a_servers_key_store_is_no_medium() {
    let world = World::new();
    let refused = world.pc().format(
        &world.path("server"),
        &Format {
            medium: KeyMedium::Server,
            pin: &pin(),
            destroy_key: false,
        },
    );
    assert!(matches!(refused, Err(KitError::NoSuchMedium)));
}

#[test]
fn wrong_pins_are_counted_and_a_right_one_forgives_them() {
    let world = World::new();
    let path = world.medium(&world.pc(), "card", KeyMedium::IcCard);
    let wrong = Pin::try_new("4321").unwrap();
    let medium = Medium::open(&path).unwrap();
    for left in (1..TRIES).rev() {
        match medium.present(&wrong) {
            Err(KitError::WrongPin { left: told, .. }) => assert_eq!(told, left),
            other => panic!("{other:?}"),
        }
        if left == 5 {
            break;
        }
    }
    medium.present(&pin()).unwrap();
    assert_eq!(medium.wrong_tries().unwrap(), 0);
}

#[test]
fn ten_wrong_pins_lock_the_medium_for_the_right_one_too() {
    let world = World::new();
    let kit = world.pc();
    let path = world.certified(&kit, "card", CertificateKind::Login);
    let wrong = Pin::try_new("4321").unwrap();
    {
        let medium = Medium::open(&path).unwrap();
        for _ in 1..TRIES {
            assert!(matches!(
                medium.present(&wrong),
                Err(KitError::WrongPin { .. })
            ));
        }
        assert!(matches!(
            medium.present(&wrong),
            Err(KitError::Locked { .. })
        ));
        assert!(matches!(
            medium.present(&pin()),
            Err(KitError::Locked { .. })
        ));
    }
    assert_eq!(kit.show(&path).unwrap().tries_left, 0);
    let refused = crate::LoginMaterial::unlock(&path, &pin()).unwrap_err();
    assert!(refused.to_string().contains("--destroy-key"), "{refused}");
    kit.format(&path, &format(true, &pin())).unwrap();
    assert_eq!(kit.show(&path).unwrap().tries_left, TRIES);
}

#[test]
fn a_try_counts_even_if_the_plug_is_pulled_while_it_is_checked() {
    let world = World::new();
    let path = world.medium(&world.pc(), "card", KeyMedium::IcCard);
    let mut medium = Medium::open(&path).unwrap();
    // A verifier that cannot be read stands for any failure after the count and before the answer.
    medium.record.pin.verifier.clear();
    assert!(matches!(
        medium.present(&pin()),
        Err(KitError::Damaged { .. })
    ));
    assert_eq!(medium.wrong_tries().unwrap(), 1);
}

#[test]
fn a_counter_that_was_removed_locks() {
    let world = World::new();
    let path = world.medium(&world.pc(), "card", KeyMedium::IcCard);
    fs::remove_file(path.join("tries.json")).unwrap();
    let medium = Medium::open(&path).unwrap();
    assert!(matches!(
        medium.present(&pin()),
        Err(KitError::Locked { .. })
    ));
}

#[test]
fn neither_pin_nor_plain_key_lies_on_the_medium() {
    let world = World::new();
    let kit = world.pc();
    let path = world.path("card");
    let pin = Pin::try_new("Geheim9876").unwrap();
    kit.format(&path, &format(false, &pin)).unwrap();
    let name = crate::testing::name_for(CertificateKind::Login);
    let order = crate::testing::order(CertificateKind::Login, &name);
    kit.request(&path, &pin, &order).unwrap();
    for entry in fs::read_dir(&path).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains("Geheim9876") && !text.contains("BEGIN PRIVATE"));
    }
    let record = fs::read_to_string(path.join("medium.json")).unwrap();
    assert!(record.contains("BEGIN ENCRYPTED PRIVATE KEY"));
}

#[test]
fn a_damaged_medium_is_told_and_formatted_only_when_told_to() {
    let world = World::new();
    let kit = world.pc();
    let path = world.medium(&kit, "card", KeyMedium::IcCard);
    let file = path.join("medium.json");
    let whole = fs::read_to_string(&file).unwrap();
    for (intact, broken) in [
        (whole.as_str(), "{"),
        ("\"version\": 1", "\"version\": 2"),
        ("ic-card\"", "floppy\""),
        (
            "\"content\": \"empty\"",
            "\"content\": {\"certified\": {\"key\": \"\", \"chain\": [], \"stored_at\": \"\"}}",
        ),
    ] {
        assert!(whole.contains(intact), "{intact}");
        fs::write(&file, whole.replace(intact, broken)).unwrap();
        let refused = kit.show(&path).unwrap_err();
        assert!(matches!(refused, KitError::Damaged { .. }), "{refused}");
        assert!(kit.format(&path, &format(false, &pin())).is_err());
        assert!(kit.format(&path, &format(true, &pin())).is_ok(), "{broken}");
    }
}

#[test]
fn a_write_that_was_cut_short_leaves_the_medium_as_it_was() {
    let world = World::new();
    let kit = world.pc();
    let path = world.medium(&kit, "card", KeyMedium::IcCard);
    let requested = make_request(&kit, &path, CertificateKind::User);
    // A crash before the rename leaves the new record beside the old one.
    fs::write(path.join("medium.new"), "{ \"version\": 1, \"content").unwrap();
    assert_eq!(kit.show(&path).unwrap().state(), "pending");
    let certificate = world.answer(&requested, CertificateKind::User);
    kit.store(&path, &pin(), certificate.as_bytes()).unwrap();
    assert_eq!(kit.show(&path).unwrap().state(), "certified");
    assert!(!path.join("medium.new").exists());
}
