//! An installation in a throw-away directory and its services, all in one child process.
//!
//! This program runs itself as `lgpki init` and `lgpki serve`. The configuration is the one that
//! `init` writes, except that official-duty certificates are examined automatically.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use lgpki_keys::{PassphraseSource, SoftwareKey, write_private};
use lgpki_ledger::{Identity, LogSigner};
use rustix::process::{Pid, Signal, kill_process};

use crate::{Failure, scene};

/// What `init` writes about official-duty certificates, and what stands there instead.
const EXAMINATION: [&str; 2] = [
    "official-duty = { mode = \"manual\", two_person = true }",
    "official-duty = { mode = \"automatic\" }",
];

/// A certificate authority; its directory goes when it is dropped.
#[derive(Debug)]
pub struct Installation {
    directory: tempfile::TempDir,
    first_port: u16,
}

impl Installation {
    /// Runs `init` with both CAs' keys of the algorithm of this name.
    pub fn new(ca_key: &str) -> Result<Self, Failure> {
        let installation = Self {
            directory: tempfile::tempdir()?,
            first_port: free_ports(10)?,
        };
        write_private(
            &installation.passphrase(),
            b"correct horse battery staple\n",
        )?;
        let mut init = Command::new(std::env::current_exe()?);
        init.arg("init").arg(installation.ca());
        init.arg("--passphrase-file").arg(installation.passphrase());
        init.args(["--organization-key", ca_key, "--application-key", ca_key]);
        init.args(["--login-form", "data", "--first-port"]);
        init.arg(installation.first_port.to_string());
        for branch in scene::BRANCHES {
            init.args(["--branch", branch]);
        }
        let made = init.output()?;
        if !made.status.success() {
            return Err(format!("init: {}", String::from_utf8_lossy(&made.stderr)).into());
        }
        let text = fs::read_to_string(installation.configuration())?;
        let [written, wanted] = EXAMINATION;
        if !text.contains(written) {
            return Err(format!("the configuration does not say {written}").into());
        }
        fs::write(installation.configuration(), text.replace(written, wanted))?;
        Ok(installation)
    }

    /// The directory that `init` made.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.directory.path().join("ca")
    }

    fn configuration(&self) -> PathBuf {
        self.ca().join("lgpki.toml")
    }

    /// Whose log a service's is, with the key that `init` made.
    pub fn log_identity(&self, service: &str) -> Result<Identity, Failure> {
        let secret = self.ca().join("secrets/tls-passphrase");
        let passphrase = PassphraseSource::File(secret).read()?;
        let file = self.ca().join(format!("tls/{service}.log-key.pem"));
        let der = SoftwareKey::load(&file, &passphrase)?.to_pkcs8_der()?;
        let signer = Arc::new(LogSigner::from_pkcs8(&der)?);
        let (base, node) = ("lgpki.invalid/audit".parse()?, format!("{service}-1"));
        Ok(Identity::try_new(&base, service, node, signer)?)
    }

    fn passphrase(&self) -> PathBuf {
        self.directory.path().join("passphrase")
    }

    /// Starts the services and waits until all are ready.
    pub fn serve(&self) -> Result<Services, Failure> {
        let log = self.directory.path().join("serve.log");
        let file = fs::File::create(&log)?;
        let mut serve = Command::new(std::env::current_exe()?);
        serve.arg("serve").arg("--config").arg(self.configuration());
        serve.arg("--passphrase-file").arg(self.passphrase());
        serve
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let services = Services {
            child: serve.spawn()?,
            log,
        };
        for _ in 0..12_000 {
            if (3..6).all(|n| is_ready(self.first_port + n)) {
                return Ok(services);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(format!("not ready within ten minutes:\n{}", services.log()).into())
    }
}

/// The process of all three services; killed when dropped.
#[derive(Debug)]
pub struct Services {
    child: Child,
    log: PathBuf,
}

impl Services {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Asks it to end and waits; it must end without an error.
    pub fn stop(mut self) -> Result<(), Failure> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(id.ok_or("the process has no id")?, Signal::TERM)?;
        if self.child.wait()?.success() {
            return Ok(());
        }
        Err(format!("the services ended with an error:\n{}", self.log()).into())
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_ready(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// The first of `count` ports in a row that are free now.
fn free_ports(count: u16) -> Result<u16, Failure> {
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let start = u16::try_from(std::process::id() % 3_200)?;
    (0..3_200)
        .map(|step| 24_000 + (start + step) % 3_200 * 10)
        .find(|first| (0..count).all(|n| free(first + n)))
        .ok_or_else(|| "there are no ten free ports in a row".into())
}
