//! DirectoryService.

use lgpki_domain::{
    BodyCode, Faults,
    directory::{Account, Organization},
};
use lgpki_proto::{
    convert,
    v1::{self, directory_change::Change, directory_service_server::DirectoryService},
};
use lgpki_runtime::rpc::Rpc;
use tonic::{Request, Response, Status, async_trait};

use super::{Handlers, checked, decoded, encode};
use crate::{
    app::{check_count, read::page_size},
    ports::{DirectoryChange, IntakeStore},
};

#[async_trait]
impl<S: IntakeStore> DirectoryService for Handlers<S> {
    async fn list_bodies(
        &self,
        request: Request<v1::ListBodiesRequest>,
    ) -> Result<Response<v1::ListBodiesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let request = request.into_inner();
        let mut faults = Faults::new();
        let prefecture = prefecture(&mut faults, request.prefecture);
        let after = convert::optional_text(&mut faults, "page_token", &request.page_token);
        checked(&rpc, faults)?;
        let most = page_size(request.page_size);
        let bodies = self.app.bodies(prefecture, after, most).await;
        let bodies = bodies.map_err(|error| rpc.refuse(error))?;
        let last = bodies.last().filter(|_| bodies.len() == most);
        Ok(Response::new(v1::ListBodiesResponse {
            next_page_token: last.map(|body| body.code.to_string()).unwrap_or_default(),
            bodies: bodies.iter().map(encode::body).collect(),
        }))
    }

    async fn list_entries(
        &self,
        request: Request<v1::ListEntriesRequest>,
    ) -> Result<Response<v1::ListEntriesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let request = request.into_inner();
        let body = body(&rpc, &request.body)?;
        let mut faults = Faults::new();
        let after = convert::optional_text(&mut faults, "page_token", &request.page_token);
        checked(&rpc, faults)?;
        let most = page_size(request.page_size);
        let entries = self.app.entries(rpc.caller(), body, after.as_ref(), most);
        let entries = entries.await.map_err(|error| rpc.refuse(error))?;
        Ok(Response::new(v1::ListEntriesResponse {
            organizations: entries
                .organizations
                .iter()
                .map(encode::organization)
                .collect(),
            accounts: entries.accounts.iter().map(encode::account).collect(),
            next_page_token: convert::text_or_empty(entries.next),
        }))
    }

    async fn change_entries(
        &self,
        request: Request<v1::ChangeEntriesRequest>,
    ) -> Result<Response<v1::ChangeEntriesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let request = request.into_inner();
        check_count("changes", request.changes.len()).map_err(|error| rpc.refuse(error))?;
        let body = body(&rpc, &request.body)?;
        let mut faults = Faults::new();
        let mut changes = Vec::with_capacity(request.changes.len());
        for (i, item) in request.changes.into_iter().enumerate() {
            let field = format!("changes[{i}]");
            changes.extend(change(&mut faults, &field, body, item));
        }
        checked(&rpc, faults)?;
        let count = self.app.change_entries(rpc.caller(), body, changes).await;
        Ok(Response::new(v1::ChangeEntriesResponse {
            changed: count.map_err(|error| rpc.refuse(error))?,
        }))
    }

    async fn deactivate_branch(
        &self,
        request: Request<v1::DeactivateBranchRequest>,
    ) -> Result<Response<v1::DeactivateBranchResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let request = request.into_inner();
        let body = body(&rpc, &request.body)?;
        let deactivated = self
            .app
            .deactivate_branch(rpc.caller(), body, request.reason)
            .await;
        let deactivated = deactivated.map_err(|error| rpc.refuse(error))?;
        Ok(Response::new(v1::DeactivateBranchResponse {
            body: Some(encode::body(&deactivated)),
        }))
    }
}

fn body(rpc: &Rpc, code: &str) -> Result<BodyCode, Status> {
    let mut faults = Faults::new();
    let body = convert::required_text(&mut faults, "body", code);
    decoded(rpc, faults, body)
}

fn prefecture(faults: &mut Faults, number: u32) -> Option<u8> {
    match u8::try_from(number) {
        Ok(0) => None,
        Ok(number @ 1..=47) => Some(number),
        _ => {
            let message = format!("{number} is no prefecture; they count from 1 to 47");
            faults.push("prefecture", convert::FIELD_UNKNOWN_VALUE, message);
            None
        }
    }
}

fn change(
    faults: &mut Faults,
    field: &str,
    body: BodyCode,
    item: v1::DirectoryChange,
) -> Option<DirectoryChange> {
    match convert::required_message(faults, field, item.change)? {
        Change::RegisterOrganization(unit) => {
            let field = format!("{field}.register_organization.names");
            let names = convert::names(faults, &field, unit.names.as_ref())?;
            Some(DirectoryChange::RegisterOrganization(Organization {
                body,
                names,
            }))
        }
        Change::RemoveOrganization(en) => {
            let field = format!("{field}.remove_organization");
            given(faults, &field, en).map(DirectoryChange::RemoveOrganization)
        }
        Change::RenameOrganization(rename) => {
            let field = format!("{field}.rename_organization");
            let names = convert::names(faults, &format!("{field}.names"), rename.names.as_ref());
            let en = given(faults, &format!("{field}.en"), rename.en);
            let to = Organization {
                body,
                names: names?,
            };
            Some(DirectoryChange::RenameOrganization { en: en?, to })
        }
        Change::RegisterAccount(account) => {
            let field = format!("{field}.register_account");
            let names = convert::names(faults, &format!("{field}.names"), account.names.as_ref());
            let unit_en = given(faults, &format!("{field}.unit_en"), account.unit_en);
            Some(DirectoryChange::RegisterAccount(Account {
                body,
                unit_en: unit_en?,
                names: names?,
            }))
        }
        Change::RemoveAccount(account) => {
            let field = format!("{field}.remove_account");
            let unit_en = given(faults, &format!("{field}.unit_en"), account.unit_en);
            let en = given(faults, &format!("{field}.en"), account.en);
            Some(DirectoryChange::RemoveAccount {
                unit_en: unit_en?,
                en: en?,
            })
        }
    }
}

fn given(faults: &mut Faults, field: &str, text: String) -> Option<String> {
    if text.is_empty() {
        faults.push(
            field,
            convert::FIELD_MISSING,
            "the field is empty; fill it in",
        );
        return None;
    }
    Some(text)
}
