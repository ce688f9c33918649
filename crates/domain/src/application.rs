//! Applications (申請) and the states they pass through.
//!
//! `Received → Examining → Approved → Queued → Issuing → Issued → Delivered`, with the side exits
//! `Rejected`, `Withdrawn` and `Failed`; abolitions and revocations end in `Completed`. A transition
//! consumes the state and takes the time; what is not listed here cannot happen.

use std::fmt;

use crate::{
    id::{Digest, Serial},
    time::Timestamp,
};

/// What is applied for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sort {
    /// Issue (発行).
    Issue,
    /// Renew (更新).
    Renew,
    /// Abolish (廃止).
    Abolish,
    /// Revoke (失効).
    Revoke,
}

impl Sort {
    /// Every sort.
    pub const ALL: [Self; 4] = [Self::Issue, Self::Renew, Self::Abolish, Self::Revoke];

    /// The stable name, such as `issue`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Renew => "renew",
            Self::Abolish => "abolish",
            Self::Revoke => "revoke",
        }
    }

    /// Reads a [`name`](Self::name) back.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }

    /// Whether it ends in a new certificate.
    #[must_use]
    pub const fn yields_certificate(self) -> bool {
        matches!(self, Self::Issue | Self::Renew)
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An operator who approved. Whoever holds two login certificates is still one person, so both the
/// certificate and whom it names tell one from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approver {
    /// The login certificate.
    pub serial: Serial,
    /// A digest of the login certificate's subject.
    pub subject: Digest,
}

impl Approver {
    /// Whether the two may be one person.
    #[must_use]
    pub fn is_same_person(&self, other: &Self) -> bool {
        self.serial == other.serial || self.subject == other.subject
    }
}

/// Where an application stands, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Durably stored.
    Received {
        /// Since when.
        at: Timestamp,
    },
    /// The operator is examining.
    Examining {
        /// Since when.
        at: Timestamp,
        /// The operators who approved so far.
        approved_by: Vec<Approver>,
        /// How many must.
        needed: u32,
    },
    /// Examined and approved.
    Approved {
        /// Since when.
        at: Timestamp,
    },
    /// Waiting for its turn.
    Queued {
        /// Since when.
        at: Timestamp,
        /// The attempt at issuing to be made next, from 1.
        attempt: u32,
    },
    /// Claimed: the order may have reached the issuer or lifecycle. It stays claimed whatever
    /// happens to the claim, until an answer settles it.
    Issuing {
        /// Since when.
        at: Timestamp,
        /// The attempt that was ordered.
        attempt: u32,
    },
    /// The certificate exists.
    Issued {
        /// Since when.
        at: Timestamp,
        /// Its serial number.
        serial: Serial,
    },
    /// Downloaded and confirmed by the front end, or counted so after the time for it ran out.
    Delivered {
        /// Since when.
        at: Timestamp,
        /// The certificate's serial number.
        serial: Serial,
    },
    /// An abolition or revocation was carried out.
    Completed {
        /// Since when.
        at: Timestamp,
    },
    /// Rejected in examination.
    Rejected {
        /// Since when.
        at: Timestamp,
        /// Why, in the operator's words.
        reason: String,
    },
    /// Withdrawn by the branch.
    Withdrawn {
        /// Since when.
        at: Timestamp,
    },
    /// Could not be carried out.
    Failed {
        /// Since when.
        at: Timestamp,
        /// Why, and what to do next.
        reason: String,
    },
}

/// An application cannot do what was asked in the state it is in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the application is {state}; {explanation}")]
pub struct WrongState {
    /// The state it is in.
    pub state: &'static str,
    /// What follows from it.
    pub explanation: &'static str,
}

/// What an approval led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// Counted; another operator must approve too.
    Counted,
    /// Enough operators have approved.
    Complete,
}

