//! A load on a running system, as a person gives it: everything that was acknowledged is there, whoever is turned away is
//! told when to come back, and the report stands alone. No time decides anything here.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected ends")]

use std::{fs, path::Path};

use lgpki_tests::{Installation, Options, json, run};
use serde_json::Value;

const UNDER_TEST: &str = env!("CARGO_BIN_EXE_lgpki-under-test");

fn installation() -> Installation {
    let options = Options {
        configuration: &[(
            "web-server = { mode = \"manual\" }",
            "web-server = { mode = \"automatic\" }",
        )],
        ..Options::default()
    };
    Installation::new(UNDER_TEST, &options)
}

/// Runs a load as all branch officers.
fn load(installation: &Installation, args: &[&str]) -> Value {
    let mut command = installation.command();
    command
        .args(["--json", "surge", "load", "--offices"])
        .arg(installation.ca().join("offices"))
        .arg("--pool")
        .arg(pool(installation))
        .args(args);
    json(&run(&mut command).unwrap())
}

fn pool(installation: &Installation) -> std::path::PathBuf {
    installation.scratch().join("keys")
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// How many keys lie in the pool, as its files' names say.
fn keys(pool: &Path) -> u64 {
    let files = fs::read_dir(pool).unwrap();
    let counts = files.map(|file| {
        let name = file.unwrap().file_name().into_string().unwrap();
        name.split('-').nth(1).unwrap().parse::<u64>().unwrap()
    });
    counts.sum()
}

#[test]
fn a_load_is_sent_as_asked_and_everything_acknowledged_is_there() {
    let installation = installation();
    let mut services = installation.serve();
    let made = load(&installation, &["--prepare", "70"]);
    assert_eq!((count(&made["keys"]), keys(&pool(&installation))), (70, 70));

    let out = installation.scratch().join("report");
    let own = services.id().to_string();
    let mut args = vec!["--rate", "15", "--seconds", "4", "--profile", "ramp"];
    args.extend(["--mix", "issue=60,renew=20,revoke=20", "--pid", &own]);
    args.extend(["--out", out.to_str().unwrap()]);
    let report = load(&installation, &args);
    let (books, sent) = (&report["books"], &report["sent"]);
    assert_eq!(count(&books["acknowledged"]), 60, "{report:#}");
    assert!(books["missing"].as_array().unwrap().is_empty());
    let states = books["states"].as_object().unwrap();
    assert_eq!(states.values().map(count).sum::<u64>(), 60);
    let revoked = sent["revoke"].as_u64().unwrap_or_default();
    assert_eq!(count(&sent["issue"]) + revoked, 60);
    assert!(
        count(&report["instead"]) > 0,
        "nothing is within its window"
    );
    assert_eq!(report["groups"][0]["acknowledged"]["count"], 60);
    assert!(
        report["failures"].as_object().unwrap().is_empty(),
        "{report:#}"
    );
    assert!(report["processes"]["services_seconds"].is_number());
    assert_eq!(keys(&pool(&installation)), 10, "each key is taken once");
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("<svg") && !page.contains("<script"));
    let left = json(&fs::read_to_string(out.join("load.json")).unwrap());
    assert_eq!(left, report);

    // As fast as answers come; each worker waits for its own.
    let report = load(&installation, &["--workers", "3", "--applications", "30"]);
    assert_eq!(count(&report["books"]["acknowledged"]), 30, "{report:#}");
    assert_eq!(
        (&report["plan"]["workers"], &report["plan"]["rate"]),
        (&3.into(), &Value::Null)
    );
    assert!(services.ended().is_none());
}

