//! Keeps the OCSP responders in certificates: one for each CA key, made anew at every start and at
//! half of its validity, and keeps hot answers fresh.
//!
//! It also measures, every minute, what is wrong with the keys. A thin loop around a plan. A request whose answer was lost is repeated as it was; one that was
//! refused is not: the next try brings another key.

use std::{collections::BTreeMap, sync::Arc};

use lgpki_domain::{
    ApplicationId, AuthorityKey, Clock, ErrorClass, KeyAlgorithm, Randomness, Timestamp,
};
use lgpki_keys::{Signer as _, SoftwareKey};
use lgpki_runtime::shutdown::Shutdown;
use lgpki_x509::{
    Issuer as CaKey, Particulars, SubjectPublicKey, ocsp::responder_subject, request,
};
use tokio::{sync::watch, task::spawn_blocking};

use super::{LONGEST_WAIT, publish::Issuers, put_off};
use crate::{
    alarm::{AlarmKind, keys},
    crl::ca_key,
    error::{LifecycleError, StoreError, chain},
    metrics,
    ocsp::{Answerer, Desk},
    ports::{Issuer, IssuerInfo, LifecycleStore, ResponderToCertify},
    publication::PublicationFiles,
    remembered,
};

/// How often kept answers are looked through, in seconds.
const REFRESH: i64 = 60;

/// The worker.
#[derive(Debug)]
pub(crate) struct Certifier<S, I> {
    pub(crate) store: S,
    pub(crate) files: PublicationFiles,
    pub(crate) answerer: Arc<Answerer<S>>,
    pub(crate) issuer: I,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    /// The CAs as last heard of.
    pub(crate) issuers: watch::Receiver<Issuers>,
}

/// A try to get a certificate.
struct Attempt {
    key: SoftwareKey,
    order: ResponderToCertify,
}

/// What the loop keeps in mind of a CA key.
#[derive(Default)]
struct Pending {
    attempt: Option<Attempt>,
    failures: u32,
    retry_at: Option<Timestamp>,
}

impl<S: LifecycleStore, I: Issuer> Certifier<S, I> {
    /// Works until `shutdown`; returns an error only if the store fails.
    pub(crate) async fn run(mut self, shutdown: Shutdown) -> Result<(), LifecycleError> {
        tokio::select! {
            failed = self.certify_all() => failed,
            () = shutdown.requested() => Ok(()),
        }
    }

    async fn certify_all(&mut self) -> Result<(), LifecycleError> {
        let mut pending: BTreeMap<AuthorityKey, Pending> = BTreeMap::new();
        loop {
            let infos = Arc::clone(&self.issuers.borrow_and_update());
            let mut wake_at = self.clock.now().plus_seconds(REFRESH);
            for info in infos.iter() {
                let name = info.key();
                let pending = pending.entry(name).or_default();
                wake_at = wake_at.min(self.attend(info, pending).await?);
                self.answerer.refresh(name).await?;
            }
            self.measure(&infos).await?;
            tokio::select! {
                changed = self.issuers.changed() => {
                    if changed.is_err() {
                        // Nobody will tell of other CAs; these still need their certificates.
                        self.clock.sleep_until(wake_at).await;
                    }
                }
                () = self.clock.sleep_until(wake_at) => {}
            }
        }
    }

    /// Keeps the measure of the alarms about keys current, those that lifecycle remembers while the
    /// issuer has not been reached.
    async fn measure(&self, infos: &Issuers) -> Result<(), LifecycleError> {
        let now = self.clock.now();
        let mut infos = Arc::clone(infos);
        if infos.is_empty() {
            infos = Arc::new(remembered::issuers(&self.store, &self.files, now).await?);
        }
        let alarms = infos.iter().flat_map(|info| {
            let responder = self.answerer.responder(info.key(), now);
            keys::alarms(info, &infos, &responder, now)
        });
        metrics::alarms(&AlarmKind::OF_KEYS, &alarms.collect::<Vec<_>>());
        Ok(())
    }

