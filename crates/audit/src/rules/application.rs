//! An application's life as intake's entries tell it, and which step may follow which.

use lgpki_domain::{
    CertificateKind, Digest, RevocationReason, Serial, Timestamp, application::Sort,
};

use crate::fact::{Received, Step};

/// Where an application stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    /// Received, being examined.
    Received,
    /// Examined; waits for its turn.
    Approved,
    /// Its order may have left.
    Claimed,
    /// The certificate is there.
    Issued,
    /// The certificate was handed over.
    Delivered,
    /// Ended without.
    Over,
}

/// An application.
#[derive(Debug)]
pub(crate) struct Application {
    pub(crate) index: u64,
    pub(crate) content: Digest,
    pub(crate) sort: Sort,
    pub(crate) kind: CertificateKind,
    pub(crate) wanted: Option<(Digest, Digest, Digest)>,
    pub(crate) target: Option<Serial>,
    pub(crate) reason: Option<RevocationReason>,
    needed: u32,
    approvals: Vec<Digest>,
    pub(crate) stands: Stands,
    /// Entry and attempt of the last claim.
    pub(crate) claim: Option<(u64, u32)>,
    pub(crate) issued: Option<Serial>,
    /// Whether lifecycle opened the renewal, and whether it heard of the end.
    pub(crate) opened: bool,
    /// When lifecycle had heard of a renewal's end.
    pub(crate) closed: Option<Timestamp>,
    /// When it was carried out, where no certificate comes of it.
    pub(crate) completed: Option<Timestamp>,
}

impl Application {
    pub(crate) const fn new(index: u64, received: &Received) -> Self {
        Self {
            index,
            content: received.content,
            sort: received.sort,
            kind: received.kind,
            wanted: received.wanted,
            target: received.target,
            reason: received.reason,
            needed: received.needed,
            approvals: Vec::new(),
            stands: Stands::Received,
            claim: None,
            issued: None,
            opened: false,
            closed: None,
            completed: None,
        }
    }

    /// Takes a step; the error says why it cannot. An approval that lacks persons is told apart.
    pub(crate) fn step(&mut self, step: Step) -> Result<(), Refused> {
        let stands = self.stands;
        let may = match step {
            Step::Counted(_) | Step::Approved(_) | Step::Rejected => stands == Stands::Received,
            Step::Withdrawn => {
                matches!(stands, Stands::Received)
                    || (stands == Stands::Approved && self.claim.is_none())
            }
            Step::Completed => stands == Stands::Claimed && !self.sort.yields_certificate(),
            Step::Abandoned(attempt) => {
                stands == Stands::Claimed
                    && self.claim.is_some_and(|(_, claimed)| claimed == attempt)
            }
            Step::Failed => {
                matches!(
                    stands,
                    Stands::Received | Stands::Approved | Stands::Claimed
                )
            }
        };
        self.stands = match step {
            Step::Counted(operator) => {
                self.approve(operator)?;
                stands
            }
            Step::Approved(operator) => {
                self.stands = Stands::Approved;
                self.enough(operator)?;
                Stands::Approved
            }
            Step::Abandoned(_) => Stands::Approved,
            Step::Rejected | Step::Withdrawn | Step::Completed | Step::Failed => Stands::Over,
        };
        if may {
            Ok(())
        } else {
            Err(Refused::Order(stands))
        }
    }

    fn approve(&mut self, operator: Digest) -> Result<(), Refused> {
        if self.approvals.contains(&operator) {
            return Err(Refused::Unexamined("one person approved it twice"));
        }
        self.approvals.push(operator);
        Ok(())
    }

    fn enough(&mut self, operator: Option<Digest>) -> Result<(), Refused> {
        let Some(operator) = operator else {
            let policy = self.needed == 0;
            return policy.then_some(()).ok_or(Refused::Unexamined(
                "no operator approved it, and the policy asks for one",
            ));
        };
        self.approve(operator)?;
        let enough = self.approvals.len() as u64 >= u64::from(self.needed);
        enough.then_some(()).ok_or(Refused::Unexamined(
            "fewer operators approved it than the policy asks for",
        ))
    }

    /// Whether it has not ended.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(
            self.stands,
            Stands::Received | Stands::Approved | Stands::Claimed
        )
    }
}

/// Why a step cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It does not follow.
    Order(Stands),
    /// The examination lacks something.
    Unexamined(&'static str),
}
