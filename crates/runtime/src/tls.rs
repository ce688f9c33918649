//! TLS 1.3 with rustls and ring, under our own clock.
//!
//! Certificates of any year can be used because the time comes from the [`Clock`], not from the
//! machine. A server asks for a client certificate but does not demand one: the handshake proves
//! only that the client holds the key, and who it is, is judged on every RPC, so that a refused
//! client gets a status with a reason and not a TLS alert. Sessions are never resumed, for a resumed
//! session would carry an identity past its revocation.

mod anchors;
mod client;
mod identity;
mod server;

use std::sync::Arc;

use lgpki_domain::Clock;
use rustls::{crypto::CryptoProvider, time_provider::TimeProvider};
use rustls_pki_types::UnixTime;

pub use anchors::TrustAnchors;
pub(crate) use anchors::{Anchors, unix_time};
pub(crate) use client::client_config;
pub use identity::Identity;
pub(crate) use server::server_config;

/// The protocol that both sides speak inside.
const H2: &[u8] = b"h2";

/// ring's algorithms.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Our clock as rustls sees it.
#[derive(Debug)]
struct ClockTime(Arc<dyn Clock>);

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time(self.0.now()))
    }
}
