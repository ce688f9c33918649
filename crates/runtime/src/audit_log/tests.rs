//! A published log of a few bundles as callers and caches meet it.

mod index;

use std::{path::Path, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
};
use http::{Method, Request as HttpRequest, StatusCode};
use lgpki_domain::{Caller, Role};
use lgpki_ledger::{
    Checkpoint, Identity, LogError, LogId, OsDisk, Publisher, VerifierKey,
    merkle::{self, CompactRange, Hash},
    proof::{check_consistency, check_inclusion},
    publisher::{Leaves, Place},
};
use lgpki_proto::{
    ServiceName,
    v1::{self, audit_log_service_server::AuditLogService as _},
};
use lgpki_testkit::{log_identity, log_signer};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_stream::StreamExt as _;
use tonic::{Code, Request, Status};
use tower::ServiceExt as _;

use self::index::Index;
use super::{AuditLogs, Entries, Shelf, files};
use crate::{plain_http::PublicLimits, rpc::Rpc, shutdown};

/// Entries of the log that grows: two full bundles and some.
const SIZE: u64 = 700;

fn entry(i: u64) -> Vec<u8> {
    let minute = i % 60;
    format!(
        r#"{{"actor":"a","body":{{"i":{i}}},"kind":"x.done","node":"n","time":"2009-02-10T10:{minute:02}:00.000+09:00","v":1}}"#
    )
    .into_bytes()
}

struct Numbered;

impl Leaves for Numbered {
    fn leaves(&self, from: u64, most: usize, _: usize) -> Result<Vec<Vec<u8>>, LogError> {
        let most = u64::try_from(most).unwrap();
        Ok((from..from + most).map(entry).collect())
    }

    fn root_at(&self, size: u64) -> Result<Option<Hash>, LogError> {
        Ok(Some(root(size)))
    }
}

fn root(size: u64) -> Hash {
    let mut range = CompactRange::new();
    (0..size).for_each(|i| range.push(merkle::leaf(&entry(i))));
    range.root()
}

fn identity() -> Identity {
    log_identity("issuer-1")
}

fn publish(data: &Path, log: LogId, sizes: &[u64]) {
    let key = identity().verifier(log);
    let place = Place {
        disk: Arc::new(OsDisk),
        dir: data.join("audit").join(log.to_string()),
        key: key.clone(),
    };
    let (mut publisher, _) = Publisher::open(place, &Numbered).unwrap();
    for size in sizes {
        let head = Checkpoint {
            origin: key.name().clone(),
            size: *size,
            root: root(*size),
        };
        publisher
            .publish(&head.signed(&log_signer(7)), &Numbered)
            .unwrap();
    }
}

/// The issuer's logs of two years and of keys; a file that is none of a log lies beside them.
fn logs() -> (TempDir, AuditLogs) {
    let dir = TempDir::new().unwrap();
    publish(dir.path(), LogId::Year(2008), &[3]);
    publish(dir.path(), LogId::Year(2009), &[10, 300, SIZE]);
    publish(dir.path(), LogId::Keys, &[1]);
    std::fs::write(dir.path().join("secret"), "secret").unwrap();
    std::fs::write(dir.path().join("audit/secret"), "secret").unwrap();
    std::fs::create_dir(dir.path().join("audit/2010")).unwrap();
    let logs = AuditLogs::new(Shelf::of(dir.path()), identity(), Arc::new(Index::new()));
    (dir, logs)
}

fn asked<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let rpc = Rpc::new(Caller::Service(Role::Intake), "0011".to_owned(), "/x/Y");
    request.extensions_mut().insert(rpc);
    request
}

fn named(service: &str, log: &str) -> v1::LogName {
    let (service, log) = (service.to_owned(), log.to_owned());
    v1::LogName { service, log }
}

fn of_2009() -> v1::LogName {
    named("issuer", "2009")
}

async fn read(logs: &AuditLogs, from: u64, to: u64) -> Result<Entries, Status> {
    let name = Some(of_2009());
    let request = v1::ReadEntriesRequest { name, from, to };
    Ok(logs.read_entries(asked(request)).await?.into_inner())
}

