//! Why a use case did not do what was asked.

use std::{borrow::Cow, time::Duration};

use lgpki_domain::{ApplicationId, ErrorClass, Faults, addressee::AddresseeId};
use lgpki_proto::{Failure, RemoteError};

use crate::{admission::TurnedAway, error::StoreError, ports::ActRefused};

/// Why a use case did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// An application breaks rules; nothing was stored.
    #[error("the application is refused; correct every fault listed and submit it again")]
    Refused(Faults),
    /// A request cannot be read or breaks a limit.
    #[error("the request has faults")]
    Request(Faults),
    /// The request id belongs to an application with other content.
    #[error(
        "the request id belongs to application {0}, which has another content; choose a new request \
         id for a new application"
    )]
    OtherContent(ApplicationId),
    /// The request id belongs to a request with other content about an addressee.
    #[error(
        "the request id belongs to a request about addressee {0}, which has another content; choose a new \
         request id for a new request"
    )]
    OtherAddressee(AddresseeId),
    /// The caller may not do this to that body or branch.
    #[error("{message}")]
    Forbidden {
        /// Stable.
        reason: &'static str,
        /// For people.
        message: String,
    },
    /// What was named does not exist, or the caller may not see it.
    #[error("{message}")]
    NotFound {
        /// Stable.
        reason: &'static str,
        /// For people.
        message: String,
    },
    /// The application's state does not allow it.
    #[error("{message}")]
    WrongState {
        /// Stable.
        reason: &'static str,
        /// For people.
        message: String,
    },
    /// Somebody else was first.
    #[error("{message}")]
    Overtaken {
        /// Stable.
        reason: &'static str,
        /// For people.
        message: String,
    },
    /// Too many applications enter.
    #[error(transparent)]
    TurnedAway(#[from] TurnedAway),
    /// Not yet; trying again soon will help.
    #[error("{message}")]
    NotYet {
        /// Stable.
        reason: &'static str,
        /// For people.
        message: Cow<'static, str>,
        /// When to try again.
        retry_after: Duration,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another service refused or is away.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// Something failed that no caller can mend.
    #[error("{0}")]
    Internal(String),
}

impl AppError {
    /// What kind of failure it is.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Refused(_) | Self::Request(_) => ErrorClass::InvalidInput,
            Self::OtherContent(_) | Self::OtherAddressee(_) => ErrorClass::AlreadyExists,
            Self::Forbidden { .. } => ErrorClass::Forbidden,
            Self::NotFound { .. } => ErrorClass::NotFound,
            Self::WrongState { .. } => ErrorClass::WrongState,
            Self::Overtaken { .. } => ErrorClass::LostRace,
            Self::TurnedAway(_) => ErrorClass::RateLimited,
            Self::NotYet { .. } => ErrorClass::Unavailable,
            Self::Store(error) => error.class(),
            Self::Remote(error) => error.class(),
            Self::Internal(_) => ErrorClass::Internal,
        }
    }

    /// There is no such application, or the caller may not see it.
    #[must_use]
    pub fn no_such_application(id: impl std::fmt::Display) -> Self {
        Self::NotFound {
            reason: "APPLICATION_NOT_FOUND",
            message: format!(
                "there is no application {id} that you may see; check the number with `list`"
            ),
        }
    }
}

