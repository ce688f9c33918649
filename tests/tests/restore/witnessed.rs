//! What only a witness knows: a stale backup and copies as stale as it look whole, and stay sealed.

use lgpki_tests::witness::{self, NAME, Witness, all_cosigned, measured};

use super::*;

/// An installation with a witness, which was backed up, went on, and lost its disk.
struct Witnessed {
    installation: Installation,
    config: PathBuf,
    witness: Option<Witness>,
    address: String,
    /// What was published when the backup was made.
    stale: PathBuf,
    /// What was published at the end.
    newest: PathBuf,
    backup: PathBuf,
    notes: Notes,
}

impl Witnessed {
    async fn lived() -> Self {
        let installation = installation();
        let witness = Witness::start(&installation, "127.0.0.1:0");
        witness.enter(&installation);
        let scratch = installation.scratch().to_owned();
        let [stale, newest, backup] = ["stale", "newest", "backup"].map(|name| scratch.join(name));
        let config = installation.configuration();
        let data = installation.ca().join("data");
        let process = installation.serve();
        let load = Load::start(&installation, &BRANCHES, 1);
        loaded(&load, 4, 1).await;
        let before = load.stop().await;
        assert!(process.terminate().success());
        // Nobody writes: the copy goes as far as the backup.
        let args = ["backup", "--config", text(&config), "--out", text(&backup)];
        command(&installation, &args).unwrap();
        fetch(&data, &stale);

        let process = installation.serve();
        let load = Load::start(&installation, &BRANCHES, 1);
        loaded(&load, 4, 1).await;
        let mut notes = load.stop().await;
        assert!(notes.surprises.is_empty(), "{:?}", notes.surprises);
        notes.issues.extend(before.issues);
        notes.revocations.extend(before.revocations);
        everything_stands(&installation, &notes).await;
        assert!(process.terminate().success());
        fetch(&data, &newest);
        Self {
            address: witness.address.clone(),
            witness: Some(witness),
            installation,
            config,
            stale,
            newest,
            backup,
            notes,
        }
    }

    fn restored(&self) -> Value {
        let lost = self.installation.scratch().join("lost");
        fs::rename(self.installation.ca(), &lost).unwrap();
        let ca = self.installation.ca();
        let args = ["restore", text(&self.backup), "--into", text(&ca)];
        let restored = command(&self.installation, &args).unwrap();
        for place in ["secrets", "offices"] {
            copy_all(&lost.join(place), &ca.join(place));
        }
        restored
    }

    fn run(&self, what: &str, mirror: &Path, more: &[&str]) -> Result<Value, String> {
        let (config, mirror) = (text(&self.config), text(mirror));
        let args = ["restore", what, "--config", config, "--mirror", mirror];
        command(&self.installation, &[&args[..], more].concat())
    }

    fn sealed(&self, service: Service) -> PathBuf {
        self.installation.data(service).join("sealed")
    }

    fn all_are_sealed(&self) {
        for service in Service::ALL {
            assert!(self.sealed(service).exists(), "{service:?}");
        }
        let log = refused(&self.installation, None);
        assert!(log.contains("is sealed"), "{log}");
    }
}

