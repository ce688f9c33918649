//! Applications and directories onto the wire.

use lgpki_domain::{
    application::State,
    directory::{Account, Body, Branch, Organization},
    estimate::Promise,
};
use lgpki_proto::{convert, v1};

use crate::{
    app::read::subject_of,
    ports::{Application, Content},
};

/// When something will be issued.
pub(super) fn estimate(promise: Promise) -> v1::Estimate {
    v1::Estimate {
        earliest: promise.earliest.to_string(),
        latest: promise.latest.to_string(),
    }
}

/// An application; the examiner's name is given only where the caller may see it.
pub(super) fn application(
    application: &Application,
    examiner_name: Option<String>,
) -> v1::Application {
    let (kind, subject) = subject_of(application);
    let mut wire = v1::Application {
        id: application.id.to_string(),
        request_id: application.request_id.to_string(),
        branch: convert::text_or_empty(application.branch),
        sort: convert::wire(application.sort),
        kind: convert::wire(kind),
        subject: Some(subject.into()),
        state: convert::state_number(&application.state),
        state_since: application.state.since().to_string(),
        received_at: application.received_at.to_string(),
        examination: Some(v1::BranchExamination {
            office: application.examination.office.clone(),
            examiner_name: examiner_name.unwrap_or_default(),
            approved: true,
            decided_on: application.examination.decided_on.to_string(),
        }),
        estimate: application.estimate.map(estimate),
        ..v1::Application::default()
    };
    match &application.content {
        Content::Issue(content) => {
            wire.key_digest = content.key_digest.to_string();
            wire.medium = convert::wire(content.medium);
            wire.dns_names.clone_from(&content.dns_names);
            wire.mail_address = content.mail_address.clone().unwrap_or_default();
            wire.login_role = convert::wire_or_unset(content.login_role);
            wire.renewed_serial = convert::text_or_empty(content.renews);
        }
        Content::Revoke { serial, reason, .. } => {
            wire.serial = serial.to_string();
            wire.revocation_reason = convert::wire(*reason);
        }
    }
    match &application.state {
        State::Issued { serial, .. } | State::Delivered { serial, .. } => {
            wire.serial = serial.to_string();
        }
        State::Rejected { reason, .. } | State::Failed { reason, .. } => {
            wire.reason.clone_from(reason);
        }
        State::Examining {
            approved_by,
            needed,
            ..
        } => {
            wire.approvals = u32::try_from(approved_by.len()).unwrap_or(u32::MAX);
            wire.approvals_needed = *needed;
        }
        State::Received { .. }
        | State::Approved { .. }
        | State::Queued { .. }
        | State::Issuing { .. }
        | State::Completed { .. }
        | State::Withdrawn { .. } => {}
    }
    wire
}

/// A body with the state of its branch.
pub(super) fn body(body: &Body) -> v1::Body {
    let (branch, deactivated_at, deactivation_reason) = match &body.branch {
        Branch::None => (v1::BranchState::None, String::new(), String::new()),
        Branch::Active => (v1::BranchState::Active, String::new(), String::new()),
        Branch::Deactivated { at, reason } => {
            (v1::BranchState::Deactivated, at.to_string(), reason.clone())
        }
    };
    v1::Body {
        code: body.code.to_string(),
        names: Some((&body.names).into()),
        branch: branch.into(),
        deactivated_at,
        deactivation_reason,
    }
}

/// A registered unit.
pub(super) fn organization(organization: &Organization) -> v1::Organization {
    v1::Organization {
        names: Some((&organization.names).into()),
    }
}

/// A registered role.
pub(super) fn account(account: &Account) -> v1::Account {
    v1::Account {
        unit_en: account.unit_en.clone(),
        names: Some((&account.names).into()),
    }
}
