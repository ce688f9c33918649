//! Counts the calls that read, watch or download before a handler sees them; it decides nothing.

use std::sync::Arc;

use lgpki_runtime::rpc::Rpc;
use tonic::{Request, Status};

use crate::{app::App, ports::IntakeStore};

/// What a call that changes nothing is named by.
const VERBS: [&str; 8] = [
    "Count", "Download", "Explain", "Find", "Get", "List", "Read", "Watch",
];

/// Whether a call changes nothing, by its path.
fn reads(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    VERBS.iter().any(|verb| name.starts_with(verb))
}

/// Turns away who reads too much.
pub(super) fn meter<S: IntakeStore>(
    app: Arc<App<S>>,
) -> impl Fn(Request<()>) -> Result<Request<()>, Status> + Clone + Send + Sync + 'static {
    move |request| {
        let rpc = Rpc::of(&request)?;
        if reads(rpc.method()) {
            let admitted = app.admit_read(rpc.caller());
            admitted.map_err(|error| rpc.refuse(error))?;
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use lgpki_proto::{ServiceName, access};

    use super::*;

    #[test]
    fn whatever_changes_something_has_limits_of_its_own_or_is_an_operators() {
        let changing = access::of(ServiceName::Intake).filter(|row| !reads(row.path));
        let names: Vec<_> = changing
            .map(|row| row.path.rsplit('/').next().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "SubmitApplication",
                "SubmitApplications",
                "WithdrawApplication",
                "ConfirmDelivery",
                "ChangeLimits",
                "ApproveApplications",
                "RejectApplications",
                "PublishCrlNow",
                "EraseExaminerName",
                "ChangeEntries",
                "DeactivateBranch",
                "RegisterAddressee",
                "ChangeAddressee",
                "EndAddressee",
                "RebuildInventory",
            ]
        );
    }
}
