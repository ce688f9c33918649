//! Which claimed applications are in somebody's hands. In memory only: after a restart nobody has
//! any, and all are handed out again.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use lgpki_domain::{ApplicationId, application::State};

use super::{command::Snapshot, record::Record};

/// Attempts that were handed out. An application that was settled and queued again comes back with
/// another attempt, which the late end of the earlier one does not touch.
#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<HashMap<ApplicationId, u32>>);

impl Leases {
    /// Whether the attempt that the record tells of is in nobody's hands.
    pub(super) fn is_free(&self, id: ApplicationId, record: &Record) -> bool {
        self.lock().get(&id).copied() != attempt(record)
    }

    /// Notes that these were handed out.
    pub(super) fn hand_out(&self, snapshots: &[(ApplicationId, u32)]) {
        self.lock().extend(snapshots.iter().copied());
    }

    /// Takes these back, whatever the attempt.
    pub(super) fn take_back(&self, ids: &[ApplicationId]) {
        let mut leases = self.lock();
        for id in ids {
            leases.remove(id);
        }
    }

    /// Which attempt of each is handed out at the moment.
    pub(super) fn of(
        &self,
        ids: impl Iterator<Item = ApplicationId>,
    ) -> Vec<(ApplicationId, Option<u32>)> {
        let leases = self.lock();
        ids.map(|id| (id, leases.get(&id).copied())).collect()
    }

    /// Ends exactly this one: an application that was queued and claimed again meanwhile stays.
    pub(super) fn end(&self, (id, attempt): (ApplicationId, Option<u32>)) {
        let mut leases = self.lock();
        if leases.get(&id).copied() == attempt {
            leases.remove(&id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ApplicationId, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The attempt that was claimed.
pub(super) fn claimed(snapshot: &Snapshot) -> Option<(ApplicationId, u32)> {
    attempt(&snapshot.record).map(|attempt| (snapshot.id, attempt))
}

fn attempt(record: &Record) -> Option<u32> {
    match &record.state {
        State::Issuing { attempt, .. } => Some(*attempt),
        _ => None,
    }
}
