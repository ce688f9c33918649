//! How applications and certificates are shown.

use serde::Serialize;

use lgpki_domain::CertificateKind;
use lgpki_proto::v1;

use super::queue::estimate_line;
use crate::output::{sheet, table};

/// The contract's enum names without their prefix, in the spelling of the command line.
pub(crate) fn spell(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix)
        .unwrap_or(name)
        .to_lowercase()
        .replace('_', "-")
}

pub(crate) fn state(application: &v1::Application) -> String {
    spell(application.state().as_str_name(), "APPLICATION_STATE_")
}

/// Whether it came to nothing: it was rejected, was withdrawn or failed.
pub(crate) fn ended(application: &v1::Application) -> bool {
    use v1::ApplicationState::{Failed, Rejected, Withdrawn};
    [Rejected, Withdrawn, Failed].contains(&application.state())
}

/// Names in JSON results.
#[derive(Serialize)]
pub(crate) struct NamesView {
    en: String,
    ja: String,
}

impl NamesView {
    pub(crate) fn of(names: Option<&v1::Names>) -> Option<Self> {
        names.map(|n| Self {
            en: n.en.clone(),
            ja: n.ja.clone(),
        })
    }
}

#[derive(Serialize)]
struct SubjectView {
    body: Option<NamesView>,
    unit: Option<NamesView>,
    name: Option<NamesView>,
}

impl SubjectView {
    fn of(subject: Option<&v1::Subject>) -> Option<Self> {
        subject.map(|s| Self {
            body: NamesView::of(s.body.as_ref()),
            unit: NamesView::of(s.unit.as_ref()),
            name: NamesView::of(s.name.as_ref()),
        })
    }

    fn name(subject: Option<&v1::Subject>) -> String {
        subject
            .and_then(|s| s.name.as_ref())
            .map(|n| n.ja.clone())
            .unwrap_or_default()
    }

