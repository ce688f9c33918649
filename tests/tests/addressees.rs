//! The registry of addressees with the command line on one side and processes on the other: a branch
//! registers, the services are killed, another body reads.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected ends")]

use std::fs;

use lgpki_proto::v1::{WatchAddresseesRequest, addressee_service_client::AddresseeServiceClient};
use lgpki_tests::{Installation, Options, Service, get, run};
use serde_json::Value;

const UNDER_TEST: &str = env!("CARGO_BIN_EXE_lgpki-under-test");

fn installation() -> Installation {
    let options = Options {
        login_form: "data",
        branches: &["01001", "13001"],
        configuration: &[("most_per_body = 500", "most_per_body = 2")],
        ..Options::default()
    };
    Installation::new(UNDER_TEST, &options)
}

fn branch(installation: &Installation, body: &str, args: &[&str]) -> Result<Value, String> {
    let office = format!("branch-officer-{body}");
    let args = [&["addressee"], args].concat();
    installation.office(&office, "cirs", &args)
}

fn register<'a>(address: &'a str, name: &'a str) -> Vec<&'a str> {
    let unit = ["--unit-en", "General Affairs", "--unit-ja", "総務部"];
    let rest = ["--name-ja", "総務部文書係", "--mail", "soumu@city.lg.jp"];
    let own = ["--name-en", name, "--address", address];
    [&["register"], &unit[..], &rest, &own].concat()
}

fn register_unit(installation: &Installation) {
    let command = ["directory", "register-organization", "01001"];
    let names = ["--en", "General Affairs", "--ja", "総務部"];
    let command = [&command[..], &names].concat();
    let officer = "lgwan-officer-01001";
    installation.office(officer, "operator", &command).unwrap();
}

/// What a follower of 13001 hears at first: number and version of each.
async fn heard(installation: &Installation) -> Vec<(String, u32)> {
    let channel = installation.logged_in("branch-officer-13001");
    let request = WatchAddresseesRequest::default();
    let mut client = AddresseeServiceClient::new(channel);
    let stream = client.watch_addressees(request).await;
    let message = stream.unwrap().into_inner().message().await.unwrap();
    let entries = message.unwrap().addressees.into_iter();
    entries.map(|one| (one.id, one.version)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_addressee_survives_a_kill_and_the_loss_of_the_index() {
    let installation = installation();
    let mut services = installation.serve();
    register_unit(&installation);
    let mut first = register("soumu.city-001", "Documents");
    first.extend(["--contact-person", "模擬花子"]);
    let made = branch(&installation, "01001", &first).unwrap();
    assert_eq!(
        (&made["id"], &made["version"]),
        (&"01001-0001".into(), &1.into())
    );
    assert_eq!(made["contact_person"], "模擬花子");
    let again = branch(&installation, "01001", &first).unwrap();
    assert_eq!(again, made, "the same command the same day");
    let mail = ["change", "01001-0001", "--mail", "bunsho@city.lg.jp"];
    let changed = branch(&installation, "01001", &mail).unwrap();
    assert_eq!(changed["version"], 2);
    assert_eq!(changed["contact_person"], "模擬花子");

    services.kill();
    let index = installation.data(Service::Intake).join("index");
    assert!(index.exists());
    fs::remove_dir_all(index).unwrap();
    let mut services = installation.serve();
    assert_eq!(heard(&installation).await, [("01001-0001".to_owned(), 2)]);
    let unchanged = branch(&installation, "01001", &mail).unwrap();
    assert_eq!(unchanged, changed, "nothing is left to change");
    let listed = branch(&installation, "13001", &["list", "--unit", "総務部"]).unwrap();
    assert_eq!(listed[0]["contact_mail"], "bunsho@city.lg.jp");
    assert_eq!(listed[0]["contact_person"], Value::Null, "of another body");

    let end = ["end", "01001-0001", "--reason", "replaced"];
    let ended = branch(&installation, "01001", &end).unwrap();
    assert_eq!(
        (&ended["state"], &ended["version"]),
        (&"ended".into(), &3.into())
    );
    services.kill();
    let _services = installation.serve();
    let history = ["addressee", "history", "01001-0001"];
    let history = installation
        .office("auditor-1", "operator", &history)
        .unwrap();
    let versions: Vec<_> = history.as_array().unwrap().iter().collect();
    assert_eq!(versions.len(), 3);
    assert!(versions.iter().all(|one| one["contact_person"].is_null()));
    assert_eq!(versions[2]["end_reason"], "replaced");
    assert_eq!(
        branch(&installation, "01001", &["list"]).unwrap(),
        Value::Array(vec![])
    );
}

#[test]
fn a_branch_registers_from_a_form_and_is_told_every_fault() {
    let installation = installation();
    let _services = installation.serve();
    register_unit(&installation);
    let bare = branch(&installation, "01001", &["register"]).unwrap_err();
    for fault in [
        "content.unit",
        "content.names",
        "content.document_address",
        "content.contact_mail",
    ] {
        assert!(bare.contains(fault), "{fault}: {bare}");
    }
    branch(
        &installation,
        "01001",
        &register("soumu.city-001", "Documents"),
    )
    .unwrap();
    let mut show = installation.command();
    show.args(["cirs", "--as"])
        .arg(installation.ca().join("offices/branch-officer-01001"))
        .args(["addressee", "show", "01001-0001", "--form"]);
    let form = run(&mut show).unwrap();
    let path = installation.scratch().join("form.json");
    fs::write(&path, form).unwrap();
    let form = ["--form", path.to_str().unwrap()];
    let same = [&["register"], &form[..], &["--address", "other.city"]].concat();
    let taken = branch(&installation, "01001", &same).unwrap_err();
    assert!(taken.contains("ADDRESSEE_NAME_TAKEN"), "{taken}");
    let second = [&same[..], &["--name-en", "Archive"]].concat();
    let made = branch(&installation, "01001", &second).unwrap();
    assert_eq!(made["id"], "01001-0002");
    let third = register("third.city", "Third");
    let full = branch(&installation, "01001", &third).unwrap_err();
    assert!(full.contains("TOO_MANY_ADDRESSEES"), "{full}");
    let desk = |args: &[&str]| installation.office("operator-1", "operator", args);
    let all = desk(&["addressee", "list", "--branch", "01001"]).unwrap();
    assert_eq!(all.as_array().unwrap().len(), 2);
    let end = ["addressee", "end", "01001-0002", "--reason", "closed"];
    assert_eq!(desk(&end).unwrap()["state"], "ended");
    let metrics = get(installation.admin_port(Service::Intake), "/metrics").unwrap();
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    let counted = "lgpki_intake_addressee_requests_total{outcome=\"accepted\"} 3";
    assert!(text.contains(counted), "{text}");
}
