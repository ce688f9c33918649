//! Disks that tear, rot and fill up: what the log cannot vouch for is refused with a clear message,
//! and what was acknowledged is never lost.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected ends")]

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use lgpki_proto::v1::{self, application_service_client::ApplicationServiceClient};
use lgpki_testkit::tool::skipped;
use lgpki_tests::{
    Installation, Options, Process, Service,
    books::{self, Books, Told},
    load, request, run,
};
use tonic::{Code, transport::Channel};

const UNDER_TEST: &str = env!("CARGO_BIN_EXE_lgpki-under-test");
const BRANCH: &str = "01001";

fn installation() -> Installation {
    let options = Options {
        login_form: "data",
        branches: &[BRANCH],
        ..Options::default()
    };
    Installation::new(UNDER_TEST, &options)
}

fn officer(installation: &Installation) -> ApplicationServiceClient<Channel> {
    ApplicationServiceClient::new(installation.logged_in("branch-officer-01001"))
}

/// Submits applications that wait for examination; gives the numbers of those acknowledged. Ends with
/// the first that is not.
async fn apply(installation: &Installation, prefix: &str, most: usize) -> BTreeSet<String> {
    let mut client = officer(installation);
    let mut acknowledged = BTreeSet::new();
    for n in 0..most {
        let content = load::web_server(BRANCH, &format!("{prefix}{n}.synthetic.lg.jp"));
        let call = client.submit_application(request::issue(BRANCH, content));
        match tokio::time::timeout(Duration::from_mins(1), call)
            .await
            .unwrap()
        {
            Ok(answer) => acknowledged.insert(answer.into_inner().application.unwrap().id),
            Err(status) => {
                let away = [
                    Code::Unavailable,
                    Code::Unknown,
                    Code::Cancelled,
                    Code::Internal,
                ];
                assert!(away.contains(&status.code()), "{status}");
                break;
            }
        };
    }
    acknowledged
}

/// Fails unless every application is there.
async fn all_there(installation: &Installation, ids: &BTreeSet<String>) {
    let mut client = officer(installation);
    for id in ids {
        let request = v1::GetApplicationRequest {
            id: id.clone(),
            ..v1::GetApplicationRequest::default()
        };
        let found = client.get_application(request).await;
        assert_eq!(&found.unwrap().into_inner().application.unwrap().id, id);
    }
}

/// The last file of a service's log.
fn segment(installation: &Installation, service: Service) -> PathBuf {
    let files = fs::read_dir(installation.data(service).join("log")).unwrap();
    let segments = files.map(|file| file.unwrap().path());
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|e| e == "log");
    segments.filter(is_segment).max().unwrap()
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

fn truncate(path: &Path, length: u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(length).unwrap();
}

