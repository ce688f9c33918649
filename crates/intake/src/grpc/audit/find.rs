//! Finding what is about an application or a certificate in the logs of all services: each knows a part, and what one
//! knows tells what to ask the next.

use std::collections::BTreeSet;

use lgpki_domain::{ApplicationId, Serial};
use lgpki_ledger::{About, entry::about};
use lgpki_proto::{
    ServiceName,
    v1::{self, audit_log_service_server::AuditLogService as _},
};
use lgpki_runtime::{audit_log::Wanted, rpc::Rpc};
use tokio_stream::StreamExt as _;
use tonic::{Request, Status};

use crate::{
    grpc::{Handlers, certificate::relayed},
    peers::within_deadline,
    ports::IntakeStore,
};

type Entries = Vec<v1::FindEntriesResponse>;

/// What is about it: intake's entries, the issuer's, lifecycle's.
pub(super) async fn find<S: IntakeStore>(
    handlers: &Handlers<S>,
    rpc: &Rpc,
    wanted: Wanted,
) -> Result<Entries, Status> {
    let desk = Desk { handlers, rpc };
    match wanted {
        Wanted::Application(id) => desk.application(id).await,
        Wanted::Certificate(serial) => desk.certificate(serial).await,
    }
}

struct Desk<'a, S> {
    handlers: &'a Handlers<S>,
    rpc: &'a Rpc,
}

impl<S: IntakeStore> Desk<'_, S> {
    async fn application(&self, id: ApplicationId) -> Result<Entries, Status> {
        let wanted = Wanted::Application(id);
        let mut found = self.ask(ServiceName::Intake, wanted).await?;
        let issued = self.ask(ServiceName::Issuer, wanted).await?;
        let mut state = self.ask(ServiceName::Lifecycle, wanted).await?;
        // Lifecycle knows what an application brought by the certificate.
        let serials: BTreeSet<_> = issued
            .iter()
            .filter_map(|one| of(one).certificate)
            .collect();
        for serial in serials {
            let all = self
                .ask(ServiceName::Lifecycle, Wanted::Certificate(serial))
                .await?;
            state.extend(
                all.into_iter()
                    .filter(|one| of(one).application == Some(id)),
            );
        }
        found.extend(issued);
        found.extend(in_order(state));
        Ok(found)
    }

    async fn certificate(&self, serial: Serial) -> Result<Entries, Status> {
        let wanted = Wanted::Certificate(serial);
        let state = self.ask(ServiceName::Lifecycle, wanted).await?;
        let ids: BTreeSet<_> = state.iter().filter_map(|one| of(one).application).collect();
        let (mut found, mut issued) = (Vec::new(), Vec::new());
        for id in ids {
            let wanted = Wanted::Application(id);
            found.extend(self.ask(ServiceName::Intake, wanted).await?);
            let all = self.ask(ServiceName::Issuer, wanted).await?;
            issued.extend(
                all.into_iter()
                    .filter(|one| of(one).certificate == Some(serial)),
            );
        }
        let mut found = in_order(found);
        found.extend(in_order(issued));
        found.extend(in_order(state));
        Ok(found)
    }

    /// What one service finds in its own log.
    async fn ask(&self, owner: ServiceName, wanted: Wanted) -> Result<Entries, Status> {
        let mut asked = v1::FindEntriesRequest::default();
        match wanted {
            Wanted::Application(id) => asked.application = id.to_string(),
            Wanted::Certificate(serial) => asked.certificate = serial.to_string(),
        }
        let Some(mut logs) = self.handlers.app.peers().audit_logs(owner) else {
            let mut request = Request::new(asked);
            request.extensions_mut().insert(self.rpc.clone());
            let told = self.handlers.logs.find_entries(request).await?;
            return told.into_inner().collect().await;
        };
        let refused = |status| relayed(self.rpc, &status);
        let told = logs.find_entries(within_deadline(asked)).await;
        let mut told = told.map_err(refused)?.into_inner();
        let mut found = Vec::new();
        while let Some(entry) = told.message().await.map_err(refused)? {
            found.push(entry);
        }
        Ok(found)
    }
}

/// What an entry is about.
fn of(found: &v1::FindEntriesResponse) -> About {
    about(&found.entry).unwrap_or_default()
}

/// Each once, in the order of the log.
fn in_order(mut entries: Entries) -> Entries {
    let place = |one: &v1::FindEntriesResponse| {
        let log = one.name.as_ref().map(|name| name.log.clone());
        (log, one.leaf)
    };
    entries.sort_by_key(place);
    entries.dedup_by_key(|one| place(one));
    entries
}
