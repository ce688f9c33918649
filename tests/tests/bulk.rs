//! Many certificates revoked with one command: shown first, confirmed by a token, and taken up again
//! after an interruption.
//!
//! `LGPKI_BULK=100000 cargo test --release -p lgpki-tests --test bulk -- --nocapture` measures more.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected ends")]
#![expect(
    clippy::disallowed_methods,
    reason = "a measurement looks at the real clock and asks the environment for its size"
)]
#![expect(
    clippy::print_stdout,
    reason = "the figure is what the command is run for"
)]

use std::{process::Stdio, time::Instant};

use lgpki_proto::v1::{
    self, application_service_client::ApplicationServiceClient,
    submit_application_request::Content, submit_applications_response::Outcome,
};
use lgpki_tests::{Installation, Options, load, request};
use lgpki_x509::{Certificate, pem};

const UNDER_TEST: &str = env!("CARGO_BIN_EXE_lgpki-under-test");
const BRANCH: &str = "01001";

fn installation() -> Installation {
    let options = Options {
        login_form: "data",
        branches: &[BRANCH],
        configuration: &[(
            "web-server = { mode = \"manual\" }",
            "web-server = { mode = \"automatic\" }",
        )],
        ..Options::default()
    };
    Installation::new(UNDER_TEST, &options)
}

fn revoke_many(installation: &Installation, more: &[&str]) -> Result<serde_json::Value, String> {
    let mut args = vec![
        "revoke-many",
        "--branch",
        BRANCH,
        "--reason",
        "key-compromise",
    ];
    args.extend(["--examined-by", "運営主体"]);
    args.extend(more);
    installation.office("operator-1", "operator", &args)
}

/// As [`revoke_many`] for a reason that an operator examines.
fn supersede(
    installation: &Installation,
    office: &str,
    more: &[&str],
) -> Result<serde_json::Value, String> {
    let mut args = vec!["revoke-many", "--branch", BRANCH, "--reason", "superseded"];
    args.extend(["--examined-by", office]);
    args.extend(more);
    installation.office("operator-1", "operator", &args)
}

/// Shows what a list names.
fn listed(installation: &Installation, serials: &[&str]) -> Result<serde_json::Value, String> {
    let file = installation.ca().join("listed.txt");
    std::fs::write(&file, serials.join("\n")).unwrap();
    let mut args = vec!["revoke-many", "--serials", file.to_str().unwrap()];
    args.extend(["--reason", "superseded", "--examined-by", "運営主体"]);
    installation.office("operator-1", "operator", &args)
}

/// Applies for `count` web server certificates.
async fn apply(installation: &Installation, count: usize) {
    let mut branch = ApplicationServiceClient::new(installation.logged_in("branch-officer-01001"));
    let items: Vec<_> = (0..count)
        .map(|n| {
            let host = format!("www{n}.synthetic.lg.jp");
            let content = Content::Issue(load::web_server(BRANCH, &host));
            v1::SubmitApplicationsRequest {
                application: Some(request::application(BRANCH, content)),
            }
        })
        .collect();
    let answers = branch.submit_applications(tokio_stream::iter(items)).await;
    let mut answers = answers.unwrap().into_inner();
    while let Some(answer) = answers.message().await.unwrap() {
        assert!(
            matches!(answer.outcome, Some(Outcome::Accepted(_))),
            "{answer:?}"
        );
    }
}

