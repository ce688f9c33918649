//! What intake needs from outside: its store, the issuer, lifecycle.
//!
//! The store speaks in slices of commands; each call is one atomic durable unit, and its answer comes
//! after the sync. It decides what only it can decide without a race (request ids, keys, subjects,
//! states); everything that can be judged from the request alone was judged before.

mod addressee;
mod admission;
mod directory;
mod dispatch;
mod door;
mod heartbeat;
mod queue;
mod renewal;
mod stored;

use std::future::Future;

use lgpki_domain::{
    ApplicationId, BodyCode, Caller, CertificateKind, Digest, Faults, JstDate, KeyAlgorithm,
    KeyMedium, OfficerRole, RequestId, RevocationReason, Serial, Subject, Timestamp,
    application::{Approver, Sort, State},
    directory::{Account, Body, Organization},
    estimate::Promise,
    examination::BranchExamination,
};

use crate::error::StoreError;

pub use addressee::{
    AddresseeAct, AddresseeAnswer, AddresseeChanges, AddresseeDraft, AddresseeFilter,
    AddresseeRequest, AddresseeStore, AddresseeVersion,
};
pub use admission::{Changed, LimitsInForce, LimitsStore, Turned};
pub use directory::DirectoryChange;
pub use dispatch::{Claimed, Lane, Settled, Settlement};
pub use door::{Acceptance, DoorQuery, DoorView};
pub use heartbeat::HeartbeatStore;
pub use queue::{Examinations, Explained, Place, QueueLook, QueueStore, Waits};
pub use renewal::{RenewalAnswer, RenewalAnswered, RenewalDue, RenewalStep};
pub use stored::StoredCertificate;

/// What an application asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A new certificate.
    Issue(IssueContent),
    /// That a certificate be revoked or, with [`Sort::Abolish`], abolished.
    Revoke {
        /// The certificate.
        serial: Serial,
        /// Why; cessationOfOperation for an abolition.
        reason: RevocationReason,
        /// The certificate's kind, from the standings.
        kind: CertificateKind,
        /// Whom it names, from the standings.
        subject: Subject,
    },
}

/// A new certificate, as checked at the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueContent {
    /// The kind.
    pub kind: CertificateKind,
    /// Registered names.
    pub subject: Subject,
    /// The CSR, DER, byte for byte as the subscriber signed it.
    pub csr: Vec<u8>,
    /// The subject public key from it (SubjectPublicKeyInfo, DER).
    pub public_key: Vec<u8>,
    /// SHA-256 of `public_key`.
    pub key_digest: Digest,
    /// The key's algorithm.
    pub key_algorithm: KeyAlgorithm,
    /// Where the key lives.
    pub medium: KeyMedium,
    /// Web server only.
    pub dns_names: Vec<String>,
    /// Mail only.
    pub mail_address: Option<String>,
    /// Login only.
    pub login_role: Option<OfficerRole>,
    /// Renewals only: the certificate that this one replaces.
    pub renews: Option<Serial>,
    /// Renewals only: that certificate's last day.
    pub renews_until: Option<JstDate>,
}

/// An application that passed the checks at the door.
#[derive(Clone, Debug)]
pub struct NewApplication {
    /// Drawn for it; not used if the request id turns out to be known.
    pub id: ApplicationId,
    /// The front end's name for it.
    pub request_id: RequestId,
    /// The branch applied for; none for the end of a certificate that was issued to none.
    pub branch: Option<BodyCode>,
    /// What is asked for.
    pub sort: Sort,
    /// SHA-256 over everything the front end sent; tells a repetition from another content.
    pub content_digest: Digest,
    /// What is asked for, checked.
    pub content: Content,
    /// The branch's examination.
    pub examination: BranchExamination,
    /// The commitment to the examiner's name, whose opening is durable already.
    pub examiner_commitment: Option<String>,
    /// How many operators must approve; 0 means it is queued on receipt.
    pub approvals_needed: u32,
    /// The standings by which the door judged held every certificate below this index of the issuer's
    /// log. What was issued later for the same subject is still in the way.
    pub standings_position: u64,
    /// Who sent it.
    pub caller: Caller,
    /// When.
    pub received_at: Timestamp,
}

/// An application as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Its number.
    pub id: ApplicationId,
    /// The front end's name for it.
    pub request_id: RequestId,
    /// The branch; none where it is about a certificate that was issued to none.
    pub branch: Option<BodyCode>,
    /// What is asked for.
    pub sort: Sort,
    /// What is asked for. The CSR and the public key are empty but where one application is read.
    pub content: Content,
    /// The branch's examination.
    pub examination: BranchExamination,
    /// The commitment to the examiner's name.
    pub examiner_commitment: Option<String>,
    /// SHA-256 over everything the front end sent.
    pub content_digest: Digest,
    /// Who submitted it, as in the log.
    pub applicant: String,
    /// When it was received.
    pub received_at: Timestamp,
    /// Where it stands.
    pub state: State,
    /// Index in intake's log of the entry that last changed it.
    pub log_index: u64,
    /// When it will be issued or carried out; the store leaves it open.
    pub estimate: Option<Promise>,
}

