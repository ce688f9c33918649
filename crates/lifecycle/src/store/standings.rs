//! What the log says of certificates, for those who keep a copy: each as it stands when it is told.

use super::{EngineStore, event::LifecycleEvent, find};
use crate::{
    error::StoreError,
    ports::{Certificate, Standings},
};

impl EngineStore {
    /// What the history from `from` on says of certificates, as far as one look reaches.
    pub(super) async fn tell_standings(&self, from: u64) -> Result<Standings, StoreError> {
        let recorded = self.look(from).await?;
        let mut standings = Standings {
            next: recorded.last().map_or(from, |last| last.index + 1),
            ..Standings::default()
        };
        let mut changed = Vec::new();
        for recorded in recorded {
            let answered = || recorded.stamp.answers.as_ref().map(|entry| entry.index + 1);
            match &recorded.event {
                LifecycleEvent::Registered(body) => {
                    standings.issuance_position = answered();
                    standings.certificates.push(Certificate {
                        issued: body.without_der(),
                        revocation: None,
                        renewal: None,
                    });
                }
                LifecycleEvent::Abandoned(_) => standings.issuance_position = answered(),
                LifecycleEvent::Revoked(body) => changed.push(body.serial),
                LifecycleEvent::RenewalOpened(body) => changed.push(body.serial),
                LifecycleEvent::RenewalClosed(body) => changed.push(body.serial),
                // A slot is advice and changes nothing about the certificate.
                LifecycleEvent::Published(_)
                | LifecycleEvent::OcspSigned(_)
                | LifecycleEvent::SlotsBooked(_)
                | LifecycleEvent::SlotsMissed(_)
                | LifecycleEvent::SlotCapacityChanged(_)
                | LifecycleEvent::SlotsKeyed(_)
                | LifecycleEvent::Restored(_)
                | LifecycleEvent::Heartbeat(_) => {}
            }
        }
        if !changed.is_empty() {
            let found = self.engine.read(|machine, _| {
                // A renewal that was given up may be of a serial number without a certificate.
                let known = changed
                    .into_iter()
                    .filter_map(|serial| find(machine, serial));
                known.filter(|(held, _)| held.kind.is_some()).collect()
            });
            let certificates = self.read_all(found.await?, false).await?;
            standings.certificates.extend(certificates);
        }
        Ok(standings)
    }
}
