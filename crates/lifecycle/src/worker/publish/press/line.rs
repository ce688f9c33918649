//! The line on which a complete CRL is made: the store tells its entries, one thread composes them and
//! compares them with the list before, another writes the file, and the issuer reads the pieces as they
//! come.
//!
//! Each waits for the one before it only, and what is between them is bounded. Who gives up, gives up
//! for all: a channel that is closed ends the others, and what the issuer got is never signed.

use bytes::Bytes;
use lgpki_domain::{Digest, Serial};
use lgpki_x509::crl::RevocationList;
use tokio::{sync::mpsc, task::JoinHandle};

use super::lost;
use crate::{
    crl::{Composed, Composing},
    error::LifecycleError,
    gate::Walk,
    ports::{CrlPart, CrlToSign, Listed},
    publication::NewFile,
};

/// Stretches of entries that may wait to be composed.
const STRETCHES: usize = 2;
/// Pieces that may wait for the issuer.
const PIECES: usize = 4;
/// Pieces that may wait to be written, while the disk takes its time.
const TO_WRITE: usize = 32;

/// A whole list, compared with the one before.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) composed: Composed,
    /// What the list before has and this one has not.
    pub(super) gone: Vec<Serial>,
}

/// What came of a line.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) compared: Compared,
    pub(super) file: NewFile,
}

/// A line at work.
#[derive(Debug)]
pub(super) struct Line {
    stretches: mpsc::Sender<Vec<Listed>>,
    to_issuer: mpsc::Sender<CrlPart>,
    composing: JoinHandle<Result<Option<Compared>, LifecycleError>>,
    writing: JoinHandle<Result<NewFile, LifecycleError>>,
}

impl Line {
    /// Starts a line, and tells what the issuer is to be sent.
    pub(super) fn start(
        composing: Composing,
        previous: Option<RevocationList>,
        file: NewFile,
    ) -> (Self, CrlToSign) {
        let (stretches, entries) = mpsc::channel(STRETCHES);
        let (to_file, pieces) = mpsc::channel(TO_WRITE);
        let (to_sign, to_issuer) = composing.to_sign(PIECES);
        let out = Out {
            to_issuer: to_issuer.clone(),
            to_file,
        };
        let compose = move || compose(composing, previous.as_ref(), entries, &out);
        let line = Self {
            stretches,
            to_issuer,
            composing: tokio::task::spawn_blocking(compose),
            writing: tokio::task::spawn_blocking(move || write(file, pieces)),
        };
        (line, to_sign)
    }

    /// Gives entries to it; false if it has ended.
    pub(super) async fn feed(&self, stretch: Vec<Listed>) -> bool {
        self.stretches.send(stretch).await.is_ok()
    }

    /// There are no more entries: what came of it, or nothing if the issuer hung up.
    pub(super) async fn finish(self) -> Result<(Option<Made>, Permit), LifecycleError> {
        drop(self.stretches);
        let composed = self.composing.await.map_err(|_| lost())?;
        let written = self.writing.await.map_err(|_| lost())?;
        let permit = Permit(self.to_issuer);
        // A file that could not be written is why the composing was given up.
        let file = written?;
        let made = composed?.map(|compared| Made { compared, file });
        Ok((made, permit))
    }
}

/// The word to the issuer that the list may be signed; without it, it is not.
#[derive(Debug)]
pub(super) struct Permit(mpsc::Sender<CrlPart>);

impl Permit {
    /// For an issuer that is sent what goes in there.
    pub(super) const fn new(to_issuer: mpsc::Sender<CrlPart>) -> Self {
        Self(to_issuer)
    }

    /// Gives it.
    pub(super) async fn give(self, digest: Digest) {
        // If the issuer hung up, its answer says why.
        let _ = self.0.send(CrlPart::End(digest)).await;
    }
}

/// Who gets the pieces.
struct Out {
    to_issuer: mpsc::Sender<CrlPart>,
    to_file: mpsc::Sender<Bytes>,
}

impl Out {
    /// Passes a piece on; false if nobody takes it any more.
    fn pass(&self, piece: Bytes) -> bool {
        let sent = self.to_file.blocking_send(piece.clone()).is_ok();
        sent && self.to_issuer.blocking_send(CrlPart::Piece(piece)).is_ok()
    }
}

/// Composes until there are no more entries; none if somebody gave up.
fn compose(
    mut composing: Composing,
    previous: Option<&RevocationList>,
    mut entries: mpsc::Receiver<Vec<Listed>>,
    out: &Out,
) -> Result<Option<Compared>, LifecycleError> {
    let serials = previous.map(|list| list.contents().serials());
    let mut walk = Walk::along(serials.into_iter().flatten());
    let compared = previous.is_some();
    let mut meet = |serial| {
        if compared {
            walk.meet(serial);
        }
    };
    while let Some(stretch) = entries.blocking_recv() {
        let piece = composing.append(&stretch, &mut meet)?;
        if !out.pass(piece) {
            return Ok(None);
        }
    }
    let (composed, rest) = composing.finish(&mut meet)?;
    if !out.pass(rest) {
        return Ok(None);
    }
    let gone = walk.finish();
    Ok(Some(Compared { composed, gone }))
}

/// Writes until there are no more pieces.
fn write(mut file: NewFile, mut pieces: mpsc::Receiver<Bytes>) -> Result<NewFile, LifecycleError> {
    while let Some(piece) = pieces.blocking_recv() {
        file.append(&piece)?;
    }
    Ok(file)
}
