//! Applications as orders, and answers as settlements; pure.

use lgpki_domain::{ApplicationId, Serial, Timestamp};
use lgpki_proto::{convert, v1};

use crate::ports::{Claimed, Content, IssueContent, Settled, Settlement};

/// The reason text for a refusal that names no fault.
const NO_REASON: &str = "it was refused without a reason; ask the operator";

/// What one answer of the issuer means.
#[derive(Debug)]
pub(super) enum Answer {
    /// The application is settled.
    Settled(Settlement),
    /// The intent is open, or the answer cannot be read: order again later.
    Later,
}

/// The order to issue a claimed application's certificate.
pub(super) fn issuance(claimed: &Claimed, content: &IssueContent) -> v1::IssuanceOrder {
    let application = &claimed.application;
    v1::IssuanceOrder {
        application_id: application.id.to_string(),
        content_digest: application.content_digest.to_string(),
        branch: convert::text_or_empty(application.branch),
        kind: convert::wire(content.kind),
        subject: Some((&content.subject).into()),
        subject_public_key_info: content.public_key.clone(),
        dns_names: content.dns_names.clone(),
        mail_address: content.mail_address.clone().unwrap_or_default(),
        login_role: convert::wire_or_unset(content.login_role),
        attempt: claimed.attempt,
        answers_index: application.log_index,
    }
}

/// The order to revoke a certificate; none if the application is for something else.
pub(super) fn revocation(claimed: &Claimed) -> Option<v1::RevocationOrder> {
    let application = &claimed.application;
    let Content::Revoke { serial, reason, .. } = &application.content else {
        return None;
    };
    Some(v1::RevocationOrder {
        command_id: application.id.to_string(),
        serial: serial.to_string(),
        reason: convert::wire(*reason),
        branch: convert::text_or_empty(application.branch),
        actor: application.applicant.clone(),
        answers_index: application.log_index,
    })
}

/// Reads the issuer's answer to an order.
pub(super) fn issued(claimed: &Claimed, result: v1::IssuanceResult, at: Timestamp) -> Answer {
    use v1::issuance_result::Outcome;
    let id = claimed.application.id;
    if result.application_id != id.to_string() {
        tracing::error!(application = %id, answered = %result.application_id, "the issuer's answers are out of order");
        return Answer::Later;
    }
    let settle = |outcome| Settlement { id, outcome, at };
    match result.outcome {
        Some(Outcome::Issued(issued)) => {
            let Ok(serial) = issued.serial.parse::<Serial>() else {
                tracing::error!(application = %id, serial = %issued.serial, "the issuer answered no serial number");
                return Answer::Later;
            };
            let outcome = Settled::Issued {
                serial,
                certificate: issued.certificate,
                issuer_index: issued.log_index,
            };
            Answer::Settled(settle(outcome))
        }
        Some(Outcome::Refused(refused)) => {
            let reason = reasons(&refused.faults);
            Answer::Settled(settle(Settled::Failed { reason }))
        }
        Some(Outcome::Abandoned(abandoned)) => {
            let attempt = abandoned.attempt;
            Answer::Settled(settle(Settled::Abandoned { attempt }))
        }
        Some(Outcome::InProgress(_)) => Answer::Later,
        Some(Outcome::Unknown(_)) | None => {
            tracing::error!(application = %id, "the issuer's answer to an order says nothing");
            Answer::Later
        }
    }
}

/// Which certificate was revoked when, if lifecycle answers that the claimed application's was.
pub(super) fn done(
    claimed: &Claimed,
    result: &v1::RevocationResult,
) -> Option<(Serial, Timestamp)> {
    let Content::Revoke { serial, .. } = &claimed.application.content else {
        return None;
    };
    let answered = result.command_id == claimed.application.id.to_string();
    let at = result.revoked_at.parse().ok()?;
    (answered && result.refused.is_none()).then_some((*serial, at))
}

/// Reads lifecycle's answer to a revocation.
pub(super) fn revoked(
    id: ApplicationId,
    result: &v1::RevocationResult,
    at: Timestamp,
) -> Option<Settlement> {
    if result.command_id != id.to_string() {
        tracing::error!(application = %id, answered = %result.command_id, "lifecycle's answers are out of order");
        return None;
    }
    let outcome = match &result.refused {
        Some(fault) => Settled::Failed {
            reason: reasons(std::slice::from_ref(fault)),
        },
        None if !result.revoked_at.is_empty() => Settled::Completed,
        None => {
            tracing::error!(application = %id, "lifecycle's answer to a revocation says nothing");
            return None;
        }
    };
    Some(Settlement { id, outcome, at })
}

/// What a refusal of a single order for good means for its application.
pub(super) fn failed(id: ApplicationId, message: &str, at: Timestamp) -> Settlement {
    let reason = clip(message);
    let outcome = Settled::Failed { reason };
    Settlement { id, outcome, at }
}

fn reasons(faults: &[v1::FieldFault]) -> String {
    if faults.is_empty() {
        return NO_REASON.to_owned();
    }
    let all: Vec<_> = faults
        .iter()
        .map(|fault| format!("{} [{}]", fault.message, fault.reason))
        .collect();
    clip(&all.join("; "))
}

/// A reason stands in an entry of the log, whose size is limited.
fn clip(text: &str) -> String {
    text.chars().take(2_000).collect()
}

#[cfg(test)]
mod tests;
