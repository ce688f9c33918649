//! Admission: how many applications may enter, before anything is looked at; and how much else may be
//! asked.
//!
//! Three meters stand before the door: the caller's, the branch's and that of all; and the queue has
//! an end. Whoever is turned away is told which limit it was and, where places are booked, a time of
//! their own at which the same application will be let in. A booking takes its place in the meter
//! that was full, so that those turned away come back as far apart as the rate says. Revocations for
//! a compromised key, whatever an operator ends, and renewals in their slots pass without being counted.
//!
//! All of it lives in memory, of which a copy is kept in a file for the next start (`places`). What a crash or a clock that
//! is set back makes it forget admits rather more than less. The limits themselves are in the log.

mod bookings;
mod memory;
mod others;

use std::{collections::HashMap, fmt, time::Duration};

use lgpki_domain::{
    BodyCode, Caller, Limits, OfficerRole, RequestId, RevocationReason, Serial, Timestamp,
    rate::{Meter, Quota},
    slots::SlotRefused,
};
use parking_lot::Mutex;

use self::bookings::{Booking, Bookings, Found, Name};
pub use self::memory::{Memory, Unreadable};
use crate::{
    app::{
        is_officer,
        submission::{Submission, Wish},
    },
    metrics,
    ports::Turned,
};

/// How far the clock may step back before the meters are forgotten, in seconds: they would hold
/// everybody up until it comes round again.
const STEP_BACK: i64 = 60;
/// Callers and branches metered before those at rest are forgotten.
const MANY: usize = 10_000;
/// The shortest wait that is told, so that nobody comes a moment too early.
const SHORTEST: Duration = Duration::from_millis(1);
/// Whoever is turned away without a time of their own comes back within so many milliseconds after
/// the shortest wait, spread by the name of the application.
const SPREAD: u64 = 60_000;

/// A limit that was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Limit {
    /// Of the login certificate.
    Caller,
    /// Of the branch.
    Branch,
    /// Of all together.
    All,
    /// The queue's length.
    Queue,
    /// Of what a body registers: addressees, and changes of its directories.
    Registry,
    /// Of what a login certificate reads.
    Reads,
}

impl Limit {
    /// The reason that programs decide on.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Caller => "CALLER_QUOTA",
            Self::Branch => "BRANCH_QUOTA",
            Self::All => "QUOTA_OF_ALL",
            Self::Queue => "QUEUE_FULL",
            Self::Registry => "REGISTRY_QUOTA",
            Self::Reads => "READ_QUOTA",
        }
    }

    /// What is said of it.
    const fn says(self) -> &'static str {
        match self {
            Self::Caller => "your login certificate has sent more applications than it may for now",
            Self::Branch => "the branch has sent more applications than it may for now",
            Self::All => "more applications arrive than can be taken",
            Self::Queue => "the queue is full",
            Self::Registry => {
                "the body has sent more changes of what it has registered than it may for now"
            }
            Self::Reads => "your login certificate has asked for more than it may for now",
        }
    }

    /// The stable name, for metrics and the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Branch => "branch",
            Self::All => "all",
            Self::Queue => "queue",
            Self::Registry => "registry",
            Self::Reads => "reads",
        }
    }
}

/// Turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnedAway {
    /// Which limit it was.
    pub limit: Limit,
    /// When to come again.
    pub retry_after: Duration,
    /// Whether that time is the application's own.
    pub booked: bool,
    /// Why its slot token did not count, if it had one.
    pub slot: Option<SlotRefused>,
}

impl TurnedAway {
    /// The same, of an application that came with a token.
    #[must_use]
    pub const fn with_slot(mut self, refused: SlotRefused) -> Self {
        self.slot = Some(refused);
        self
    }
}

impl std::error::Error for TurnedAway {}

impl fmt::Display for TurnedAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (says, millis) = (self.limit.says(), self.retry_after.as_millis());
        let (seconds, tenths) = (millis / 1_000, millis % 1_000 / 100);
        let again = match self.limit {
            Limit::Reads => "ask again",
            _ => "send this one again",
        };
        write!(f, "{says}; {again} in {seconds}.{tenths} s")?;
        f.write_str(if self.booked {
            ", with the same request id: it is let in then"
        } else {
            " or later"
        })?;
        match self.slot {
            Some(refused) => write!(f, " ({refused})"),
            None => Ok(()),
        }
    }
}

/// One application that wants to enter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entrant<'a> {
    /// Who submits it.
    pub(crate) caller: &'a Caller,
    /// For which branch.
    pub(crate) branch: Option<BodyCode>,
    /// How many certificates that branch holds.
    pub(crate) held: u32,
    /// The front end's name for it, if it could be read.
    pub(crate) request_id: Option<&'a RequestId>,
}

