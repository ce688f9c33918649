//! Limits as front ends and operators meet them.

use std::time::Duration;

use lgpki_domain::{CertificateKind, OfficerRole};
use lgpki_proto::{
    RemoteError,
    convert::wire,
    v1::{
        self, admission_service_client::AdmissionServiceClient,
        submit_application_request::Content, submit_applications_response::Outcome,
    },
};
use lgpki_runtime::config::ServerLimits;
use tokio_stream::StreamExt as _;
use tonic::{Code, transport::Channel};

use super::{
    fakes::World,
    scene::{Scene, application, request, sapporo},
};

/// The operator's view of the limits.
fn desk(scene: &Scene) -> AdmissionServiceClient<Channel> {
    let operator = scene.officer(OfficerRole::Operator, sapporo(), 20);
    operator.admission()
}

/// Lets the branch send two at once and then one a minute.
pub(crate) async fn tighten(scene: &Scene) -> u64 {
    let tight = |limits| v1::Limits {
        branch_per_hour: 60,
        branch_per_hour_per_certificate: 0,
        branch_burst: 2,
        branch_burst_per_certificate: 0,
        ..limits
    };
    set(scene, tight).await
}

async fn set(scene: &Scene, tight: impl FnOnce(v1::Limits) -> v1::Limits) -> u64 {
    let mut desk = desk(scene);
    let standing = desk.get_limits(v1::GetLimitsRequest {}).await.unwrap();
    let standing = standing.into_inner();
    let limits = tight(standing.limits.unwrap());
    let change = v1::ChangeLimitsRequest {
        limits: Some(limits),
        revision: standing.revision,
    };
    let changed = desk.change_limits(change).await.unwrap().into_inner();
    assert_eq!(changed.limits, Some(limits));
    changed.revision
}

#[tokio::test]
async fn over_quota_is_told_the_limit_and_a_time_that_holds() {
    let scene = Scene::new().await;
    tighten(&scene).await;
    let branch = scene.branch();
    let applications: Vec<_> = (0..4)
        .map(|n| application(CertificateKind::OfficialDuty, n))
        .collect();
    for application in &applications[..2] {
        branch.submitted(application.clone()).await;
    }
    let mut turned = Vec::new();
    for application in &applications[2..] {
        let refused = branch.submit(application.clone()).await.unwrap_err();
        assert_eq!(refused.code, Code::ResourceExhausted);
        assert_eq!(refused.reason, "BRANCH_QUOTA");
        assert!(refused.message.contains("same request id"), "{refused}");
        turned.push(refused.retry_after.unwrap());
    }
    assert_eq!(turned, [1, 2].map(Duration::from_mins));
    // Nothing of it was stored.
    let log = scene.log_text();
    let stored = applications.iter().map(|one| log.contains(&one.request_id));
    assert_eq!(stored.collect::<Vec<_>>(), [true, true, false, false]);
    scene.clock.advance_seconds(60);
    branch.submitted(applications[2].clone()).await;
    let early = branch.submit(applications[3].clone()).await.unwrap_err();
    assert_eq!(early.retry_after, Some(Duration::from_mins(1)));
    scene.clock.advance_seconds(60);
    branch.submitted(applications[3].clone()).await;
    scene.stop().await;
}

#[tokio::test]
async fn a_time_that_was_told_holds_though_intake_is_started_anew() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("places");
    let scene = Scene::keeping(World::new(), Some(file.clone())).await;
    tighten(&scene).await;
    let branch = scene.branch();
    for n in 0..2 {
        let application = application(CertificateKind::OfficialDuty, n);
        branch.submitted(application).await;
    }
    let third = application(CertificateKind::OfficialDuty, 2);
    let refused = branch.submit(third.clone()).await.unwrap_err();
    assert_eq!(refused.retry_after, Some(Duration::from_mins(1)));
    scene.stop().await;
    assert!(file.exists());

    // With limits that would let it in at once, it is its place alone that holds it up, and lets it in.
    let scene = Scene::keeping(World::new(), Some(file.clone())).await;
    let branch = scene.branch();
    let early = branch.submit(third.clone()).await.unwrap_err();
    assert_eq!(early.reason, "BRANCH_QUOTA");
    assert_eq!(early.retry_after, Some(Duration::from_mins(1)));
    scene.clock.advance_seconds(60);
    branch.submitted(third).await;
    scene.stop().await;
    assert!(!file.exists(), "no place is given any more");
}

