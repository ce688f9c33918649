//! The two queues with an order: looking at them, and what they need to know.

use std::{collections::BTreeMap, future::Future, sync::Arc};

use lgpki_domain::{
    ApplicationId, BodyCode, Timestamp,
    order::{Class, Standing},
};

use super::Application;
use crate::{error::StoreError, pace::Pace};

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// An examiner.
    Examination,
    /// The issuer.
    Issue,
}

/// How far an application is from an examiner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// How many are taken before it: exact where that follows from few steps, else about as many.
    pub ahead: u64,
    /// How many wait.
    pub waiting: u64,
}

/// A page of the examiners' queue.
#[derive(Clone, Debug)]
pub struct Examinations {
    /// In the order of the queue.
    pub applications: Vec<Application>,
    /// How many stand before the first of them.
    pub before: usize,
    /// The last of them, if there is more.
    pub next: Option<ApplicationId>,
    /// How many wait in all.
    pub waiting: usize,
}

/// Why an application stands where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// What it waits for.
    pub queue: Waits,
    /// How many wait.
    pub waiting: usize,
    /// How many are taken before it.
    pub ahead: usize,
    /// Whether that is about right only, as for a place far off.
    pub about: bool,
    /// The same by the class for which each is; nothing if it is told about so only.
    pub ahead_by_class: BTreeMap<Class, usize>,
    /// For which class it is taken itself.
    pub class: Class,
    /// When the certificate that it renews has expired.
    pub expires: Option<Timestamp>,
    /// What only the fair order knows.
    pub standing: Option<Standing>,
}

/// A queue at one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueLook {
    /// How many wait.
    pub waiting: usize,
    /// Of the first, how many are taken for which class.
    pub by_class: BTreeMap<Class, usize>,
    /// When the one that has waited longest was received.
    pub oldest: Option<Timestamp>,
    /// Renewals of what expires until then are at risk.
    pub at_risk_until: Option<Timestamp>,
}

/// What a store does with the two queues.
pub trait QueueStore: Send + Sync + 'static {
    /// Sets their order and the pace at which they are worked off; what waits is put into that order. Not
    /// durable: the configuration says it at each start.
    fn arrange(&self, pace: Arc<Pace>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Says how many certificates each branch holds; forgotten at a restart.
    fn weigh(
        &self,
        branches: Vec<(BodyCode, u32)>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The places of applications among what waits for an examiner, in the order asked for; those of
    /// renewals that lifecycle is opening are where they will be. `None` for what waits for none.
    fn places(
        &self,
        ids: Vec<ApplicationId>,
        at: Timestamp,
    ) -> impl Future<Output = Result<Vec<Option<Place>>, StoreError>> + Send;

    /// A page of what waits for an examiner, in its order, after `after`; from the head if that waits no more.
    fn examinations(
        &self,
        after: Option<ApplicationId>,
        most: usize,
        at: Timestamp,
    ) -> impl Future<Output = Result<Examinations, StoreError>> + Send;

    /// Why an application stands where it stands, about so if that is far off; `None` if it waits in
    /// neither queue.
    fn explain(
        &self,
        id: ApplicationId,
        at: Timestamp,
    ) -> impl Future<Output = Result<Option<Explained>, StoreError>> + Send;

    /// The examiners' queue, and the issuer's.
    fn queues(
        &self,
        at: Timestamp,
    ) -> impl Future<Output = Result<[QueueLook; 2], StoreError>> + Send;
}
