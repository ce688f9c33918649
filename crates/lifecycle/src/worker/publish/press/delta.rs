//! Makes one delta CRL and publishes it, beside the complete CRL just made or alone.
//!
//! Draft, it is written from the same look at the inventory, with the same number and time, so that
//! both tell the same (RFC 5280 §5.2.3). Alone, it bears the next number and the present time.

use lgpki_domain::{CrlNumber, CrlSeries, Serial, Timestamp};
use lgpki_x509::crl::{CrlHeader, CrlSummary, RevocationList, length_of};
use tokio::sync::mpsc;

use super::{
    Press, RACES, Signed, blocking, held_back, highest, is_race, key_of, line::Permit, number_after,
};
use crate::{
    crl::{self, Composing},
    error::LifecycleError,
    gate::{self, DeltaBefore},
    ports::{
        Base, CrlList, CrlPart, Issuer, IssuerInfo, LifecycleStore, Listed, Publication,
        PublicationStanding, Snapshot,
    },
    worker::plan::{Due, this_update},
};

/// Entries of one piece.
const ENTRIES: usize = 8_192;

/// What a delta is made from.
#[derive(Debug)]
pub(super) struct Draft {
    /// The complete CRL that relying parties fetch now, or at once.
    complete: Option<CrlSummary>,
    /// What it lists as revoked after the base was issued.
    revoked_since: Vec<Serial>,
    base: Option<Base>,
    number: CrlNumber,
    this_update: Timestamp,
    /// What stands recorded of the delta before.
    newest: Option<(CrlNumber, Timestamp)>,
    snapshot: Snapshot,
    /// What was revoked since the base.
    listed: Vec<Listed>,
    /// How many revocations were recorded since the base.
    recorded: u64,
}

impl Draft {
    /// A delta beside this complete CRL. Where none before it is in force, it is itself the base,
    /// and the delta is empty.
    pub(super) fn beside(
        complete: &RevocationList,
        standing: &PublicationStanding,
        snapshot: Snapshot,
    ) -> Self {
        let complete = complete.summary();
        let itself = Base {
            number: complete.number,
            this_update: complete.this_update,
            until: complete.next_update,
            reflects: snapshot.reflects,
        };
        Self {
            complete: Some(complete),
            revoked_since: Vec::new(),
            base: standing.base_at(complete.this_update).or(Some(itself)),
            number: complete.number,
            this_update: complete.this_update,
            newest: newest(standing),
            snapshot,
            listed: Vec::new(),
            recorded: 0,
        }
    }
}

fn newest(standing: &PublicationStanding) -> Option<(CrlNumber, Timestamp)> {
    let delta = standing.delta.as_ref();
    delta.map(|delta| (delta.number, delta.this_update))
}

impl<S: LifecycleStore, I: Issuer> Press<S, I> {
    /// Publishes a delta alone.
    pub(in super::super) async fn publish_delta(
        &self,
        series: CrlSeries,
        due: Due,
    ) -> Result<Publication, LifecycleError> {
        let mut races = 0;
        loop {
            match self.attempt_delta(series, due).await {
                Err(error) if is_race(&error) && races < RACES => {
                    races += 1;
                    tracing::info!(%series, %error, "the delta's number was taken; once more");
                }
                other => return other,
            }
        }
    }

    async fn attempt_delta(
        &self,
        series: CrlSeries,
        due: Due,
    ) -> Result<Publication, LifecycleError> {
        let infos = self.refresh().await?;
        let info = key_of(&infos, series)?;
        let standing = self.store.publication(series).await?;
        let complete = CrlList::complete(series);
        let complete = self.published(info, complete, &standing).await?;
        let delta = CrlList::delta(series);
        let delta = self.published(info, delta, &standing).await?;
        let (number, before) = highest(&standing, [complete.as_ref(), delta.as_ref()]);
        // Before the look at what is revoked: a list never claims a time whose revocations it lacks.
        let now = self.clock.now();
        let snapshot = self.store.snapshot(series, now).await?;
        let this_update = this_update(now, before, snapshot.latest);
        let alone = Draft {
            complete: complete.as_ref().map(RevocationList::summary),
            revoked_since: Vec::new(),
            base: standing.base_at(this_update),
            number: number_after(info, series, number),
            this_update,
            newest: newest(&standing),
            snapshot,
            listed: Vec::new(),
            recorded: 0,
        };
        let alone = self.look(series, alone, complete).await?;
        self.press_delta(info, series, alone, due).await
    }

