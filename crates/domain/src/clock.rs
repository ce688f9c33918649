//! Time as a port.
//!
//! Every rule that depends on time takes it as an argument; every worker that waits for a time of
//! day waits on a `Clock`, so that a replay can run three years in minutes. Transport time-outs are
//! not this clock's business.

use std::{fmt, future::Future, pin::Pin};

use crate::time::Timestamp;

/// Where the time of day comes from.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Returns once [`now`](Self::now) is at or past `deadline`; at once if it already is.
    ///
    /// It may return earlier, and does when the clock is set back: a time that was the next hour by
    /// the clock before may be a month away by that of now. Whoever waits looks at the clock again,
    /// and at what is due by it.
    fn sleep_until(&self, deadline: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}
