//! The registry as a port of the store.

use lgpki_domain::{BodyCode, addressee::AddresseeId};
use tokio::sync::watch;

use super::read;
use crate::{
    error::StoreError,
    ports::{
        AddresseeAnswer, AddresseeChanges, AddresseeFilter, AddresseeRequest, AddresseeStore,
        AddresseeVersion,
    },
    store::{
        EngineStore,
        command::{Command, Outcome},
        unexpected,
    },
};

impl AddresseeStore for EngineStore {
    #[tracing::instrument(level = "debug", skip_all, fields(body = %request.act.body()))]
    async fn record_addressee(
        &self,
        request: AddresseeRequest,
    ) -> Result<AddresseeAnswer, StoreError> {
        match self.one(Command::Addressee(Box::new(request))).await? {
            Outcome::Addressee(answer) => Ok(*answer),
            other => Err(unexpected(other)),
        }
    }

    async fn addressee(&self, id: AddresseeId) -> Result<Option<AddresseeVersion>, StoreError> {
        self.read(|machine, view| read::newest(&machine.directories, view, id))
            .await
    }

    #[tracing::instrument(level = "debug", skip_all)]
    async fn addressees(
        &self,
        filter: AddresseeFilter,
        after: Option<AddresseeId>,
        most: usize,
    ) -> Result<Vec<AddresseeVersion>, StoreError> {
        let mut found = Vec::new();
        let mut after = after;
        while found.len() < most {
            let rest = most - found.len();
            let page = self
                .read(|machine, view| {
                    read::page(&machine.directories, view, &filter, (after, rest))
                })
                .await?;
            found.extend(page.found);
            if page.next.is_none() {
                break;
            }
            after = page.next;
        }
        Ok(found)
    }

    async fn addressee_history(
        &self,
        id: AddresseeId,
        after: u32,
        most: usize,
    ) -> Result<Vec<AddresseeVersion>, StoreError> {
        self.read(|machine, view| read::history(&machine.directories, view, id, (after, most)))
            .await
    }

    #[tracing::instrument(level = "debug", skip_all)]
    async fn addressees_since(
        &self,
        body: Option<BodyCode>,
        from: u64,
        most: usize,
    ) -> Result<AddresseeChanges, StoreError> {
        self.read(|machine, view| read::since(&machine.directories, view, body, (from, most)))
            .await
    }

    async fn addressee_bell(&self) -> Result<watch::Receiver<u64>, StoreError> {
        self.read(|machine, _| Ok(machine.addressees.hear())).await
    }
}
