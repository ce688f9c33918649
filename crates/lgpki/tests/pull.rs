//! An auditor pulls and watches the logs of a demo from a server of plain files, which then lies.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets the unexpected ends"
)]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
};

use serde_json::Value;

fn lgpki<A: AsRef<std::ffi::OsStr>>(dir: &Path, arguments: &[A]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lgpki"))
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Runs a command that ends with `status`; standard output and standard error.
#[track_caller]
fn ends<A: AsRef<std::ffi::OsStr> + std::fmt::Debug>(
    dir: &Path,
    arguments: &[A],
    status: i32,
) -> (String, String) {
    let output = lgpki(dir, arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert_eq!(
        output.status.code(),
        Some(status),
        "{arguments:?}: {out}{err}"
    );
    (out, err)
}

/// The arguments of a command that asks the server.
fn asks(command: &[&str], url: &str, more: &[&str]) -> Vec<String> {
    let all = [command, &["--http", url], more].concat();
    all.into_iter().map(str::to_owned).collect()
}

/// Serves the files of a directory until the process ends; the address.
fn serve(dir: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (dir, stream) = (dir.clone(), stream.unwrap());
            thread::spawn(move || answer(&dir, &stream));
        }
    });
    format!("http://{address}/logs-of-a-demo/")
}

fn answer(dir: &Path, stream: &TcpStream) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    while let Some(request) = lines.next() {
        while lines.next().is_some_and(|line| !line.is_empty()) {}
        let path = request.split(' ').nth(1).unwrap_or_default();
        let path = path.strip_prefix("/logs-of-a-demo/").unwrap_or("nothing");
        let file = fs::read(dir.join(path));
        let status = if file.is_ok() {
            "200 OK"
        } else {
            "404 Not Found"
        };
        let body = file.unwrap_or_default();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut out = stream;
        if out.write_all(&[head.as_bytes(), &body].concat()).is_err() {
            return;
        }
    }
}

/// The logs of a demo, with the list that a server of them has; and all verifier keys in one file.
fn demo(dir: &Path) -> PathBuf {
    ends(dir, &["demo", "--ca-key", "p-256", "--out", "demo"], 0);
    let keys: Vec<String> = fs::read_dir(dir.join("demo/audit-keys"))
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    fs::write(dir.join("vkeys.txt"), keys.concat()).unwrap();
    let logs = dir.join("demo/audit");
    let mut names = String::new();
    for service in ["intake", "issuer", "lifecycle"] {
        for log in fs::read_dir(logs.join(service)).unwrap() {
            let log = log.unwrap().file_name().into_string().unwrap();
            names.extend([service, "/", &log, "\n"]);
        }
    }
    fs::write(logs.join("logs"), names).unwrap();
    logs
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The bundle with the most in it of a service's log of the year.
fn bundle(logs: &Path, service: &str) -> PathBuf {
    let years = fs::read_dir(logs.join(service))
        .unwrap()
        .map(|e| e.unwrap().path());
    let year = years
        .into_iter()
        .find(|path| !path.ends_with("keys"))
        .unwrap();
    let full = year.join("tile/entries/000");
    if full.exists() {
        return full;
    }
    let partial = fs::read_dir(year.join("tile/entries/000.p")).unwrap();
    let width = |path: &PathBuf| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .parse::<u32>()
            .unwrap()
    };
    partial
        .map(|e| e.unwrap().path())
        .max_by_key(width)
        .unwrap()
}

