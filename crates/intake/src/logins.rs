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
        if !self.standings.progress().is_complete() {
            return LoginStanding::Unknown;
        }
        // Every certificate that was issued is registered, the ceremony's and the expired among
        // them: what is not was made with the CA's key behind the issuer's back.
        if self.standings.is_renewing(*serial) {
            LoginStanding::InRenewal
        } else if self.standings.is_known(*serial) {
            LoginStanding::Good
        } else {
            LoginStanding::NotRegistered
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

#[cfg(test)]
mod tests {
    use lgpki_domain::{CertificateKind, Digest, Names, Subject, Timestamp, Validity};

    use super::*;
    use crate::{
        standings::{Held, Progress},
        store::EngineStore,
    };

    fn serial(n: u8) -> Serial {
        Serial::from_bytes(&[0x40 | n; 16]).unwrap()
    }

    fn login(n: u8, revoked_at: Option<Timestamp>) -> Held {
        let names = |en: &str, ja: &str| Names::try_new("x", en, ja).unwrap();
        Held {
            serial: serial(n),
            branch: None,
            kind: CertificateKind::Login,
            subject: Subject {
                body: names("LGWAN Operator", "運営主体"),
                unit: None,
                name: names("Operator 1", "運用者1"),
            },
            key_digest: Digest([n; 32]),
            validity: Validity::for_subscriber("2008-02-04".parse().unwrap()),
            revoked_at,
            application: None,
            renewal: None,
        }
    }

    #[tokio::test]
    async fn only_what_is_registered_and_not_revoked_logs_in() {
        let store = EngineStore::open_memory(lgpki_testkit::log_identity("intake-1")).unwrap();
        let standings = Arc::new(Standings::default());
        let logins = Logins::load(&store, standings.clone()).await.unwrap();
        let standing = |n| logins.standing(&serial(n), None);
        let step = |caught_up, issuance_position| Progress {
            caught_up,
            issuance_position,
            next_position: 0,
        };
        assert_eq!(standing(1), LoginStanding::Unknown);
        // Lifecycle has told all it knows, but has not heard of the issuer's log yet.
        standings.apply(vec![], step(true, 0));
        assert_eq!(standing(1), LoginStanding::Unknown);
        let at = Timestamp::from_seconds(1);
        standings.apply(vec![login(1, None), login(2, Some(at))], step(true, 9));
        assert_eq!(standing(1), LoginStanding::Good);
        assert_eq!(standing(2), LoginStanding::Revoked { at });
        assert_eq!(standing(3), LoginStanding::NotRegistered);
        let renewing = Held {
            renewal: Some(lgpki_domain::ApplicationId::from_bytes([1; 16])),
            ..login(1, None)
        };
        standings.apply(vec![renewing], step(true, 9));
        assert_eq!(standing(1), LoginStanding::InRenewal);
        standings.apply(vec![login(1, None)], step(true, 9));
        assert_eq!(standing(1), LoginStanding::Good);
    }
}
