//! What another service answered, typed again.

use std::{fmt, time::Duration};

use lgpki_domain::ErrorClass;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{CORRELATION_ID, DOMAIN, TRANSPORT, class};
use crate::v1;

/// A failed call as the caller sees it; prints itself for people, one fault a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteError {
    /// The gRPC code.
    pub code: Code,
    /// The stable reason; `TRANSPORT` where the status did not come from a service of ours.
    pub reason: String,
    /// For people.
    pub message: String,
    /// Every fault found in the request.
    pub faults: Vec<v1::FieldFault>,
    /// When trying again may help.
    pub retry_after: Option<Duration>,
    /// Under which the service's log holds more.
    pub correlation_id: Option<String>,
}

impl RemoteError {
    /// What kind of failure it is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        class(self.code)
    }

    /// Whether the same call may succeed later: the service is away, overloaded, or was lost a race.
    #[must_use]
    pub const fn may_be_tried_again(&self) -> bool {
        matches!(
            self.class(),
            ErrorClass::Unavailable | ErrorClass::LostRace | ErrorClass::RateLimited
        )
    }
}

impl From<&Status> for RemoteError {
    fn from(status: &Status) -> Self {
        let info = status
            .get_details_error_info()
            .filter(|info| info.domain == DOMAIN);
        let (reason, correlation_id) = match info {
            Some(mut info) => (info.reason, info.metadata.remove(CORRELATION_ID)),
            None => (TRANSPORT.to_owned(), None),
        };
        let faults = status
            .get_details_bad_request()
            .map(|bad| bad.field_violations)
            .unwrap_or_default();
        Self {
            code: if connection_failed(status) {
                Code::Unavailable
            } else {
                status.code()
            },
            reason,
            message: status.message().to_owned(),
            faults: faults
                .into_iter()
                .map(|violation| v1::FieldFault {
                    field: violation.field,
                    reason: violation.reason,
                    message: violation.description,
                })
                .collect(),
            retry_after: status
                .get_details_retry_info()
                .and_then(|info| info.retry_delay),
            correlation_id,
        }
    }
}

/// Whether there was no answer because the connection broke, as when the peer was killed: tonic then
/// says UNKNOWN, INTERNAL or CANCELLED and names the cause, which no peer's answer has.
fn connection_failed(status: &Status) -> bool {
    let unclear = matches!(
        status.code(),
        Code::Unknown | Code::Internal | Code::Cancelled
    );
    unclear && std::error::Error::source(status).is_some()
}

impl From<Status> for RemoteError {
    fn from(status: Status) -> Self {
        Self::from(&status)
    }
}

impl From<v1::Refusal> for RemoteError {
    fn from(refusal: v1::Refusal) -> Self {
        Self {
            code: Code::from_i32(refusal.code),
            reason: refusal.reason,
            message: refusal.message,
            faults: refusal.faults,
            retry_after: u64::try_from(refusal.retry_after_ms)
                .ok()
                .filter(|ms| *ms > 0)
                .map(Duration::from_millis),
            correlation_id: None,
        }
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = if self.message.is_empty() {
            self.code.description()
        } else {
            &self.message
        };
        write!(f, "{message} [{}]", self.reason)?;
        for fault in &self.faults {
            f.write_str("\n  ")?;
            if !fault.field.is_empty() {
                write!(f, "{}: ", fault.field)?;
            }
            write!(f, "{} [{}]", fault.message, fault.reason)?;
        }
        if let Some(delay) = self.retry_after {
            write!(f, "\n  try again in {} s", delay.as_secs_f64().ceil())?;
        }
        Ok(())
    }
}

impl std::error::Error for RemoteError {}
