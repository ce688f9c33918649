//! Makes one CRL, with the delta that goes with it, and publishes it.
//!
//! The order of steps decides what a crash leaves behind. While a list is being made (`make`) the
//! issuer reads it already and its file is written beside the published one; but nothing is signed
//! before the gate has judged the whole list. The issuer signs and records the number;
//! the file is put in its place; the publication is recorded. After a crash between the first two
//! the number is lost and the next is taken; between the last two the file is newer than the
//! record, is found not to be the recorded one, and is replaced by a CRL with a higher number.
//! The delta follows its complete CRL through the same steps; whatever parts the two leaves an older
//! delta, which stays true, and one with a higher number of its own is made as soon as that is seen.

mod delta;
mod line;
mod make;

use std::sync::Arc;

use lgpki_domain::{Clock, CrlNumber, CrlSeries, Serial, Timestamp};
use lgpki_x509::crl::RevocationList;
use tokio::{sync::watch, task::spawn_blocking};

use self::{delta::Draft, line::Compared};
use super::super::plan::Due;
use crate::{
    config::Schedule,
    crl::{self, Composed},
    error::LifecycleError,
    gate::{self, Before, Refusal, Rule},
    metrics,
    ports::{
        CrlList, Issuer, IssuerInfo, LifecycleStore, Publication, PublicationStanding, Recording,
        Snapshot,
    },
    publication::{Name, NewFile, PublicationFiles},
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
        let mut infos = self
            .issuer
            .issuers()
            .await
            .map_err(LifecycleError::Issuer)?;
        if infos.is_empty() {
            return Err(LifecycleError::NoIssuer);
        }
        let before = Arc::clone(&self.issuers.borrow());
        for info in &mut infos {
            info.recognize(&before);
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

    /// Publishes a complete CRL, and its delta where there are deltas.
    pub(super) async fn publish(
        &self,
        series: CrlSeries,
        due: Due,
    ) -> Result<Pressed, LifecycleError> {
        let mut races = 0;
        loop {
            match self.attempt(series, due).await {
                Err(error) if is_race(&error) && races < RACES => {
                    races += 1;
                    tracing::info!(%series, %error, "the CRL's number was taken; once more");
                }
                other => return other,
            }
        }
    }

    async fn attempt(&self, series: CrlSeries, due: Due) -> Result<Pressed, LifecycleError> {
        let infos = self.refresh().await?;
        let info = key_of(&infos, series)?;
        let standing = self.store.publication(series).await?;
        let follows = self.follows(info, series, &standing).await?;
        let signed = self.make(info, series, follows).await?;
        let snapshot = signed.snapshot;
        if !info.crl_options.has_delta(series.scope) {
            let complete = self.put(signed, series, due).await?;
            let delta = None;
            return Ok(Pressed { complete, delta });
        }
        let beside = Draft::beside(&signed.list, &standing, snapshot);
        let beside = self.look(series, beside, Some(signed.list.clone())).await?;
        let complete = self.put(signed, series, due).await?;
        // The complete CRL stands, whatever becomes of the delta.
        let delta = self.press_delta(info, series, beside, due).await;
        let delta = Some(delta);
        Ok(Pressed { complete, delta })
    }

    /// Puts a list in its place and records it.
    async fn put(
        &self,
        signed: Signed,
        series: CrlSeries,
        due: Due,
    ) -> Result<Publication, LifecycleError> {
        let Signed {
            list,
            file,
            snapshot,
        } = signed;
        let summary = list.summary();
        let name = CrlList {
            series,
            delta: summary.base.is_some(),
        };
        let files = self.files.clone();
        let digest = blocking(move || files.put_crl(name, file, list)).await?;
        let publication = Publication {
            series,
            base: summary.base,
            number: summary.number,
            digest,
            entries: summary.entries,
            this_update: summary.this_update,
            next_update: summary.next_update,
            reflects: snapshot.reflects,
        };
        let recording = self.store.record(publication.clone(), self.clock.now());
        if recording.await? == Recording::OutOfOrder {
            return Err(LifecycleError::HeldBack {
                list: name,
                number: summary.number.0,
                rule: Rule::Number,
                why: "a newer one was recorded meanwhile".to_owned(),
            });
        }
        metrics::published(&publication, due);
        tracing::info!(
            list = %name,
            number = summary.number.0,
            entries = summary.entries,
            this_update = %summary.this_update,
            due = due.name(),
            "published a CRL"
        );
        Ok(publication)
    }

    /// A published list as relying parties fetch it now. A damaged file cannot be compared with; what
    /// must be listed is known without it.
    async fn published(
        &self,
        info: &IssuerInfo,
        list: CrlList,
        standing: &PublicationStanding,
    ) -> Result<Option<RevocationList>, LifecycleError> {
        let Some(file) = self.files.find(Name::Crl(list)) else {
            return Ok(None);
        };
        let record = if list.delta {
            &standing.delta
        } else {
            &standing.newest
        };
        // What the record names was judged and checked when it was made.
        let named = record.as_ref().map(|record| record.digest) == Some(file.digest);
        let key = crl::ca_key(info)?;
        let genuine = move |read: &RevocationList| named || crl::is_genuine(&key, list, read);
        blocking(move || Ok(file.list.filter(genuine))).await
    }

    /// What the next complete CRL must follow.
    async fn follows(
        &self,
        info: &IssuerInfo,
        series: CrlSeries,
        standing: &PublicationStanding,
    ) -> Result<Follows, LifecycleError> {
        let complete = CrlList::complete(series);
        let list = self.published(info, complete, standing).await?;
        let delta = if info.crl_options.has_delta(series.scope) {
            let delta = CrlList::delta(series);
            self.published(info, delta, standing).await?
        } else {
            None
        };
        let (number, this_update) = highest(standing, [list.as_ref(), delta.as_ref()]);
        // How much was recorded since is known only of the list that the record names.
        let listed = list.as_ref().map(|list| list.summary().number);
        let recorded = standing.newest.as_ref();
        let recorded = recorded.filter(|newest| listed == Some(newest.number));
        Ok(Follows {
            reflects: recorded.map(|newest| newest.reflects),
            before: Before {
                number,
                this_update,
                newest: standing.newest.as_ref().map(|newest| newest.this_update),
                list,
                recorded: None,
            },
        })
    }

    /// Has the gate judge the list, before anything is signed.
    async fn judge(
        &self,
        compared: Compared,
        follows: Follows,
        snapshot: Snapshot,
    ) -> Result<Composed, LifecycleError> {
        let Follows { before, reflects } = follows;
        let Compared { composed, gone } = compared;
        let series = composed.list().series;
        let recorded = match reflects {
            Some(since) => Some(self.store.recorded(series, snapshot, since).await?),
            None => None,
        };
        let previous = before.list.as_ref().map(RevocationList::contents);
        let most = previous.zip(recorded);
        let most = most.map(|(previous, n)| previous.summary().entries.saturating_add(n));
        let more = most.is_some_and(|most| composed.contents().summary().entries > most);
        let (composed, before, come) = if more {
            // As a rule there is no more than was recorded, and the walk is saved.
            let walk = move || {
                let previous = before.list.as_ref().map(RevocationList::contents);
                let come = previous.map(|previous| gate::gone(composed.contents(), previous));
                Ok((composed, before, come.unwrap_or_default()))
            };
            blocking(walk).await?
        } else {
            (composed, before, Vec::new())
        };
        let gone = self.with_expiries(gone).await?;
        let let_go = self.let_go(&before, come).await?;
        let before = Before {
            number: before.number,
            this_update: before.this_update,
            newest: before.newest,
            list: before.list.as_ref().map(RevocationList::contents),
            recorded: recorded.map(|recorded| recorded.saturating_add(let_go)),
        };
        let terms = composed.terms(self.schedule.validity_seconds(false), snapshot.now);
        match gate::judge(terms, &before, composed.contents(), &gone) {
            Ok(()) => Ok(composed),
            Err(refusal) => Err(held_back(&composed, refusal)),
        }
    }

    /// How many of these serial numbers the list before may have let go because their certificates
    /// seemed to have expired. Two lists made under a clock that is ahead do so, and the next brings
    /// them back.
    async fn let_go(
        &self,
        before: &Before<RevocationList>,
        come: Vec<Serial>,
    ) -> Result<u64, LifecycleError> {
        let Some(list) = &before.list else {
            return Ok(0);
        };
        let issued = list.summary().this_update;
        let come = self.with_expiries(come).await?;
        let let_go = |(_, end): &&(Serial, Option<Timestamp>)| end.is_some_and(|end| end < issued);
        Ok(come.iter().filter(let_go).count() as u64)
    }

    /// Serial numbers with the notAfter of their certificates.
    async fn with_expiries(
        &self,
        serials: Vec<Serial>,
    ) -> Result<Vec<(Serial, Option<Timestamp>)>, LifecycleError> {
        if serials.is_empty() {
            return Ok(Vec::new());
        }
        let expiries = self.store.expiries(serials.clone()).await?;
        Ok(serials.into_iter().zip(expiries).collect())
    }
}

/// A list with its signature.
#[derive(Debug)]
struct Signed {
    list: RevocationList,
    /// Its file, of which a part may be written.
    file: NewFile,
    /// The look at the inventory that it tells of.
    snapshot: Snapshot,
}

/// What was published together.
#[derive(Debug)]
pub(super) struct Pressed {
    pub(super) complete: Publication,
    /// None where there are no deltas.
    pub(super) delta: Option<Result<Publication, LifecycleError>>,
}

/// What the next complete CRL must follow, and how far into the log the one before looked.
#[derive(Clone, Debug)]
struct Follows {
    before: Before<RevocationList>,
    reflects: Option<u64>,
}

fn key_of(infos: &[IssuerInfo], series: CrlSeries) -> Result<&IssuerInfo, LifecycleError> {
    let info = infos.iter().find(|info| info.key() == series.key);
    info.ok_or(LifecycleError::NoAuthority(series.key.authority))
}

/// The highest number and the latest thisUpdate that were published. A file may be newer than its
/// record, after a crash between the two.
fn highest(
    standing: &PublicationStanding,
    files: [Option<&RevocationList>; 2],
) -> (Option<CrlNumber>, Option<Timestamp>) {
    let files = files.map(|file| file.map(RevocationList::summary));
    let files = || files.iter().flatten();
    let number = files().map(|file| file.number).max();
    let this_update = files().map(|file| file.this_update).max();
    (
        number.max(standing.number()),
        this_update.max(standing.this_update()),
    )
}

/// Whether another lifecycle process took the number meanwhile.
fn is_race(error: &LifecycleError) -> bool {
    matches!(error, LifecycleError::Issuer(e) if e.code == tonic::Code::Aborted)
}

fn held_back(composed: &Composed, refusal: Refusal) -> LifecycleError {
    LifecycleError::HeldBack {
        list: composed.list(),
        number: composed.number.0,
        rule: refusal.rule,
        why: refusal.why,
    }
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
    spawn_blocking(work).await.map_err(|_| lost())?
}

fn lost() -> LifecycleError {
    LifecycleError::Serving {
        what: "making a CRL",
        why: "its thread ended".to_owned(),
    }
}