#[tokio::test]
async fn the_logs_are_listed_with_their_checkpoints_and_what_is_closed() {
    let (_dir, logs) = logs();
    for (service, expected) in [("", 3), ("issuer", 3), ("intake", 0)] {
        let service = service.to_owned();
        let told = logs.list_logs(asked(v1::ListLogsRequest { service })).await;
        assert_eq!(told.unwrap().into_inner().logs.len(), expected);
    }
    let told = logs.list_logs(asked(v1::ListLogsRequest::default())).await;
    let told = told.unwrap().into_inner();
    let [state] = told.publications.as_slice() else {
        panic!("not one state");
    };
    assert_eq!(
        (state.lag_ms, state.failing.as_str()),
        (1500, "the disk is full")
    );
    let witness = state.witness.as_ref().unwrap();
    assert_eq!((witness.lag_ms, witness.late), (700_000, true));
    assert_eq!(witness.disputing, ["w1: it knows 9"]);
    assert!(witness.dispute_holds);
    let told = told.logs;
    let seen = |log: &v1::Log| (log.name.clone().unwrap().log, log.size, log.closed);
    let seen: Vec<_> = told.iter().map(seen).collect();
    let expected = [("2008", 3, true), ("2009", SIZE, false), ("keys", 1, false)];
    assert_eq!(
        seen,
        expected.map(|(log, size, closed)| (log.to_owned(), size, closed))
    );
    assert_eq!(told[1].newest_at, "2009-02-10T10:39:00.000+09:00");
    for log in told {
        let key: VerifierKey = log.vkey.parse().unwrap();
        assert_eq!(key.name().as_str(), log.origin);
        let (checkpoint, _) = Checkpoint::open(&log.checkpoint, &key).unwrap();
        assert_eq!(
            (checkpoint.size, checkpoint.root),
            (log.size, root(log.size))
        );
        let name = log.name;
        let alone = logs
            .get_checkpoint(asked(v1::GetCheckpointRequest { name }))
            .await;
        assert_eq!(alone.unwrap().into_inner().checkpoint, log.checkpoint);
    }
}

#[tokio::test]
async fn every_stretch_is_told_byte_for_byte_and_without_a_gap() {
    let (_dir, logs) = logs();
    for (from, to, end) in [
        (0, 0, SIZE),
        (0, 1, 1),
        (255, 257, 257),
        (3, 699, 699),
        (699, 9_999, SIZE),
        (SIZE, 0, SIZE),
        (SIZE, SIZE, SIZE),
        (7, 7, 7),
    ] {
        let mut told = read(&logs, from, to).await.unwrap();
        let mut next = from;
        while let Some(message) = told.next().await {
            let message = message.unwrap();
            assert_eq!((message.first, message.size), (next, SIZE));
            for bytes in message.entries {
                assert_eq!(bytes, entry(next));
                next += 1;
            }
        }
        assert_eq!(next, end, "{from} to {to}");
    }
}

async fn find(logs: &AuditLogs, application: &str, certificate: &str) -> Result<Vec<u64>, Code> {
    let request = v1::FindEntriesRequest {
        application: application.to_owned(),
        certificate: certificate.to_owned(),
    };
    let told = logs
        .find_entries(asked(request))
        .await
        .map_err(|e| e.code())?;
    let found: Result<Vec<_>, Status> = told.into_inner().collect().await;
    let leaf = |found: v1::FindEntriesResponse| {
        assert_eq!(
            (found.name, found.entry),
            (Some(of_2009()), entry(found.leaf))
        );
        found.leaf
    };
    Ok(found.unwrap().into_iter().map(leaf).collect())
}

#[tokio::test]
async fn what_the_index_knows_is_told_once_in_order_and_only_if_it_is_published() {
    let (_dir, logs) = logs();
    let (application, serial) = (
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "41414141414141414141414141414141",
    );
    assert_eq!(
        find(&logs, application, "").await,
        Ok(vec![5, 301, SIZE - 1])
    );
    assert_eq!(find(&logs, "", serial).await, Ok(Vec::new()));
    for (application, certificate) in [("", ""), (application, serial), ("7", ""), ("", "no")] {
        let refused = find(&logs, application, certificate).await;
        assert_eq!(
            refused,
            Err(Code::InvalidArgument),
            "{application} {certificate}"
        );
    }
}

#[tokio::test]
async fn proofs_hold_against_the_checkpoint_and_against_smaller_trees() {
    let (_dir, logs) = logs();
    let hash = |bytes: Vec<u8>| Hash::try_from(bytes).unwrap();
    for size in [0, 1, 256, 511, SIZE] {
        let of = if size == 0 { SIZE } else { size };
        for leaf in [0, 1, 255, 256, 510, 699]
            .into_iter()
            .filter(|leaf| *leaf < of)
        {
            let name = Some(of_2009());
            let request = v1::GetInclusionProofRequest { name, leaf, size };
            let proof = logs.get_inclusion_proof(asked(request)).await.unwrap();
            let proof = proof.into_inner();
            assert_eq!((proof.size, proof.checkpoint.is_empty()), (of, of != SIZE));
            let hashes: Vec<_> = proof.hashes.into_iter().map(hash).collect();
            let own = merkle::leaf(&entry(leaf));
            check_inclusion(&own, leaf, (of, &root(of)), &hashes).unwrap();
        }
        for old_size in [1, 2, 255, 256, 500, SIZE]
            .into_iter()
            .filter(|old| *old <= of)
        {
            let name = Some(of_2009());
            let request = v1::GetConsistencyProofRequest {
                name,
                old_size,
                size,
            };
            let proof = logs.get_consistency_proof(asked(request)).await.unwrap();
            let proof = proof.into_inner();
            assert_eq!((proof.size, proof.checkpoint.is_empty()), (of, of != SIZE));
            let hashes: Vec<_> = proof.hashes.into_iter().map(hash).collect();
            let old = (old_size, &root(old_size));
            check_consistency(old, (of, &root(of)), &hashes).unwrap();
        }
    }
}

