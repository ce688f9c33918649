//! Searches of the store: a walk over memory, and the log where memory alone cannot tell.

use lgpki_domain::Timestamp;

use super::{
    EngineStore,
    inventory::{Candidate, Query},
};
use crate::{
    error::StoreError,
    ports::{Certificate, Counts, Cursor, Filter, Notice, NoticeQuery, Notices},
};

/// Certificates that are read from the log together while counting.
const AT_ONCE: usize = 1_000;

impl EngineStore {
    /// A page of what fits, without DER, and where the next one begins.
    pub(super) async fn search(
        &self,
        filter: Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<(Vec<Certificate>, Option<Cursor>), StoreError> {
        let query = Query::new(filter);
        // One more than asked for tells whether there is a next page.
        let wanted = limit.saturating_add(1);
        let mut page: Vec<Certificate> = Vec::new();
        let mut at = after;
        loop {
            let missing = wanted - page.len();
            let stretch = self
                .engine
                .read(|machine, _| machine.inventory.walk(&query, at, missing))
                .await?;
            let found = self.read_found(stretch.found).await?;
            page.extend(found.into_iter().filter(|found| query.confirms(found)));
            at = stretch.reached;
            if page.len() == wanted || at.is_none() {
                break;
            }
        }
        let more = page.len() > limit;
        page.truncate(limit);
        let next = page.last().filter(|_| more).map(|last| Cursor {
            not_after: last.issued.not_after,
            serial: last.issued.serial,
        });
        Ok((page, next))
    }

    /// Notices with their certificates.
    pub(super) async fn look_for_notices(&self, query: NoticeQuery) -> Result<Notices, StoreError> {
        let told = self
            .engine
            .read(|machine, view| machine.inventory.notices(&query, view.next_index()));
        let told = told.await?;
        let found = told.found.iter().map(|(_, _, found, _)| *found).collect();
        let certificates = self.read_found(found).await?;
        let notices = told.found.into_iter().zip(certificates);
        Ok(Notices {
            notices: notices
                .map(|((kind, at, _, cursor), certificate)| Notice {
                    kind,
                    at,
                    certificate,
                    cursor,
                })
                .collect(),
            cursor: told.cursor,
            caught_up: told.caught_up,
            next_at: told.next_at,
        })
    }

    async fn read_found(&self, found: Vec<Candidate>) -> Result<Vec<Certificate>, StoreError> {
        let found = found.into_iter().map(|found| (found.held, found.renewal));
        self.read_all(found.collect(), false).await
    }

    /// Counts what fits, from the counters where they can answer.
    pub(super) async fn count_all(
        &self,
        filter: Filter,
        now: Timestamp,
    ) -> Result<Counts, StoreError> {
        let query = Query::new(filter);
        let counted = self
            .engine
            .read(|machine, _| machine.inventory.counts(&query, now));
        if let Some(counts) = counted.await? {
            return Ok(counts);
        }
        let mut counts = Counts::new();
        let mut at = None;
        let most = if query.is_settled() {
            usize::MAX
        } else {
            AT_ONCE
        };
        loop {
            let stretch = self
                .engine
                .read(|machine, _| machine.inventory.walk(&query, at, most))
                .await?;
            if query.is_settled() {
                for found in stretch.found {
                    if let Some(kind) = found.held.kind {
                        *counts.entry((kind, found.state(now))).or_insert(0) += 1;
                    }
                }
            } else {
                let found = self.read_found(stretch.found).await?;
                for found in found.iter().filter(|found| query.confirms(found)) {
                    let state = found.state(now);
                    *counts.entry((found.issued.kind, state)).or_insert(0) += 1;
                }
            }
            at = stretch.reached;
            if at.is_none() {
                return Ok(counts);
            }
        }
    }
}
