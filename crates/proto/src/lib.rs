//! The gRPC contract in Rust: generated code, conversions, status mapping.
