//! What intake owes lifecycle about renewals (R2, R3): a durable outbox.
//!
//! A renewal waits on receipt until lifecycle has opened it, and owes its end when it is over. Both
//! stand in the log with the step that brought them about, so that they are told after any crash.

use lgpki_domain::{ApplicationId, BodyCode, RenewalOutcome, Serial, Timestamp};

/// What one renewal has to tell lifecycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewalDue {
    /// The application.
    pub id: ApplicationId,
    /// The certificate that it renews.
    pub serial: Serial,
    /// The branch; none where the certificate was issued to none.
    pub branch: Option<BodyCode>,
    /// Index in intake's log of the entry that brought this about.
    pub log_index: u64,
    /// What to tell.
    pub step: RenewalStep,
}

/// What is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewalStep {
    /// It was received and must be opened before its examination goes on.
    Open {
        /// When it was received.
        received_at: Timestamp,
    },
    /// It is over.
    Close {
        /// How.
        outcome: RenewalOutcome,
        /// The new certificate, where it was delivered.
        new_serial: Option<Serial>,
    },
}

/// What lifecycle answered about one renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewalAnswered {
    /// The application.
    pub id: ApplicationId,
    /// The answer.
    pub answer: RenewalAnswer,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RenewalAnswer {
    /// It is open: the examination goes on.
    Opened,
    /// It cannot be opened: the application fails.
    Refused {
        /// Why, and what to do next.
        reason: String,
    },
    /// It is closed: nothing is left to tell.
    Closed,
}
