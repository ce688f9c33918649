//! Signing CRLs: lint as they come, intend, sign, record, answer.
//!
//! The list is lifecycle's; the issuer sees to it that it is well formed, bears the CA's name and the
//! next number, and that a number is never used for two lists. What it signs is the digest that it
//! made itself of the very bytes that it linted; the bytes are kept only for a key that signs more
//! than a digest.

use std::sync::Arc;

use lgpki_domain::{
    CrlNumber, Digest,
    toll::{Work, counted},
};
use lgpki_x509::{LintedCrl, lint::CrlLint};

use super::App;
use crate::{
    error::{CrlRefused, IssuerError, StoreError},
    event::Cause,
    metrics,
    ports::{CrlOf, CrlOutcome, EndCrl, IntendCrl, IssuerStore, SignedCrl},
    turnstile::Unproven,
    vault::Ca,
};

/// The longest tbsCertList in bytes: 2.6 million entries.
const LONGEST_CRL: u64 = 128 * 1024 * 1024;

/// What is announced of a tbsCertList before it comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CrlAnnounced {
    pub(crate) of: CrlOf,
    /// Delta only: the BaseCRLNumber.
    pub(crate) base: Option<CrlNumber>,
    pub(crate) number: CrlNumber,
    /// How many bytes it has.
    pub(crate) length: u64,
}

/// A tbsCertList that is coming in.
#[derive(Debug)]
pub(crate) struct IncomingCrl {
    announced: CrlAnnounced,
    ca: Arc<Ca>,
    lint: CrlLint,
    came: u64,
}

impl IncomingCrl {
    /// Takes one more piece.
    pub(crate) fn take(&mut self, piece: &[u8]) -> Result<(), IssuerError> {
        self.came = self.came.saturating_add(piece.len() as u64);
        if self.came > self.announced.length {
            return Err(self.miscounted());
        }
        self.lint.push(piece);
        Ok(())
    }

    /// The stream has broken off: nothing says that the list may be signed.
    pub(crate) fn break_off(self) -> IssuerError {
        if self.came == self.announced.length {
            CrlRefused::NoEnd.into()
        } else {
            self.miscounted()
        }
    }

    /// The whole list is there and may be signed, if this is its SHA-256 and the lint has nothing
    /// against it.
    pub(crate) fn finish(self, tbs_digest: Digest) -> Result<CrlOrder, IssuerError> {
        if self.came != self.announced.length {
            return Err(self.miscounted());
        }
        let announced = self.announced;
        let linted = self.lint.finish().map_err(CrlRefused::Lint)?;
        if linted.digest() != tbs_digest {
            return Err(CrlRefused::Digest.into());
        }
        if linted.scope() != announced.of.scope || linted.summary().base != announced.base {
            return Err(CrlRefused::Scope.into());
        }
        let inside = linted.summary().number;
        if inside != announced.number {
            return Err(CrlRefused::Number {
                announced: announced.number.0,
                inside: inside.0,
            }
            .into());
        }
        Ok(CrlOrder {
            of: announced.of,
            ca: self.ca,
            linted,
        })
    }

    fn miscounted(&self) -> IssuerError {
        CrlRefused::Length {
            announced: self.announced.length,
            came: self.came,
        }
        .into()
    }
}

/// A linted CRL on its way to the key.
#[derive(Debug)]
pub(crate) struct CrlOrder {
    of: CrlOf,
    ca: Arc<Ca>,
    linted: LintedCrl,
}

impl<S: IssuerStore> App<S> {
    /// Begins to take in a tbsCertList.
    pub(crate) fn receive_crl(&self, announced: CrlAnnounced) -> Result<IncomingCrl, IssuerError> {
        if announced.length > LONGEST_CRL {
            return Err(CrlRefused::TooLong {
                length: announced.length,
                most: LONGEST_CRL,
            }
            .into());
        }
        let key = announced.of.key;
        let ca = self
            .ca_key(key)
            .ok_or(IssuerError::NoAuthority(key.authority))?;
        let lint = CrlLint::new(ca.issuer.clone());
        let lint = if ca.signs_digests() {
            lint
        } else {
            lint.keeping()
        };
        Ok(IncomingCrl {
            announced,
            ca,
            lint,
            came: 0,
        })
    }

    /// Signs a CRL, or answers the signature made before for the same bytes and number.
    pub(crate) async fn sign_crl(
        self: &Arc<Self>,
        order: CrlOrder,
        actor: String,
    ) -> Result<SignedCrl, IssuerError> {
        let working = self.begin()?;
        let app = Arc::clone(self);
        let signing = tokio::spawn(async move {
            let _working = working;
            let _turn = app.crl_turn.lock().await;
            app.sign_linted_crl(order, &actor).await
        });
        signing.await.map_err(|_| IssuerError::WorkerLost)?
    }

    async fn sign_linted_crl(
        &self,
        order: CrlOrder,
        actor: &str,
    ) -> Result<SignedCrl, IssuerError> {
        let CrlOrder { of, ca, linted } = order;
        let authority = of.key.authority;
        let summary = linted.summary();
        let number = summary.number;
        let tbs_digest = linted.digest();
        let intend = IntendCrl {
            of,
            base: summary.base,
            number,
            tbs_digest,
            this_update: summary.this_update,
            next_update: summary.next_update,
            entries: summary.entries,
            stamp: self.stamp(actor),
        };
        let evidence = match self.store.intend_crl(self.epoch, intend).await? {
            CrlOutcome::Intended { evidence, .. } => evidence,
            CrlOutcome::Signed(signed) => return Ok(signed),
            CrlOutcome::InProgress => return Err(CrlRefused::InProgress.into()),
            CrlOutcome::NotNext { next } => {
                return Err(CrlRefused::NotNext {
                    authority,
                    next: next.0,
                }
                .into());
            }
            CrlOutcome::NoAuthority => return Err(IssuerError::NoAuthority(authority)),
        };
        let algorithm = linted.algorithm().oid();
        let turnstile = Arc::clone(&self.turnstile);
        let sign = move || {
            let evidence = evidence.ok_or(Unproven::Nothing)?;
            let permit = turnstile.crl(&linted, &evidence)?;
            let signature = counted(Work::Sign, || ca.sign(permit));
            signature.map_err(|source| IssuerError::Key { authority, source })
        };
        let signed = self.cores.run(sign).await;
        let (result, failure) = match signed {
            Some(Ok(signature)) => (Ok((signature, algorithm)), None),
            Some(Err(failure)) => (Err(Cause::SigningFailed), Some(failure)),
            None => (Err(Cause::SigningFailed), Some(IssuerError::WorkerLost)),
        };
        let signature = result.clone().map(|(signature, _)| signature);
        let end = EndCrl {
            of,
            number,
            tbs_digest,
            result,
            stamp: self.stamp(actor),
        };
        let recorded = self.store.end_crl(self.epoch, end).await?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        match (signature, recorded) {
            (Ok(signature), Some(index)) => {
                metrics::crl_signed(authority, summary.entries);
                Ok(SignedCrl {
                    signature,
                    algorithm: algorithm.to_owned(),
                    index,
                })
            }
            _ => Err(StoreError::Mismatched.into()),
        }
    }
}
