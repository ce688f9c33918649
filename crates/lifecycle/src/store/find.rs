//! Which entries of the log are about a certificate or an application.

use lgpki_domain::{ApplicationId, Serial};
use lgpki_ledger::{LogReader, publication::Publication};
use lgpki_proto::Failure;
use lgpki_runtime::audit_log::{EntryIndex, Wanted};
use lgpki_store::View;

use super::{EngineStore, machine::LifecycleMachine, renewal};
use crate::error::StoreError;

#[tonic::async_trait]
impl EntryIndex for EngineStore {
    async fn entries(&self, wanted: Wanted) -> Result<Vec<u64>, Failure> {
        let found = self.engine.read(move |machine, view| match wanted {
            Wanted::Application(id) => of_application(machine, view, id),
            Wanted::Certificate(serial) => of_certificate(machine, view, serial),
        });
        found.await.map_err(|e| StoreError::from(e).into())
    }

    fn log(&self) -> LogReader {
        self.engine.log()
    }

    fn publication(&self) -> Option<Publication> {
        self.engine.publication()
    }
}

/// What brought it, what revoked it, and the renewal that is open or superseded it.
fn of_certificate(machine: &LifecycleMachine, view: &View<'_>, serial: Serial) -> Vec<u64> {
    let Some(held) = machine.inventory.held(serial) else {
        return Vec::new();
    };
    let revoked = held.revoked;
    let by = revoked.and_then(|revoked| revoked.command);
    let renewals = machine.inventory.renewal_of(serial).into_iter().chain(by);
    let renewals = renewals.flat_map(|id| renewal::entries(view, id));
    let mut all: Vec<_> = renewals.collect();
    all.push(held.index);
    all.extend(revoked.map(|revoked| revoked.index));
    all
}

/// How its renewal went, and what it revoked.
fn of_application(machine: &LifecycleMachine, view: &View<'_>, id: ApplicationId) -> Vec<u64> {
    let mut all = renewal::entries(view, id);
    let ended = machine.inventory.revoked_by(id);
    let ended = ended.and_then(|serial| machine.inventory.held(serial)?.revoked);
    all.extend(ended.map(|revoked| revoked.index));
    all
}
