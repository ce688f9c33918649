//! What a command could not do, told to a person.

use std::{fmt, path::Path};

use lgpki_proto::{RemoteError, status::TRANSPORT, v1};
use serde_json::{Value, json};

/// What most commands that failed exit with.
const FAILED: u8 = 1;
/// What `audit watch` exits with when a log stands still.
pub(crate) const STANDS_STILL: u8 = 3;
/// What `audit pull` and `audit watch` exit with when what they were told is not believed.
pub(crate) const REFUSED: u8 = 4;

/// A command failed.
#[derive(Debug)]
pub(crate) struct CommandError {
    status: u8,
    message: String,
    hint: Option<String>,
    remote: Option<Box<RemoteError>>,
    /// What was refused, one by one; results hold it for machines.
    refused: Vec<Refused>,
}

impl CommandError {
    /// What was wrong, with what.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            status: FAILED,
            message: message.into(),
            hint: None,
            remote: None,
            refused: Vec::new(),
        }
    }

    /// Exits with another status.
    #[must_use]
    pub(crate) const fn status(mut self, status: u8) -> Self {
        self.status = status;
        self
    }

    /// What the process exits with.
    pub(crate) const fn exit_status(&self) -> u8 {
        self.status
    }

    /// Says during what it happened.
    #[must_use]
    pub(crate) fn during(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A file could not be read or written.
    pub(crate) fn file(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::new(format!("cannot {doing} {}: {error}", path.display()))
    }

    /// An error with all its sources in one line.
    pub(crate) fn from_error(context: &str, error: &dyn std::error::Error) -> Self {
        let mut message = format!("{context}: {error}");
        let mut source = error.source();
        while let Some(inner) = source {
            let text = inner.to_string();
            if !message.ends_with(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            source = inner.source();
        }
        Self::new(message)
    }

    /// Lists what was refused under the message.
    #[must_use]
    pub(crate) fn refusing(mut self, refused: Vec<Refused>) -> Self {
        self.refused = refused;
        self
    }

    /// Names the server that could not be reached, if none could.
    #[must_use]
    pub(crate) fn at(mut self, server: &str) -> Self {
        if self.is_away() {
            self.message = format!("cannot reach the server at {server}: {}", self.message);
            self = self
                .hint("check that `lgpki serve` is running and that office.toml names its address");
        }
        self
    }

    fn is_away(&self) -> bool {
        self.remote.as_ref().is_some_and(|r| r.reason == TRANSPORT)
    }

    /// What to do next, if something helps.
    pub(crate) fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// For machines: what a person reads, taken apart.
    pub(crate) fn to_json(&self) -> Value {
        let mut value = match &self.remote {
            Some(remote) => remote_json(remote),
            None => json!({ "reason": null, "faults": [] }),
        };
        if let Some(object) = value.as_object_mut() {
            object.remove("message");
            object.insert(String::from("error"), json!(self.message));
            object.insert(String::from("hint"), json!(self.hint));
        }
        value
    }
}

/// A server's refusal for machines.
fn remote_json(remote: &RemoteError) -> Value {
    let faults: Vec<_> = remote
        .faults
        .iter()
        .map(|f| json!({ "field": f.field, "reason": f.reason, "message": f.message }))
        .collect();
    let mut value = json!({ "reason": remote.reason, "message": remote.message, "faults": faults });
    if let Some(object) = value.as_object_mut() {
        if let Some(delay) = remote.retry_after {
            let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            object.insert(String::from("retry_after_ms"), json!(millis));
        }
        if let Some(id) = &remote.correlation_id {
            object.insert(String::from("correlation_id"), json!(id));
        }
    }
    value
}

/// One of several things, refused.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    what: String,
    why: RemoteError,
}

impl Refused {
    /// What was refused, and why; a server that gave no reason is said to have given none.
    pub(crate) fn new(what: impl Into<String>, why: Option<v1::Refusal>) -> Self {
        let why = why.unwrap_or_else(|| v1::Refusal {
            code: i32::from(tonic::Code::Unknown),
            reason: TRANSPORT.to_owned(),
            message: String::from("the server gave no answer"),
            ..Default::default()
        });
        Self {
            what: what.into(),
            why: why.into(),
        }
    }

    /// For machines, under `key` what was refused.
    pub(crate) fn to_json(&self, key: &str) -> Value {
        let mut value = remote_json(&self.why);
        if let Some(object) = value.as_object_mut() {
            object.insert(key.to_owned(), json!(self.what));
        }
        value
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(remote) = &self.remote {
            // The message stands in `self` already, with what it happened during.
            let text = remote.to_string();
            f.write_str(text.strip_prefix(&message_of(remote)).unwrap_or(&text))?;
            if let Some(id) = &remote.correlation_id {
                write!(f, "\n  the service's log holds more under {id}")?;
            }
        }
        for refused in &self.refused {
            write!(f, "\n  {}", refused.to_string().replace('\n', "\n  "))?;
        }
        Ok(())
    }
}

/// The message of a refusal; its code where a server gave none.
fn message_of(remote: &RemoteError) -> String {
    if remote.message.is_empty() {
        remote.code.description().to_owned()
    } else {
        remote.message.clone()
    }
}

impl From<tonic::Status> for CommandError {
    fn from(status: tonic::Status) -> Self {
        Self::from(RemoteError::from(&status))
    }
}

impl From<RemoteError> for CommandError {
    fn from(remote: RemoteError) -> Self {
        Self {
            message: message_of(&remote),
            remote: Some(Box::new(remote)),
            ..Self::new("")
        }
    }
}

#[cfg(test)]
mod tests {
    use lgpki_domain::Faults;
    use lgpki_proto::Failure;

    use super::*;

    #[test]
    fn a_refusal_is_told_whole_to_people_and_taken_apart_for_machines() {
        let mut faults = Faults::new();
        faults.push("issue.csr", "CSR_TOO_LARGE", "it is too large");
        let failure = Failure::invalid("APPLICATION_REFUSED", "it is refused", faults);
        let error = CommandError::from(failure.into_status()).during("step");
        assert_eq!(
            error.to_string(),
            "step: it is refused [APPLICATION_REFUSED]\n  issue.csr: it is too large [CSR_TOO_LARGE]"
        );
        let json = error.to_json();
        assert_eq!(json["error"], "step: it is refused");
        assert_eq!(json["reason"], "APPLICATION_REFUSED");
        assert_eq!(json["faults"][0]["reason"], "CSR_TOO_LARGE");
    }

    #[test]
    fn a_server_that_is_away_is_named_and_one_that_answers_is_not() {
        let away = CommandError::from(tonic::Status::unavailable("refused")).at("h:1");
        assert!(
            away.to_string()
                .contains("cannot reach the server at h:1: refused")
        );
        assert!(away.next_step().is_some());
        let failure = Failure::not_found("APPLICATION_NOT_FOUND", "there is none");
        let answered = CommandError::from(failure.into_status()).at("h:1");
        assert_eq!(
            answered.to_string(),
            "there is none [APPLICATION_NOT_FOUND]"
        );
    }
}
