//! How the responders fare, for whoever must be alarmed: attempts to be certified that failed, and
//! requests that were turned away.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use lgpki_domain::{AuthorityKey, Timestamp, Validity};

use super::Desk;
use crate::alarm::keys::{Failing, Responder};

/// What was noted of every CA key's responder.
#[derive(Debug)]
pub(super) struct Health {
    since: Timestamp,
    keys: Mutex<BTreeMap<AuthorityKey, Noted>>,
}

#[derive(Debug, Default)]
struct Noted {
    failing: Option<Failing>,
    turned_away: Option<Timestamp>,
}

impl Health {
    /// Nothing is noted yet.
    pub(super) const fn new(since: Timestamp) -> Self {
        Self {
            since,
            keys: Mutex::new(BTreeMap::new()),
        }
    }

    /// An attempt brought no certificate.
    pub(super) fn failed(&self, name: AuthorityKey, at: Timestamp, why: String) {
        let mut keys = self.keys();
        let noted = &mut keys.entry(name).or_default().failing;
        let (since, attempts) = match noted {
            Some(failing) => (failing.since, failing.attempts.saturating_add(1)),
            None => (at, 1),
        };
        *noted = Some(Failing {
            since,
            attempts,
            why,
        });
    }

    /// A certificate came.
    pub(super) fn certified(&self, name: AuthorityKey) {
        if let Some(noted) = self.keys().get_mut(&name) {
            noted.failing = None;
        }
    }

    /// A request came when no more could be signed.
    pub(super) fn turned_away(&self, name: AuthorityKey, at: Timestamp) {
        self.keys().entry(name).or_default().turned_away = Some(at);
    }

    /// How the responder of a key fares, given its desk.
    pub(super) fn of(&self, name: AuthorityKey, desk: Option<&Desk>, now: Timestamp) -> Responder {
        let keys = self.keys();
        let noted = keys.get(&name);
        let validity = desk.map(Desk::validity);
        Responder {
            since: self.since,
            until: validity
                .filter(|validity| validity.contains(now))
                .map(Validity::not_after),
            failing: noted.and_then(|noted| noted.failing.clone()),
            turned_away: noted.and_then(|noted| noted.turned_away),
        }
    }

    fn keys(&self) -> MutexGuard<'_, BTreeMap<AuthorityKey, Noted>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
