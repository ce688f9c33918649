//! What an answer of another service tells: a service that lost its disk and the last that it recorded,
//! of which no copy is left, while another service's log answers it.

use super::*;

/// The number that follows a text.
fn number_after(told: &str, text: &str) -> u64 {
    let (_, rest) = told.split_once(text).unwrap();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

async fn application(installation: &Installation, id: &str) -> v1::Application {
    let mut client = ApplicationServiceClient::new(installation.logged_in("auditor-1"));
    let request = v1::GetApplicationRequest {
        id: id.to_owned(),
        ..v1::GetApplicationRequest::default()
    };
    let answer = client.get_application(request).await.unwrap();
    answer.into_inner().application.unwrap()
}

async fn all_are_valid(installation: &Installation, serials: &[String]) {
    let mut certificates = CertificateServiceClient::new(installation.logged_in("auditor-1"));
    for serial in serials {
        let request = v1::GetCertificateRequest {
            serial: serial.clone(),
        };
        let answer = certificates.get_certificate(request).await.unwrap();
        let certificate = answer.into_inner().certificate.unwrap();
        assert_eq!(certificate.state(), CertificateState::Valid, "{serial}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_service_answers_keeps_the_seal_and_its_place() {
    let installation = installation();
    let scratch = installation.scratch().to_owned();
    let config = installation.configuration();
    let (backup, copy) = (scratch.join("backup"), scratch.join("copy"));
    let process = installation.serve();
    let load = Load::start(&installation, &BRANCHES, 1);
    loaded(&load, 3, 0).await;
    let before = load.stop().await;
    until(
        &installation,
        before.issues.keys(),
        ApplicationState::Issued,
    )
    .await;
    assert!(process.terminate().success());
    let args = ["backup", "--config", text(&config), "--out", text(&backup)];
    command(&installation, &args).unwrap();
    fetch(&installation.ca().join("data"), &copy);

    // The issuer goes on; of this nothing but the others' answers will be left.
    let process = installation.serve();
    let load = Load::start(&installation, &BRANCHES, 1);
    loaded(&load, 3, 0).await;
    let lost = load.stop().await;
    assert!(lost.revocations.is_empty());
    until(&installation, lost.issues.keys(), ApplicationState::Issued).await;
    let mut serials = Vec::new();
    for id in lost.issues.keys() {
        serials.push(application(&installation, id).await.serial);
    }
    everything_stands(&installation, &lost).await;
    let number = crl(&installation).summary().number;
    assert!(process.terminate().success());
    let issued = books::read_log(&installation, Service::Issuer);
    let data = installation.data(Service::Issuer);
    fs::rename(&data, scratch.join("lost")).unwrap();

    let ca = installation.ca();
    let only = ["--only", "issuer"];
    let args = ["restore", text(&backup), "--into", text(&ca)];
    command(&installation, &[&args[..], &only].concat()).unwrap();
    let run = |what: &str, more: &[&str]| {
        let (config, copy) = (text(&config), text(&copy));
        let args = ["restore", what, "--config", config, "--mirror", copy];
        command(&installation, &[&args[..], &only, more].concat())
    };
    // The copy and the backup fit each other; lifecycle knows better.
    for what in ["heal", "unseal"] {
        let told = run(what, &[]).unwrap_err();
        assert!(
            told.contains("lifecycle has recorded answers to entry"),
            "{told}"
        );
        assert!(told.contains("stays sealed"), "{told}");
    }
    let log = refused(&installation, None);
    assert!(log.contains("issuer is sealed"), "{log}");
    let told = run("unseal", &["--accept-loss"]).unwrap_err();
    let held = number_after(&told, "--confirm issuer@");
    let answered = number_after(&told, "has recorded answers up to entry ");
    assert!(answered >= held, "{told}");
    let token = format!("issuer@{held}");
    let done = run("unseal", &["--accept-loss", "--confirm", &token]).unwrap();
    assert_eq!(done["unsealed"][0]["accepts_loss"], true, "{done}");
    assert_eq!(done["unsealed"][0]["entries"], answered + 1, "{done}");

    // Each place that another service's entries name is filled with the record of the loss.
    let log = books::read_log(&installation, Service::Issuer);
    let places: Vec<_> = books::of(&log, "log.restored").map(|e| e.index).collect();
    assert_eq!(places, (held..=answered).collect::<Vec<_>>());
    let known = |log: &[books::Entry], serial: &str| log.iter().any(|e| e.text("serial") == serial);
    for serial in &serials {
        assert!(known(&issued, serial) && !known(&log, serial), "{serial}");
    }

    // Certificates whose record the issuer lost are known, can be ended, and their serials are not used again.
    let process = installation.serve();
    all_are_valid(&installation, &serials).await;
    let load = Load::start(&installation, &BRANCHES, 1);
    loaded(&load, 4, 1).await;
    let mut notes = load.stop().await;
    assert!(notes.surprises.is_empty(), "{:?}", notes.surprises);
    let one = application(&installation, lost.issues.keys().next().unwrap()).await;
    let reason = v1::RevocationReason::KeyCompromise;
    let request = request::revoke(&one.branch, &one.serial, reason);
    let officer = installation.logged_in(&format!("branch-officer-{}", one.branch));
    let mut client = ApplicationServiceClient::new(officer);
    let answer = client.submit_application(request).await.unwrap();
    let id = answer.into_inner().application.unwrap().id;
    notes.revocations.insert(id, one.serial);
    notes.issues.extend(before.issues);
    notes.issues.extend(lost.issues);
    everything_stands(&installation, &notes).await;
    assert!(crl(&installation).summary().number.0 > number.0 + 900_000);
    assert!(process.terminate().success());
    let log = books::read_log(&installation, Service::Issuer);
    let fresh = log
        .iter()
        .filter(|e| e.kind == "certificate.intent" && e.index > answered);
    let fresh: Vec<_> = fresh.map(|e| e.text("serial")).collect();
    assert!(fresh.len() >= 4);
    assert!(serials.iter().all(|lost| !fresh.contains(&lost.as_str())));
}
