//! What the `openssl` program thinks of our certificates, CRLs and requests.
//!
//! The program comes with Debian's package `openssl`; where it is not installed these tests say so
//! and pass.

mod chains;

mod revocation;

use std::{path::Path, process::Output};

use lgpki_domain::{
    Authority, CrlNumber, CrlScope, KeyAlgorithm, RevocationReason, Timestamp, Validity,
};
use lgpki_testkit::tool::tool;

use crate::{
    Blueprint,
    crl::{self, CrlEntry, CrlHeader},
    fixture::{
        ED25519, P256, P384, RSA, TestKey, ca_certificate, certify, every_kind, good_request,
        issuer, serial,
    },
    lint::lint_crl,
    pem::{Label, encode},
    signed,
};

/// Runs `openssl`; `None` where it is not installed.
fn openssl(directory: &Path, arguments: &[&str]) -> Option<Output> {
    let mut command = tool("openssl", "openssl")?.command();
    let run = command.args(arguments).current_dir(directory).output();
    Some(run.unwrap())
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn put(directory: &Path, name: &str, label: Label, der: &[u8]) {
    std::fs::write(directory.join(name), encode(label, der).unwrap()).unwrap();
}

fn crl_of(authority: Authority, ca: &TestKey, revoked: &[u8]) -> Vec<u8> {
    let issuer = issuer(authority, ca);
    let this_update: Timestamp = "2010-09-01T09:15:00+09:00".parse().unwrap();
    let header = CrlHeader {
        scope: CrlScope::User,
        base: None,
        number: CrlNumber(42),
        this_update,
        next_update: this_update.plus_seconds(48 * 3600),
    };
    let entries = revoked.iter().map(|n| CrlEntry {
        serial: serial(*n),
        revoked_at: this_update.plus_seconds(-600),
        reason: RevocationReason::AffiliationChanged,
    });
    let linted = lint_crl(&issuer, crl::write(&issuer, &header, entries).unwrap()).unwrap();
    let tbs = linted.tbs().unwrap().to_vec();
    let signature = ca.sign(&tbs);
    signed::assemble(tbs, linted.algorithm(), &signature)
}

/// Whether `openssl verify` accepts `certificate` on 2010-09-02, a day on which the CRL is current.
fn verify(directory: &Path, certificate: &str) -> Option<Output> {
    let at = "2010-09-02T12:00:00+09:00".parse::<Timestamp>().unwrap();
    openssl(
        directory,
        &[
            "verify",
            "-x509_strict",
            "-crl_check",
            "-attime",
            &at.as_seconds().to_string(),
            "-CAfile",
            "ca.pem",
            "-CRLfile",
            "crl.pem",
            certificate,
        ],
    )
}

#[test]
fn openssl_verifies_every_kind_and_refuses_the_revoked_one() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let rsa_3072 = TestKey::generate(KeyAlgorithm::Rsa3072);
    for ca in [
        &*RSA,
        &rsa_3072,
        &*P384,
        &TestKey::generate(KeyAlgorithm::P256),
    ] {
        for authority in Authority::ALL {
            put(
                directory,
                "ca.pem",
                Label::Certificate,
                &ca_certificate(authority, ca),
            );
            put(
                directory,
                "crl.pem",
                Label::Crl,
                &crl_of(authority, ca, &[100, 101]),
            );
            let issuer = issuer(authority, ca);
            let kinds = every_kind();
            let own = kinds
                .iter()
                .filter(|(_, p)| p.kind().authority() == Some(authority));
            for (subject, particulars) in own {
                for (n, key) in [(1, &*P256), (2, &*ED25519), (100, &*P256)] {
                    let blueprint = Blueprint {
                        subject,
                        particulars,
                        public_key: &key.public,
                        serial: serial(n),
                        validity: Validity::for_subscriber("2010-08-03".parse().unwrap()),
                    };
                    let der = certify(&issuer, ca, &blueprint);
                    put(directory, "certificate.pem", Label::Certificate, &der);
                    let Some(output) = verify(directory, "certificate.pem") else {
                        return;
                    };
                    let text = text(&output);
                    let revoked = n == 100;
                    assert_eq!(output.status.success(), !revoked, "{particulars:?}: {text}");
                    assert_eq!(text.contains("certificate revoked"), revoked, "{text}");
                }
            }
        }
    }
}

#[test]
fn openssl_shows_what_a_certificate_and_a_crl_say() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let (subject, particulars) = every_kind().remove(2);
    let issuer = issuer(Authority::Application, &P384);
    let blueprint = Blueprint {
        subject: &subject,
        particulars: &particulars,
        public_key: &RSA.public,
        serial: serial(3),
        validity: Validity::for_subscriber("2010-08-03".parse().unwrap()),
    };
    let der = certify(&issuer, &P384, &blueprint);
    put(directory, "certificate.pem", Label::Certificate, &der);
    let options = "RFC2253,-dn_rev";
    let show = [
        "x509",
        "-noout",
        "-text",
        "-nameopt",
        options,
        "-in",
        "certificate.pem",
    ];
    let Some(output) = openssl(directory, &show) else {
        return;
    };
    let shown = text(&output);
    for expected in [
        "Subject: C=JP,O=Local Governments,OU=Sapporo City,CN=www.city.sapporo.lg.jp",
        "DNS:www.city.sapporo.lg.jp, DNS:kobo.city.sapporo.lg.jp, DirName:",
        "Not Before: Aug  2 15:00:00 2010 GMT",
        "Not After : Aug  2 14:59:59 2013 GMT",
        "Digital Signature, Key Encipherment",
        "TLS Web Server Authentication",
        "Policy: 2.999.392.1.4",
        "URI:http://lgwan.lgpki.lg.jp/crl/application-1.crl",
        "CA Issuers - URI:http://repository.lgpki.lg.jp/ca/application-1.cer",
    ] {
        assert!(shown.contains(expected), "{expected} is missing in {shown}");
    }
    let crl = crl_of(Authority::Application, &P384, &[5]);
    std::fs::write(directory.join("list.crl"), crl).unwrap();
    let show = [
        "crl", "-inform", "DER", "-noout", "-text", "-in", "list.crl",
    ];
    let shown = text(&openssl(directory, &show).unwrap());
    for expected in [
        "Version 2",
        "X509v3 CRL Number: \n                42",
        "X509v3 Issuing Distribution Point: critical",
        "Only User Certificates",
        "URI:http://repository.lgpki.lg.jp/crl/application-1.crl",
        "Affiliation Changed",
    ] {
        assert!(shown.contains(expected), "{expected} is missing in {shown}");
    }
}

#[test]
fn openssl_verifies_the_standard_systems_requests() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let (subject, particulars) = every_kind().remove(2);
    for key in [&*RSA, &*P256, &*P384, &*ED25519] {
        let der = good_request(&subject, &particulars, key);
        put(directory, "request.pem", Label::CertificateRequest, &der);
        let verify = ["req", "-verify", "-noout", "-in", "request.pem"];
        let Some(output) = openssl(directory, &verify) else {
            return;
        };
        assert!(output.status.success(), "{}", text(&output));
    }
}
