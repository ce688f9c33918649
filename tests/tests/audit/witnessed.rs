//! A witness beside a running installation: what it cosigns, what it remembers, and what it finds out.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use lgpki_tests::{
    Installation, Options, Service, json, run,
    witness::{NAME, Witness, all_cosigned, eventually, measured, verifier_keys},
};

const UNDER_TEST: &str = env!("CARGO_BIN_EXE_lgpki-under-test");

/// The published logs of all services, in one directory.
fn published(installation: &Installation) -> PathBuf {
    let dir = installation.scratch().join("logs");
    fs::create_dir_all(&dir).unwrap();
    for service in Service::ALL {
        let link = dir.join(service.name());
        let _ = fs::remove_file(&link);
        let audit = installation.data(service).join("audit");
        std::os::unix::fs::symlink(audit, link).unwrap();
    }
    dir
}

fn verify(installation: &Installation, keys: &Path, vkey: &str) -> Result<String, String> {
    let mut command = installation.command();
    command.args(["--json", "audit", "verify", "--witness", vkey, "--key"]);
    run(command.arg(keys).arg(published(installation)))
}

fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-a").arg(from).arg(to)).unwrap();
}

#[test]
fn a_running_system_is_witnessed_and_a_stale_copy_of_a_service_is_found_out() {
    let installation = Installation::new(UNDER_TEST, &Options::default());
    let keys = verifier_keys(&installation);
    let witness = Witness::start(&installation, "127.0.0.1:0");
    let (vkey, address) = (witness.vkey.clone(), witness.address.clone());
    // Nothing is cosigned before the operator has entered the witness.
    let refused = verify(&installation, &keys, &vkey).unwrap_err();
    assert!(refused.contains("witness"), "{refused}");
    witness.enter(&installation);
    // As init has left it, for later.
    let issuer = installation.data(Service::Issuer);
    let stale = installation.scratch().join("stale");
    copy(&issuer, &stale);

    let serving = installation.serve();
    all_cosigned(&installation, &Service::ALL);
    assert!(serving.terminate().success());
    let report = json(&verify(&installation, &keys, &vkey).unwrap());
    let logs = report["report"]["logs"].as_array().unwrap();
    assert!(logs.len() >= 6, "{logs:?}");
    for log in logs {
        assert_eq!(log["cosigned"][0]["witness"], NAME, "{log}");
    }
    let cosigned = witness.said_of("/issuer/");
    assert!(
        cosigned.iter().all(|line| line["event"] == "cosigned"),
        "{cosigned:?}"
    );

    // Killed and begun again, the witness remembers; the issuer comes back as it was in the beginning.
    drop(witness);
    let witness = Witness::start(&installation, &address);
    assert_eq!(witness.vkey, vkey);
    fs::rename(&issuer, installation.scratch().join("newest")).unwrap();
    copy(&stale, &issuer);
    let mut alone = installation.serve_only(Service::Issuer);
    alone.wait_until_ready();
    eventually("dispute", || {
        let disputing = measured(&installation, Service::Issuer, "witnesses_disputing")?;
        (disputing > 0.5).then_some(())
    });
    let refused = eventually("refusal", || {
        let said = witness.said_of("/issuer/");
        said.into_iter().find(|line| line["event"] == "refused")
    });
    let reason = refused["reason"].as_str().unwrap();
    assert!(
        ["rollback", "fork", "not-continued"].contains(&reason),
        "{refused}"
    );
    assert!(alone.terminate().success());
    // Whole and signed as it is, its checkpoints lack what only the witness can give.
    let refused = verify(&installation, &keys, &vkey).unwrap_err();
    let findings = refused.matches("\"rule\": \"witness\"").count();
    assert!(findings > 0, "{refused}");
    // The newest copy is what the witness knows.
    fs::remove_dir_all(&issuer).unwrap();
    fs::rename(installation.scratch().join("newest"), &issuer).unwrap();
    let mut alone = installation.serve_only(Service::Issuer);
    alone.wait_until_ready();
    eventually("end of the dispute", || {
        let disputing = measured(&installation, Service::Issuer, "witnesses_disputing")?;
        (disputing < 0.5).then_some(())
    });
    assert!(alone.terminate().success());
}
