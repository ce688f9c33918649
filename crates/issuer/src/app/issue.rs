//! Issuing in batches: draft, intend, sign, record, answer.
//!
//! Batches overlap: while one is signed, the intents of the next are written. A batch runs to its end
//! whether or not somebody still waits for the answer; what a crash interrupts, the next epoch closes.

use std::sync::Arc;

use lgpki_domain::{
    ApplicationId, Faults,
    toll::{Work, counted},
};
use lgpki_ledger::{EntryRef, Evidence, Stamp};

use super::{
    App, Order, at_most,
    order::{Draft, NoDraft, draft},
};
use crate::{
    error::{IssuerError, StoreError},
    event::Cause,
    metrics,
    ports::{
        Certificate, Ending, EndingOutcome, Intend, IntentOutcome, IssuerStore, NewCertificate,
    },
    turnstile::{Turnstile, Unproven},
};

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The certificate exists.
    Issued(Certificate),
    /// An intent is open; ask again.
    InProgress {
        /// Its attempt.
        attempt: u32,
    },
    /// The attempt was abandoned; order again with the next.
    Abandoned {
        /// It.
        attempt: u32,
    },
    /// Refused for good.
    Refused(Faults),
}

impl Answer {
    /// The certificate, or why there is none yet.
    pub(crate) fn into_certificate(self) -> Result<Certificate, IssuerError> {
        match self {
            Self::Issued(certificate) => Ok(certificate),
            Self::Refused(faults) => Err(IssuerError::Refused(faults)),
            Self::InProgress { .. } => Err(IssuerError::NotIssued),
            Self::Abandoned { .. } => Err(IssuerError::GivenUp),
        }
    }
}

/// An order's draft and what it is for.
pub(super) struct Drafted {
    pub(super) application: ApplicationId,
    pub(super) attempt: u32,
    pub(super) answers: Option<u64>,
    pub(super) draft: Option<Draft>,
}

/// A draft whose intent is durable: the only thing that the key is used for.
struct Durable {
    /// Where its answer goes.
    place: usize,
    application: ApplicationId,
    attempt: u32,
    /// Index of the intent.
    intent: u64,
    evidence: Option<Box<Evidence>>,
    stamp: Stamp,
    draft: Draft,
}

impl<S: IssuerStore> App<S> {
    /// Issues a batch; the answers are in the order of the orders.
    pub(crate) async fn issue(
        self: &Arc<Self>,
        orders: Vec<Order>,
        actor: String,
    ) -> Result<Vec<Answer>, IssuerError> {
        at_most(orders.len(), "orders")?;
        if let Some(hold) = self.store.hold() {
            return Err(hold.into());
        }
        let working = self.begin()?;
        let app = Arc::clone(self);
        // A task of its own: a caller that goes away does not leave intents behind.
        let batch = tokio::spawn(async move {
            let _working = working;
            app.issue_batch(orders, &actor).await
        });
        batch.await.map_err(|_| IssuerError::WorkerLost)?
    }

    async fn issue_batch(
        &self,
        orders: Vec<Order>,
        actor: &str,
    ) -> Result<Vec<Answer>, IssuerError> {
        let begun = tokio::time::Instant::now();
        let (intends, drafts) = self.draft_all(orders, actor).await?;
        metrics::stage("draft", begun);
        self.carry_out(intends, drafts, actor).await
    }

    /// Records the intents, signs what they allow, records that, and answers.
    pub(super) async fn carry_out(
        &self,
        intends: Vec<Intend>,
        mut drafts: Vec<Drafted>,
        actor: &str,
    ) -> Result<Vec<Answer>, IssuerError> {
        let begun = tokio::time::Instant::now();
        let outcomes = self.store.intend(self.epoch, intends).await?;
        metrics::stage("intend", begun);
        if outcomes.len() != drafts.len() {
            return Err(StoreError::Mismatched.into());
        }
        let mut answers = Vec::with_capacity(outcomes.len());
        let mut durable = Vec::new();
        for (place, (outcome, drafted)) in outcomes.into_iter().zip(&mut drafts).enumerate() {
            let attempt = drafted.attempt;
            answers.push(match outcome {
                IntentOutcome::Issued(certificate) => Answer::Issued(certificate),
                IntentOutcome::InProgress { attempt } => Answer::InProgress { attempt },
                IntentOutcome::Abandoned { attempt } => Answer::Abandoned { attempt },
                IntentOutcome::Refused(faults) => Answer::Refused(faults),
                IntentOutcome::Intended { index, evidence } => {
                    let draft = drafted.draft.take().ok_or(StoreError::Mismatched)?;
                    durable.push(Durable {
                        place,
                        application: drafted.application,
                        attempt,
                        intent: index,
                        evidence,
                        stamp: self.answering(actor, drafted.answers),
                        draft,
                    });
                    // Stands until the certificate takes its place.
                    Answer::InProgress { attempt }
                }
            });
        }
        self.sign_and_record(durable, &mut answers).await?;
        metrics::answered(&answers);
        Ok(answers)
    }

