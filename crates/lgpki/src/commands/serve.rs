//! `lgpki serve`: runs the three services in one process, or one of them.
//!
//! Each service is given its own TLS identity, listener, data directory and channels, the same in one
//! process as in three. A service that fails stops the process with its reason; SIGTERM drains.

mod check;
mod parts;

use std::{path::Path, sync::Arc};

use lgpki_intake::store::EngineStore;
use lgpki_issuer::Ports;
use lgpki_keys::{Passphrase, PassphraseSource};
use lgpki_proto::ServiceName;
use lgpki_runtime::{
    Readiness, Shutdown, ShutdownTrigger, Supervisor,
    admin::Admin,
    audit_log::{Shelf, files},
    config::ListenAddress,
    error::chain,
    listen, shutdown, telemetry,
};
use lgpki_store::seal::Seal;

use crate::{
    cli::{PassphraseArgs, ServeArgs, ServiceChoice},
    config::Config,
    error::CommandError,
    output::Output,
};

use parts::Parts;
pub(crate) use parts::{anchors, certificates};

/// What services that run in this process take from around them.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// The metrics of this process, for the admin ports.
    pub(crate) metrics: Option<telemetry::PrometheusHandle>,
    /// Time and chance.
    pub(crate) ports: Ports,
}

impl Surroundings {
    /// The machine's own time and chance.
    pub(crate) fn of_the_machine(metrics: Option<telemetry::PrometheusHandle>) -> Self {
        Self {
            metrics,
            ports: super::machine(),
        }
    }
}

/// Runs until SIGTERM or SIGINT, or until a service fails.
pub(crate) async fn run(args: ServeArgs, output: Output) -> Result<(), CommandError> {
    let config = Config::load(&args.config)?;
    let services = chosen(&config, args.only, &args.config)?;
    data_directories(&config, &services)?;
    let passphrase = if services.contains(&ServiceName::Issuer) {
        Some(ca_passphrase(&args.passphrase, &config)?)
    } else {
        None
    };
    if args.check {
        return check::run(&config, &services, passphrase.as_ref(), output)
            .map_err(|error| error.during(&args.config.display().to_string()));
    }
    let metrics = telemetry::init(&config.telemetry)
        .map_err(|e| CommandError::from_error("cannot start logging", &e))?;
    let (trigger, until) = shutdown::on_signals()
        .map_err(|e| CommandError::from_error("cannot watch for signals", &e))?;
    let running = start(
        &config,
        &services,
        passphrase,
        Surroundings::of_the_machine(Some(metrics)),
        (trigger, until),
    )
    .await?;
    for service in &services {
        announce(&config, *service, output);
    }
    let readiness = running.readiness();
    let ready = async {
        for service in &readiness {
            service.ready().await;
        }
        output.notice(&serde_json::json!({ "ready": true }), || {
            String::from("ready; SIGTERM or Ctrl-C stops it")
        });
        std::future::pending::<()>().await;
    };
    tokio::select! {
        outcome = running.until_end() => outcome,
        () = ready => Ok(()),
    }
}

/// Says where a service listens; for machines one line of JSON.
fn announce(config: &Config, service: ServiceName, output: Output) {
    let Some(shared) = config.shared(service) else {
        return;
    };
    let publication = match &config.lifecycle {
        Some(section) if service == ServiceName::Lifecycle => Some(section.own.publication),
        _ => None,
    };
    let mut value = serde_json::json!({
        "service": service.name(), "listen": shared.listen.to_string(), "admin": shared.admin.to_string(),
    });
    let more = [("publication", publication), ("audit", shared.audit)];
    let more = more.into_iter().filter_map(|(name, at)| Some((name, at?)));
    if let Some(object) = value.as_object_mut() {
        let given = more.clone().map(|(name, at)| (name, at.to_string().into()));
        object.extend(given.map(|(name, at)| (name.to_owned(), at)));
    }
    output.notice(&value, || {
        let more = more.map(|(name, at)| format!(", {name} on {at}"));
        let more = more.collect::<Vec<_>>().concat();
        format!(
            "{service}: gRPC on {}, admin on {}{more}",
            shared.listen, shared.admin
        )
    });
}

/// Refuses to start in a data directory that nobody made, for a mistyped one must not become a new, empty
/// store; and in a sealed one.
fn data_directories(config: &Config, services: &[ServiceName]) -> Result<(), CommandError> {
    let mut sealed = Vec::new();
    for service in services {
        let Some(shared) = config.shared(*service) else {
            continue;
        };
        std::fs::read_dir(&shared.data).map_err(|e| {
            CommandError::file("use", &shared.data, &e).hint(
                "`lgpki init` makes the data directories; correct `data` in the configuration",
            )
        })?;
        let seal = Seal::read(&shared.data, &lgpki_ledger::OsDisk)
            .map_err(|e| CommandError::from_error(service.name(), &e))?;
        if let Some(seal) = seal {
            let why = seal.why;
            sealed.push(format!(
                "{service} is sealed ({}): {why}",
                shared.data.display()
            ));
        }
    }
    if sealed.is_empty() {
        return Ok(());
    }
    Err(CommandError::new(sealed.join("\n")).hint(
        "`lgpki restore heal --list` shows what is missing; nothing is served before it is back",
    ))
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

    /// Intake's store, if intake runs: for looking on from within.
    pub(crate) fn store(&self) -> Option<Arc<EngineStore>> {
        self.store.clone()
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
    around: Surroundings,
    (trigger, until): (ShutdownTrigger, Shutdown),
) -> Result<Running, CommandError> {
    let parts = Parts::new(config, &around.ports)?;
    let mut tasks = Supervisor::new(trigger, until.clone());
    parts.follow_anchors(config, &mut tasks, &until);
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
            around.metrics.clone(),
            &mut tasks,
            &until,
        )
        .await?;
        audit_files(config, *service, &mut tasks, &until).await?;
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
    metrics: Option<telemetry::PrometheusHandle>,
    tasks: &mut Supervisor,
    until: &Shutdown,
) -> Result<(), CommandError> {
    let Some(shared) = config.shared(service) else {
        return Ok(());
    };
    let listener = bind(&format!("{service}.admin"), &shared.admin).await?;
    let serving = Admin::new(metrics, vec![readiness]).run(listener, until.clone());
    tasks.spawn(format!("{service}.admin"), async move {
        serving.await;
        Ok::<_, std::convert::Infallible>(())
    });
    Ok(())
}

/// Serves what the service publishes of its logs over HTTP, where an address for it is given.
async fn audit_files(
    config: &Config,
    service: ServiceName,
    tasks: &mut Supervisor,
    until: &Shutdown,
) -> Result<(), CommandError> {
    let Some((shared, address)) = config.shared(service).and_then(|s| Some((s, s.audit?))) else {
        return Ok(());
    };
    let listener = bind(&format!("{service}.audit"), &address).await?;
    let (logs, limits) = (Shelf::of(&shared.data), shared.audit_limits.clone());
    let until = until.clone();
    tasks.spawn(format!("{service}.audit"), async move {
        files::serve(listener, (service, logs), &limits, until).await;
        Ok::<_, std::convert::Infallible>(())
    });
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
        Some(one) => vec![one.service()],
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
        .unwrap_or_else(|| PassphraseSource::Prompt(String::from("Passphrase of the CA keys: ")));
    source.read().map_err(|e| {
        CommandError::from_error("cannot read the passphrase of the CA keys", &e)
            .hint("give it with --passphrase-file FILE or --passphrase-fd N")
    })
}
