//! Publishes CRLs: a thin loop around the plan.
//!
//! It gathers who waits for a CRL, asks the plan what is due, has the press make it, and answers
//! those who waited. Demands that come while a CRL is being made are met by the next one, for the
//! one being made may not know yet of what they want to see published.

mod demand;
mod failures;
mod press;

use std::{collections::BTreeMap, sync::Arc};

use lgpki_domain::{CrlSeries, ErrorClass, Randomness, Timestamp};
use lgpki_proto::Failure;
use lgpki_runtime::shutdown::Shutdown;
use tokio::sync::{Notify, mpsc};

pub(crate) use self::{
    demand::Demand,
    press::{Issuers, Press},
};
use self::{demand::Pending, failures::Failures, press::Pressed};
use super::{
    plan::{ListState, Plan, SeriesState, plan},
    put_off,
};
use crate::{
    alarm::{AlarmKind, Board},
    crl,
    error::{LifecycleError, chain},
    metrics,
    ports::{CrlList, Issuer, LifecycleStore, Publication},
    publication::Name,
    remembered,
};

/// The worker.
#[derive(Debug)]
pub(crate) struct Publisher<S, I> {
    pub(crate) press: Press<S, I>,
    /// Chance, for the waits after failures.
    pub(crate) randomness: Arc<dyn Randomness>,
    /// Where it is told what goes wrong.
    pub(crate) board: Board,
    /// Rung after an urgent revocation.
    pub(crate) bell: Arc<Notify>,
}

/// Whether it failed because the issuer is not there.
fn is_away<T>(published: &Result<T, LifecycleError>) -> bool {
    matches!(published, Err(error) if error.class() == ErrorClass::Unavailable)
}

