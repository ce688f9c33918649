//! Years in the life of certificates, on a clock that the test moves: what officers see in the
//! inventory, and what relying parties fetch, at every boundary.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected ends")]

mod ending;
mod listing;
mod officers;
mod paths;
mod renewal;
mod revoked;
mod slots;