/// Whether an application passes without being counted: the end of a certificate whose key is
/// compromised, and any that an operator asks for.
pub(crate) fn is_exempt(caller: &Caller, submission: &Submission) -> bool {
    match &submission.wish {
        Some(Wish::Revoke { reason, .. }) => {
            *reason == Some(RevocationReason::KeyCompromise)
                || is_officer(caller, OfficerRole::Operator)
        }
        Some(Wish::Issue(_) | Wish::Renew(_)) | None => false,
    }
}

/// The meters and the bookings.
#[derive(Debug)]
pub struct Admission {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    limits: Limits,
    revision: u64,
    /// The latest time that was seen.
    latest: Timestamp,
    /// Applications under way: as counted last, and let in since.
    under_way: u64,
    all: Meter,
    branches: HashMap<BodyCode, Meter>,
    callers: HashMap<Serial, Meter>,
    registries: HashMap<BodyCode, Meter>,
    readers: HashMap<Serial, Meter>,
    bookings: Bookings,
    turned: HashMap<(String, &'static str), u64>,
}

impl Admission {
    /// Nothing has entered yet.
    #[must_use]
    pub fn new(limits: Limits, revision: u64) -> Self {
        Self {
            inner: Mutex::new(Inner {
                limits,
                revision,
                latest: Timestamp::from_millis(0),
                under_way: 0,
                all: Meter::default(),
                branches: HashMap::new(),
                callers: HashMap::new(),
                registries: HashMap::new(),
                readers: HashMap::new(),
                bookings: Bookings::default(),
                turned: HashMap::new(),
            }),
        }
    }

    /// From now on these hold, unless later ones do already. What was booked stays booked.
    pub fn set_limits(&self, limits: Limits, revision: u64) {
        let mut inner = self.inner.lock();
        if revision >= inner.revision {
            (inner.limits, inner.revision) = (limits, revision);
        }
    }

    /// So many applications are under way, from receipt to issue. What is let in until the next
    /// count is added.
    pub fn set_under_way(&self, count: u64) {
        self.inner.lock().under_way = count;
    }

    /// Lets an application in or turns it away.
    pub(crate) fn admit(&self, entrant: Entrant<'_>, now: Timestamp) -> Result<(), TurnedAway> {
        let mut inner = self.inner.lock();
        let admitted = inner.admit(entrant, now);
        if let Err(turned) = &admitted {
            inner.note(entrant.caller, turned.limit);
            metrics::turned_away(turned.limit);
        }
        admitted
    }

    /// Lets in an application that comes in its slot: the meters do not count it, and only the queue's end
    /// holds it up.
    pub(crate) fn admit_in_slot(
        &self,
        entrant: Entrant<'_>,
        now: Timestamp,
    ) -> Result<(), TurnedAway> {
        let mut inner = self.inner.lock();
        inner.look_at_clock(now);
        let room = inner.room(entrant);
        match room {
            Ok(()) => inner.under_way += 1,
            Err(turned) => {
                inner.note(entrant.caller, turned.limit);
                metrics::turned_away(turned.limit);
            }
        }
        room
    }

    /// Who was turned away since the last time, for the log.
    #[must_use]
    pub fn take_turned(&self) -> Vec<Turned> {
        let taken = std::mem::take(&mut self.inner.lock().turned);
        let mut taken: Vec<_> = taken
            .into_iter()
            .map(|((who, limit), count)| Turned { who, limit, count })
            .collect();
        taken.sort_by(|a, b| (&a.who, a.limit).cmp(&(&b.who, b.limit)));
        taken
    }
}

impl Inner {
    fn admit(&mut self, entrant: Entrant<'_>, now: Timestamp) -> Result<(), TurnedAway> {
        self.look_at_clock(now);
        self.room(entrant)?;
        self.forget_idle(now);
        let name = entrant.request_id.map(|id| Name::of(entrant.branch, id));
        let passed = match name.as_ref().map(|name| self.bookings.find(name, now)) {
            Some(Found::Early(booking)) => return Err(booked(booking, now)),
            Some(Found::Due(booking)) => booking.passed,
            Some(Found::None) | None => [false; 3],
        };
        let meters = self.meters(entrant, now);
        let late = (0..3)
            .filter(|i| !passed[*i] && meters[*i].2 > now)
            .max_by_key(|i| meters[*i].2);
        let Some(fullest) = late else {
            self.count(entrant, now, |i| !passed[i]);
            self.under_way += 1;
            return Ok(());
        };
        let (limit, _, at) = meters[fullest];
        let horizon = now.plus_seconds(i64::from(self.limits.booking_seconds));
        let Some(name) = name.filter(|_| at <= horizon) else {
            return Err(without_booking(limit, entrant, until(at.min(horizon), now)));
        };
        // A place in a wider meter uses up one in each narrower: nobody takes others' places for nothing.
        // By the time that a narrower one gives, the wider ones are others again.
        let counted: [bool; 3] = std::array::from_fn(|i| !passed[i] && i <= fullest);
        let booking = Booking {
            at,
            limit,
            passed: std::array::from_fn(|i| passed[i] || counted[i]),
        };
        if !self.bookings.keep(name, booking) {
            return Err(without_booking(limit, entrant, until(at, now)));
        }
        self.count(entrant, now, |i| counted[i]);
        Err(booked(booking, now))
    }

