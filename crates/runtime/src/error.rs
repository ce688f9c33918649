//! What can go wrong before a service serves.
//!
//! Every message names the thing at fault, the configuration key where there is one, and what to do:
//! these errors are read by whoever starts the process.

use std::{error::Error, io, net::SocketAddr, path::PathBuf};

use lgpki_domain::ErrorClass;

/// A service's surroundings are not as they must be.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Another program listens there.
    #[error(
        "{key}: cannot listen on {address}, because another program already does; stop it (a second \
         lgpki, perhaps) or choose another address"
    )]
    PortTaken {
        /// The configuration key.
        key: String,
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("{key}: cannot listen on {address}")]
    Listen {
        /// The configuration key.
        key: String,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A file of TLS material cannot be read.
    #[error("cannot read {what} from {path}")]
    Unreadable {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of TLS material does not hold what it should.
    #[error("{path} holds no {what} in PEM form")]
    NotPem {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A private key lies open.
    #[error("{path} holds a private key that others may read; run `chmod 600 {path}`")]
    OpenKey {
        /// The file.
        path: PathBuf,
    },
    /// A TLS identity or a trust anchor cannot be used.
    #[error("{what} cannot be used for TLS")]
    Tls {
        /// What.
        what: &'static str,
        /// Why.
        source: rustls::Error,
    },
    /// No trust anchor was given, so nobody could be trusted.
    #[error("no trust anchor was given; name at least one CA certificate")]
    NoAnchor,
    /// The address of a service to call is not usable.
    #[error("{address:?} is no address of a service; write host:port")]
    Target {
        /// The address.
        address: String,
    },
    /// The process cannot listen to signals.
    #[error("cannot listen to signals")]
    Signals(#[source] io::Error),
    /// Logs or metrics cannot be set up.
    #[error("cannot set up {what}: {reason}")]
    Telemetry {
        /// Logs or metrics.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// The compiled contract cannot be served by reflection.
    #[error("the compiled contract cannot be served by reflection")]
    Reflection(#[source] tonic_reflection::server::Error),
}

impl RuntimeError {
    /// What kind of failure it is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::PortTaken { .. } | Self::Listen { .. } => ErrorClass::Unavailable,
            Self::Unreadable { .. }
            | Self::NotPem { .. }
            | Self::OpenKey { .. }
            | Self::Tls { .. }
            | Self::NoAnchor
            | Self::Target { .. } => ErrorClass::InvalidInput,
            Self::Signals(_) | Self::Telemetry { .. } | Self::Reflection(_) => ErrorClass::Internal,
        }
    }
}

/// An error with all its sources in one line, for the place where it is consumed.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_told_from_the_outside_in() {
        let error = RuntimeError::Signals(io::Error::other("the disk is on fire"));
        assert_eq!(
            chain(&error),
            "cannot listen to signals: the disk is on fire"
        );
    }
}
