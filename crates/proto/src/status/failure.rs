//! A failure as a service states it, and the status it becomes.

use std::{borrow::Cow, collections::HashMap, fmt, time::Duration};

use lgpki_domain::{ErrorClass, Faults};
use tonic::Status;
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use super::{CORRELATION_ID, DOMAIN, RemoteError, code};
use crate::v1;

/// The reason of a refusal that no more special one was given for.
const REQUEST_INVALID: &str = "REQUEST_INVALID";
/// Bytes of faults that a status carries at most: a status travels in HTTP/2 header fields, of which
/// common clients take 8 KiB, and base64 adds a third.
const STATUS_BYTES: usize = 3500;
/// Characters of a status message at most, which are percent-encoded.
const MESSAGE_CHARACTERS: usize = 300;

/// When to try again while another service is away.
const AWAY: Duration = Duration::from_secs(2);

/// Why a call fails: everything that its status will say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure, and so the gRPC code.
    pub class: ErrorClass,
    /// The stable reason that programs decide on, such as `APPLICATION_REFUSED`.
    pub reason: Cow<'static, str>,
    /// For people. Of `Corrupt` and `Internal` failures it is for the log alone.
    pub message: String,
    /// Every fault found in the request.
    pub faults: Vec<v1::FieldFault>,
    /// When trying again may help.
    pub retry_after: Option<Duration>,
    /// Under which the log holds more.
    pub correlation_id: Option<String>,
}

impl Failure {
    /// A failure without further details.
    pub fn new(
        class: ErrorClass,
        reason: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            class,
            reason: reason.into(),
            message: message.into(),
            faults: Vec::new(),
            retry_after: None,
            correlation_id: None,
        }
    }

    /// A request that breaks rules, with all of them.
    pub fn invalid(
        reason: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
        faults: Faults,
    ) -> Self {
        Self {
            faults: faults.into_iter().map(Into::into).collect(),
            ..Self::new(ErrorClass::InvalidInput, reason, message)
        }
    }

    /// What was named does not exist, or the caller may not see it.
    pub fn not_found(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorClass::NotFound, reason, message)
    }

    /// The caller may not do this.
    pub fn forbidden(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Forbidden, reason, message)
    }

    /// The object's state does not allow it.
    pub fn wrong_state(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorClass::WrongState, reason, message)
    }

    /// Overloaded, draining, or a needed service is away; `retry_after` says when to try again.
    pub fn unavailable(
        reason: &'static str,
        message: impl Into<String>,
        retry_after: Duration,
    ) -> Self {
        Self::new(ErrorClass::Unavailable, reason, message).retry_after(retry_after)
    }

    /// A fault of ours; `message` goes to the log, never to the client.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Internal, "INTERNAL", message)
    }

    /// Says when trying again may help.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Names the log's record of this call.
    #[must_use]
    pub fn with_correlation_id(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// Whether the message is for the log alone and a human must look.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        matches!(self.class, ErrorClass::Corrupt | ErrorClass::Internal)
    }

    /// What the client may read.
    fn public_message(&self) -> String {
        let fixed = match self.class {
            ErrorClass::Internal => "an internal fault of the service",
            ErrorClass::Corrupt => "stored data of the service is damaged",
            _ => return self.message.clone(),
        };
        match &self.correlation_id {
            Some(id) => format!("{fixed}; tell the operator the correlation id {id}"),
            None => format!("{fixed}; tell the operator when it happened"),
        }
    }

    fn public_reason(&self) -> &str {
        match self.class {
            ErrorClass::Internal => "INTERNAL",
            ErrorClass::Corrupt => "DATA_DAMAGED",
            _ => &self.reason,
        }
    }

    /// The faults that the client may read: none of a failure of ours.
    fn public_faults(self) -> Vec<v1::FieldFault> {
        if self.is_ours() {
            Vec::new()
        } else {
            self.faults
        }
    }

    /// The gRPC status. Faults that do not fit into a status are counted in a last one.
    #[must_use]
    pub fn into_status(self) -> Status {
        let mut details = ErrorDetails::new();
        let mut metadata = HashMap::new();
        if let Some(id) = &self.correlation_id {
            metadata.insert(CORRELATION_ID.to_owned(), id.clone());
        }
        details.set_error_info(self.public_reason(), DOMAIN, metadata);
        if let Some(delay) = self.retry_after {
            details.set_retry_info(Some(delay));
        }
        let code = code(self.class);
        let message = clip(&self.public_message(), MESSAGE_CHARACTERS);
        let faults = within_a_status(self.public_faults());
        if !faults.is_empty() {
            details.set_bad_request(faults);
        }
        Status::with_error_details(code, message, details)
    }

    /// The refusal of one item of many; the same as the status of a single call.
    #[must_use]
    pub fn into_refusal(self) -> v1::Refusal {
        let retry_after = self.retry_after.unwrap_or_default();
        v1::Refusal {
            code: i32::from(code(self.class)),
            reason: self.public_reason().to_owned(),
            message: self.public_message(),
            // At least one, for 0 means that trying again does not help.
            retry_after_ms: i64::try_from(retry_after.as_millis())
                .unwrap_or(i64::MAX)
                .max(i64::from(self.retry_after.is_some())),
            faults: self.public_faults(),
        }
    }
}

fn clip(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// As many faults as a status can carry.
fn within_a_status(faults: Vec<v1::FieldFault>) -> Vec<FieldViolation> {
    let total = faults.len();
    let mut violations = Vec::with_capacity(total);
    let mut bytes = 0;
    for fault in faults {
        let field = clip(&fault.field, 120);
        let message = clip(&fault.message, 400);
        bytes += field.len() + fault.reason.len() + message.len() + 12;
        if bytes > STATUS_BYTES && !violations.is_empty() {
            let more = total - violations.len();
            let text = format!("{more} more faults were found; correct these first");
            violations.push(violation(String::new(), "MORE_FAULTS".to_owned(), text));
            break;
        }
        violations.push(violation(field, fault.reason, message));
    }
    violations
}

fn violation(field: String, reason: String, description: String) -> FieldViolation {
    FieldViolation {
        field,
        description,
        reason,
        localized_message: None,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.reason)?;
        for fault in &self.faults {
            write!(f, "; {}: {} [{}]", fault.field, fault.message, fault.reason)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// A malformed request: the faults that decoding found.
impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        let count = faults.iter().count();
        let message = format!(
            "the request has {count} fault{}",
            if count == 1 { "" } else { "s" }
        );
        Self::invalid(REQUEST_INVALID, message, faults)
    }
}

/// Passes what another service answered on as our own answer. That it is away or did not let us in is
/// our trouble, not our caller's: the text of such failures is for the log.
impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        match error.class() {
            ErrorClass::Unavailable if error.reason == super::TRANSPORT => Self::unavailable(
                "SERVICE_AWAY",
                "a service that is needed for this is away; try again",
                error.retry_after.unwrap_or(AWAY),
            ),
            ErrorClass::Unauthenticated | ErrorClass::Forbidden => {
                Self::internal(format!("another service refused this one: {error}"))
            }
            class => Self {
                class,
                reason: error.reason.into(),
                message: error.message,
                faults: error.faults,
                retry_after: error.retry_after,
                correlation_id: error.correlation_id,
            },
        }
    }
}

impl From<Failure> for v1::Refusal {
    fn from(failure: Failure) -> Self {
        failure.into_refusal()
    }
}
