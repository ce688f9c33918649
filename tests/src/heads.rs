//! What the services have published of their logs, looked at again and again: a head, once seen,
//! stays; none of another content or signature comes in its place; and every later log extends it.

use std::{
    collections::BTreeMap,
    fmt, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_ledger::{
    Checkpoint, LogId, OsDisk, TileReader, VerifierKey, note::NoteSignature, published::Directory,
};

use crate::{Installation, Service, run};

/// A head and the log key's signature of it.
type Head = (Checkpoint, Vec<NoteSignature>);

/// All heads that were seen.
#[derive(Debug, Default)]
pub struct Heads {
    seen: BTreeMap<(&'static str, LogId), BTreeMap<u64, Head>>,
    /// Whether the auditor has left a memory of its first visit.
    visited: bool,
}

impl fmt::Display for Heads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count: usize = self.seen.values().map(BTreeMap::len).sum();
        write!(f, "{count} heads of {} logs", self.seen.len())
    }
}

impl Heads {
    /// Looks at the checkpoints of some services, or at nothing where there is none yet.
    ///
    /// # Panics
    /// If one is not what the log key signed, or other than one seen before of the same size.
    pub fn look(&mut self, installation: &Installation, services: &[Service]) {
        for service in services {
            let key = known(installation, *service);
            for log in logs(installation, *service) {
                let file = published(installation, *service, log).join("checkpoint");
                let Ok(note) = fs::read_to_string(&file) else {
                    continue;
                };
                let name = format!("log {log} of {}", service.name());
                let key = of_log(&key, log);
                let (head, signatures) = opened(&note, &key, &name);
                let heads = self.seen.entry((service.name(), log)).or_default();
                let before = heads
                    .entry(head.size)
                    .or_insert((head.clone(), signatures.clone()));
                assert_eq!(*before, (head, signatures), "{name} was signed again");
            }
        }
    }

    /// Compares the logs that stand, of services that are stopped, with every head seen; and lets the
    /// auditor's command look at everything.
    ///
    /// # Panics
    /// If a log does not extend one of the heads, or the auditor finds anything.
    pub fn verify(&mut self, installation: &Installation) {
        for service in Service::ALL {
            let key = known(installation, service);
            for ((_, log), heads) in self
                .seen
                .iter()
                .filter(|((of, _), _)| *of == service.name())
            {
                let dir = published(installation, service, *log);
                let source = Arc::new(Directory::new(Arc::new(OsDisk), dir));
                let (reader, ..) =
                    TileReader::open(source, &of_log(&key, *log)).expect("a published log");
                for (size, (head, _)) in heads {
                    let root = reader.root_at(*size).expect("the root at a head");
                    let name = service.name();
                    assert_eq!(root, head.root, "log {log} of {name} forked before {size}");
                }
            }
        }
        self.audit(installation);
    }

    fn audit(&mut self, installation: &Installation) {
        let copy = installation.scratch().join("audit");
        let memory = installation.scratch().join("heads");
        if !copy.exists() {
            fs::create_dir(&copy).expect("a directory");
            for service in Service::ALL {
                let logs = installation.data(service).join("audit");
                symlink(logs, copy.join(service.name())).expect("a link");
            }
        }
        let mut command = installation.command();
        command.args(["audit", "verify", "--quiet"]).arg(&copy);
        for service in Service::ALL {
            let key = format!("audit-keys/{}.vkey", service.name());
            command.arg("--key").arg(installation.ca().join(key));
        }
        if self.visited {
            command.arg("--against").arg(&memory);
        }
        command.arg("--remember").arg(&memory);
        run(&mut command).expect("logs in which nothing is found");
        self.visited = true;
    }
}

/// The key that `init` left for auditors.
fn known(installation: &Installation, service: Service) -> VerifierKey {
    let file = format!("audit-keys/{}.vkey", service.name());
    let text = fs::read_to_string(installation.ca().join(file)).expect("a verifier key");
    text.trim().parse().expect("a verifier key")
}

fn of_log(service: &VerifierKey, log: LogId) -> VerifierKey {
    let name = format!("{}/{log}", service.name().as_str());
    VerifierKey::new(name.parse().expect("a name"), *service.public())
}

fn published(installation: &Installation, service: Service, log: LogId) -> PathBuf {
    installation
        .data(service)
        .join("audit")
        .join(log.to_string())
}

fn logs(installation: &Installation, service: Service) -> Vec<LogId> {
    let names = |dir: &Path| -> Option<Vec<LogId>> {
        let entries = fs::read_dir(dir).ok()?.filter_map(Result::ok);
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        Some(names.filter_map(|name| name.parse().ok()).collect())
    };
    names(&installation.data(service).join("audit")).unwrap_or_default()
}

/// A checkpoint, and what the log key signed of it: witnesses may have signed it as well.
fn opened(note: &str, key: &VerifierKey, name: &str) -> Head {
    let (head, note) = match Checkpoint::open(note, key) {
        Ok(opened) => opened,
        Err(e) => panic!("{name}: {e}"),
    };
    let own = note.signatures().iter().filter(|one| one.id() == key.id());
    (head, own.cloned().collect())
}
