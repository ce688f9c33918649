//! What the issuer needs from outside: its store.
//!
//! The store speaks in slices of commands; each call is one atomic durable unit, and its answer
//! comes after the sync. It alone decides what only it can decide without a race: whether an
//! application has its certificate already, whether a key was certified before, which CRL number
//! comes next, and whether this process's epoch is still the newest.

use std::{collections::BTreeMap, future::Future};

use lgpki_domain::{
    ApplicationId, Authority, AuthorityKey, BodyCode, CertificateKind, CrlNumber, CrlOptions,
    CrlScope, Digest, Faults, KeyAlgorithm, Serial, Subject, Timestamp, Validity,
};
use lgpki_ledger::{Evidence, Identity, Recorded, Stamp};
use lgpki_store::Hold;
use lgpki_x509::issuer::Addresses;
use tokio::sync::watch;

use crate::{
    error::StoreError,
    event::{Cause, IssuerEvent},
};

/// The number of an issuer process's turn: every start opens the next one, and only the newest may
/// record anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub u64);

/// What opening an epoch found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The new epoch.
    pub epoch: Epoch,
    /// How many intents of older epochs were closed as abandoned.
    pub abandoned: usize,
}

/// The wish to sign a certificate for an application.
#[derive(Debug)]
pub struct Intend {
    /// The application.
    pub application: ApplicationId,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// SHA-256 of the application's content.
    pub content_digest: Digest,
    /// Time and actor.
    pub stamp: Stamp,
    /// What would be signed; or, where the order cannot be carried out, why not, which is the
    /// answer unless the application has its certificate already.
    pub proposal: Result<Proposal, Faults>,
}

/// What would be signed.
#[derive(Debug)]
pub struct Proposal {
    /// The CA.
    pub authority: Authority,
    /// The generation of its key.
    pub generation: u32,
    /// The branch applied for.
    pub branch: Option<BodyCode>,
    /// The kind.
    pub kind: CertificateKind,
    /// Which CRL would list it.
    pub scope: CrlScope,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub key_digest: Digest,
    /// The serial number.
    pub serial: Serial,
    /// The validity.
    pub validity: Validity,
    /// The tbsCertificate, linted.
    pub tbs: Vec<u8>,
}

/// What became of the wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntentOutcome {
    /// The intent is durable: the key may be used. `index` is the entry's.
    Intended {
        /// Index of `certificate.intent`.
        index: u64,
        /// That it is in the log, for the signing step.
        evidence: Option<Box<Evidence>>,
    },
    /// The certificate exists already.
    Issued(Certificate),
    /// An intent is open.
    InProgress {
        /// Its attempt.
        attempt: u32,
    },
    /// The attempt, or a later one, was abandoned.
    Abandoned {
        /// The last one abandoned.
        attempt: u32,
    },
    /// Refused for good.
    Refused(Faults),
}

/// How an intent ends.
#[derive(Debug)]
pub enum Ending {
    /// With a certificate.
    Issued(Box<NewCertificate>),
    /// Without.
    Abandoned {
        /// The application.
        application: ApplicationId,
        /// The attempt.
        attempt: u32,
        /// Why.
        cause: Cause,
        /// Time and actor.
        stamp: Stamp,
    },
}

/// A certificate that was signed.
#[derive(Debug)]
pub struct NewCertificate {
    /// The application.
    pub application: ApplicationId,
    /// The attempt.
    pub attempt: u32,
    /// Index of its intent.
    pub intent: u64,
    /// The CA.
    pub authority: Authority,
    /// The generation of its key.
    pub generation: u32,
    /// Which CRL would list it.
    pub scope: CrlScope,
    /// The branch applied for.
    pub branch: Option<BodyCode>,
    /// The kind.
    pub kind: CertificateKind,
    /// Whom it names.
    pub subject: Subject,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub key_digest: Digest,
    /// The serial number.
    pub serial: Serial,
    /// The validity.
    pub validity: Validity,
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// Time and actor.
    pub stamp: Stamp,
}

