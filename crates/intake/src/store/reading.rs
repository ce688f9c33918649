//! Reading what takes more than one look: listings, changes, the door's view.

use lgpki_domain::ApplicationId;
use lgpki_store::View;

use super::{
    EngineStore, applications::Corrupt, command::Snapshot, convert::Extent, event::IntakeEvent,
    machine::IntakeMachine, query,
};
use crate::{
    error::StoreError,
    ports::{Application, DoorQuery, DoorView, Filter},
};

impl EngineStore {
    pub(super) async fn list_page(
        &self,
        filter: Filter,
        after: Option<ApplicationId>,
        most: usize,
    ) -> Result<Vec<Application>, StoreError> {
        let mut found = Vec::new();
        let mut after = after;
        while found.len() < most {
            let rest = most - found.len();
            let page = self
                .read(|machine, view| {
                    query::page(&machine.applications, view, &filter, after, rest)
                })
                .await?;
            found.extend(page.found);
            if page.next.is_none() {
                break;
            }
            after = page.next;
        }
        self.archive.applications(found, Extent::Lean).await
    }

    pub(super) async fn changes_since(
        &self,
        filter: Filter,
        from: u64,
        most: usize,
    ) -> Result<(Vec<Application>, u64), StoreError> {
        let recent = self
            .read(|machine, view| query::recent(&machine.applications, view, &filter, (from, most)))
            .await?;
        let (found, next) = if let Some(changes) = recent {
            (changes.found, changes.next)
        } else {
            let entries = self.archive.entries(from, most).await?;
            let next = entries.last().map_or(from, |last| last.index + 1);
            let ids = entries.iter().flat_map(|entry| changed(&entry.event));
            (self.snapshots(&filter, ids.collect()).await?, next)
        };
        let applications = self.archive.applications(found, Extent::Lean).await?;
        Ok((applications, next))
    }

    /// Those of the applications `ids` that match, each once.
    async fn snapshots(
        &self,
        filter: &Filter,
        ids: Vec<ApplicationId>,
    ) -> Result<Vec<Snapshot>, StoreError> {
        self.read(|machine, view| query::distinct(&machine.applications, view, filter, ids))
            .await
    }
}

pub(super) fn door_view(
    machine: &IntakeMachine,
    view: &View<'_>,
    query: &DoorQuery,
) -> Result<DoorView, Corrupt> {
    let directories = &machine.directories;
    let all = &machine.applications;
    let unit = query.unit_en.as_deref();
    let account = unit.zip(query.name_en.as_deref());
    let key_used_by = match &query.key_digest {
        Some(key) => all.key_used_by(view, key)?,
        None => None,
    };
    Ok(DoorView {
        body: query
            .branch
            .and_then(|branch| directories.body(branch).cloned()),
        organization: query
            .branch
            .zip(unit)
            .and_then(|(branch, en)| directories.organization(branch, en).cloned()),
        account: query
            .branch
            .zip(account)
            .and_then(|(branch, (unit, en))| directories.account(branch, unit, en).cloned()),
        key_used_by,
        open_for_subject: query.subject_key.and_then(|key| all.open_for_subject(&key)),
        renewed_by: query.renews.and_then(|serial| all.renewed_by(serial)),
        ended_by: query.ends.and_then(|serial| all.ended_by(serial)),
    })
}

/// The applications that an event changed.
fn changed(event: &IntakeEvent) -> Vec<ApplicationId> {
    match event {
        IntakeEvent::Claimed(event) => event.applications.iter().map(|a| a.application).collect(),
        IntakeEvent::Delivered(event) => event.applications.clone(),
        IntakeEvent::RenewalsOpened(event) => event.applications.clone(),
        one => lgpki_ledger::Event::about(one)
            .application
            .into_iter()
            .collect(),
    }
}
