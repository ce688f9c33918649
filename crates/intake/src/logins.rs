//! Which login certificates may log in today, and whom we turned away.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use lgpki_domain::{BodyCode, Serial, directory::Branch};
use lgpki_runtime::identity::{LoginStanding, LoginStandings, RefusedLogin, RefusedLogins};
use parking_lot::{Mutex, RwLock};

use crate::{error::StoreError, ports::IntakeStore, standings::Standings};

/// Different callers and reasons counted between two entries of the log; more are counted together.
const MOST_COUNTED: usize = 1_000;
const PAGE: usize = 1_000;

/// Judges logins by the standings and the closed branches, and counts refusals.
#[derive(Debug)]
pub struct Logins {
    standings: Arc<Standings>,
    closed: RwLock<HashSet<BodyCode>>,
    refused: Mutex<HashMap<(String, &'static str), u64>>,
}

impl Logins {
    /// Reads which branches are closed.
    pub async fn load<S: IntakeStore>(
        store: &S,
        standings: Arc<Standings>,
    ) -> Result<Self, StoreError> {
        let mut closed = HashSet::new();
        let mut after = None;
        loop {
            let page = store.bodies(None, after, PAGE).await?;
            let deactivated = |body: &&lgpki_domain::directory::Body| {
                matches!(body.branch, Branch::Deactivated { .. })
            };
            closed.extend(page.iter().filter(deactivated).map(|body| body.code));
            after = page.last().map(|body| body.code);
            if page.len() < PAGE {
                break;
            }
        }
        Ok(Self {
            standings,
            closed: RwLock::new(closed),
            refused: Mutex::default(),
        })
    }

    /// From now on the branch's officers do not log in.
    pub fn close(&self, branch: BodyCode) {
        self.closed.write().insert(branch);
    }

    /// The refusals counted since the last time, for the log.
    #[must_use]
    pub fn take_refused(&self) -> Vec<(String, &'static str, u64)> {
        let mut taken: Vec<_> = std::mem::take(&mut *self.refused.lock())
            .into_iter()
            .map(|((caller, reason), count)| (caller, reason, count))
            .collect();
        taken.sort();
        taken
    }
}

impl LoginStandings for Logins {
    fn standing(&self, serial: &Serial, body: Option<BodyCode>) -> LoginStanding {
        if let Some(at) = self.standings.revoked_at(*serial) {
            return LoginStanding::Revoked { at };
        }
        if body.is_some_and(|body| self.closed.read().contains(&body)) {
            return LoginStanding::BranchDeactivated;
        }
        if self.standings.progress().caught_up {
            LoginStanding::Good
        } else {
            LoginStanding::Unknown
        }
    }
}

impl RefusedLogins for Logins {
    fn note(&self, refused: RefusedLogin) {
        let mut counted = self.refused.lock();
        let mut key = (refused.caller, refused.reason);
        if counted.len() >= MOST_COUNTED && !counted.contains_key(&key) {
            "others".clone_into(&mut key.0);
        }
        *counted.entry(key).or_default() += 1;
    }
}
