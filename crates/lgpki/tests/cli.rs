//! The command as a program: what it prints where, and what it exits with. No service runs here.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets the unexpected ends"
)]

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

fn lgpki(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lgpki"))
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn secret(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
}

/// A small authority in `ca`, its passphrase in `pw`.
fn authority() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    secret(dir.path(), "pw", "correct horse\n");
    let made = lgpki(
        dir.path(),
        &[
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
            "--json",
        ],
    );
    assert!(made.status.success(), "{made:?}");
    let json: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(json["offices"][0], "operator-1");
    dir
}

/// The one line of JSON on standard error of a command that failed with `code`.
fn error(dir: &Path, arguments: &[&str], code: i32) -> Value {
    let mut with_json = arguments.to_vec();
    with_json.push("--json");
    let failed = lgpki(dir, &with_json);
    let told = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(failed.status.code(), Some(code), "{arguments:?}: {told}");
    assert!(failed.stdout.is_empty(), "{arguments:?}");
    let json: Value =
        serde_json::from_str(&told).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {told}"));
    assert!(!json["error"].as_str().unwrap().is_empty());
    assert!(json["faults"].is_array());
    json
}

#[test]
fn a_command_line_that_is_not_understood_is_told_as_json_where_json_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [
        "serve --only nobody",
        "kit format",
        "cirs status nonsense",
        "cirs status",
        "operator approve",
        "ceremony login",
        "init other --branch 99999",
    ] {
        let arguments: Vec<_> = arguments.split(' ').collect();
        error(dir.path(), &arguments, 2);
    }
}

#[test]
fn every_error_is_json_where_json_is_asked_for_and_names_what_is_wrong() {
    let dir = authority();
    let dir = dir.path();
    secret(dir, "wrong", "wrong\n");
    secret(dir, "short", "12\n");
    for (arguments, named) in [
        ("init ca --passphrase-file pw", "not empty"),
        ("init other --passphrase-file none", "none"),
        ("init new --passphrase-file pw --branch 01999", "01999"),
        ("serve --config none.toml", "none.toml"),
        (
            "serve --check --config ca/lgpki.toml --passphrase-file wrong",
            "passphrase",
        ),
        (
            "ceremony login --config ca/lgpki.toml --passphrase-file pw --branch 01001",
            "exists already",
        ),
        ("cirs --as nobody list", "nobody"),
        (
            "cirs --as ca/offices/branch-officer-01001 --pin-file wrong list",
            "PIN",
        ),
        (
            "cirs --as ca/offices/branch-officer-01001 list --state bogus",
            "bogus",
        ),
        (
            "cirs --as ca/offices/branch-officer-01001 submit --form none --examined-by x",
            "none",
        ),
        (
            "cirs --as ca/offices/operator-1 submit --form pw --examined-by x",
            "form",
        ),
        (
            "operator --as ca/offices/operator-1 directory import none",
            "none",
        ),
        ("kit show card", "card"),
        ("kit format card --pin-file short", "PIN"),
    ] {
        let arguments: Vec<_> = arguments.split(' ').collect();
        let json = error(dir, &arguments, 1);
        let text = json["error"].as_str().unwrap();
        assert!(text.contains(named), "{arguments:?}: {text}");
    }
    let left = dir.join("new");
    assert!(!left.exists(), "a refusal leaves no directory behind");
}

#[test]
fn a_server_that_is_away_is_named() {
    let dir = authority();
    let office = dir.path().join("ca/offices/operator-1/office.toml");
    let text = fs::read_to_string(&office).unwrap();
    // No program of ours listens there.
    fs::write(&office, text.replace("localhost:7440", "127.0.0.1:1")).unwrap();
    let away = error(
        dir.path(),
        &["operator", "--as", "ca/offices/operator-1", "list"],
        1,
    );
    assert_eq!(away["reason"], "TRANSPORT");
    assert!(
        away["error"].as_str().unwrap().contains("127.0.0.1:1"),
        "{away}"
    );
    assert!(away["hint"].as_str().unwrap().contains("office.toml"));
}

#[test]
fn help_is_no_error_and_stays_text() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [
        &["--help"][..],
        &["cirs", "submit", "--help", "--json"],
        &["--version"],
    ] {
        let help = lgpki(dir.path(), arguments);
        assert!(help.status.success());
        assert!(String::from_utf8(help.stdout).unwrap().contains("lgpki"));
        assert!(help.stderr.is_empty());
    }
}

