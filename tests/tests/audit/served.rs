//! The published logs of a running installation, as auditors reach them: over gRPC at each service and through
//! intake, and as files over HTTP.

use lgpki_ledger::{
    Checkpoint, VerifierKey,
    merkle::{self, Hash},
    proof::{check_consistency, check_inclusion},
};
use lgpki_proto::{
    RemoteError,
    v1::{self, audit_log_service_client::AuditLogServiceClient},
};
use lgpki_tests::{Installation, Options, Service, get};
use tonic::{Code, transport::Channel};

const UNDER_TEST: &str = env!("CARGO_BIN_EXE_lgpki-under-test");

type Client = AuditLogServiceClient<Channel>;

/// The logs as a caller is told of them.
async fn listed(client: &mut Client) -> Vec<v1::Log> {
    let told = client.list_logs(v1::ListLogsRequest::default()).await;
    let told = told.unwrap().into_inner();
    assert_eq!(told.away, Vec::<String>::new());
    told.logs
}

fn name(log: &v1::Log) -> (String, String) {
    let name = log.name.clone().unwrap();
    (name.service, name.log)
}

/// Reads a log whole, and holds every entry and a few sizes against its checkpoint.
async fn check(client: &mut Client, log: &v1::Log) {
    let key: VerifierKey = log.vkey.parse().unwrap();
    let (head, _) = Checkpoint::open(&log.checkpoint, &key).unwrap();
    let name = log.name.clone();
    let request = v1::ReadEntriesRequest {
        name: name.clone(),
        from: 0,
        to: head.size,
    };
    let mut told = client.read_entries(request).await.unwrap().into_inner();
    let mut leaves = Vec::new();
    while let Some(message) = told.message().await.unwrap() {
        assert_eq!(message.first, leaves.len() as u64);
        leaves.extend(message.entries.iter().map(|entry| merkle::leaf(entry)));
    }
    assert_eq!(leaves.len() as u64, head.size);
    let hash = |bytes: Vec<u8>| Hash::try_from(bytes).unwrap();
    for (leaf, own) in (0..).zip(&leaves) {
        let request = v1::GetInclusionProofRequest {
            name: name.clone(),
            leaf,
            size: head.size,
        };
        let proof = client.get_inclusion_proof(request).await.unwrap();
        let hashes: Vec<_> = proof.into_inner().hashes.into_iter().map(hash).collect();
        check_inclusion(own, leaf, (head.size, &head.root), &hashes).unwrap();
    }
    let mut range = merkle::CompactRange::new();
    for (old_size, own) in (1..).zip(&leaves) {
        range.push(*own);
        let request = v1::GetConsistencyProofRequest {
            name: name.clone(),
            old_size,
            size: head.size,
        };
        let proof = client.get_consistency_proof(request).await.unwrap();
        let hashes: Vec<_> = proof.into_inner().hashes.into_iter().map(hash).collect();
        check_consistency((old_size, &range.root()), (head.size, &head.root), &hashes).unwrap();
    }
}

/// Waits until every service has published something, which is a moment after it has started.
async fn published(client: &mut Client) -> Vec<v1::Log> {
    for _ in 0..1_200 {
        let logs = listed(client).await;
        if logs.len() >= 6 {
            return logs;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    listed(client).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_logs_are_told_by_each_service_through_intake_and_as_files() {
    let options = Options {
        login_form: "data",
        ..Options::default()
    };
    let installation = Installation::new(UNDER_TEST, &options);
    let services = installation.serve();
    let mut auditor = Client::new(installation.logged_in("auditor-1"));
    let logs = published(&mut auditor).await;
    let of: Vec<_> = logs.iter().map(|log| name(log).0).collect();
    let expected = [
        "issuer",
        "issuer",
        "lifecycle",
        "lifecycle",
        "intake",
        "intake",
    ];
    assert_eq!(of, expected);
    for log in &logs {
        check(&mut auditor, log).await;
        let (service, which) = name(log);
        let service = Service::ALL
            .into_iter()
            .find(|s| s.name() == service)
            .unwrap();
        let vkey = installation
            .log_identity(service)
            .verifier(which.parse().unwrap());
        assert_eq!(log.vkey, vkey.to_string());
        // A file holds at least what was told before.
        let port = installation.audit_port(service);
        let names = get(port, "/logs").unwrap().text();
        assert!(names.lines().any(|line| line == which), "{names}");
        let file = get(port, &format!("/{which}/checkpoint")).unwrap();
        let (head, _) = Checkpoint::open(&file.text(), &vkey).unwrap();
        assert!(head.size >= log.size);
        assert_eq!(
            get(port, &format!("/{which}/vkey")).unwrap().text(),
            format!("{vkey}\n")
        );
        assert_eq!(
            get(port, &format!("/{which}/../log/LOCK")).unwrap().status,
            404
        );
    }
    // Each of the others tells intake its own, and nobody else's.
    let intake = installation.service_identity(Service::Intake);
    for service in [Service::Issuer, Service::Lifecycle] {
        let mut own = Client::new(installation.channel(service, Some(intake.clone())));
        let told = listed(&mut own).await;
        assert!(
            told.iter().all(|log| name(log).0 == service.name()),
            "{told:?}"
        );
        assert_eq!(told.len(), 2);
        check(&mut own, &told[0]).await;
        let foreign = v1::GetCheckpointRequest {
            name: Some(v1::LogName {
                service: "intake".to_owned(),
                log: "keys".to_owned(),
            }),
        };
        let refused = own.get_checkpoint(foreign).await.unwrap_err();
        assert_eq!(RemoteError::from(refused).reason, "LOG_UNKNOWN");
    }
    refused(&mut auditor).await;
    let shown = installation.audit("auditor-1", &["logs"]).unwrap();
    assert_eq!(shown["logs"].as_array().unwrap().len(), 6);
    assert_eq!(shown["logs"][0]["service"], "issuer");
    assert!(services.terminate().success());
}

/// What is wrong is refused in the same way whoever's log it is.
async fn refused(auditor: &mut Client) {
    for service in ["issuer", "lifecycle", "intake"] {
        for (log, code) in [
            ("", Code::InvalidArgument),
            ("../keys", Code::InvalidArgument),
            ("1999", Code::NotFound),
        ] {
            let name = Some(v1::LogName {
                service: service.to_owned(),
                log: log.to_owned(),
            });
            let request = v1::GetCheckpointRequest { name: name.clone() };
            let refused = auditor.get_checkpoint(request).await.unwrap_err();
            assert_eq!(refused.code(), code, "{service} {log}");
            let request = v1::ReadEntriesRequest {
                name,
                ..v1::ReadEntriesRequest::default()
            };
            let refused = auditor.read_entries(request).await.unwrap_err();
            assert_eq!(refused.code(), code, "{service} {log}");
        }
        let name = Some(v1::LogName {
            service: service.to_owned(),
            log: "keys".to_owned(),
        });
        let request = v1::GetInclusionProofRequest {
            name,
            leaf: 1 << 40,
            size: 0,
        };
        let refused = auditor.get_inclusion_proof(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{service}");
    }
    let nobody = v1::ListLogsRequest {
        service: "nobody".to_owned(),
    };
    let refused = auditor.list_logs(nobody).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}
