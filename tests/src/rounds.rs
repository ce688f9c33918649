//! Rounds of `kill -9` at random moments under load, and what must hold after each and in the end.
//!
//! First one process with all services is killed and started again, then each service alone while the
//! others run on. Then everything is looked at as callers see it, the services are stopped, and the
//! books are audited; then the indexes are deleted, then damaged, and everything is looked at again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    os::unix::fs::FileExt,
    thread,
    time::Duration,
};

use lgpki_domain::Serial;
use lgpki_proto::v1::{
    self, ApplicationState, application_service_client::ApplicationServiceClient,
    examination_service_client::ExaminationServiceClient,
};
use lgpki_testkit::SeededRandom;
use lgpki_x509::crl::RevocationList;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::{
    Installation, Options, Process, Service,
    books::{Books, Told},
    get,
    heads::Heads,
    load::{Load, Notes},
};

const BRANCHES: [&str; 2] = ["01001", "13001"];
/// The longest time after readiness until the blow falls, in milliseconds.
const LONGEST_LIFE: u64 = 500;
/// After one blow of so many another one falls while the process is still starting.
const EARLY_OF: u64 = 4;
/// The longest time after the start until an early blow falls, in milliseconds.
const EARLY_LIFE: u64 = 600;

/// Applications looked at in parallel.
const AT_ONCE: usize = 8;

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How often the process with all services is killed.
    pub together: u32,
    /// How often one service alone is killed.
    pub alone: u32,
    /// Which random moments.
    pub seed: u64,
}

/// What happened.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Kills of the process with all services.
    pub together: u32,
    /// Kills of one service, by its name.
    pub alone: BTreeMap<&'static str, u32>,
    /// Kills during a start.
    pub early: u32,
    /// Calls made.
    pub tries: u64,
    /// Acknowledged applications for certificates.
    pub issues: usize,
    /// Acknowledged revocations.
    pub revocations: usize,
    /// Intents that a crash left open, each closed and its serial number listed as revoked.
    pub abandoned: usize,
    /// Entries in the three logs.
    pub entries: usize,
    /// Numbers of the last CRLs.
    pub crl_numbers: BTreeMap<String, u64>,
    /// Published heads that were seen, each after a kill or at an end.
    pub heads: String,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "kill -9: {} of all services, {:?} alone; {} of them during a start",
            self.together, self.alone, self.early
        )?;
        writeln!(f, "calls: {}", self.tries)?;
        writeln!(
            f,
            "acknowledged: {} applications for certificates, {} revocations; none lost, none twice",
            self.issues, self.revocations
        )?;
        writeln!(f, "intents closed after a crash: {}", self.abandoned)?;
        writeln!(f, "CRL numbers: {:?}, never back", self.crl_numbers)?;
        writeln!(
            f,
            "published: {}; none signed twice, every later log extends each",
            self.heads
        )?;
        write!(
            f,
            "log entries: {}; indexes rebuilt from them twice",
            self.entries
        )
    }
}

/// Carries the plan out with `program`, the command under test, telling each step.
///
/// # Panics
/// If anything does not hold; the message says what.
pub fn run(program: &str, plan: Plan, tell: &mut dyn FnMut(String)) -> Summary {
    let options = Options {
        login_form: "data",
        branches: &BRANCHES,
        configuration: &[
            (
                "web-server = { mode = \"manual\" }",
                "web-server = { mode = \"automatic\" }",
            ),
            // What the states count must be what the logs hold, whoever was killed when.
            ("heartbeat_minutes = 1440 ", "heartbeat_minutes = 1 "),
        ],
        ..Options::default()
    };
    let mut ring = Ring {
        installation: Installation::new(program, &options),
        random: SeededRandom::new(plan.seed),
        summary: Summary::default(),
        checked: BTreeSet::new(),
        notes: Notes::default(),
        heads: Heads::default(),
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        ring.together(plan.together, tell).await;
        ring.alone(plan.alone, tell).await;
        for damage in [Damage::Deleted, Damage::Overwritten] {
            tell(format!("the indexes are {damage:?}"));
            ring.without_indexes(damage).await;
        }
    });
    ring.summary
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Deleted,
    Overwritten,
}

struct Ring {
    installation: Installation,
    random: SeededRandom,
    summary: Summary,
    /// Applications that were seen after a later start.
    checked: BTreeSet<String>,
    /// What was told in earlier phases.
    notes: Notes,
    /// What was published so far.
    heads: Heads,
}