#[tokio::test]
async fn what_lies_beyond_an_end_or_in_no_log_is_refused() {
    let (_dir, logs) = logs();
    for (from, to, code) in [
        (SIZE + 1, 0, Code::InvalidArgument),
        (u64::MAX, u64::MAX, Code::InvalidArgument),
        (9, 8, Code::InvalidArgument),
        (1, u64::MAX, Code::Ok),
    ] {
        let told = read(&logs, from, to).await;
        assert_eq!(
            told.err().map_or(Code::Ok, |e| e.code()),
            code,
            "{from} {to}"
        );
    }
    for (leaf, size, code) in [
        (SIZE, 0, Code::InvalidArgument),
        (5, 5, Code::InvalidArgument),
        (u64::MAX, 0, Code::InvalidArgument),
        (0, SIZE + 1, Code::FailedPrecondition),
        (0, u64::MAX, Code::FailedPrecondition),
    ] {
        let name = Some(of_2009());
        let request = v1::GetInclusionProofRequest { name, leaf, size };
        let refused = logs.get_inclusion_proof(asked(request)).await.unwrap_err();
        assert_eq!(refused.code(), code, "{leaf} {size}");
    }
    for (old_size, size, code) in [
        (0, 0, Code::InvalidArgument),
        (6, 5, Code::InvalidArgument),
        (1, SIZE + 1, Code::FailedPrecondition),
    ] {
        let name = Some(of_2009());
        let request = v1::GetConsistencyProofRequest {
            name,
            old_size,
            size,
        };
        let refused = logs
            .get_consistency_proof(asked(request))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), code, "{old_size} {size}");
    }
    for (name, code) in [
        (None, Code::InvalidArgument),
        (Some(named("", "2009")), Code::InvalidArgument),
        (Some(named("somebody", "2009")), Code::InvalidArgument),
        (Some(named("issuer", "")), Code::InvalidArgument),
        (Some(named("issuer", "../2009")), Code::InvalidArgument),
        (Some(named("issuer", "2009/")), Code::InvalidArgument),
        (Some(named("issuer", "2010")), Code::NotFound),
        (Some(named("issuer", "1999")), Code::NotFound),
        (Some(named("intake", "2009")), Code::NotFound),
    ] {
        let request = v1::GetCheckpointRequest { name: name.clone() };
        let refused = logs.get_checkpoint(asked(request)).await.unwrap_err();
        assert_eq!(refused.code(), code, "{name:?}");
        let request = v1::ReadEntriesRequest {
            name: name.clone(),
            ..v1::ReadEntriesRequest::default()
        };
        let refused = logs.read_entries(asked(request)).await.err().unwrap();
        assert_eq!(refused.code(), code, "{name:?}");
    }
}

#[tokio::test]
async fn a_damaged_tile_is_told_as_damage_and_nothing_of_it_is_handed_out() {
    let (dir, logs) = logs();
    let bundle = dir.path().join("audit/2009/tile/entries/001");
    let mut bytes = std::fs::read(&bundle).unwrap();
    bytes[40] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    let mut told = read(&logs, 0, 0).await.unwrap();
    let mut entries = 0;
    let ended = loop {
        match told.next().await.unwrap() {
            Ok(message) => entries += message.entries.len(),
            Err(status) => break status,
        }
    };
    assert_eq!((entries, ended.code()), (256, Code::DataLoss));
    assert!(!ended.message().contains("tile"), "{ended}");
}

#[tokio::test]
async fn only_so_many_read_at_the_same_time() {
    let (_dir, logs) = logs();
    let mut open = Vec::new();
    let refused = loop {
        // One message waits, the second bundle waits for it.
        match read(&logs, 0, 0).await {
            Ok(told) => open.push(told),
            Err(status) => break status,
        }
    };
    assert_eq!((open.len(), refused.code()), (16, Code::Unavailable));
    drop(open.pop());
    while read(&logs, 0, 1).await.is_err() {
        tokio::task::yield_now().await;
    }
}

