//! Makes one CRL and publishes it.
//!
//! The order of steps decides what a crash leaves behind. The issuer signs and records the number;
//! the file is put in its place; the publication is recorded. After a crash between the first two
//! the number is lost and the next is taken; between the last two the file is newer than the
//! record, is found not to be the recorded one, and is replaced by a CRL with a higher number.

use std::sync::Arc;

use lgpki_domain::{Clock, CrlNumber, CrlSeries};
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
    gate::{self, Before, Refusal, Rule},
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
        let composed = self.judge(composed, before, reflects).await?;
        let signed = self.issuer.sign_crl(composed.to_sign.clone()).await;
        let signature = signed.map_err(LifecycleError::Issuer)?;
        let list = blocking(move || composed.seal(&signature)).await?;
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
        blocking(move || files.put(Name::Crl(series), list.into_der())).await?;
        let recording = self.store.record(publication.clone(), self.clock.now());
        if recording.await? == Recording::OutOfOrder {
            return Err(LifecycleError::HeldBack {
                series,
                number: summary.number.0,
                rule: Rule::Number,
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
    async fn before(
        &self,
        info: &IssuerInfo,
        series: CrlSeries,
    ) -> Result<Follows, LifecycleError> {
        let recorded = self.store.publication(series).await?.newest;
        let mut before = Follows {
            before: Before {
                number: recorded.as_ref().map(|newest| newest.number),
                this_update: recorded.as_ref().map(|newest| newest.this_update),
                list: None,
                recorded: None,
            },
            reflects: None,
        };
        if let Some(file) = self.files.find(Name::Crl(series)) {
            let key = crl::ca_key(info)?;
            // A damaged file cannot be compared with; what must be listed is known without it.
            let list = move || Ok(crl::genuine(&key, series.scope, &file.bytes));
            before.before.list = blocking(list).await?;
        }
        if let Some(summary) = before.before.list.as_ref().map(RevocationList::summary) {
            // The file may be newer than the record, after a crash between the two.
            let before = &mut before.before;
            before.number = before.number.max(Some(summary.number));
            before.this_update = before.this_update.max(Some(summary.this_update));
        }
        // How much was recorded since is known only of the list that the record names.
        let listed = before
            .before
            .list
            .as_ref()
            .map(|list| list.summary().number);
        before.reflects = recorded
            .filter(|newest| listed == Some(newest.number))
            .map(|newest| newest.reflects);
        Ok(before)
    }

    async fn compose(
        &self,
        info: &IssuerInfo,
        series: CrlSeries,
        before: &Follows,
    ) -> Result<(Composed, u64), LifecycleError> {
        let key = crl::ca_key(info)?;
        // Before the look at what is revoked: a list never claims a time whose revocations it lacks.
        let now = self.clock.now();
        let snapshot = self.store.snapshot(series).await?;
        let reflects = snapshot.reflects;
        let latest = snapshot.entries.iter().map(|listed| listed.at).max();
        let this_update = this_update(now, before.before.this_update, latest);
        let header = CrlHeader {
            scope: series.scope,
            base: None,
            number: number_after(info, series, before.before.number),
            this_update,
            next_update: this_update.plus_seconds(self.schedule.validity_seconds()),
        };
        let composed = blocking(move || crl::compose(key, series, header, &snapshot)).await?;
        Ok((composed, reflects))
    }

    /// Has the gate judge the list, before anything is signed.
    async fn judge(
        &self,
        composed: Composed,
        follows: Follows,
        reflects: u64,
    ) -> Result<Composed, LifecycleError> {
        let Follows {
            before,
            reflects: reflected,
        } = follows;
        let validity = self.schedule.validity_seconds();
        let (composed, draft, list, gone) = blocking(move || {
            let draft = composed.draft()?;
            let gone = before.list.as_ref().map(|list| gate::gone(list, &draft));
            Ok((composed, draft, before, gone.unwrap_or_default()))
        })
        .await?;
        let expiries = if gone.is_empty() {
            Vec::new()
        } else {
            self.store.expiries(gone.clone()).await?
        };
        let gone: Vec<_> = gone.into_iter().zip(expiries).collect();
        let before = Before {
            number: list.number,
            this_update: list.this_update,
            list: list.list.as_ref(),
            recorded: reflected.map(|index| reflects.saturating_sub(index)),
        };
        let judged = gate::judge(composed.terms(validity), &before, &draft, &gone);
        match judged {
            Ok(()) => Ok(composed),
            Err(Refusal { rule, why }) => Err(LifecycleError::HeldBack {
                series: composed.to_sign.series,
                number: composed.to_sign.number.0,
                rule,
                why,
            }),
        }
    }
}

/// What the next CRL must follow, and how far into the log that one looked.
#[derive(Debug)]
struct Follows {
    before: Before<RevocationList>,
    reflects: Option<u64>,
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
