//! The schema of entries against the services' own sources: every kind that a service can write, with
//! every member of its body, stands in it, and nothing else does. A demo writes few of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use lgpki_audit::{Schema, schema};
use lgpki_tests::repository;
use serde_json::Value;

type Kinds = BTreeMap<(String, String), BTreeSet<String>>;

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The members of the structure that begins at `head`, `?` behind those that may be absent.
fn members(text: &str, head: &str) -> Option<BTreeSet<String>> {
    let (_, rest) = text.split_once(head)?;
    let (block, _) = rest.split_once("\n}").or_else(|| rest.split_once('}'))?;
    let mut found = BTreeSet::new();
    let mut optional = false;
    for line in block.lines() {
        let line = line.trim();
        if line.contains("skip_serializing_if") {
            optional = true;
        }
        let plain = line
            .trim_start_matches("pub(crate) ")
            .trim_start_matches("pub ");
        let Some((name, _)) = plain.split_once(':') else {
            continue;
        };
        let is_name = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if is_name && !name.is_empty() && plain.ends_with(',') {
            found.insert(format!("{name}{}", if optional { "?" } else { "" }));
            optional = false;
        }
    }
    Some(found)
}

/// The kinds whose bodies a text declares, with their members.
fn declared(service: &str, text: &str, kinds: &mut Kinds) {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("impl Body for ") {
        rest = after;
        let name: String = after.chars().take_while(|c| c.is_alphanumeric()).collect();
        let Some(kind) = after.split("const KIND: &'static str = \"").nth(1) else {
            continue;
        };
        let kind: String = kind.chars().take_while(|c| *c != '"').collect();
        if name.is_empty() {
            // A macro's; its uses are looked at below.
            continue;
        }
        let plain = members(text, &format!("struct {name} {{"));
        let shared = || members(text, &format!("struct {name}Body {{"));
        let of = plain.or_else(shared);
        kinds.insert((service.to_owned(), kind), of.unwrap_or_default());
    }
    for (call, own) in [
        ("about_one! {", "application"),
        ("about_several! {", "applications"),
    ] {
        for part in text
            .split(call)
            .skip(1)
            .filter(|part| part.starts_with('\n'))
        {
            let Some((_, kind)) = part.split_once(", \"") else {
                continue;
            };
            let (kind, rest) = kind.split_once('"').unwrap();
            let block = rest.split_once("\n}").map_or(rest, |(block, _)| block);
            let mut of = members(&format!("HEAD{block}\n}}"), "HEAD").unwrap_or_default();
            of.insert(own.to_owned());
            kinds.insert((service.to_owned(), kind.to_owned()), of);
        }
    }
}

#[test]
fn every_kind_that_a_service_writes_stands_in_the_schema_with_all_its_members() {
    let mut written = Kinds::new();
    for service in ["intake", "issuer", "lifecycle"] {
        let mut files = Vec::new();
        sources(
            &repository().join("crates").join(service).join("src"),
            &mut files,
        );
        for file in files
            .iter()
            .filter(|file| !file.to_string_lossy().contains("test"))
        {
            declared(service, &fs::read_to_string(file).unwrap(), &mut written);
        }
    }
    // What every service writes is declared where they share it.
    for (room, name) in [
        ("ledger", "opening"),
        ("ledger", "restored"),
        ("store", "heartbeat"),
    ] {
        let file = repository().join(format!("crates/{room}/src/{name}.rs"));
        declared("every", &fs::read_to_string(file).unwrap(), &mut written);
    }
    assert!(
        written.len() > 40,
        "only {} kinds were found",
        written.len()
    );
    let file: Value = serde_json::from_str(schema::ENTRIES).unwrap();
    let listed = file["kinds"].as_array().unwrap().iter();
    let listed: Kinds = listed
        .map(|kind| {
            let fields = kind["fields"]
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect();
            let text = |name: &str| kind[name].as_str().unwrap().to_owned();
            ((text("service"), text("kind")), fields)
        })
        .collect();
    for (kind, members) in &written {
        assert_eq!(listed.get(kind), Some(members), "{kind:?}");
    }
    assert_eq!(written.len(), listed.len());
    assert_eq!(Schema::embedded().unwrap().kinds().len(), listed.len());
}
