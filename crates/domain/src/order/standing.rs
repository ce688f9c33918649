//! Why an application is taken when it is, for programs and in words.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use crate::time::Timestamp;

/// Why an application is taken when it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// An emergency revocation.
    Emergency,
    /// Its patience has ended.
    Overdue,
    /// The certificate would expire before its turn.
    AtRisk,
    /// Its branch's turn among renewals.
    Share,
    /// It was received first of all renewals.
    Oldest,
    /// Its branch's turn in the share reserved for applications without a date.
    Reserve,
    /// Its turn in a plain order.
    InTurn,
    /// The certificate that it renews has expired, and the plain order passes over such.
    Lapsed,
}

impl Class {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Emergency => "emergency",
            Self::Overdue => "overdue",
            Self::AtRisk => "at-risk",
            Self::Share => "share",
            Self::Oldest => "oldest",
            Self::Reserve => "reserve",
            Self::InTurn => "in-turn",
            Self::Lapsed => "lapsed",
        }
    }

    /// Why it is taken, in words.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Self::Emergency => "an emergency revocation comes first",
            Self::Overdue => "its patience has ended, so that a turn is owed to it",
            Self::AtRisk => "its certificate would expire before its turn",
            Self::Share => "it is its branch's turn among the renewals",
            Self::Oldest => "it is the renewal that was received first",
            Self::Reserve => "it is its branch's turn in the share reserved for what has no date",
            Self::InTurn => "it is its turn",
            Self::Lapsed => "its certificate has expired, and what can still be saved goes first",
        }
    }
}

/// Why an application stands where it stands, if nothing else arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How many are taken before it.
    pub ahead: usize,
    /// Whether that is about right only, as for a place far off.
    pub about: bool,
    /// The same by the reason for which each is taken; nothing if it is told about so only.
    pub ahead_by_class: BTreeMap<Class, usize>,
    /// For what reason it is taken itself.
    pub class: Class,
    /// When its patience ends: from then on, one turn in [`super::FairRules::overdue_every`] is owed to it and to those
    /// that were due before it.
    pub patience_ends: Timestamp,
    /// How many of its branch wait.
    pub of_branch: usize,
    /// Its branch's weight.
    pub weight: u32,
    /// The weights of all branches that wait in the same turns.
    pub weights: u64,
}

/// Such as `12 are taken before it (2 emergency, 10 at-risk); …`.
impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = if self.about { "about " } else { "" };
        let mut text = format!("{about}{} taken before it", self.ahead);
        for (i, (class, n)) in self.ahead_by_class.iter().enumerate() {
            text.push_str(if i == 0 { " (" } else { ", " });
            let _ = write!(text, "{n} {}", class.name());
        }
        if !self.ahead_by_class.is_empty() {
            text.push(')');
        }
        let why = self.class.why();
        write!(
            f,
            "{text}; then {why}. Its branch has {} waiting, and weight {} of {}. From {} on it is overdue and a turn is \
             owed to it after those that were due before it",
            self.of_branch,
            self.weight,
            self.weights,
            self.patience_ends.jst_date()
        )
    }
}