    /// Looks at what has changed since the base, before anything more is published: in the inventory,
    /// and in what the complete CRL lists.
    pub(super) async fn look(
        &self,
        series: CrlSeries,
        draft: Draft,
        complete: Option<RevocationList>,
    ) -> Result<Draft, LifecycleError> {
        let since = draft.base.map_or(u64::MAX, |base| base.reflects);
        let listed = self.store.changes(series, draft.snapshot, since).await?;
        let recorded = self.store.recorded(series, draft.snapshot, since).await?;
        let revoked_since = match (complete, draft.base) {
            (Some(complete), Some(base)) => {
                let since = move || Ok(gate::revoked_since(&complete, base.this_update));
                blocking(since).await?
            }
            _ => Vec::new(),
        };
        Ok(Draft {
            revoked_since,
            listed,
            recorded,
            ..draft
        })
    }

    /// Writes a delta, has it judged and signed, and publishes it.
    pub(super) async fn press_delta(
        &self,
        info: &IssuerInfo,
        series: CrlSeries,
        delta: Draft,
        due: Due,
    ) -> Result<Publication, LifecycleError> {
        let key = crl::ca_key(info)?;
        let validity = self.schedule.validity_seconds(true);
        let standing = self.store.publication(series).await?;
        let previous = CrlList::delta(series);
        let previous = self.published(info, previous, &standing).await?;
        let header = CrlHeader {
            scope: series.scope,
            // The gate refuses a delta that would be its own base without a complete CRL.
            base: Some(delta.base.map_or(delta.number, |base| base.number)),
            number: delta.number,
            this_update: delta.this_update,
            next_update: delta.this_update.plus_seconds(validity),
        };
        let listed = delta.listed;
        let (composed, to_sign, permit) = blocking(move || {
            let length = length_of(listed.iter().map(|listed| listed.at));
            let mut composing = Composing::begin(key, series, header, length)?;
            let mut pieces = Vec::new();
            let (mut to_sign, _) = composing.to_sign(1);
            for some in listed.chunks(ENTRIES) {
                pieces.push(composing.append(some, |_| ())?);
            }
            let (composed, rest) = composing.finish(|_| ())?;
            pieces.push(rest);
            let (to_issuer, parts) = mpsc::channel(pieces.len() + 1);
            to_sign.parts = parts;
            for piece in pieces {
                // There is room for all of them.
                let _ = to_issuer.try_send(CrlPart::Piece(piece));
            }
            Ok((composed, to_sign, Permit::new(to_issuer)))
        })
        .await?;
        let newest = previous.as_ref().map(RevocationList::summary);
        let newest = newest.map(|file| (file.number, file.this_update));
        let before = DeltaBefore {
            complete: delta.complete,
            revoked_since: delta.revoked_since,
            newest: delta.newest.max(newest),
            previous,
            base: delta.base,
            recorded: delta.recorded,
        };
        let (composed, before, missing) = blocking(move || {
            let missing = gate::missing(&before, composed.contents());
            Ok((composed, before, missing))
        })
        .await?;
        let missing = self.with_expiries(missing).await?;
        let terms = composed.terms(validity, delta.snapshot.now);
        let judged = gate::judge_delta(terms, &before, composed.contents(), &missing);
        judged.map_err(|refusal| held_back(&composed, refusal))?;
        permit.give(composed.digest).await;
        let signature = self.issuer.sign_crl(to_sign).await;
        let signature = signature.map_err(LifecycleError::Issuer)?;
        let files = self.files.clone();
        let (list, file) = blocking(move || {
            let list = composed.seal(&signature)?;
            let file = files.begin_crl(CrlList::delta(series), Vec::new())?;
            Ok((list, file))
        })
        .await?;
        let signed = Signed {
            list,
            file,
            snapshot: delta.snapshot,
        };
        self.put(signed, series, due).await
    }
}
