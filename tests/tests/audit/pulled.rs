//! The logs of a running installation, pulled over gRPC and over HTTP into copies that go on from each other.

use std::process::Command;

use lgpki_tests::{Installation, Options, Service, json, run};
use serde_json::Value;

const UNDER_TEST: &str = env!("CARGO_BIN_EXE_lgpki-under-test");

struct Scene {
    installation: Installation,
}

impl Scene {
    /// A command of the auditor's, in the installation's scratch directory.
    fn audit(&self, command: &str) -> Command {
        let mut audit = self.installation.command();
        audit.current_dir(self.installation.scratch());
        audit.args(["--json", "audit", command]);
        audit
    }

    /// Pulls or watches through intake.
    fn through_intake(&self, command: &str, more: &[&str]) -> Result<String, String> {
        let office = self.installation.ca().join("offices/auditor-1");
        run(self.audit(command).arg("--as").arg(office).args(more))
    }

    /// Pulls or watches from each service's own address.
    fn over_http(&self, command: &str, more: &[&str]) -> Result<String, String> {
        let mut audit = self.audit(command);
        for service in Service::ALL {
            let port = self.installation.audit_port(service);
            audit.args(["--http", &format!("http://127.0.0.1:{port}")]);
        }
        run(audit.args(more))
    }

    fn verify(&self, copy: &str) {
        run(self.audit("verify").args([copy, "--key", "vkeys.txt"])).unwrap();
    }
}

/// The logs that a pull has told of.
fn logs(told: &str) -> Vec<Value> {
    json(told)["logs"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_pulled_through_intake_and_over_http_and_goes_on_from_either() {
    let options = Options {
        login_form: "data",
        ..Options::default()
    };
    let installation = Installation::new(UNDER_TEST, &options);
    let keys = std::fs::read_dir(installation.ca().join("audit-keys")).unwrap();
    let keys = keys.map(|key| std::fs::read_to_string(key.unwrap().path()).unwrap());
    let all: String = keys.collect();
    std::fs::write(installation.scratch().join("vkeys.txt"), all).unwrap();
    let services = installation.serve();
    let scene = Scene { installation };
    let into = |copy| ["--out", copy, "--key", "vkeys.txt"];
    // Services publish a moment after they have started.
    let first = loop {
        let pulled = scene.through_intake("pull", &into("rpc"));
        if let Ok(told) = pulled
            && logs(&told).len() == 6
        {
            break logs(&told);
        }
    };
    assert!(first.iter().all(|log| log["trust"] == "given"), "{first:?}");
    assert_eq!(
        logs(&scene.over_http("pull", &into("files")).unwrap()).len(),
        6
    );
    for copy in ["rpc", "files"] {
        scene.verify(copy);
    }
    // More is recorded, and each copy goes on from the other source.
    let made = scene
        .installation
        .office("operator-1", "operator", &["crl"]);
    made.unwrap();
    let watch = [&into("files")[..], &["--once", "--kind", "crl.published"]].concat();
    let told = loop {
        let told = scene.through_intake("watch", &watch).unwrap();
        if !told.is_empty() {
            break told;
        }
    };
    for line in told.lines() {
        let told = json(line);
        assert_eq!(told["entry"]["kind"], "crl.published", "{line}");
    }
    let more = logs(&scene.over_http("pull", &into("rpc")).unwrap());
    let grown = more
        .iter()
        .filter(|log| log["before"].as_u64() < log["size"].as_u64());
    assert!(grown.count() >= 2, "{more:?}");
    for copy in ["rpc", "files"] {
        scene.verify(copy);
    }
    // Nobody else's login is let in, and a service that is away is named.
    let branch = scene.installation.ca().join("offices/branch-officer-01001");
    let refused = run(scene.audit("pull").arg("--as").arg(branch).args(into("no")));
    assert!(refused.unwrap_err().contains("the logs cannot be fetched"));
    assert!(services.terminate().success());
    let away = scene.over_http("pull", &into("rpc")).unwrap_err();
    assert!(away.contains("cannot connect to"), "{away}");
    scene.verify("rpc");
}
