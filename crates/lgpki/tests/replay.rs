//! The replay as anybody runs it, made small: a hundred certificates, the opening days, then a few days of the surge,
//! through the real services.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected ends")]

use std::{fs, path::Path, process::Command};

use lgpki_testkit::tool::{log_checker, python};
use serde_json::Value;

fn replay(dir: &Path, arguments: &[&str]) -> Value {
    let small = ["surge", "replay", "--json", "--certificates", "100"];
    let run = Command::new(env!("CARGO_BIN_EXE_lgpki"))
        .args(small.iter().chain(arguments))
        .current_dir(dir)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{told}");
    serde_json::from_slice(&run.stdout).unwrap()
}

#[test]
fn a_few_days_of_the_surge_are_replayed_and_the_books_balance() {
    let dir = tempfile::tempdir().unwrap();
    let span = [
        "--from",
        "2011-01-24",
        "--to",
        "2011-01-28",
        "--out",
        "left",
        "--audit",
        "logs",
    ];
    let replay = replay(dir.path(), &span);
    let books = &replay["books"];
    assert_eq!(books["differences"], Value::Array(Vec::new()));
    // Sixty in the opening days, each a login for its branch, and new logins for all before the old ones expire.
    assert_eq!(replay["imported"], 60);
    let count = |what: &Value| what.as_u64().unwrap();
    let received = count(&replay["received"]);
    let issued = count(&replay["totals"]["applications"]);
    assert!(received > issued && issued > 0, "{received}, {issued}");
    assert_eq!(count(&books["open"]), received - issued);
    let delivered = count(&books["applications"]["delivered"]);
    assert_eq!(delivered, 60 + issued);
    // One list at each start, then one a day: 26 in February 2008, one for the time left out, one a day since.
    let crls = books["crls"].as_object().unwrap();
    assert_eq!(crls.len(), 4);
    assert!(crls.values().all(|n| count(n) >= 30), "{crls:?}");
    assert_eq!(books["listed"], books["revoked"]);
    assert!(count(&books["revoked"]) > 0);
    let weeks = replay["weeks"].as_array().unwrap();
    assert_eq!(weeks[0]["week"], "2011-W04");
    assert!(weeks[0]["wait_business_hours"]["p50"].as_f64().unwrap() > 0.0);
    assert_eq!(replay["business_hours_per_day"], 8.0);
    let effort = &replay["effort"];
    assert!(effort["cryptography_percent"].as_f64().unwrap() > 0.0);
    let page = fs::read_to_string(dir.path().join("left/report.html")).unwrap();
    assert!(page.contains("<svg") && page.ends_with("</html>\n"));
    for name in ["left/waits.svg", "left/replay.json"] {
        assert!(dir.path().join(name).exists(), "{name}");
    }
    let logs = dir.path().join("logs");
    audited(&logs);
    accepted_by_others(&logs);
}

/// What the services have published holds against every rule of the auditor's.
fn audited(logs: &Path) {
    let mut verify = Command::new(env!("CARGO_BIN_EXE_lgpki"));
    verify
        .args(["audit", "verify", "--json"])
        .arg(logs.join("audit"));
    for service in ["intake", "issuer", "lifecycle"] {
        let key = logs.join(format!("audit-keys/{service}.vkey"));
        verify.arg("--key").arg(key);
    }
    let run = verify.output().unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{told}");
    // One a day in each log, the days left out apart; all were held against the entries.
    let told: Value = serde_json::from_slice(&run.stdout).unwrap();
    let heartbeats = &told["report"]["heartbeats"];
    assert!(
        heartbeats["checked"].as_u64().unwrap() >= 3 * 25,
        "{heartbeats}"
    );
    assert_eq!(heartbeats["unchecked"], 0, "{heartbeats}");
}

/// And so say the program that an auditor can read whole, and Go's own code for transparency logs.
fn accepted_by_others(logs: &Path) {
    if let Some(python) = python(&["cryptography"], "python3-cryptography") {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/audit_verify.py");
        let run = python
            .command()
            .arg(program)
            .arg(logs.join("audit"))
            .output();
        let run = run.unwrap();
        assert!(
            run.status.success(),
            "{}",
            String::from_utf8_lossy(&run.stdout)
        );
    }
    let scratch = tempfile::tempdir().unwrap();
    if let Some(checker) = log_checker(scratch.path()) {
        for service in fs::read_dir(logs.join("audit")).unwrap() {
            for log in fs::read_dir(service.unwrap().path()).unwrap() {
                let run = checker.command().arg(log.unwrap().path()).output().unwrap();
                let told = String::from_utf8_lossy(&run.stderr);
                assert!(run.status.success(), "{told}");
            }
        }
    }
}

#[test]
fn holders_come_in_the_slots_that_lifecycle_has_booked() {
    let dir = tempfile::tempdir().unwrap();
    let span = ["--from", "2010-12-20", "--to", "2010-12-22"];
    let habit = ["--habit", "slots", "--ignoring", "0"];
    let replay = replay(dir.path(), &[&span[..], &habit[..]].concat());
    assert_eq!(replay["books"]["differences"], Value::Array(Vec::new()));
    assert!(replay["received"].as_u64().unwrap() > 0);
    assert_eq!(replay["order"], "fair");
}

#[test]
fn a_time_outside_of_the_years_is_refused_before_anything_is_made() {
    let run = Command::new(env!("CARGO_BIN_EXE_lgpki"))
        .args(["surge", "replay", "--to", "2012-01-01"])
        .output()
        .unwrap();
    assert!(!run.status.success());
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(told.contains("2008-02-04 to 2011-03-31"), "{told}");
}
