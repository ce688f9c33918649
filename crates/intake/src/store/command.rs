//! What the machine is asked and what it answers.
//!
//! Commands come with everything that could be computed beforehand, so that the one deciding thread
//! has little to do; answers are snapshots from which a port's values are put together elsewhere.

use std::sync::Arc;

use lgpki_domain::{
    ApplicationId, BodyCode, Digest, Faults, Limits, Timestamp, directory::Body as LocalBody,
};
use lgpki_ledger::{EntryError, Stamp};

use super::{
    event::{IssuedBody, ReceivedBody, Refusals, TurnedAway},
    record::Record,
};
use crate::ports::{
    ActRefused, AddresseeAnswer, AddresseeRequest, DirectoryChange, Lane, LimitsInForce,
    RenewalAnswered, Settled,
};

/// A command.
#[derive(Debug)]
pub(crate) enum Command {
    Accept(Accept),
    Act(Act),
    /// Confirmations of delivery that came together, from one caller.
    Deliver(Deliver),
    Claim {
        lane: Lane,
        most: usize,
        at: Timestamp,
    },
    Settle(Settle),
    ChangeDirectory {
        body: BodyCode,
        changes: Vec<DirectoryChange>,
        stamp: Stamp,
    },
    ImportBodies {
        bodies: Vec<LocalBody>,
        stamp: Stamp,
    },
    DeactivateBranch {
        body: BodyCode,
        reason: String,
        stamp: Stamp,
    },
    /// Lifecycle's answers about renewals.
    NoteRenewals {
        answers: Vec<RenewalAnswered>,
        at: Timestamp,
    },
    NoteNameErased {
        id: ApplicationId,
        commitment: String,
        stamp: Stamp,
    },
    NoteRefusedLogins {
        refusals: Vec<Refusals>,
        at: Timestamp,
    },
    ChangeLimits {
        limits: Limits,
        /// The revision that the operator saw.
        seen: u64,
        stamp: Stamp,
    },
    NoteTurnedAway {
        turned: Vec<TurnedAway>,
        at: Timestamp,
    },
    /// A request about an addressee of the document exchange.
    Addressee(Box<AddresseeRequest>),
}

/// A new application.
#[derive(Debug)]
pub(crate) struct Accept {
    pub(crate) body: Arc<ReceivedBody>,
    /// The subject and kind, digested; of no meaning for revocations.
    pub(crate) subject_key: Digest,
    pub(crate) standings_position: u64,
    pub(crate) stamp: Stamp,
}

/// An act upon one application, but for deliveries.
#[derive(Debug)]
pub(crate) struct Act {
    pub(crate) id: ApplicationId,
    pub(crate) step: ActStep,
    pub(crate) branch: Option<BodyCode>,
    pub(crate) stamp: Stamp,
}

/// What is done.
#[derive(Debug)]
pub(crate) enum ActStep {
    Approve(lgpki_domain::application::Approver),
    Reject(String),
    Withdraw,
}

/// Deliveries.
#[derive(Debug)]
pub(crate) struct Deliver {
    pub(crate) ids: Vec<(ApplicationId, Option<BodyCode>)>,
    pub(crate) presumed: bool,
    pub(crate) stamp: Stamp,
}

/// An answer to an order.
#[derive(Debug)]
pub(crate) struct Settle {
    pub(crate) id: ApplicationId,
    pub(crate) outcome: Settled,
    pub(crate) at: Timestamp,
}

/// An application as it will stand when the answer is durable.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) id: ApplicationId,
    pub(crate) record: Record,
    /// What is in memory of its content and, once issued, of its certificate.
    pub(crate) held: Held,
}

/// What memory holds of an application besides its record; the log holds all of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    pub(crate) received: Option<Content>,
    pub(crate) issued: Option<Arc<IssuedBody>>,
}

/// An application's content in memory.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) body: Arc<ReceivedBody>,
    /// Who submitted it.
    pub(crate) actor: Arc<str>,
    pub(crate) at: Timestamp,
    /// Whether CSR and public key were left out.
    pub(crate) slim: bool,
}

/// An answer.
#[derive(Debug)]
pub(crate) enum Outcome {
    Accepted(Box<Snapshot>),
    Repeated(Box<Snapshot>),
    OtherContent(ApplicationId),
    Refused(Faults),
    /// Too much has been handed over since the application was judged; it must be judged anew.
    JudgedLongAgo,
    Acted(Box<Result<Snapshot, ActRefused>>),
    Delivered(Vec<Result<Snapshot, ActRefused>>),
    Claimed(Vec<Snapshot>),
    Settled,
    /// The answer had come before, or came too late to matter.
    SettledBefore {
        /// Whether the application still waits for another one.
        awaited: bool,
    },
    /// The answer did not fit the application's state; nothing was recorded.
    Unfit {
        /// What did not fit.
        what: String,
        /// Whether the application still waits for another answer.
        awaited: bool,
    },
    Changed(Result<u32, Faults>),
    Deactivated(Result<LocalBody, Faults>),
    Addressee(Box<AddresseeAnswer>),
    Noted,
    LimitsInForce(LimitsInForce),
    /// Somebody else changed them first.
    LimitsChangedBefore(LimitsInForce),
    /// An event would be too large.
    Unrecordable(EntryError),
    /// The tables do not make sense.
    Corrupt(String),
}
