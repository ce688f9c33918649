//! Watching applications change.
//!
//! A watcher first tells where the applications stand, then pulls what changed since, newest state
//! each; so one that reads slowly misses steps in between but never the state that stands.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use lgpki_domain::{ApplicationId, Caller};
use tokio::sync::watch;

use super::{App, AppError, own_renewals_only, read::matches, seen, visible_branch};
use crate::ports::{Application, Filter, IntakeStore};

/// Changes read from the store at a time.
const STEP: usize = 500;
/// The states that a watcher is told of at first, where it names neither states nor applications.
const UNFINISHED: [&str; 6] = [
    "received",
    "examining",
    "approved",
    "queued",
    "issuing",
    "issued",
];

/// One caller's watch.
#[derive(Debug)]
pub struct Watcher<S> {
    store: Arc<S>,
    filter: Filter,
    ids: HashSet<ApplicationId>,
    changes: watch::Receiver<u64>,
    from: u64,
    /// What the first look told, so that the overlap with the first changes is not told twice.
    told: HashMap<ApplicationId, u64>,
    first: First,
}

#[derive(Debug)]
enum First {
    Named(Vec<Application>),
    Page(Option<ApplicationId>),
    Done,
}

impl<S: IntakeStore> App<S> {
    /// Begins to watch: the given applications, or all that match.
    pub async fn watch(
        &self,
        caller: &Caller,
        mut filter: Filter,
        ids: Vec<ApplicationId>,
    ) -> Result<Watcher<S>, AppError> {
        filter.branch = visible_branch(caller, filter.branch)?;
        filter.renews = own_renewals_only(caller);
        let store = self.parts.store.clone();
        let mut changes = store.changes();
        let from = *changes.borrow_and_update();
        let mut first = First::Page(None);
        let mut told = HashMap::new();
        if !ids.is_empty() {
            let mut named = Vec::with_capacity(ids.len());
            for id in &ids {
                named.push(seen(caller, *id, store.application(*id).await?)?);
            }
            told.extend(named.iter().map(|a| (a.id, a.log_index)));
            first = First::Named(named);
        }
        Ok(Watcher {
            store,
            filter,
            ids: ids.into_iter().collect(),
            changes,
            from,
            told,
            first,
        })
    }
}

impl<S: IntakeStore> Watcher<S> {
    /// What is to be told next; waits until there is something. May be dropped while it waits.
    pub async fn next(&mut self) -> Result<Vec<Application>, AppError> {
        loop {
            let applications = match std::mem::replace(&mut self.first, First::Done) {
                First::Named(named) => named
                    .into_iter()
                    .filter(|application| matches(&self.filter, application))
                    .collect(),
                First::Page(after) => self.page(after).await?,
                First::Done => self.changed().await?,
            };
            if !applications.is_empty() {
                return Ok(applications);
            }
        }
    }

    async fn page(&mut self, after: Option<ApplicationId>) -> Result<Vec<Application>, AppError> {
        // Restored at once if this is dropped while it waits.
        self.first = First::Page(after);
        let mut filter = self.filter.clone();
        if filter.states.is_empty() {
            filter.states = UNFINISHED.to_vec();
        }
        let page = self.store.list(filter, after, STEP).await?;
        self.first = match page.last() {
            Some(last) if page.len() == STEP => First::Page(Some(last.id)),
            _ => First::Done,
        };
        self.told.extend(page.iter().map(|a| (a.id, a.log_index)));
        Ok(page)
    }

    async fn changed(&mut self) -> Result<Vec<Application>, AppError> {
        let (changed, next) = self
            .store
            .changed_since(self.filter.clone(), self.from, STEP)
            .await?;
        if changed.is_empty() && next <= self.from {
            self.told.clear();
            let closed = |_| AppError::Internal("the store's changes ended".to_owned());
            self.changes.changed().await.map_err(closed)?;
            return Ok(Vec::new());
        }
        self.from = next;
        let wanted = |application: &Application| {
            (self.ids.is_empty() || self.ids.contains(&application.id))
                && self
                    .told
                    .get(&application.id)
                    .is_none_or(|told| *told < application.log_index)
        };
        Ok(changed.into_iter().filter(wanted).collect())
    }
}