/// What the loop keeps in mind.
#[derive(Debug, Default)]
struct Memory {
    pending: Vec<Pending>,
    failures: BTreeMap<CrlList, Failures>,
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
            for (list, due) in plan.due {
                let away;
                if list.delta {
                    let published = self.press.publish_delta(list.series, due).await;
                    away = is_away(&published);
                    // Nobody asked for it: its failure is on the board.
                    let _ = self.note(&mut memory, list, published)?;
                } else {
                    let published = self.press.publish(list.series, due).await;
                    away = is_away(&published);
                    self.settle(&mut memory, list.series, published)?;
                }
                // What has become urgent meanwhile does not wait for all that was due before.
                if away || self.is_called(demands).await {
                    break;
                }
            }
        }
    }

    /// Whether the bell has rung or somebody asks.
    async fn is_called(&self, demands: &mpsc::Receiver<Demand>) -> bool {
        tokio::select! {
            biased;
            () = self.bell.notified() => true,
            () = std::future::ready(()) => !demands.is_empty(),
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
                None => self.press.clock.sleep_until(until).await,
            },
            () = self.bell.notified() => {}
            () = self.press.clock.sleep_until(until) => {}
        }
    }

    /// Makes sure that the CAs are known; else says when to try again, and whoever waits hears it.
    async fn reach_issuer(
        &self,
        memory: &mut Memory,
        waiting: &mut Vec<Demand>,
    ) -> Result<Result<(), Timestamp>, LifecycleError> {
        if !self.press.issuers.borrow().is_empty() {
            return Ok(Ok(()));
        }
        let now = self.press.clock.now();
        if let Some(failures) = memory
            .unreached
            .filter(|f| waiting.is_empty() && put_off(f.retry_at, now) > now)
        {
            return Ok(Err(failures.retry_at));
        }
        match self.press.refresh().await {
            Ok(_) => {
                memory.unreached = None;
                for series in self.known(now).into_keys() {
                    let standing = self.press.store.publication(series).await?;
                    let stands = standing.newest.iter().chain(&standing.delta);
                    stands.for_each(metrics::standing);
                }
                Ok(Ok(()))
            }
            Err(error) => {
                let failures = Failures::after(memory.unreached, now, self.randomness.as_ref());
                tracing::info!(
                    error = chain(&error),
                    "the issuer cannot be asked for its CAs yet"
                );
                memory.unreached = Some(failures);
                self.remember(now).await?;
                for demand in waiting.drain(..) {
                    // Whoever asked may have left.
                    let _ = demand.answer.send(Err(LifecycleError::NoIssuer.into()));
                }
                Ok(Err(failures.retry_at))
            }
        }
    }

    /// Measures what was published before the start, so that it is not unseen how it runs out.
    async fn remember(&self, now: Timestamp) -> Result<(), LifecycleError> {
        let (store, files) = (&self.press.store, &self.press.files);
        let mut stands = Vec::new();
        for info in remembered::issuers(store, files, now).await? {
            for scope in info.crl_options.scopes() {
                let series = info.series(scope);
                let standing = store.publication(series).await?;
                let complete = (CrlList::complete(series), standing.newest);
                let delta = (CrlList::delta(series), standing.delta);
                for (list, newest) in [complete, delta] {
                    if let Some(newest) = newest {
                        metrics::standing(&newest);
                        stands.push((list, Some((newest.this_update, newest.next_update))));
                    }
                }
            }
        }
        let alarms = self.board.alarms(now, self.press.schedule, &stands);
        metrics::alarms(&AlarmKind::OF_CRLS, &alarms);
        Ok(())
    }

    /// What is to be published, each series with whether it has deltas: nothing by a CA that has ended,
    /// for nobody asks about its certificates any more.
    fn known(&self, now: Timestamp) -> BTreeMap<CrlSeries, bool> {
        let infos = self.press.issuers.borrow();
        let mut known = BTreeMap::new();
        for info in infos.iter().filter(|info| !crl::has_ended(info, now)) {
            let options = info.crl_options;
            let series = |scope| (info.series(scope), options.has_delta(scope));
            known.extend(options.scopes().map(series));
        }
        known
    }

    /// Turns new demands into work.
    fn take_on(&self, memory: &mut Memory, waiting: &mut Vec<Demand>) {
        let known = self.known(self.press.clock.now());
        for demand in waiting.drain(..) {
            match demand.authority {
                Some(authority) if known.keys().all(|one| one.key.authority != authority) => {
                    let failure = LifecycleError::NoAuthority(authority).into();
                    // Whoever asked may have left.
                    let _ = demand.answer.send(Err(failure));
                }
                _ => memory.pending.push(demand.for_series(known.keys())),
            }
        }
        memory.pending.retain(|pending| !pending.answer.is_closed());
        for mut pending in std::mem::take(&mut memory.pending) {
            // A CA may have ended meanwhile.
            pending.missing.retain(|one| known.contains_key(one));
            memory.pending.extend(pending.unless_met());
        }
    }

    async fn plan(&self, memory: &Memory) -> Result<Plan, LifecycleError> {
        let now = self.press.clock.now();
        let known = self.known(now);
        let mut states = Vec::with_capacity(known.len());
        let mut stands = Vec::with_capacity(known.len());
        for (series, has_delta) in known {
            let standing = self.press.store.publication(series).await?;
            let complete = CrlList::complete(series);
            let delta = has_delta.then_some(CrlList::delta(series));
            let made = [&standing.newest, &standing.delta];
            for (list, newest) in [Some(complete), delta].into_iter().flatten().zip(made) {
                let period = newest
                    .as_ref()
                    .map(|one| (one.this_update, one.next_update));
                stands.push((list, period));
            }
            let (newest, at) = (standing.newest.as_ref(), standing.recorded_at);
            let (other, other_at) = (standing.delta.as_ref(), standing.delta_recorded_at);
            states.push(SeriesState {
                series,
                complete: self.state(memory, complete, newest, at),
                delta: delta.map(|list| self.state(memory, list, other, other_at)),
                urgent: standing.urgent,
                demanded: memory.pending.iter().any(|p| p.missing.contains(&series)),
            });
        }
        let schedule = self.press.schedule;
        self.drop_ended(now).await?;
        let alarms = self.board.alarms(now, schedule, &stands);
        metrics::alarms(&AlarmKind::OF_CRLS, &alarms);
        Ok(plan(now, schedule, &states))
    }

    fn state(
        &self,
        memory: &Memory,
        list: CrlList,
        newest: Option<&Publication>,
        recorded_at: Option<Timestamp>,
    ) -> ListState {
        let file = self.press.files.find(Name::Crl(list));
        let intact = newest.is_some_and(|newest| file.is_some_and(|f| f.digest == newest.digest));
        ListState {
            this_update: newest.map(|newest| newest.this_update),
            recorded_at,
            file_intact: intact,
            retry_at: memory.failures.get(&list).map(|f| f.retry_at),
        }
    }

    /// Takes the measures of ended CAs' CRLs back, which run out as they should.
    async fn drop_ended(&self, now: Timestamp) -> Result<(), LifecycleError> {
        let infos = Arc::clone(&self.press.issuers.borrow());
        for info in infos.iter().filter(|info| crl::has_ended(info, now)) {
            for scope in info.crl_options.scopes() {
                let standing = self.press.store.publication(info.series(scope)).await?;
                let stands = standing.newest.iter().chain(&standing.delta);
                stands.for_each(|one| metrics::ended(one.list()));
            }
        }
        Ok(())
    }

    /// Answers whoever waits for this series.
    fn settle(
        &self,
        memory: &mut Memory,
        series: CrlSeries,
        pressed: Result<Pressed, LifecycleError>,
    ) -> Result<(), LifecycleError> {
        let list = CrlList::complete(series);
        let (published, delta) = match pressed {
            Ok(Pressed { complete, delta }) => (Ok(complete), delta),
            Err(error) => (Err(error), None),
        };
        let failure = match self.note(memory, list, published)? {
            Ok(complete) => {
                let mut done = vec![complete];
                if let Some(delta) = delta {
                    // Its failure is an alarm of its own; whoever asked has got the complete list.
                    done.extend(self.note(memory, CrlList::delta(series), delta)?.ok());
                }
                for pending in &mut memory.pending {
                    if pending.missing.remove(&series) {
                        pending.done.extend_from_slice(&done);
                    }
                }
                None
            }
            Err(failure) => Some(failure),
        };
        for pending in std::mem::take(&mut memory.pending) {
            match failure
                .clone()
                .filter(|_| pending.missing.contains(&series))
            {
                Some(failure) => {
                    // Whoever asked may have left.
                    let _ = pending.answer.send(Err(failure));
                }
                None => memory.pending.extend(pending.unless_met()),
            }
        }
        Ok(())
    }

    /// Keeps in mind what became of a list.
    fn note(
        &self,
        memory: &mut Memory,
        list: CrlList,
        published: Result<Publication, LifecycleError>,
    ) -> Result<Result<Publication, Failure>, LifecycleError> {
        let error = match published {
            Ok(publication) => {
                memory.failures.remove(&list);
                self.board.published(list);
                return Ok(Ok(publication));
            }
            Err(LifecycleError::Store(e)) => return Err(e.into()),
            Err(error) => error,
        };
        let why = chain(&error);
        if error.class() == ErrorClass::Unavailable {
            tracing::info!(%list, error = why, "a CRL waits for the issuer");
        } else {
            tracing::error!(%list, error = why, "a CRL could not be published");
        }
        metrics::publication_failed(list);
        let rule = match &error {
            LifecycleError::HeldBack { rule, .. } => Some(*rule),
            _ => None,
        };
        if let Some(rule) = rule {
            metrics::refused(list, rule);
        }
        let now = self.press.clock.now();
        self.board.failed(list, now, rule, &why);
        let before = memory.failures.get(&list).copied();
        let failures = Failures::after(before, now, self.randomness.as_ref());
        memory.failures.insert(list, failures);
        Ok(Err(Failure::from(error)))
    }
}
