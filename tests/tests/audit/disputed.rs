//! A log that forked while nobody looked, as whoever holds host and key could have it: an office's order
//! is held up and everybody can see why, while what protects relying parties goes on.

use std::{fs, path::Path, process::Command};

use lgpki_proto::v1::{
    self, ApplicationState, application_service_client::ApplicationServiceClient,
    examination_service_client::ExaminationServiceClient,
};
use lgpki_tests::{
    Installation, Options, Service, books, get, load, request, run,
    witness::{NAME, Witness, all_cosigned, eventually, measured},
};
use lgpki_x509::crl::RevocationList;

const UNDER_TEST: &str = env!("CARGO_BIN_EXE_lgpki-under-test");
const BRANCH: &str = "01001";
const OFFICE: &str = "branch-officer-01001";

fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-a").arg(from).arg(to)).unwrap();
}

async fn submit(
    installation: &Installation,
    request: v1::SubmitApplicationRequest,
) -> v1::Application {
    let mut client = ApplicationServiceClient::new(installation.logged_in(OFFICE));
    let answer = client.submit_application(request).await.unwrap();
    answer.into_inner().application.unwrap()
}

async fn application(installation: &Installation, id: &str) -> v1::Application {
    let mut client = ApplicationServiceClient::new(installation.logged_in(OFFICE));
    let request = v1::GetApplicationRequest {
        id: id.to_owned(),
        ..v1::GetApplicationRequest::default()
    };
    let answer = client.get_application(request).await.unwrap();
    answer.into_inner().application.unwrap()
}

async fn until(installation: &Installation, id: &str, state: ApplicationState) -> v1::Application {
    let mut found = application(installation, id).await;
    for turn in 0.. {
        if found.state() == state {
            break;
        }
        assert!(turn < 1200, "{found:?} is not {state:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        found = application(installation, id).await;
    }
    found
}

/// The number of orders that came back unanswered.
fn put_off(installation: &Installation) -> Option<f64> {
    let answer = get(installation.admin_port(Service::Intake), "/metrics").ok()?;
    let name = "lgpki_intake_dispatched_total{outcome=\"later\"} ";
    let text = answer.text();
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_held_up_while_a_witness_disputes_the_issuers_log_and_revocations_go_on() {
    let options = Options {
        login_form: "data",
        branches: &[BRANCH],
        configuration: &[(
            "web-server = { mode = \"manual\" }",
            "web-server = { mode = \"automatic\" }",
        )],
        ..Options::default()
    };
    let installation = Installation::new(UNDER_TEST, &options);
    let witness = Witness::start(&installation, "127.0.0.1:0");
    witness.enter(&installation);
    let serving = installation.serve();
    let content = load::web_server(BRANCH, "before.synthetic.lg.jp");
    let before = submit(&installation, request::issue(BRANCH, content)).await;
    let before = until(&installation, &before.id, ApplicationState::Issued).await;
    all_cosigned(&installation, &Service::ALL);
    assert!(serving.terminate().success());

    // The issuer's data are copied aside; it records once more, which is cosigned; then the copy takes
    // their place, without a seal, and goes on otherwise.
    let issuer = installation.data(Service::Issuer);
    let aside = installation.scratch().join("aside");
    copy(&issuer, &aside);
    let mut alone = installation.serve_only(Service::Issuer);
    alone.wait_until_ready();
    all_cosigned(&installation, &[Service::Issuer]);
    assert!(alone.terminate().success());
    let length = books::read_log(&installation, Service::Issuer).len();
    fs::remove_dir_all(&issuer).unwrap();
    copy(&aside, &issuer);
    assert!(books::read_log(&installation, Service::Issuer).len() < length);
    let serving = installation.serve();
    eventually("dispute", || {
        let disputing = measured(&installation, Service::Issuer, "witnesses_disputing")?;
        (disputing > 0.5).then_some(())
    });

    // An office applies, and its application waits.
    let content = load::web_server(BRANCH, "held.synthetic.lg.jp");
    let held = submit(&installation, request::issue(BRANCH, content)).await;
    eventually("refusal by the issuer", || {
        (put_off(&installation)? > 0.5 && serving.log().contains("LOG_DISPUTED")).then_some(())
    });
    let shown = installation.office(OFFICE, "cirs", &["status", &held.id]);
    let shown = shown.unwrap().to_string();
    assert!(
        shown.contains("queued") || shown.contains("issuing"),
        "{shown}"
    );
    // The operator sees which witness, and what it says.
    let status = installation
        .office("operator-1", "operator", &["status"])
        .unwrap();
    let logs = status["logs"]["services"].as_array().unwrap();
    for log in logs {
        let disputing = log["witness"]["disputing"].as_array().unwrap();
        let names: Vec<_> = disputing.iter().map(|one| one.as_str().unwrap()).collect();
        if log["service"] == "issuer" {
            assert!(names.len() == 1 && names[0].starts_with(NAME), "{log}");
        } else {
            assert!(names.is_empty(), "{log}");
        }
    }

    // What ends a certificate is not held up, and the list that says so is signed.
    let reason = v1::RevocationReason::KeyCompromise;
    let revoke = request::revoke(BRANCH, &before.serial, reason);
    let revoked = submit(&installation, revoke).await;
    until(&installation, &revoked.id, ApplicationState::Completed).await;
    let mut operator = ExaminationServiceClient::new(installation.logged_in("operator-1"));
    let published = operator.publish_crl_now(v1::PublishCrlNowRequest::default());
    published.await.unwrap();
    let list = get(installation.publication_port(), "/crl/application-1.crl").unwrap();
    let list = RevocationList::parse(&list.body).unwrap();
    assert!(list.find(before.serial.parse().unwrap()).is_some());

    // Meanwhile nothing was signed for the office, nor even intended.
    let state = application(&installation, &held.id).await.state();
    assert!(
        matches!(state, ApplicationState::Queued | ApplicationState::Issuing),
        "{state:?}"
    );
    assert!(serving.terminate().success());
    let log = books::read_log(&installation, Service::Issuer);
    assert!(books::of(&log, "certificate.intent").any(|e| e.text("application") == before.id));
    assert!(log.iter().all(|entry| entry.text("application") != held.id));
}