/// Returns once that many certificates of the branch can be revoked.
fn until(installation: &Installation, standing: usize) -> serde_json::Value {
    loop {
        if let Ok(shown) = revoke_many(installation, &["--dry-run"])
            && shown["to_revoke"] == standing
        {
            return shown;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_shown_confirmed_and_revoked_once_whatever_interrupts() {
    let count = std::env::var("LGPKI_BULK").map_or(300, |count| count.parse().unwrap());
    let installation = installation();
    let services = installation.serve();
    // The logins of the branch's officers are some more.
    let logins = loop {
        if let Ok(shown) = revoke_many(&installation, &[]) {
            break usize::try_from(shown["to_revoke"].as_u64().unwrap()).unwrap();
        }
    };
    let most = ["branch_burst", "caller_burst", "all_burst"].map(|name| format!("{name}={count}"));
    let sets = most.iter().flat_map(|set| ["--set", set]);
    let limits: Vec<_> = ["limits"].into_iter().chain(sets).collect();
    let lifted = installation.office("operator-1", "operator", &limits);
    assert_eq!(lifted.unwrap()["limits"]["branch_burst"], count);
    apply(&installation, count).await;
    let count = count + logins;
    let shown = until(&installation, count);
    let token = shown["token"].as_str().unwrap();
    let refused = revoke_many(&installation, &["--confirm", "0000000000000000"]);
    assert!(refused.unwrap_err().contains("another selection"));
    let unchanged = revoke_many(&installation, &[]).unwrap();
    assert_eq!(
        (&unchanged["to_revoke"], &unchanged["token"]),
        (&shown["to_revoke"], &shown["token"]),
        "nothing was applied for"
    );

    // Begun, and killed at once, wherever it stands then.
    let mut begun = installation.command();
    begun
        .args(["--json", "operator", "--as"])
        .arg(installation.ca().join("offices/operator-1"))
        .args([
            "revoke-many",
            "--branch",
            BRANCH,
            "--reason",
            "key-compromise",
        ])
        .args(["--examined-by", "運営主体", "--confirm", token])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut begun = begun.spawn().unwrap();
    begun.kill().unwrap();
    begun.wait().unwrap();

    let start = Instant::now();
    let done = revoke_many(&installation, &["--confirm", token]).unwrap();
    let submitted_in = start.elapsed();
    assert!(done["refused"].as_array().unwrap().is_empty(), "{done}");
    let left = until(&installation, 0);
    println!(
        "{count} revocations: submitted in {submitted_in:?}, carried out in {:?}",
        start.elapsed()
    );
    assert_eq!(left["ended_before"], count);
    assert_eq!(left["token"], token, "the same certificates");
    let again = revoke_many(&installation, &["--confirm", token]).unwrap();
    assert_eq!(
        (&again["accepted"], &again["before"]),
        (&0.into(), &0.into())
    );
    assert!(services.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rejected_is_told_and_applied_for_again_and_what_is_still_to_come_is_named() {
    let options = Options {
        login_form: "data",
        branches: &[BRANCH],
        ..Options::default()
    };
    let installation = Installation::new(UNDER_TEST, &options);
    let services = installation.serve();
    let office = "運営主体";
    let shown = loop {
        if let Ok(shown) = supersede(&installation, office, &[]) {
            break shown;
        }
    };
    // A list needs no other condition, and names only what there is.
    let login = installation
        .ca()
        .join("offices/branch-officer-01001/login.pem");
    let login = std::fs::read(login).unwrap();
    let chain = pem::decode_all(pem::Label::Certificate, &login).unwrap();
    let serial = Certificate::parse(&chain[0]).unwrap().serial().unwrap();
    let serial = serial.to_string();
    let named = listed(&installation, &[&serial]).unwrap();
    assert_eq!(
        (&named["to_revoke"], &named["counts"][0]["branch"]),
        (&1.into(), &BRANCH.into())
    );
    let unknown = listed(&installation, &[&serial, &"4d".repeat(16)]).unwrap_err();
    assert!(
        unknown.contains("1 listed certificates do not exist"),
        "{unknown}"
    );

    let count = &shown["to_revoke"];
    assert!(shown["open_applications"].as_array().unwrap().is_empty());
    apply(&installation, 1).await;
    let token = shown["token"].as_str().unwrap();
    let done = supersede(&installation, office, &["--confirm", token]).unwrap();
    assert_eq!((&done["accepted"], &done["waiting"]), (count, count));
    let open = done["open_applications"].as_array().unwrap();
    assert_eq!((open.len(), &open[0]["kind"]), (1, &"web-server".into()));
    // Another office: the same request ids with another content, and still the same revocations.
    let other = supersede(&installation, "総務課長", &["--confirm", token]).unwrap();
    assert_eq!((&other["accepted"], &other["before"]), (&0.into(), count));

    let waiting = installation
        .office("operator-1", "operator", &["list"])
        .unwrap();
    let waiting = waiting["applications"].as_array().unwrap().iter();
    let revocations = waiting.filter(|one| one["sort"] == "revoke");
    let ids: Vec<_> = revocations.map(|one| one["id"].as_str().unwrap()).collect();
    let mut reject = vec!["reject", "--reason", "the wrong branch"];
    reject.extend(&ids);
    installation
        .office("operator-1", "operator", &reject)
        .unwrap();
    for office in [office, "総務課長"] {
        let told = supersede(&installation, office, &["--confirm", token]).unwrap_err();
        assert!(told.contains("were not taken"), "{told}");
    }
    let again = ["--again", "1"];
    let shown = supersede(&installation, office, &again).unwrap();
    assert_eq!(&shown["to_revoke"], count);
    let token = shown["token"].as_str().unwrap();
    let done = supersede(&installation, office, &["--again", "1", "--confirm", token]).unwrap();
    assert_eq!((&done["accepted"], &done["waiting"]), (count, count));
    assert!(services.terminate().success());
}

/// The logs that the services have published so far, as an auditor copies them.
fn published(installation: &Installation) -> std::path::PathBuf {
    let logs = installation.scratch().join("audit");
    if !logs.exists() {
        std::fs::create_dir(&logs).unwrap();
        for service in lgpki_tests::Service::ALL {
            let published = installation.data(service).join("audit");
            std::os::unix::fs::symlink(published, logs.join(service.name())).unwrap();
        }
    }
    logs
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_auditor_finds_in_the_logs_an_operator_revokes() {
    let installation = installation();
    let _services = installation.serve();
    apply(&installation, 5).await;
    let list = installation.scratch().join("affected.txt");
    let find = |more: &[&str]| {
        let mut command = installation.command();
        command
            .args(["--json", "audit", "find"])
            .arg(published(&installation));
        command.args(more).arg("--serials").arg(&list);
        lgpki_tests::run(&mut command).map(|text| lgpki_tests::json(&text))
    };
    let servers = [
        "--kind",
        "web-server",
        "--branch",
        BRANCH,
        "--caller",
        "branch-officer",
    ];
    let servers = [&servers[..], &["--examiner", "intake", "--state", "valid"]].concat();
    // They are published a moment after they were issued, and not all logs at once.
    let found = loop {
        if let Ok(found) = find(&servers)
            && found["found"] == 5
        {
            break found;
        }
    };
    assert_eq!(found["valid"], 5);
    let certificates = found["search"]["certificates"].as_array().unwrap();
    let mut serials: Vec<_> = certificates
        .iter()
        .map(|c| c["serial"].as_str().unwrap())
        .collect();
    let revoke = |more: &[&str]| {
        let mut args = vec!["revoke-many", "--serials", list.to_str().unwrap()];
        args.extend(["--reason", "key-compromise", "--examined-by", "運営主体"]);
        args.extend(more);
        installation.office("operator-1", "operator", &args)
    };
    // The inventory may know of the last of them a moment later.
    let shown = loop {
        if let Ok(shown) = revoke(&["--dry-run"]) {
            break shown;
        }
    };
    assert_eq!(shown["to_revoke"], 5, "{shown}");
    let done = revoke(&["--confirm", shown["token"].as_str().unwrap()]).unwrap();
    assert_eq!(done["accepted"], 5, "{done}");
    let revoked = loop {
        let state = ["--state", "revoked"];
        if let Ok(found) = find(&state)
            && found["found"] == 5
        {
            break found;
        }
    };
    let certificates = revoked["search"]["certificates"].as_array().unwrap();
    assert!(
        certificates.iter().all(|c| c["reason"] == "key-compromise"),
        "{revoked}"
    );
    let mut ended: Vec<_> = certificates
        .iter()
        .map(|c| c["serial"].as_str().unwrap())
        .collect();
    serials.sort_unstable();
    ended.sort_unstable();
    assert_eq!(serials, ended);
    // Responders' certificates are found, and stand on no list that did not name them.
    let everything = find(&["--ca", "organization"]).unwrap();
    assert!(everything.to_string().contains("ocsp-responder"));
    let text = std::fs::read_to_string(&list).unwrap();
    assert!(
        text.contains("login") && !text.contains("ocsp-responder"),
        "{text}"
    );
}
