//! What a certificate costs.
//!
//! The binary drives a whole installation from outside, over real sockets, and sets the services'
//! CPU time beside that of the bare cryptography; the Criterion benches measure the parts. Nothing
//! here is shipped.

pub mod audit_log;
pub mod bare;
pub mod cpu;
pub mod installation;
pub mod load;
pub mod memory;
pub mod office;
pub mod pool;
pub mod report;
pub mod run;
pub mod scene;
pub mod verify;

/// What can go wrong ends the measurement; the message says what it was.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
