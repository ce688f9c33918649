//! Restore that cannot forget: a backup taken while everything runs is put back after more was issued and
//! revoked; the services refuse, the gap is listed, it is healed from what was published, and nothing that
//! anybody was told is gone.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected ends")]

mod answered;
mod witnessed;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use lgpki_domain::{CrlNumber, Serial};
use lgpki_ledger::{Checkpoint, OsDisk, SignedNote, Snapshot};
use lgpki_proto::v1::{
    self, ApplicationState, CertificateState, application_service_client::ApplicationServiceClient,
    certificate_service_client::CertificateServiceClient,
    examination_service_client::ExaminationServiceClient,
};
use lgpki_tests::{
    Installation, Options, Process, Service,
    books::{self, Books, Told},
    get, json,
    load::{self, Load, Notes},
    request, run,
};
use lgpki_x509::crl::RevocationList;
use serde_json::Value;

const UNDER_TEST: &str = env!("CARGO_BIN_EXE_lgpki-under-test");
const BRANCHES: [&str; 2] = ["01001", "13001"];
/// The host of an application with its examiner's name.
const NAMED: &str = "named.synthetic.lg.jp";

fn installation() -> Installation {
    let options = Options {
        login_form: "data",
        branches: &BRANCHES,
        configuration: &[(
            "web-server = { mode = \"manual\" }",
            "web-server = { mode = \"automatic\" }",
        )],
        ..Options::default()
    };
    Installation::new(UNDER_TEST, &options)
}

