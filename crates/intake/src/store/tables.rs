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
/// Addressee's number → its newest version, and where it stands among the changes.
pub(crate) const ADDRESSEE: &str = "addressee";
/// Addressee's number and version → that version.
pub(crate) const ADDRESSEE_VERSION: &str = "addressee.version";
/// Index of the log and addressee's number → nothing: each addressee once, where it last changed.
pub(crate) const ADDRESSEE_CHANGE: &str = "addressee.change";
/// Address, or unit and name → the addressee that has it.
pub(crate) const ADDRESSEE_TAKEN: &str = "addressee.taken";
/// Body code and request id → what that request about an addressee made.
pub(crate) const ADDRESSEE_REQUEST: &str = "addressee.request";
/// Body code → its addressees in numbers.
pub(crate) const ADDRESSEE_SUMMARY: &str = "addressee.summary";
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
    ADDRESSEE,
    ADDRESSEE_VERSION,
    ADDRESSEE_CHANGE,
    ADDRESSEE_TAKEN,
    ADDRESSEE_REQUEST,
    ADDRESSEE_SUMMARY,
];
