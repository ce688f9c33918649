//! What `openssl verify` makes of paths over link and cross certificates.

use std::{fs, path::Path};

use lgpki_domain::{Authority, Timestamp, Validity};

use super::{openssl, put, text};
use crate::{
    Blueprint, Issuer,
    cross::{self, Constraints, CrossBlueprint, ForeignCa},
    fixture::{P256, P384, RSA, TestKey, certify, every_kind, generation, serial},
    link::{self, LinkBlueprint},
    lint::{lint_cross, lint_link},
    pem::Label,
};

/// `None` where openssl is missing; else whether it accepts, and what it says.
fn verify(directory: &Path, at: &str, arguments: &[&str]) -> Option<(bool, String)> {
    let at = at.parse::<Timestamp>().unwrap().as_seconds().to_string();
    let fixed = ["verify", "-x509_strict", "-attime", &at];
    let output = openssl(directory, &[&fixed, arguments].concat())?;
    Some((output.status.success(), text(&output)))
}

fn link(signs: &Issuer, key: &TestKey, certified: &Issuer) -> Vec<u8> {
    let blueprint = LinkBlueprint {
        issuer: signs,
        certified,
        serial: serial(9),
    };
    let linted = lint_link(&blueprint, link::build(&blueprint).unwrap()).unwrap();
    let signature = key.sign(linted.tbs());
    linted.into_certificate(&signature)
}

fn leaf(ca: &Issuer, key: &TestKey, day: &str) -> Vec<u8> {
    let (subject, particulars) = every_kind().remove(1);
    let blueprint = Blueprint {
        subject: &subject,
        particulars: &particulars,
        public_key: &P256.public,
        serial: serial(77),
        validity: Validity::for_subscriber(day.parse().unwrap()),
    };
    certify(ca, key, &blueprint)
}

#[test]
fn openssl_follows_the_links_across_a_rollover_in_both_directions() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let (old_key, new_key) = (&*RSA, &*P384);
    let old = generation(Authority::Organization, old_key, 1, "2008-02-04");
    let new = generation(Authority::Organization, new_key, 2, "2015-02-01");
    for (name, der) in [
        ("old.pem", old.certificate().to_vec()),
        ("new.pem", new.certificate().to_vec()),
        ("old-with-new.pem", link(&new, new_key, &old)),
        ("new-with-old.pem", link(&old, old_key, &new)),
        ("old-leaf.pem", leaf(&old, old_key, "2015-01-31")),
        ("new-leaf.pem", leaf(&new, new_key, "2015-02-01")),
    ] {
        put(directory, name, Label::Certificate, &der);
    }
    let soon = "2015-03-01T12:00:00+09:00";
    let over = "2018-02-04T12:00:00+09:00";
    let cases: [(&str, &str, Option<&str>, &str, bool); 9] = [
        (soon, "old.pem", None, "old-leaf.pem", true),
        (soon, "new.pem", None, "new-leaf.pem", true),
        (soon, "new.pem", None, "old-leaf.pem", false),
        (soon, "old.pem", None, "new-leaf.pem", false),
        (
            soon,
            "new.pem",
            Some("old-with-new.pem"),
            "old-leaf.pem",
            true,
        ),
        (
            soon,
            "old.pem",
            Some("new-with-old.pem"),
            "new-leaf.pem",
            true,
        ),
        (
            soon,
            "new.pem",
            Some("new-with-old.pem"),
            "old-leaf.pem",
            false,
        ),
        // The old generation has ended, and with it every path that needs it.
        (
            over,
            "old.pem",
            Some("new-with-old.pem"),
            "new-leaf.pem",
            false,
        ),
        (over, "new.pem", None, "new-leaf.pem", false),
    ];
    for (at, root, untrusted, leaf, accepted) in cases {
        let mut arguments = vec!["-CAfile", root];
        arguments.extend(untrusted.into_iter().flat_map(|file| ["-untrusted", file]));
        arguments.push(leaf);
        let Some((verified, said)) = verify(directory, at, &arguments) else {
            return;
        };
        assert_eq!(
            verified, accepted,
            "{root} {untrusted:?} {leaf} {at}: {said}"
        );
    }
}

