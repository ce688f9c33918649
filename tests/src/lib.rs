//! What the whole-system tests share: an installation in a throw-away directory, its processes, the
//! command run against it, gRPC clients of every caller, good and bad, and an auditor's look into
//! the logs.
//!
//! Everything here goes through the same doors as a person: the command line, real sockets, real
//! mutual TLS. A process that is dropped is killed, as a power cut would. Where years must pass,
//! [`system`] runs the same services within the test, on a clock that it moves.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test that meets the unexpected ends"
)]

pub mod audited;
pub mod books;
mod caller;
pub mod der;
pub mod draft;
pub mod forge;
pub mod heads;
mod http;
mod installation;
pub mod load;
mod process;
pub mod request;
pub mod rounds;
pub mod system;
pub mod witness;

pub use http::{Answer, get, post};
pub use installation::{Installation, Options};
pub use process::{Process, Service};

use std::{
    path::Path,
    process::{Command, Output},
};

/// Runs a command to its end and gives its standard output; an error shows what it said.
pub fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let Output {
        status,
        stdout,
        stderr,
    } = &output;
    Err(format!(
        "{command:?}\n{status}\n{}\n{}",
        text(stdout),
        text(stderr)
    ))
}

/// The JSON that a command printed.
#[must_use]
pub fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or(serde_json::Value::Null)
}

/// The directory of the repository.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}
