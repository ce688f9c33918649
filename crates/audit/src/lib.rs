//! The auditor: holds the services' logs against every rule, offline.
//!
//! It shares no code with the services: entries are read through views of its own, their form is
//! checked by a walk of its own against `schema/entries.json`, certificates are read by the
//! independent reader, CRLs are written anew from the log and compared by digest. It knows no
//! network, no clock and no key, and decides nothing: it tells what does not hold, where, and what
//! that means. An entry is read once; of it only what later entries are held against is kept.

mod auditor;
mod authorities;
mod certificate;
mod der;
pub mod directory;
pub mod error;
pub mod export;
mod fact;
pub mod find;
pub mod finding;
mod profile;
pub mod proof;
pub mod pull;
mod report;
mod rules;
mod scan;
pub mod schema;
mod tree;
mod view;
mod walk;

pub use auditor::{Auditor, Begin, Logged, Verdict};
pub use authorities::Authorities;
pub use directory::{Against, LogDir, Published};
pub use error::AuditError;
pub use fact::{Read, Service};
pub use finding::{Finding, Findings, Place, Rule};
pub use report::{Ca, Certificates, Checked, Cosigned, Counted, Report};
pub use rules::{CrlFile, Heartbeats, Open, Silent, WithoutApplication};
pub use schema::Schema;