/// What the witness has seen of the newest year of a service's logs beyond what is at hand.
fn beyond<'a>(told: impl IntoIterator<Item = &'a Value>, service: Service) -> u64 {
    let place = format!("/{}/2", service.name());
    let of = |one: &&Value| one["log"].as_str().unwrap().contains(&place);
    let beyond = told.into_iter().filter(of).map(|one| {
        assert_eq!(one["witness"], NAME, "{one}");
        assert_eq!(one["has_seen"], "more", "{one}");
        one["cosigned"].as_u64().unwrap() - one["have"].as_u64().unwrap()
    });
    beyond.max().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_witness_has_seen_keeps_a_stale_copy_sealed() {
    let mut case = Witnessed::lived().await;
    // The backup, as it is put back, is told to be behind.
    let restored = case.restored();
    let told = restored["witnesses"].as_array().unwrap();
    for service in Service::ALL {
        assert!(beyond(told, service) > 0, "{told:?}");
    }
    // With copies as stale as the backup everything fits, and only the witness knows better.
    let told = case.run("heal", &case.stale, &["--list"]).unwrap_err();
    assert!(
        told.contains("has_seen") && told.contains("no copy here has"),
        "{told}"
    );
    let told = case.run("heal", &case.stale, &[]).unwrap_err();
    for service in Service::ALL.map(Service::name) {
        let part = format!("{service} stays sealed: the witness {NAME} has cosigned ");
        assert!(told.contains(&part), "{told}");
        let log = format!(" leaves of lgpki.invalid/audit/{service}/2");
        assert!(
            told.contains(&log) && told.contains("are missing"),
            "{told}"
        );
    }
    // To name it does not help: what it knows of is missing.
    let without = ["--without-witness", NAME];
    let told = case.run("unseal", &case.stale, &without).unwrap_err();
    assert!(told.contains("are missing"), "{told}");
    case.all_are_sealed();

    // Everything is taken back, but the witness is away: nobody knows whether that is all.
    case.witness = None;
    let told = case.run("heal", &case.newest, &[]).unwrap_err();
    for part in [
        "does not say how much",
        "cannot connect",
        "--without-witness NAME",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    case.all_are_sealed();
    let nobody = ["--without-witness", "nobody.example"];
    let told = case.run("unseal", &case.newest, &nobody).unwrap_err();
    assert!(
        told.contains("nobody.example") && told.contains(NAME),
        "{told}"
    );
    // Somebody takes it upon them for one service, which says so for ever.
    let one = ["--only", "intake", "--without-witness", NAME];
    let done = case.run("unseal", &case.newest, &one).unwrap();
    assert_eq!(done["unsealed"][0]["without_witnesses"][0], NAME, "{done}");
    assert!(!case.sealed(Service::Intake).exists());

    // The witness is back; the others have its word. A kill before the seal went changes nothing.
    case.witness = Some(Witness::start(&case.installation, &case.address));
    let seal = fs::read(case.sealed(Service::Issuer)).unwrap();
    for _ in 0..2 {
        let done = case
            .run("unseal", &case.newest, &["--only", "issuer"])
            .unwrap();
        assert_eq!(done["unsealed"][0]["witnesses"][0], NAME, "{done}");
        assert_eq!(done["unsealed"][0]["changed"], true, "{done}");
        fs::write(case.sealed(Service::Issuer), &seal).unwrap();
    }
    // The record of the restoration was shown to nobody: begun anew, it would be another.
    let recorded = case.witness.as_ref().unwrap().said_of("/issuer/");
    assert!(
        recorded
            .iter()
            .all(|said| said["event"] == "cosigned" && said["size"] == said["before"]),
        "{recorded:?}"
    );
    let done = case.run("heal", &case.newest, &[]).unwrap();
    assert_eq!(done["unsealed"].as_array().unwrap().len(), 3, "{done}");

    let process = case.installation.serve();
    everything_stands(&case.installation, &case.notes).await;
    all_cosigned(&case.installation, &Service::ALL);
    for service in Service::ALL {
        let disputing = measured(&case.installation, service, "witnesses_disputing");
        assert_eq!(disputing, Some(0.0), "{service:?}");
    }
    assert!(process.terminate().success());
    // The auditor finds the logs whole, and all of them cosigned, the one whose witness was left out too.
    let logs = case.installation.scratch().join("logs");
    fetch(&case.installation.ca().join("data"), &logs);
    let keys = witness::verifier_keys(&case.installation);
    let vkey = &case.witness.as_ref().unwrap().vkey;
    let args = [
        "audit",
        "verify",
        text(&logs),
        "--key",
        text(&keys),
        "--witness",
        vkey,
    ];
    command(&case.installation, &args).unwrap();
    for service in Service::ALL {
        let log = books::read_log(&case.installation, service);
        let restored: Vec<_> = books::of(&log, "log.restored").collect();
        assert_eq!(restored.len(), 1, "{service:?}");
        let without = &restored[0].body["without_witnesses"];
        let named = service == Service::Intake;
        assert_eq!(without[0] == NAME, named, "{service:?}: {without}");
    }
}
