//! One step of an application, as decided and as applied: the same function serves both, so that
//! what was recorded is what was decided.

use lgpki_domain::{
    Serial, Timestamp,
    application::{Approver, State, WrongState},
};

/// The longest reason that is recorded, in bytes.
const LONGEST_REASON: usize = 2000;

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The policy approves it on receipt; it is queued.
    ApproveOnReceipt,
    /// Lifecycle opened the renewal; so many operators must approve it.
    Examine(u32),
    /// An operator approves it; if enough have, it is queued.
    Approve(Approver),
    /// An operator rejects it.
    Reject(String),
    /// The branch withdraws it.
    Withdraw,
    /// It is claimed.
    Claim,
    /// The certificate exists.
    Issue(Serial),
    /// The revocation was carried out.
    Complete,
    /// The attempt was closed.
    Abandon(u32),
    /// It cannot be carried out.
    Fail(String),
    /// The certificate was handed over.
    Deliver,
}

/// The state after the step.
pub(crate) fn advance(state: State, at: Timestamp, step: Step) -> Result<State, WrongState> {
    match step {
        Step::ApproveOnReceipt => state.examine(at, 0)?.queue(at),
        Step::Examine(needed) => state.examine(at, needed),
        Step::Approve(operator) => match state.approve(at, operator)? {
            (approved @ State::Approved { .. }, _) => approved.queue(at),
            (counted, _) => Ok(counted),
        },
        Step::Reject(reason) => state.reject(at, reason),
        Step::Withdraw => state.withdraw(at),
        Step::Claim => state.claim(at),
        Step::Issue(serial) => state.issue(at, serial),
        Step::Complete => state.complete(at),
        Step::Abandon(attempt) => state.retry(at, attempt),
        Step::Fail(reason) => state.fail(at, reason),
        Step::Deliver => state.deliver(at),
    }
}

/// A reason cut to what an index record can hold.
pub(crate) fn bounded(mut reason: String) -> String {
    if reason.len() > LONGEST_REASON {
        let end = (0..=LONGEST_REASON)
            .rev()
            .find(|i| reason.is_char_boundary(*i))
            .unwrap_or_default();
        reason.truncate(end);
        reason.push('…');
    }
    reason
}
