//! The index's tables.
//!
//! An application costs two small keys; its record changes with it, its line in the branch's listing
//! never.

/// Application number → [`Record`](super::record::Record).
pub(crate) const APPLICATION: &str = "application";
/// Branch and application number → [`Origin`](super::origin::Origin): a branch's listing.
pub(crate) const BRANCH: &str = "branch";
/// Counts by state and the oldest live application.
pub(crate) const SUMMARY: &str = "summary";
/// Body code → body with its branch.
pub(crate) const BODY: &str = "body";
/// Body code and English name → unit.
pub(crate) const ORGANIZATION: &str = "organization";
/// Body code, unit and English name → account.
pub(crate) const ACCOUNT: &str = "account";

/// One record: the limits in force.
pub(crate) const LIMITS: &str = "limits";

/// All of them.
pub(crate) const ALL: &[&str] = &[
    APPLICATION,
    BRANCH,
    SUMMARY,
    BODY,
    ORGANIZATION,
    ACCOUNT,
    LIMITS,
];
