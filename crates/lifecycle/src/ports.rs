//! What lifecycle needs from outside: its store and the issuer.
//!
//! The store speaks in slices of commands; each call is one atomic durable unit, and its answer
//! comes after the sync. It decides what only it can decide without a race: whether a feed item is
//! new, whether a certificate may be revoked, whether a CRL follows the one before it. The issuer
//! is asked for its feed, its CAs and signatures under CRLs, and for nothing else.

mod crl;
mod feed;
mod notice;
mod query;
mod rebuild;
mod renewal;
mod slot;

use std::{collections::BTreeMap, future::Future, sync::Arc};

use lgpki_domain::{
    ApplicationId, Authority, AuthorityKey, BodyCode, CrlNumber, CrlOptions, CrlScope, CrlSeries,
    Digest, Fault, RevocationReason, Serial, Timestamp,
};
use lgpki_proto::RemoteError;
use lgpki_x509::{Addresses, ocsp};
use tokio::sync::{mpsc, watch};

pub use crate::known_key::KnownKey;
pub use crl::{
    Base, CrlList, CrlPart, CrlToSign, Listed, Publication, PublicationStanding, Recording,
    Snapshot,
};
pub use feed::{AbandonedSerial, FeedEvent, FeedItem, Followed, IssuedCertificate};
pub use notice::{
    Moment, Notice, NoticeCursor, NoticeKind, NoticeQuery, NoticeStart, Notices, window_opens,
};
pub(crate) use query::subject_texts;
pub use query::{
    Bucket, Counts, Filter, Grouping, Histogram, HistogramQuery, HistogramRow, SubjectFilter, Texts,
};

pub use rebuild::{Difference, Place, RebuildNews, RebuildOrder, RebuildReport, RebuildStage};

use crate::error::StoreError;

pub use renewal::{Closed, RenewalClosing, RenewalEnd, RenewalOpening, RenewalOrder};
pub use slot::{Renewable, RenewableQuery, SlotBooking, SlotOrder, SlotStore};

/// An order to revoke one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationOrder {
    /// The application that asked for it: the name of this order for ever.
    pub command: ApplicationId,
    /// The certificate.
    pub serial: Serial,
    /// Why.
    pub reason: RevocationReason,
    /// The branch that must own it; none means any.
    pub branch: Option<BodyCode>,
    /// Who ordered it.
    pub actor: String,
    /// The entry of intake's log that ordered it.
    pub answers_index: u64,
}

/// When a certificate was revoked, or why it cannot be.
pub type RevocationOutcome = Result<Timestamp, Fault>;

/// A revocation that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: RevocationReason,
}

/// A certificate of the inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// As issued; the DER is empty in lists.
    pub issued: IssuedCertificate,
    /// Its revocation, if any.
    pub revocation: Option<Revocation>,
    /// The application by which it is being renewed, if it is.
    pub renewal: Option<ApplicationId>,
}

/// State of a certificate at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertificateState {
    /// Not revoked, and not past its validity.
    Valid,
    /// Revoked, whether or not it would have expired since.
    Revoked,
    /// Past its validity and never revoked.
    Expired,
    /// Neither, but an application to renew it is open (R3); to relying parties it is good.
    Renewing,
}

impl CertificateState {
    /// The state at `now`.
    #[must_use]
    pub fn at(now: Timestamp, not_after: Timestamp, revoked: bool, renewing: bool) -> Self {
        if revoked {
            Self::Revoked
        } else if is_over(not_after, now) {
            Self::Expired
        } else if renewing {
            Self::Renewing
        } else {
            Self::Valid
        }
    }
}

/// Whether a validity that ends with `not_after` is over at `now`; the whole last second counts as
/// valid (RFC 5280 §4.1.2.5).
#[must_use]
pub fn is_over(not_after: Timestamp, now: Timestamp) -> bool {
    now.as_seconds() > not_after.as_seconds()
}

/// Where a page begins: after this certificate in the order of expiry and serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// notAfter of the last one seen.
    pub not_after: Timestamp,
    /// Its serial number.
    pub serial: Serial,
}

/// A piece of the inventory's history, for those who keep a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standings {
    /// In order; a later one of the same certificate replaces an earlier one.
    pub certificates: Vec<Certificate>,
    /// Where to go on.
    pub next: u64,
    /// Everything of the issuer's log below this index is told of by what was read so far, if what
    /// was read says anything about it.
    pub issuance_position: Option<u64>,
}

