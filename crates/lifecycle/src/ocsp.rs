//! The OCSP responder (RFC 6960): answers about single certificates, each true when it is given.
//!
//! Every answer begins with a look at the inventory, so that none contradicts it: one signed before
//! is given again only while it says what the inventory says. Certificates that the CA's key never
//! issued are unknown, never good. The keys live in memory alone and are certified anew at every
//! start: there is nothing to protect on disk, and a lost one is worth 30 days of answers, no more.

mod budget;
mod desk;
mod health;
mod journal;
mod kept;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use axum::body::Bytes;
use lgpki_domain::{AuthorityKey, Clock, Digest, Timestamp};
use lgpki_runtime::shutdown::Shutdown;
use lgpki_x509::ocsp::{CertId, Failure, OcspRequest, Status};

pub(crate) use budget::FEWEST;
use budget::{Budget, Wanted};
pub(crate) use desk::Desk;
use health::Health;
use journal::Journal;
use kept::{Due, Signed};

use crate::{
    alarm::keys::Responder,
    config::OcspSettings,
    error::{LifecycleError, StoreError},
    metrics,
    ports::LifecycleStore,
};

/// What is sent back.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// The OCSPResponse in DER.
    pub(crate) body: Bytes,
    /// What a cache may do with it; nothing unless it is good for everybody who asks the same.
    pub(crate) caching: Option<Caching>,
}

/// For how long a reply is good for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caching {
    /// SHA-256 of the reply.
    pub(crate) digest: Digest,
    /// Since when it stands.
    pub(crate) this_update: Timestamp,
    /// Until when.
    pub(crate) next_update: Timestamp,
    /// For how many seconds from now it may be kept without asking again.
    pub(crate) max_age: i64,
}

impl Reply {
    /// A failure, counted as this outcome.
    fn failed(failure: Failure, outcome: &'static str) -> Self {
        metrics::ocsp_answered(outcome);
        Self {
            body: Bytes::copy_from_slice(&failure.to_der()),
            caching: None,
        }
    }
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        Self::failed(failure, failure.name())
    }
}

/// The responder for all of this node's CAs.
#[derive(Debug)]
pub(crate) struct Answerer<S> {
    store: S,
    clock: Arc<dyn Clock>,
    settings: OcspSettings,
    /// What is signed, for the log.
    journal: Journal,
    desks: RwLock<BTreeMap<AuthorityKey, Arc<Desk>>>,
    budget: Budget,
    health: Health,
}

impl<S: LifecycleStore> Answerer<S> {
    pub(crate) fn new(store: S, clock: Arc<dyn Clock>, settings: OcspSettings) -> Self {
        let since = clock.now();
        Self {
            store,
            clock,
            settings,
            journal: Journal::default(),
            desks: RwLock::default(),
            budget: Budget::default(),
            health: Health::new(since),
        }
    }

    /// The responder for a CA's key, once it has a certificate.
    pub(crate) fn desk(&self, name: AuthorityKey) -> Option<Arc<Desk>> {
        let desks = self.desks.read().unwrap_or_else(PoisonError::into_inner);
        desks.get(&name).cloned()
    }

    /// Opens a desk, in place of the one before; what that one signed is not given any more.
    pub(crate) fn open(&self, name: AuthorityKey, desk: Desk) {
        let mut desks = self.desks.write().unwrap_or_else(PoisonError::into_inner);
        desks.insert(name, Arc::new(desk));
        self.health.certified(name);
    }

    /// An attempt to have a responder certified failed.
    pub(crate) fn not_certified(&self, name: AuthorityKey, at: Timestamp, why: String) {
        self.health.failed(name, at, why);
    }

    /// How the responder of a CA's key fares.
    pub(crate) fn responder(&self, name: AuthorityKey, now: Timestamp) -> Responder {
        self.health.of(name, self.desk(name).as_deref(), now)
    }

    /// Whether the certificate of a CA key's responder was itself revoked.
    pub(crate) async fn is_revoked(&self, name: AuthorityKey, desk: &Desk) -> bool {
        let own = vec![Some(desk.serial())];
        let statuses = self.store.ocsp_statuses(name, own).await;
        matches!(statuses.as_deref(), Ok([Status::Revoked { .. }]))
    }

    /// How long answers stand and are kept.
    pub(crate) const fn settings(&self) -> OcspSettings {
        self.settings
    }

