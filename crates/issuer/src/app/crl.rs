//! Signing CRLs: lint, intend, sign, record, answer.
//!
//! The list is lifecycle's; the issuer sees to it that it is well formed, bears the CA's name and the
//! next number, and that a number is never used for two lists.

use std::sync::Arc;

use lgpki_domain::{
    CrlNumber, Digest,
    toll::{Work, counted},
};
use lgpki_x509::{LintedCrl, key::Digested, lint};

use super::App;
use crate::{
    error::{CrlRefused, IssuerError, StoreError},
    event::Cause,
    metrics,
    ports::{CrlOf, CrlOutcome, EndCrl, IntendCrl, IssuerStore, SignedCrl},
    vault::Ca,
};

/// The longest tbsCertList in bytes: 2.6 million entries.
pub(crate) const LONGEST_CRL: u64 = 128 * 1024 * 1024;

/// A tbsCertList to sign, with what was announced of it.
#[derive(Debug)]
pub(crate) struct CrlOrder {
    pub(crate) of: CrlOf,
    /// Delta only: the BaseCRLNumber.
    pub(crate) base: Option<CrlNumber>,
    pub(crate) number: CrlNumber,
    pub(crate) tbs_digest: Digest,
    pub(crate) tbs: Digested,
}

/// A linted CRL on its way to the key.
struct Wish {
    of: CrlOf,
    base: Option<CrlNumber>,
    number: CrlNumber,
    linted: LintedCrl,
}

impl<S: IssuerStore> App<S> {
    /// Signs a CRL, or answers the signature made before for the same bytes and number.
    pub(crate) async fn sign_crl(
        self: &Arc<Self>,
        order: CrlOrder,
        actor: String,
    ) -> Result<SignedCrl, IssuerError> {
        let (of, base) = (order.of, order.base);
        let ca = self
            .ca_key(of.key)
            .ok_or(IssuerError::NoAuthority(of.key.authority))?;
        let working = self.begin()?;
        let app = Arc::clone(self);
        let signing = tokio::spawn(async move {
            let _working = working;
            let linting = Arc::clone(&ca);
            let linted = app.cores.run(move || checked(&linting, order)).await;
            let (number, linted) = linted.ok_or(IssuerError::WorkerLost)??;
            let _turn = app.crl_turn.lock().await;
            let wish = Wish {
                of,
                base,
                number,
                linted,
            };
            app.sign_linted_crl(&ca, wish, &actor).await
        });
        signing.await.map_err(|_| IssuerError::WorkerLost)?
    }

    async fn sign_linted_crl(
        &self,
        ca: &Arc<Ca>,
        wish: Wish,
        actor: &str,
    ) -> Result<SignedCrl, IssuerError> {
        let Wish {
            of,
            base,
            number,
            linted,
        } = wish;
        let authority = of.key.authority;
        let summary = linted.summary();
        let tbs_digest = linted.digest();
        let intend = IntendCrl {
            of,
            base,
            number,
            tbs_digest,
            this_update: summary.this_update,
            next_update: summary.next_update,
            entries: summary.entries,
            stamp: self.stamp(actor),
        };
        match self.store.intend_crl(self.epoch, intend).await? {
            CrlOutcome::Intended { .. } => {}
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
        }
        let algorithm = linted.algorithm().oid();
        let key = Arc::clone(&ca.signer);
        let sign = move || key.sign_digested(linted.tbs(), &linted.digest());
        let signed = self.cores.run(|| counted(Work::Sign, sign)).await;
        let (result, failure) = match signed {
            Some(Ok(signature)) => (Ok((signature, algorithm)), None),
            Some(Err(source)) => (
                Err(Cause::SigningFailed),
                Some(IssuerError::Key { authority, source }),
            ),
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

/// Checks what was announced and lints.
fn checked(ca: &Ca, order: CrlOrder) -> Result<(CrlNumber, LintedCrl), IssuerError> {
    let linted = lint::lint_crl(&ca.issuer, order.tbs).map_err(CrlRefused::Lint)?;
    if linted.digest() != order.tbs_digest {
        return Err(CrlRefused::Digest.into());
    }
    if linted.scope() != order.of.scope || linted.summary().base != order.base {
        return Err(CrlRefused::Scope.into());
    }
    let inside = linted.summary().number;
    if inside != order.number {
        return Err(CrlRefused::Number {
            announced: order.number.0,
            inside: inside.0,
        }
        .into());
    }
    Ok((order.number, linted))
}
