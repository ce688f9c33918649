//! What every service process needs and none should build for itself.
//!
//! TLS identities under our own clock ([`tls`]), the judgement of who calls ([`identity`]), the gate
//! through which every RPC passes ([`rpc`], [`serve`]), clients of the other services ([`client`]),
//! the administration port, the logs that are published ([`audit_log`]), telemetry, shutdown, and the pieces of
//! configuration that services share. Nothing here knows an application, a certificate profile or a store.

pub mod admin;
pub mod audit_log;
pub mod backoff;
pub mod client;
pub mod clock;
pub mod config;
pub mod error;
mod gate;
pub mod http_client;
pub mod identity;
pub mod listen;
pub mod plain_http;
pub mod random;
pub mod readiness;
pub mod rpc;
pub mod serve;
pub mod shutdown;
pub mod supervise;
pub mod telemetry;
#[cfg(test)]
mod testing;
pub mod tls;

pub use error::RuntimeError;
pub use identity::{LoginStanding, LoginStandings, RefusedLogin, RefusedLogins};
pub use readiness::Readiness;
pub use rpc::Rpc;
pub use serve::{Door, GrpcServer, OfficerDoor};
pub use shutdown::{Shutdown, ShutdownTrigger};
pub use supervise::Supervisor;
pub use tls::{Identity, TrustAnchors};
