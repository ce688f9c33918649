//! Publishes CRLs: a thin loop around the plan.
//!
//! The order of steps decides what a crash leaves behind. The issuer signs and records the number;
//! the file is put in its place; the publication is recorded. After a crash between the first two
//! the number is lost and the next is taken; between the last two the file is newer than the
//! record, is found not to be the recorded one, and is replaced by a CRL with a higher number.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lgpki_domain::{Authority, Clock, CrlNumber, Timestamp};
use lgpki_proto::Failure;
use lgpki_runtime::shutdown::Shutdown;
use lgpki_x509::crl::{CrlHeader, RevocationList};
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    task::spawn_blocking,
};

use super::plan::{AuthorityState, Due, Plan, plan, this_update};
use crate::{
    config::Schedule,
    crl,
    error::{LifecycleError, chain},
    metrics,
    ports::{Issuer, IssuerInfo, LifecycleStore, Publication, Recording},
    publication::{Name, PublicationFiles},
};

/// How often a CRL is made anew because its number was taken meanwhile.
const RACES: usize = 3;
/// The longest wait after failed attempts, in seconds.
const LONGEST_WAIT: i64 = 60;

/// Somebody who waits for a publication.
#[derive(Debug)]
pub(crate) struct Demand {
    /// Of which CA; none means all.
    pub(crate) authority: Option<Authority>,
    /// Where the answer goes.
    pub(crate) answer: oneshot::Sender<Result<Vec<Publication>, Failure>>,
}

/// A demand being met.
#[derive(Debug)]
struct Pending {
    missing: BTreeSet<Authority>,
    done: Vec<Publication>,
    answer: oneshot::Sender<Result<Vec<Publication>, Failure>>,
}

/// Failed attempts in a row.
#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    retry_at: Timestamp,
}

impl Failures {
    fn after(before: Option<Self>, now: Timestamp) -> Self {
        let count = before.map_or(0, |before| before.count);
        let wait = (1_i64 << count.min(6)).min(LONGEST_WAIT);
        Self {
            count: count.saturating_add(1),
            retry_at: now.plus_seconds(wait),
        }
    }
}

/// The CAs as last heard of; empty before the issuer was reached.
pub(crate) type Issuers = Arc<Vec<IssuerInfo>>;

/// The worker.
#[derive(Debug)]
pub(crate) struct Publisher<S, I> {
    pub(crate) store: S,
    pub(crate) issuer: I,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) schedule: Schedule,
    pub(crate) files: PublicationFiles,
    pub(crate) issuers: watch::Sender<Issuers>,
    /// Rung after an urgent revocation.
    pub(crate) bell: Arc<Notify>,
}

/// What the loop keeps in mind.
#[derive(Debug, Default)]
struct Memory {
    pending: Vec<Pending>,
    failures: BTreeMap<Authority, Failures>,
    unreached: Option<Failures>,
}

impl<S: LifecycleStore, I: Issuer> Publisher<S, I> {
    /// Works until `shutdown`; returns an error only if the store fails.
    pub(crate) async fn run(
        self,
        mut demands: mpsc::Receiver<Demand>,
        shutdown: Shutdown,
    ) -> Result<(), LifecycleError> {
        tokio::select! {
            failed = self.publish_all(&mut demands) => failed,
            () = shutdown.requested() => Ok(()),
        }
    }

    async fn publish_all(
        &self,
        demands: &mut mpsc::Receiver<Demand>,
    ) -> Result<(), LifecycleError> {
        let mut memory = Memory::default();
        let mut waiting: Vec<Demand> = Vec::new();
        loop {
            while let Ok(demand) = demands.try_recv() {
                waiting.push(demand);
            }
            if let Err(retry_at) = self.reach_issuer(&mut memory, &mut waiting).await? {
                self.wait(demands, &mut waiting, retry_at).await;
                continue;
            }
            self.take_on(&mut memory, &mut waiting);
            let plan = self.plan(&memory).await?;
            if plan.due.is_empty() {
                self.wait(demands, &mut waiting, plan.wake_at).await;
                continue;
            }
            for (authority, due) in plan.due {
                let published = self.publish(authority, due).await;
                self.settle(&mut memory, authority, published)?;
            }
        }
    }

    /// Returns when there is a demand, the bell rings, or `until` has come.
    async fn wait(
        &self,
        demands: &mut mpsc::Receiver<Demand>,
        waiting: &mut Vec<Demand>,
        until: Timestamp,
    ) {
        tokio::select! {
            demand = demands.recv() => match demand {
                Some(demand) => waiting.push(demand),
                // Nobody can ask any more; the hours still come.
                None => self.clock.sleep_until(until).await,
            },
            () = self.bell.notified() => {}
            () = self.clock.sleep_until(until) => {}
        }
    }

