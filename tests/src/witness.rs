//! A witness of the logs beside an installation, in a process of its own.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{Installation, Service, get};

/// Its name.
pub const NAME: &str = "audit-office.example/w1";

/// The witness; killed when dropped.
#[derive(Debug)]
pub struct Witness {
    child: Child,
    said: PathBuf,
    /// Its key, as it is given to those who rely on it.
    pub vkey: String,
    /// Where it listens.
    pub address: String,
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Witness {
    /// Starts the witness of this installation at an address, with what it remembers.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(installation: &Installation, address: &str) -> Self {
        let dir = installation.scratch();
        let (said, announced) = (dir.join("witness.out"), dir.join("witness.err"));
        let create = |path: &PathBuf| File::create(path).expect("a file");
        let child = installation
            .command()
            .args(["--json", "audit", "witness", "--name", NAME])
            .args(["--listen", address, "--data"])
            .arg(dir.join("witness"))
            .arg("--log-keys")
            .arg(verifier_keys(installation))
            .arg("--passphrase-file")
            .arg(installation.passphrase())
            .stdin(Stdio::null())
            .stdout(create(&said))
            .stderr(create(&announced))
            .spawn()
            .expect("the witness");
        let line = eventually("witness", || {
            let text = fs::read_to_string(&announced).ok()?;
            text.lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .find(|line| line["vkey"].is_string())
        });
        let text = |of: &Value| of.as_str().expect("a text").to_owned();
        Self {
            child,
            said,
            vkey: text(&line["vkey"]),
            address: text(&line["listen"]),
        }
    }

    /// Has the operator enter it in the configuration, as one that must cosign.
    ///
    /// # Panics
    /// If the configuration is not as `init` makes it.
    pub fn enter(&self, installation: &Installation) {
        let file = installation.configuration();
        let mut text = fs::read_to_string(&file).expect("the configuration");
        let entered = format!(
            "witnesses = [{{ url = \"http://{}\", vkey = \"{}\" }}]",
            self.address, self.vkey
        );
        for (from, to) in [
            ("witnesses = []", entered.as_str()),
            ("required = 0", "required = 1"),
        ] {
            assert!(text.contains(from), "{from} is not in the configuration");
            text = text.replace(from, to);
        }
        fs::write(&file, text).expect("the configuration");
    }

    /// What it has said of a log since it began, the newest last.
    ///
    /// # Panics
    /// If its output is gone.
    #[must_use]
    pub fn said_of(&self, log: &str) -> Vec<Value> {
        let text = fs::read_to_string(&self.said).expect("what it said");
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let of_log = |line: &Value| line["log"].as_str().is_some_and(|of| of.contains(log));
        lines.filter(of_log).collect()
    }
}

/// The file with the keys of the services' logs, as `init` wrote them for auditors.
///
/// # Panics
/// If they are not there.
#[must_use]
pub fn verifier_keys(installation: &Installation) -> PathBuf {
    let path = installation.scratch().join("vkeys.txt");
    // Whoever audits keeps them, whatever becomes of the installation.
    if path.exists() {
        return path;
    }
    let key = |service: Service| {
        let file = format!("audit-keys/{}.vkey", service.name());
        fs::read_to_string(installation.ca().join(file)).expect("a log's key")
    };
    fs::write(&path, Service::ALL.map(key).concat()).expect("the keys' file");
    path
}

/// A value that a service measures of its log, such as `witnesses_disputing`.
#[must_use]
pub fn measured(installation: &Installation, service: Service, noun: &str) -> Option<f64> {
    let answer = get(installation.admin_port(service), "/metrics").ok()?;
    let name = format!("lgpki_{}_log_{noun} ", service.name());
    let text = answer.text();
    let line = text.lines().find_map(|line| line.strip_prefix(&name))?;
    line.trim().parse().ok()
}

/// Waits until all that the services have published is cosigned.
pub fn all_cosigned(installation: &Installation, services: &[Service]) {
    for service in services {
        eventually("cosignature of all that is recorded", || {
            let end = measured(installation, *service, "published_entries")?;
            let cosigned = measured(installation, *service, "witnessed_entries")?;
            (end > 0.0 && (end - cosigned).abs() < 0.5).then_some(())
        });
    }
}

/// Looks every few milliseconds until something is there, for a minute at most.
///
/// # Panics
/// If it is not there then.
pub fn eventually<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    for _ in 0..3000 {
        if let Some(found) = look() {
            return found;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("in a minute there was no {what}");
}
