//! What an operator of the machines sees: checks before a start, refusals to start that say why,
//! draining, metrics, health, and a log in which nothing calls for a human in vain.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected ends")]

#[path = "operations/lockout.rs"]
mod lockout;

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, process::Command};

use lgpki_proto::v1::{self, application_service_client::ApplicationServiceClient};
use lgpki_tests::{Installation, Options, Process, Service, get, json, load, request, run};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

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

/// Changes the configuration.
fn reconfigure(installation: &Installation, from: &str, to: &str) {
    let file = installation.configuration();
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from} is not in the configuration");
    fs::write(&file, text.replacen(from, to, 1)).unwrap();
}

/// What `serve` says that must not start, nor run on.
fn refused(installation: &Installation, serve: Command) -> String {
    let mut process = Process::spawn(installation, serve, None);
    let status = process.wait_until_ended();
    assert!(!status.success(), "ended with {status}");
    process.log()
}

#[test]
fn a_check_says_what_is_good_without_starting_anything() {
    let installation = installation();
    let said = run(installation.serve_command(None).arg("--check")).unwrap();
    for service in Service::ALL {
        assert!(said.contains(service.name()), "{said}");
    }
    assert!(
        said.contains("organization-1.key.pem: p-256, opens"),
        "{said}"
    );
    let checked = run(installation.serve_command(None).args(["--check", "--json"])).unwrap();
    assert!(
        json(&checked).as_array().is_some_and(|all| all.len() >= 8),
        "{checked}"
    );
    let alone = run(installation
        .serve_command(Some(Service::Intake))
        .arg("--check"))
    .unwrap();
    assert!(!alone.contains("CA key"), "{alone}");
    // Nothing listens, and the directories can be opened.
    assert!(get(installation.admin_port(Service::Intake), "/livez").is_err());
    assert!(installation.serve().terminate().success());
}

#[test]
fn an_unknown_key_is_refused_with_its_section() {
    for (section, key) in [
        ("[telemetry]", "loudness = 11"),
        ("[tls]", "verify = false"),
        ("[issuer]", "colour = \"blue\""),
        ("[lifecycle]", "crl_dayly_at = \"09:15\""),
        ("[intake]", "two_persons = true"),
        ("[intake.dispatch]", "batches = 64"),
    ] {
        let installation = installation();
        reconfigure(&installation, section, &format!("{section}\n{key}"));
        let name = key.split(' ').next().unwrap();
        for check in [true, false] {
            let mut serve = installation.serve_command(None);
            if check {
                serve.arg("--check");
            }
            let said = refused(&installation, serve);
            assert!(said.contains(name), "{said}");
            assert!(said.contains("lgpki.toml"), "{said}");
        }
    }
    let section = "[intake.examination]";
    let cross = format!("{section}\ncross = {{ mode = \"automatic\" }}");
    let unexamined = installation();
    reconfigure(&unexamined, section, &cross);
    let said = refused(&unexamined, unexamined.serve_command(None));
    assert!(said.contains("intake.examination.cross"), "{said}");
    let installation = installation();
    reconfigure(&installation, "[telemetry]", "[intak]\nx = 1\n[telemetry]");
    let mut check = installation.serve_command(None);
    check.arg("--check");
    let said = refused(&installation, check);
    assert!(said.contains("unknown section [intak]"), "{said}");
}

#[test]
fn a_wrong_or_unprotected_passphrase_is_told_without_being_shown() {
    let installation = installation();
    let wrong = installation.scratch().join("wrong");
    fs::write(&wrong, "a wrong passphrase\n").unwrap();
    let serve = |check: bool| {
        let mut command = installation.command();
        command
            .arg("serve")
            .arg("--config")
            .arg(installation.configuration());
        command.arg("--passphrase-file").arg(&wrong);
        if check {
            command.arg("--check");
        }
        refused(&installation, command)
    };
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o644)).unwrap();
    let said = serve(true);
    assert!(said.contains("chmod 600"), "{said}");
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o600)).unwrap();
    for check in [true, false] {
        let said = serve(check);
        assert!(said.contains("passphrase"), "{said}");
        assert!(!said.contains("a wrong passphrase"), "{said}");
    }
    // Nothing was harmed.
    assert!(installation.serve().terminate().success());
}

