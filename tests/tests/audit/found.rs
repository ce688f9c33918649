//! Whatever is about an application or a certificate is found in all three logs, by indexes, and can be proved.

use std::collections::BTreeSet;

use lgpki_ledger::{
    Checkpoint, VerifierKey,
    merkle::{self, Hash},
    proof::check_inclusion,
};
use lgpki_proto::v1::{self, audit_log_service_client::AuditLogServiceClient};
use lgpki_tests::system::{Order, Plan, System, at};
use tonic::{Code, transport::Channel};

const BRANCH: &str = "01001";

type Client = AuditLogServiceClient<Channel>;

/// What stands in intake's log about a certificate that was applied for, examined by one operator and delivered.
const ISSUED: [&str; 5] = [
    "intake application.received",
    "intake application.approved",
    "intake application.claimed",
    "intake application.issued",
    "intake application.delivered",
];

async fn find(
    client: &mut Client,
    application: &str,
    certificate: &str,
) -> Vec<v1::FindEntriesResponse> {
    let request = v1::FindEntriesRequest {
        application: application.to_owned(),
        certificate: certificate.to_owned(),
    };
    let mut told = client.find_entries(request).await.unwrap().into_inner();
    let mut found = Vec::new();
    while let Some(entry) = told.message().await.unwrap() {
        found.push(entry);
    }
    found
}

/// The service and the kind of an entry.
fn kind(found: &v1::FindEntriesResponse) -> String {
    let entry: serde_json::Value = serde_json::from_slice(&found.entry).unwrap();
    let service = &found.name.as_ref().unwrap().service;
    format!("{service} {}", entry["kind"].as_str().unwrap())
}

/// Fails unless these are found once they are published, each at its place in its log.
async fn expect(client: &mut Client, (application, certificate): (&str, &str), kinds: &[&str]) {
    let wanted: BTreeSet<_> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    let mut found = Vec::new();
    // Publication follows within a second.
    for _ in 0..600 {
        found = find(client, application, certificate).await;
        if found.len() >= kinds.len() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let seen: Vec<_> = found.iter().map(kind).collect();
    assert_eq!(
        seen.iter().cloned().collect::<BTreeSet<_>>(),
        wanted,
        "{seen:?}"
    );
    assert_eq!(seen.len(), kinds.len(), "{seen:?}");
    for one in found {
        proved(client, one).await;
    }
}

/// Holds an entry against the newest checkpoint of its log.
async fn proved(client: &mut Client, found: v1::FindEntriesResponse) {
    let request = v1::GetInclusionProofRequest {
        name: found.name.clone(),
        leaf: found.leaf,
        size: 0,
    };
    let proof = client
        .get_inclusion_proof(request)
        .await
        .unwrap()
        .into_inner();
    let name = found.name.unwrap();
    let service = name.service.clone();
    let told = client
        .list_logs(v1::ListLogsRequest { service })
        .await
        .unwrap();
    let logs = told.into_inner().logs;
    let log = logs
        .into_iter()
        .find(|log| log.name.as_ref() == Some(&name))
        .unwrap();
    let key: VerifierKey = log.vkey.parse().unwrap();
    let (head, _) = Checkpoint::open(&proof.checkpoint, &key).unwrap();
    let hashes = proof
        .hashes
        .into_iter()
        .map(|hash| Hash::try_from(hash).unwrap());
    let hashes: Vec<_> = hashes.collect();
    let leaf = merkle::leaf(&found.entry);
    check_inclusion(&leaf, found.leaf, (head.size, &head.root), &hashes).unwrap();
}

#[tokio::test]
async fn whatever_is_about_an_application_or_a_certificate_is_found_in_all_logs() {
    let mut system = System::begin(Plan {
        branches: &[BRANCH],
        ..Plan::default()
    })
    .await;
    let mut branch = system.branch(BRANCH);
    let order = Order::official_duty(BRANCH, "Mayor", "市長");
    let applied = branch.apply(&order).await.unwrap().id;
    assert_eq!(system.operator().approve_all().await.unwrap(), 1);
    let old = branch.fetch(&applied).await.unwrap().serial;
    system.settle().await;
    let mut auditor = Client::new(system.office("auditor-1").channel());
    let once = [
        "issuer certificate.intent",
        "issuer certificate.issued",
        "lifecycle certificate.registered",
    ];
    let first = [&ISSUED[..], &once].concat();
    expect(&mut auditor, (&applied, ""), &first).await;
    expect(&mut auditor, ("", &old), &first).await;

    // Renewed, in another year; one renewal is withdrawn before.
    system.jump_to(at("2010-09-01", "10:00:00")).await;
    let given_up = branch.renew(&old, &order.again()).await.unwrap().id;
    system.settle().await;
    branch.withdraw(&given_up).await.unwrap();
    let operator = system.operator();
    let valid = || async { operator.state(&old).await == v1::CertificateState::Valid };
    system
        .until("the old certificate is valid again", valid)
        .await;
    let renewal = branch.renew(&old, &order.again()).await.unwrap().id;
    system.settle().await;
    assert_eq!(operator.approve_all().await.unwrap(), 1);
    let new = branch.fetch(&renewal).await.unwrap().serial;
    system.settle().await;
    // As a restart finds them too.
    for service in lgpki_proto::ServiceName::ALL {
        system.restart(service).await;
    }
    system.recover().await;
    branch = system.branch(BRANCH);
    assert_eq!(branch.state(&new).await, v1::CertificateState::Valid);
    let mut auditor = Client::new(system.office("auditor-1").channel());
    let steps = ["intake renewal.opened", "intake renewal.closed"];
    let of_renewal = ["lifecycle renewal.opened", "lifecycle renewal.closed"];
    let revoked = ["lifecycle certificate.revoked"];
    let second = [&ISSUED[..], &steps, &once, &of_renewal, &revoked].concat();
    expect(&mut auditor, (&renewal, ""), &second).await;
    let of_old = [&first[..], &ISSUED, &steps, &of_renewal, &revoked].concat();
    expect(&mut auditor, ("", &old), &of_old).await;
    let of_new = [&ISSUED[..], &steps, &once].concat();
    expect(&mut auditor, ("", &new), &of_new).await;
    let of_given_up = [
        "intake application.received",
        "intake renewal.opened",
        "intake application.withdrawn",
        "intake renewal.closed",
        "lifecycle renewal.opened",
        "lifecycle renewal.closed",
    ];
    expect(&mut auditor, (&given_up, ""), &of_given_up).await;

    let nobody = "41414141414141414141414141414141";
    assert!(find(&mut auditor, "", nobody).await.is_empty());
    assert!(
        find(&mut auditor, "01ARZ3NDEKTSV4RRFFQ69G5FAV", "")
            .await
            .is_empty()
    );
    let both = v1::FindEntriesRequest {
        application: applied,
        certificate: old,
    };
    let refused = auditor.find_entries(both).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}