/// Starts `serve`, which must refuse to, and gives what it said.
fn refused_to_start(installation: &Installation, only: Option<Service>) -> String {
    let mut process = Process::start(installation, only);
    let status = process.wait_until_ended();
    assert!(!status.success(), "ended with {status}");
    process.log()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_a_crash_cut_short_is_cut_off_and_nothing_acknowledged_is_lost() {
    let installation = installation();
    let mut process = installation.serve();
    let acknowledged = apply(&installation, "before", 5).await;
    process.kill();
    // The first half of a frame: a copy of the beginning of the log's own.
    for service in Service::ALL {
        let path = segment(&installation, service);
        let whole = fs::read(&path).unwrap();
        let half = &whole[whole.len() / 2..whole.len() / 2 + 100];
        let file = File::options().write(true).open(&path).unwrap();
        file.write_all_at(half, length(&path)).unwrap();
    }
    let process = installation.serve();
    let log = process.log();
    let told = log
        .matches("the log ended in the middle of a write")
        .count();
    assert_eq!(told, 3, "{log}");
    assert!(log.contains("torn_bytes=100"), "{log}");
    all_there(&installation, &acknowledged).await;
    let more = apply(&installation, "after", 3).await;
    assert_eq!(more.len(), 3);
    assert!(process.terminate().success());
    let told = Told {
        applications: acknowledged.union(&more).cloned().collect(),
        ..Told::default()
    };
    assert_eq!(
        Books::read(&installation).faults(&told),
        Vec::<String>::new()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_frame_that_is_not_whole_is_cut_and_the_rest_is_served() {
    let installation = installation();
    let mut process = installation.serve();
    let acknowledged = apply(&installation, "kept", 4).await;
    // What follows is taken away again: nobody can tell it from a write that was never answered.
    let path = segment(&installation, Service::Intake);
    let kept = length(&path);
    let lost = apply(&installation, "lost", 1).await;
    process.kill();
    assert!(length(&path) > kept);
    truncate(&path, length(&path) - 5);
    let process = installation.serve();
    let log = process.log();
    assert!(
        log.contains("the log ended in the middle of a write"),
        "{log}"
    );
    assert_eq!(length(&path), kept);
    all_there(&installation, &acknowledged).await;
    let request = v1::GetApplicationRequest {
        id: lost.first().unwrap().clone(),
        ..v1::GetApplicationRequest::default()
    };
    let gone = officer(&installation).get_application(request).await;
    assert_eq!(gone.unwrap_err().code(), Code::NotFound);
    assert!(process.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_set_back_behind_what_others_saw_is_refused() {
    let installation = installation();
    let process = installation.serve();
    apply(&installation, "seen", 3).await;
    assert!(process.terminate().success());
    for service in Service::ALL {
        let path = segment(&installation, service);
        let whole = fs::read(&path).unwrap();
        truncate(&path, length(&path) - 5);
        let log = refused_to_start(&installation, Some(service));
        assert!(
            log.contains("it was set back, or restored from an old copy"),
            "{log}"
        );
        assert!(log.contains("restore the newest copy"), "{log}");
        // Nothing was done to it but the cut of the torn tail; with the copy it starts again.
        fs::write(&path, whole).unwrap();
    }
    assert!(installation.serve().terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_middle_of_a_log_is_named_and_never_repaired() {
    let installation = installation();
    let process = installation.serve();
    let acknowledged = apply(&installation, "whole", 3).await;
    assert!(process.terminate().success());
    for service in Service::ALL {
        let path = segment(&installation, service);
        let whole = fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let log = refused_to_start(&installation, Some(service));
        assert!(log.contains("is damaged at byte"), "{log}");
        assert!(log.contains(&path.display().to_string()), "{log}");
        assert!(log.contains("do not remove it: restore"), "{log}");
        assert_eq!(fs::read(&path).unwrap(), damaged, "it was touched");
        fs::write(&path, whole).unwrap();
    }
    let _services = installation.serve();
    all_there(&installation, &acknowledged).await;
}

/// A file system that is only so large; unmounted when dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// Puts what is in `dir` on a file system of `kilobytes`; none where this process may not mount.
    fn under(dir: &'a Path, kilobytes: u32) -> Option<Self> {
        let aside = dir.with_extension("aside");
        fs::rename(dir, &aside).unwrap();
        fs::create_dir(dir).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kilobytes}k"), "tmpfs"])
            .arg(dir)
            .output();
        if !mounted.is_ok_and(|done| done.status.success()) {
            fs::remove_dir(dir).unwrap();
            fs::rename(&aside, dir).unwrap();
            return None;
        }
        for file in fs::read_dir(&aside).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), dir.join(file.file_name())).unwrap();
        }
        Some(Self(dir))
    }

    fn grow(&self, kilobytes: u32) {
        let option = format!("remount,size={kilobytes}k");
        run(Command::new("mount").args(["-o", &option]).arg(self.0)).unwrap();
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // Lazily, for a process may be on its way out.
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_intake_with_a_clear_message_and_no_lost_acknowledgement() {
    let installation = installation();
    let log_dir = installation.data(Service::Intake).join("log");
    let kilobytes = u32::try_from(length(&segment(&installation, Service::Intake)) / 1024).unwrap();
    let Some(disk) = SmallDisk::under(&log_dir, kilobytes + 64) else {
        return skipped("this user may not mount a small file system");
    };
    let mut process = installation.serve();
    let acknowledged = apply(&installation, "full", 500).await;
    assert!((1..500).contains(&acknowledged.len()));
    let status = process.wait_until_ended();
    assert!(!status.success(), "ended with {status}");
    let log = process.log();
    assert!(log.contains("no space is left for"), "{log}");
    assert!(
        log.contains("free space on that file system and start the service again"),
        "{log}"
    );

    disk.grow(kilobytes + 4096);
    let process = installation.serve();
    all_there(&installation, &acknowledged).await;
    assert!(!apply(&installation, "room", 1).await.is_empty());
    assert!(process.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_on_files_stops_the_process_with_a_clear_message_and_no_lost_acknowledgement() {
    let installation = installation();
    // In blocks of 512 bytes; the signal is ignored, so that the write fails instead.
    let blocks = length(&segment(&installation, Service::Intake)).div_ceil(512) + 100;
    let serve = installation.serve_command(None);
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""))
        .arg("sh")
        .arg(serve.get_program())
        .args(serve.get_args());
    let mut process = Process::spawn(&installation, command, None);
    // The index may meet the limit before anything is acknowledged, or at the start already; then there is
    // less to lose.
    let acknowledged = if process.becomes_ready() {
        apply(&installation, "limit", 500).await
    } else {
        BTreeSet::new()
    };
    assert!(acknowledged.len() < 500);
    let status = process.wait_until_ended();
    assert!(!status.success(), "ended with {status}");
    let log = process.log();
    // Whichever file is the first that may not grow: the log or its index.
    let of_log = log.contains("cannot write")
        && log.contains("check the disk and the permissions, then start again");
    let of_index = log.contains("the index of the log cannot be written");
    assert!(of_log || of_index, "{log}");
    assert!(log.contains("File too large"), "{log}");

    let process = installation.serve();
    all_there(&installation, &acknowledged).await;
    assert!(process.terminate().success());
    let received = books::read_log(&installation, Service::Intake);
    let received: BTreeSet<_> = books::of(&received, "application.received")
        .map(|entry| entry.text("application").to_owned())
        .collect();
    assert!(received.is_superset(&acknowledged));
}