/// An act upon one application.
#[derive(Clone, Debug)]
pub enum Act {
    /// An operator approves; when enough have, it is queued.
    Approve {
        /// Who.
        operator: Approver,
    },
    /// An operator rejects.
    Reject {
        /// Why.
        reason: String,
    },
    /// The branch withdraws.
    Withdraw,
    /// The branch has stored the certificate.
    ConfirmDelivery,
    /// Thirty days passed without a confirmation.
    PresumeDelivery,
}

/// One act to carry out.
#[derive(Clone, Debug)]
pub struct Command {
    /// Upon which application.
    pub id: ApplicationId,
    /// The act.
    pub act: Act,
    /// If given, the application must belong to this branch, or it is not found.
    pub branch: Option<BodyCode>,
    /// Who.
    pub caller: Caller,
    /// When.
    pub at: Timestamp,
}

/// Why an act was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActRefused {
    /// There is no such application, or it is another branch's.
    #[error("there is no application {0} that you may see; check the number")]
    NotFound(ApplicationId),
    /// An operator submitted it; its branch cannot withdraw it.
    #[error(
        "application {0} was submitted by an operator, so your branch cannot withdraw it; if it should \
         not go on, ask the operator to reject it"
    )]
    OfAnOperator(ApplicationId),
    /// It asks for a login of the one who would approve it.
    #[error(
        "application {0} is for a login certificate in your own name; another operator must examine it"
    )]
    OwnLogin(ApplicationId),
    /// What asks for a certificate is not approved once its branch is deactivated.
    #[error(
        "branch {0} is deactivated and gets no more certificates; reject the application, and let the \
         successor body apply"
    )]
    BranchDeactivated(BodyCode),
    /// It would have renewed what was revoked meanwhile, and ended by that.
    #[error("application {0} has failed and is not approved: {1}")]
    CertificateRevoked(ApplicationId, String),
    /// Its state does not allow it.
    #[error(transparent)]
    WrongState(#[from] lgpki_domain::application::WrongState),
}

/// What an entry of the log says of a commitment to a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Commitment {
    /// An application stands upon it.
    Made(String),
    /// Its name is erased.
    Erased(String),
}

/// Which applications to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only of this branch.
    pub branch: Option<BodyCode>,
    /// Only in states with these names; empty means all.
    pub states: Vec<&'static str>,
    /// Only these kinds; empty means all.
    pub kinds: Vec<CertificateKind>,
    /// Only these sorts; empty means all.
    pub sorts: Vec<Sort>,
    /// Only renewals of this certificate.
    pub renews: Option<Serial>,
}

/// Intake's durable store: applications and the directories.
pub trait IntakeStore: AddresseeStore + HeartbeatStore + LimitsStore + QueueStore {
    /// Stores new applications. Each is decided on its own; the answer comes after the sync.
    fn accept(
        &self,
        batch: Vec<NewApplication>,
    ) -> impl Future<Output = Result<Vec<Acceptance>, StoreError>> + Send;

    /// Carries out acts, each decided on its own.
    fn act(
        &self,
        batch: Vec<Command>,
    ) -> impl Future<Output = Result<Vec<Result<Application, ActRefused>>, StoreError>> + Send;

    /// Claims up to `most` applications of one queue in its order (certificates in the order that
    /// [`QueueStore::arrange`] set; of revocations, those for key compromise first, then by time of
    /// queuing); durable before the answer. What was claimed before and is in nobody's
    /// hands, after a restart or [`release`](Self::release), is handed out again first. A renewal is
    /// not claimed while an approved end of its certificate is on its way to lifecycle.
    fn claim(
        &self,
        lane: Lane,
        most: usize,
        at: Timestamp,
    ) -> impl Future<Output = Result<Vec<Claimed>, StoreError>> + Send;