#[test]
fn what_was_issued_years_ago_is_renewed_with_new_keys_in_streams_and_each_item_is_answered() {
    let options = Options {
        renewable: Some(60),
        ..Options::default()
    };
    let installation = Installation::new(UNDER_TEST, &options);
    let _services = installation.serve();
    // Fewer at once than come in a stream, so that some of one stream are let in and others told when to come back.
    let sets = ["branch_burst=4", "branch_burst_per_certificate=0"];
    let rates = ["branch_per_hour=36000", "branch_per_hour_per_certificate=0"];
    let sets = sets.iter().chain(&rates).flat_map(|set| ["--set", set]);
    let limits: Vec<_> = ["limits"].into_iter().chain(sets).collect();
    installation
        .office("operator-1", "operator", &limits)
        .unwrap();
    let mut args = vec!["--rate", "10", "--seconds", "3", "--batch", "10"];
    args.extend(["--mix", "issue=40,renew=60", "--linger", "60"]);
    let report = load(&installation, &args);
    let (sent, books) = (&report["sent"], &report["books"]);
    let renewals = count(&sent["renew"]);
    assert!(renewals > 0, "{report:#}");
    assert_eq!(
        (renewals + count(&sent["issue"]), &report["instead"]),
        (30, &0.into())
    );
    assert_eq!(count(&books["acknowledged"]), 30, "{report:#}");
    assert!(books["missing"].as_array().unwrap().is_empty());
    let acts = report["acts"].as_array().unwrap();
    let of = |act: &str| acts.iter().find(|told| told["act"] == act).unwrap();
    assert_eq!(count(&of("renew")["acknowledged"]["count"]), renewals);
    let states = books["states_by_act"]["renew"].as_object().unwrap();
    assert_eq!(states.values().map(count).sum::<u64>(), renewals);
    let returns = &report["returns"];
    assert!(count(&returns["told_when"]) >= 6, "{report:#}");
    assert_eq!(count(&returns["not_told_when"]), 0);
    assert_eq!(returns["let_in"], returns["came_back"]);

    // The inventory says the same: so many certificates are being renewed, by the applications that were acknowledged.
    // The last of them may still be on its way to lifecycle.
    let renewing = || {
        let filter = ["certificates", "--state", "renewing"];
        let listed = installation.office("operator-1", "operator", &filter);
        listed.unwrap().as_array().unwrap().len() as u64
    };
    assert!((0..200).any(|_| renewing() == renewals), "{}", renewing());
}

#[test]
fn whoever_floods_is_told_when_to_come_back_and_the_others_are_let_in() {
    let installation = installation();
    let _services = installation.serve();
    let sets = ["branch_burst=30", "branch_burst_per_certificate=0"];
    let rates = ["branch_per_hour=36000", "branch_per_hour_per_certificate=0"];
    let sets = sets.iter().chain(&rates).flat_map(|set| ["--set", set]);
    let limits: Vec<_> = ["limits"].into_iter().chain(sets).collect();
    installation
        .office("operator-1", "operator", &limits)
        .unwrap();

    let report = load(
        &installation,
        &[
            "--rate",
            "5",
            "--seconds",
            "3",
            "--flood",
            "01001=60",
            "--linger",
            "60",
        ],
    );
    let (returns, books) = (&report["returns"], &report["books"]);
    assert!(count(&returns["told_when"]) > 0, "{report:#}");
    assert_eq!(count(&returns["not_told_when"]), 0);
    assert!(count(&report["refusals"]["BRANCH_QUOTA"]) > 0);
    // Ten a second: the last has its place long before a minute is over, and nobody is turned away for good.
    assert_eq!(count(&books["acknowledged"]), 195, "{report:#}");
    assert_eq!(returns["let_in"], returns["came_back"]);
    let groups = report["groups"].as_array().unwrap();
    let of = |side: &str| groups.iter().find(|group| group["side"] == side).unwrap();
    assert_eq!(of("others")["acknowledged"]["count"], 15);
    assert_eq!(of("others")["refused"]["count"], 0);
    assert_eq!(of("flooding")["acknowledged"]["count"], 180);
}

#[test]
fn an_office_that_cannot_send_is_named_before_anything_is_made() {
    let installation = installation();
    let _services = installation.serve();
    let offices = installation.ca().join("offices");
    let mut command = installation.command();
    command
        .args([
            "surge",
            "load",
            "--rate",
            "1",
            "--seconds",
            "1",
            "--offices",
        ])
        .arg(&offices)
        .args(["--flood", "47001=5", "--pool"])
        .arg(pool(&installation));
    let error = run(&mut command).unwrap_err();
    assert!(error.contains("branch 47001 is to flood"), "{error}");
    let mut command = installation.command();
    command
        .args(["surge", "load", "--as"])
        .arg(offices.join("operator-1"))
        .arg("--pool")
        .arg(pool(&installation));
    let error = run(&mut command).unwrap_err();
    assert!(error.contains("branch officer's office"), "{error}");
    assert_eq!(keys(&pool(&installation)), 0);
}
