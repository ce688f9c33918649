//! Pieces of configuration that the services share.
//!
//! Each is validated while it is read, so that what exists is usable: an unknown key, a wrong address
//! or a limit of nothing is refused with the key's name by the TOML reader. The whole file is put
//! together by the command.

use std::{fmt, net::SocketAddr, num::NonZeroU32, str::FromStr, time::Duration};

use lgpki_proto::ServiceName;
use serde::Deserialize;

use crate::error::RuntimeError;

mod reload;
mod tls_paths;

pub use reload::AnchorFile;
pub use tls_paths::{TlsPaths, certificates};

/// Where a port is opened: an IP address and a port, such as `127.0.0.1:7411`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ListenAddress(SocketAddr);

impl ListenAddress {
    /// The socket address.
    #[must_use]
    pub const fn socket(self) -> SocketAddr {
        self.0
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self(address)
    }
}

/// A text is no address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address to listen on; write an IP address and a port, such as 127.0.0.1:7411")]
pub struct NotAnAddress(String);

impl FromStr for ListenAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        text.parse()
            .map(Self)
            .map_err(|_| NotAnAddress(text.to_owned()))
    }
}

impl TryFrom<String> for ListenAddress {
    type Error = NotAnAddress;

    fn try_from(text: String) -> Result<Self, NotAnAddress> {
        text.parse()
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A service to call.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawTarget")]
pub struct Target {
    address: String,
    server_name: String,
    service: Option<ServiceName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTarget {
    /// `host:port`.
    address: String,
    /// The name in the server's certificate, where it is not the host.
    server_name: Option<String>,
}

impl Target {
    /// The service at `host:port`, whose certificate names the host.
    pub fn try_new(address: &str) -> Result<Self, RuntimeError> {
        let wrong = || RuntimeError::Target {
            address: address.to_owned(),
        };
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        let port: u16 = port.parse().map_err(|_| wrong())?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if bare.is_empty() || port == 0 || bare.contains(['/', ' ', '@']) {
            return Err(wrong());
        }
        Ok(Self {
            address: address.to_owned(),
            server_name: bare.to_owned(),
            service: None,
        })
    }

    /// Expects another name in the server's certificate than the host.
    #[must_use]
    pub fn with_server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = name.into();
        self
    }

    /// Demands that the server proves to be this service, by the identity in its certificate.
    #[must_use]
    pub fn with_service(mut self, service: ServiceName) -> Self {
        self.service = Some(service);
        self
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The DNS name or IP address that the server's certificate must hold.
    #[must_use]
    pub fn server_name(&self) -> &str {
        &self.server_name
    }

    /// The service that the server must prove to be.
    #[must_use]
    pub const fn service(&self) -> Option<ServiceName> {
        self.service
    }
}

impl TryFrom<RawTarget> for Target {
    type Error = RuntimeError;

    fn try_from(raw: RawTarget) -> Result<Self, RuntimeError> {
        let target = Self::try_new(&raw.address)?;
        Ok(match raw.server_name {
            Some(name) => target.with_server_name(name),
            None => target,
        })
    }
}

/// What one server allows. A single message may have 4 MiB, which is the contract's own limit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerLimits {
    /// Connections at the same time; further ones wait in the operating system's queue.
    pub connections: NonZeroU32,
    /// RPCs at the same time on one connection.
    pub streams_per_connection: NonZeroU32,
    /// Streams that one login certificate may have open, over all its connections.
    pub streams_per_caller: NonZeroU32,
    /// Seconds within which a TLS handshake must be done.
    pub handshake_seconds: NonZeroU32,
    /// Seconds within which a unary RPC must be answered, its request's arrival included.
    pub unary_seconds: NonZeroU32,
    /// Seconds between pings on an idle connection, and the time a ping may take.
    pub keepalive_seconds: NonZeroU32,
    /// Seconds for RPCs in flight to finish once the shutdown is requested.
    pub drain_seconds: NonZeroU32,
}

const fn of(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: of(2048),
            streams_per_connection: of(256),
            streams_per_caller: of(128),
            handshake_seconds: of(10),
            unary_seconds: of(60),
            keepalive_seconds: of(30),
            drain_seconds: of(30),
        }
    }
}

/// A limit in seconds as a duration.
pub(crate) fn seconds(limit: NonZeroU32) -> Duration {
    Duration::from_secs(u64::from(limit.get()))
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Logs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// `error`, `warn`, `info`, `debug`, `trace`, `off`, or per part, such as
    /// `info,lgpki_intake=debug`.
    pub level: String,
    /// How the log is written.
    pub format: LogFormat,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Text,
        }
    }
}

#[cfg(test)]
mod tests;