    fn line(subject: Option<&v1::Subject>) -> String {
        let Some(subject) = subject else {
            return String::new();
        };
        [&subject.body, &subject.unit, &subject.name]
            .into_iter()
            .flatten()
            .map(|n| format!("{}（{}）", n.ja, n.en))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// Whom a certificate names, in Japanese, for tables.
pub(crate) fn subject_name(subject: Option<&v1::Subject>) -> String {
    SubjectView::name(subject)
}

/// An application in JSON results; empty values are left out.
#[derive(Serialize)]
pub(crate) struct ApplicationView {
    id: String,
    request_id: String,
    branch: String,
    sort: String,
    kind: String,
    subject: Option<SubjectView>,
    state: String,
    state_since: String,
    received_at: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    serial: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    approvals: u32,
    approvals_needed: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    key_digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    medium: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    examination: Option<ExaminationView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dns_names: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    mail_address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    login_role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revocation_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimate: Option<EstimateView>,
    /// Why it stands where it stands, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<serde_json::Value>,
}

#[derive(Serialize)]
struct EstimateView {
    earliest: String,
    latest: String,
}

impl ApplicationView {
    /// The same with why it stands where it stands.
    pub(crate) fn standing_there(self, queue: Option<serde_json::Value>) -> Self {
        Self { queue, ..self }
    }
}

#[derive(Serialize)]
struct ExaminationView {
    office: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    examiner_name: String,
    decided_on: String,
}

/// A value of an enum in the spelling of the command line; none if it is not given.
fn given(number: i32, name: &str, prefix: &str) -> Option<String> {
    (number != 0).then(|| spell(name, prefix))
}

impl From<&v1::Application> for ApplicationView {
    fn from(a: &v1::Application) -> Self {
        Self {
            id: a.id.clone(),
            request_id: a.request_id.clone(),
            branch: a.branch.clone(),
            sort: spell(a.sort().as_str_name(), "APPLICATION_SORT_"),
            kind: spell(a.kind().as_str_name(), "CERTIFICATE_KIND_"),
            subject: SubjectView::of(a.subject.as_ref()),
            state: state(a),
            state_since: a.state_since.clone(),
            received_at: a.received_at.clone(),
            serial: a.serial.clone(),
            reason: a.reason.clone(),
            approvals: a.approvals,
            approvals_needed: a.approvals_needed,
            key_digest: a.key_digest.clone(),
            medium: given(a.medium, a.medium().as_str_name(), "KEY_MEDIUM_"),
            examination: a.examination.as_ref().map(|e| ExaminationView {
                office: e.office.clone(),
                examiner_name: e.examiner_name.clone(),
                decided_on: e.decided_on.clone(),
            }),
            dns_names: a.dns_names.clone(),
            mail_address: a.mail_address.clone(),
            login_role: given(a.login_role, a.login_role().as_str_name(), "OFFICER_ROLE_"),
            revocation_reason: given(
                a.revocation_reason,
                a.revocation_reason().as_str_name(),
                "REVOCATION_REASON_",
            ),
            estimate: a.estimate.as_ref().map(|estimate| EstimateView {
                earliest: estimate.earliest.clone(),
                latest: estimate.latest.clone(),
            }),
            queue: None,
        }
    }
}

/// Where an application stands, with the approvals that it waits for.
pub(crate) fn standing(a: &v1::Application) -> String {
    match a.approvals_needed {
        0 | 1 => state(a),
        needed => format!("{} ({} of {needed} approved)", state(a), a.approvals),
    }
}

/// The table of many applications.
pub(crate) fn applications_table(applications: &[v1::Application]) -> String {
    let mut header = vec![
        "application",
        "branch",
        "sort",
        "kind",
        "name",
        "state",
        "since",
    ];
    // Where nothing is under way there is nothing to estimate.
    let estimated = applications.iter().any(|a| a.estimate.is_some());
    if estimated {
        header.push("will be issued");
    }
    table(
        &header,
        applications.iter().map(|a| {
            let view = ApplicationView::from(a);
            let mut row = vec![
                view.id,
                view.branch,
                view.sort,
                kind_ja(&view.kind),
                SubjectView::name(a.subject.as_ref()),
                standing(a),
                short_time(&view.state_since),
            ];
            if estimated {
                row.push(estimate_line(a.estimate.as_ref()));
            }
            row
        }),
    )
}

/// One application in full.
pub(crate) fn application_sheet(a: &v1::Application) -> String {
    let view = ApplicationView::from(a);
    let approvals = match (view.approvals, view.approvals_needed) {
        (_, 0) => String::new(),
        (given, needed) => format!("{given} of {needed}"),
    };
    let examined = a.examination.as_ref().map(|e| {
        let name = if e.examiner_name.is_empty() {
            String::new()
        } else {
            format!(" {}", e.examiner_name)
        };
        format!("{}{name}, {}", e.office, e.decided_on)
    });
    sheet(&[
        ("application", view.id),
        ("request id", view.request_id),
        ("branch", view.branch),
        ("sort", view.sort),
        ("kind", kind_ja(&view.kind)),
        ("subject", SubjectView::line(a.subject.as_ref())),
        ("host names", a.dns_names.join(", ")),
        ("mail address", a.mail_address.clone()),
        ("office", view.login_role.unwrap_or_default()),
        ("medium", view.medium.unwrap_or_default()),
        ("key", a.key_digest.clone()),
        ("why revoked", view.revocation_reason.unwrap_or_default()),
        (
            "state",
            format!("{} since {}", view.state, short_time(&view.state_since)),
        ),
        ("reason", view.reason),
        ("approvals", approvals),
        ("branch's examination", examined.unwrap_or_default()),
        ("received", short_time(&view.received_at)),
        ("will be issued", estimate_line(a.estimate.as_ref())),
        ("certificate", view.serial),
    ])
}

/// A certificate in JSON results.
#[derive(Serialize)]
pub(crate) struct CertificateView {
    serial: String,
    authority: String,
    kind: String,
    branch: String,
    subject: Option<SubjectView>,
    not_before: String,
    not_after: String,
    state: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    revoked_at: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    revocation_reason: String,
    application_id: String,
    key_digest: String,
}

impl From<&v1::Certificate> for CertificateView {
    fn from(c: &v1::Certificate) -> Self {
        let reason = spell(c.revocation_reason().as_str_name(), "REVOCATION_REASON_");
        Self {
            serial: c.serial.clone(),
            authority: spell(c.authority().as_str_name(), "AUTHORITY_"),
            kind: spell(c.kind().as_str_name(), "CERTIFICATE_KIND_"),
            branch: c.branch.clone(),
            subject: SubjectView::of(c.subject.as_ref()),
            not_before: c.not_before.clone(),
            not_after: c.not_after.clone(),
            state: spell(c.state().as_str_name(), "CERTIFICATE_STATE_"),
            revoked_at: c.revoked_at.clone(),
            revocation_reason: if c.revoked_at.is_empty() {
                String::new()
            } else {
                reason
            },
            application_id: c.application_id.clone(),
            key_digest: c.key_digest.clone(),
        }
    }
}

/// The table of many certificates.
pub(crate) fn certificates_table(certificates: &[v1::Certificate]) -> String {
    table(
        &["serial", "branch", "kind", "name", "state", "expires"],
        certificates.iter().map(|c| {
            let view = CertificateView::from(c);
            vec![
                view.serial,
                view.branch,
                kind_ja(&view.kind),
                SubjectView::name(c.subject.as_ref()),
                view.state,
                view.not_after.chars().take(10).collect(),
            ]
        }),
    )
}

/// One certificate in full.
pub(crate) fn certificate_sheet(c: &v1::Certificate) -> String {
    let view = CertificateView::from(c);
    sheet(&[
        ("serial", view.serial),
        ("CA", view.authority),
        ("kind", kind_ja(&view.kind)),
        ("branch", view.branch),
        ("subject", SubjectView::line(c.subject.as_ref())),
        (
            "valid",
            format!(
                "{} to {}",
                short_time(&view.not_before),
                short_time(&view.not_after)
            ),
        ),
        ("state", view.state),
        (
            "revoked",
            format!(
                "{} {}",
                short_time(&view.revoked_at),
                view.revocation_reason
            )
            .trim()
            .to_owned(),
        ),
        ("application", view.application_id),
        ("key", view.key_digest),
    ])
}

/// A kind's name in Japanese.
pub(crate) fn kind_ja(name: &str) -> String {
    CertificateKind::parse(name).map_or_else(|| name.to_owned(), |k| k.name_ja().to_owned())
}

/// `2008-02-04 09:15:00` of an RFC 3339 time in JST.
pub(crate) fn short_time(time: &str) -> String {
    time.get(..19)
        .map(|t| t.replace('T', " "))
        .unwrap_or_default()
}
