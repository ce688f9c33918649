//! Bad certification requests and bad applications, sent over gRPC with mutual TLS to a running
//! installation: each is refused with its own reason, and nothing of it is stored.
//!
//! `csrs` and `applications` are the tables; `scene` submits their cases and compares what is stored
//! before and after. Each case is sent alone and, together with all others, in one stream.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets the unexpected ends"
)]

mod applications;
mod csrs;
mod scene;

use lgpki_domain::OfficerRole;
use lgpki_proto::v1::{self, CertificateKind};
use lgpki_tests::{
    draft::Draft,
    forge::{OrganizationCa, valid_now},
    request::{self, names},
};
use scene::{BRANCH, Scene, faults, official_duty, unit};
use tonic::Code;

#[tokio::test(flavor = "multi_thread")]
async fn bad_certification_requests_are_refused_each_with_its_reason_and_nothing_is_stored() {
    let scene = Scene::new();
    let cases = csrs::table();
    assert!(cases.len() >= 50, "only {}", cases.len());
    scene.refuses(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_applications_are_refused_each_with_its_reason_and_nothing_is_stored() {
    let scene = Scene::new();
    let cases = applications::table(&scene).await;
    assert!(cases.len() >= 70, "only {}", cases.len());
    scene.refuses(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_with_several_faults_hears_of_all_of_them_at_once() {
    let scene = Scene::new();
    let subject = request::subject(BRANCH, Some(unit()), names("Mayor", "ｼﾁｮｳ"));
    let mut content = request::content(CertificateKind::Mail, subject.clone());
    content.csr = Draft::rsa(&subject, 1024, 3)
        .with(|draft| draft.version = vec![1])
        .build();
    content.medium = v1::KeyMedium::UsbToken.into();
    content.mail_address = "mayor@example.com".to_owned();
    content.dns_names = vec!["www.city.synthetic.lg.jp".to_owned()];
    let mut request = request::issue(BRANCH, content);
    request.request_id = "短い".to_owned();
    request.examination = Some(v1::BranchExamination {
        decided_on: "2999-01-01".to_owned(),
        ..v1::BranchExamination::default()
    });
    let before = scene.stored().await;
    let refused = scene.submit(scene::OFFICER, request).await.unwrap_err();
    assert_eq!(refused.code, Code::InvalidArgument, "{refused}");
    assert_eq!(
        faults(&refused),
        [
            "examination.approved BRANCH_DID_NOT_APPROVE",
            "examination.decided_on EXAMINATION_IN_THE_FUTURE",
            "examination.office EXAMINER_MISSING",
            "issue.csr CSR_KEY_EXPONENT",
            "issue.csr CSR_KEY_SIZE",
            "issue.csr CSR_VERSION",
            "issue.dns_names DNS_NAMES_NOT_ALLOWED",
            "issue.mail_address MAIL_ADDRESS",
            "issue.medium MEDIUM_NOT_FOR_KIND",
            "issue.subject.name.ja NAME_NOT_JAPANESE",
            "request_id FIELD_MALFORMED",
        ]
    );
    // Every message says something to people, and none is said twice.
    let messages: std::collections::BTreeSet<_> =
        refused.faults.iter().map(|f| f.message.as_str()).collect();
    assert_eq!(messages.len(), refused.faults.len());
    assert!(messages.iter().all(|message| message.len() > 20));
    assert_eq!(scene.stored().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_made_behind_the_issuers_back_cannot_apply() {
    let scene = Scene::new();
    let before = scene.stored().await;
    // Somebody with the CA's key might make such a login; no log knows of it.
    let ca = OrganizationCa::stolen(&scene.installation);
    // A body with a branch, the first of Hokkaido without one, and one that is not there.
    for code in [BRANCH, "01170", "47999"] {
        let body = Some(code.parse().unwrap());
        let login = ca.login(OfficerRole::BranchOfficer, body, valid_now());
        let mut content = request::web_server(BRANCH, "www.synthetic.lg.jp");
        let subject = content.subject.as_mut().unwrap();
        content.csr = Draft::p256(subject).build();
        let refused = scene
            .submit_with(login, request::issue(code, content))
            .await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code, Code::Unauthenticated, "{refused}");
        assert_eq!(refused.reason, "CLIENT_CERTIFICATE_NOT_REGISTERED");
    }
    assert_eq!(scene.stored().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivated_branch_cannot_apply() {
    let scene = Scene::new();
    let reason = ["--reason", "merged into 47002"];
    scene.operate(&[&["directory", "deactivate", "47001"][..], &reason].concat());
    let before = scene.stored().await;
    let request = request::issue("47001", request::web_server("47001", "www.synthetic.lg.jp"));
    let refused = scene
        .submit("branch-officer-47001", request)
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (Code::PermissionDenied, "BRANCH_DEACTIVATED")
    );
    assert_eq!(scene.stored().await.applications, before.applications);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_larger_than_any_application_is_refused() {
    let scene = Scene::new();
    let before = scene.stored().await;
    let mut content = request::web_server(BRANCH, "www.synthetic.lg.jp");
    content.csr = vec![0x30; 5 * 1024 * 1024];
    let request = request::issue(BRANCH, content);
    let refused = scene.submit(scene::OFFICER, request).await.unwrap_err();
    assert_eq!(refused.code, Code::OutOfRange, "{refused}");
    assert_eq!(scene.stored().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_is_wrong_with_is_accepted_after_all_refusals() {
    let scene = Scene::new();
    let before = scene.stored().await;
    let good = official_duty("Mayor", "市長");
    let mut spoilt = good.clone();
    spoilt.request_id = request::request_id();
    if let Some(v1::submit_application_request::Content::Issue(issue)) = &mut spoilt.content {
        issue.csr.push(0);
    }
    scene.submit(scene::OFFICER, spoilt).await.unwrap_err();
    assert_eq!(scene.stored().await, before);
    let accepted = scene.submit(scene::OFFICER, good.clone()).await.unwrap();
    assert!(!accepted.repeated);
    assert_ne!(scene.stored().await, before);
    // Sent again it is the same application, and stored once.
    let after = scene.stored().await;
    let again = scene.submit(scene::OFFICER, good).await.unwrap();
    assert!(again.repeated);
    assert_eq!(
        again.application.unwrap().id,
        accepted.application.unwrap().id
    );
    assert_eq!(scene.stored().await, after);
}