#[tokio::test]
async fn a_stream_is_admitted_item_by_item() {
    let scene = Scene::new().await;
    tighten(&scene).await;
    let items: Vec<_> = (0..5)
        .map(|n| v1::SubmitApplicationsRequest {
            application: Some(application(CertificateKind::OfficialDuty, n)),
        })
        .collect();
    let mut client = scene.branch().applications();
    let answers = client
        .submit_applications(tokio_stream::iter(items))
        .await
        .unwrap();
    let mut answers = answers.into_inner();
    let (mut accepted, mut waits) = (0, Vec::new());
    while let Some(answer) = answers.next().await {
        match answer.unwrap().outcome.unwrap() {
            Outcome::Accepted(_) => accepted += 1,
            Outcome::Refused(refusal) => {
                assert_eq!(refusal.reason, "BRANCH_QUOTA");
                waits.push(refusal.retry_after_ms);
            }
        }
    }
    assert_eq!((accepted, waits), (2, vec![60_000, 120_000, 180_000]));
    scene.stop().await;
}

#[tokio::test]
async fn an_application_that_names_no_branch_is_metered_with_its_callers() {
    let scene = Scene::new().await;
    tighten(&scene).await;
    let branch = scene.branch();
    let mut codes = Vec::new();
    for n in 0..3 {
        let nameless = v1::SubmitApplicationRequest {
            branch: "nowhere".to_owned(),
            ..application(CertificateKind::OfficialDuty, n)
        };
        codes.push(branch.submit(nameless).await.unwrap_err().code);
    }
    let expected = [
        Code::InvalidArgument,
        Code::InvalidArgument,
        Code::ResourceExhausted,
    ];
    assert_eq!(codes, expected);
    scene.stop().await;
}

#[tokio::test]
async fn a_compromised_key_is_revoked_whatever_the_limits() {
    let scene = Scene::new().await;
    tighten(&scene).await;
    let branch = scene.branch();
    for n in 0..2 {
        let application = application(CertificateKind::OfficialDuty, n);
        branch.submitted(application).await;
    }
    let revoke = |n: usize, reason| {
        let content = v1::RevokeContent {
            serial: "41".repeat(16),
            reason: wire(reason),
        };
        request(&format!("request-end-{n}"), Content::Revoke(content))
    };
    let compromised = revoke(1, lgpki_domain::RevocationReason::KeyCompromise);
    let replaced = revoke(2, lgpki_domain::RevocationReason::Superseded);
    // Both are of a certificate that does not exist; only one comes so far that this is seen.
    let seen = branch.submit(compromised).await.unwrap_err();
    assert_eq!(seen.code, Code::InvalidArgument);
    let turned = branch.submit(replaced).await.unwrap_err();
    assert_eq!(turned.code, Code::ResourceExhausted);
    scene.stop().await;
}

#[tokio::test]
async fn limits_are_changed_by_whoever_saw_them_last_and_only_to_what_can_work() {
    let scene = Scene::new().await;
    let mut desk = desk(&scene);
    let standing = desk.get_limits(v1::GetLimitsRequest {}).await.unwrap();
    let standing = standing.into_inner();
    assert_eq!((standing.revision, standing.changed_at.as_str()), (0, ""));
    let limits = standing.limits.unwrap();
    let change = |limits, revision| v1::ChangeLimitsRequest {
        limits: Some(limits),
        revision,
    };
    let none = v1::Limits {
        all_per_second: 0,
        ..limits
    };
    let refused = desk.change_limits(change(none, 0)).await.unwrap_err();
    let refused = RemoteError::from(refused);
    assert_eq!(refused.faults[0].field, "limits.all_per_second");
    assert_eq!(tighten(&scene).await, 1);
    let late = desk.change_limits(change(limits, 0)).await.unwrap_err();
    let late = RemoteError::from(late);
    assert_eq!(
        (late.code, late.reason.as_str()),
        (Code::Aborted, "LIMITS_CHANGED")
    );
    let standing = desk.get_limits(v1::GetLimitsRequest {}).await.unwrap();
    let standing = standing.into_inner();
    assert!(standing.changed_by.starts_with("operator/-/"));
    assert!(scene.log_text().contains("\"kind\":\"limits.changed\""));
    scene.stop().await;
}

#[tokio::test]
async fn who_was_turned_away_stands_in_the_log_in_the_end() {
    let scene = Scene::new().await;
    tighten(&scene).await;
    let branch = scene.branch();
    for n in 0..5 {
        // Two are taken, three turned away.
        let _ = branch
            .submit(application(CertificateKind::OfficialDuty, n))
            .await;
    }
    let store = scene.store.clone();
    scene.stop().await;
    let log = super::scene::log_text(&store);
    assert!(log.contains("admission.refused") && log.contains("\"count\":3,\"limit\":\"branch\""));
}

