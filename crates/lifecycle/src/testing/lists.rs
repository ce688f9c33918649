//! What CRLs must list, and the order in which an issuer is asked for them.

use lgpki_domain::{CrlNumber, CrlSeries, Digest, Timestamp};
use lgpki_x509::key::sha256;
use tokio::sync::{Semaphore, mpsc};

use super::{FakeIssuer, State, at};
use crate::ports::{CrlList, CrlPart, CrlToSign, LifecycleStore, Listed};

/// A tbsCertList that is there as a whole and may be signed, in pieces of this size.
pub(crate) fn to_sign(series: CrlSeries, number: u64, tbs: &[u8], size: usize) -> CrlToSign {
    let pieces: Vec<_> = tbs.chunks(size).collect();
    let (into, parts) = mpsc::channel(pieces.len() + 1);
    for piece in pieces {
        let piece = CrlPart::Piece(piece.to_vec().into());
        into.try_send(piece).unwrap();
    }
    into.try_send(CrlPart::End(sha256(tbs))).unwrap();
    CrlToSign {
        series,
        base: None,
        number: CrlNumber(number),
        length: tbs.len(),
        parts,
    }
}

/// The whole of what is to be signed; nothing if it must not be.
pub(crate) async fn gather(to_sign: &mut CrlToSign) -> Option<(Vec<u8>, Digest)> {
    let mut tbs = Vec::new();
    while let Some(part) = to_sign.parts.recv().await {
        match part {
            CrlPart::Piece(piece) => tbs.extend(piece),
            CrlPart::End(digest) => {
                assert_eq!((tbs.len(), sha256(&tbs)), (to_sign.length, digest));
                return Some((tbs, digest));
            }
        }
    }
    None
}

/// All that the next CRL of a series must list, long after whatever happens in a test.
pub(crate) async fn listed(store: &impl LifecycleStore, series: CrlSeries) -> Vec<Listed> {
    listed_at(store, series, at("2030-01-01T00:00:00")).await
}

/// All that the CRL of a series must list if it is made at this time.
pub(crate) async fn listed_at(
    store: &impl LifecycleStore,
    series: CrlSeries,
    now: Timestamp,
) -> Vec<Listed> {
    let snapshot = store.snapshot(series, now).await.unwrap();
    let mut listed: Vec<Listed> = Vec::new();
    loop {
        let after = listed.last().map(|last| last.serial);
        let stretch = store.listed(series, snapshot, after).await.unwrap();
        if stretch.is_empty() {
            assert_eq!(listed.len(), snapshot.entries);
            return listed;
        }
        listed.extend(stretch);
    }
}

impl State {
    /// Whether it hangs up on this one.
    pub(super) fn hangs_up(&mut self) -> bool {
        let hangs_up = self.hang_up > 0;
        self.hang_up = self.hang_up.saturating_sub(1);
        hangs_up
    }
}

impl FakeIssuer {
    /// Hangs up at once on this many CRLs, before they have come.
    pub(crate) fn hang_up(&self, count: usize) {
        self.state().hang_up = count;
    }

    /// Has the next CRL wait, and all after it, until it is let on.
    pub(crate) fn hold(&self) {
        self.0.turns.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Lets so many CRLs on.
    pub(crate) fn let_on(&self, count: usize) {
        self.0.turns.add_permits(count);
    }

    /// Which lists were asked to be signed, in their order.
    pub(crate) fn asked(&self) -> Vec<CrlList> {
        self.state().asked.clone()
    }
}