/// What became of an ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndingOutcome {
    /// Recorded.
    Recorded {
        /// Index of `certificate.issued` or `certificate.abandoned`.
        index: u64,
    },
    /// There is no such open intent.
    NotOpen,
}

/// A certificate that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its serial number.
    pub serial: Serial,
    /// DER.
    pub der: Vec<u8>,
    /// Index of `certificate.issued`.
    pub index: u64,
}

/// What is known of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issuance {
    /// No order was ever seen.
    Unknown,
    /// An intent is open.
    InProgress {
        /// Its attempt.
        attempt: u32,
    },
    /// The certificate exists.
    Issued(Certificate),
    /// The last attempt was abandoned.
    Abandoned {
        /// It.
        attempt: u32,
    },
}

/// A CA as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityRecord {
    /// Which.
    pub authority: Authority,
    /// The generation of its key.
    pub generation: u32,
    /// The key's algorithm.
    pub algorithm: KeyAlgorithm,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key_digest: Digest,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// What stands in its certificates.
    pub addresses: Addresses,
    /// How it publishes its revocations.
    pub crl_options: CrlOptions,
    /// The highest CRL number used in each scope; none where none was used.
    pub crl_numbers: BTreeMap<CrlScope, CrlNumber>,
}

impl AuthorityRecord {
    /// The CA's key.
    #[must_use]
    pub const fn key(&self) -> AuthorityKey {
        AuthorityKey::new(self.authority, self.generation)
    }
}

/// The wish to sign a CA certificate.
#[derive(Debug)]
pub struct IntendAuthority {
    /// The CA.
    pub authority: Authority,
    /// The generation of its key.
    pub generation: u32,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key_digest: Digest,
    /// Its serial number.
    pub serial: Serial,
    /// The tbsCertificate, linted.
    pub tbs: Vec<u8>,
    /// Time and actor.
    pub stamp: Stamp,
}

/// A CA certificate that was signed.
#[derive(Debug)]
pub struct NewAuthority {
    /// The CA; no CRL number is used.
    pub record: AuthorityRecord,
    /// Its serial number.
    pub serial: Serial,
    /// Time and actor.
    pub stamp: Stamp,
}

/// What became of the wish to sign a CA certificate or to record it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorityOutcome {
    /// Durable.
    Recorded {
        /// The entry's index.
        index: u64,
        /// Of an intent: that it is in the log, for the signing step.
        evidence: Option<Box<Evidence>>,
    },
    /// The CA exists already.
    Exists,
    /// There is no such open intent, or another one is open.
    NotOpen,
}

/// What a CRL is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrlOf {
    /// The CA's key.
    pub key: AuthorityKey,
    /// Which certificates it covers.
    pub scope: CrlScope,
    /// Whether it is a delta CRL.
    pub delta: bool,
}

/// The wish to sign a CRL.
#[derive(Clone, Debug)]
pub struct IntendCrl {
    /// What it is of.
    pub of: CrlOf,
    /// Delta only: its BaseCRLNumber.
    pub base: Option<CrlNumber>,
    /// CRLNumber.
    pub number: CrlNumber,
    /// SHA-256 of the tbsCertList.
    pub tbs_digest: Digest,
    /// thisUpdate.
    pub this_update: Timestamp,
    /// nextUpdate.
    pub next_update: Timestamp,
    /// How many certificates it lists.
    pub entries: u64,
    /// Time and actor.
    pub stamp: Stamp,
}

/// What became of the wish to sign a CRL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CrlOutcome {
    /// The intent is durable: the key may be used.
    Intended {
        /// Index of `crl.intent`.
        index: u64,
        /// That it is in the log, for the signing step.
        evidence: Option<Box<Evidence>>,
    },
    /// The same bytes were signed under this number before.
    Signed(SignedCrl),
    /// The same bytes are being signed.
    InProgress,
    /// The number is not the next one.
    NotNext {
        /// The next one.
        next: CrlNumber,
    },
    /// There is no such CA.
    NoAuthority,
}

