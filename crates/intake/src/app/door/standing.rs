//! An application against the certificates there are and the applications under way.

use lgpki_domain::{
    CertificateKind, Digest, Faults, RevocationReason, Serial, Subject, application::Sort,
};

use super::{Against, CSR, SUBJECT};
use crate::{app::submission::NamedBranch, standings::Held, subject_key::subject_key};

/// The key was never certified here, nor brought by another application.
pub(super) fn check_key(key: Digest, against: &Against<'_>, faults: &mut Faults) {
    // Nothing of media: the one that this key lives on may hold a key in use (R4).
    let renew = "every certificate needs a key pair of its own; make a new one";
    if against.standings.key_was_certified(key) {
        faults.push(
            CSR,
            "KEY_CERTIFIED_BEFORE",
            format!("this key was certified before; {renew}"),
        );
    } else if let Some(other) = against.view.key_used_by {
        faults.push(
            CSR,
            "KEY_USED_BEFORE",
            format!("this key came with application {other}; {renew}"),
        );
    }
}

/// The CA of the kind still issues: what it would not sign at the end need not be examined.
pub(super) fn check_authority(
    kind: Option<CertificateKind>,
    against: &Against<'_>,
    faults: &mut Faults,
) {
    let authority = kind.and_then(CertificateKind::authority);
    let mut ended = against.ended.iter();
    if let Some((authority, last)) = ended.find(|(ended, _)| Some(*ended) == authority) {
        let message = format!(
            "the {authority} CA issued until {last}, for no certificate outlives its CA; destroy no key \
             for this, and apply once the operator has rolled the CA's key over"
        );
        faults.push("issue.kind", "CA_EXPIRES_FIRST", message);
    }
}

/// No valid certificate and no open application has this subject and kind.
pub(super) fn check_subject_is_free(
    kind: CertificateKind,
    subject: &Subject,
    against: &Against<'_>,
    faults: &mut Faults,
) {
    if let Some(other) = against.view.open_for_subject {
        faults.push(
            SUBJECT,
            "SUBJECT_HAS_OPEN_APPLICATION",
            format!(
                "application {other} for the same subject and kind is under way; wait for it or \
                 withdraw it"
            ),
        );
    }
    let key = subject_key(kind, subject);
    if let Some(held) = against.standings.in_force(key, against.now) {
        let (last_day, renewal_opens) = held.days();
        let renewal = if renewal_opens.start() <= against.now {
            "renew it instead (an application of sort renew)".to_owned()
        } else {
            format!("it may be renewed from {renewal_opens} on (an application of sort renew)")
        };
        faults.push(
            SUBJECT,
            "SUBJECT_HAS_VALID_CERTIFICATE",
            format!(
                "certificate {} of the same subject and kind is valid until {last_day}; {renewal}, or \
                 abolish or revoke it first",
                held.serial
            ),
        );
    }
}

/// The certificate to be abolished or revoked is that of the branch applied for and still stands, and
/// no other application ends it. An urgent one need not wait for one that is not.
pub(super) fn certificate_to_revoke(
    (sort, reason): (Sort, Option<RevocationReason>),
    serial: Option<&Serial>,
    branch: NamedBranch,
    against: &Against<'_>,
    faults: &mut Faults,
) -> Option<Held> {
    let serial = *serial?;
    let field = format!("{sort}.serial");
    let held = certificate(serial, &field, branch, against, faults)?;
    if let Some(at) = held.revoked_at {
        let message = format!("certificate {serial} was revoked at {at}; nothing is left to do");
        faults.push(field, "CERTIFICATE_REVOKED_BEFORE", message);
        return None;
    }
    if held.validity.is_over(against.now) {
        let last_day = held.validity.last_day();
        let message = format!("certificate {serial} expired on {last_day}; nothing is left to do");
        faults.push(field, "CERTIFICATE_EXPIRED", message);
        return None;
    }
    let urgent = reason.is_some_and(RevocationReason::is_urgent);
    if let Some((other, also_urgent)) = against.view.ended_by
        && (also_urgent || !urgent)
    {
        let message = format!(
            "application {other} for the end of this certificate is under way; wait for it"
        );
        faults.push(field, "REVOCATION_IS_OPEN", message);
        return None;
    }
    Some(held)
}

/// The certificate that an application names, if it is that of the branch applied for.
pub(super) fn certificate(
    serial: Serial,
    field: &str,
    branch: NamedBranch,
    against: &Against<'_>,
    faults: &mut Faults,
) -> Option<Held> {
    let Some(held) = against.standings.certificate(serial) else {
        let message = format!("there is no certificate {serial}; check the number");
        faults.push(field, "CERTIFICATE_UNKNOWN", message);
        return None;
    };
    let another = match (branch, held.branch) {
        (NamedBranch::One(named), owner) if owner != Some(named) => Some(format!(
            "certificate {serial} was not issued to the branch {named}"
        )),
        (NamedBranch::None, Some(owner)) => Some(format!(
            "certificate {serial} was issued to the branch {owner}; name it"
        )),
        _ => None,
    };
    if let Some(message) = another {
        faults.push(field, "CERTIFICATE_OF_ANOTHER_BRANCH", message);
        return None;
    }
    Some(held)
}
