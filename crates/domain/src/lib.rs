//! The rules of LGPKI's certificates, and nothing else.
//!
//! This crate knows certificate kinds, names, the Japanese calendar, validity, applications and
//! their states, roles and error classes. It does no I/O, reads no ambient clock or randomness, and
//! knows no wire or disk format; every other crate depends on it and it depends on none of them.
//! Rule numbers (R1 to R11) are those of `ARCHITECTURE.md`.

pub mod addressee;
pub mod algorithm;
pub mod application;
pub mod authority;
pub mod calendar;
pub mod clock;
pub mod crl;
pub mod directory;
pub mod error;
pub mod estimate;
pub mod examination;
pub mod fault;
pub mod holiday;
pub mod id;
pub mod kind;
pub mod limits;
pub mod mail;
pub mod name;
pub mod order;
pub mod prefecture;
pub mod random;
pub mod rate;
pub mod renewal;
pub mod revocation;
pub mod role;
pub mod slots;
pub mod time;
pub mod toll;
pub mod validity;

pub use algorithm::{KeyAlgorithm, SignatureAlgorithm};
pub use authority::Authority;
pub use calendar::{BusinessCalendar, BusinessHours};
pub use clock::Clock;
pub use crl::{AuthorityKey, CrlOptions, CrlScope, CrlSeries};
pub use error::ErrorClass;
pub use fault::{Fault, Faults};
pub use id::{ApplicationId, BodyCode, CrlNumber, Digest, RequestId, Serial};
pub use kind::{CertificateKind, KeyMedium};
pub use limits::Limits;
pub use name::{Names, Subject};
pub use random::Randomness;
pub use renewal::{NotRenewable, RenewalOutcome, RenewalWindow};
pub use revocation::RevocationReason;
pub use role::{Caller, OfficerRole, Role};
pub use time::{JstDate, Timestamp};
pub use validity::Validity;