    /// Drafts all orders on all cores.
    async fn draft_all(
        &self,
        orders: Vec<Order>,
        actor: &str,
    ) -> Result<(Vec<Intend>, Vec<Drafted>), IssuerError> {
        let today = self.ports.clock.now().jst_date();
        let randomness = Arc::clone(&self.ports.randomness);
        let mut heads = Vec::with_capacity(orders.len());
        let mut wishes = Vec::with_capacity(orders.len());
        for order in orders {
            let ca = match &order.wanted {
                Ok(wanted) => wanted.kind.authority().and_then(|a| self.issuing(a, today)),
                Err(_) => None,
            };
            heads.push((
                order.application,
                order.attempt,
                order.content_digest,
                order.answers,
            ));
            wishes.push((order.wanted, ca));
        }
        let drafting = self.cores.map(wishes, move |(wanted, ca)| {
            wanted
                .map_err(NoDraft::Refused)
                .and_then(|wanted| draft(wanted, ca, today, randomness.as_ref()))
        });
        let mut intends = Vec::with_capacity(heads.len());
        let mut drafts = Vec::with_capacity(heads.len());
        for ((application, attempt, content_digest, answers), result) in
            heads.into_iter().zip(drafting.await)
        {
            let (proposal, draft) = match result.ok_or(IssuerError::WorkerLost)? {
                Ok(draft) => (Ok(draft.proposal()), Some(draft)),
                Err(NoDraft::Refused(faults)) => (Err(faults), None),
                Err(NoDraft::Randomness(failed)) => return Err(failed.into()),
            };
            intends.push(Intend {
                application,
                attempt,
                content_digest,
                stamp: self.answering(actor, answers),
                proposal,
            });
            drafts.push(Drafted {
                application,
                attempt,
                answers,
                draft,
            });
        }
        Ok((intends, drafts))
    }

    async fn sign_and_record(
        &self,
        durable: Vec<Durable>,
        answers: &mut [Answer],
    ) -> Result<(), IssuerError> {
        if durable.is_empty() {
            return Ok(());
        }
        let places: Vec<_> = durable
            .iter()
            .map(|d| (d.place, d.application, d.attempt, d.stamp.clone()))
            .collect();
        let begun = tokio::time::Instant::now();
        let turnstile = Arc::clone(&self.turnstile);
        let sign = move |durable| sign(&turnstile, durable);
        let signed = self.cores.map(durable, sign).await;
        metrics::stage("sign", begun);
        let mut endings = Vec::with_capacity(places.len());
        let mut certificates = Vec::with_capacity(places.len());
        for ((place, application, attempt, stamp), signed) in places.into_iter().zip(signed) {
            let (ending, answer) = match signed.flatten() {
                Some(new) => {
                    let answer = Certificate {
                        serial: new.serial,
                        der: new.der.clone(),
                        index: 0,
                    };
                    (Ending::Issued(Box::new(new)), Ok(answer))
                }
                None => (
                    Ending::Abandoned {
                        application,
                        attempt,
                        cause: Cause::SigningFailed,
                        stamp,
                    },
                    Err(attempt),
                ),
            };
            endings.push(ending);
            certificates.push((place, answer));
        }
        let begun = tokio::time::Instant::now();
        let ended = self.store.end(self.epoch, endings).await?;
        metrics::stage("record", begun);
        for (ended, (place, certificate)) in ended.into_iter().zip(certificates) {
            // What is not recorded is not answered: the order stays in progress.
            let EndingOutcome::Recorded { index } = ended else {
                continue;
            };
            if let Some(answer) = answers.get_mut(place) {
                *answer = match certificate {
                    Ok(certificate) => Answer::Issued(Certificate {
                        index,
                        ..certificate
                    }),
                    Err(attempt) => Answer::Abandoned { attempt },
                };
            }
        }
        Ok(())
    }

    fn answering(&self, actor: &str, answers: Option<u64>) -> Stamp {
        Stamp {
            answers: answers.map(|index| EntryRef {
                index,
                log: "intake".to_owned(),
            }),
            ..self.stamp(actor)
        }
    }
}

/// Uses the key, if the intent is proved. `None` if that failed, which is known not to have let a
/// signature out.
fn sign(turnstile: &Turnstile, durable: Durable) -> Option<NewCertificate> {
    let Durable {
        application,
        attempt,
        intent,
        evidence,
        stamp,
        draft,
        ..
    } = durable;
    let permit = evidence.as_deref().ok_or(Unproven::Nothing);
    let permit = permit.and_then(|evidence| turnstile.certificate(&draft.linted, evidence));
    let permit = match permit {
        Ok(permit) => permit,
        Err(error) => {
            tracing::error!(%error, %application, "a CA key is not used");
            return None;
        }
    };
    let signature = match counted(Work::Sign, || draft.ca.sign(permit)) {
        Ok(signature) => signature,
        Err(error) => {
            tracing::error!(%error, %application, "a CA key did not sign");
            return None;
        }
    };
    Some(NewCertificate {
        application,
        attempt,
        intent,
        authority: draft.ca.issuer.authority(),
        generation: draft.ca.issuer.generation(),
        scope: draft.scope(),
        branch: draft.branch,
        kind: draft.kind,
        subject: draft.subject,
        key_digest: draft.key_digest,
        serial: draft.serial,
        validity: draft.validity,
        der: draft.linted.into_certificate(&signature),
        stamp,
    })
}
