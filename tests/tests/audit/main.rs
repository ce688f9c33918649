//! The auditor against what the real services write: a system lives for a while, its three logs are
//! read, and everything must hold; then they are tampered with, and each change must be named.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected ends")]

mod disputed;
mod find;
mod foreign;
mod found;
mod handed;
mod life;
mod published;
mod pulled;
mod schema;
mod served;
mod tampering;
mod witness;
mod witnessed;

use lgpki_tests::audited::Logs;
