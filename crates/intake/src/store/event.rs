//! The events of intake's log.
//!
//! Their bodies are canonical JSON: fields in alphabetical order, absent ones left out. The form of
//! a kind is final; a change is a new version that is read beside the old one. The bodies of what is
//! large are shared, so that they pass the writer without being copied.

mod addressee;
mod admission;
mod application;
mod directory;

use lgpki_ledger::{EntryRef, Stamp};

pub(crate) use self::{
    addressee::{AddresseeChanged, AddresseeEnded, AddresseeRecord, AddresseeRegistered},
    admission::{AdmissionRefused, LimitsChanged, TurnedAway},
    application::{
        Abandoned, Approved, Attempt, Claimed, Completed, Content, Counted, Delivered, Examination,
        Failed, Issue, Issued, IssuedBody, NameErased, Received, ReceivedBody, Rejected,
        RenewalsClosed, RenewalsOpened, Revoke, Withdrawn,
    },
    directory::{
        AccountRecord, BodiesImported, BodyRecord, BranchDeactivated, Change, DirectoryChanged,
        LoginRefused, OrganizationRecord, Refusals,
    },
};

/// The actor of what intake does by itself.
pub(crate) const INTAKE: &str = "intake";
/// The name of the issuer's log in [`EntryRef`]s.
const ISSUER: &str = "issuer";

lgpki_ledger::events! {
    /// What happens in intake.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) enum IntakeEvent {
        /// An application passed the door.
        Received(Received),
        /// Enough operators approved it, or the policy did; it is queued.
        Approved(Approved),
        /// One of several operators approved it.
        Counted(Counted),
        /// An operator rejected it.
        Rejected(Rejected),
        /// The branch withdrew it.
        Withdrawn(Withdrawn),
        /// Applications were claimed; their orders may leave the house.
        Claimed(Claimed),
        /// The issuer issued the certificate.
        Issued(Issued),
        /// Lifecycle revoked the certificate.
        Completed(Completed),
        /// The issuer closed the attempt without a certificate; it is queued again.
        Abandoned(Abandoned),
        /// It can never be carried out.
        Failed(Failed),
        /// The name behind a commitment is erased.
        NameErased(NameErased),
        /// Certificates were handed over.
        Delivered(Delivered),
        /// Lifecycle opened renewals; their examination goes on.
        RenewalsOpened(RenewalsOpened),
        /// Lifecycle closed renewals.
        RenewalsClosed(RenewalsClosed),
        /// A body's organization or account directory changed.
        DirectoryChanged(DirectoryChanged),
        /// Bodies were added or replaced.
        BodiesImported(BodiesImported),
        /// A branch was closed.
        BranchDeactivated(BranchDeactivated),
        /// An addressee of the document exchange was registered.
        AddresseeRegistered(AddresseeRegistered),
        /// It has a new version.
        AddresseeChanged(AddresseeChanged),
        /// It was withdrawn.
        AddresseeEnded(AddresseeEnded),
        /// Logins were refused.
        LoginRefused(LoginRefused),
        /// An operator changed the limits of admission.
        LimitsChanged(LimitsChanged),
        /// Applications were turned away over a limit.
        AdmissionRefused(AdmissionRefused),
        /// The log was restored from an older copy.
        Restored(lgpki_ledger::Restored),
        /// What the store had counted.
        Heartbeat(lgpki_store::Heartbeat),
    }
}

/// The reference to an entry of the issuer's log.
pub(crate) fn issuer_entry(index: u64) -> EntryRef {
    EntryRef {
        index,
        log: ISSUER.to_owned(),
    }
}

/// The entry of the issuer's log that `stamp` answers.
pub(crate) fn issuer_index(stamp: &Stamp) -> Option<u64> {
    stamp
        .answers
        .as_ref()
        .filter(|answers| answers.log == ISSUER)
        .map(|answers| answers.index)
}
