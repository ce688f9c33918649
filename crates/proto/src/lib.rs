//! The gRPC contract in Rust: generated code, conversions, status mapping.
//!
//! [`v1`] is generated from `proto/lgpki/v1`. [`convert`] is the one place where wire values become
//! domain values and back; [`status`] the one place where a failure becomes a gRPC status and a
//! status a typed error again; [`access`] the table of who may call which RPC. Nothing here decides
//! about an application, and nothing does I/O.

pub mod access;
pub mod convert;
pub mod status;

/// Messages, clients and servers generated from `proto/lgpki/v1`.
#[allow(
    clippy::all,
    clippy::pedantic,
    missing_docs,
    unreachable_pub,
    rustdoc::all,
    reason = "generated code; every field is commented in the contract"
)]
pub mod v1 {
    tonic::include_proto!("lgpki.v1");
}

pub use access::ServiceName;
pub use status::{Failure, RemoteError};

/// The compiled contract with its comments, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/lgpki.v1.fds"));
