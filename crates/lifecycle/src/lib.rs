//! The lifecycle service: inventory, revocation, renewals, CRL publication.
//!
//! It answers "what is this certificate's state today?". Its inventory is a projection of the
//! issuer's feed plus the revocations that intake orders, kept in its own log from which everything
//! can be rebuilt. It publishes the CRLs of each CA daily, on demand, and at once after a key
//! compromise, over plain HTTP together with the CA certificates, and answers OCSP there with keys of
//! its own that the issuer certifies for that alone. It calls the issuer and nobody else, holds no CA
//! key, and never publishes a CRL whose number or time goes back. It books
//! the slots in which renewals are advised, and signs their tokens.

mod alarm;
mod app;
pub mod config;
mod crl;
pub mod error;
mod gate;
mod grpc;
mod http;
mod issuer;
mod known_key;
mod metrics;
mod ocsp;
pub mod ports;
mod publication;
mod remembered;
mod service;
mod store;
#[cfg(test)]
mod testing;
mod tokens;
mod worker;

pub use config::{LifecycleConfig, OcspConfig, Schedule, Settings, SlotConfig};
pub use error::{LifecycleError, StoreError};
pub use gate::Rule;
pub use issuer::GrpcIssuer;
pub use service::{Deps, Listeners, run};
pub use store::{
    CertificateAbandoned, CertificateRegistered, CertificateRevoked, CrlPublished, EngineStore,
    LifecycleEvent, OcspSigned, RenewalClosed, RenewalOpened, SlotCapacityChanged, SlotsBooked,
    SlotsKeyed, SlotsMissed,
};
