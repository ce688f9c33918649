//! Makes one CRL and publishes it.
//!
//! The order of steps decides what a crash leaves behind. The issuer signs and records the number;
//! the file is put in its place; the publication is recorded. After a crash between the first two
//! the number is lost and the next is taken; between the last two the file is newer than the
//! record, is found not to be the recorded one, and is replaced by a CRL with a higher number.

use std::sync::Arc;

use lgpki_domain::{Clock, CrlNumber, CrlScope, CrlSeries, Timestamp};
use lgpki_x509::{
    crl::{CrlHeader, RevocationList},
    key::sha256,
};
use tokio::{sync::watch, task::spawn_blocking};

use super::super::plan::{Due, this_update};
use crate::{
    config::Schedule,
    crl::{self, Composed},
    error::LifecycleError,
    metrics,
    ports::{Issuer, IssuerInfo, LifecycleStore, Publication, Recording},
    publication::{Name, PublicationFiles},
};

/// How often a CRL is made anew because its number was taken meanwhile.
const RACES: usize = 3;

/// The CAs as last heard of; empty before the issuer was reached.
pub(crate) type Issuers = Arc<Vec<IssuerInfo>>;

/// What makes CRLs.
#[derive(Debug)]
pub(crate) struct Press<S, I> {
    pub(crate) store: S,
    pub(crate) issuer: I,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) schedule: Schedule,
    pub(crate) files: PublicationFiles,
    pub(crate) issuers: watch::Sender<Issuers>,
}