    /// Gives claims back that could not be sent; they stay `Issuing` and are handed out again.
    fn release(
        &self,
        ids: Vec<ApplicationId>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Notes the answers. A revocation that was carried out ends the renewal of its certificate in the
    /// same step, unless that one is claimed. An answer that comes twice, too late to matter, or does not
    /// fit, changes nothing; those of the applications that still wait for another answer are returned. They stay in the
    /// caller's hands, to be ordered again or [released](Self::release).
    fn settle(
        &self,
        batch: Vec<Settlement>,
    ) -> impl Future<Output = Result<Vec<ApplicationId>, StoreError>> + Send;

    /// What lifecycle must be told about renewals, at most `most` of each sort; ends come first.
    fn renewals_due(
        &self,
        most: usize,
    ) -> impl Future<Output = Result<Vec<RenewalDue>, StoreError>> + Send;

    /// Notes what lifecycle answered about renewals; what comes twice or too late changes nothing.
    fn settle_renewals(
        &self,
        answers: Vec<RenewalAnswered>,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Changes one body's directories, all or none; the answer is how many entries changed.
    fn change_directory(
        &self,
        body: BodyCode,
        changes: Vec<DirectoryChange>,
        caller: Caller,
        at: Timestamp,
    ) -> impl Future<Output = Result<Result<u32, Faults>, StoreError>> + Send;

    /// Adds or replaces bodies; for `init` and imports.
    fn import_bodies(
        &self,
        bodies: Vec<Body>,
        actor: String,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Deactivates a branch.
    fn deactivate_branch(
        &self,
        body: BodyCode,
        reason: String,
        caller: Caller,
        at: Timestamp,
    ) -> impl Future<Output = Result<Result<Body, Faults>, StoreError>> + Send;

    /// Notes refused logins, aggregated by caller description and reason.
    fn note_refused_logins(
        &self,
        refusals: Vec<(String, &'static str, u64)>,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Notes that the name behind an application's commitment is erased.
    fn note_name_erased(
        &self,
        id: ApplicationId,
        commitment: String,
        caller: Caller,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// What the log's entries from `from` on say of commitments to names, in order, and where to go on;
    /// nothing more at the end. About `most` entries are looked at.
    fn commitments(
        &self,
        from: u64,
        most: usize,
    ) -> impl Future<Output = Result<(Vec<Commitment>, Option<u64>), StoreError>> + Send;

    /// Looks up what the door needs, in the order asked for.
    fn door(
        &self,
        queries: Vec<DoorQuery>,
    ) -> impl Future<Output = Result<Vec<DoorView>, StoreError>> + Send;

    /// Reads one application, with its CSR.
    fn application(
        &self,
        id: ApplicationId,
    ) -> impl Future<Output = Result<Option<Application>, StoreError>> + Send;

    /// Finds an application by the front end's name for it, with its CSR; those of no branch have a
    /// space of names of their own.
    fn by_request(
        &self,
        branch: Option<BodyCode>,
        request: RequestId,
    ) -> impl Future<Output = Result<Option<Application>, StoreError>> + Send;

    /// Lists applications in order of receipt, after `after`, at most `most`.
    fn list(
        &self,
        filter: Filter,
        after: Option<ApplicationId>,
        most: usize,
    ) -> impl Future<Output = Result<Vec<Application>, StoreError>> + Send;

    /// How many applications stand in each state, by name.
    fn counts(&self) -> impl Future<Output = Result<Vec<(&'static str, u64)>, StoreError>> + Send;

    /// Issued certificates, in the order asked for; `None` where there is none.
    fn certificates(
        &self,
        ids: Vec<ApplicationId>,
    ) -> impl Future<Output = Result<Vec<Option<StoredCertificate>>, StoreError>> + Send;

    /// Applications issued before `before` whose delivery was never confirmed.
    fn unconfirmed(
        &self,
        before: Timestamp,
        most: usize,
    ) -> impl Future<Output = Result<Vec<ApplicationId>, StoreError>> + Send;

    /// One body.
    fn body(&self, code: BodyCode)
    -> impl Future<Output = Result<Option<Body>, StoreError>> + Send;

    /// Bodies by code, after `after`, at most `most`, optionally of one prefecture.
    fn bodies(
        &self,
        prefecture: Option<u8>,
        after: Option<BodyCode>,
        most: usize,
    ) -> impl Future<Output = Result<Vec<Body>, StoreError>> + Send;

    /// A body's registered organizations and accounts.
    fn entries(
        &self,
        body: BodyCode,
    ) -> impl Future<Output = Result<(Vec<Organization>, Vec<Account>), StoreError>> + Send;

    /// Rises with every durable change; watchers re-read what changed since.
    fn changes(&self) -> tokio::sync::watch::Receiver<u64>;

    /// The applications that match as they stand now and changed at log indexes from `from` on,
    /// newest state each, and where to go on; to be asked again while that rises. About `most`
    /// changes are looked at, so there may be none that match among them.
    fn changed_since(
        &self,
        filter: Filter,
        from: u64,
        most: usize,
    ) -> impl Future<Output = Result<(Vec<Application>, u64), StoreError>> + Send;
}
