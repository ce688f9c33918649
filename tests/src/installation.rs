//! A certificate authority in a throw-away directory.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use lgpki_keys::{PassphraseSource, SoftwareKey};
use lgpki_ledger::{Identity, LogSigner};

use crate::{Process, Service, run};

/// How to make it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Both CAs' key algorithm.
    pub ca_key: &'static str,
    /// `card` or `data`.
    pub login_form: &'static str,
    /// Branches whose officers get a login.
    pub branches: &'static [&'static str],
    /// So many certificates within their renewal window, by `surge prepare` instead of `init`; its pool of keys lies in
    /// `keys` beside the test's own files.
    pub renewable: Option<u32>,
    /// Changes to the configuration file, each a text and its replacement.
    pub configuration: &'static [(&'static str, &'static str)],
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ca_key: "p-256",
            login_form: "card",
            branches: &["01001", "13001"],
            renewable: None,
            configuration: &[],
        }
    }
}

/// An installation; its directory goes when it is dropped.
#[derive(Debug)]
pub struct Installation {
    program: PathBuf,
    directory: tempfile::TempDir,
    first_port: u16,
    /// Nobody else who asks for ports as we do gets these while it is held.
    _claim: TcpListener,
}

impl Installation {
    /// How many ports it has, the first of them intake's.
    pub const PORTS: u16 = 10;

