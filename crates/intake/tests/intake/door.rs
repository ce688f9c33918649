//! Bad applications over gRPC: each refused with its own reason, nothing stored.

use lgpki_domain::{CertificateKind, ErrorClass};
use lgpki_proto::v1::{self, SubmitApplicationRequest, submit_application_request::Content};

use crate::scene::{Scene, application, csr, issue_of, request};

type Spoil = fn(&mut SubmitApplicationRequest);

/// What is spoilt in a good application of a kind, and the fault that follows.
const TABLE: &[(CertificateKind, Spoil, &str, &str)] = &[
    (
        DUTY,
        |r| r.request_id.clear(),
        "request_id",
        "FIELD_MISSING",
    ),
    (
        DUTY,
        |r| r.request_id = "short".into(),
        "request_id",
        "FIELD_MALFORMED",
    ),
    (
        DUTY,
        |r| r.branch = "1001".into(),
        "branch",
        "FIELD_MALFORMED",
    ),
    (
        DUTY,
        |r| r.examination = None,
        "examination",
        "EXAMINATION_MISSING",
    ),
    (
        DUTY,
        |r| examination(r).office = " ".into(),
        "examination.office",
        "EXAMINER_MISSING",
    ),
    (
        DUTY,
        |r| examination(r).office = "長".repeat(65),
        "examination.office",
        "EXAMINER_MALFORMED",
    ),
    (
        DUTY,
        |r| examination(r).approved = false,
        "examination.approved",
        "BRANCH_DID_NOT_APPROVE",
    ),
    (
        DUTY,
        |r| examination(r).decided_on.clear(),
        "examination.decided_on",
        "FIELD_MISSING",
    ),
    (
        DUTY,
        |r| examination(r).decided_on = "2009-02-30".into(),
        "examination.decided_on",
        "FIELD_MALFORMED",
    ),
    (
        DUTY,
        |r| examination(r).decided_on = "2009-02-11".into(),
        "examination.decided_on",
        "EXAMINATION_IN_THE_FUTURE",
    ),
    (
        DUTY,
        |r| examination(r).examiner_name = "名".repeat(65),
        "examination.examiner_name",
        "EXAMINER_NAME_MALFORMED",
    ),
    (DUTY, |r| r.content = None, "content", "FIELD_MISSING"),
    (
        DUTY,
        |r| issue_of(r).kind = 0,
        "issue.kind",
        "FIELD_MISSING",
    ),
    (
        DUTY,
        |r| issue_of(r).kind = 99,
        "issue.kind",
        "FIELD_UNKNOWN_VALUE",
    ),
    (
        DUTY,
        |r| issue_of(r).kind = 7,
        "issue.kind",
        "KIND_NOT_APPLICABLE",
    ),
    (
        DUTY,
        |r| issue_of(r).medium = 0,
        "issue.medium",
        "FIELD_MISSING",
    ),
    (
        DUTY,
        |r| issue_of(r).medium = 2,
        "issue.medium",
        "MEDIUM_NOT_FOR_KIND",
    ),
    (
        DUTY,
        |r| issue_of(r).subject = None,
        "issue.subject",
        "FIELD_MISSING",
    ),
    (
        DUTY,
        |r| subject(r).unit = None,
        "issue.subject.unit",
        "UNIT_MISSING",
    ),
    (
        DUTY,
        |r| name(r).ja = "ç·å".into(),
        "issue.subject.name.ja",
        "NAME_NOT_JAPANESE",
    ),
    (
        DUTY,
        |r| name(r).en = "Bürgermeister".into(),
        "issue.subject.name.en",
        "NAME_NOT_PRINTABLE_STRING",
    ),
    (
        DUTY,
        |r| name(r).en.clear(),
        "issue.subject.name.en",
        "NAME_MISSING",
    ),
    (
        DUTY,
        |r| unit(r).ja = "総務課".into(),
        "issue.subject.unit.ja",
        "ORGANIZATION_NAME_DIFFERS",
    ),
    (
        DUTY,
        |r| unit(r).en = "Harbour Office".into(),
        "issue.subject.unit",
        "ORGANIZATION_NOT_REGISTERED",
    ),
    (
        DUTY,
        |r| body(r).en = "Otaru City".into(),
        "issue.subject.body.en",
        "BODY_NAME_DIFFERS",
    ),
    (DUTY, |r| issue_of(r).csr.clear(), "issue.csr", "CSR_EMPTY"),
    (
        DUTY,
        |r| issue_of(r).csr = vec![0x30; 20_000],
        "issue.csr",
        "CSR_TOO_LARGE",
    ),
    (
        DUTY,
        |r| issue_of(r).csr = b"garbage".to_vec(),
        "issue.csr",
        "CSR_NOT_DER",
    ),
    (DUTY, |r| tamper(r), "issue.csr", "CSR_SIGNATURE_INVALID"),
    (
        DUTY,
        |r| issue_of(r).csr.push(0),
        "issue.csr",
        "CSR_TRAILING_BYTES",
    ),
    (
        DUTY,
        |r| issue_of(r).dns_names = vec!["www.city.lg.jp".into()],
        "issue.dns_names",
        "DNS_NAMES_NOT_ALLOWED",
    ),
    (
        DUTY,
        |r| issue_of(r).mail_address = "a@city.lg.jp".into(),
        "issue.mail_address",
        "MAIL_NOT_ALLOWED",
    ),
    (
        DUTY,
        |r| issue_of(r).login_role = 1,
        "issue.login_role",
        "LOGIN_NOT_ALLOWED",
    ),
    (
        USER,
        |r| resign(r, |r| name(r).en = "archivist".into()),
        "issue.subject.name",
        "ACCOUNT_SUFFIX_MISSING",
    ),
    (
        USER,
        |r| resign(r, |r| name(r).en = "porter-lgacc".into()),
        "issue.subject.name",
        "ACCOUNT_NOT_REGISTERED",
    ),
    (
        USER,
        |r| resign(r, |r| name(r).ja = "主任（利用者）".into()),
        "issue.subject.name.ja",
        "ACCOUNT_NAME_DIFFERS",
    ),
    (
        WEB,
        |r| issue_of(r).medium = 1,
        "issue.medium",
        "MEDIUM_NOT_FOR_KIND",
    ),
    (
        WEB,
        |r| issue_of(r).dns_names.clear(),
        "issue.dns_names",
        "DNS_NAME_COUNT",
    ),
    (
        WEB,
        |r| issue_of(r).dns_names = vec!["www.example.com".into()],
        "issue.dns_names[0]",
        "DNS_NAME",
    ),
    (
        WEB,
        |r| {
            resign(r, |r| {
                issue_of(r).dns_names = vec!["other.city.lg.jp".into()];
            });
        },
        "issue.subject.name.en",
        "NAME_NOT_FIRST_HOST",
    ),
    (
        MAIL,
        |r| issue_of(r).mail_address.clear(),
        "issue.mail_address",
        "MAIL_MISSING",
    ),
    (
        MAIL,
        |r| issue_of(r).mail_address = "a@example.com".into(),
        "issue.mail_address",
        "MAIL_ADDRESS",
    ),
    (
        MAIL,
        |r| {
            resign(r, |r| {
                issue_of(r).mail_address = "a@service.city.lg.jp".into();
            });
        },
        "issue.mail_address",
        "MAIL_ADMINISTRATIVE_DOMAIN",
    ),
    (
        LOGIN,
        |r| issue_of(r).login_role = 0,
        "issue.login_role",
        "LOGIN_ROLE_MISSING",
    ),
    (
        LOGIN,
        |r| issue_of(r).login_role = 3,
        "issue.login_role",
        "LOGIN_ROLE_NOT_APPLICABLE",
    ),
    (
        LOGIN,
        |r| issue_of(r).login_role = 9,
        "issue.login_role",
        "FIELD_UNKNOWN_VALUE",
    ),
    (DUTY, |r| revoke(r, "", 1), "revoke.serial", "FIELD_MISSING"),
    (
        DUTY,
        |r| revoke(r, "zz", 1),
        "revoke.serial",
        "FIELD_MALFORMED",
    ),
    (
        DUTY,
        |r| revoke(r, &"41".repeat(16), 0),
        "revoke.reason",
        "FIELD_MISSING",
    ),
    (
        DUTY,
        |r| revoke(r, &"41".repeat(16), 6),
        "revoke.reason",
        "FIELD_UNKNOWN_VALUE",
    ),
    (
        DUTY,
        |r| revoke(r, &"41".repeat(16), 1),
        "revoke.serial",
        "CERTIFICATE_UNKNOWN",
    ),
];