    /// Makes sure that the CAs are known; else says when to try again, and whoever waits hears it.
    async fn reach_issuer(
        &self,
        memory: &mut Memory,
        waiting: &mut Vec<Demand>,
    ) -> Result<Result<(), Timestamp>, LifecycleError> {
        if !self.issuers.borrow().is_empty() {
            return Ok(Ok(()));
        }
        let now = self.clock.now();
        if let Some(failures) = memory
            .unreached
            .filter(|f| waiting.is_empty() && f.retry_at > now)
        {
            return Ok(Err(failures.retry_at));
        }
        match self.refresh().await {
            Ok(_) => {
                memory.unreached = None;
                for authority in Authority::ALL {
                    if let Some(newest) = self.store.publication(authority).await?.newest {
                        metrics::standing(&newest);
                    }
                }
                Ok(Ok(()))
            }
            Err(error) => {
                let failures = Failures::after(memory.unreached, now);
                tracing::info!(
                    error = chain(&error),
                    "the issuer cannot be asked for its CAs yet"
                );
                memory.unreached = Some(failures);
                for demand in waiting.drain(..) {
                    // Whoever asked may have left.
                    let _ = demand.answer.send(Err(LifecycleError::NoIssuer.into()));
                }
                Ok(Err(failures.retry_at))
            }
        }
    }

    /// Asks the issuer for its CAs, and publishes certificates that are not there yet.
    async fn refresh(&self) -> Result<Issuers, LifecycleError> {
        let infos = self
            .issuer
            .issuers()
            .await
            .map_err(LifecycleError::Issuer)?;
        if infos.is_empty() {
            return Err(LifecycleError::NoIssuer);
        }
        for info in &infos {
            let name = Name::Certificate(info.authority, info.generation);
            let stands = self
                .files
                .find(name)
                .is_some_and(|file| *file.bytes == *info.certificate);
            if !stands {
                let files = self.files.clone();
                let bytes = info.certificate.to_vec();
                blocking(move || files.put(name, bytes)).await?;
            }
        }
        let infos = Arc::new(infos);
        self.issuers.send_replace(Arc::clone(&infos));
        Ok(infos)
    }

    /// Turns new demands into work.
    fn take_on(&self, memory: &mut Memory, waiting: &mut Vec<Demand>) {
        let known: BTreeSet<_> = self
            .issuers
            .borrow()
            .iter()
            .map(|info| info.authority)
            .collect();
        for demand in waiting.drain(..) {
            match demand.authority {
                Some(authority) if !known.contains(&authority) => {
                    let failure = LifecycleError::NoAuthority(authority).into();
                    // Whoever asked may have left.
                    let _ = demand.answer.send(Err(failure));
                }
                authority => memory.pending.push(Pending {
                    missing: authority.map_or_else(|| known.clone(), |one| BTreeSet::from([one])),
                    done: Vec::new(),
                    answer: demand.answer,
                }),
            }
        }
        memory.pending.retain(|pending| !pending.answer.is_closed());
    }

    async fn plan(&self, memory: &Memory) -> Result<Plan, LifecycleError> {
        let infos = Arc::clone(&self.issuers.borrow());
        let mut states = Vec::with_capacity(infos.len());
        for info in infos.iter() {
            let authority = info.authority;
            let standing = self.store.publication(authority).await?;
            let file = self.files.find(Name::Crl(authority, info.generation));
            let intact = standing
                .newest
                .as_ref()
                .is_some_and(|newest| file.is_some_and(|file| file.digest == newest.digest));
            states.push(AuthorityState {
                authority,
                this_update: standing.newest.map(|newest| newest.this_update),
                file_intact: intact,
                urgent: standing.urgent,
                demanded: memory
                    .pending
                    .iter()
                    .any(|p| p.missing.contains(&authority)),
                retry_at: memory.failures.get(&authority).map(|f| f.retry_at),
            });
        }
        Ok(plan(self.clock.now(), self.schedule, &states))
    }

    /// Answers whoever waits for this CA.
    fn settle(
        &self,
        memory: &mut Memory,
        authority: Authority,
        published: Result<Publication, LifecycleError>,
    ) -> Result<(), LifecycleError> {
        let failure = match published {
            Ok(publication) => {
                memory.failures.remove(&authority);
                for pending in &mut memory.pending {
                    if pending.missing.remove(&authority) {
                        pending.done.push(publication.clone());
                    }
                }
                None
            }
            Err(LifecycleError::Store(e)) => return Err(e.into()),
            Err(error) => {
                tracing::warn!(%authority, error = chain(&error), "a CRL could not be published");
                metrics::publication_failed(authority);
                let before = memory.failures.get(&authority).copied();
                let failures = Failures::after(before, self.clock.now());
                memory.failures.insert(authority, failures);
                Some(Failure::from(error))
            }
        };
        for mut pending in std::mem::take(&mut memory.pending) {
            // Whoever asked may have left.
            if pending.missing.is_empty() {
                pending
                    .done
                    .sort_by_key(|publication| publication.authority);
                let _ = pending.answer.send(Ok(pending.done));
            } else if let Some(failure) = failure
                .clone()
                .filter(|_| pending.missing.contains(&authority))
            {
                let _ = pending.answer.send(Err(failure));
            } else {
                memory.pending.push(pending);
            }
        }
        Ok(())
    }

