//! What a command could not do, told to a person.

use std::{fmt, path::Path};

use lgpki_proto::RemoteError;

/// A command failed.
#[derive(Debug)]
pub(crate) struct CommandError {
    message: String,
    hint: Option<String>,
    reason: Option<String>,
}

impl CommandError {
    /// What was wrong, with what.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            reason: None,
        }
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

    /// What to do next, if something helps.
    pub(crate) fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The stable reason, if a server gave one.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<tonic::Status> for CommandError {
    fn from(status: tonic::Status) -> Self {
        let remote = RemoteError::from(&status);
        let away = remote.reason == "TRANSPORT";
        let message = if away {
            format!("cannot reach the server: {remote}")
        } else {
            remote.to_string()
        };
        let hint = away.then(|| {
            String::from(
                "check that `lgpki serve` is running and that office.toml names its address",
            )
        });
        Self {
            message,
            hint,
            reason: Some(remote.reason),
        }
    }
}