const DUTY: CertificateKind = CertificateKind::OfficialDuty;
const USER: CertificateKind = CertificateKind::User;
const WEB: CertificateKind = CertificateKind::WebServer;
const MAIL: CertificateKind = CertificateKind::Mail;
const LOGIN: CertificateKind = CertificateKind::Login;

fn examination(r: &mut SubmitApplicationRequest) -> &mut v1::BranchExamination {
    r.examination.as_mut().unwrap()
}

fn subject(r: &mut SubmitApplicationRequest) -> &mut v1::Subject {
    issue_of(r).subject.as_mut().unwrap()
}

fn name(r: &mut SubmitApplicationRequest) -> &mut v1::Names {
    subject(r).name.as_mut().unwrap()
}

fn unit(r: &mut SubmitApplicationRequest) -> &mut v1::Names {
    subject(r).unit.as_mut().unwrap()
}

fn body(r: &mut SubmitApplicationRequest) -> &mut v1::Names {
    subject(r).body.as_mut().unwrap()
}

fn tamper(r: &mut SubmitApplicationRequest) {
    let last = issue_of(r).csr.len() - 1;
    issue_of(r).csr[last] ^= 1;
}

/// Spoils the application before its CSR is made, so that the two agree.
fn resign(r: &mut SubmitApplicationRequest, spoil: Spoil) {
    spoil(r);
    let issue = issue_of(r);
    issue.csr = csr(issue);
}