    /// Publishes one CRL.
    async fn publish(&self, authority: Authority, due: Due) -> Result<Publication, LifecycleError> {
        let mut races = 0;
        loop {
            match self.attempt(authority, due).await {
                Err(LifecycleError::Issuer(e))
                    if e.code == tonic::Code::Aborted && races < RACES =>
                {
                    races += 1;
                    tracing::info!(%authority, error = %e, "the CRL's number was taken; once more");
                }
                other => return other,
            }
        }
    }

    async fn attempt(&self, authority: Authority, due: Due) -> Result<Publication, LifecycleError> {
        let infos = self.refresh().await?;
        let info = infos
            .iter()
            .find(|info| info.authority == authority)
            .cloned();
        let info = info.ok_or(LifecycleError::NoAuthority(authority))?;
        let newest = self.store.publication(authority).await?.newest;
        let snapshot = self.store.snapshot(authority).await?;
        let reflects = snapshot.reflects;
        let generation = info.generation;
        let previous = newest.as_ref().map(|newest| newest.this_update);
        let latest = snapshot.entries.iter().map(|listed| listed.at).max();
        let this_update = this_update(self.clock.now(), previous, latest);
        let header = CrlHeader {
            number: number_after(&info, newest.as_ref()),
            this_update,
            next_update: this_update.plus_seconds(self.schedule.validity_seconds()),
        };
        let composed = blocking(move || crl::compose(&info, header, &snapshot)).await?;
        let to_sign = composed.to_sign.clone();
        let signature = self
            .issuer
            .sign_crl(to_sign)
            .await
            .map_err(LifecycleError::Issuer)?;
        let list = blocking(move || crl::seal(&composed, &signature)).await?;
        let list = self
            .judge(authority, generation, newest.as_ref(), list)
            .await?;
        let publication = Publication {
            authority,
            generation,
            number: header.number,
            digest: lgpki_x509::key::sha256(list.der()),
            entries: list.summary().entries,
            this_update,
            next_update: header.next_update,
            reflects,
        };
        let files = self.files.clone();
        let name = Name::Crl(authority, generation);
        blocking(move || files.put(name, list.der().to_vec())).await?;
        let recording = self
            .store
            .record(publication.clone(), self.clock.now())
            .await?;
        if recording == Recording::OutOfOrder {
            return Err(LifecycleError::HeldBack {
                authority,
                number: header.number.0,
                why: "a newer one was recorded meanwhile".to_owned(),
            });
        }
        metrics::published(&publication, due);
        tracing::info!(
            %authority,
            number = header.number.0,
            entries = publication.entries,
            this_update = %this_update,
            due = due.name(),
            "published a CRL"
        );
        Ok(publication)
    }

    /// Holds a CRL back that must not follow the newest one.
    async fn judge(
        &self,
        authority: Authority,
        generation: u32,
        newest: Option<&Publication>,
        list: RevocationList,
    ) -> Result<RevocationList, LifecycleError> {
        let Some(newest) = newest else {
            return Ok(list);
        };
        let summary = list.summary();
        let held_back = |why: String| LifecycleError::HeldBack {
            authority,
            number: summary.number.0,
            why,
        };
        let header = CrlHeader {
            number: summary.number,
            this_update: summary.this_update,
            next_update: summary.next_update,
        };
        crl::follows((newest.number, newest.this_update), &header)
            .map_err(|why| held_back(why.to_owned()))?;
        // A file that was lost cannot be compared; the log has the inventory all the same.
        let Some(previous) = self.files.find(Name::Crl(authority, generation)) else {
            return Ok(list);
        };
        let compare = move || {
            let previous = RevocationList::parse(&previous.bytes).ok();
            let gone = previous.as_ref().map(|previous| crl::gone(previous, &list));
            let previous_update = previous.map(|previous| previous.summary().this_update);
            Ok((list, gone.zip(previous_update)))
        };
        let (list, compared) = blocking(compare).await?;
        if let Some((gone, previous_update)) = compared.filter(|(gone, _)| !gone.is_empty()) {
            let expiries = self.store.expiries(gone.clone()).await?;
            crl::may_go(&gone, &expiries, previous_update).map_err(held_back)?;
        }
        Ok(list)
    }
}

/// The number after the highest that was ever signed.
fn number_after(info: &IssuerInfo, newest: Option<&Publication>) -> CrlNumber {
    let published = newest.map_or(CrlNumber(0), |newest| newest.number);
    if published > info.crl_number {
        // The issuer keeps the number; that it knows of fewer than were published means that its
        // log was set back. It will refuse, and somebody must look.
        tracing::error!(
            authority = %info.authority,
            published = published.0,
            signed = info.crl_number.0,
            "a CRL was published with a number that the issuer does not know of"
        );
    }
    info.crl_number.max(published).next()
}

/// Runs what may block or take long.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LifecycleError> + Send + 'static,
) -> Result<T, LifecycleError> {
    let done = spawn_blocking(work).await;
    done.map_err(|_| LifecycleError::Serving {
        what: "making a CRL",
        why: "its thread ended".to_owned(),
    })?
}