/// Runs a command with `--json` and gives what it printed.
fn command(installation: &Installation, args: &[&str]) -> Result<Value, String> {
    let mut command = installation.command();
    command.arg("--json").args(args);
    run(&mut command).map(|text| json(&text))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Loads until so many applications and revocations were acknowledged.
async fn loaded(load: &Load, issues: usize, revocations: usize) -> Notes {
    loop {
        let notes = load.notes();
        if notes.issues.len() >= issues && notes.revocations.len() >= revocations {
            return notes;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until applications stand in this state.
async fn until(
    installation: &Installation,
    ids: impl Iterator<Item = &String>,
    state: ApplicationState,
) {
    let mut client = ApplicationServiceClient::new(installation.logged_in("auditor-1"));
    for id in ids {
        for turn in 0.. {
            let request = v1::GetApplicationRequest {
                id: id.clone(),
                ..v1::GetApplicationRequest::default()
            };
            let found = client.get_application(request).await;
            let found = found.map(|answer| answer.into_inner().application.unwrap());
            if found.as_ref().is_ok_and(|found| found.state() == state) {
                break;
            }
            assert!(turn < 1200, "{id}: {found:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Everything that was told stands: applications, certificates, revocations at status and on the CRL.
async fn everything_stands(installation: &Installation, notes: &Notes) {
    until(installation, notes.issues.keys(), ApplicationState::Issued).await;
    until(
        installation,
        notes.revocations.keys(),
        ApplicationState::Completed,
    )
    .await;
    let mut certificates = CertificateServiceClient::new(installation.logged_in("auditor-1"));
    for serial in notes.revocations.values() {
        let request = v1::GetCertificateRequest {
            serial: serial.clone(),
        };
        let answer = certificates.get_certificate(request).await.unwrap();
        let certificate = answer.into_inner().certificate.unwrap();
        assert_eq!(certificate.state(), CertificateState::Revoked, "{serial}");
    }
    let mut operator = ExaminationServiceClient::new(installation.logged_in("operator-1"));
    let published = operator.publish_crl_now(v1::PublishCrlNowRequest::default());
    published.await.unwrap();
    let list = crl(installation);
    for serial in notes.revocations.values() {
        let serial: Serial = serial.parse().unwrap();
        assert!(list.find(serial).is_some(), "{serial} is not on the CRL");
    }
}

fn crl(installation: &Installation) -> RevocationList {
    let answer = get(installation.publication_port(), "/crl/application-1.crl").unwrap();
    assert_eq!(answer.status, 200);
    RevocationList::parse(&answer.body).unwrap()
}

/// Applies with the name of the examiner, which stands in no log; gives the application's number.
async fn with_a_name(installation: &Installation) -> String {
    let mut request = request::issue(BRANCHES[0], load::web_server(BRANCHES[0], NAMED));
    if let Some(examination) = &mut request.examination {
        "模擬太郎".clone_into(&mut examination.examiner_name);
    }
    let officer = installation.logged_in("branch-officer-01001");
    let mut client = ApplicationServiceClient::new(officer);
    let answer = client.submit_application(request).await;
    answer.unwrap().into_inner().application.unwrap().id
}

/// Whether everything durable is published.
fn is_published(installation: &Installation, service: Service) -> bool {
    let identity = installation.log_identity(service);
    let data = installation.data(service);
    let Ok(Some(snapshot)) = Snapshot::take(&data, &OsDisk, &identity) else {
        return false;
    };
    let reader = snapshot.reader();
    reader.logs().into_iter().all(|log| {
        let path = data.join("audit").join(log.to_string()).join("checkpoint");
        let note = fs::read_to_string(path).ok();
        let note = note.and_then(|note| SignedNote::parse(&note).ok());
        let head = note.and_then(|note| Checkpoint::parse(note.text()).ok());
        head.map(|head| head.size) == reader.head(log).unwrap().map(|head| head.size)
    })
}

async fn all_published(installation: &Installation) {
    for turn in 0.. {
        if Service::ALL
            .into_iter()
            .all(|service| is_published(installation, service))
        {
            return;
        }
        assert!(turn < 1200, "the logs are not published");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// What an auditor fetched: the published logs of all services.
fn fetch(data: &Path, to: &Path) {
    for service in Service::ALL.map(Service::name) {
        copy_all(&data.join(service).join("audit"), &to.join(service));
    }
}

fn verifier_keys(installation: &Installation, ca: &Path) -> PathBuf {
    let keys = Service::ALL.map(|service| {
        fs::read_to_string(ca.join(format!("audit-keys/{}.vkey", service.name()))).unwrap()
    });
    let path = installation.scratch().join("vkeys.txt");
    fs::write(&path, keys.concat()).unwrap();
    path
}

fn refused(installation: &Installation, only: Option<Service>) -> String {
    let mut process = Process::start(installation, only);
    let status = process.wait_until_ended();
    assert!(!status.success(), "ended with {status}");
    process.log()
}

/// Restores into the place of the installation what its lost disk held at the time of the backup.
fn restore(installation: &Installation, backup: &Path, lost: &Path) {
    fs::rename(installation.ca(), lost).unwrap();
    let ca = installation.ca();
    let args = ["restore", text(backup), "--into", text(&ca)];
    let restored = command(installation, &args).unwrap();
    assert_eq!(restored["services"].as_array().unwrap().len(), 3);
    // What no backup holds.
    for place in ["secrets", "offices"] {
        copy_all(&lost.join(place), &installation.ca().join(place));
    }
}

/// An installation that was backed up, went on, and lost its disk; and what an auditor had fetched.
struct Case {
    installation: Installation,
    config: PathBuf,
    backup: PathBuf,
    mirror: PathBuf,
    keys: PathBuf,
    seen: PathBuf,
    /// What was told until the backup was made.
    before: Notes,
    /// What was told until the end.
    notes: Notes,
    /// The number of the last CRL.
    number: CrlNumber,
}

impl Case {
    async fn lived() -> Self {
        let installation = installation();
        let scratch = installation.scratch().to_owned();
        let config = installation.configuration();
        let backup = scratch.join("backup");
        let mut process = installation.serve();
        let load = Load::start(&installation, &BRANCHES, 2);
        loaded(&load, 12, 2).await;
        // While all of it goes on.
        let args = ["backup", "--config", text(&config), "--out", text(&backup)];
        let made = command(&installation, &args).unwrap();
        let entries = made["manifest"]["services"]["issuer"]["entries"].as_u64();
        assert!(entries.unwrap() > 0, "{made}");
        command(&installation, &["backup", "verify", text(&backup)]).unwrap();
        // Whatever is told from now on is in no copy but the published one.
        let before = load.notes();
        let more = (before.issues.len() + 12, before.revocations.len() + 2);
        loaded(&load, more.0, more.1).await;
        let mut notes = load.stop().await;
        assert!(notes.surprises.is_empty(), "{:?}", notes.surprises);
        let named = with_a_name(&installation).await;
        notes.issues.insert(named, NAMED.to_owned());
        everything_stands(&installation, &notes).await;
        let number = crl(&installation).summary().number;
        all_published(&installation).await;
        process.kill();
        let mirror = scratch.join("mirror");
        fetch(&installation.ca().join("data"), &mirror);
        let case = Self {
            keys: verifier_keys(&installation, &installation.ca()),
            seen: scratch.join("seen"),
            installation,
            config,
            backup,
            mirror,
            before,
            notes,
            number,
        };
        case.verify(&case.mirror, "--remember").unwrap();
        case
    }

    fn verify(&self, logs: &Path, how: &str) -> Result<Value, String> {
        let (logs, keys, seen) = (text(logs), text(&self.keys), text(&self.seen));
        let args = ["audit", "verify", logs, "--key", keys, how, seen];
        command(&self.installation, &args)
    }

    /// Runs `restore heal` or `restore unseal` with a copy.
    fn with_copy(&self, what: &str, mirror: &Path, more: &[&str]) -> Result<Value, String> {
        let config = text(&self.config);
        let args = [
            "restore",
            what,
            "--config",
            config,
            "--mirror",
            text(mirror),
        ];
        command(&self.installation, &[&args[..], more].concat())
    }

    fn nothing_runs(&self) {
        let log = refused(&self.installation, None);
        for service in Service::ALL {
            let sealed = format!("{} is sealed", service.name());
            assert!(log.contains(&sealed), "{log}");
        }
        assert!(log.contains("restore heal"), "{log}");
        let (config, passphrase) = (text(&self.config), self.installation.passphrase());
        let args = ["ceremony", "login", "--config", config, "--passphrase-file"];
        let more = [text(&passphrase), "--branch", "02001"];
        let told = command(&self.installation, &[&args[..], &more].concat()).unwrap_err();
        assert!(told.contains("is sealed"), "{told}");
    }

    fn the_gap_is_listed(&self) {
        let listed = self
            .with_copy("heal", &self.mirror, &["--list"])
            .unwrap_err();
        let known = &self.before.revocations;
        let all = self.notes.revocations.iter();
        let fresh = all.filter(|(id, _)| !known.contains_key(*id));
        let fresh: BTreeSet<_> = fresh.map(|(_, serial)| serial).collect();
        assert!(fresh.len() >= 2);
        for serial in fresh {
            assert!(listed.contains(serial), "{serial} is not listed");
        }
    }

    /// With a copy at hand nobody goes on at a loss.
    fn nobody_goes_on_without(&self) {
        let told = self.with_copy("unseal", &self.mirror, &[]).unwrap_err();
        assert!(told.contains("stays as it is"), "{told}");
        let confirmed = ["--only", "issuer", "--accept-loss", "--confirm", "issuer@1"];
        let told = self
            .with_copy("unseal", &self.mirror, &confirmed)
            .unwrap_err();
        assert!(told.contains("what was published is not lost"), "{told}");
    }

    /// Heals; gives how many services were unsealed, and how many names stay unknown.
    fn healed(&self, mirror: &Path) -> (usize, u64) {
        let healed = self.with_copy("heal", mirror, &[]).unwrap();
        let unsealed = healed["unsealed"].as_array().unwrap();
        assert_eq!(unsealed.len(), 3, "{healed}");
        let changed = unsealed.iter().filter(|one| one["changed"] == true);
        (changed.count(), healed["names_lost"].as_u64().unwrap())
    }

    async fn goes_on(&self) {
        let process = self.installation.serve();
        everything_stands(&self.installation, &self.notes).await;
        assert!(crl(&self.installation).summary().number > self.number);
        assert!(process.terminate().success());
    }

    fn the_books_are_whole(&self) {
        let notes = &self.notes;
        let applications = notes.issues.keys().chain(notes.revocations.keys());
        let told = Told {
            applications: applications.cloned().collect(),
            revoked: notes.revocations.values().cloned().collect(),
        };
        let faults = Books::read(&self.installation).faults(&told);
        assert_eq!(faults, Vec::<String>::new());
        for service in Service::ALL {
            let log = books::read_log(&self.installation, service);
            assert_eq!(books::of(&log, "log.restored").count(), 1, "{service:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_stale_backup_everything_that_was_told_is_there_again() {
    let case = Case::lived().await;
    let scratch = case.installation.scratch();
    restore(&case.installation, &case.backup, &scratch.join("lost"));
    case.nothing_runs();
    case.the_gap_is_listed();
    case.nobody_goes_on_without();
    case.nothing_runs();
    // The name was nowhere but in the openings; the application is there all the same.
    assert_eq!(case.healed(&case.mirror), (3, 1));
    case.goes_on().await;
    case.the_books_are_whole();
    // The auditor who saw the logs before finds them continued, and nothing wrong with them.
    let after = scratch.join("after");
    fetch(&case.installation.ca().join("data"), &after);
    case.verify(&after, "--against").unwrap();

    // A data directory set back by hand, as by a machine's snapshot: told, and healed from its own tiles.
    let data = case.installation.data(Service::Lifecycle);
    fs::remove_dir_all(data.join("log")).unwrap();
    copy_all(&case.backup.join("lifecycle/log"), &data.join("log"));
    let log = refused(&case.installation, Some(Service::Lifecycle));
    assert!(log.contains("was set back"), "{log}");
    let advice = format!("restore heal --mirror {}/audit", data.display());
    assert!(log.contains(&advice), "{log}");
    assert_eq!(case.healed(&data.join("audit")), (1, 0));
    case.goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_copy_a_loss_must_be_confirmed_and_crl_numbers_are_skipped() {
    let installation = installation();
    let config = installation.configuration();
    let backup = installation.scratch().join("backup");
    let process = installation.serve();
    assert!(process.terminate().success());
    let args = ["backup", "--config", text(&config), "--out", text(&backup)];
    command(&installation, &args).unwrap();
    let twice = command(&installation, &args).unwrap_err();
    assert!(twice.contains("is not empty"), "{twice}");
    // A byte of it changed.
    let segment = backup.join("issuer/log/segment-00000000000000000000.log");
    let whole = fs::read(&segment).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    fs::write(&segment, damaged).unwrap();
    let told = command(&installation, &["backup", "verify", text(&backup)]).unwrap_err();
    assert!(told.contains("issuer/log/segment-"), "{told}");
    let ca = installation.ca();
    let into = ["restore", text(&backup), "--into", text(&ca)];
    assert!(
        command(&installation, &into)
            .unwrap_err()
            .contains("is damaged")
    );
    fs::write(&segment, whole).unwrap();
    // What is there is never written over.
    let told = command(&installation, &into).unwrap_err();
    assert!(told.contains("is not empty"), "{told}");

    restore(&installation, &backup, &installation.scratch().join("lost"));
    let unseal = ["restore", "unseal", "--config", text(&config)];
    let of = |service: &'static str| [&unseal[..], &["--only", service, "--accept-loss"]].concat();
    // Nobody knows what is missing.
    let told = command(&installation, &unseal).unwrap_err();
    assert!(told.contains("no copy of what it published"), "{told}");
    for service in Service::ALL.map(Service::name) {
        let told = command(&installation, &of(service)).unwrap_err();
        let (_, rest) = told.split_once("--confirm ").unwrap();
        let is_token = |c: &char| c.is_ascii_alphanumeric() || *c == '@';
        let token: String = rest.chars().take_while(is_token).collect();
        assert!(token.starts_with(&format!("{service}@")), "{told}");
        let wrong = [&of(service)[..], &["--confirm", "issuer@1"]].concat();
        command(&installation, &wrong).unwrap_err();
        let right = [&of(service)[..], &["--confirm", &token]].concat();
        let done = command(&installation, &right).unwrap();
        assert_eq!(done["unsealed"][0]["accepts_loss"], true, "{done}");
    }
    let process = installation.serve();
    let mut operator = ExaminationServiceClient::new(installation.logged_in("operator-1"));
    let published = operator.publish_crl_now(v1::PublishCrlNowRequest::default());
    published.await.unwrap();
    let number = crl(&installation).summary().number.0;
    assert!(number > 1_000_000, "{number}");
    assert!(process.terminate().success());
}