fn revoke(r: &mut SubmitApplicationRequest, serial: &str, reason: i32) {
    let serial = serial.to_owned();
    *r = request(
        "revoke-it-1",
        Content::Revoke(v1::RevokeContent { serial, reason }),
    );
}

#[tokio::test]
async fn every_fault_has_its_reason_and_leaves_nothing_behind() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    let before = scene.log_entries();
    for (kind, spoil, field, reason) in TABLE {
        let mut application = application(*kind, 1);
        spoil(&mut application);
        let refused = branch.submit(application).await.unwrap_err();
        assert_eq!(
            refused.class(),
            ErrorClass::InvalidInput,
            "{field} {reason}"
        );
        assert_eq!(refused.reason, "APPLICATION_REFUSED");
        let found = refused
            .faults
            .iter()
            .any(|fault| fault.field == *field && fault.reason == *reason);
        assert!(found, "{kind} {field} {reason}: {refused}");
    }
    assert_eq!(scene.log_entries(), before);
    let known = scene.world.known();
    assert!(known.orders.is_empty());
}

#[tokio::test]
async fn an_applicant_is_told_everything_at_once() {
    let scene = Scene::new().await;
    let mut application = application(DUTY, 1);
    application.examination = None;
    unit(&mut application).en = "Harbour Office".to_owned();
    issue_of(&mut application).medium = v1::KeyMedium::UsbToken.into();
    tamper(&mut application);
    let refused = scene.branch().submit(application).await.unwrap_err();
    let mut reasons: Vec<_> = refused.faults.iter().map(|f| f.reason.as_str()).collect();
    reasons.sort_unstable();
    let all = [
        "CSR_SIGNATURE_INVALID",
        "EXAMINATION_MISSING",
        "MEDIUM_NOT_FOR_KIND",
        "ORGANIZATION_NOT_REGISTERED",
    ];
    assert_eq!(reasons, all);
}

#[tokio::test]
async fn a_key_comes_once() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    let first = application(DUTY, 1);
    branch.submitted(first.clone()).await;
    // The same key pair under another name: a CSR for it needs the private key, so the whole
    // request is sent under another request id after the first is out of the way of its subject.
    let mut again = first;
    again.request_id = "the-second-one".to_owned();
    let refused = branch.submit(again).await.unwrap_err();
    let reasons: Vec<_> = refused.faults.iter().map(|f| f.reason.as_str()).collect();
    assert!(
        reasons.contains(&"KEY_USED_BEFORE") || reasons.contains(&"KEY_CERTIFIED_BEFORE"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_stream_of_messages_too_large_to_be_held_together_is_answered_whole() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    let items = (1..=8_u8).map(|n| {
        let mut large = application(CertificateKind::OfficialDuty, n.into());
        if let Some(Content::Issue(content)) = &mut large.content {
            content.csr = vec![0x30; 3 << 20];
        }
        v1::SubmitApplicationsRequest {
            application: Some(large),
        }
    });
    let items: Vec<_> = items.collect();
    let answers = branch
        .applications()
        .submit_applications(tokio_stream::iter(items))
        .await;
    let mut answers = answers.unwrap().into_inner();
    let mut refused = 0;
    while let Some(answer) = answers.message().await.unwrap() {
        let Some(v1::submit_applications_response::Outcome::Refused(refusal)) = answer.outcome
        else {
            panic!("accepted: {}", answer.request_id)
        };
        assert!(refusal.faults.iter().any(|f| f.reason == "CSR_TOO_LARGE"));
        refused += 1;
    }
    assert_eq!(refused, 8);
}