impl From<ActRefused> for AppError {
    fn from(refused: ActRefused) -> Self {
        match refused {
            ActRefused::NotFound(id) => Self::no_such_application(id),
            ActRefused::OfAnOperator(_) => Self::Forbidden {
                reason: "APPLICATION_OF_AN_OPERATOR",
                message: refused.to_string(),
            },
            ActRefused::OwnLogin(_) => Self::Forbidden {
                reason: "OWN_LOGIN",
                message: refused.to_string(),
            },
            ActRefused::BranchDeactivated(_) => Self::WrongState {
                reason: "BRANCH_DEACTIVATED",
                message: refused.to_string(),
            },
            ActRefused::CertificateRevoked(..) => Self::WrongState {
                reason: "CERTIFICATE_REVOKED_BEFORE",
                message: refused.to_string(),
            },
            ActRefused::WrongState(wrong) => Self::WrongState {
                reason: "APPLICATION_WRONG_STATE",
                message: wrong.to_string(),
            },
        }
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        let class = error.class();
        let message = error.to_string();
        match error {
            AppError::Refused(faults) => Self::invalid("APPLICATION_REFUSED", message, faults),
            AppError::Request(faults) => Self::from(faults),
            AppError::OtherContent(_) | AppError::OtherAddressee(_) => {
                Self::new(class, "REQUEST_ID_TAKEN", message)
            }
            AppError::Forbidden { reason, .. }
            | AppError::NotFound { reason, .. }
            | AppError::Overtaken { reason, .. }
            | AppError::WrongState { reason, .. } => Self::new(class, reason, message),
            AppError::TurnedAway(turned) => {
                Self::new(class, turned.limit.reason(), message).retry_after(turned.retry_after)
            }
            AppError::NotYet {
                reason,
                retry_after,
                ..
            } => Self::new(class, reason, message).retry_after(retry_after),
            AppError::Store(error) if class == ErrorClass::Unavailable => {
                // What is wrong with our disk is for our log.
                tracing::error!(error = %lgpki_runtime::error::chain(&error), "the store cannot do it");
                let message = "the store cannot take it now; whether it was stored is not certain: send it \
                               again, with the same request id";
                Self::new(class, "STORE_BUSY", message).retry_after(Duration::from_secs(1))
            }
            AppError::Store(_) => Self::new(class, "STORE", message),
            AppError::Remote(error) => relay(error),
            AppError::Internal(message) => Self::internal(message),
        }
    }
}

/// Another service's refusal as ours. What only says that the two services do not understand each
/// other, or that the other one is away, is not the caller's business.
fn relay(error: RemoteError) -> Failure {
    match error.class() {
        ErrorClass::Unauthenticated | ErrorClass::Forbidden | ErrorClass::Internal => {
            Failure::internal(error.to_string())
        }
        ErrorClass::Unavailable => Failure::unavailable(
            "SERVICE_AWAY",
            "a service that this needs is away for the moment; try again",
            error.retry_after.unwrap_or(Duration::from_secs(1)),
        ),
        ErrorClass::InvalidInput
        | ErrorClass::NotFound
        | ErrorClass::AlreadyExists
        | ErrorClass::WrongState
        | ErrorClass::LostRace
        | ErrorClass::RateLimited
        | ErrorClass::Corrupt => Failure::from(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_becomes_the_failure_that_its_caller_may_read() {
        let mut faults = Faults::new();
        faults.push("issue.csr", "CSR_EMPTY", "no CSR");
        let failure = Failure::from(AppError::Refused(faults));
        assert_eq!(failure.class, ErrorClass::InvalidInput);
        assert_eq!(failure.reason, "APPLICATION_REFUSED");
        assert_eq!(failure.faults.len(), 1);

        let id = ApplicationId::from_bytes([1; 16]);
        let taken = Failure::from(AppError::OtherContent(id));
        assert_eq!(taken.class, ErrorClass::AlreadyExists);
        assert!(taken.message.contains(&id.to_string()));
        let foreign = |status| Failure::from(AppError::from(RemoteError::from(status)));
        let away = foreign(tonic::Status::unavailable(
            "tcp connect error: 10.0.0.7:7001",
        ));
        assert!(away.retry_after.is_some() && !away.message.contains("10.0.0.7"));
        let misunderstood = foreign(tonic::Status::permission_denied("intake may not"));
        assert_eq!(misunderstood.class, ErrorClass::Internal);
        let hidden = Failure::from(AppError::from(ActRefused::NotFound(id)));
        assert_eq!(hidden.class, ErrorClass::NotFound);
    }
}
