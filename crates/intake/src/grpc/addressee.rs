//! AddresseeService.

mod decode;
mod encode;
mod watch;

use lgpki_domain::{Faults, addressee::AddresseeId};
use lgpki_proto::{
    convert,
    v1::{self, addressee_service_server::AddresseeService},
};
use lgpki_runtime::rpc::Rpc;
use tonic::{Request, Response, Status, async_trait};

use super::{Handlers, checked, decoded, feed::Feed};
use crate::{
    app::{
        App,
        addressee::{Deed, Recorded, Sent},
        read::page_size,
    },
    ports::{AddresseeVersion, IntakeStore},
};

impl<S: IntakeStore> Handlers<S> {
    /// A version as this caller may see it.
    fn shown_addressee(&self, rpc: &Rpc, version: &AddresseeVersion) -> v1::Addressee {
        let seen = encode::Seen {
            contact_person: self.app.contact_person(rpc.caller(), version),
            recorder: App::<S>::recorder(rpc.caller(), version),
            today: self.app.now().jst_date(),
        };
        encode::addressee(version, seen)
    }

    fn shown_addressees(&self, rpc: &Rpc, versions: &[AddresseeVersion]) -> Vec<v1::Addressee> {
        let shown = |version| self.shown_addressee(rpc, version);
        versions.iter().map(shown).collect()
    }

    async fn recorded(
        &self,
        rpc: &Rpc,
        sent: Sent,
        deed: Deed,
    ) -> Result<(v1::Addressee, bool), Status> {
        let recorded = self.app.record_addressee(rpc.caller(), sent, deed).await;
        let Recorded { made, repeated } = recorded.map_err(|error| rpc.refuse(error))?;
        Ok((self.shown_addressee(rpc, &made), repeated))
    }
}

#[async_trait]
impl<S: IntakeStore> AddresseeService for Handlers<S> {
    async fn register_addressee(
        &self,
        request: Request<v1::RegisterAddresseeRequest>,
    ) -> Result<Response<v1::RegisterAddresseeResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let (sent, deed) = decode::register(request.into_inner(), self.app.now());
        let deed = decoded(&rpc, decode::left(deed.as_ref(), &sent), deed)?;
        let (addressee, repeated) = self.recorded(&rpc, sent, deed).await?;
        Ok(Response::new(v1::RegisterAddresseeResponse {
            addressee: Some(addressee),
            repeated,
        }))
    }

    async fn change_addressee(
        &self,
        request: Request<v1::ChangeAddresseeRequest>,
    ) -> Result<Response<v1::ChangeAddresseeResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let (sent, deed) = decode::change(request.into_inner(), self.app.now());
        let deed = decoded(&rpc, decode::left(deed.as_ref(), &sent), deed)?;
        let (addressee, repeated) = self.recorded(&rpc, sent, deed).await?;
        Ok(Response::new(v1::ChangeAddresseeResponse {
            addressee: Some(addressee),
            repeated,
        }))
    }

    async fn end_addressee(
        &self,
        request: Request<v1::EndAddresseeRequest>,
    ) -> Result<Response<v1::EndAddresseeResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let (sent, deed) = decode::end(request.into_inner());
        let deed = decoded(&rpc, decode::left(deed.as_ref(), &sent), deed)?;
        let (addressee, repeated) = self.recorded(&rpc, sent, deed).await?;
        Ok(Response::new(v1::EndAddresseeResponse {
            addressee: Some(addressee),
            repeated,
        }))
    }

    async fn get_addressee(
        &self,
        request: Request<v1::GetAddresseeRequest>,
    ) -> Result<Response<v1::GetAddresseeResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let id = number(&rpc, &request.get_ref().id)?;
        let found = self.app.addressee(id).await;
        let found = found.map_err(|error| rpc.refuse(error))?;
        Ok(Response::new(v1::GetAddresseeResponse {
            addressee: Some(self.shown_addressee(&rpc, &found)),
        }))
    }

    async fn list_addressees(
        &self,
        request: Request<v1::ListAddresseesRequest>,
    ) -> Result<Response<v1::ListAddresseesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let request = request.into_inner();
        let mut faults = Faults::new();
        let filter = decode::filter(&mut faults, request.filter.unwrap_or_default());
        let after = convert::optional_text(&mut faults, "page_token", &request.page_token);
        checked(&rpc, faults)?;
        let most = page_size(request.page_size);
        let page = self.app.addressees(filter, after, most).await;
        let (found, next) = page.map_err(|error| rpc.refuse(error))?;
        Ok(Response::new(v1::ListAddresseesResponse {
            addressees: self.shown_addressees(&rpc, &found),
            next_page_token: convert::text_or_empty(next),
        }))
    }

    async fn get_addressee_history(
        &self,
        request: Request<v1::GetAddresseeHistoryRequest>,
    ) -> Result<Response<v1::GetAddresseeHistoryResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let request = request.into_inner();
        let mut faults = Faults::new();
        let id = convert::required_text(&mut faults, "id", &request.id);
        let after = convert::optional_text(&mut faults, "page_token", &request.page_token);
        let id = decoded(&rpc, faults, id)?;
        let most = page_size(request.page_size);
        let page = self.app.addressee_history(id, after.unwrap_or(0), most);
        let (found, next) = page.await.map_err(|error| rpc.refuse(error))?;
        Ok(Response::new(v1::GetAddresseeHistoryResponse {
            versions: self.shown_addressees(&rpc, &found),
            next_page_token: convert::text_or_empty(next),
        }))
    }

    type WatchAddresseesStream = Feed<v1::WatchAddresseesResponse>;

    async fn watch_addressees(
        &self,
        request: Request<v1::WatchAddresseesRequest>,
    ) -> Result<Response<Self::WatchAddresseesStream>, Status> {
        let rpc = Rpc::of(&request)?;
        let request = request.into_inner();
        let mut faults = Faults::new();
        let body = convert::optional_text(&mut faults, "branch", &request.branch);
        let cursor = convert::optional_text(&mut faults, "cursor", &request.cursor);
        checked(&rpc, faults)?;
        let watcher = self.app.watch_addressees(body, cursor).await;
        let watcher = watcher.map_err(|error| rpc.refuse(error))?;
        Ok(Response::new(watch::stream(self.clone(), rpc, watcher)))
    }
}

fn number(rpc: &Rpc, text: &str) -> Result<AddresseeId, Status> {
    let mut faults = Faults::new();
    let id = convert::required_text(&mut faults, "id", text);
    decoded(rpc, faults, id)
}