/// The other operator's CA: a bridge with a CA below it, made by `openssl` alone.
struct Bridge<'a>(&'a Path);

impl Bridge<'_> {
    fn file(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Option<()> {
        let output = openssl(self.0, arguments)?;
        assert!(output.status.success(), "{}", text(&output));
        Some(())
    }

    fn make(&self) -> Option<()> {
        let section = |name: &str| {
            format!("[req]\ndistinguished_name=dn\nprompt=no\nutf8=yes\n[dn]\n{name}\n")
        };
        self.file(
            "bridge.cnf",
            &section("C=JP\nO=Japanese Government\nOU=BridgeCA"),
        );
        self.file(
            "ca.ext",
            "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n\
             subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n\
             certificatePolicies=2.999.7.1\n",
        );
        let new = [
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ];
        let request = |key, config, out| {
            [
                &["req"][..],
                &new,
                &["-keyout", key, "-config", config, "-out", out],
            ]
            .concat()
        };
        self.run(&request("bridge.key", "bridge.cnf", "bridge.csr"))?;
        let sign = [
            "x509",
            "-req",
            "-days",
            "3650",
            "-in",
            "bridge.csr",
            "-signkey",
            "bridge.key",
        ];
        self.run(&[&sign[..], &["-extfile", "ca.ext", "-out", "bridge.pem"]].concat())?;
        self.file(
            "ministry.cnf",
            &section("C=JP\nO=Japanese Government\nOU=Ministry CA"),
        );
        self.run(&request("ministry.key", "ministry.cnf", "ministry.csr"))?;
        self.issue("ministry", "bridge", "ca.ext")
    }

    fn issue(&self, name: &str, ca: &str, extensions: &str) -> Option<()> {
        let file = |stem: &str, end: &str| format!("{stem}.{end}");
        self.run(&[
            "x509",
            "-req",
            "-days",
            "3650",
            "-in",
            &file(name, "csr"),
            "-CA",
            &file(ca, "pem"),
            "-CAkey",
            &file(ca, "key"),
            "-set_serial",
            "0x1234",
            "-extfile",
            extensions,
            "-out",
            &file(name, "pem"),
        ])
    }

    fn leaf(&self, name: &str, ca: &str, subject: &str, extra: &str) -> Option<()> {
        let section =
            format!("[req]\ndistinguished_name=dn\nprompt=no\nutf8=yes\n[dn]\n{subject}\n");
        self.file(&format!("{name}.cnf"), &section);
        self.file(
            &format!("{name}.ext"),
            &format!(
                "keyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\n\
                 authorityKeyIdentifier=keyid\n{extra}"
            ),
        );
        self.run(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            &format!("{name}.key"),
            "-config",
            &format!("{name}.cnf"),
            "-out",
            &format!("{name}.csr"),
        ])?;
        self.issue(name, ca, &format!("{name}.ext"))
    }
}