    /// Certifies a CA key's responder if it is time; tells when to look again.
    async fn attend(
        &self,
        info: &IssuerInfo,
        pending: &mut Pending,
    ) -> Result<Timestamp, LifecycleError> {
        let name = info.key();
        let now = self.clock.now();
        let ca = ca_key(info)?;
        let due = match self.answerer.desk(name) {
            None => Some(now),
            Some(desk) if self.answerer.is_revoked(name, &desk).await => Some(now),
            // Certified under a clock that was ahead: it cannot answer yet.
            Some(desk) if !desk.validity().contains(now) => Some(now),
            Some(desk) => desk.renewal(),
        };
        let due = due.map(|at| at.max(pending.retry_at.map_or(at, |retry| put_off(retry, now))));
        let never = now.plus_seconds(24 * 3600);
        if !ca.validity().contains(now) {
            return Ok(never);
        }
        match due {
            None => return Ok(never),
            Some(at) if at > now => return Ok(at),
            Some(_) => {}
        }
        match self.certify(&ca, info, pending).await {
            Ok(desk) => {
                metrics::ocsp_certified(name, desk.validity().not_after());
                tracing::info!(
                    authority = %info.authority,
                    generation = info.generation,
                    serial = %desk.serial(),
                    until = %desk.validity().not_after(),
                    "an OCSP responder is certified"
                );
                let next = desk.renewal().unwrap_or(never);
                // If the issuer's clock and this one disagree by days, not over and over at once:
                // neither if it cannot answer yet or any more, nor if it is to be renewed already.
                let of_use = desk.validity().contains(now) && next > now;
                let later = now.plus_seconds(LONGEST_WAIT);
                self.answerer.open(name, desk);
                *pending = Pending {
                    retry_at: (!of_use).then_some(later),
                    ..Pending::default()
                };
                Ok(next.max(later))
            }
            Err(error) => {
                metrics::ocsp_certifying_failed(info.authority);
                self.answerer.not_certified(name, now, chain(&error));
                tracing::info!(
                    authority = %info.authority,
                    error = chain(&error),
                    "an OCSP responder was not certified; trying again"
                );
                let wait = (1_i64 << pending.failures.min(6)).min(LONGEST_WAIT);
                pending.failures = pending.failures.saturating_add(1);
                let retry_at = now.plus_seconds(wait);
                pending.retry_at = Some(retry_at);
                Ok(retry_at)
            }
        }
    }

    async fn certify(
        &self,
        ca: &CaKey,
        info: &IssuerInfo,
        pending: &mut Pending,
    ) -> Result<Desk, LifecycleError> {
        let attempt = match pending.attempt.take() {
            Some(attempt) => attempt,
            None => self.draw(info).await?,
        };
        match self.issuer.certify_responder(attempt.order.clone()).await {
            Ok(certificate) => {
                let settings = self.answerer.settings();
                let desk = Desk::try_new(ca, attempt.key, &certificate, settings);
                desk.map_err(|source| LifecycleError::Responder {
                    authority: info.authority,
                    why: source.to_string(),
                })
            }
            Err(error) => {
                // A lost race is one that the issuer gave up: the same request stays given up.
                if error.may_be_tried_again() && error.class() != ErrorClass::LostRace {
                    pending.attempt = Some(attempt);
                }
                Err(LifecycleError::Issuer(error))
            }
        }
    }

    /// A new key with the request to certify it.
    async fn draw(&self, info: &IssuerInfo) -> Result<Attempt, LifecycleError> {
        let authority = info.authority;
        let failed = |why: String| LifecycleError::Responder { authority, why };
        let request = ApplicationId::draw(self.clock.now(), self.randomness.as_ref())
            .map_err(|e| failed(e.to_string()))?;
        let generation = info.generation;
        let drawing = spawn_blocking(move || {
            let key = SoftwareKey::generate(KeyAlgorithm::P256).map_err(|e| e.to_string())?;
            let public = SubjectPublicKey::parse("key", key.public_key().der())
                .map_err(|e| e.to_string())?;
            let subject = responder_subject(authority).map_err(|e| e.to_string())?;
            let info = request::build_info(&subject, &Particulars::OcspResponder, &public)
                .map_err(|e| e.to_string())?;
            let signature = key.sign(&info).map_err(|e| e.to_string())?;
            let csr = request::assemble(info, key.algorithm().signature(), &signature);
            Ok::<_, String>((key, csr))
        });
        let (key, csr) = drawing
            .await
            .map_err(|_| StoreError::NoAnswer)?
            .map_err(failed)?;
        Ok(Attempt {
            key,
            order: ResponderToCertify {
                request,
                authority,
                generation,
                csr,
            },
        })
    }
}
