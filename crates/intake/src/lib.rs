//! The intake service: admits, examines, queues and hands out.

pub mod admission;
pub mod app;
pub mod config;
pub mod dispatch;
pub mod error;
pub mod grpc;
pub mod logins;
pub mod metrics;
mod names;
pub mod notices;
mod outlook;
pub mod pace;
pub mod peers;
mod places;
pub mod ports;
pub mod promises;
mod renewal_fields;
pub mod service;
pub mod slots;
pub mod standings;
pub mod store;
pub mod subject_key;
pub mod worker;

pub use config::{RawSettings, Settings};
pub use service::{Deps, Service, ServiceError};
