//! Makes a complete CRL: composed, judged and signed, its file all but complete.
//!
//! The issuer reads the list as it is made, and the gate's judgement is the last thing it waits for.

use std::time::Duration;

use lgpki_domain::CrlSeries;
use lgpki_x509::{
    X509Error,
    crl::{CrlHeader, length_of, usual_length},
};
use tokio::{task::yield_now, time::timeout};

use super::{
    Follows, Press, Signed, blocking,
    line::{Line, Made},
    number_after,
};
use crate::{
    crl::{self, Composed, Composing},
    error::LifecycleError,
    ports::{CrlList, Issuer, IssuerInfo, LifecycleStore, Snapshot},
    publication::NewFile,
    worker::plan::this_update,
};

/// How long a line that is given up may take to end before nobody waits for it any more.
const ENDING: Duration = Duration::from_secs(10);

impl<S: LifecycleStore, I: Issuer> Press<S, I> {
    /// Makes the complete CRL that comes next and has it signed.
    pub(super) async fn make(
        &self,
        info: &IssuerInfo,
        series: CrlSeries,
        follows: Follows,
    ) -> Result<Signed, LifecycleError> {
        // Before the look at what is revoked: a list never claims a time whose revocations it lacks.
        let now = self.clock.now();
        let snapshot = self.store.snapshot(series, now).await?;
        let this_update = this_update(now, follows.before.this_update, snapshot.latest);
        let header = CrlHeader {
            scope: series.scope,
            base: None,
            number: number_after(info, series, follows.before.number),
            this_update,
            next_update: this_update.plus_seconds(self.schedule.validity_seconds(false)),
        };
        let begin = |length| Composing::begin(crl::ca_key(info)?, series, header, length);
        let composing = begin(usual_length(snapshot.entries))?;
        match self.run(composing, series, follows.clone(), snapshot).await {
            Err(error) if is_miscounted(&error) => {
                // Dates from 2050 on are longer, and which are is known only by a look at each.
                let length = self.measure(series, snapshot).await?;
                self.run(begin(length)?, series, follows, snapshot).await
            }
            made => made,
        }
    }

    /// Composes the list while the issuer reads it and its file is written; has the gate judge it, and
    /// then the issuer sign it.
    async fn run(
        &self,
        composing: Composing,
        series: CrlSeries,
        follows: Follows,
        snapshot: Snapshot,
    ) -> Result<Signed, LifecycleError> {
        let (files, front) = (self.files.clone(), composing.envelope());
        let list = CrlList::complete(series);
        let file = blocking(move || files.begin_crl(list, front)).await?;
        let previous = follows.before.list.clone();
        let (line, to_sign) = Line::start(composing, previous, file);
        let signing = self.issuer.sign_crl(to_sign);
        let making = self.judged(line, series, follows, snapshot);
        tokio::pin!(signing, making);
        let made = tokio::select! {
            biased;
            made = &mut making => made?,
            // It has not been told yet that it may sign: it refused, or is away.
            answer = &mut signing => {
                // The line ends by itself now that nobody reads, and nothing is left of its file then.
                let _ = timeout(ENDING, making).await;
                return Err(answer.map_or_else(LifecycleError::Issuer, |_| too_early()));
            }
        };
        let signature = signing.await.map_err(LifecycleError::Issuer)?;
        let Some((composed, file)) = made else {
            return Err(too_early());
        };
        let list = blocking(move || composed.seal(&signature)).await?;
        Ok(Signed {
            list,
            file,
            snapshot,
        })
    }

    /// Gives the line its entries; once the gate has let the list through, the issuer may sign it. None
    /// if the issuer hung up.
    async fn judged(
        &self,
        line: Line,
        series: CrlSeries,
        follows: Follows,
        snapshot: Snapshot,
    ) -> Result<Option<(Composed, NewFile)>, LifecycleError> {
        let mut after = None;
        loop {
            let stretch = self.store.listed(series, snapshot, after).await?;
            let Some(last) = stretch.last() else { break };
            after = Some(last.serial);
            if !line.feed(stretch).await {
                break;
            }
            // A long list lets others have their turn.
            yield_now().await;
        }
        let (made, permit) = line.finish().await?;
        let Some(made) = made else { return Ok(None) };
        let Made { compared, file } = made;
        let composed = self.judge(compared, follows, snapshot).await?;
        permit.give(composed.digest).await;
        Ok(Some((composed, file)))
    }

    /// How many bytes the entries of a list take.
    async fn measure(
        &self,
        series: CrlSeries,
        snapshot: Snapshot,
    ) -> Result<usize, LifecycleError> {
        let (mut length, mut after) = (0, None);
        loop {
            let stretch = self.store.listed(series, snapshot, after).await?;
            let Some(last) = stretch.last() else {
                return Ok(length);
            };
            after = Some(last.serial);
            length += length_of(stretch.iter().map(|listed| listed.at));
            yield_now().await;
        }
    }
}

fn is_miscounted(error: &LifecycleError) -> bool {
    let LifecycleError::Crl { source, .. } = error else {
        return false;
    };
    matches!(source, X509Error::EntriesMiscounted { .. })
}

fn too_early() -> LifecycleError {
    LifecycleError::Serving {
        what: "making a CRL",
        why: "the issuer answered before it was told to sign".to_owned(),
    }
}
