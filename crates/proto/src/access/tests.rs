//! The table and the contract's text say the same.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use prost_types::FileDescriptorSet;

use super::*;

/// The comment of every RPC, by its path.
fn comments() -> BTreeMap<String, String> {
    let set = FileDescriptorSet::decode(crate::FILE_DESCRIPTOR_SET).unwrap();
    let mut found = BTreeMap::new();
    for file in &set.file {
        let locations = &file.source_code_info.as_ref().unwrap().location;
        for (s, service) in file.service.iter().enumerate() {
            for (m, method) in service.method.iter().enumerate() {
                let path = [6, i32::try_from(s).unwrap(), 2, i32::try_from(m).unwrap()];
                let comment = locations
                    .iter()
                    .find(|l| l.path == path)
                    .and_then(|l| l.leading_comments.clone())
                    .unwrap_or_default();
                let name = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                found.insert(name, comment);
            }
        }
    }
    found
}

/// The roles that a comment's "Callers:" sentence names.
fn callers(comment: &str) -> BTreeSet<Role> {
    let comment = comment.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, sentence) = comment
        .split_once("Callers: ")
        .expect("a Callers: sentence");
    let sentence = sentence.split('.').next().unwrap();
    let mut plain = String::new();
    let mut depth = 0;
    for c in sentence.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    plain
        .replace(" and ", ",")
        .split(',')
        .map(|word| match word.trim() {
            "branch officer" => BRANCH,
            "LGWAN officer" => LGWAN,
            "operator" => OPERATOR,
            "auditor" => AUDITOR,
            service => Role::service(service).unwrap_or_else(|| panic!("no role: {service:?}")),
        })
        .collect()
}

#[test]
fn every_rpc_stands_in_the_table_with_the_callers_its_comment_names() {
    let comments = comments();
    assert!(comments.len() > 30, "the contract was not read");
    for (path, comment) in &comments {
        let listed: BTreeSet<Role> = TABLE
            .iter()
            .filter(|row| row.path == path)
            .flat_map(|row| row.roles.iter().copied())
            .collect();
        assert_eq!(listed, callers(comment), "{path}");
    }
    for row in TABLE {
        assert!(comments.contains_key(row.path), "{} is no RPC", row.path);
    }
}

#[test]
fn what_a_login_in_renewal_may_call_is_what_the_comments_say() {
    let comments = comments();
    for row in of(ServiceName::Intake) {
        let comment = &comments[row.path];
        let said = comment.contains("In renewal: allowed.");
        assert_eq!(row.in_renewal, said, "{}", row.path);
    }
    // Services have no login certificates.
    let others = TABLE
        .iter()
        .filter(|row| row.service != ServiceName::Intake);
    assert!(others.into_iter().all(|row| !row.in_renewal));
}

#[test]
fn streaming_rows_are_those_the_contract_streams() {
    let set = FileDescriptorSet::decode(crate::FILE_DESCRIPTOR_SET).unwrap();
    let mut seen = 0;
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                for row in TABLE.iter().filter(|row| row.path == path) {
                    let streams = method.client_streaming() || method.server_streaming();
                    assert_eq!(row.streaming, streams, "{path}");
                    seen += 1;
                }
            }
        }
    }
    assert_eq!(seen, TABLE.len());
}

#[test]
fn no_row_stands_twice_and_none_is_open_to_nobody() {
    let rows: BTreeSet<_> = TABLE.iter().map(|row| (row.service, row.path)).collect();
    assert_eq!(rows.len(), TABLE.len());
    assert!(TABLE.iter().all(|row| !row.roles.is_empty()));
}

#[test]
fn services_are_called_by_services_only_where_they_hold_keys_or_inventory() {
    for row in TABLE {
        let internal = row.roles.iter().all(|r| !matches!(r, Role::Officer(_)));
        assert_eq!(internal, row.service != ServiceName::Intake, "{}", row.path);
        // Calls run one way: nobody but intake and lifecycle calls, and nothing calls intake.
        assert!(!row.roles.contains(&Role::Issuer), "{}", row.path);
    }
}

#[test]
fn an_rpc_is_found_only_at_the_service_that_serves_it() {
    let path = "/lgpki.v1.IssuerService/SignCrl";
    assert!(find(ServiceName::Issuer, path).is_some());
    assert!(find(ServiceName::Intake, path).is_none());
    assert!(find(ServiceName::Issuer, "/lgpki.v1.IssuerService/Sign").is_none());
    assert_eq!(of(ServiceName::Issuer).count(), 12);
}

#[test]
fn service_names_read_back() {
    for service in ServiceName::ALL {
        assert_eq!(ServiceName::parse(service.name()), Some(service));
        assert_eq!(service.role().name(), service.name());
    }
}