#[test]
fn a_taken_port_is_named_with_its_key() {
    let installation = installation();
    for (service, port) in [
        ("issuer.listen", installation.port(Service::Issuer)),
        ("lifecycle.publication", installation.publication_port()),
        ("intake.listen", installation.port(Service::Intake)),
        ("intake.admin", installation.admin_port(Service::Intake)),
        ("issuer.audit", installation.audit_port(Service::Issuer)),
    ] {
        let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let said = refused(&installation, installation.serve_command(None));
        assert!(said.contains(service), "{said}");
        assert!(said.contains(&port.to_string()), "{said}");
    }
    assert!(installation.serve().terminate().success());
}

#[test]
fn a_second_process_on_the_same_data_is_refused() {
    let installation = installation();
    let first = installation.serve();
    let configuration = fs::read_to_string(installation.configuration()).unwrap();
    // Other ports, so that nothing but the directory is in the way.
    let other = Installation::new(UNDER_TEST, &Options::default());
    let mut moved = configuration;
    let first_ports = [&installation, &other].map(|one| one.port(Service::Intake));
    for offset in 0..Installation::PORTS {
        let [from, to] = first_ports.map(|first| first + offset);
        moved = moved.replace(&format!(":{from}\""), &format!(":{to}\""));
    }
    let second = installation.ca().join("second.toml");
    fs::write(&second, moved).unwrap();
    for service in Service::ALL {
        let mut command = installation.command();
        command.arg("serve").arg("--config").arg(&second);
        command
            .arg("--passphrase-file")
            .arg(installation.passphrase());
        command.args(["--only", service.name()]);
        let said = refused(&installation, command);
        assert!(said.contains("is in use by another process"), "{said}");
        let data = installation.data(service);
        assert!(said.contains(&data.display().to_string()), "{said}");
    }
    assert!(first.terminate().success());
}

