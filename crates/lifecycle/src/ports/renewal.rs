//! Renewals as intake orders and ends them (R2, R3). At most one is open for a certificate.

use lgpki_domain::{ApplicationId, BodyCode, Fault, RenewalOutcome, Serial, Timestamp};

/// A certificate whose renewal is applied for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewalOrder {
    /// The application: the name of this renewal for ever.
    pub command: ApplicationId,
    /// The certificate.
    pub serial: Serial,
    /// The branch that must own it; none means any.
    pub branch: Option<BodyCode>,
    /// When the application was received; by this the window is judged.
    pub applied_at: Timestamp,
    /// Who applied.
    pub actor: String,
    /// The entry of intake's log that received the application.
    pub answers_index: u64,
}

/// Since when a renewal is open, or why it cannot be opened.
pub type RenewalOpening = Result<Timestamp, Fault>;

/// A renewal to be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewalEnd {
    /// The application, as when it was opened.
    pub command: ApplicationId,
    /// The certificate that was to be renewed.
    pub serial: Serial,
    /// How it ends.
    pub outcome: RenewalOutcome,
    /// The new certificate, where it was delivered.
    pub new_serial: Option<Serial>,
    /// Who ended it.
    pub actor: String,
    /// The entry of intake's log that ended it.
    pub answers_index: u64,
}

/// A renewal that is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Since when.
    pub at: Timestamp,
    /// When the old certificate was superseded by it, if it was.
    pub superseded_at: Option<Timestamp>,
}

/// That a renewal is closed, or why it cannot be.
pub type RenewalClosing = Result<Closed, Fault>;
