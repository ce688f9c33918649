//! Publishes the link and cross certificates, and the certificates of new CA keys.
//!
//! They come from a ceremony that was held while the issuer was down, and the feed tells of them
//! before a new key issues anything. Whenever it does, and once at the start, the CAs are asked for
//! anew and every file that is not in its place is put there; the publisher then makes the new
//! key's first CRLs.

use std::sync::Arc;

use lgpki_domain::{CertificateKind, Randomness};
use lgpki_runtime::{backoff::Backoff, shutdown::Shutdown};
use lgpki_x509::Certificate;
use tokio::{
    sync::{Notify, watch},
    task::spawn_blocking,
    time::sleep,
};

use super::publish::Issuers;
use crate::{
    error::LifecycleError,
    ports::{Filter, IssuedCertificate, Issuer, IssuerInfo, LifecycleStore},
    publication::{Name, PublicationFiles},
};

/// Certificates read at once.
const PAGE: usize = 100;

/// The worker.
#[derive(Debug)]
pub(crate) struct CaCertificates<S, I> {
    pub(crate) store: S,
    pub(crate) issuer: I,
    pub(crate) files: PublicationFiles,
    pub(crate) randomness: Arc<dyn Randomness>,
    /// The CAs as last heard of.
    pub(crate) issuers: watch::Sender<Issuers>,
    /// Rung when a CA certificate entered the inventory.
    pub(crate) news: Arc<Notify>,
    /// Rung when the CAs were asked for anew.
    pub(crate) bell: Arc<Notify>,
}

impl<S: LifecycleStore, I: Issuer> CaCertificates<S, I> {
    /// Works until `shutdown`; returns an error only if the store fails.
    pub(crate) async fn run(self, shutdown: Shutdown) -> Result<(), LifecycleError> {
        tokio::select! {
            failed = self.publish_all() => failed,
            () = shutdown.requested() => Ok(()),
        }
    }

    async fn publish_all(&self) -> Result<(), LifecycleError> {
        let backoff = Backoff::default();
        let mut attempt = 0;
        loop {
            match self.publish().await {
                Ok(()) => {
                    attempt = 0;
                    self.news.notified().await;
                }
                Err(LifecycleError::Store(error)) => return Err(error.into()),
                Err(error) => {
                    tracing::info!(%error, "the CA certificates are not all published; trying again");
                    attempt += 1;
                    sleep(backoff.delay(attempt, self.randomness.as_ref(), None)).await;
                }
            }
        }
    }

    async fn publish(&self) -> Result<(), LifecycleError> {
        let filter = Filter {
            kinds: vec![CertificateKind::Cross, CertificateKind::Link],
            ..Filter::default()
        };
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let (page, next) = self.store.page(filter.clone(), after, PAGE).await?;
            found.extend(page.into_iter().map(|one| one.issued.serial));
            after = next;
            if after.is_none() {
                break;
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        let infos = self.issuer.issuers().await;
        let infos = infos.map_err(LifecycleError::Issuer)?;
        for info in &infos {
            let name = Name::Certificate(info.authority, info.generation);
            self.put(name, info.certificate.to_vec()).await?;
        }
        for serial in found {
            let Some(certificate) = self.store.certificate(serial).await? else {
                continue;
            };
            if let Some(name) = name_of(&certificate.issued, &infos) {
                self.put(name, certificate.issued.der).await?;
            } else {
                tracing::error!(%serial, "a link certifies no key that the issuer lists");
            }
        }
        let changed = self.issuers.send_if_modified(|known| {
            let changed = known.len() != infos.len();
            if changed {
                *known = Arc::new(infos);
            }
            changed
        });
        if changed {
            self.bell.notify_one();
        }
        Ok(())
    }

    /// Puts a file in its place unless it stands there.
    async fn put(&self, name: Name, bytes: Vec<u8>) -> Result<(), LifecycleError> {
        let stands = self.files.find(name);
        if stands.is_some_and(|file| file.bytes == bytes) {
            return Ok(());
        }
        let files = self.files.clone();
        let putting = spawn_blocking(move || files.put(name, bytes));
        putting.await.map_err(|_| LifecycleError::Serving {
            what: "publishing a CA certificate",
            why: "its thread ended".to_owned(),
        })?
    }
}

/// Under which name a CA certificate is published; a link by the generations of both keys.
fn name_of(issued: &IssuedCertificate, infos: &[IssuerInfo]) -> Option<Name> {
    let (authority, signs) = (issued.authority, issued.generation);
    if issued.kind == CertificateKind::Cross {
        return Some(Name::Cross(authority, signs, issued.serial));
    }
    let mut own = infos.iter().filter(|info| info.authority == authority);
    let certified = own.find(|info| {
        let ca = Certificate::parse(&info.certificate);
        ca.is_ok_and(|ca| ca.key_digest() == issued.key_digest)
    })?;
    Some(Name::Link(authority, certified.generation, signs))
}
