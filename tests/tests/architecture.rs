//! The rules of the house that a compiler does not enforce: who may depend on whom, and how files
//! begin.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected ends")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use lgpki_tests::{json, repository, run};
use serde_json::Value;

/// Lines after which a file has a seam somewhere.
const LONGEST_FILE: usize = 450;
/// The same for a file of tests, which may hold a table.
const LONGEST_TESTS: usize = 550;
const SERVICES: [&str; 3] = ["lgpki-intake", "lgpki-issuer", "lgpki-lifecycle"];

/// The workspace's packages as cargo sees them.
fn packages() -> Vec<Value> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "metadata",
        "--format-version",
        "1",
        "--no-deps",
        "--offline",
    ]);
    let metadata = json(&run(cargo.current_dir(repository())).unwrap());
    metadata["packages"].as_array().unwrap().clone()
}

/// What each package depends on outside its tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let needed = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap();
        all.iter()
            .filter(|dependency| dependency["kind"].is_null())
            .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let packages = packages();
    let named = packages
        .iter()
        .map(|p| (p["name"].as_str().unwrap().to_owned(), needed(p)));
    named.collect()
}

/// Every Rust file of the repository that people wrote.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open: Vec<_> = ["crates", "tests", "benches", "fuzz"]
        .iter()
        .map(|dir| repository().join(dir))
        .collect();
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 200, "only {} files were found", found.len());
    found
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn the_domain_knows_no_runtime_no_wire_no_store_and_no_library_of_cryptography() {
    let dependencies = dependencies();
    let domain = &dependencies["lgpki-domain"];
    for foreign in [
        "tokio",
        "tonic",
        "prost",
        "sled",
        "openssl",
        "serde",
        "serde_json",
        "ring",
        "rustls",
        "tracing",
        "metrics",
    ] {
        assert!(
            !domain.contains(foreign),
            "lgpki-domain depends on {foreign}"
        );
    }
    assert!(
        domain.iter().all(|name| !name.starts_with("lgpki")),
        "{domain:?}"
    );
}

#[test]
fn edges_point_inward() {
    // Each room with those of our own that it may build on.
    let allowed: &[(&str, &[&str])] = &[
        ("lgpki-domain", &[]),
        ("lgpki-x509", &["domain"]),
        ("lgpki-keys", &["domain", "x509"]),
        ("lgpki-kit", &["domain", "x509", "keys"]),
        ("lgpki-ledger", &["domain"]),
        ("lgpki-store", &["domain", "ledger"]),
        ("lgpki-proto", &["domain"]),
        ("lgpki-surge", &["domain"]),
        ("lgpki-audit", &["domain", "ledger", "x509"]),
        ("lgpki-runtime", &["domain", "ledger", "proto", "x509"]),
        ("lgpki-testkit", &["domain", "ledger"]),
    ];
    let service = [
        "domain", "x509", "keys", "ledger", "store", "proto", "runtime",
    ];
    let services = SERVICES.map(|name| (name, &service[..]));
    let dependencies = dependencies();
    for (room, may) in allowed.iter().copied().chain(services) {
        for other in &dependencies[room] {
            let Some(other) = other.strip_prefix("lgpki-") else {
                continue;
            };
            assert!(may.contains(&other), "{room} depends on lgpki-{other}");
        }
    }
}

#[test]
fn services_never_depend_on_each_other() {
    let dependencies = dependencies();
    for service in SERVICES {
        let others = SERVICES.iter().filter(|other| **other != service);
        for other in others {
            assert!(
                !dependencies[service].contains(*other),
                "{service} depends on {other}"
            );
        }
    }
}

#[test]
fn test_doubles_are_never_shipped() {
    for (package, dependencies) in dependencies() {
        if !["lgpki-tests", "lgpki-benches"].contains(&package.as_str()) {
            assert!(
                !dependencies.contains("lgpki-testkit"),
                "{package} ships test doubles"
            );
        }
    }
}

#[test]
fn every_crate_takes_the_workspaces_lints_edition_and_licence() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let manifest = text(Path::new(package["manifest_path"].as_str().unwrap()));
        for line in [
            "[lints]\nworkspace = true",
            "edition.workspace = true",
            "license.workspace = true",
            "publish.workspace = true",
        ] {
            assert!(manifest.contains(line), "{name} lacks {line:?}");
        }
    }
}

#[test]
fn only_test_code_allows_what_the_lints_forbid_without_a_reason() {
    for path in sources() {
        let text = text(&path);
        for attribute in ["#[allow(", "#![allow(", "#[expect(", "#![expect("] {
            for (at, _) in text.match_indices(attribute) {
                // A name of this list is no attribute.
                if text[..at].ends_with('"') {
                    continue;
                }
                let end = text[at..].find(")]").map_or(text.len(), |end| at + end);
                assert!(
                    text[at..end].contains("reason"),
                    "{}: {} without a reason",
                    path.display(),
                    &text[at..end]
                );
            }
        }
    }
}

#[test]
fn every_file_opens_with_what_it_is_about() {
    for path in sources() {
        assert!(
            text(&path).starts_with("//! "),
            "{} does not",
            path.display()
        );
    }
}

#[test]
fn nothing_is_left_for_later() {
    // Written apart, so that this file does not hold them itself.
    let marks = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|halves| halves.concat());
    for path in sources() {
        for (number, line) in (1..).zip(text(&path).lines()) {
            let found = marks.iter().find(|mark| line.contains(mark.as_str()));
            assert!(found.is_none(), "{}:{number}: {line}", path.display());
        }
    }
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|path| (text(&path).lines().count(), path))
        .filter(|(lines, path)| *lines > longest(path))
        .collect();
    assert!(long.is_empty(), "look for the seam: {long:#?}");
}

fn longest(path: &Path) -> usize {
    let within = path.strip_prefix(repository()).unwrap();
    let tests = within.components().any(|part| {
        ["tests", "tests.rs"]
            .iter()
            .any(|name| part.as_os_str() == *name)
    });
    if tests { LONGEST_TESTS } else { LONGEST_FILE }
}

#[test]
fn every_field_of_the_contract_is_commented() {
    let dir = repository().join("proto/lgpki/v1");
    for file in fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        let text = text(&path);
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        assert!(text.starts_with("// "), "{}", path.display());
        for (i, line) in lines.iter().enumerate() {
            let declares =
                line.ends_with(';') && line.contains(" = ") && !line.starts_with("syntax");
            let opens = ["message ", "enum ", "service ", "rpc ", "oneof "]
                .iter()
                .any(|word| line.starts_with(word));
            if declares || opens {
                let before = lines[i.saturating_sub(1)];
                assert!(before.starts_with("//"), "{}: {line}", path.display());
            }
        }
    }
}
