//! The intake service: admits, examines, queues and hands out.

pub mod error;
pub mod ports;
pub mod store;
pub mod subject_key;
