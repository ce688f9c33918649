//! The issuer's use cases, free of transport: issue, tell, sign a CRL, feed.
//!
//! The order of every signature is the same: build and lint, record the intent durably, use the key,
//! record the result durably, answer. The types carry it: only the lint makes a `Linted`, only the
//! turnstile makes a `Permit` of it, once, when it is shown that the intent is in the log, and the answer
//! holds the index of the record.

mod authority;
mod ca_certificate;
mod crl;
mod feed;
mod issue;
mod order;
mod responder;
mod rollover;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    sync::{Arc, PoisonError, RwLock},
};

use lgpki_domain::{ApplicationId, Authority, AuthorityKey, Clock, Randomness};
use lgpki_ledger::Stamp;
use tokio::sync::watch;

pub(crate) use authority::Publishing;
pub use ca_certificate::Cross;
pub(crate) use crl::{CrlAnnounced, CrlOrder};
pub use issue::Answer;
pub use order::{Order, Wanted};
pub(crate) use responder::ResponderOrder;
pub use rollover::{RollOver, RolledOver};

use crate::{
    cores::Cores,
    error::IssuerError,
    ports::{AuthorityRecord, Epoch, Issuance, IssuerStore, Opened},
    turnstile::Turnstile,
    vault::{Ca, Vault},
};

/// The most orders, or applications asked about, in one call.
pub const MOST_ORDERS: usize = 500;

/// Where time and chance come from.
#[derive(Clone, Debug)]
pub struct Ports {
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Random bytes, for serial numbers.
    pub randomness: Arc<dyn Randomness>,
}

/// An issuer that holds its keys and the newest epoch.
#[derive(Debug)]
pub(crate) struct App<S> {
    store: S,
    ports: Ports,
    vault: Vault,
    cas: RwLock<BTreeMap<AuthorityKey, Arc<Ca>>>,
    /// Generations that are not yet linked with the one before, and so do not issue.
    unlinked: RwLock<BTreeSet<AuthorityKey>>,
    epoch: Epoch,
    turnstile: Arc<Turnstile>,
    cores: Cores,
    /// Held shared by whatever must not be left half done; taken whole to drain.
    work: Arc<tokio::sync::RwLock<()>>,
    /// Only one CRL is signed at a time, so that numbers are judged one after the other.
    crl_turn: tokio::sync::Mutex<()>,
    shown: watch::Sender<u64>,
}

impl<S: IssuerStore> App<S> {
    /// Takes over: opens the keys of all recorded CAs, and only if all fit opens an epoch, which
    /// closes what older processes left open.
    pub(crate) async fn take_over(
        store: S,
        vault: Vault,
        ports: Ports,
        cores: Option<NonZeroUsize>,
        actor: &str,
    ) -> Result<(Arc<Self>, Opened), IssuerError> {
        let cores = Cores::new(cores);
        let records = store.authorities().await?;
        let unlinked = rollover::unlinked(&store, &records).await?;
        let (vault, cas) = cores
            .run(move || {
                let cas = records
                    .iter()
                    .map(|record| Ok((record.key(), Arc::new(vault.open(record)?))))
                    .collect::<Result<BTreeMap<_, _>, IssuerError>>();
                cas.map(|cas| (vault, cas))
            })
            .await
            .ok_or(IssuerError::WorkerLost)??;
        let opened = store
            .open_epoch(Stamp::new(ports.clock.now(), actor))
            .await?;
        let turnstile = Turnstile::new(store.identity().clone(), opened.epoch);
        let app = Arc::new(Self {
            store,
            ports,
            vault,
            cas: RwLock::new(cas),
            unlinked: RwLock::new(unlinked.into_iter().collect()),
            epoch: opened.epoch,
            turnstile: Arc::new(turnstile),
            cores,
            work: Arc::default(),
            crl_turn: tokio::sync::Mutex::new(()),
            shown: watch::Sender::new(0),
        });
        Ok((app, opened))
    }

    /// The CA's newest key, if there is one.
    fn ca(&self, authority: Authority) -> Option<Arc<Ca>> {
        let cas = self.cas.read().unwrap_or_else(PoisonError::into_inner);
        let mut keys = cas.iter().filter(|(key, _)| key.authority == authority);
        keys.next_back().map(|(_, ca)| Arc::clone(ca))
    }

    /// A key of a CA, if there is one.
    fn ca_key(&self, key: AuthorityKey) -> Option<Arc<Ca>> {
        let cas = self.cas.read().unwrap_or_else(PoisonError::into_inner);
        cas.get(&key).map(Arc::clone)
    }

    /// Whether there is any CA.
    pub(crate) fn has_authorities(&self) -> bool {
        let cas = self.cas.read().unwrap_or_else(PoisonError::into_inner);
        !cas.is_empty()
    }

    /// Tells what is known of applications, in the order asked for.
    pub(crate) async fn issuances(
        &self,
        applications: Vec<ApplicationId>,
    ) -> Result<Vec<Issuance>, IssuerError> {
        at_most(applications.len(), "applications")?;
        Ok(self.store.issuances(applications).await?)
    }

    /// The CAs.
    pub(crate) async fn authorities(&self) -> Result<Vec<AuthorityRecord>, IssuerError> {
        Ok(self.store.authorities().await?)
    }

    /// Returns when everything that was begun is done; nothing new begins while the result is held.
    pub(crate) async fn drained(&self) -> tokio::sync::OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.work).write_owned().await
    }

    /// Permission to begin something that must not be left half done.
    fn begin(&self) -> Result<tokio::sync::OwnedRwLockReadGuard<()>, IssuerError> {
        Arc::clone(&self.work)
            .try_read_owned()
            .map_err(|_| IssuerError::ShuttingDown)
    }

    fn stamp(&self, actor: &str) -> Stamp {
        Stamp::new(self.ports.clock.now(), actor)
    }
}

fn at_most(count: usize, what: &'static str) -> Result<(), IssuerError> {
    if count > MOST_ORDERS {
        return Err(IssuerError::TooMany {
            count,
            what,
            most: MOST_ORDERS,
        });
    }
    Ok(())
}