impl Ring {
    async fn together(&mut self, rounds: u32, tell: &mut dyn FnMut(String)) {
        let load = Load::start(&self.installation, &BRANCHES, 2);
        let mut process = self.installation.serve();
        while self.summary.together < rounds {
            self.summary.together += self.blows(&mut process, None);
            process.wait_until_ready();
            self.look(&load).await;
            tell(format!("killed all: {} of {rounds}", self.summary.together));
        }
        self.end(load, vec![process]).await;
    }

    async fn alone(&mut self, rounds: u32, tell: &mut dyn FnMut(String)) {
        let load = Load::start(&self.installation, &BRANCHES, 2);
        let mut processes: Vec<_> = Service::ALL
            .into_iter()
            .map(|service| (service, self.installation.serve_only(service)))
            .collect();
        for (_, process) in &mut processes {
            process.wait_until_ready();
        }
        let mut done = 0;
        while done < rounds {
            // Each in its turn, so that a few rounds reach all of them.
            let (service, process) = &mut processes[done as usize % 3];
            let service = *service;
            let blows = self.blows(process, Some(service));
            *self.summary.alone.entry(service.name()).or_default() += blows;
            done += 1;
            // It is not ready without the others.
            for (_, process) in &mut processes {
                process.wait_until_ready();
            }
            self.look(&load).await;
            tell(format!("killed {}: {done} of {rounds}", service.name()));
        }
        let processes = processes.into_iter().map(|(_, process)| process).collect();
        self.end(load, processes).await;
    }

    /// Kills a process after a random time and starts it again; sometimes kills it once more while it
    /// is still starting. Returns how often.
    fn blows(&mut self, process: &mut Process, only: Option<Service>) -> u32 {
        let killed = only.map_or(Service::ALL.to_vec(), |one| vec![one]);
        let mut blow = |longest| {
            // The moment of the blow; nothing waits for it.
            thread::sleep(Duration::from_millis(self.random.below(longest)));
            process.kill();
            self.heads.look(&self.installation, &killed);
            *process = Process::start(&self.installation, only);
        };
        blow(LONGEST_LIFE);
        if self.random.below(EARLY_OF) > 0 {
            return 1;
        }
        blow(EARLY_LIFE);
        self.summary.early += 1;
        2
    }

    /// After a restart: what was acknowledged is there, and no CRL number has gone back.
    async fn look(&mut self, load: &Load) {
        let notes = load.notes();
        assert!(notes.surprises.is_empty(), "{:#?}", notes.surprises);
        let new: Vec<_> = notes
            .issues
            .keys()
            .chain(notes.revocations.keys())
            .filter(|id| !self.checked.contains(*id))
            .cloned()
            .collect();
        let mut looks = JoinSet::new();
        let channel = self.installation.logged_in("auditor-1");
        for part in new.chunks(new.len().div_ceil(AT_ONCE).max(1)) {
            let (part, channel) = (part.to_vec(), channel.clone());
            looks.spawn(async move {
                let mut auditor = ApplicationServiceClient::new(channel);
                for id in &part {
                    application(&mut auditor, id).await;
                }
            });
        }
        while let Some(looked) = looks.join_next().await {
            looked.expect("everything that was acknowledged");
        }
        self.checked.extend(new);
        self.crls();
        self.heads.look(&self.installation, &Service::ALL);
    }

    /// The published CRLs by CA; their numbers never go back.
    fn crls(&mut self) -> BTreeMap<String, RevocationList> {
        let mut lists = BTreeMap::new();
        for authority in ["organization", "application"] {
            let path = format!("/crl/{authority}-1.crl");
            let answer = get(self.installation.publication_port(), &path);
            // Lifecycle may not listen at this moment, or publish its first CRL in the next.
            let Some(answer) = answer.ok().filter(|answer| answer.status == 200) else {
                continue;
            };
            let list = RevocationList::parse(&answer.body).expect("a CRL");
            let number = list.summary().number.0;
            let before = self
                .summary
                .crl_numbers
                .insert(authority.to_owned(), number);
            assert!(
                before.is_none_or(|before| before <= number),
                "CRL {number} of {authority} after {before:?}"
            );
            lists.insert(authority.to_owned(), list);
        }
        lists
    }

    fn auditor(&self) -> ApplicationServiceClient<Channel> {
        ApplicationServiceClient::new(self.installation.logged_in("auditor-1"))
    }

