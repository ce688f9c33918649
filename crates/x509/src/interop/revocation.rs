//! What the `openssl` program thinks of partitioned and delta CRLs and of the list of revoked CA
//! certificates: `verify -crl_check_all` must find each certificate's own list.

use lgpki_domain::{CrlOptions, Serial};

use super::*;
use crate::{fixture::CA, issuer::Issuer};

const AT: &str = "2010-09-02T12:00:00+09:00";

struct Scene {
    issuer: Issuer,
    directory: tempfile::TempDir,
}

/// A list to be written.
#[derive(Clone, Copy)]
struct List<'a> {
    scope: CrlScope,
    number: u64,
    base: Option<u64>,
    revoked: &'a [Serial],
}

impl Scene {
    fn new(options: CrlOptions) -> Self {
        let issuer = issuer(Authority::Organization, &CA);
        let scene = Self {
            issuer: issuer.with_crl_options(options).unwrap(),
            directory: tempfile::tempdir().unwrap(),
        };
        let certificate = ca_certificate(Authority::Organization, &CA);
        scene.put("ca.pem", Label::Certificate, &certificate);
        scene
    }

    fn put(&self, name: &str, label: Label, der: &[u8]) {
        put(self.directory.path(), name, label, der);
    }

    fn certify(&self, serial: Serial) {
        let (subject, particulars) = every_kind().remove(0);
        let blueprint = Blueprint {
            subject: &subject,
            particulars: &particulars,
            public_key: &P256.public,
            serial,
            validity: Validity::for_subscriber("2010-08-03".parse().unwrap()),
        };
        let der = certify(&self.issuer, &CA, &blueprint);
        self.put("certificate.pem", Label::Certificate, &der);
    }

    /// Writes a list into a file, linted and signed.
    fn list(&self, file: &str, list: List<'_>) {
        let this_update: Timestamp = "2010-09-01T09:15:00+09:00".parse().unwrap();
        let header = CrlHeader {
            scope: list.scope,
            base: list.base.map(CrlNumber),
            number: CrlNumber(list.number),
            this_update,
            next_update: this_update.plus_seconds(48 * 3600),
        };
        let entries = list.revoked.iter().map(|serial| CrlEntry {
            serial: *serial,
            revoked_at: this_update.plus_seconds(-600),
            reason: RevocationReason::Superseded,
        });
        let tbs = crl::write(&self.issuer, &header, entries).unwrap();
        let linted = lint_crl(&self.issuer, tbs).unwrap();
        assert_eq!(linted.scope(), list.scope);
        let tbs = linted.tbs().unwrap().to_vec();
        let signature = CA.sign(&tbs);
        let der = signed::assemble(tbs, linted.algorithm(), &signature);
        self.put(file, Label::Crl, &der);
    }

    /// What `openssl verify` says; `None` where it is not installed.
    fn verify(&self, options: &[&str], lists: &[&str]) -> Option<(bool, String)> {
        let at = AT.parse::<Timestamp>().unwrap().as_seconds().to_string();
        let mut arguments = vec![
            "verify",
            "-x509_strict",
            "-attime",
            &at,
            "-CAfile",
            "ca.pem",
        ];
        arguments.extend(options);
        for list in lists {
            arguments.extend(["-CRLfile", list]);
        }
        arguments.push("certificate.pem");
        let output = openssl(self.directory.path(), &arguments)?;
        Some((output.status.success(), text(&output)))
    }
}

#[test]
fn a_list_of_user_certificates_does_not_cover_the_ca_and_the_list_of_ca_certificates_does() {
    let scene = Scene::new(CrlOptions::default());
    scene.certify(serial(7));
    let list = List {
        scope: CrlScope::User,
        number: 9,
        base: None,
        revoked: &[serial(8)],
    };
    scene.list("user.pem", list);
    let ca = List {
        scope: CrlScope::CaCertificates,
        revoked: &[],
        ..list
    };
    scene.list("ca-list.pem", ca);
    let all = ["-crl_check_all"];
    let Some((whole, said)) = scene.verify(&all, &["user.pem", "ca-list.pem"]) else {
        return;
    };
    assert!(whole, "{said}");
    for half in ["user.pem", "ca-list.pem"] {
        let (passed, said) = scene.verify(&all, &[half]).unwrap();
        assert!(
            !passed && said.contains("different CRL scope"),
            "{half}: {said}"
        );
    }
    let revoked = List {
        revoked: &[serial(7)],
        ..list
    };
    scene.list("user.pem", revoked);
    let (passed, said) = scene.verify(&all, &["user.pem", "ca-list.pem"]).unwrap();
    assert!(!passed && said.contains("certificate revoked"), "{said}");
}

