//! Renewals onto and from the wire.

use lgpki_domain::{ApplicationId, BodyCode, Faults, RenewalOutcome, Serial, Timestamp};
use lgpki_proto::{
    convert::{optional_text, required, required_text},
    v1,
};
use lgpki_runtime::rpc::Rpc;
use tonic::{Request, Response, Status};

use super::{Handlers, revocations::check_count};
use crate::ports::{LifecycleStore, RenewalClosing, RenewalEnd, RenewalOpening, RenewalOrder};

/// Opens a batch.
pub(super) async fn open<S: LifecycleStore>(
    handlers: &Handlers<S>,
    request: Request<v1::OpenRenewalsRequest>,
) -> Result<Response<v1::OpenRenewalsResponse>, Status> {
    let rpc = Rpc::of(&request)?;
    let asked = request.into_inner().orders;
    let orders = read_all("orders", &asked, read_order).map_err(|faults| rpc.refuse(faults))?;
    let openings = handlers.app.open_renewals(orders).await;
    let openings = openings.map_err(|e| rpc.refuse(e))?;
    let results = asked.into_iter().zip(openings);
    Ok(Response::new(v1::OpenRenewalsResponse {
        results: results
            .map(|(order, opening)| opened(order.command_id, opening))
            .collect(),
    }))
}

/// Closes a batch.
pub(super) async fn close<S: LifecycleStore>(
    handlers: &Handlers<S>,
    request: Request<v1::CloseRenewalsRequest>,
) -> Result<Response<v1::CloseRenewalsResponse>, Status> {
    let rpc = Rpc::of(&request)?;
    let asked = request.into_inner().ends;
    let ends = read_all("ends", &asked, read_end).map_err(|faults| rpc.refuse(faults))?;
    let closings = handlers.app.close_renewals(ends).await;
    let closings = closings.map_err(|e| rpc.refuse(e))?;
    let results = asked.into_iter().zip(closings);
    Ok(Response::new(v1::CloseRenewalsResponse {
        results: results
            .map(|(end, closing)| closed(end.command_id, closing))
            .collect(),
    }))
}

fn read_all<W, T>(
    field: &str,
    asked: &[W],
    read: impl Fn(&mut Faults, &str, &W) -> Option<T>,
) -> Result<Vec<T>, Faults> {
    check_count(field, asked.len())?;
    let mut faults = Faults::new();
    let all = asked.iter().enumerate();
    let all: Vec<_> = all
        .filter_map(|(i, one)| read(&mut faults, &format!("{field}[{i}]"), one))
        .collect();
    faults.into_result().map(|()| all)
}

fn read_order(f: &mut Faults, path: &str, order: &v1::RenewalOrder) -> Option<RenewalOrder> {
    let field = |name| format!("{path}.{name}");
    let command = required_text::<ApplicationId>(f, &field("command_id"), &order.command_id);
    let serial = required_text::<Serial>(f, &field("serial"), &order.serial);
    let branch = optional_text::<BodyCode>(f, &field("branch"), &order.branch);
    let applied_at = required_text::<Timestamp>(f, &field("applied_at"), &order.applied_at);
    let actor = required_text::<String>(f, &field("actor"), &order.actor);
    Some(RenewalOrder {
        command: command?,
        serial: serial?,
        branch,
        applied_at: applied_at?,
        actor: actor?,
        answers_index: order.answers_index,
    })
}

fn read_end(f: &mut Faults, path: &str, end: &v1::RenewalEnd) -> Option<RenewalEnd> {
    let field = |name| format!("{path}.{name}");
    let command = required_text::<ApplicationId>(f, &field("command_id"), &end.command_id);
    let serial = required_text::<Serial>(f, &field("serial"), &end.serial);
    let outcome = required::<RenewalOutcome>(f, &field("outcome"), end.outcome);
    let new_serial = match outcome {
        Some(RenewalOutcome::Delivered) => {
            required_text::<Serial>(f, &field("new_serial"), &end.new_serial)
        }
        _ => None,
    };
    let actor = required_text::<String>(f, &field("actor"), &end.actor);
    Some(RenewalEnd {
        command: command?,
        serial: serial?,
        outcome: outcome?,
        new_serial,
        actor: actor?,
        answers_index: end.answers_index,
    })
}

fn opened(command_id: String, opening: RenewalOpening) -> v1::RenewalResult {
    let (opened_at, refused) = match opening {
        Ok(at) => (at.to_string(), None),
        Err(fault) => (String::new(), Some(fault.into())),
    };
    v1::RenewalResult {
        command_id,
        opened_at,
        refused,
    }
}

fn closed(command_id: String, closing: RenewalClosing) -> v1::RenewalEndResult {
    let mut result = v1::RenewalEndResult {
        command_id,
        ..v1::RenewalEndResult::default()
    };
    match closing {
        Ok(closed) => {
            result.closed_at = closed.at.to_string();
            result.superseded_at = closed
                .superseded_at
                .map_or_else(String::new, |at| at.to_string());
        }
        Err(fault) => result.refused = Some(fault.into()),
    }
    result
}
