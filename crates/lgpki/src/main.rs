//! The lgpki command: serve, demo, kit, cirs, operator.
fn main() {}