/// A CRL's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCrl {
    /// The signature.
    pub signature: Vec<u8>,
    /// The algorithm's OID, dotted.
    pub algorithm: String,
    /// Index of `crl.signed`.
    pub index: u64,
}

/// How a CRL's intent ends.
#[derive(Debug)]
pub struct EndCrl {
    /// What it is of.
    pub of: CrlOf,
    /// CRLNumber.
    pub number: CrlNumber,
    /// SHA-256 of the tbsCertList.
    pub tbs_digest: Digest,
    /// Signature and the algorithm's OID; or why there is none.
    pub result: Result<(Vec<u8>, &'static str), Cause>,
    /// Time and actor.
    pub stamp: Stamp,
}

/// A piece of the feed.
#[derive(Debug)]
pub struct FeedPage {
    /// `certificate.issued` and `certificate.abandoned`, in log order.
    pub events: Vec<Recorded<IssuerEvent>>,
    /// Everything below this index has been read.
    pub next: u64,
}

/// The issuer's durable store: the log of what was signed, and what follows from it.
///
/// Every command carries the epoch of the process that gives it, and is refused as
/// [`StoreError::Fenced`] once a newer epoch was opened.
pub trait IssuerStore: Send + Sync + 'static {
    /// Whose log it is.
    fn identity(&self) -> &Identity;

    /// Why certificates wait, if they do: what is issued could not be seen, or a witness disputes the log.
    fn hold(&self) -> Option<Hold>;

    /// Opens the next epoch and closes every open intent of the older ones as abandoned.
    fn open_epoch(&self, stamp: Stamp) -> impl Future<Output = Result<Opened, StoreError>> + Send;

    /// Records intents, each decided on its own, in order: of two orders with one key the second
    /// is refused.
    fn intend(
        &self,
        epoch: Epoch,
        batch: Vec<Intend>,
    ) -> impl Future<Output = Result<Vec<IntentOutcome>, StoreError>> + Send;

    /// Records how intents ended.
    fn end(
        &self,
        epoch: Epoch,
        batch: Vec<Ending>,
    ) -> impl Future<Output = Result<Vec<EndingOutcome>, StoreError>> + Send;

    /// Tells what is known of applications, in the order asked for.
    fn issuances(
        &self,
        applications: Vec<ApplicationId>,
    ) -> impl Future<Output = Result<Vec<Issuance>, StoreError>> + Send;

    /// The CAs.
    fn authorities(&self) -> impl Future<Output = Result<Vec<AuthorityRecord>, StoreError>> + Send;

    /// Records the intent to sign a CA certificate.
    fn intend_authority(
        &self,
        epoch: Epoch,
        intent: IntendAuthority,
    ) -> impl Future<Output = Result<AuthorityOutcome, StoreError>> + Send;

    /// Records a CA.
    fn create_authority(
        &self,
        epoch: Epoch,
        new: NewAuthority,
    ) -> impl Future<Output = Result<AuthorityOutcome, StoreError>> + Send;

    /// Records the intent to sign a CRL.
    fn intend_crl(
        &self,
        epoch: Epoch,
        intent: IntendCrl,
    ) -> impl Future<Output = Result<CrlOutcome, StoreError>> + Send;

    /// Records how a CRL's intent ended; the index of the entry, or `None` if it was not open.
    fn end_crl(
        &self,
        epoch: Epoch,
        end: EndCrl,
    ) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send;

    /// Reads the feed from `from` on, at most `most` entries of the log; an empty page at the end.
    fn feed(
        &self,
        from: u64,
        most: usize,
    ) -> impl Future<Output = Result<FeedPage, StoreError>> + Send;

    /// The number of durable entries, rising.
    fn durable(&self) -> watch::Receiver<u64>;

    /// Notes durably that entries below `size` were shown to others: a log that ends before them
    /// was set back, and is refused on opening.
    fn mark_shown(&self, size: u64) -> impl Future<Output = Result<(), StoreError>> + Send;
}