#[test]
fn a_configuration_is_checked_before_it_runs() {
    let dir = authority();
    let dir = dir.path();
    let check = |text: &str| {
        fs::write(dir.join("ca/tried.toml"), text).unwrap();
        let command = [
            "serve",
            "--check",
            "--config",
            "ca/tried.toml",
            "--passphrase-file",
            "pw",
        ];
        lgpki(dir, &command)
    };
    let written = fs::read_to_string(dir.join("ca/lgpki.toml")).unwrap();
    let good = check(&written);
    assert!(good.status.success(), "{good:?}");
    for (from, to, named) in [
        ("level = \"info\"", "level = \"loud\"", "loud"),
        ("batch = 256", "batch = 5000", "batch"),
        ("batch = 256", "bach = 256", "bach"),
        ("\"data/issuer\"", "\"data/isuer\"", "isuer"),
        ("\"tls/intake.pem\"", "\"tls/issuer.pem\"", "tls/issuer.pem"),
        ("\"ca/organization.pem\"", "\"ca/none.pem\"", "none.pem"),
        (
            "crl_validity_hours = 48",
            "crl_validity_hours = 2",
            "crl_validity_hours",
        ),
    ] {
        let text = written.replacen(from, to, 1);
        assert_ne!(text, written, "{from}");
        let refused = check(&text);
        let told = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{to}");
        assert!(told.contains(named), "{to}: {told}");
    }
    // A mistyped data directory does not become a new, empty store.
    assert!(!dir.join("ca/data/isuer").exists());
}

#[test]
fn the_standard_system_says_what_it_did_and_what_comes_next() {
    let dir = authority();
    let dir = dir.path();
    secret(dir, "pin", "1234\n");
    let step = |arguments: &[&str], done: &str, next: &str| {
        let told = lgpki(dir, arguments);
        let (out, err) = (
            String::from_utf8(told.stdout).unwrap(),
            String::from_utf8(told.stderr).unwrap(),
        );
        assert!(told.status.success(), "{arguments:?}: {err}");
        assert!(out.contains(done), "{arguments:?}: {out}");
        assert!(err.contains(next), "{arguments:?}: {err}");
    };
    let login = "ca/offices/branch-officer-01001/login.pem";
    let setup = [
        "kit",
        "setup",
        "--code",
        "01001",
        "--body-en",
        "Hokkaido Synthetic Body 001",
        "--body-ja",
        "北海道模擬団体001",
        "--login-certificate",
        login,
    ];
    step(&setup, "北海道模擬団体001", "kit format");
    step(
        &["kit", "format", "card", "--pin-file", "pin"],
        "formatted",
        "kit request card",
    );
    let request = [
        "kit",
        "request",
        "card",
        "--kind",
        "official-duty",
        "--unit-en",
        "General Affairs",
        "--unit-ja",
        "総務部",
        "--name-en",
        "Mayor",
        "--name-ja",
        "市長",
        "--key",
        "p-256",
        "--out",
        "mayor",
        "--pin-file",
        "pin",
    ];
    step(&request, "mayor.json", "--form mayor.json");
    step(&["kit", "show", "card"], "市長", "kit store card");
}

#[test]
fn the_planner_answers_in_a_table_as_json_and_in_a_picture() {
    let dir = tempfile::tempdir().unwrap();
    let plan = |more: &[&str]| {
        let arguments = [&["surge", "plan", "--certificates", "1000"], more].concat();
        let planned = lgpki(dir.path(), &arguments);
        assert!(planned.status.success(), "{planned:?}");
        String::from_utf8(planned.stdout).unwrap()
    };
    let text = plan(&["--order", "fifo", "--svg", "one.svg"]);
    assert!(
        text.contains("simulated:") && text.contains("certificates made up"),
        "{text}"
    );
    assert!(text.contains("2011-W0"), "{text}");
    let json: Value = serde_json::from_str(&plan(&["--examiners", "2", "--json"])).unwrap();
    assert_eq!(json["capacity_per_business_day"], 80);
    assert_eq!(json["business_hours_per_day"], 8.0);
    assert!(json["takes"]["within_a_day"].as_u64().unwrap() > 0);
    assert!(json["weeks"][0]["wait_business_hours"]["p99"].is_number());
    let json: Value =
        serde_json::from_str(&plan(&["--compare", "--svg", "all.svg", "--json"])).unwrap();
    assert_eq!(json["plans"].as_array().unwrap().len(), 6);
    let lines = |file| {
        let svg = fs::read_to_string(dir.path().join(file)).unwrap();
        svg.matches("<polyline").count()
    };
    assert_eq!((lines("one.svg"), lines("all.svg")), (1, 6));
    // Nobody is logged in here.
    let failed = error(dir.path(), &["surge", "plan", "--live"], 1);
    assert!(
        failed["error"].as_str().unwrap().contains("office.toml"),
        "{failed}"
    );
    error(dir.path(), &["surge", "plan", "--hours", "17:00-09:00"], 2);
}

#[test]
fn a_first_visit_to_logs_is_told_to_remember_and_not_to_compare() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("logs/issuer/keys")).unwrap();
    let first = error(
        dir.path(),
        &["audit", "verify", "logs", "--against", "seen"],
        1,
    );
    assert_eq!(first["error"], "nothing is remembered in seen");
    let hint = first["hint"].as_str().unwrap();
    assert!(hint.contains("give --remember alone"), "{hint}");
    // Nothing was remembered by the way, so that the next time is a first visit too.
    assert!(!dir.path().join("seen").exists());
    let nothing = error(dir.path(), &["audit", "verify", "elsewhere"], 1);
    assert!(
        nothing["hint"].as_str().unwrap().contains("issuer/"),
        "{nothing}"
    );
}
