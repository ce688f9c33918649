//! A witness beside a running installation: what it cosigns, what it remembers, and what it finds out.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use lgpki_tests::{Installation, Options, Service, get, json, run};
use serde_json::Value;

const UNDER_TEST: &str = env!("CARGO_BIN_EXE_lgpki-under-test");
const NAME: &str = "audit-office.example/w1";

/// Looks every few milliseconds until something is there, for a minute at most.
fn eventually<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let found = (0..3000).find_map(|_| {
        let found = look();
        if found.is_none() {
            thread::sleep(Duration::from_millis(20));
        }
        found
    });
    assert!(found.is_some(), "in a minute there was no {what}");
    found.unwrap()
}

/// A witness in a process of its own; killed when dropped.
struct Witness {
    child: Child,
    said: PathBuf,
    vkey: String,
    address: String,
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Witness {
    fn start(installation: &Installation, keys: &Path, address: &str) -> Self {
        let dir = installation.scratch();
        let (said, announced) = (dir.join("witness.out"), dir.join("witness.err"));
        let child = installation
            .command()
            .args([
                "--json", "audit", "witness", "--name", NAME, "--listen", address,
            ])
            .arg("--data")
            .arg(dir.join("witness"))
            .arg("--log-keys")
            .arg(keys)
            .arg("--passphrase-file")
            .arg(installation.passphrase())
            .stdin(Stdio::null())
            .stdout(File::create(&said).unwrap())
            .stderr(File::create(&announced).unwrap())
            .spawn()
            .unwrap();
        let line = eventually("witness", || {
            let text = fs::read_to_string(&announced).unwrap();
            text.lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .find(|line| line["vkey"].is_string())
        });
        let text = |of: &Value| of.as_str().unwrap().to_owned();
        Self {
            child,
            said,
            vkey: text(&line["vkey"]),
            address: text(&line["listen"]),
        }
    }

    /// What it has said of a log since it began, the newest last.
    fn said_of(&self, log: &str) -> Vec<Value> {
        let text = fs::read_to_string(&self.said).unwrap();
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let of_log = |line: &Value| line["log"].as_str().is_some_and(|of| of.contains(log));
        lines.filter(of_log).collect()
    }
}

/// A value that a service measures.
fn measured(installation: &Installation, service: Service, noun: &str) -> Option<f64> {
    let answer = get(installation.admin_port(service), "/metrics").ok()?;
    let name = format!("lgpki_{}_log_{noun} ", service.name());
    let text = answer.text();
    let line = text.lines().find_map(|line| line.strip_prefix(&name))?;
    line.trim().parse().ok()
}

/// The published logs of all services, in one directory.
fn published(installation: &Installation) -> PathBuf {
    let dir = installation.scratch().join("logs");
    fs::create_dir_all(&dir).unwrap();
    for service in Service::ALL {
        let link = dir.join(service.name());
        let _ = fs::remove_file(&link);
        let audit = installation.data(service).join("audit");
        std::os::unix::fs::symlink(audit, link).unwrap();
    }
    dir
}

fn verify(installation: &Installation, keys: &Path, vkey: &str) -> Result<String, String> {
    let mut command = installation.command();
    command.args(["--json", "audit", "verify", "--witness", vkey, "--key"]);
    run(command.arg(keys).arg(published(installation)))
}

fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-a").arg(from).arg(to)).unwrap();
}

#[test]
fn a_running_system_is_witnessed_and_a_stale_copy_of_a_service_is_found_out() {
    let installation = Installation::new(UNDER_TEST, &Options::default());
    let keys = installation.scratch().join("vkeys.txt");
    let key = |service: Service| {
        let file = format!("audit-keys/{}.vkey", service.name());
        fs::read_to_string(installation.ca().join(file)).unwrap()
    };
    fs::write(&keys, Service::ALL.map(key).concat()).unwrap();
    let witness = Witness::start(&installation, &keys, "127.0.0.1:0");
    let (vkey, address) = (witness.vkey.clone(), witness.address.clone());
    // Nothing is cosigned before the operator has entered the witness.
    let refused = verify(&installation, &keys, &vkey).unwrap_err();
    assert!(refused.contains("witness"), "{refused}");
    let configuration = installation.configuration();
    let text = fs::read_to_string(&configuration).unwrap();
    let entered = format!("witnesses = [{{ url = \"http://{address}\", vkey = \"{vkey}\" }}]");
    let text = text
        .replace("witnesses = []", &entered)
        .replace("required = 0", "required = 1");
    fs::write(&configuration, text).unwrap();
    // As init has left it, for later.
    let issuer = installation.data(Service::Issuer);
    let stale = installation.scratch().join("stale");
    copy(&issuer, &stale);

    let serving = installation.serve();
    for service in Service::ALL {
        eventually("cosignature of all that is recorded", || {
            let end = measured(&installation, service, "published_entries")?;
            let cosigned = measured(&installation, service, "witnessed_entries")?;
            (end > 0.0 && (end - cosigned).abs() < 0.5).then_some(())
        });
    }
    assert!(serving.terminate().success());
    let report = json(&verify(&installation, &keys, &vkey).unwrap());
    let logs = report["report"]["logs"].as_array().unwrap();
    assert!(logs.len() >= 6, "{logs:?}");
    for log in logs {
        assert_eq!(log["cosigned"][0]["witness"], NAME, "{log}");
    }
    let cosigned = witness.said_of("/issuer/");
    assert!(
        cosigned.iter().all(|line| line["event"] == "cosigned"),
        "{cosigned:?}"
    );

    // Killed and begun again, the witness remembers; the issuer comes back as it was in the beginning.
    drop(witness);
    let witness = Witness::start(&installation, &keys, &address);
    assert_eq!(witness.vkey, vkey);
    fs::rename(&issuer, installation.scratch().join("newest")).unwrap();
    copy(&stale, &issuer);
    let mut alone = installation.serve_only(Service::Issuer);
    alone.wait_until_ready();
    eventually("dispute", || {
        let disputing = measured(&installation, Service::Issuer, "witnesses_disputing")?;
        (disputing > 0.5).then_some(())
    });
    let refused = eventually("refusal", || {
        let said = witness.said_of("/issuer/");
        said.into_iter().find(|line| line["event"] == "refused")
    });
    let reason = refused["reason"].as_str().unwrap();
    assert!(
        ["rollback", "fork", "not-continued"].contains(&reason),
        "{refused}"
    );
    assert!(alone.terminate().success());
    // Whole and signed as it is, its checkpoints lack what only the witness can give.
    let refused = verify(&installation, &keys, &vkey).unwrap_err();
    let findings = refused.matches("\"rule\": \"witness\"").count();
    assert!(findings > 0, "{refused}");
    // The newest copy is what the witness knows.
    fs::remove_dir_all(&issuer).unwrap();
    fs::rename(installation.scratch().join("newest"), &issuer).unwrap();
    let mut alone = installation.serve_only(Service::Issuer);
    alone.wait_until_ready();
    eventually("end of the dispute", || {
        let disputing = measured(&installation, Service::Issuer, "witnesses_disputing")?;
        (disputing < 0.5).then_some(())
    });
    assert!(alone.terminate().success());
}