/// Our CA, the bridge, two cross certificates of different path lengths, and leaves inside and outside
/// their constraints; `None` where openssl is missing.
fn crossed(directory: &Path) -> Option<()> {
    let bridge = Bridge(directory);
    bridge.make()?;
    let today = "2026-06-01";
    let ours = generation(Authority::Organization, &RSA, 1, "2026-01-01");
    put(
        directory,
        "ours.pem",
        Label::Certificate,
        ours.certificate(),
    );
    let given = fs::read(directory.join("bridge.pem")).unwrap();
    let subject = ForeignCa::from_certificate("certificate", &given).unwrap();
    assert_eq!(subject.name(), "C=JP, O=Japanese Government, OU=BridgeCA");
    let requested = fs::read(directory.join("bridge.csr")).unwrap();
    let requested = ForeignCa::from_request("request", &requested).unwrap();
    assert_eq!(requested.name_der(), subject.name_der());
    let constraints = Constraints {
        permitted: ["dn:C=JP,O=Japanese Government", "dns:go.jp"]
            .map(|s| s.parse().unwrap())
            .to_vec(),
        excluded: vec!["dns:secret.go.jp".parse().unwrap()],
        policies: vec!["2.999.392.1.2".parse().unwrap()],
        mappings: vec![(
            "2.999.392.1.2".parse().unwrap(),
            "2.999.7.1".parse().unwrap(),
        )],
        require_explicit_policy: Some(0),
        inhibit_policy_mapping: Some(1),
        inhibit_any_policy: Some(0),
        path_length: Some(1),
    };
    let cross = |name: &str, constraints: &Constraints| {
        let blueprint = CrossBlueprint {
            issuer: &ours,
            subject: &subject,
            constraints,
            serial: serial(8),
            validity: Validity::for_subscriber(today.parse().unwrap()),
        };
        let linted = lint_cross(&blueprint, cross::build(&blueprint).unwrap()).unwrap();
        let signature = RSA.sign(linted.tbs());
        put(
            directory,
            name,
            Label::Certificate,
            &linted.into_certificate(&signature),
        );
    };
    cross("cross.pem", &constraints);
    let none_below = Constraints {
        path_length: Some(0),
        ..constraints.clone()
    };
    cross("none-below.pem", &none_below);
    let policy = "certificatePolicies=2.999.7.1\n";
    let inside = "C=JP\nO=Japanese Government\nCN=Inside";
    let host = |name: &str| format!("{policy}subjectAltName=DNS:{name}\n");
    for (name, ca, subject, extra) in [
        ("inside", "bridge", inside, host("www.soumu.go.jp")),
        ("below", "ministry", inside, policy.to_owned()),
        (
            "other-name",
            "bridge",
            "C=JP\nO=Local Governments\nCN=x",
            policy.to_owned(),
        ),
        ("other-host", "bridge", inside, host("www.example.jp")),
        ("excluded-host", "bridge", inside, host("a.secret.go.jp")),
        (
            "other-policy",
            "bridge",
            inside,
            "certificatePolicies=2.999.7.2\n".to_owned(),
        ),
        ("no-policy", "bridge", inside, String::new()),
    ] {
        bridge.leaf(name, ca, subject, &extra)?;
    }
    Some(())
}

#[test]
fn openssl_accepts_through_a_cross_certificate_what_is_inside_its_constraints_only() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    if crossed(directory).is_none() {
        return;
    }
    let now = openssl_time(directory);
    let cases = [
        ("cross.pem", "inside.pem", ""),
        ("cross.pem", "below.pem", ""),
        ("none-below.pem", "inside.pem", ""),
        (
            "none-below.pem",
            "below.pem",
            "path length constraint exceeded",
        ),
        ("cross.pem", "other-name.pem", "permitted subtree violation"),
        ("cross.pem", "other-host.pem", "permitted subtree violation"),
        (
            "cross.pem",
            "excluded-host.pem",
            "excluded subtree violation",
        ),
        ("cross.pem", "other-policy.pem", "no explicit policy"),
        ("cross.pem", "no-policy.pem", "no explicit policy"),
    ];
    for (cross, leaf, refusal) in cases {
        let arguments = [
            "-policy_check",
            "-policy",
            "2.999.392.1.2",
            "-CAfile",
            "ours.pem",
            "-untrusted",
            cross,
            "-untrusted",
            "ministry.pem",
            leaf,
        ];
        let (verified, said) = verify(directory, &now, &arguments).unwrap();
        assert_eq!(verified, refusal.is_empty(), "{cross} {leaf}: {said}");
        assert!(said.contains(refusal), "{cross} {leaf}: {said}");
    }
    let shown = openssl(directory, &["x509", "-noout", "-text", "-in", "cross.pem"]).unwrap();
    let shown = text(&shown);
    for expected in [
        "X509v3 Name Constraints: critical",
        "2.999.392.1.2:2.999.7.1",
        "Require Explicit Policy:0, Inhibit Policy Mapping:1",
        "CA:TRUE, pathlen:1",
        "crl/organization-1-ca.crl",
    ] {
        assert!(shown.contains(expected), "{expected} is missing in {shown}");
    }
}

/// A moment at which what `openssl` has just made is valid.
fn openssl_time(directory: &Path) -> String {
    let der = fs::read(directory.join("no-policy.pem")).unwrap();
    let der = crate::pem::decode(Label::Certificate, &der).unwrap();
    let made = crate::Certificate::parse(&der).unwrap().not_before();
    made.plus_seconds(60).to_string()
}
