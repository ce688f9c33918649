//! Intake as its callers meet it: over TLS and gRPC, on the memory engine, with an issuer and a
//! lifecycle that are stood in for by small servers of the same contract.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets the unexpected ends"
)]

mod addressees;
mod admission;
mod door;
mod fakes;
mod flow;
mod notices;
mod outage;
mod own_logins;
mod pki;
mod queue;
mod rebuild;
mod renewals;
mod roles;
mod scene;
mod slots;
