//! The two examinations: the branch's own, and the operator's.
//!
//! No certificate leaves without both. How the operator examines is set per kind of certificate.

use crate::{
    application::Sort,
    fault::{Fault, Faults},
    time::{JstDate, Timestamp},
};

/// The longest office title, in characters.
pub const LONGEST_OFFICE: usize = 64;

/// The branch's examination (審査), before it forwards an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchExamination {
    /// The examiner's office; an office, not a person.
    pub office: String,
    /// The day of the decision, which was to approve.
    pub decided_on: JstDate,
}

impl BranchExamination {
    /// Checks a branch's statement; `now` is the time of receipt.
    pub fn try_new(
        field: &str,
        office: &str,
        approved: bool,
        decided_on: JstDate,
        now: Timestamp,
    ) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let length = office.chars().count();
        if office.trim().is_empty() {
            faults.push(
                format!("{field}.office"),
                "EXAMINER_MISSING",
                "the branch's examiner is not named; give the office that examined, such as 総務課長",
            );
        } else if length > LONGEST_OFFICE || office.chars().any(char::is_control) {
            faults.push(
                format!("{field}.office"),
                "EXAMINER_MALFORMED",
                format!(
                    "an office is at most {LONGEST_OFFICE} characters without control characters"
                ),
            );
        }
        if !approved {
            faults.push(
                format!("{field}.approved"),
                "BRANCH_DID_NOT_APPROVE",
                "the branch's own examination did not approve; a branch forwards only what it approved",
            );
        }
        if decided_on > now.jst_date() {
            faults.push(
                format!("{field}.decided_on"),
                "EXAMINATION_IN_THE_FUTURE",
                format!(
                    "the branch examined on {decided_on}, which is after today, {}",
                    now.jst_date()
                ),
            );
        }
        faults.into_result()?;
        Ok(Self {
            office: office.to_owned(),
            decided_on,
        })
    }
}

/// How the operator examines a kind of certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExaminationMode {
    /// An operator decides on each application.
    #[default]
    Manual,
    /// What passed the checks at the door is approved.
    Automatic,
    /// Renewals whose subject is unchanged are approved; everything else is manual.
    AutomaticForUnchangedRenewals,
}

impl ExaminationMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [
        Self::Manual,
        Self::Automatic,
        Self::AutomaticForUnchangedRenewals,
    ];

    /// The stable name used in configuration, such as `manual`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Automatic => "automatic",
            Self::AutomaticForUnchangedRenewals => "automatic-for-unchanged-renewals",
        }
    }

    /// Reads a [`name`](Self::name) back.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == name)
    }
}

/// The operator's policy for one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExaminationPolicy {
    /// Who decides.
    pub mode: ExaminationMode,
    /// Whether a manual approval takes two operators.
    pub two_person: bool,
}

impl ExaminationPolicy {
    /// How many operators must approve an application of this `sort`; 0 means it is approved on
    /// receipt. A key compromise never waits for an examiner.
    #[must_use]
    pub const fn approvals_needed(self, sort: Sort, urgent: bool) -> u32 {
        let automatic = match self.mode {
            ExaminationMode::Manual => false,
            ExaminationMode::Automatic => true,
            ExaminationMode::AutomaticForUnchangedRenewals => matches!(sort, Sort::Renew),
        };
        match (urgent || automatic, self.two_person) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => 2,
        }
    }
}

/// Checks the text of a rejection, which the branch will read.
pub fn check_rejection_reason(field: &str, reason: &str) -> Result<(), Fault> {
    let length = reason.chars().count();
    if reason.trim().is_empty() {
        let message = "say why the application is rejected and what the branch should do";
        return Err(Fault::new(field, "REASON_MISSING", message));
    }
    if length > 500 || reason.chars().any(|c| c.is_control() && c != '\n') {
        let message = format!("a reason is at most 500 characters of text; this one has {length}");
        return Err(Fault::new(field, "REASON_MALFORMED", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_that_did_not_examine_is_told_everything_at_once() {
        let now = "2008-02-04T09:00:00+09:00".parse().unwrap();
        let faults = BranchExamination::try_new(
            "examination",
            " ",
            false,
            "2008-02-05".parse().unwrap(),
            now,
        )
        .unwrap_err();
        let reasons: Vec<_> = faults.iter().map(|f| f.reason).collect();
        let all = [
            "EXAMINER_MISSING",
            "BRANCH_DID_NOT_APPROVE",
            "EXAMINATION_IN_THE_FUTURE",
        ];
        assert_eq!(reasons, all);
    }

    #[test]
    fn the_policy_says_how_many_operators_must_approve() {
        let two = ExaminationPolicy {
            mode: ExaminationMode::Manual,
            two_person: true,
        };
        assert_eq!(two.approvals_needed(Sort::Issue, false), 2);
        assert_eq!(two.approvals_needed(Sort::Revoke, true), 0);
        let renewals = ExaminationPolicy {
            mode: ExaminationMode::AutomaticForUnchangedRenewals,
            two_person: false,
        };
        assert_eq!(renewals.approvals_needed(Sort::Renew, false), 0);
        assert_eq!(renewals.approvals_needed(Sort::Issue, false), 1);
    }
}