    /// Whether the queue has room.
    fn room(&self, entrant: Entrant<'_>) -> Result<(), TurnedAway> {
        if self.under_way >= u64::from(self.limits.queue) {
            return Err(without_booking(Limit::Queue, entrant, SHORTEST));
        }
        Ok(())
    }

    /// The meters that an application passes, the same three in the same order each time.
    fn meters(&self, entrant: Entrant<'_>, now: Timestamp) -> [(Limit, Quota, Timestamp); 3] {
        let caller = serial(entrant.caller).and_then(|serial| self.callers.get(&serial).copied());
        let branch = entrant
            .branch
            .and_then(|code| self.branches.get(&code).copied());
        let one = |limit, meter: Option<Meter>, quota| {
            let at = meter.unwrap_or_default().earliest(quota, now);
            (limit, quota, at)
        };
        [
            one(Limit::Caller, caller, self.limits.caller()),
            one(Limit::Branch, branch, self.limits.branch(entrant.held)),
            one(Limit::All, Some(self.all), self.limits.all()),
        ]
    }

    fn count(&mut self, entrant: Entrant<'_>, now: Timestamp, which: impl Fn(usize) -> bool) {
        let limits = self.limits;
        if let Some(serial) = serial(entrant.caller).filter(|_| which(0)) {
            let meter = self.callers.entry(serial).or_default();
            meter.count(limits.caller(), now);
        }
        if let Some(branch) = entrant.branch.filter(|_| which(1)) {
            let meter = self.branches.entry(branch).or_default();
            meter.count(limits.branch(entrant.held), now);
        }
        if which(2) {
            self.all.count(limits.all(), now);
        }
    }

    fn look_at_clock(&mut self, now: Timestamp) {
        if now.plus_seconds(STEP_BACK) < self.latest {
            self.all = Meter::default();
            self.branches.clear();
            self.callers.clear();
            self.registries.clear();
            self.readers.clear();
            self.bookings = Bookings::default();
            self.latest = now;
        }
        self.latest = self.latest.max(now);
    }

    fn forget_idle(&mut self, now: Timestamp) {
        if self.callers.len() >= MANY {
            self.callers.retain(|_, meter| !meter.is_idle(now));
        }
        if self.branches.len() >= MANY {
            self.branches.retain(|_, meter| !meter.is_idle(now));
        }
        if self.registries.len() >= MANY {
            self.registries.retain(|_, meter| !meter.is_idle(now));
        }
        if self.readers.len() >= MANY {
            self.readers.retain(|_, meter| !meter.is_idle(now));
        }
    }

    fn note(&mut self, caller: &Caller, limit: Limit) {
        let mut who = caller.to_string();
        if self.turned.len() >= MANY && !self.turned.contains_key(&(who.clone(), limit.name())) {
            "others".clone_into(&mut who);
        }
        *self.turned.entry((who, limit.name())).or_default() += 1;
    }
}

/// What a caller is metered by.
const fn serial(caller: &Caller) -> Option<Serial> {
    match caller {
        Caller::Officer { serial, .. } => Some(*serial),
        Caller::Service(_) => None,
    }
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    let millis = at.as_millis().saturating_sub(now.as_millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0)).max(SHORTEST)
}

fn booked(booking: Booking, now: Timestamp) -> TurnedAway {
    TurnedAway {
        limit: booking.limit,
        retry_after: until(booking.at, now),
        booked: true,
        slot: None,
    }
}

/// Spread by the application's name, for the same instant for all would only move the crowd.
fn without_booking(limit: Limit, entrant: Entrant<'_>, least: Duration) -> TurnedAway {
    let spread = entrant.request_id.map_or(0, spread);
    TurnedAway {
        limit,
        retry_after: least + Duration::from_millis(spread % SPREAD),
        booked: false,
        slot: None,
    }
}

/// A number drawn from the application's name (FNV-1a), for a wait that differs from the others'.
fn spread(id: &RequestId) -> u64 {
    id.as_str().bytes().fold(0xcbf2_9ce4_8422_2325, |hash, b| {
        (hash ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