    /// Answers a request that came to the place of a CA's key.
    pub(crate) async fn answer(&self, name: AuthorityKey, request: &[u8]) -> Reply {
        let Ok(request) = OcspRequest::parse(request) else {
            return Failure::MalformedRequest.into();
        };
        let Some(desk) = self.desk(name) else {
            return Failure::TryLater.into();
        };
        if !request.cert_ids().iter().all(|id| desk.issued(id)) {
            return Failure::Unauthorized.into();
        }
        let serials = request.cert_ids().iter().map(CertId::serial).collect();
        // Before the look: an answer never claims a time whose revocations it did not see.
        let now = self.clock.now();
        let Ok(statuses) = self.store.ocsp_statuses(name, serials).await else {
            return Failure::InternalError.into();
        };
        if !desk.validity().contains(now) {
            return Failure::TryLater.into();
        }
        // An answer about one certificate that exists, without a nonce, is good for everybody.
        let wanted = Wanted::of(&request, &statuses);
        let for_everybody = match (wanted, request.cert_ids(), statuses.as_slice()) {
            (Wanted::Everybody, [id], [status]) => {
                id.serial().map(|serial| (id.der(), serial, *status))
            }
            _ => None,
        };
        if let Some((id, _, status)) = for_everybody
            && let Some(signed) = desk.kept().find(id, status, now)
        {
            metrics::ocsp_answered("pre-signed");
            return self.reply(&signed, now);
        }
        let most = self.settings.signatures_per_second;
        if !self.budget.spend(wanted, most, now) {
            metrics::ocsp_turned_away(wanted.name());
            // Whoever asks about nothing shall not have anybody called.
            if wanted == Wanted::Unknown {
                return Reply::failed(Failure::TryLater, "unknown-put-off");
            }
            self.health.turned_away(name, now);
            return Failure::TryLater.into();
        }
        let ids: Vec<_> = request.cert_ids().iter().map(CertId::der).collect();
        let signed = desk.sign(&ids, &statuses, request.nonce(), now);
        let Some(signed) = signed else {
            return Failure::InternalError.into();
        };
        self.journal.note(name, desk.serial(), signed.tbs_digest);
        metrics::ocsp_answered("live");
        if let Some((id, serial, status)) = for_everybody {
            let id = id.to_vec();
            desk.kept().keep(Due { id, serial }, status, signed.clone());
            return self.reply(&signed, now);
        }
        Reply {
            body: signed.body,
            caching: None,
        }
    }

    fn reply(&self, signed: &Signed, now: Timestamp) -> Reply {
        let left = signed.next_update.as_seconds() - now.as_seconds();
        Reply {
            body: signed.body.clone(),
            caching: Some(Caching {
                digest: signed.digest,
                this_update: signed.this_update,
                next_update: signed.next_update,
                max_age: left.min(self.settings.cache_seconds).max(0),
            }),
        }
    }

    /// Signs again what was asked for since it was signed and is past half its time; lets go of what
    /// nobody asked for.
    pub(crate) async fn refresh(&self, name: AuthorityKey) -> Result<(), StoreError> {
        let Some(desk) = self.desk(name) else {
            return Ok(());
        };
        let due = desk.kept().due(self.clock.now());
        // Some at a time, so that whoever asks meanwhile is answered.
        for some in due.chunks(64) {
            let serials = some.iter().map(|kept| Some(kept.serial)).collect();
            let now = self.clock.now();
            let statuses = self.store.ocsp_statuses(name, serials).await?;
            for (kept, status) in some.iter().zip(statuses) {
                if let Some(signed) = desk.sign(&[&kept.id], &[status], None, now) {
                    self.journal.note(name, desk.serial(), signed.tbs_digest);
                    desk.kept().keep(kept.clone(), status, signed);
                }
            }
            tokio::task::yield_now().await;
        }
        metrics::ocsp_kept(name, desk.kept().len());
        Ok(())
    }

    /// Records what is signed, at most once a second, until the shutdown.
    pub(crate) async fn keep_journal(
        self: Arc<Self>,
        shutdown: Shutdown,
    ) -> Result<(), LifecycleError> {
        let (store, clock) = (&self.store, self.clock.as_ref());
        self.journal.keep(store, clock, shutdown).await
    }

    /// Records what was signed since; for the end.
    pub(crate) async fn close_journal(&self) -> Result<(), StoreError> {
        self.journal.flush(&self.store, self.clock.now()).await
    }
}
