//! What is not an application: changes of what a body has registered, and reading.
//!
//! Nothing is booked here. Operators pass uncounted, for they answer for the system and set the limits.

use lgpki_domain::{BodyCode, Caller, OfficerRole, Timestamp, rate::Meter};

use super::{Admission, Inner, Limit, TurnedAway, serial, until};
use crate::{app::is_officer, metrics};

impl Admission {
    /// Lets so many changes of what a body has registered in together, or turns them away.
    pub(crate) fn admit_changes(
        &self,
        caller: &Caller,
        (body, many): (BodyCode, u32),
        now: Timestamp,
    ) -> Result<(), TurnedAway> {
        self.pass(caller, Limit::Registry, now, |inner| {
            let quota = inner.limits.registry();
            let meter = inner.registries.entry(body).or_default();
            let at = meter.earliest(quota, now);
            if at <= now {
                meter.count_many(quota, many, now);
            }
            at
        })
    }

    /// Lets a call that reads in, or turns it away.
    pub(crate) fn admit_read(&self, caller: &Caller, now: Timestamp) -> Result<(), TurnedAway> {
        let Some(serial) = serial(caller) else {
            return Ok(());
        };
        self.pass(caller, Limit::Reads, now, |inner| {
            let quota = inner.limits.reads();
            let meter: &mut Meter = inner.readers.entry(serial).or_default();
            let at = meter.earliest(quota, now);
            if at <= now {
                meter.count(quota, now);
            }
            at
        })
    }

    /// Turns away what the meter holds up.
    fn pass(
        &self,
        caller: &Caller,
        limit: Limit,
        now: Timestamp,
        meter: impl FnOnce(&mut Inner) -> Timestamp,
    ) -> Result<(), TurnedAway> {
        if is_officer(caller, OfficerRole::Operator) {
            return Ok(());
        }
        let mut inner = self.inner.lock();
        inner.look_at_clock(now);
        inner.forget_idle(now);
        let at = meter(&mut inner);
        if at <= now {
            return Ok(());
        }
        inner.note(caller, limit);
        metrics::turned_away(limit);
        Err(TurnedAway {
            limit,
            retry_after: until(at, now),
            booked: false,
            slot: None,
        })
    }
}
