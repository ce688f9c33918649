//! What lifecycle is asked to do, free of transport.

mod notices;
mod rebuild;
mod renewals;
pub(crate) mod slots;

use std::{sync::Arc, time::Duration};

use lgpki_domain::{Authority, Clock, Faults, Serial};
use lgpki_proto::Failure;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};

pub(crate) use self::rebuild::Rebuilding;
use crate::{
    alarm::{Alarm, Board, keys},
    config::Schedule,
    crl,
    error::LifecycleError,
    metrics,
    ocsp::Answerer,
    ports::{
        Certificate, CrlList, Cursor, Filter, Histogram, HistogramQuery, IssuerInfo,
        LifecycleStore, Publication, RevocationOrder, RevocationOutcome,
    },
    publication::PublicationFiles,
    remembered,
    worker::{
        publish::{Demand, Issuers},
        rebuild::RebuildDemand,
    },
};

/// Certificates on a page unless told otherwise.
const PAGE: usize = 100;
/// Certificates on a page at most.
const LONGEST_PAGE: usize = 1000;

/// The use cases.
#[derive(Clone, Debug)]
pub(crate) struct App<S> {
    pub(crate) store: S,
    pub(crate) clock: Arc<dyn Clock>,
    /// The CAs as last heard of.
    pub(crate) issuers: watch::Receiver<Issuers>,
    /// Everything of the issuer's log below this index stands in the inventory.
    pub(crate) position: watch::Receiver<u64>,
    pub(crate) demands: mpsc::Sender<Demand>,
    pub(crate) rebuilds: mpsc::Sender<RebuildDemand>,
    /// One turn: whoever has it may rebuild the inventory.
    pub(crate) rebuilding: Arc<Semaphore>,
    pub(crate) bell: Arc<Notify>,
    /// How many days before the day of expiry a certificate expires soon.
    pub(crate) notice_days: i32,
    pub(crate) slots: slots::Slots,
    pub(crate) board: Board,
    pub(crate) schedule: Schedule,
    pub(crate) files: PublicationFiles,
    pub(crate) answerer: Arc<Answerer<S>>,
}

impl<S: LifecycleStore> App<S> {
    /// Revokes, and has an urgent revocation published. Goes on to its end even if the caller
    /// leaves meanwhile.
    pub(crate) async fn revoke(
        &self,
        orders: Vec<RevocationOrder>,
    ) -> Result<Vec<RevocationOutcome>, Failure> {
        let store = self.store.clone();
        let bell = Arc::clone(&self.bell);
        let now = self.clock.now();
        let work = tokio::spawn(async move {
            let reasons: Vec<_> = orders.iter().map(|order| order.reason).collect();
            let outcomes = store.revoke(orders, now).await?;
            let done = reasons.into_iter().zip(&outcomes);
            for (reason, _) in done.filter(|(_, outcome)| outcome.is_ok()) {
                metrics::revoked(reason);
                if reason.is_urgent() {
                    bell.notify_one();
                }
            }
            Ok::<_, LifecycleError>(outcomes)
        });
        match work.await {
            Ok(outcomes) => Ok(outcomes?),
            Err(_) => Err(Failure::internal("revoking ended before its end")),
        }
    }

    /// Publishes now; returns when it is done.
    pub(crate) async fn publish(
        &self,
        authority: Option<Authority>,
    ) -> Result<Vec<Publication>, Failure> {
        let (answer, answered) = oneshot::channel();
        let demand = Demand { authority, answer };
        let gone = || Failure::from(LifecycleError::ShuttingDown);
        self.demands.send(demand).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// One certificate.
    pub(crate) async fn certificate(&self, serial: Serial) -> Result<Certificate, Failure> {
        self.store.certificate(serial).await?.ok_or_else(|| {
            Failure::not_found(
                "CERTIFICATE_UNKNOWN",
                format!("no certificate with the serial number {serial} is known here"),
            )
        })
    }

    /// A page of certificates; 0 stands for the usual size.
    pub(crate) async fn page(
        &self,
        filter: Filter,
        after: Option<Cursor>,
        size: u32,
    ) -> Result<(Vec<Certificate>, Option<Cursor>), Failure> {
        let size = match usize::try_from(size) {
            Ok(0) => PAGE,
            Ok(size) => size.min(LONGEST_PAGE),
            Err(_) => LONGEST_PAGE,
        };
        Ok(self.store.page(filter, after, size).await?)
    }

    /// How many certificates expire when.
    pub(crate) async fn histogram(&self, query: HistogramQuery) -> Result<Histogram, Failure> {
        self.store.histogram(query).await?.ok_or_else(|| {
            let mut faults = Faults::new();
            let message = "the histogram would have more than 4,000 buckets or 500,000 numbers; ask for \
                           larger buckets, fewer days, or one branch";
            faults.push("bucket", "TOO_MANY", message);
            faults.into()
        })
    }

    /// The CAs' keys with their newest CRLs and what is wrong with them.
    pub(crate) async fn authorities(&self) -> Result<Vec<AuthorityStanding>, Failure> {
        let mut infos = Arc::clone(&self.issuers.borrow());
        if infos.is_empty() {
            let now = self.clock.now();
            infos = Arc::new(remembered::issuers(&self.store, &self.files, now).await?);
        }
        if infos.is_empty() {
            let failure = Failure::from(LifecycleError::NoIssuer);
            return Err(failure.retry_after(Duration::from_secs(1)));
        }
        let mut authorities = Vec::with_capacity(infos.len());
        for info in infos.iter() {
            let mut crls = Vec::new();
            let mut stands = Vec::new();
            let now = self.clock.now();
            let ended = crl::has_ended(info, now);
            for scope in info.crl_options.scopes() {
                let series = info.series(scope);
                let standing = self.store.publication(series).await?;
                let lists = [
                    (CrlList::complete(series), standing.newest),
                    (CrlList::delta(series), standing.delta),
                ];
                for (list, newest) in lists {
                    if !ended && (!list.delta || info.crl_options.has_delta(scope)) {
                        let period = newest
                            .as_ref()
                            .map(|one| (one.this_update, one.next_update));
                        stands.push((list, period));
                    }
                    crls.extend(newest);
                }
            }
            let mut alarms = self.board.alarms(now, self.schedule, &stands);
            let responder = self.answerer.responder(info.key(), now);
            alarms.extend(keys::alarms(info, &infos, &responder, now));
            authorities.push(AuthorityStanding {
                info: info.clone(),
                crls,
                alarms,
            });
        }
        Ok(authorities)
    }
}

/// A key of a CA with what it has published.
#[derive(Clone, Debug)]
pub(crate) struct AuthorityStanding {
    pub(crate) info: IssuerInfo,
    /// The newest CRL of each scope, followed by its newest delta.
    pub(crate) crls: Vec<Publication>,
    pub(crate) alarms: Vec<Alarm>,
}
