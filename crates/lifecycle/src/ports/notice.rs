//! Notices: what becomes due or has changed, each with a definite time and place in two orders.
//!
//! The passing of time brings notices in the order of their moments; revocations, and certificates
//! that arrive when moments of theirs have passed already, come in the order of the log. A cursor
//! holds a place in both, so that whoever goes on from it hears of each notice exactly once.

use lgpki_domain::{BodyCode, Timestamp, validity::RENEWAL_WINDOW_MONTHS};

use super::{Certificate, Cursor};

/// What a notice says of its certificate; what the passing of time brings stands in the order in
/// which notices of one moment are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeKind {
    /// Its renewal may be applied for from now on (R2).
    EntersWindow,
    /// It expires soon.
    ExpiresSoon,
    /// It has expired.
    Expired,
    /// It was revoked.
    Revoked,
}

/// 00:00:00 JST of the day from which a certificate may be renewed (R2).
#[must_use]
pub fn window_opens(not_after: Timestamp) -> Timestamp {
    let day = not_after.jst_date().plus_months(-RENEWAL_WINDOW_MONTHS);
    day.start()
}

/// A place in the order of what the passing of time brings: the time, the kind, and the certificate,
/// or before all certificates.
pub type Moment = (Timestamp, NoticeKind, Option<Cursor>);

/// What was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoticeCursor {
    /// What the passing of time has brought, up to this moment.
    pub told: Moment,
    /// What stands in the log below this index.
    pub index: u64,
    /// Of what the entry at the index itself brings, for it may bring several: everything up to this.
    pub within: Option<NoticeKind>,
    /// Until the end of the log is reached: what happened before this time is left out.
    pub since: Option<Timestamp>,
}

impl NoticeCursor {
    /// Nothing of the log from `index` on, and nothing that time brings from `at` on.
    #[must_use]
    pub const fn new(at: Timestamp, index: u64) -> Self {
        Self {
            told: (at, NoticeKind::EntersWindow, None),
            index,
            within: None,
            since: None,
        }
    }
}

/// From where notices are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeStart {
    /// From the beginning.
    First,
    /// Nothing that happened before this time.
    Since(Timestamp),
    /// Nothing that has happened.
    Now,
    /// From where another answer ended.
    After(NoticeCursor),
}

/// Asks for notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoticeQuery {
    /// Only of this branch.
    pub branch: Option<BodyCode>,
    /// From where.
    pub start: NoticeStart,
    /// The time now.
    pub now: Timestamp,
    /// How many days before the day of expiry a certificate expires soon.
    pub soon_days: i32,
    /// How many at most.
    pub limit: usize,
}

/// One notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What happened.
    pub kind: NoticeKind,
    /// When.
    pub at: Timestamp,
    /// The certificate as it stands now, without DER.
    pub certificate: Certificate,
    /// To go on after it.
    pub cursor: NoticeCursor,
}

/// What there is to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notices {
    /// In order.
    pub notices: Vec<Notice>,
    /// Where to go on.
    pub cursor: NoticeCursor,
    /// Whether nothing is left for now.
    pub caught_up: bool,
    /// When the passing of time may bring the next one.
    pub next_at: Option<Timestamp>,
}
