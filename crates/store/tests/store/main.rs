//! The store as a service sees it: one suite for every engine, then what each must survive.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

mod concurrent;
mod conformance;
mod faults;
mod heads;
mod heartbeat;
mod packed;
mod publish;
mod rebuild;
mod replica;
mod seal;
mod toy;
mod witness;
