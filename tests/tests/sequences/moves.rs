//! What may happen, and how often.

use lgpki_proto::{ServiceName, v1::RevocationReason};
use proptest::prelude::*;

/// One step of a sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    /// What is done.
    pub(crate) act: Act,
    /// The service that crashes while it is being done, and is started again.
    pub(crate) crash: Option<ServiceName>,
}

/// What is done. A number picks one of those that there are, modulo.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// A branch applies for a certificate for the subject of this number.
    Apply(u8),
    /// The operator approves all that waits.
    Approve,
    /// The operator rejects an application.
    Reject(u8),
    /// The branch withdraws an application.
    Withdraw(u8),
    /// The branch downloads a certificate and confirms it.
    Fetch(u8),
    /// The branch applies for a revocation.
    Revoke(u8, RevocationReason),
    /// The branch applies for a renewal, of a certificate whose window is open if there is one.
    Renew(u8),
    /// The branch applies for an abolition.
    Abolish(u8),
    /// The operator has all CRLs published.
    Publish,
    /// Seconds pass.
    Seconds(u8),
    /// Hours pass, in which deltas come alone.
    Hours(u8),
    /// Days pass.
    Days(u8),
    /// Months pass while the machines stand still.
    Months(u8),
}

/// Any step.
pub(crate) fn any_move() -> impl Strategy<Value = Move> {
    let crash = prop_oneof![
        10 => Just(None),
        1 => Just(Some(ServiceName::Issuer)),
        1 => Just(Some(ServiceName::Lifecycle)),
        1 => Just(Some(ServiceName::Intake)),
    ];
    (any_act(), crash).prop_map(|(act, crash)| Move { act, crash })
}

fn any_act() -> impl Strategy<Value = Act> {
    let reason = prop_oneof![
        Just(RevocationReason::KeyCompromise),
        Just(RevocationReason::AffiliationChanged),
        Just(RevocationReason::Superseded),
    ];
    prop_oneof![
        8 => any::<u8>().prop_map(Act::Apply),
        5 => Just(Act::Approve),
        2 => any::<u8>().prop_map(Act::Reject),
        2 => any::<u8>().prop_map(Act::Withdraw),
        4 => any::<u8>().prop_map(Act::Fetch),
        3 => (any::<u8>(), reason).prop_map(|(which, reason)| Act::Revoke(which, reason)),
        2 => any::<u8>().prop_map(Act::Abolish),
        6 => any::<u8>().prop_map(Act::Renew),
        1 => Just(Act::Publish),
        1 => (1..120_u8).prop_map(Act::Seconds),
        2 => (4..20_u8).prop_map(Act::Hours),
        2 => (1..3_u8).prop_map(Act::Days),
        4 => (1..16_u8).prop_map(Act::Months),
    ]
}
