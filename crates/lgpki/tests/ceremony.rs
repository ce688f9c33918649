//! Ceremonies as an operator holds them: a key rolled over, another operator's CA certified. No
//! service runs here.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected ends")]

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use lgpki_domain::{Clock, JstDate};
use lgpki_runtime::clock::SystemClock;
use lgpki_testkit::tool::tool;
use lgpki_x509::{Certificate, cross::ForeignCa, pem};
use serde_json::Value;
use tempfile::TempDir;

fn lgpki(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lgpki"))
        .args(arguments)
        .arg("--json")
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn good(dir: &Path, arguments: &[&str]) -> Value {
    let output = lgpki(dir, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(dir: &Path, arguments: &[&str]) -> String {
    let output = lgpki(dir, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    let told: Value = serde_json::from_slice(&output.stderr).unwrap();
    told["error"].as_str().unwrap().to_owned()
}

const CONFIG: [&str; 4] = ["--config", "ca/lgpki.toml", "--passphrase-file", "pw"];

fn authority() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pw");
    fs::write(&path, "correct horse\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let init = [
        "init",
        "ca",
        "--passphrase-file",
        "pw",
        "--organization-key",
        "p-256",
        "--application-key",
        "p-256",
        "--branch",
        "01001",
        "--operators",
        "1",
        "--auditors",
        "0",
    ];
    good(dir.path(), &init);
    dir
}

fn certificates(dir: &Path, file: &str) -> Vec<Certificate> {
    let text = fs::read(dir.join(file)).unwrap();
    let all = pem::decode_all(pem::Label::Certificate, &text).unwrap();
    all.iter()
        .map(|der| Certificate::parse(der).unwrap())
        .collect()
}

fn today() -> JstDate {
    SystemClock.now().jst_date()
}

#[test]
fn a_rollover_leaves_both_generations_trusted_and_linked() {
    let dir = authority();
    let dir = dir.path();
    let rollover = |more: &[&'static str], from: JstDate| {
        let from: &'static str = from.to_string().leak();
        let first = [
            "ceremony",
            "rollover",
            "--authority",
            "organization",
            "--from",
            from,
        ];
        [&first[..], &CONFIG, more].concat()
    };
    let same_day = refused(dir, &rollover(&[], today()));
    assert!(same_day.contains("vouch for one another"), "{same_day}");
    let tomorrow = today().plus_days(1);
    let made = good(dir, &rollover(&[], tomorrow));
    assert_eq!(made["generation"], 2);
    let trusted = certificates(dir, "ca/ca/organization.pem");
    let [old, new] = trusted.as_slice() else {
        panic!("{trusted:?}")
    };
    let link = |file: &str| certificates(dir, file).remove(0);
    let old_with_new = link("ca/ca/organization-1-with-2.pem");
    let new_with_old = link("ca/ca/organization-2-with-1.pem");
    assert!(old_with_new.is_signed_by(new.public_key().unwrap()));
    assert!(new_with_old.is_signed_by(old.public_key().unwrap()));
    assert_eq!(link("ca/ca/organization-2.pem").der(), new.der());
    let again = refused(dir, &rollover(&[], tomorrow.plus_days(30)));
    assert!(again.contains("less than a year"), "{again}");
    assert!(again.contains("its number, 2;"), "{again}");
    let finished = good(dir, &rollover(&["--generation", "2"], tomorrow));
    assert_eq!(finished, made);
    assert_eq!(certificates(dir, "ca/ca/organization.pem").len(), 2);
    // The old key issues until tomorrow, and a card holds the certificate of the key that signed.
    let login = [&["ceremony", "login", "--operator", "2"][..], &CONFIG].concat();
    good(dir, &login);
    let chain = certificates(dir, "ca/offices/operator-2/login.pem");
    assert_eq!(chain.len(), 2);
    assert_eq!(chain[1].der(), old.der());
    good(dir, &[&["serve", "--check"][..], &CONFIG].concat());
    let Some(openssl) = tool("openssl", "openssl") else {
        return;
    };
    let at = tomorrow.start().plus_seconds(3600).as_seconds().to_string();
    let verify = |more: &[&str]| {
        let mut command = openssl.command();
        command
            .current_dir(dir.join("ca"))
            .args(["verify", "-x509_strict", "-attime", &at]);
        command
            .args(["-CAfile", "ca/organization-2.pem"])
            .args(more);
        command
            .arg("offices/operator-1/login.pem")
            .output()
            .unwrap()
    };
    let linked = verify(&["-untrusted", "ca/organization-1-with-2.pem"]);
    assert!(linked.status.success(), "{linked:?}");
    assert!(!verify(&[]).status.success());
}

#[test]
fn a_rollover_cut_off_between_its_files_writes_the_rest_when_it_is_given_again() {
    let dir = authority();
    let dir = dir.path();
    let first = fs::read(dir.join("ca/ca/organization.pem")).unwrap();
    let tomorrow: &'static str = today().plus_days(1).to_string().leak();
    let dated = ["--authority", "organization", "--from", tomorrow];
    let rollover = |more: &[&'static str]| {
        let command = ["ceremony", "rollover"];
        good(dir, &[&command[..], more, &CONFIG].concat())
    };
    let made = rollover(&dated);
    assert_eq!(made["from"], tomorrow);
    // In the order in which they are written.
    let files = [
        "organization-2.pem",
        "organization-1-with-2.pem",
        "organization-2-with-1.pem",
        "organization.pem",
    ]
    .map(|name| dir.join("ca/ca").join(name));
    let whole = files.each_ref().map(|file| fs::read(file).unwrap());
    let numberless: &[&'static str] = &["--authority", "organization"];
    for written in 0..=files.len() {
        for lost in &files[written.min(3)..3] {
            fs::remove_file(lost).unwrap();
        }
        if written < files.len() {
            fs::write(&files[3], &first).unwrap();
        }
        // Half of the file that was being written, beside its place.
        if let Some(next) = files.get(written) {
            fs::write(next.with_extension("new"), "-----BEGIN").unwrap();
        }
        let again = if written % 2 == 0 {
            &dated[..]
        } else {
            numberless
        };
        assert_eq!(rollover(again), made, "{written} files were written");
        let now = files.each_ref().map(|file| fs::read(file).unwrap());
        assert_eq!(now, whole, "{written} files were written");
    }
    // Anchors that are gone, or empty after a power cut, come back with every key that is trusted.
    fs::remove_file(&files[3]).unwrap();
    rollover(&dated);
    assert_eq!(fs::read(&files[3]).unwrap(), whole[3]);
    fs::write(&files[3], "").unwrap();
    rollover(numberless);
    assert_eq!(fs::read(&files[3]).unwrap(), whole[3]);
    assert!(
        !dir.join("ca/data/issuer/keys/organization-3.key.pem")
            .exists()
    );
}

#[test]
fn a_bridge_is_certified_only_with_the_key_that_was_told_and_within_constraints() {
    let dir = authority();
    let dir = dir.path();
    let bridge = lgpki_testkit::BRIDGE_CA;
    fs::write(dir.join("bridge.pem"), bridge).unwrap();
    let key = ForeignCa::from_certificate("certificate", bridge).unwrap();
    let key: &'static str = key.public_key().digest().to_string().leak();
    let cross = |authority: &'static str, key: &'static str, more: &[&'static str]| {
        let first = [
            "ceremony",
            "cross",
            "--authority",
            authority,
            "--certificate",
            "bridge.pem",
            "--key-digest",
            key,
            "--name-en",
            "GPKI Bridge CA",
            "--name-ja",
            "政府認証基盤ブリッジ認証局",
            "--permit",
            "dn:C=JP,O=Japanese Government",
            "--policy",
            "2.999.392.1.1",
        ];
        [&first[..], &CONFIG, more].concat()
    };
    let other = "00".repeat(32).leak();
    let wrong_key = refused(dir, &cross("organization", other, &[]));
    assert!(wrong_key.contains(key), "{wrong_key}");
    let wrong_ca = refused(dir, &cross("application", key, &[]));
    assert!(wrong_ca.contains("allows no CA below it"), "{wrong_ca}");
    let too_long = refused(
        dir,
        &cross(
            "organization",
            key,
            &["--years", "10", "--from", "2099-01-01"],
        ),
    );
    assert!(too_long.contains("outlive"), "{too_long}");
    let mapping = ["--map", "2.999.392.1.2=2.999.7.1"];
    let stray = refused(dir, &cross("organization", key, &mapping));
    assert!(stray.contains("not among the policies"), "{stray}");
    let made = good(
        dir,
        &cross("organization", key, &["--map", "2.999.392.1.1=2.999.7.1"]),
    );
    let again = good(
        dir,
        &cross("organization", key, &["--map", "2.999.392.1.1=2.999.7.1"]),
    );
    assert_eq!(made, again, "the same content is certified once");
    let file = made["file"].as_str().unwrap();
    let crossed = certificates(dir, file).remove(0);
    let ca = certificates(dir, "ca/ca/organization.pem").remove(0);
    assert!(crossed.is_signed_by(ca.public_key().unwrap()));
    assert_eq!(crossed.path_length(), Some(1));
}
