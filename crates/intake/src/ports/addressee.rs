//! The registry of addressees (文書交換付帯情報) as the use cases see it.

use std::future::Future;

use lgpki_domain::{
    BodyCode, Caller, Digest, Faults, JstDate, Names, RequestId, Timestamp,
    addressee::{Addressee, AddresseeId, DocumentAddress},
    directory::Body,
    mail::MailAddress,
};
use tokio::sync::watch;

use crate::error::StoreError;

/// What is to be recorded of an entry, as far as it could be read; what is missing has its fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddresseeDraft {
    /// The unit.
    pub unit: Option<Names>,
    /// The name to address.
    pub names: Option<Names>,
    /// Where the document exchange delivers to.
    pub address: Option<DocumentAddress>,
    /// Whom to ask.
    pub mail: Option<MailAddress>,
    /// The commitment to the contact person's name, whose opening is durable already.
    pub contact: Option<String>,
    /// From which day on.
    pub valid_since: Option<JstDate>,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddresseeAct {
    /// A new entry.
    Register {
        /// Whose.
        body: BodyCode,
        /// What it says.
        draft: AddresseeDraft,
    },
    /// A new version.
    Change {
        /// Of which entry.
        id: AddresseeId,
        /// The version that it replaces.
        version: u32,
        /// What it says.
        draft: AddresseeDraft,
    },
    /// The end.
    End {
        /// Of which entry.
        id: AddresseeId,
        /// The version that ends.
        version: u32,
        /// Why.
        reason: String,
    },
}

impl AddresseeAct {
    /// Whose entry it is about.
    #[must_use]
    pub const fn body(&self) -> BodyCode {
        match self {
            Self::Register { body, .. } => *body,
            Self::Change { id, .. } | Self::End { id, .. } => id.body(),
        }
    }

    /// What is to be recorded, but for an end.
    pub const fn draft_mut(&mut self) -> Option<&mut AddresseeDraft> {
        match self {
            Self::Register { draft, .. } | Self::Change { draft, .. } => Some(draft),
            Self::End { .. } => None,
        }
    }
}

/// One request, with what was found wrong with it before the store is asked.
#[derive(Clone, Debug)]
pub struct AddresseeRequest {
    /// The front end's name for it; absent only where that is among the faults.
    pub request_id: Option<RequestId>,
    /// SHA-256 over what was sent, without the contact person's name.
    pub content_digest: Digest,
    /// What is asked for.
    pub act: AddresseeAct,
    /// What is wrong with it so far; the store adds what only it can judge.
    pub faults: Faults,
    /// The most entries that a body may have, ended ones apart.
    pub most_per_body: u32,
    /// Who asks.
    pub caller: Caller,
    /// When.
    pub at: Timestamp,
}

/// One version of an entry, with what is known now of its body and unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddresseeVersion {
    /// The entry's number.
    pub id: AddresseeId,
    /// The version, from 1 on.
    pub version: u32,
    /// What it says.
    pub content: Addressee,
    /// The commitment to the contact person's name.
    pub contact: Option<String>,
    /// When the entry was first registered.
    pub registered_at: Timestamp,
    /// When this version was recorded.
    pub changed_at: Timestamp,
    /// Who recorded it, as in the log.
    pub changed_by: String,
    /// Why the entry ended with this version, if it did.
    pub ended: Option<String>,
    /// The body and its branch, as they are now.
    pub body: Body,
    /// Whether the organization directory has the unit under these names now.
    pub unit_is_registered: bool,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub enum AddresseeAnswer {
    /// Durably recorded.
    Recorded {
        /// The version that it made.
        made: Box<AddresseeVersion>,
        /// The commitment of the version before, whose opening is to be erased.
        erases: Option<String>,
    },
    /// It was carried out before; this is the version that it made then.
    Repeated(Box<AddresseeVersion>),
    /// The request id belongs to a request with other content, about this entry.
    OtherContent(AddresseeId),
    /// Rules are broken; every one of them.
    Refused(Faults),
    /// There is no such entry.
    NotFound(AddresseeId),
    /// The entry has ended.
    Ended(AddresseeId),
    /// The entry stands at another version.
    OtherVersion {
        /// Which entry.
        id: AddresseeId,
        /// The version at which it stands.
        stands: u32,
    },
}

/// Which entries to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddresseeFilter {
    /// Only of this body.
    pub body: Option<BodyCode>,
    /// Only of the unit of this name, in either language.
    pub unit: Option<String>,
    /// Only with this address.
    pub address: Option<String>,
    /// Only those whose version was recorded at this time or later.
    pub changed_since: Option<Timestamp>,
    /// Also those that ended.
    pub with_ended: bool,
}

/// What has changed from some index of the log on.
#[derive(Clone, Debug)]
pub struct AddresseeChanges {
    /// As they stand now, in the order of their last changes.
    pub entries: Vec<AddresseeVersion>,
    /// Where to go on.
    pub next: u64,
    /// Whether nothing is left for now.
    pub caught_up: bool,
}

/// Intake's durable registry of addressees. What a reader is shown is durable.
pub trait AddresseeStore: Send + Sync + 'static {
    /// Records a new version of an entry; the answer comes after the sync.
    fn record_addressee(
        &self,
        request: AddresseeRequest,
    ) -> impl Future<Output = Result<AddresseeAnswer, StoreError>> + Send;

    /// One entry as it stands.
    fn addressee(
        &self,
        id: AddresseeId,
    ) -> impl Future<Output = Result<Option<AddresseeVersion>, StoreError>> + Send;

    /// Entries by number, after `after`, at most `most`.
    fn addressees(
        &self,
        filter: AddresseeFilter,
        after: Option<AddresseeId>,
        most: usize,
    ) -> impl Future<Output = Result<Vec<AddresseeVersion>, StoreError>> + Send;

    /// The versions of an entry after version `after`, oldest first, at most `most`; none if there is no
    /// such entry.
    fn addressee_history(
        &self,
        id: AddresseeId,
        after: u32,
        most: usize,
    ) -> impl Future<Output = Result<Vec<AddresseeVersion>, StoreError>> + Send;

    /// The entries, of one body only if given, that last changed at index `from` of the log or later:
    /// about `most`, and never only some of those that changed at one index.
    fn addressees_since(
        &self,
        body: Option<BodyCode>,
        from: u64,
        most: usize,
    ) -> impl Future<Output = Result<AddresseeChanges, StoreError>> + Send;

    /// Rings when an entry changes, or before: reading waits until it is durable.
    fn addressee_bell(
        &self,
    ) -> impl Future<Output = Result<watch::Receiver<u64>, StoreError>> + Send;
}
