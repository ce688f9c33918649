//! The index's tables.
//!
//! An application costs four small keys; the record changes with it, the others never.

/// Application number → [`Record`](super::record::Record).
pub(crate) const APPLICATION: &str = "application";
/// Branch and request id → application number and content digest.
pub(crate) const REQUEST: &str = "request";
/// Key digest → the application that came with the key last.
pub(crate) const KEY: &str = "key";
/// Branch and application number → nothing: a branch's listing.
pub(crate) const BRANCH: &str = "branch";
/// Counts by state and the oldest live application.
pub(crate) const SUMMARY: &str = "summary";
/// Body code → body with its branch.
pub(crate) const BODY: &str = "body";
/// Body code and English name → unit.
pub(crate) const ORGANIZATION: &str = "organization";
/// Body code, unit and English name → account.
pub(crate) const ACCOUNT: &str = "account";

/// All of them.
pub(crate) const ALL: &[&str] = &[
    APPLICATION,
    REQUEST,
    KEY,
    BRANCH,
    SUMMARY,
    BODY,
    ORGANIZATION,
    ACCOUNT,
];
