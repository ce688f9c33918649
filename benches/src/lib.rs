//! Criterion benches and the end-to-end bench.