async fn fetch(
    router: &Router,
    path: &str,
    fields: &[(&str, &str)],
) -> (StatusCode, String, Vec<u8>) {
    let mut request = HttpRequest::get(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let answer = router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let field = |name: &str| {
        let value = answer
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap());
        value.unwrap_or_default().to_owned()
    };
    let told = format!(
        "{}|{}|{}",
        field("cache-control"),
        field("content-type"),
        field("etag")
    );
    let status = answer.status();
    (
        status,
        told,
        to_bytes(answer.into_body(), usize::MAX)
            .await
            .unwrap()
            .to_vec(),
    )
}

#[tokio::test]
async fn files_are_served_as_they_are_published_and_may_be_kept_as_long_as_they_hold() {
    let (dir, _logs) = logs();
    let router = files::router(Shelf::of(dir.path()));
    let (status, how, names) = fetch(&router, "/logs", &[]).await;
    assert_eq!(
        (status, names),
        (StatusCode::OK, b"2008\n2009\nkeys\n".to_vec())
    );
    assert!(how.starts_with("public, no-cache|text/plain"), "{how}");
    for (file, keep) in [
        ("checkpoint", "public, no-cache|text/plain"),
        ("vkey", "public, no-cache|text/plain"),
        (
            "tile/0/000",
            "public, max-age=31536000, immutable|application/octet-stream",
        ),
        (
            "tile/entries/001",
            "public, max-age=31536000, immutable|application/octet-stream",
        ),
        (
            "tile/entries/002.p/188",
            "public, max-age=300|application/octet-stream",
        ),
        (
            "tile/1/000.p/2",
            "public, max-age=300|application/octet-stream",
        ),
    ] {
        let path = format!("/2009/{file}");
        let (status, how, bytes) = fetch(&router, &path, &[]).await;
        let expected = std::fs::read(dir.path().join("audit/2009").join(file)).unwrap();
        assert_eq!((status, bytes), (StatusCode::OK, expected), "{file}");
        assert!(how.starts_with(keep), "{file}: {how}");
        let tag = how.rsplit('|').next().unwrap();
        let again = fetch(&router, &path, &[("if-none-match", tag)]).await;
        assert_eq!(
            (again.0, again.2.len()),
            (StatusCode::NOT_MODIFIED, 0),
            "{file}"
        );
        let other = fetch(&router, &path, &[("if-none-match", "\"other\"")]).await;
        assert_eq!(other.0, StatusCode::OK, "{file}");
        let head = HttpRequest::builder().method(Method::HEAD).uri(path);
        let head = router.clone().oneshot(head.body(Body::empty()).unwrap());
        let head = head.await.unwrap();
        assert_eq!(head.status(), StatusCode::OK);
        assert!(to_bytes(head.into_body(), 9).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_path_never_leads_out_of_the_logs() {
    let (dir, _logs) = logs();
    let router = files::router(Shelf::of(dir.path()));
    for path in [
        "/",
        "/2009",
        "/2009/",
        "/secret",
        "/audit/2009/checkpoint",
        "/2009/../secret",
        "/2009/../../secret",
        "/../secret",
        "/2009/tile/../../../secret",
        "/2009/tile/0/../../../../secret",
        "/2009/%2e%2e/%2e%2e/secret",
        "/2009/tile/0/%2e%2e",
        "/2009/tile/0/000%00",
        "/2009//checkpoint",
        "//2009/checkpoint",
        "/2009/checkpoint/",
        "/2009/./checkpoint",
        "/2009/unnamed",
        "/2009/tile",
        "/2009/tile/0",
        "/2009/tile/0/0",
        "/2009/tile/0/x000/000",
        "/2009/tile/9/000",
        "/2009/tile/0/002",
        "/2009/tile/0/000.p/255",
        "/2010/checkpoint",
        "/02009/checkpoint",
        "/issuer/2009/checkpoint",
    ] {
        let (status, _, body) = fetch(&router, path, &[]).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(!body.starts_with(b"secret"), "{path}");
    }
    let post = HttpRequest::post("/2009/checkpoint").body(Body::empty());
    let answer = router.oneshot(post.unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn one_address_has_a_part_of_the_connections_only() {
    let (dir, _logs) = logs();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (trigger, shutdown) = shutdown::channel();
    let shelf = Shelf::of(dir.path());
    let serving = tokio::spawn(async move {
        let limits: PublicLimits = toml::from_str("per_address = 1").unwrap();
        files::serve(listener, (ServiceName::Issuer, shelf), &limits, shutdown).await;
    });
    let asked = b"GET /logs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut first = TcpStream::connect(address).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    let mut turned = String::new();
    second.read_to_string(&mut turned).await.unwrap();
    assert!(turned.starts_with("HTTP/1.1 429 "), "{turned}");
    first.write_all(asked).await.unwrap();
    let mut told = String::new();
    first.read_to_string(&mut told).await.unwrap();
    assert!(told.ends_with("2008\n2009\nkeys\n"), "{told}");
    trigger.request();
    serving.await.unwrap();
}
