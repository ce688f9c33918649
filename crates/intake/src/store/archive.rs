//! What memory no longer holds of an application, read from the log.
//!
//! Reading files blocks, so whatever is not at hand is read on a blocking thread.

use std::sync::Arc;

use lgpki_ledger::{LogReader, Recorded, decode};

use super::{
    command::{Content, Snapshot},
    convert::{Extent, application},
    event::{IntakeEvent, IssuedBody},
};
use crate::{
    error::StoreError,
    ports::{Application, Commitment, StoredCertificate},
};

/// Reads entries of intake's log.
#[derive(Clone, Debug)]
pub(super) struct Archive {
    log: LogReader,
}

impl Archive {
    pub(super) const fn new(log: LogReader) -> Self {
        Self { log }
    }

    /// The applications of the snapshots, in their order.
    pub(super) async fn applications(
        &self,
        snapshots: Vec<Snapshot>,
        extent: Extent,
    ) -> Result<Vec<Application>, StoreError> {
        let at_hand = snapshots.iter().all(|one| at_hand(one, extent));
        self.each(at_hand, snapshots, move |archive, snapshot| {
            let received = match &snapshot.held.received {
                Some(received) if at_hand_of(received, extent) => received.clone(),
                _ => archive.received(snapshot.record.received)?,
            };
            Ok(application(snapshot, &received, extent))
        })
        .await
    }

    /// The application of one snapshot.
    pub(super) async fn application(
        &self,
        snapshot: Snapshot,
        extent: Extent,
    ) -> Result<Application, StoreError> {
        let applications = self.applications(vec![snapshot], extent).await?;
        let one = applications.into_iter().next();
        one.ok_or_else(|| StoreError::Inconsistent("an application is missing".to_owned()))
    }

    /// The certificates of the snapshots, in their order.
    pub(super) async fn certificates(
        &self,
        snapshots: Vec<Option<Snapshot>>,
    ) -> Result<Vec<Option<StoredCertificate>>, StoreError> {
        let at_hand = snapshots
            .iter()
            .flatten()
            .all(|one| one.held.issued.is_some() || one.record.certificate.is_none());
        self.each(at_hand, snapshots, |archive, snapshot| {
            let Some(snapshot) = snapshot else {
                return Ok(None);
            };
            let Some(place) = snapshot.record.certificate else {
                return Ok(None);
            };
            let issued = match &snapshot.held.issued {
                Some(issued) => Arc::clone(issued),
                None => archive.issued(place.issued)?,
            };
            Ok(Some(StoredCertificate {
                id: snapshot.id,
                branch: snapshot.record.branch,
                kind: snapshot.record.kind,
                serial: issued.serial,
                renews: snapshot.record.renewal.map(|renewal| renewal.serial),
                certificate: issued.certificate.clone(),
                issuer_index: place.issuer,
            }))
        })
        .await
    }

    /// What about `most` entries from `from` on say of commitments to names, and where to go on.
    pub(super) async fn commitments(
        &self,
        from: u64,
        most: usize,
    ) -> Result<(Vec<Commitment>, Option<u64>), StoreError> {
        let entries = self.entries(from, most).await?;
        let next = entries.last().map(|last| last.index + 1);
        // Whose name takes another's place, and whose place it takes.
        let of = |recorded: Recorded<IntakeEvent>| match recorded.event {
            IntakeEvent::Received(event) => (event.0.examination.examiner.clone(), None),
            IntakeEvent::NameErased(event) => (None, Some(event.commitment)),
            IntakeEvent::AddresseeRegistered(event) => (event.content.contact, None),
            IntakeEvent::AddresseeChanged(event) => (event.content.contact, event.erases),
            IntakeEvent::AddresseeEnded(event) => (None, event.erases),
            _ => (None, None),
        };
        let commitments = entries.into_iter().flat_map(|recorded| {
            let (made, erased) = of(recorded);
            let made = made.map(Commitment::Made);
            made.into_iter().chain(erased.map(Commitment::Erased))
        });
        Ok((commitments.collect(), next))
    }

    /// At most `most` entries from `from` on.
    pub(super) async fn entries(
        &self,
        from: u64,
        most: usize,
    ) -> Result<Vec<Recorded<IntakeEvent>>, StoreError> {
        let archive = self.clone();
        blocking(move || {
            let entries = archive
                .log
                .read(from, most, 4 * 1024 * 1024)
                .map_err(lgpki_store::StoreError::from)?;
            entries
                .into_iter()
                .map(|(index, bytes)| parse(index, &bytes))
                .collect()
        })
        .await
    }

    async fn each<T: Send + 'static, R: Send + 'static>(
        &self,
        at_hand: bool,
        items: Vec<T>,
        read: impl Fn(&Self, T) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<Vec<R>, StoreError> {
        if at_hand {
            return items.into_iter().map(|item| read(self, item)).collect();
        }
        let archive = self.clone();
        blocking(move || {
            let items = items.into_iter();
            items.map(|item| read(&archive, item)).collect()
        })
        .await
    }

    fn received(&self, index: u64) -> Result<Content, StoreError> {
        let recorded = self.entry(index)?;
        match recorded.event {
            IntakeEvent::Received(event) => Ok(Content {
                body: event.0,
                actor: recorded.stamp.actor.as_str().into(),
                at: recorded.stamp.time,
                slim: false,
            }),
            other => Err(unexpected(index, &other)),
        }
    }

    fn issued(&self, index: u64) -> Result<Arc<IssuedBody>, StoreError> {
        match self.entry(index)?.event {
            IntakeEvent::Issued(event) => Ok(event.0),
            other => Err(unexpected(index, &other)),
        }
    }

    fn entry(&self, index: u64) -> Result<Recorded<IntakeEvent>, StoreError> {
        let bytes = self
            .log
            .entry(index)
            .map_err(lgpki_store::StoreError::from)?;
        parse(index, &bytes)
    }
}

fn at_hand(snapshot: &Snapshot, extent: Extent) -> bool {
    let received = snapshot.held.received.as_ref();
    received.is_some_and(|received| at_hand_of(received, extent))
}

fn at_hand_of(received: &Content, extent: Extent) -> bool {
    !received.slim || extent == Extent::Lean
}

fn parse(index: u64, bytes: &[u8]) -> Result<Recorded<IntakeEvent>, StoreError> {
    decode(index, bytes).map_err(|source| lgpki_store::StoreError::Entry { index, source }.into())
}

fn unexpected(index: u64, event: &IntakeEvent) -> StoreError {
    let kind = lgpki_ledger::Event::kind(event);
    StoreError::Inconsistent(format!("entry {index} is an {kind}"))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // The runtime is shutting down.
        Err(_) => Err(lgpki_store::StoreError::Closed.into()),
    }
}
