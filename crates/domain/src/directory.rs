//! The directories that names are checked against: bodies and their branches, the organization
//! directory (組織管理システム) and the account directory (アカウント等管理システム).

use crate::{
    fault::Fault,
    id::BodyCode,
    name::{ACCOUNT_SUFFIX, ACCOUNT_SUFFIX_JA, Names},
    time::Timestamp,
};

/// A local government (団体), as in the LGPKI body name list (LGPKI団体名称リスト).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Its code.
    pub code: BodyCode,
    /// Its name, which every request and login certificate of the body must carry.
    pub names: Names,
    /// Its registration branch.
    pub branch: Branch,
}

/// The registration branch (登録分局) of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Branch {
    /// The body has none and cannot apply (R7).
    None,
    /// Open for applications.
    Active,
    /// Closed by a merger or closure of the body (R8).
    Deactivated {
        /// Since when.
        at: Timestamp,
        /// Why, in the LGWAN officer's words.
        reason: String,
    },
}

impl Body {
    /// Whether the body may apply; the fault says why not.
    pub fn may_apply(&self) -> Result<(), Fault> {
        match &self.branch {
            Branch::Active => Ok(()),
            Branch::None => Err(Fault::new(
                "branch",
                "BRANCH_MISSING",
                format!(
                    "{} has no registration branch and cannot apply; set one up first",
                    self.names
                ),
            )),
            Branch::Deactivated { at, reason } => Err(Fault::new(
                "branch",
                "BRANCH_DEACTIVATED",
                format!(
                    "the branch of {} was deactivated on {}: {reason}; apply through the successor body",
                    self.names,
                    at.jst_date()
                ),
            )),
        }
    }
}

/// A unit registered in the organization directory, such as 総務部.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Organization {
    /// The body it belongs to.
    pub body: BodyCode,
    /// Its name.
    pub names: Names,
}

/// A role registered in the account directory; its name ends in `（利用者）` and `-lgacc`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Account {
    /// The body it belongs to.
    pub body: BodyCode,
    /// The unit's English name in the organization directory.
    pub unit_en: String,
    /// Its name.
    pub names: Names,
}

impl Account {
    /// Checks that a role's name ends as the account directory has it.
    pub fn check_suffix(field: &str, names: &Names) -> Result<(), Fault> {
        if names.en().ends_with(ACCOUNT_SUFFIX) && names.ja().ends_with(ACCOUNT_SUFFIX_JA) {
            return Ok(());
        }
        Err(Fault::new(
            field,
            "ACCOUNT_SUFFIX_MISSING",
            format!(
                "a user certificate's name ends in {ACCOUNT_SUFFIX_JA} in Japanese and {ACCOUNT_SUFFIX} \
                 in English; the name given is {names}"
            ),
        ))
    }
}