#[test]
fn logs_are_pulled_verified_and_watched_and_a_lying_server_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let logs = demo(dir);
    let url = serve(logs.clone());
    let pull = |more: &[&'static str]| asks(&["audit", "pull", "--json"], &url, more);
    let keyed = pull(&["--out", "copy", "--key", "vkeys.txt"]);
    let told = json(&ends(dir, &keyed, 0).0);
    let pulled = told["logs"].as_array().unwrap();
    assert!(pulled.len() >= 6, "{told}");
    assert!(
        pulled
            .iter()
            .all(|log| log["before"] == 0 && log["trust"] == "given"),
        "{told}"
    );
    ends(
        dir,
        &["audit", "verify", "copy", "--key", "vkeys.txt", "--quiet"],
        0,
    );
    let again = json(&ends(dir, &keyed, 0).0);
    let nothing_new = |log: &Value| log["before"] == log["size"] && log["fetched"] == 0;
    assert!(
        again["logs"].as_array().unwrap().iter().all(nothing_new),
        "{again}"
    );

    // Without keys they are believed aloud on the first visit, and of what was asked for only.
    let trusting = pull(&["--out", "trusting", "--service", "lifecycle"]);
    let (told, said) = ends(dir, &trusting, 0);
    assert!(
        said.contains("trusted_on_first_use") && said.contains("lifecycle"),
        "{said}"
    );
    let told = json(&told);
    assert!(
        told["logs"]
            .as_array()
            .unwrap()
            .iter()
            .all(|log| log["service"] == "lifecycle")
    );
    assert!(!dir.join("trusting/intake").exists());

    let watch = |more: &[&'static str]| asks(&["audit", "watch", "--once"], &url, more);
    let kinds = ["--kind", "certificate.revoked", "--json"];
    let told = ends(
        dir,
        &watch(&[&["--out", "watched", "--history"], &kinds[..]].concat()),
        0,
    )
    .0;
    assert!(!told.is_empty());
    for line in told.lines() {
        let told = json(line);
        assert_eq!(told["entry"]["kind"], "certificate.revoked", "{line}");
        assert!(
            told["log"].as_str().unwrap().starts_with("lifecycle/"),
            "{line}"
        );
    }
    let first = ends(
        dir,
        &watch(&["--out", "other", "--kind", "certificate.revoked"]),
        0,
    )
    .0;
    assert_eq!(
        first, "",
        "what was recorded before the first visit is no news"
    );
    ends(dir, &watch(&["--out", "copy", "--stale", "60"]), 0);
    let (_, unknown) = ends(
        dir,
        &watch(&["--out", "copy", "--kind", "certificate.revoke"]),
        1,
    );
    assert!(unknown.contains("audit schema"), "{unknown}");

    lies(dir, &logs, &pull, &watch);
    // Nobody there.
    let away = [
        "audit",
        "pull",
        "--http",
        "http://127.0.0.1:1",
        "--out",
        "copy",
    ];
    let (_, said) = ends(dir, &away, 1);
    assert!(
        said.contains("cannot connect to http://127.0.0.1:1"),
        "{said}"
    );
}

fn lies(
    dir: &Path,
    logs: &Path,
    pull: &dyn Fn(&[&'static str]) -> Vec<String>,
    watch: &dyn Fn(&[&'static str]) -> Vec<String>,
) {
    // An entry is not what its tile says.
    let path = bundle(logs, "lifecycle");
    let honest = fs::read(&path).unwrap();
    let mut changed = honest.clone();
    changed[100] ^= 1;
    fs::write(&path, changed).unwrap();
    let (told, said) = ends(dir, &pull(&["--out", "fresh", "--key", "vkeys.txt"]), 4);
    assert!(
        said.contains("lifecycle/") && said.contains("is not believed"),
        "{said}"
    );
    assert!(
        json(&told)["logs"]
            .as_array()
            .unwrap()
            .iter()
            .all(|log| log["service"] != "lifecycle" || log["log"] == "keys")
    );
    fs::write(&path, honest).unwrap();
    // A log that was there before is gone, and one has another's checkpoint.
    let list = fs::read_to_string(logs.join("logs")).unwrap();
    let without = list.replace(
        "issuer/keys
",
        "",
    );
    fs::write(logs.join("logs"), without).unwrap();
    let (_, said) = ends(dir, &pull(&["--out", "copy"]), 4);
    assert!(
        said.contains("issuer/keys is refused") && said.contains("offered no more"),
        "{said}"
    );
    fs::write(logs.join("logs"), list).unwrap();
    let kept = fs::read(dir.join("copy/issuer/keys/checkpoint")).unwrap();
    fs::copy(
        logs.join("intake/keys/checkpoint"),
        logs.join("issuer/keys/checkpoint"),
    )
    .unwrap();
    let (_, said) = ends(dir, &watch(&["--out", "copy"]), 4);
    assert!(
        said.contains("ALARM") && said.contains("another log"),
        "{said}"
    );
    assert_eq!(
        fs::read(dir.join("copy/issuer/keys/checkpoint")).unwrap(),
        kept
    );
}