/// Gets a certificate and has it revoked, so that every service has done something.
async fn a_day_at_the_office(installation: &Installation) {
    let mut client = ApplicationServiceClient::new(installation.logged_in("branch-officer-01001"));
    let content = load::web_server(BRANCH, "www.synthetic.lg.jp");
    let issued = finish(&mut client, request::issue(BRANCH, content)).await;
    let reason = v1::RevocationReason::KeyCompromise;
    let mut revocation = request::revoke(BRANCH, &issued.serial, reason);
    // Until its standing has come back to intake the certificate is unknown there.
    while let Err(status) = client.submit_application(revocation.clone()).await {
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        revocation.request_id = request::request_id();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    finish(&mut client, revocation).await;
}

async fn finish(
    client: &mut ApplicationServiceClient<tonic::transport::Channel>,
    request: v1::SubmitApplicationRequest,
) -> v1::Application {
    let accepted = client
        .submit_application(request)
        .await
        .unwrap()
        .into_inner();
    let watch = v1::WatchApplicationsRequest {
        ids: vec![accepted.application.unwrap().id],
        ..v1::WatchApplicationsRequest::default()
    };
    let mut changes = client.watch_applications(watch).await.unwrap().into_inner();
    loop {
        let application = changes
            .message()
            .await
            .unwrap()
            .unwrap()
            .application
            .unwrap();
        let done = [
            v1::ApplicationState::Issued,
            v1::ApplicationState::Completed,
        ];
        if done.contains(&application.state()) {
            return application;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_run_says_nothing_that_calls_for_a_human_and_ends_with_0() {
    let installation = installation();
    let services = installation.serve();
    a_day_at_the_office(&installation).await;
    // A stream that somebody keeps open does not hold the drain up.
    let mut watcher = ApplicationServiceClient::new(installation.logged_in("branch-officer-01001"));
    let watch = watcher.watch_applications(v1::WatchApplicationsRequest::default());
    let mut changes = watch.await.unwrap().into_inner();
    let log_of = installation.scratch().join("all.log");
    let status = tokio::task::spawn_blocking(move || services.terminate());
    let end = loop {
        match changes.message().await {
            Ok(Some(_)) => {}
            Ok(None) => break None,
            Err(status) => break Some(status),
        }
    };
    assert!(end.is_none_or(|status| status.code() == Code::Unavailable));
    assert!(status.await.unwrap().success());
    let log = fs::read_to_string(log_of).unwrap();
    assert!(log.contains("published a CRL"), "{log}");
    quiet(&log);
    // What was done in one process, three go on with, as quietly.
    let mut three = Service::ALL.map(|service| (service, installation.serve_only(service)));
    for (_, process) in &mut three {
        process.wait_until_ready();
    }
    for (service, process) in three.into_iter().rev() {
        assert!(process.terminate().success());
        let log = installation
            .scratch()
            .join(format!("{}.log", service.name()));
        quiet(&fs::read_to_string(log).unwrap());
    }
}

/// Fails if a log says something for which a human would have to look.
fn quiet(log: &str) {
    for level in ["WARN", "ERROR", "panicked"] {
        assert!(!log.contains(level), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_of_each_service_count_what_it_did() {
    let installation = installation();
    let mut three = Service::ALL.map(|service| installation.serve_only(service));
    three.iter_mut().for_each(Process::wait_until_ready);
    a_day_at_the_office(&installation).await;
    for service in Service::ALL {
        let port = installation.admin_port(service);
        assert_eq!(get(port, "/livez").unwrap().status, 200);
        assert_eq!(get(port, "/readyz").unwrap().status, 200);
        let metrics = get(port, "/metrics").unwrap();
        assert_eq!(metrics.status, 200);
        let text = metrics.text();
        let name = service.name();
        let own = format!("lgpki_{name}_");
        for metric in ["rpc_total", "rpc_seconds", "connections"] {
            assert!(text.contains(&format!("{own}{metric}")), "{text}");
        }
        let foreign = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .find(|line| line.starts_with("lgpki_") && !line.starts_with(&own));
        assert_eq!(foreign, None, "of {name}");
        // Labels come from closed sets; a serial number would be one more series for each.
        let endless = text.lines().find(|line| {
            line.split(|c: char| !c.is_ascii_hexdigit())
                .any(|word| word.len() >= 26)
        });
        assert_eq!(endless, None, "of {name}");
    }
    let lifecycle = get(installation.admin_port(Service::Lifecycle), "/metrics").unwrap();
    let revoked = "lgpki_lifecycle_revocations_total{reason=\"key-compromise\"} 1";
    assert!(lifecycle.text().contains(revoked), "{}", lifecycle.text());
    // While one is away the others say so.
    three[0].kill();
    assert!(get(installation.admin_port(Service::Issuer), "/livez").is_err());
    assert_eq!(
        get(installation.admin_port(Service::Lifecycle), "/livez")
            .unwrap()
            .status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_answer_without_a_certificate() {
    let installation = installation();
    let _services = installation.serve();
    for service in Service::ALL {
        let channel = installation.channel(service, None);
        let mut health = HealthClient::new(channel.clone());
        let answer = health.check(HealthCheckRequest::default()).await.unwrap();
        assert_eq!(answer.into_inner().status, 1, "{}", service.name());
        assert!(
            reflected(channel).await.contains("lgpki.v1."),
            "{}",
            service.name()
        );
    }
    // And nothing else does.
    let nobody = installation.channel(Service::Intake, None);
    let mut client = ApplicationServiceClient::new(nobody);
    let refused = client
        .list_applications(v1::ListApplicationsRequest::default())
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
}

/// The names that a server's reflection lists.
async fn reflected(channel: tonic::transport::Channel) -> String {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest,
    };
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(channel);
    let stream = client.server_reflection_info(tokio_stream::once(request));
    let mut answers = stream.await.unwrap().into_inner();
    format!("{:?}", answers.message().await.unwrap())
}

#[test]
fn the_planner_plans_for_the_certificates_of_a_running_system() {
    let installation = installation();
    let services = installation.serve();
    let plan = |more: &[&str]| {
        let args = [&["plan", "--live", "--capacity", "5"], more].concat();
        installation.office("operator-1", "surge", &args)
    };
    // The inventory follows the issuer's feed; until then there is nothing to plan for.
    let planned = loop {
        if let Ok(planned) = plan(&[]) {
            break planned;
        }
    };
    assert_eq!(
        (&planned["synthetic"], &planned["simulated"]),
        (&false.into(), &true.into())
    );
    assert_eq!(planned["totals"]["renewals"], planned["certificates"]);
    assert_eq!(planned["capacity_per_business_day"], 5);
    let new = plan(&["--new-per-day", "1", "--habit", "slots"]).unwrap();
    assert!(new["totals"]["new"].as_u64().unwrap() > 700, "{new}");
    assert!(services.terminate().success());
}

#[test]
fn a_login_that_is_renewed_too_early_is_told_the_day_and_keeps_its_new_key() {
    let installation = installation();
    let _services = installation.serve();
    for office in ["operator-1", "auditor-1", "lgwan-officer-01001"] {
        let renew = ["renew-login", "--examined-by", "運営主体"];
        let said = installation.office(office, "operator", &renew).unwrap_err();
        assert!(said.contains("RENEWAL_TOO_EARLY"), "{office}: {said}");
        let made = installation
            .ca()
            .join("offices")
            .join(office)
            .join("renewal");
        let csr = || fs::read(made.join("request.csr")).unwrap();
        let before = csr();
        let key = fs::metadata(made.join("key.pem")).unwrap().permissions();
        assert_eq!(key.mode() & 0o777, 0o600);
        installation.office(office, "operator", &renew).unwrap_err();
        assert_eq!(csr(), before, "given again, it goes on where it stood");
    }
}

#[test]
fn slots_are_shown_and_who_has_none_is_not_submitted_in_one() {
    let installation = installation();
    let services = installation.serve();
    let office = format!("branch-officer-{BRANCH}");
    let branch = |args: &[&str]| installation.office(&office, "cirs", args);
    // The inventory follows the issuer's feed.
    let serial = loop {
        let held = branch(&["certificates"]).unwrap();
        if let Some(serial) = held[0]["serial"].as_str() {
            break serial.to_owned();
        }
    };
    assert_eq!(
        branch(&["renewals", "--days", "0"]).unwrap(),
        serde_json::json!([])
    );
    let csr = installation.configuration();
    let examined = ["--examined-by", "総務課長", "--in-slot"];
    let renew = ["renew", &serial, "--csr", csr.to_str().unwrap()];
    let refused = branch(&[&renew[..], &examined].concat()).unwrap_err();
    assert!(refused.contains("has no slot"), "{refused}");
    let svg = installation.configuration().with_extension("svg");
    let args = ["slots", "--by", "week", "--svg", svg.to_str().unwrap()];
    let load = installation
        .office("operator-1", "operator", &args)
        .unwrap();
    assert_eq!(
        (&load["per_business_day"], &load["booked"]),
        (&200.into(), &0.into())
    );
    assert!(fs::read_to_string(svg).unwrap().starts_with("<svg "));
    assert!(services.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_says_why_and_when_and_keeps_its_place_through_a_kill() {
    let options = Options {
        login_form: "data",
        branches: &[BRANCH],
        ..Options::default()
    };
    let installation = Installation::new(UNDER_TEST, &options);
    let mut services = installation.serve();
    let operator = |args: &[&str]| installation.office("operator-1", "operator", args);
    let mut client = ApplicationServiceClient::new(installation.logged_in("branch-officer-01001"));
    for n in 1..=3 {
        let content = load::web_server(BRANCH, &format!("www{n}.synthetic.lg.jp"));
        let accepted = client
            .submit_application(request::issue(BRANCH, content))
            .await;
        let application = accepted.unwrap().into_inner().application.unwrap();
        assert!(application.estimate.is_some(), "{application:?}");
    }
    let listed = || {
        let list = operator(&["list"]).unwrap();
        let listed = list["applications"].as_array().unwrap().iter();
        let ids = listed.map(|one| one["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    let in_order = listed();
    let last = in_order.last().unwrap().clone();
    let explained = || operator(&["queue", "explain", &last]).unwrap();
    let told = explained();
    assert_eq!(
        (&told["ahead"], &told["waiting"]),
        (&2.into(), &3.into()),
        "{told}"
    );
    assert_eq!(told["class"], "reserve");
    let status = installation.office("branch-officer-01001", "cirs", &["status", &last]);
    let status = status.unwrap();
    assert_eq!(status["queue"]["ahead"], 2, "{status}");
    let time = |name: &str| status["estimate"][name].as_str().unwrap().to_owned();
    assert!(time("earliest") <= time("latest"), "{status}");
    services.kill();
    drop(services);
    let services = installation.serve();
    assert_eq!(listed(), in_order);
    assert_eq!(explained()["ahead"], 2);
    operator(&["approve", &in_order[0]]).unwrap();
    assert_eq!(explained()["ahead"], 1);
    let seen = operator(&["status"]).unwrap();
    assert_eq!(seen["queue"]["order"], "fair", "{seen}");
    assert_eq!(seen["queue"]["queues"][0]["waiting"], 2, "{seen}");
    assert!(services.terminate().success());
}
