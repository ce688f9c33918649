//! The closed list of reasons for which a caller is turned away.

use std::time::Duration;

use lgpki_domain::{CertificateKind, ErrorClass, Role, Timestamp};
use lgpki_proto::{Failure, access::Access};

/// The reason while the service does not know yet which logins are revoked.
pub(crate) const STANDING_UNKNOWN: &str = "LOGIN_STANDING_UNKNOWN";
/// When a caller may try again meanwhile.
const CATCHING_UP: Duration = Duration::from_secs(2);

/// Why a caller is turned away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    class: ErrorClass,
    pub(crate) reason: &'static str,
    message: String,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let failure = Self::new(refusal.class, refusal.reason, refusal.message);
        if refusal.reason == STANDING_UNKNOWN {
            return failure.retry_after(CATCHING_UP);
        }
        failure
    }
}

fn unauthenticated(reason: &'static str, message: impl Into<String>) -> Refusal {
    Refusal {
        class: ErrorClass::Unauthenticated,
        reason,
        message: message.into(),
    }
}

fn forbidden(reason: &'static str, message: impl Into<String>) -> Refusal {
    Refusal {
        class: ErrorClass::Forbidden,
        reason,
        message: message.into(),
    }
}

pub(crate) fn missing() -> Refusal {
    unauthenticated(
        "CLIENT_CERTIFICATE_MISSING",
        "no client certificate came with the connection; log in with your login certificate \
         (mutual TLS)",
    )
}

pub(crate) fn untrusted() -> Refusal {
    unauthenticated(
        "CLIENT_CERTIFICATE_UNTRUSTED",
        "the client certificate was not issued by a CA that this service trusts; log in with a \
         login certificate of the Organization CA",
    )
}

pub(crate) fn expired(not_after: Timestamp) -> Refusal {
    unauthenticated(
        "CLIENT_CERTIFICATE_EXPIRED",
        format!("the client certificate expired at {not_after}; log in with its successor"),
    )
}

pub(crate) fn not_yet_valid(not_before: Timestamp) -> Refusal {
    unauthenticated(
        "CLIENT_CERTIFICATE_NOT_YET_VALID",
        format!("the client certificate is valid only from {not_before} on"),
    )
}

pub(crate) fn revoked(at: Timestamp) -> Refusal {
    unauthenticated(
        "CLIENT_CERTIFICATE_REVOKED",
        format!("the client certificate was revoked at {at}; log in with another one"),
    )
}

pub(crate) fn not_registered() -> Refusal {
    unauthenticated(
        "CLIENT_CERTIFICATE_NOT_REGISTERED",
        "the client certificate is not among those that the Organization CA is known to have issued; \
         if it comes from a ceremony of today, try again shortly, otherwise tell the operator",
    )
}

pub(crate) fn not_a_login_certificate(kind: Option<CertificateKind>) -> Refusal {
    let found = kind.map_or_else(
        || "the client certificate names no caller".to_owned(),
        |kind| format!("a certificate of kind {kind} cannot log in"),
    );
    forbidden(
        "NOT_A_LOGIN_CERTIFICATE",
        format!("{found}; log in with a login certificate"),
    )
}

pub(crate) fn in_renewal() -> Refusal {
    forbidden(
        "LOGIN_IN_RENEWAL",
        "this login certificate is being renewed: until the new one is delivered it may only read, \
         watch, withdraw, download and confirm; log in with the new one or with another of the branch, \
         or withdraw the renewal",
    )
}

pub(crate) fn branch_deactivated() -> Refusal {
    forbidden(
        "BRANCH_DEACTIVATED",
        "the branch of this login certificate was deactivated; log in for the successor body",
    )
}

pub(crate) fn standing_unknown() -> Refusal {
    Refusal {
        class: ErrorClass::Unavailable,
        reason: STANDING_UNKNOWN,
        message: "the service is still reading which login certificates are revoked".to_owned(),
    }
}

pub(crate) fn role_not_allowed(role: Role, row: &Access) -> Refusal {
    let open_to: Vec<_> = row.roles.iter().map(|role| role.name()).collect();
    forbidden(
        "ROLE_NOT_ALLOWED",
        format!(
            "{} is open to {}, not to {role}",
            row.path,
            open_to.join(", ")
        ),
    )
}

/// A path that this service does not serve.
pub(crate) fn not_served() -> Failure {
    Failure::forbidden(
        "RPC_NOT_SERVED_HERE",
        "this service does not serve that RPC",
    )
}
