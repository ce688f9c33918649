//! The index's tables.
//!
//! An application is numbered by the index of its `application.received`, and two packed records stand
//! under that number: where it stands, which changes with it, and what it came with, which never does.
//! Applications that came one after the other share a key, so that one costs an eighth of a key.

/// Index of `application.received` → application number and [`Record`](super::record::Record); packed.
pub(crate) const APPLICATION: &str = "application";
/// Index of `application.received` → a record too long for a packed table, which then holds the
/// application number alone. One that grew short again stays unread.
pub(crate) const LONG: &str = "long";
/// Index of `application.received` → branch, application number and [`Origin`](super::origin::Origin);
/// packed.
pub(crate) const ORIGIN: &str = "origin";
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
    LONG,
    ORIGIN,
    BODY,
    ORGANIZATION,
    ACCOUNT,
    LIMITS,
];
