//! The subscriber's standard system (証明書発行支援標準システム) with simulated key media.
//!
//! It makes the key pair and CSR on a key medium and stores the certificate there, under the rules
//! R4 (every medium is formatted first, and formatting destroys its key), R5 (same PC, same OS
//! login, same medium, and no import elsewhere in between) and R6 (web servers make their own
//! CSR). A medium is a directory that says of itself that it is simulated; the PC's own state lies
//! in another directory. The private key never leaves the medium but encrypted, except into
//! [`LoginMaterial`] for a TLS login within the same process.

mod chain;
mod disk;
pub mod error;
pub mod login;
pub mod medium;
pub mod order;
pub mod pc;
pub mod pin;
pub mod provision;
mod record;
pub mod request;
pub mod setup;
pub mod show;
pub mod store;
#[cfg(test)]
mod testing;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_domain::{Clock, Randomness};

pub use error::KitError;
pub use login::LoginMaterial;
pub use medium::{Format, Formatted};
pub use order::Order;
pub use pc::Pc;
pub use pin::Pin;
pub use provision::Provision;
pub use request::{LoginDataRequest, Requested};
pub use setup::{SetUp, Settings};
pub use show::{CertificateView, MediumView, RequestView};
pub use store::{Imported, Stored};

/// The standard system as installed on one PC.
#[derive(Clone, Debug)]
pub struct Kit {
    directory: PathBuf,
    pc: Pc,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
}

impl Kit {
    /// The system whose state lies in `directory`, as used on `pc`; nothing is read or written yet.
    #[must_use]
    pub fn new(
        directory: &Path,
        pc: Pc,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Randomness>,
    ) -> Self {
        Self {
            directory: directory.to_owned(),
            pc,
            clock,
            random,
        }
    }

    /// The directory that stands for the PC.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The PC and login that it acts under.
    #[must_use]
    pub const fn pc(&self) -> &Pc {
        &self.pc
    }
}
