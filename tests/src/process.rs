//! A running service process.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use crate::Installation;

/// One of the three services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Takes applications in.
    Intake,
    /// Holds the CA keys.
    Issuer,
    /// Keeps the inventory and publishes.
    Lifecycle,
}

impl Service {
    /// Every service, callees first.
    pub const ALL: [Self; 3] = [Self::Issuer, Self::Lifecycle, Self::Intake];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Issuer => "issuer",
            Self::Lifecycle => "lifecycle",
        }
    }
}

/// A process; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
    admin_ports: Vec<u16>,
}

impl Process {
    /// Starts all services, or one.
    ///
    /// # Panics
    /// If the process cannot be started at all.
    #[must_use]
    pub fn start(installation: &Installation, only: Option<Service>) -> Self {
        let log = installation
            .scratch()
            .join(format!("{}.log", only.map_or("all", Service::name)));
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("the log's file");
        let mut command = installation.command();
        command
            .arg("serve")
            .arg("--config")
            .arg(installation.configuration());
        command
            .arg("--passphrase-file")
            .arg(installation.passphrase());
        if let Some(service) = only {
            command.args(["--only", service.name()]);
        }
        let services = only.map_or(Service::ALL.to_vec(), |s| vec![s]);
        let admin_ports = services
            .into_iter()
            .map(|s| installation.admin_port(s))
            .collect();
        let output = file.try_clone().expect("the log's file");
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(file)
            .spawn()
            .expect("the process");
        Self {
            child,
            log,
            admin_ports,
        }
    }

    /// Waits until every service in it says that it is ready.
    ///
    /// # Panics
    /// If the process ends, or is not ready within a minute.
    pub fn wait_until_ready(&self) {
        for _ in 0..1200 {
            if self.admin_ports.iter().all(|port| is_ready(*port)) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("not ready within a minute:\n{}", self.log());
    }

    /// What the process has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end with SIGTERM, and waits.
    ///
    /// # Panics
    /// If it cannot be waited for.
    pub fn terminate(mut self) -> ExitStatus {
        // The shell's own kill sends the signal; there is none in the standard library.
        let id = self.id().to_string();
        let sent = std::process::Command::new("sh")
            .args(["-c", &format!("kill -TERM {id}")])
            .status();
        assert!(sent.is_ok_and(|s| s.success()), "the signal was not sent");
        self.child.wait().expect("the process's end")
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_ready(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}