impl State {
    /// The stable name, such as `examining`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Received { .. } => "received",
            Self::Examining { .. } => "examining",
            Self::Approved { .. } => "approved",
            Self::Queued { .. } => "queued",
            Self::Issuing { .. } => "issuing",
            Self::Issued { .. } => "issued",
            Self::Delivered { .. } => "delivered",
            Self::Completed { .. } => "completed",
            Self::Rejected { .. } => "rejected",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Failed { .. } => "failed",
        }
    }

    /// Since when it stands here.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        match self {
            Self::Received { at }
            | Self::Examining { at, .. }
            | Self::Approved { at }
            | Self::Queued { at, .. }
            | Self::Issuing { at, .. }
            | Self::Issued { at, .. }
            | Self::Delivered { at, .. }
            | Self::Completed { at }
            | Self::Rejected { at, .. }
            | Self::Withdrawn { at }
            | Self::Failed { at, .. } => *at,
        }
    }

    /// Whether nothing more can happen to it.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Delivered { .. }
                | Self::Completed { .. }
                | Self::Rejected { .. }
                | Self::Withdrawn { .. }
                | Self::Failed { .. }
        )
    }

    /// Whether a certificate exists or may yet come of it.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !self.is_final() && !matches!(self, Self::Issued { .. })
    }

    /// Begins the operator's examination with `needed` approvals; none means approved at once.
    pub fn examine(self, at: Timestamp, needed: u32) -> Result<Self, WrongState> {
        match self {
            Self::Received { .. } if needed == 0 => Ok(Self::Approved { at }),
            Self::Received { .. } => Ok(Self::Examining {
                at,
                approved_by: Vec::new(),
                needed,
            }),
            other => Err(other.refuse("examination begins once, on receipt")),
        }
    }

    /// Counts one operator's approval; the same operator's second one is refused, whatever the card.
    pub fn approve(
        self,
        at: Timestamp,
        operator: Approver,
    ) -> Result<(Self, Approval), WrongState> {
        match self {
            Self::Examining { approved_by, .. }
                if approved_by.iter().any(|by| by.is_same_person(&operator)) =>
            {
                Err(WrongState {
                    state: "examining",
                    explanation: "this operator has approved it already and another one must be the second",
                })
            }
            Self::Examining {
                at: since,
                mut approved_by,
                needed,
            } => {
                approved_by.push(operator);
                if u32::try_from(approved_by.len()).is_ok_and(|n| n >= needed) {
                    Ok((Self::Approved { at }, Approval::Complete))
                } else {
                    Ok((
                        Self::Examining {
                            at: since,
                            approved_by,
                            needed,
                        },
                        Approval::Counted,
                    ))
                }
            }
            other => Err(other.refuse("only what is being examined can be approved")),
        }
    }

    /// Rejects it in examination.
    pub fn reject(self, at: Timestamp, reason: String) -> Result<Self, WrongState> {
        match self {
            Self::Examining { .. } => Ok(Self::Rejected { at, reason }),
            other => Err(other.refuse("only what is being examined can be rejected")),
        }
    }

    /// Puts an approved application into the queue.
    pub fn queue(self, at: Timestamp) -> Result<Self, WrongState> {
        match self {
            Self::Approved { .. } => Ok(Self::Queued { at, attempt: 1 }),
            other => Err(other.refuse("only what is approved can be queued")),
        }
    }

    /// Claims it: from here on the order may have left the house.
    pub fn claim(self, at: Timestamp) -> Result<Self, WrongState> {
        match self {
            Self::Queued { attempt, .. } => Ok(Self::Issuing { at, attempt }),
            other => Err(other.refuse("only what is queued can be claimed")),
        }
    }

    /// Puts it back for another attempt after the issuer closed `abandoned` without a certificate.
    pub fn retry(self, at: Timestamp, abandoned: u32) -> Result<Self, WrongState> {
        match self {
            Self::Issuing { attempt, .. } if attempt == abandoned => Ok(Self::Queued {
                at,
                attempt: attempt + 1,
            }),
            other => Err(other.refuse("only the attempt being made can be abandoned")),
        }
    }

    /// Notes the certificate.
    pub fn issue(self, at: Timestamp, serial: Serial) -> Result<Self, WrongState> {
        match self {
            Self::Issuing { .. } => Ok(Self::Issued { at, serial }),
            other => Err(other.refuse("only what was claimed for issue can be issued")),
        }
    }

    /// Notes that an abolition or revocation was carried out.
    pub fn complete(self, at: Timestamp) -> Result<Self, WrongState> {
        match self {
            Self::Issuing { .. } => Ok(Self::Completed { at }),
            other => Err(other.refuse("only what was claimed can be completed")),
        }
    }

    /// Notes that it can never be carried out: a renewal that lifecycle does not open, one whose
    /// certificate was revoked meanwhile, or an order that is refused.
    pub fn fail(self, at: Timestamp, reason: String) -> Result<Self, WrongState> {
        match self {
            open if open.is_open() => Ok(Self::Failed { at, reason }),
            other => Err(other.refuse("only what is under way can fail")),
        }
    }

    /// Confirms delivery; confirming twice changes nothing.
    pub fn deliver(self, at: Timestamp) -> Result<Self, WrongState> {
        match self {
            Self::Issued { serial, .. } => Ok(Self::Delivered { at, serial }),
            delivered @ Self::Delivered { .. } => Ok(delivered),
            other => Err(other.refuse("only what is issued can be delivered")),
        }
    }

    /// Withdraws it, unless it has been claimed.
    pub fn withdraw(self, at: Timestamp) -> Result<Self, WrongState> {
        match self {
            Self::Received { .. }
            | Self::Examining { .. }
            | Self::Approved { .. }
            | Self::Queued { attempt: 1, .. } => Ok(Self::Withdrawn { at }),
            other @ (Self::Issuing { .. } | Self::Queued { .. }) => Err(other.refuse(
                "it has been claimed for issue and can no longer be withdrawn; apply for abolition \
                 once the certificate is there",
            )),
            other => Err(other.refuse("it can no longer be withdrawn")),
        }
    }

    const fn refuse(&self, explanation: &'static str) -> WrongState {
        WrongState {
            state: self.name(),
            explanation,
        }
    }
}

#[cfg(test)]
mod tests;
