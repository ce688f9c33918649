//! A branch without a login, on a PC that has nothing: the commands of the README, in their order.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use lgpki_tests::{Installation, json, run};

use super::installation;

/// A branch to which `init` gave no login.
const BRANCH: &str = "01002";
const BODY: [&str; 4] = [
    "--body-en",
    "Hokkaido Synthetic Body 002",
    "--body-ja",
    "北海道模擬団体002",
];

/// A directory that stands for the branch's new PC.
struct NewPc<'a>(&'a Installation);

impl NewPc<'_> {
    fn command(&self, args: &[&str]) -> Command {
        let dir = self.0.scratch().join("new-pc");
        fs::create_dir_all(&dir).unwrap();
        let mut command = self.0.command();
        command.current_dir(dir).arg("--json").args(args);
        command
    }

    fn gives(&self, args: &[&str]) -> Result<serde_json::Value, String> {
        run(&mut self.command(args)).map(|text| json(&text))
    }

    fn setup(&self, login: &[&str]) {
        let setup = ["kit", "setup", "--code", BRANCH];
        self.gives(&[&setup[..], &BODY, login].concat()).unwrap();
    }

    fn request(&self, medium: &str, more: &[&str]) -> Result<serde_json::Value, String> {
        let pin = ["--pin-file", "pin"];
        self.gives(&[&["kit", "format", medium][..], &pin].concat())?;
        let request = ["kit", "request", medium, "--key", "p-256", "--out", medium];
        self.gives(&[&request[..], more, &pin].concat())
    }
}

#[test]
fn a_branch_without_a_login_is_let_in_again_from_a_new_pc() {
    let installation = installation();
    let _services = installation.serve();
    let pc = NewPc(&installation);
    let _made = pc.command(&[]);
    let dir = installation.scratch().join("new-pc");
    fs::write(dir.join("pin"), "1234\n").unwrap();
    fs::set_permissions(dir.join("pin"), fs::Permissions::from_mode(0o600)).unwrap();
    let officer = [
        "--kind",
        "login",
        "--login-role",
        "branch-officer",
        "--name-en",
        "Branch Officer",
        "--name-ja",
        "登録分局責任者",
    ];
    let mayor = [
        "--kind",
        "official-duty",
        "--unit-en",
        "General Affairs Department",
        "--unit-ja",
        "総務部",
        "--name-en",
        "Mayor",
        "--name-ja",
        "市長",
    ];
    pc.setup(&[]);
    pc.request("card", &officer).unwrap();
    let refused = pc.request("other", &mayor).unwrap_err();
    assert!(refused.contains("PC_FOR_LOGINS_ONLY"), "{refused}");

    let form = dir.join("card.json");
    let form = ["--form", form.to_str().unwrap()];
    let submit = ["submit", "--branch", BRANCH, "--examined-by", "運営主体"];
    let cirs = |args: &[&str]| installation.office("operator-1", "cirs", args).unwrap();
    let submitted = cirs(&[&submit[..], &form].concat());
    let id = submitted["accepted"][0]["id"].as_str().unwrap();
    for office in ["operator-1", "operator-2"] {
        let approve = ["approve", id];
        installation.office(office, "operator", &approve).unwrap();
    }
    while cirs(&["status", id])["state"] != "issued" {}
    cirs(&["download", id, "--to", dir.to_str().unwrap()]);

    let login = format!("{id}.pem");
    let store = ["kit", "store", "card", "--pin-file", "pin"];
    let certificate = ["--certificate", login.as_str()];
    pc.gives(&[&store[..], &certificate].concat()).unwrap();
    pc.setup(&["--login-certificate", &login]);
    let anchors = installation.ca().join("tls/service-ca.pem");
    fs::copy(anchors, dir.join("service-ca.pem")).unwrap();
    let office = format!(
        "server = \"{}\"\nserver_name = \"localhost\"\nservice_ca = \"service-ca.pem\"\ncard = \"card\"\n\
         pin_file = \"pin\"\n",
        installation.intake()
    );
    fs::write(dir.join("office.toml"), office).unwrap();
    // The inventory follows the issuer's feed.
    let held = || pc.gives(&["cirs", "--as", ".", "certificates"]).unwrap();
    while held()[0]["kind"] != "login" {}
    pc.request("duty", &mayor).unwrap();
}
