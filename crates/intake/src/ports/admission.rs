//! What the store keeps about admission: the limits, and who was turned away.

use std::future::Future;

use lgpki_domain::{Caller, Limits, Timestamp};

use crate::error::StoreError;

/// The limits as they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitsInForce {
    /// The limits; the defaults until an operator changes them.
    pub limits: Limits,
    /// How often they were changed; whoever changes them says which they saw.
    pub revision: u64,
    /// The last change; none while the defaults hold.
    pub changed: Option<Changed>,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// When.
    pub at: Timestamp,
    /// Who: the actor of the log entry.
    pub by: String,
}

/// Applications turned away, counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turned {
    /// The caller.
    pub who: String,
    /// The limit.
    pub limit: &'static str,
    /// How many.
    pub count: u64,
}

/// What intake keeps about admission.
pub trait LimitsStore: Send + Sync + 'static {
    /// The limits in force.
    fn limits(&self) -> impl Future<Output = Result<LimitsInForce, StoreError>> + Send;

    /// Changes the limits if they still are those of revision `seen`; else those that stand come back
    /// as the error.
    fn change_limits(
        &self,
        limits: Limits,
        seen: u64,
        caller: Caller,
        at: Timestamp,
    ) -> impl Future<Output = Result<Result<LimitsInForce, LimitsInForce>, StoreError>> + Send;

    /// Notes who was turned away over a limit, aggregated by caller and limit.
    fn note_turned_away(
        &self,
        turned: Vec<Turned>,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}