    /// Runs `init` with `program`, the command under test.
    ///
    /// # Panics
    /// If `init` fails; there is nothing to test then.
    #[must_use]
    pub fn new(program: &str, options: &Options) -> Self {
        let directory = tempfile::tempdir().expect("a throw-away directory");
        let (first_port, claim) = free_ports();
        let installation = Self {
            program: program.into(),
            directory,
            first_port,
            _claim: claim,
        };
        let passphrase = installation.passphrase();
        fs::write(&passphrase, "correct horse battery staple\n").expect("the passphrase's file");
        fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).expect("its mode");
        let mut init = installation.command();
        match options.renewable {
            None => init.arg("init"),
            Some(count) => init
                .args(["surge", "prepare", "--certificates", &count.to_string()])
                .arg("--pool")
                .arg(installation.scratch().join("keys")),
        };
        init.arg(installation.ca())
            .arg("--passphrase-file")
            .arg(&passphrase);
        init.args([
            "--organization-key",
            options.ca_key,
            "--application-key",
            options.ca_key,
        ]);
        init.args(["--login-form", options.login_form]);
        init.args(["--first-port", &installation.first_port.to_string()]);
        for branch in options.branches {
            init.args(["--branch", branch]);
        }
        run(&mut init).expect("init");
        let file = installation.configuration();
        let mut text = fs::read_to_string(&file).expect("the configuration");
        // Rarely, so that what a test finds in a log is what it did.
        text = text.replace("heartbeat_minutes = 60 ", "heartbeat_minutes = 1440 ");
        for (from, to) in options.configuration {
            assert!(text.contains(from), "{from} is not in the configuration");
            text = text.replace(from, to);
        }
        fs::write(&file, text).expect("the configuration");
        installation
    }

    /// The command under test.
    #[must_use]
    pub fn command(&self) -> Command {
        Command::new(&self.program)
    }

    /// The directory that `init` made.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.directory.path().join("ca")
    }

    /// A place for the test's own files.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.directory.path()
    }

    /// The configuration file.
    #[must_use]
    pub fn configuration(&self) -> PathBuf {
        self.ca().join("lgpki.toml")
    }

    /// The file with the passphrase of the CA keys.
    #[must_use]
    pub fn passphrase(&self) -> PathBuf {
        self.directory.path().join("passphrase")
    }

    /// Intake's address.
    #[must_use]
    pub fn intake(&self) -> String {
        format!("localhost:{}", self.first_port)
    }

    /// The gRPC port of a service.
    #[must_use]
    pub const fn port(&self, service: Service) -> u16 {
        self.first_port
            + match service {
                Service::Intake => 0,
                Service::Issuer => 1,
                Service::Lifecycle => 2,
            }
    }

    /// The port on which CRLs and CA certificates are published.
    #[must_use]
    pub const fn publication_port(&self) -> u16 {
        self.first_port + 6
    }

    /// Whose log a service's is, with the key that `init` made.
    ///
    /// # Panics
    /// If the key cannot be opened.
    #[must_use]
    pub fn log_identity(&self, service: Service) -> Identity {
        let passphrase = PassphraseSource::File(self.ca().join("secrets/tls-passphrase"));
        let passphrase = passphrase.read().expect("the passphrase");
        let name = service.name();
        let file = self.ca().join(format!("tls/{name}.log-key.pem"));
        let key = SoftwareKey::load(&file, &passphrase).expect("the log key");
        let der = key.to_pkcs8_der().expect("the log key");
        let signer = LogSigner::from_pkcs8(&der).expect("the log key");
        let origin = "lgpki.invalid/audit".parse().expect("a name");
        let node = format!("{name}-1");
        Identity::try_new(&origin, name, node, Arc::new(signer)).expect("an identity")
    }

    /// The data directory of a service.
    #[must_use]
    pub fn data(&self, service: Service) -> PathBuf {
        self.ca().join("data").join(service.name())
    }

    /// The admin port of a service.
    #[must_use]
    pub const fn admin_port(&self, service: Service) -> u16 {
        self.first_port
            + match service {
                Service::Intake => 3,
                Service::Issuer => 4,
                Service::Lifecycle => 5,
            }
    }

    /// The port on which a service's published logs are served over HTTP.
    #[must_use]
    pub const fn audit_port(&self, service: Service) -> u16 {
        self.first_port
            + match service {
                Service::Intake => 7,
                Service::Issuer => 8,
                Service::Lifecycle => 9,
            }
    }

    /// Starts all services in one process, and waits until they are ready.
    #[must_use]
    pub fn serve(&self) -> Process {
        let mut process = Process::start(self, None);
        process.wait_until_ready();
        process
    }

    /// `serve` with all that it needs, for whoever starts it in an unusual way.
    #[must_use]
    pub fn serve_command(&self, only: Option<Service>) -> Command {
        let mut command = self.command();
        command
            .arg("serve")
            .arg("--config")
            .arg(self.configuration())
            .arg("--passphrase-file")
            .arg(self.passphrase());
        if let Some(service) = only {
            command.args(["--only", service.name()]);
        }
        command
    }

    /// Starts one service alone; it may not be ready before the others are there.
    #[must_use]
    pub fn serve_only(&self, service: Service) -> Process {
        Process::start(self, Some(service))
    }

    /// Runs a command as an office, such as `branch-officer-01001`, with `--json`.
    pub fn office(
        &self,
        office: &str,
        group: &str,
        args: &[&str],
    ) -> Result<serde_json::Value, String> {
        let mut command = self.command();
        command
            .args(["--json", group, "--as"])
            .arg(self.ca().join("offices").join(office))
            .args(args);
        run(&mut command).map(|text| crate::json(&text))
    }

    /// Runs a command of `audit` that asks a running system, as an office, with `--json`.
    pub fn audit(&self, office: &str, args: &[&str]) -> Result<serde_json::Value, String> {
        let mut command = self.command();
        command.args(["--json", "audit"]).args(args);
        command
            .arg("--as")
            .arg(self.ca().join("offices").join(office));
        run(&mut command).map(|text| crate::json(&text))
    }
}

/// The first of ten ports in a row that are free, and the eleventh, bound as a claim to them. They lie
/// below the ports that the system gives to outgoing connections.
pub(crate) fn free_ports() -> (u16, TcpListener) {
    const ROW: u16 = Installation::PORTS + 1;
    const ROWS: u16 = 1_900;
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let start = u16::try_from(std::process::id() % u32::from(ROWS)).unwrap_or(0);
    (0..ROWS)
        .map(|step| 11_000 + (start + step) % ROWS * ROW)
        .find_map(|first| {
            let claim = TcpListener::bind((Ipv4Addr::LOCALHOST, first + ROW - 1)).ok()?;
            (first..first + ROW - 1).all(free).then_some((first, claim))
        })
        .expect("ten free ports in a row")
}