/// The inventory with its history.
pub trait LifecycleStore: SlotStore + Clone + Send + Sync + 'static {
    /// Records a slice of the feed; items that stand in the inventory already are passed over.
    fn follow(
        &self,
        items: Vec<FeedItem>,
        at: Timestamp,
    ) -> impl Future<Output = Result<Followed, StoreError>> + Send;

    /// Everything of the issuer's log below this index stands in the inventory.
    fn position(&self) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Revokes; each order is decided by itself, and all are durable together.
    fn revoke(
        &self,
        orders: Vec<RevocationOrder>,
        at: Timestamp,
    ) -> impl Future<Output = Result<Vec<RevocationOutcome>, StoreError>> + Send;

    /// Opens renewals; each order is decided by itself, and all are durable together.
    fn open_renewals(
        &self,
        orders: Vec<RenewalOrder>,
        at: Timestamp,
    ) -> impl Future<Output = Result<Vec<RenewalOpening>, StoreError>> + Send;

    /// Closes renewals; each end is decided by itself, and all are durable together.
    fn close_renewals(
        &self,
        ends: Vec<RenewalEnd>,
        at: Timestamp,
    ) -> impl Future<Output = Result<Vec<RenewalClosing>, StoreError>> + Send;

    /// One certificate, with its DER.
    fn certificate(
        &self,
        serial: Serial,
    ) -> impl Future<Output = Result<Option<Certificate>, StoreError>> + Send;

    /// At most `limit` certificates after `after`, by expiry and serial number, without DER; the
    /// cursor is that of the last one where there may be more.
    fn page(
        &self,
        filter: Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> impl Future<Output = Result<(Vec<Certificate>, Option<Cursor>), StoreError>> + Send;

    /// How many certificates fit the filter at `now`, by kind and state.
    fn counts(
        &self,
        filter: Filter,
        now: Timestamp,
    ) -> impl Future<Output = Result<Counts, StoreError>> + Send;

    /// How many certificates expire when; none if the answer would be too large.
    fn histogram(
        &self,
        query: HistogramQuery,
    ) -> impl Future<Output = Result<Option<Histogram>, StoreError>> + Send;

    /// Notices, as far as one look reaches.
    fn notices(
        &self,
        query: NoticeQuery,
    ) -> impl Future<Output = Result<Notices, StoreError>> + Send;

    /// Changes whenever the log may have brought notices.
    fn notable(&self) -> watch::Receiver<u64>;

    /// Every series in which a CRL was published.
    fn series(&self) -> impl Future<Output = Result<Vec<CrlSeries>, StoreError>> + Send;

    /// Where the publication of a series of CRLs stands.
    fn publication(
        &self,
        series: CrlSeries,
    ) -> impl Future<Output = Result<PublicationStanding, StoreError>> + Send;

    /// What the next CRLs of a series must list if they are made at `now`.
    fn snapshot(
        &self,
        series: CrlSeries,
        now: Timestamp,
    ) -> impl Future<Output = Result<Snapshot, StoreError>> + Send;

    /// The entries of a snapshot after this serial number, ascending, as far as one look reaches;
    /// empty at the end.
    fn listed(
        &self,
        series: CrlSeries,
        snapshot: Snapshot,
        after: Option<Serial>,
    ) -> impl Future<Output = Result<Vec<Listed>, StoreError>> + Send;

    /// Of a snapshot, what was revoked since the entry `since`, ascending; `since` lies no further
    /// back than the oldest base.
    fn changes(
        &self,
        series: CrlSeries,
        snapshot: Snapshot,
        since: u64,
    ) -> impl Future<Output = Result<Vec<Listed>, StoreError>> + Send;

    /// How many revocations of a series were recorded since the entry `since`, until the snapshot.
    fn recorded(
        &self,
        series: CrlSeries,
        snapshot: Snapshot,
        since: u64,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// notAfter of certificates and abandoned serial numbers, in the order asked for.
    fn expiries(
        &self,
        serials: Vec<Serial>,
    ) -> impl Future<Output = Result<Vec<Option<Timestamp>>, StoreError>> + Send;

    /// Records that a CRL was published.
    fn record(
        &self,
        publication: Publication,
        at: Timestamp,
    ) -> impl Future<Output = Result<Recording, StoreError>> + Send;

    /// The history from `from` on, as far as one look reaches; empty at the durable end.
    fn standings(&self, from: u64) -> impl Future<Output = Result<Standings, StoreError>> + Send;

    /// What the inventory says of certificates of one CA key; unknown where that key never issued
    /// one with this serial number, or where there is no serial number that it could have given.
    fn ocsp_statuses(
        &self,
        ca_key: AuthorityKey,
        serials: Vec<Option<Serial>>,
    ) -> impl Future<Output = Result<Vec<ocsp::Status>, StoreError>> + Send;

    /// Records what OCSP responders signed.
    fn record_ocsp(
        &self,
        batches: Vec<OcspBatch>,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Rebuilds the inventory from the log, compares log and feed, and the live inventory with the
    /// rebuilt one, and puts the index right where that is wanted.
    fn rebuild(
        &self,
        order: RebuildOrder,
    ) -> impl Future<Output = Result<RebuildReport, StoreError>> + Send;

    /// The durable end of the history, and its changes.
    fn durable(&self) -> watch::Receiver<u64>;

    /// Keeps in mind that the history below `size` was shown to others, so that a store that was
    /// set back below it is noticed.
    fn shown(&self, size: u64) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A key of a CA as the issuer describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerInfo {
    /// Which.
    pub authority: Authority,
    /// Its certificate, DER.
    pub certificate: Arc<[u8]>,
    /// Generation of its key, from 1.
    pub generation: u32,
    /// The addresses of its CRL, exactly as in its certificates' distribution point.
    pub crl_urls: Vec<String>,
    /// How it publishes its revocations.
    pub crl_options: CrlOptions,
    /// The highest CRL number signed in each scope that it publishes; 0 before the first.
    pub crl_numbers: BTreeMap<CrlScope, CrlNumber>,
    /// Whether a link with the generation before is missing: the key issues nothing yet.
    pub unlinked: bool,
    /// Its key as it was read from the certificate.
    pub known: KnownKey,
}

impl IssuerInfo {
    /// The CA's key.
    #[must_use]
    pub const fn key(&self) -> AuthorityKey {
        AuthorityKey::new(self.authority, self.generation)
    }

    /// Takes over what was read of the same key before.
    pub(crate) fn recognize(&mut self, before: &[Self]) {
        let is_same = |one: &&Self| {
            one.certificate == self.certificate
                && one.crl_urls == self.crl_urls
                && one.crl_options == self.crl_options
        };
        if let Some(same) = before.iter().find(is_same) {
            self.known = same.known.clone();
        }
    }

    /// Where relying parties fetch the CRL of a scope, or its delta; the first address, where there
    /// are several.
    #[must_use]
    pub fn crl_url(&self, scope: CrlScope, delta: bool) -> String {
        let addresses = Addresses {
            crl: self.crl_urls.iter().take(1).cloned().collect(),
            ca_certificate: Vec::new(),
            ocsp: Vec::new(),
            cps: String::new(),
        };
        addresses.crl_of(scope, delta).pop().unwrap_or_default()
    }

    /// The series of this key's CRLs of a scope.
    #[must_use]
    pub const fn series(&self, scope: CrlScope) -> CrlSeries {
        CrlSeries {
            key: self.key(),
            scope,
        }
    }
}

/// A piece of the issuer's feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedBatch {
    /// In log order.
    pub items: Vec<FeedItem>,
    /// Everything below this index has been streamed.
    pub next: u64,
}

/// What one OCSP responder signed in a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspBatch {
    /// The CA's key whose certificates' states it told.
    pub ca_key: AuthorityKey,
    /// The serial number of the responder's certificate.
    pub responder: Serial,
    /// How many answers.
    pub count: u64,
    /// The chain of the SHA-256 digests of the tbsResponseData in the order in which they were
    /// signed: from 32 zero octets, SHA-256 of the digest so far and the next.
    pub digest: Digest,
}

/// An OCSP responder's key to be certified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponderToCertify {
    /// The request's name for ever.
    pub request: ApplicationId,
    /// The CA whose certificates' states it will tell.
    pub authority: Authority,
    /// The generation of the CA's key.
    pub generation: u32,
    /// The certification request, DER.
    pub csr: Vec<u8>,
}

/// The issuer, as lifecycle may use it.
pub trait Issuer: Clone + Send + Sync + 'static {
    /// The CAs.
    fn issuers(&self) -> impl Future<Output = Result<Vec<IssuerInfo>, RemoteError>> + Send;

    /// The signature under a tbsCertList, which is sent while it is being made. Whoever gives up waiting
    /// before its end has come gets none made.
    fn sign_crl(&self, crl: CrlToSign)
    -> impl Future<Output = Result<Vec<u8>, RemoteError>> + Send;

    /// The certificate of an OCSP responder, DER.
    fn certify_responder(
        &self,
        responder: ResponderToCertify,
    ) -> impl Future<Output = Result<Vec<u8>, RemoteError>> + Send;

    /// Sends the feed from `from` on into `into` until it breaks off or nobody listens any more.
    fn follow(
        &self,
        from: u64,
        into: mpsc::Sender<FeedBatch>,
    ) -> impl Future<Output = Result<(), RemoteError>> + Send;
}
