//! Where the auditor's commands pull logs from.

mod grpc;
mod http;

use std::sync::Arc;

use lgpki_audit::pull::LogSource;
use tokio::runtime::{Builder, Runtime};

use self::{grpc::RpcSource, http::HttpSource};
use crate::{
    cli::{OfficeArgs, SourceArgs},
    error::CommandError,
    office::Office,
};

/// A source, and what people call it.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) source: Box<dyn LogSource>,
}

/// The runtime on which sources are asked, and the sources.
pub(super) fn open(args: &SourceArgs) -> Result<(Arc<Runtime>, Vec<Named>), CommandError> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| CommandError::from_error("cannot start the runtime", &error))?;
    let runtime = Arc::new(runtime);
    if let Some(office) = &args.office {
        // A connection belongs to the runtime in which it is prepared.
        let entered = runtime.enter();
        let office = Office::open(&OfficeArgs {
            office: office.clone(),
            pin_file: args.pin_file.clone(),
        })?;
        drop(entered);
        let source = Box::new(RpcSource::new(Arc::clone(&runtime), office.channel()));
        let name = format!("the server at {}", office.server());
        return Ok((runtime, vec![Named { name, source }]));
    }
    let sources = args.http.iter().map(|url| Named {
        name: url.to_string(),
        source: Box::new(HttpSource::new(Arc::clone(&runtime), url.clone())),
    });
    let sources = sources.collect();
    Ok((runtime, sources))
}