#[test]
fn a_certificate_is_looked_up_in_its_own_partition() {
    let options = CrlOptions {
        partitions: 4,
        delta: false,
    };
    let scene = Scene::new(options);
    for n in 1..=4 {
        let one = serial(n);
        let own = options.scope_of(one);
        scene.certify(one);
        let ca = List {
            scope: CrlScope::CaCertificates,
            number: 1,
            base: None,
            revoked: &[],
        };
        scene.list("ca-list.pem", ca);
        for scope in options.scopes().filter(|s| *s != CrlScope::CaCertificates) {
            scene.list("part.pem", List { scope, ..ca });
            let Some((passed, said)) =
                scene.verify(&["-crl_check_all"], &["part.pem", "ca-list.pem"])
            else {
                return;
            };
            assert_eq!(passed, scope == own, "{scope}: {said}");
        }
        let revoked = List {
            scope: own,
            revoked: &[one],
            ..ca
        };
        scene.list("part.pem", revoked);
        let (passed, said) = scene
            .verify(&["-crl_check_all"], &["part.pem", "ca-list.pem"])
            .unwrap();
        assert!(!passed && said.contains("certificate revoked"), "{said}");
    }
}

#[test]
fn a_delta_adds_to_the_complete_list_that_it_is_based_on() {
    for partitions in [0, 2] {
        let options = CrlOptions {
            partitions,
            delta: true,
        };
        let scene = Scene::new(options);
        let one = serial(9);
        scene.certify(one);
        let base = List {
            scope: options.scope_of(one),
            number: 41,
            base: None,
            revoked: &[],
        };
        scene.list("base.pem", base);
        let ca = List {
            scope: CrlScope::CaCertificates,
            ..base
        };
        scene.list("ca-list.pem", ca);
        let delta = List {
            number: 42,
            base: Some(41),
            revoked: &[one],
            ..base
        };
        scene.list("delta.pem", delta);
        let lists = ["base.pem", "delta.pem", "ca-list.pem"];
        let Some((passed, said)) = scene.verify(&["-crl_check_all", "-use_deltas"], &lists) else {
            return;
        };
        assert!(!passed && said.contains("certificate revoked"), "{said}");
        let (passed, said) = scene.verify(&["-crl_check_all"], &lists).unwrap();
        assert!(passed, "{said}");
        let nothing = List {
            revoked: &[],
            ..delta
        };
        scene.list("delta.pem", nothing);
        let (passed, said) = scene
            .verify(&["-crl_check_all", "-use_deltas"], &lists)
            .unwrap();
        assert!(passed, "{said}");
    }
}

#[test]
fn openssl_reads_and_verifies_a_list_of_twenty_thousand() {
    let scene = Scene::new(CrlOptions::default());
    let revoked: Vec<_> = (0..20_000_u32)
        .map(|n| {
            let mut bytes = [0x41; 16];
            bytes[8..12].copy_from_slice(&n.to_be_bytes());
            Serial::from_bytes(&bytes).unwrap()
        })
        .collect();
    let list = List {
        scope: CrlScope::User,
        number: 9,
        base: None,
        revoked: &revoked,
    };
    scene.list("large.pem", list);
    let read = [
        "crl",
        "-in",
        "large.pem",
        "-noout",
        "-text",
        "-CAfile",
        "ca.pem",
    ];
    let Some(output) = openssl(scene.directory.path(), &read) else {
        return;
    };
    let told = text(&output);
    assert!(
        told.contains("verify OK"),
        "{}",
        &told[told.len().saturating_sub(300)..]
    );
    assert_eq!(told.matches("Serial Number:").count(), revoked.len());
}
