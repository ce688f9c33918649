//! A running service process.

use std::{
    fs::{self, File},
    io::Write as _,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use crate::{Installation, get};

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
    /// Where in the log's file this process began.
    log_start: u64,
    admin_ports: Vec<u16>,
}

impl Process {
    /// Starts all services, or one.
    #[must_use]
    pub fn start(installation: &Installation, only: Option<Service>) -> Self {
        Self::spawn(installation, installation.serve_command(only), only)
    }

    /// Starts `command`, which ends up being `serve` of all services or of one.
    ///
    /// # Panics
    /// If the process cannot be started at all.
    #[must_use]
    pub fn spawn(installation: &Installation, mut command: Command, only: Option<Service>) -> Self {
        let log = installation
            .scratch()
            .join(format!("{}.log", only.map_or("all", Service::name)));
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("the log's file");
        let log_start = file.metadata().expect("the log's file").len();
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
            log_start,
            admin_ports,
        }
    }

    /// Waits until every service in it says that it is ready.
    ///
    /// # Panics
    /// If the process ends, or is not ready within a minute.
    pub fn wait_until_ready(&mut self) {
        let ready = self.becomes_ready();
        assert!(ready, "ended before it was ready:\n{}", self.log());
    }

    /// Waits until every service in it says that it is ready, or the process has ended; returns whether it
    /// is ready.
    ///
    /// # Panics
    /// If neither happens within a minute.
    pub fn becomes_ready(&mut self) -> bool {
        for _ in 0..1200 {
            if self.admin_ports.iter().all(|port| is_ready(*port)) {
                return true;
            }
            if self.ended().is_some() {
                return false;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("not ready within a minute:\n{}", self.log());
    }

    /// What the process has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let start = usize::try_from(self.log_start).unwrap_or(0);
        String::from_utf8_lossy(text.get(start..).unwrap_or_default()).into_owned()
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
    #[must_use]
    pub fn terminate(mut self) -> ExitStatus {
        // The shell's own kill sends the signal; there is none in the standard library.
        let id = self.id().to_string();
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -TERM {id}")])
            .status();
        assert!(sent.is_ok_and(|s| s.success()), "the signal was not sent");
        self.child.wait().expect("the process's end")
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// If it runs on for a minute.
    pub fn wait_until_ended(&mut self) -> ExitStatus {
        for _ in 0..1200 {
            if let Some(status) = self.ended() {
                return status;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("still running after a minute:\n{}", self.log());
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            // What it said last may be why.
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(40)..].join("\n");
            let _ = writeln!(std::io::stderr(), "{}:\n{last}", self.log.display());
        }
        self.kill();
    }
}

fn is_ready(port: u16) -> bool {
    get(port, "/readyz").is_ok_and(|answer| answer.status == 200)
}