    /// Lets everything come to its end, looks at it as callers do, stops, and audits the books.
    async fn end(&mut self, load: Load, mut processes: Vec<Process>) {
        for process in &mut processes {
            process.wait_until_ready();
        }
        self.summary.tries += load.tries();
        let notes = load.stop().await;
        assert!(notes.surprises.is_empty(), "{:#?}", notes.surprises);
        self.notes.issues.extend(notes.issues);
        self.notes.revocations.extend(notes.revocations);
        self.summary.issues = self.notes.issues.len();
        self.summary.revocations = self.notes.revocations.len();
        self.everything_stands().await;
        for process in processes.into_iter().rev() {
            let status = process.terminate();
            assert!(status.success(), "ended with {status}");
        }
        self.audit();
    }

    async fn everything_stands(&mut self) {
        let mut auditor = self.auditor();
        let issued = [ApplicationState::Issued];
        for id in self.notes.issues.keys() {
            until(&mut auditor, id, &issued).await;
        }
        for id in self.notes.revocations.keys() {
            until(&mut auditor, id, &[ApplicationState::Completed]).await;
        }
        let mut operator = ExaminationServiceClient::new(self.installation.logged_in("operator-1"));
        let published = operator.publish_crl_now(v1::PublishCrlNowRequest::default());
        published.await.expect("new CRLs");
        let lists = self.crls();
        let list = &lists["application"];
        for serial in self.notes.revocations.values() {
            let serial: Serial = serial.parse().expect("a serial number");
            assert!(list.find(serial).is_some(), "{serial} is not on the CRL");
        }
    }

    fn audit(&mut self) {
        let books = Books::read(&self.installation);
        let ids = self
            .notes
            .issues
            .keys()
            .chain(self.notes.revocations.keys());
        let told = Told {
            applications: ids.cloned().collect(),
            revoked: self.notes.revocations.values().cloned().collect(),
        };
        let faults = books.faults(&told);
        assert!(faults.is_empty(), "{faults:#?}");
        self.heads.look(&self.installation, &Service::ALL);
        self.heads.verify(&self.installation);
        self.summary.heads = self.heads.to_string();
        self.summary.entries = books.intake.len() + books.issuer.len() + books.lifecycle.len();
        self.summary.abandoned = crate::books::of(&books.issuer, "certificate.abandoned").count();
    }

    /// Starts without the indexes; everything is there again, rebuilt from the logs.
    async fn without_indexes(&mut self, damage: Damage) {
        for service in Service::ALL {
            let index = self.installation.data(service).join("index");
            match damage {
                Damage::Deleted => fs::remove_dir_all(&index).expect("no index"),
                Damage::Overwritten => overwrite(&index.join("db"), &self.random),
            }
        }
        let process = self.installation.serve();
        let log = process.log();
        assert!(log.contains("rebuilt"), "{log}");
        self.everything_stands().await;
        assert!(process.terminate().success());
        self.audit();
    }
}

/// Writes noise over most of a file.
fn overwrite(path: &std::path::Path, random: &SeededRandom) {
    let file = fs::File::options().write(true).open(path).expect("a file");
    let size = file.metadata().expect("its size").len();
    for offset in (0..size).step_by(64) {
        let noise = random.next_u64().to_le_bytes();
        file.write_all_at(&noise, offset).expect("noise");
    }
}

/// The application, which must be there.
async fn application(client: &mut ApplicationServiceClient<Channel>, id: &str) -> v1::Application {
    let mut refusal = None;
    // Intake, or the standings it needs to let anybody in, may be away for a moment.
    for _ in 0..600 {
        let request = v1::GetApplicationRequest {
            id: id.to_owned(),
            ..v1::GetApplicationRequest::default()
        };
        match client.get_application(request).await {
            Ok(answer) => return answer.into_inner().application.unwrap_or_default(),
            Err(status) if status.code() == tonic::Code::NotFound => {
                panic!("the acknowledged application {id} is lost")
            }
            Err(status) => refusal = Some(status),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("application {id} cannot be read: {refusal:?}")
}

/// Waits until the application stands in one of these states.
async fn until(
    client: &mut ApplicationServiceClient<Channel>,
    id: &str,
    states: &[ApplicationState],
) {
    let mut last = v1::Application::default();
    for _ in 0..1200 {
        last = application(client, id).await;
        if states.contains(&last.state()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("application {id} came to no end: {last:#?}")
}