#[tokio::test]
async fn whoever_reads_too_much_is_told_when_to_ask_again_and_may_do_all_else() {
    let scene = Scene::new().await;
    let tight = |limits| v1::Limits {
        reads_per_second: 1,
        reads_burst: 3,
        ..limits
    };
    set(&scene, tight).await;
    let branch = scene.branch();
    let list = |officer: &super::scene::Officer| {
        let mut client = officer.applications();
        async move {
            let asked = v1::ListApplicationsRequest::default();
            let answer = client.list_applications(asked).await;
            answer.map(|_| ()).map_err(RemoteError::from)
        }
    };
    for _ in 0..3 {
        list(&branch).await.unwrap();
    }
    let refused = list(&branch).await.unwrap_err();
    assert_eq!(refused.code, Code::ResourceExhausted);
    assert_eq!(refused.reason, "READ_QUOTA");
    assert_eq!(refused.retry_after, Some(Duration::from_secs(1)));
    // A stream is opened like any other call.
    let watch = v1::WatchApplicationsRequest::default();
    let watched = branch.applications().watch_applications(watch).await;
    assert_eq!(watched.unwrap_err().code(), Code::ResourceExhausted);
    // It may still apply; a colleague reads, and an operator as much as there is.
    let application = application(CertificateKind::OfficialDuty, 1);
    branch.submitted(application).await;
    let colleague = scene.officer(OfficerRole::BranchOfficer, sapporo(), 41);
    list(&colleague).await.unwrap();
    let operator = scene.officer(OfficerRole::Operator, sapporo(), 20);
    for _ in 0..9 {
        list(&operator).await.unwrap();
    }
    scene.clock.advance_seconds(1);
    list(&branch).await.unwrap();
    assert_eq!(list(&branch).await.unwrap_err().reason, "READ_QUOTA");
    let store = scene.store.clone();
    scene.stop().await;
    let log = super::scene::log_text(&store);
    assert!(log.contains("\"limit\":\"reads\""), "{log}");
}

#[tokio::test]
async fn what_a_body_registers_is_counted_for_all_of_its_officers_together() {
    let scene = Scene::new().await;
    let tight = |limits| v1::Limits {
        registry_per_hour: 60,
        registry_burst: 2,
        ..limits
    };
    set(&scene, tight).await;
    let units = |body: &str, many: usize| v1::ChangeEntriesRequest {
        body: body.to_owned(),
        changes: (0..many)
            .map(|n| v1::DirectoryChange {
                change: Some(v1::directory_change::Change::RegisterOrganization(
                    v1::Organization {
                        names: Some(v1::Names {
                            en: format!("Unit {n}"),
                            ja: format!("第{n}部"),
                        }),
                    },
                )),
            })
            .collect(),
    };
    let lgwan = scene.officer(OfficerRole::LgwanOfficer, sapporo(), 31);
    // Many together count as many, and hold up what comes after.
    let changed = lgwan.directory().change_entries(units("01001", 4)).await;
    assert_eq!(changed.unwrap().into_inner().changed, 4);
    let register = v1::EndAddresseeRequest {
        request_id: "addressee-1".to_owned(),
        id: "01001-0001".to_owned(),
        version: 1,
        reason: "文書係の廃止".to_owned(),
    };
    let branch = scene.branch();
    let refused = branch.addressees().end_addressee(register.clone()).await;
    let refused = RemoteError::from(refused.unwrap_err());
    assert_eq!(refused.code, Code::ResourceExhausted);
    assert_eq!(refused.reason, "REGISTRY_QUOTA");
    assert_eq!(refused.retry_after, Some(Duration::from_mins(3)));
    let other = scene.officer(OfficerRole::LgwanOfficer, super::scene::hakodate(), 42);
    let changed = other.directory().change_entries(units("01002", 1)).await;
    assert_eq!(changed.unwrap().into_inner().changed, 1);
    let operator = scene.officer(OfficerRole::Operator, sapporo(), 20);
    let changed = operator.directory().change_entries(units("01001", 5)).await;
    assert_eq!(changed.unwrap().into_inner().changed, 1);
    scene.clock.advance_seconds(180);
    let judged = branch.addressees().end_addressee(register).await;
    assert_ne!(judged.unwrap_err().code(), Code::ResourceExhausted);
    scene.stop().await;
}

#[tokio::test]
async fn one_login_has_so_many_streams_open_and_no_more() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    let watch = || async {
        let asked = v1::WatchApplicationsRequest::default();
        let stream = branch.applications().watch_applications(asked).await;
        stream.map(tonic::Response::into_inner)
    };
    let most = ServerLimits::default().streams_per_caller.get();
    let mut open = Vec::new();
    for _ in 0..most {
        open.push(watch().await.unwrap());
    }
    let refused = RemoteError::from(watch().await.unwrap_err());
    assert_eq!(refused.code, Code::ResourceExhausted);
    assert_eq!(refused.reason, "TOO_MANY_STREAMS");
    assert!(refused.retry_after.is_some());
    let colleague = scene.officer(OfficerRole::BranchOfficer, sapporo(), 41);
    let asked = v1::WatchApplicationsRequest::default();
    let watched = colleague.applications().watch_applications(asked).await;
    assert!(watched.is_ok());
    open.pop();
    // Once the server has seen that the stream was left.
    while watch().await.is_err() {
        tokio::task::yield_now().await;
    }
    drop(open);
    scene.stop().await;
}