impl<S: LifecycleStore, I: Issuer> Press<S, I> {
    /// Asks the issuer for its CAs, and publishes certificates that are not there yet.
    pub(super) async fn refresh(&self) -> Result<Issuers, LifecycleError> {
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

    /// Publishes one CRL.
    pub(super) async fn publish(
        &self,
        series: CrlSeries,
        due: Due,
    ) -> Result<Publication, LifecycleError> {
        let mut races = 0;
        loop {
            match self.attempt(series, due).await {
                Err(LifecycleError::Issuer(e))
                    if e.code == tonic::Code::Aborted && races < RACES =>
                {
                    races += 1;
                    tracing::info!(%series, error = %e, "the CRL's number was taken; once more");
                }
                other => return other,
            }
        }
    }

    async fn attempt(&self, series: CrlSeries, due: Due) -> Result<Publication, LifecycleError> {
        let infos = self.refresh().await?;
        let info = infos.iter().find(|info| info.key() == series.key);
        let info = info.ok_or(LifecycleError::NoAuthority(series.key.authority))?;
        let before = self.before(info, series).await?;
        let (composed, reflects) = self.compose(info, series, &before).await?;
        let signed = self.issuer.sign_crl(composed.to_sign.clone()).await;
        let signature = signed.map_err(LifecycleError::Issuer)?;
        let list = blocking(move || crl::seal(&composed, &signature).map(Arc::new)).await?;
        self.judge(series, &before, &list).await?;
        let summary = list.summary();
        let publication = Publication {
            series,
            number: summary.number,
            digest: sha256(list.der()),
            entries: summary.entries,
            this_update: summary.this_update,
            next_update: summary.next_update,
            reflects,
        };
        let files = self.files.clone();
        let name = Name::Crl(info.authority, info.generation);
        blocking(move || files.put(name, list.der().to_vec())).await?;
        let recording = self.store.record(publication.clone(), self.clock.now());
        if recording.await? == Recording::OutOfOrder {
            return Err(LifecycleError::HeldBack {
                series,
                number: summary.number.0,
                why: "a newer one was recorded meanwhile".to_owned(),
            });
        }
        metrics::published(&publication, due);
        tracing::info!(
            %series,
            number = summary.number.0,
            entries = summary.entries,
            this_update = %summary.this_update,
            due = due.name(),
            "published a CRL"
        );
        Ok(publication)
    }

    /// What the next CRL must follow.
    async fn before(&self, info: &IssuerInfo, series: CrlSeries) -> Result<Before, LifecycleError> {
        let recorded = self.store.publication(series).await?.newest;
        let mut before = Before {
            number: recorded.as_ref().map(|newest| newest.number),
            this_update: recorded.as_ref().map(|newest| newest.this_update),
            list: None,
        };
        let name = Name::Crl(info.authority, info.generation);
        if let Some(file) = self.files.find(name) {
            let key = crl::ca_key(info)?;
            // A damaged file cannot be compared with; what must be listed is known without it.
            before.list =
                blocking(move || Ok(crl::genuine(&key, &file.bytes).map(Arc::new))).await?;
        }
        // The file may be newer than the record, after a crash between the two.
        if let Some(summary) = before.list.as_ref().map(|list| list.summary()) {
            before.number = before.number.max(Some(summary.number));
            before.this_update = before.this_update.max(Some(summary.this_update));
        }
        Ok(before)
    }

    async fn compose(
        &self,
        info: &IssuerInfo,
        series: CrlSeries,
        before: &Before,
    ) -> Result<(Composed, u64), LifecycleError> {
        let key = crl::ca_key(info)?;
        // Before the look at what is revoked: a list never claims a time whose revocations it lacks.
        let now = self.clock.now();
        let snapshot = self.store.snapshot(series).await?;
        let reflects = snapshot.reflects;
        let latest = snapshot.entries.iter().map(|listed| listed.at).max();
        let this_update = this_update(now, before.this_update, latest);
        let header = CrlHeader {
            scope: CrlScope::User,
            base: None,
            number: number_after(info, series, before.number),
            this_update,
            next_update: this_update.plus_seconds(self.schedule.validity_seconds()),
        };
        let composed = blocking(move || crl::compose(key, series, header, &snapshot)).await?;
        Ok((composed, reflects))
    }

    /// Holds a CRL back that must not follow the one before.
    async fn judge(
        &self,
        series: CrlSeries,
        before: &Before,
        list: &Arc<RevocationList>,
    ) -> Result<(), LifecycleError> {
        let summary = list.summary();
        let held_back = |why: String| LifecycleError::HeldBack {
            series,
            number: summary.number.0,
            why,
        };
        if before.number.is_some_and(|number| summary.number <= number) {
            return Err(held_back(
                "its number is not above the one before".to_owned(),
            ));
        }
        if before
            .this_update
            .is_some_and(|before| summary.this_update <= before)
        {
            return Err(held_back(
                "its thisUpdate is not after the one before".to_owned(),
            ));
        }
        let Some(previous) = before.list.clone() else {
            return Ok(());
        };
        let previous_update = previous.summary().this_update;
        let next = Arc::clone(list);
        let gone = blocking(move || Ok(crl::gone(&previous, &next))).await?;
        if gone.is_empty() {
            return Ok(());
        }
        let expiries = self.store.expiries(gone.clone()).await?;
        crl::may_go(&gone, &expiries, previous_update).map_err(held_back)
    }
}

/// What the next CRL must follow.
#[derive(Debug)]
struct Before {
    /// The highest number that was published.
    number: Option<CrlNumber>,
    /// The latest thisUpdate that was published.
    this_update: Option<Timestamp>,
    /// The CRL that relying parties fetch now.
    list: Option<Arc<RevocationList>>,
}

/// The number after the highest that was ever signed.
fn number_after(info: &IssuerInfo, series: CrlSeries, published: Option<CrlNumber>) -> CrlNumber {
    let published = published.unwrap_or_default();
    let numbers = &info.crl_numbers;
    let signed = numbers.get(&series.scope).copied().unwrap_or_default();
    if published > signed {
        // The issuer keeps the number; that it knows of fewer than were published means that its
        // log was set back. It will refuse, and somebody must look.
        tracing::error!(
            %series,
            published = published.0,
            signed = signed.0,
            "a CRL was published with a number that the issuer does not know of"
        );
    }
    signed.max(published).next()
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
