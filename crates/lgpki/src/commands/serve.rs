//! `lgpki serve`: runs the three services in one process, or one of them.
//!
//! Each service is given its own TLS identity, listener, data directory and channels, the same in one
//! process as in three. A service that fails stops the process with its reason; SIGTERM drains.

mod check;
mod parts;

use std::{path::Path, sync::Arc};

use lgpki_intake::store::EngineStore;
use lgpki_keys::{Passphrase, PassphraseSource};
use lgpki_proto::ServiceName;
use lgpki_runtime::{
    Readiness, Shutdown, ShutdownTrigger, Supervisor, admin::Admin, config::ListenAddress,
    error::chain, listen, shutdown, telemetry,
};

use crate::{
    cli::{PassphraseArgs, ServeArgs, ServiceChoice},
    config::Config,
    error::CommandError,
    output::Output,
};

use parts::Parts;

/// A handle to the metrics of this process, for the admin ports.
pub(crate) type Metrics = Option<telemetry::PrometheusHandle>;

/// Runs until SIGTERM or SIGINT, or until a service fails.
pub(crate) async fn run(args: ServeArgs, output: Output) -> Result<(), CommandError> {
    let config = Config::load(&args.config)?;
    let services = chosen(&config, args.only, &args.config)?;
    let passphrase = if services.contains(&ServiceName::Issuer) {
        Some(ca_passphrase(&args.passphrase, &config)?)
    } else {
        None
    };
    if args.check {
        return check::run(&config, &services, passphrase.as_ref(), output);
    }
    let metrics = telemetry::init(&config.telemetry)
        .map_err(|e| CommandError::from_error("cannot start logging", &e))?;
    let (trigger, until) = shutdown::on_signals()
        .map_err(|e| CommandError::from_error("cannot watch for signals", &e))?;
    let running = start(
        &config,
        &services,
        passphrase,
        Some(metrics),
        (trigger, until),
    )
    .await?;
    for service in &services {
        if let Some(shared) = config.shared(*service) {
            output.say(format!(
                "{service} serves on {}, admin on {}",
                shared.listen, shared.admin
            ));
        }
    }
    running.until_end().await
}

/// Services that are running.
pub(crate) struct Running {
    tasks: Supervisor,
    store: Option<Arc<EngineStore>>,
    readiness: Vec<Readiness>,
}

impl Running {
    /// Whether each service is ready, to be waited for.
    pub(crate) fn readiness(&self) -> Vec<Readiness> {
        self.readiness.clone()
    }

    /// Waits until all have ended; the first that failed is the error.
    pub(crate) async fn until_end(self) -> Result<(), CommandError> {
        let outcome = self.tasks.run().await;
        if let Some(store) = self.store {
            store.close().await;
        }
        outcome.map_err(|e| CommandError::from_error("stopped", &e))
    }
}

/// Starts `services`; whatever listens is bound before anything is opened.
pub(crate) async fn start(
    config: &Config,
    services: &[ServiceName],
    passphrase: Option<Passphrase>,
    metrics: Metrics,
    (trigger, until): (ShutdownTrigger, Shutdown),
) -> Result<Running, CommandError> {
    let parts = Parts::new(config)?;
    let mut tasks = Supervisor::new(trigger, until.clone());
    let (mut store, mut all_readiness) = (None, Vec::new());
    for service in services {
        let readiness = match service {
            ServiceName::Issuer => {
                let passphrase = passphrase.clone().ok_or_else(|| {
                    CommandError::new("the issuer needs the passphrase of the CA keys")
                })?;
                parts.issuer(config, passphrase, &mut tasks, &until).await?
            }
            ServiceName::Lifecycle => parts.lifecycle(config, &mut tasks, &until).await?,
            ServiceName::Intake => {
                let (readiness, opened) = parts.intake(config, &mut tasks, &until).await?;
                store = Some(opened);
                readiness
            }
        };
        all_readiness.push(readiness.clone());
        admin(
            config,
            *service,
            readiness,
            metrics.clone(),
            &mut tasks,
            &until,
        )
        .await?;
    }
    Ok(Running {
        tasks,
        store,
        readiness: all_readiness,
    })
}

async fn admin(
    config: &Config,
    service: ServiceName,
    readiness: Readiness,
    metrics: Metrics,
    tasks: &mut Supervisor,
    until: &Shutdown,
) -> Result<(), CommandError> {
    let Some(shared) = config.shared(service) else {
        return Ok(());
    };
    let listener = bind(&format!("{service}.admin"), &shared.admin).await?;
    tasks.spawn(
        format!("{service}.admin"),
        Admin::new(metrics, vec![readiness]).run(listener, until.clone()),
    );
    Ok(())
}

async fn bind(key: &str, address: &ListenAddress) -> Result<tokio::net::TcpListener, CommandError> {
    listen::bind(key, *address)
        .await
        .map_err(|e| CommandError::new(chain(&e)))
}

fn chosen(
    config: &Config,
    only: Option<ServiceChoice>,
    path: &Path,
) -> Result<Vec<ServiceName>, CommandError> {
    let wanted = match only {
        None => ServiceName::ALL.to_vec(),
        Some(ServiceChoice::Intake) => vec![ServiceName::Intake],
        Some(ServiceChoice::Issuer) => vec![ServiceName::Issuer],
        Some(ServiceChoice::Lifecycle) => vec![ServiceName::Lifecycle],
    };
    match wanted
        .iter()
        .find(|service| config.shared(**service).is_none())
    {
        None => Ok(wanted),
        Some(service) => {
            let message = format!("{} has no section [{service}]", path.display());
            Err(CommandError::new(message).hint("run what it has with --only, or add the section"))
        }
    }
}

/// The passphrase of the CA keys: as given, else as configured, else asked for.
pub(super) fn ca_passphrase(
    args: &PassphraseArgs,
    config: &Config,
) -> Result<Passphrase, CommandError> {
    let configured = config
        .issuer
        .as_ref()
        .and_then(|s| s.own.passphrase_file.clone());
    let source = super::init::source(args)
        .or_else(|| configured.map(PassphraseSource::File))
        .unwrap_or_else(|| PassphraseSource::Prompt(String::from("Passphrase of the CA keys")));
    source.read().map_err(|e| {
        CommandError::from_error("cannot read the passphrase of the CA keys", &e)
            .hint("give it with --passphrase-file FILE or --passphrase-fd N")
    })
}
