//! A front end that we did not write in Rust: Python, grpcio and `openssl req` on one side, the
//! services on the other, `openssl verify` as the judge.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets the unexpected ends"
)]

use std::{fs, path::Path, process::Command};

use lgpki_testkit::tool::{Tool, python, tool};
use lgpki_tests::{Installation, Options, get, repository, request, run};

const UNDER_TEST: &str = env!("CARGO_BIN_EXE_lgpki-under-test");
const BRANCH: &str = "01001";
const HOST: &str = "www.city.synthetic.lg.jp";

/// The tools, or none where one is missing.
fn tools() -> Option<(Tool, Tool)> {
    let packages = "python3-grpcio python3-grpc-tools python3-protobuf";
    let openssl = tool("openssl", "openssl")?;
    let python = python(&["grpc", "grpc_tools", "google.protobuf"], packages)?;
    Some((openssl, python))
}

fn installation(ca_key: &'static str) -> Installation {
    let options = Options {
        ca_key,
        login_form: "data",
        branches: &[BRANCH],
        configuration: &[(
            "web-server = { mode = \"manual\" }",
            "web-server = { mode = \"automatic\" }",
        )],
        ..Options::default()
    };
    Installation::new(UNDER_TEST, &options)
}

/// The login data's key as grpcio needs it, decrypted by `openssl` with the PIN.
fn decrypted_login_key(openssl: &Tool, installation: &Installation, office: &Path) {
    let mut command = openssl.command();
    command
        .args(["pkey", "-in"])
        .arg(office.join("login.key.pem"));
    let pin = format!("file:{}", office.join("pin").display());
    command.args(["-passin", &pin, "-out", "login.key"]);
    run(command.current_dir(installation.scratch())).unwrap();
}

/// A key pair and a request, as a server's administrator makes them.
fn request_by_openssl(openssl: &Tool, scratch: &Path, key: &[&str]) {
    let body = request::body(BRANCH).en;
    let configuration = format!(
        "[req]\nprompt = no\ndistinguished_name = subject\nreq_extensions = extensions\n\
         string_mask = utf8only\n[subject]\nC = JP\nO = Local Governments\nOU = {body}\nCN = {HOST}\n\
         [extensions]\nsubjectAltName = DNS:{HOST}\nkeyUsage = digitalSignature\n"
    );
    fs::write(scratch.join("req.cnf"), configuration).unwrap();
    let mut command = openssl.command();
    command.args(["req", "-new", "-config", "req.cnf", "-sha256", "-nodes"]);
    command
        .args(["-keyout", "www.key", "-out", "www.csr"])
        .args(key);
    run(command.current_dir(scratch)).unwrap();
}

/// The generated half of the client.
fn generated(python: &Tool, scratch: &Path) {
    let gen_dir = scratch.join("gen");
    fs::create_dir(&gen_dir).unwrap();
    let proto = repository().join("proto");
    let mut command = python.command();
    command.args(["-m", "grpc_tools.protoc", "-I"]).arg(&proto);
    for kind in ["--python_out", "--grpc_python_out"] {
        command.arg(format!("{kind}={}", gen_dir.display()));
    }
    for file in fs::read_dir(proto.join("lgpki/v1")).unwrap() {
        command.arg(file.unwrap().path());
    }
    run(&mut command).unwrap();
}

fn client(python: &Tool, installation: &Installation, office: &Path) -> Command {
    let names = request::body(BRANCH);
    let mut command = python.command();
    command
        .arg(repository().join("tests/python/cirs_client.py"))
        .env("PYTHONPATH", installation.scratch().join("gen"))
        .args(["--server", &installation.intake()])
        .arg("--service-ca")
        .arg(installation.ca().join("tls/service-ca.pem"))
        .arg("--certificate")
        .arg(office.join("login.pem"))
        .args(["--key", "login.key", "--csr", "www.csr", "--host", HOST])
        .args([
            "--branch",
            BRANCH,
            "--body-en",
            &names.en,
            "--body-ja",
            &names.ja,
        ])
        .args(["--request-id", "python-client-1", "--out", "."])
        .current_dir(installation.scratch());
    command
}

/// What `openssl verify` says of the certificate, with the CRL as it is published now.
fn verified(openssl: &Tool, installation: &Installation) -> Result<String, String> {
    let scratch = installation.scratch();
    let crl = get(installation.publication_port(), "/crl/application-1.crl").unwrap();
    assert_eq!(crl.status, 200);
    fs::write(scratch.join("ca.crl"), crl.body).unwrap();
    let mut convert = openssl.command();
    convert.args([
        "crl",
        "-inform",
        "DER",
        "-in",
        "ca.crl",
        "-out",
        "ca.crl.pem",
    ]);
    run(convert.current_dir(scratch)).unwrap();
    let mut verify = openssl.command();
    verify.args([
        "verify",
        "-x509_strict",
        "-crl_check",
        "-purpose",
        "sslserver",
    ]);
    verify.args(["-verify_hostname", HOST, "-CAfile", "ca.pem"]);
    verify.args(["-CRLfile", "ca.crl.pem", "certificate.pem"]);
    run(verify.current_dir(scratch))
}

fn whole_path(ca_key: &'static str, subscriber_key: &[&str]) {
    let Some((openssl, python)) = tools() else {
        return;
    };
    let installation = installation(ca_key);
    let scratch = installation.scratch();
    let _services = installation.serve();
    let office = installation
        .ca()
        .join("offices")
        .join("branch-officer-01001");
    decrypted_login_key(&openssl, &installation, &office);
    request_by_openssl(&openssl, scratch, subscriber_key);
    generated(&python, scratch);

    let said = run(&mut client(&python, &installation, &office)).unwrap();
    let serial = said.lines().find_map(|line| line.strip_prefix("serial: "));
    let serial = serial.unwrap_or_else(|| panic!("no serial number in:\n{said}"));

    // The CA certificate that came along is the one that is published.
    let published = get(installation.publication_port(), "/ca/application-1.cer").unwrap();
    fs::write(scratch.join("published.cer"), published.body).unwrap();
    let mut convert = openssl.command();
    convert.args(["x509", "-inform", "DER", "-in", "published.cer"]);
    let published = run(convert.current_dir(scratch)).unwrap();
    let downloaded = fs::read_to_string(scratch.join("ca.pem")).unwrap();
    assert_eq!(published.trim(), downloaded.trim());
    verified(&openssl, &installation).unwrap();

    // The key that `openssl req` made is the one certified.
    let public = |args: &[&str]| run(openssl.command().args(args).current_dir(scratch)).unwrap();
    assert_eq!(
        public(&["x509", "-in", "certificate.pem", "-noout", "-pubkey"]),
        public(&["pkey", "-in", "www.key", "-pubout"])
    );

    // Once revoked it no longer passes, and only for that reason.
    installation
        .office(
            "branch-officer-01001",
            "cirs",
            &[
                "revoke",
                serial,
                "--reason",
                "key-compromise",
                "--examined-by",
                "総務課長",
            ],
        )
        .unwrap();
    installation
        .office("operator-1", "operator", &["crl"])
        .unwrap();
    let refused = verified(&openssl, &installation).unwrap_err();
    assert!(refused.contains("certificate revoked"), "{refused}");
}

#[test]
fn a_python_front_end_gets_a_certificate_for_an_ec_key_that_openssl_accepts() {
    whole_path(
        "p-256",
        &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    );
}

#[test]
fn a_python_front_end_gets_a_certificate_for_an_rsa_key_that_openssl_accepts() {
    whole_path("rsa-2048", &["-newkey", "rsa:2048"]);
}
