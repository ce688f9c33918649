//! SlotService: renewal information, and how the days are loaded.

use lgpki_domain::{BodyCode, Faults, JstDate, Serial, Timestamp};
use lgpki_proto::{
    convert::{optional_text, required_text, text_or_empty, wire},
    v1::{self, slot_service_server::SlotService},
};
use lgpki_runtime::rpc::Rpc;
use tonic::{Request, Response, Status};

use super::{Handlers, filter};
use crate::{
    app::slots::{LoadedDay, RenewalInfo, Wanted},
    ports::LifecycleStore,
};

#[tonic::async_trait]
impl<S: LifecycleStore> SlotService for Handlers<S> {
    async fn get_renewal_info(
        &self,
        request: Request<v1::GetRenewalInfoRequest>,
    ) -> Result<Response<v1::GetRenewalInfoResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let asked = request.get_ref();
        let mut faults = Faults::new();
        let serial = required_text::<Serial>(&mut faults, "serial", &asked.serial);
        let branch = optional_text::<BodyCode>(&mut faults, "branch", &asked.branch);
        let serial = match serial {
            Some(serial) if faults.is_empty() => serial,
            _ => return Err(rpc.refuse(faults)),
        };
        let found = self.app.renewal_info(serial, branch, asked.with_token);
        let found = found.await.map_err(|e| rpc.refuse(e))?;
        Ok(Response::new(v1::GetRenewalInfoResponse {
            info: Some(self.info(found)),
        }))
    }

    async fn list_renewal_info(
        &self,
        request: Request<v1::ListRenewalInfoRequest>,
    ) -> Result<Response<v1::ListRenewalInfoResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let asked = request.get_ref();
        let mut faults = Faults::new();
        let wanted = Wanted {
            branch: optional_text(&mut faults, "branch", &asked.branch),
            slot_day: optional_text(&mut faults, "slot_day", &asked.slot_day),
            after: filter::read_token(&mut faults, &asked.page_token),
            size: asked.page_size,
            with_tokens: asked.with_tokens,
        };
        faults.into_result().map_err(|faults| rpc.refuse(faults))?;
        let page = self.app.renewal_infos(wanted).await;
        let (found, next) = page.map_err(|e| rpc.refuse(e))?;
        Ok(Response::new(v1::ListRenewalInfoResponse {
            infos: found.into_iter().map(|one| self.info(one)).collect(),
            next_page_token: next.map_or_else(String::new, filter::write_token),
        }))
    }

    async fn get_slot_load(
        &self,
        request: Request<v1::GetSlotLoadRequest>,
    ) -> Result<Response<v1::GetSlotLoadResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let asked = request.get_ref();
        let mut faults = Faults::new();
        let from = optional_text::<JstDate>(&mut faults, "from", &asked.from);
        let to = optional_text::<JstDate>(&mut faults, "to", &asked.to);
        faults.into_result().map_err(|faults| rpc.refuse(faults))?;
        let days = self.app.slot_load(from, to).await;
        let days = days.map_err(|e| rpc.refuse(e))?;
        let rules = self.app.slots.settings.rules;
        Ok(Response::new(v1::GetSlotLoadResponse {
            booked: days.iter().map(|day| u64::from(day.booked)).sum(),
            days: days.into_iter().map(slot_day).collect(),
            per_business_day: rules.per_business_day,
            ignoring_percent: u32::from(rules.ignoring_percent),
        }))
    }
}

impl<S: LifecycleStore> Handlers<S> {
    fn info(&self, info: RenewalInfo) -> v1::RenewalInfo {
        let RenewalInfo { renewable, token } = info;
        let window = renewable.window();
        let (opens, closes) = self.app.slots.settings.hours;
        let at = |seconds: i64| {
            let at = |day: JstDate| -> Timestamp { day.start().plus_seconds(seconds) };
            text_or_empty(renewable.slot.map(at))
        };
        v1::RenewalInfo {
            serial: renewable.serial.to_string(),
            branch: text_or_empty(renewable.branch),
            kind: wire(renewable.kind),
            window_opens: window.opens().to_string(),
            window_closes: window.last_day().to_string(),
            slot_day: text_or_empty(renewable.slot),
            slot_opens: at(opens),
            slot_closes: at(closes),
            missed: u32::from(renewable.missed),
            renewing: renewable.renewing,
            token: token.unwrap_or_default(),
        }
    }
}

/// The keys that verify tokens.
pub(super) async fn keys<S: LifecycleStore>(
    handlers: &Handlers<S>,
    request: Request<v1::ListSlotKeysRequest>,
) -> Result<Response<v1::ListSlotKeysResponse>, Status> {
    let rpc = Rpc::of(&request)?;
    let keys = handlers.app.store.slot_keys().await;
    let keys = keys.map_err(|e| rpc.refuse(e))?;
    Ok(Response::new(v1::ListSlotKeysResponse {
        keys: keys.into_iter().map(|key| key.to_vec()).collect(),
    }))
}

fn slot_day(day: LoadedDay) -> v1::SlotDay {
    v1::SlotDay {
        day: day.day.to_string(),
        booked: day.booked,
        expected_hundredths: day.expected,
        load_hundredths: day.load,
    }
}
