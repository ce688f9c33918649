//! Applications that nothing is wrong with, for tests to submit or to spoil.

use std::sync::atomic::{AtomicU64, Ordering};

use lgpki_domain::{Clock, prefecture::synthetic_bodies};
use lgpki_proto::v1::{self, submit_application_request::Content};
use lgpki_runtime::clock::SystemClock;

use crate::draft::Draft;

/// A name in both languages.
#[must_use]
pub fn names(en: &str, ja: &str) -> v1::Names {
    v1::Names {
        en: en.to_owned(),
        ja: ja.to_owned(),
    }
}

/// The names of a body, as in the body name list.
#[must_use]
pub fn body(code: &str) -> v1::Names {
    let bodies = synthetic_bodies();
    let body = bodies.iter().find(|body| body.code.to_string() == code);
    (&body.expect("a body of the list").names).into()
}

/// A subject of the body `code`.
#[must_use]
pub fn subject(code: &str, unit: Option<v1::Names>, name: v1::Names) -> v1::Subject {
    v1::Subject {
        body: Some(body(code)),
        unit,
        name: Some(name),
    }
}

/// A request id that no other request of this process has.
#[must_use]
pub fn request_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("test-{:08}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The examination of a branch that approved today.
#[must_use]
pub fn examination() -> v1::BranchExamination {
    v1::BranchExamination {
        office: "総務課長".to_owned(),
        examiner_name: String::new(),
        approved: true,
        decided_on: SystemClock.now().jst_date().to_string(),
    }
}

/// An application of branch `code`.
#[must_use]
pub fn application(code: &str, content: Content) -> v1::SubmitApplicationRequest {
    v1::SubmitApplicationRequest {
        request_id: request_id(),
        branch: code.to_owned(),
        examination: Some(examination()),
        content: Some(content),
    }
}

/// An application for a new certificate.
#[must_use]
pub fn issue(code: &str, content: v1::IssueContent) -> v1::SubmitApplicationRequest {
    application(code, Content::Issue(content))
}

/// An application to revoke a certificate.
#[must_use]
pub fn revoke(
    code: &str,
    serial: &str,
    reason: v1::RevocationReason,
) -> v1::SubmitApplicationRequest {
    let content = v1::RevokeContent {
        serial: serial.to_owned(),
        reason: reason.into(),
    };
    application(code, Content::Revoke(content))
}

/// What to ask for a certificate of `kind` on its usual medium, with a good request and a new key.
#[must_use]
pub fn content(kind: v1::CertificateKind, subject: v1::Subject) -> v1::IssueContent {
    let medium = match kind {
        v1::CertificateKind::WebServer => v1::KeyMedium::Server,
        _ => v1::KeyMedium::IcCard,
    };
    v1::IssueContent {
        kind: kind.into(),
        csr: Draft::p256(&subject).build(),
        subject: Some(subject),
        medium: medium.into(),
        ..v1::IssueContent::default()
    }
}

/// What to ask for a web server's certificate.
#[must_use]
pub fn web_server(code: &str, host: &str) -> v1::IssueContent {
    let subject = subject(code, None, names(host, "公式サイト"));
    v1::IssueContent {
        dns_names: vec![host.to_owned()],
        ..content(v1::CertificateKind::WebServer, subject)
    }
}
