//! Certificates and services for this crate's tests.
