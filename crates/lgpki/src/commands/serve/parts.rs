//! Puts each service together from the configuration.

use std::{fs, path::Path, sync::Arc};

use lgpki_domain::{Clock, Randomness};
use lgpki_intake::{error::StoreError, store::EngineStore};
use lgpki_issuer::Ports;
use lgpki_keys::{Passphrase, SoftwareKey};
use lgpki_proto::ServiceName;
use lgpki_runtime::{
    Door, GrpcServer, Identity, Readiness, Shutdown, Supervisor, TrustAnchors,
    audit_log::{AuditLogs, Shelf},
    client::{self, Dial},
    config::{AnchorFile, Target},
    error::chain,
};
use lgpki_store::OpeningStore;
use lgpki_x509::pem;
use tonic::transport::Channel;

use super::bind;
use crate::{
    config::{Config, Shared},
    error::CommandError,
    log_key, witnesses,
};

/// What all services of a process share.
#[derive(Debug)]
pub(super) struct Parts {
    anchors: TrustAnchors,
    tls_passphrase: Passphrase,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
}

impl Parts {
    pub(super) fn new(config: &Config, ports: &Ports) -> Result<Self, CommandError> {
        Ok(Self {
            anchors: anchors(&config.tls.service_ca)?,
            tls_passphrase: log_key::services_passphrase(config)?,
            clock: ports.clock.clone(),
            randomness: ports.randomness.clone(),
        })
    }

    /// A service's TLS identity, its key decrypted.
    pub(super) fn identity(&self, shared: &Shared) -> Result<Identity, CommandError> {
        let chain = certificates(&shared.certificate)?;
        let wrong = |what: &str, e: &dyn std::error::Error| {
            let (key, certificate) = (shared.key.display(), shared.certificate.display());
            let what = format!("{what} (key {key}, certificate {certificate})");
            CommandError::from_error(&what, e)
        };
        let key = SoftwareKey::load(&shared.key, &self.tls_passphrase)
            .map_err(|e| wrong("the TLS key cannot be opened", &e))?;
        let key = key
            .to_pkcs8_der()
            .map_err(|e| wrong("the TLS key cannot be used", &e))?;
        Identity::try_new(chain, key).map_err(|e| wrong("the TLS identity cannot be used", &e))
    }

    /// Follows the file of the CA by which the services know each other.
    pub(super) fn follow_anchors(&self, config: &Config, tasks: &mut Supervisor, until: &Shutdown) {
        let file = AnchorFile::new(config.tls.service_ca.clone(), self.anchors.clone());
        follow("tls.service_ca", file, tasks, until);
    }

    /// Whose logs a service writes, its log key decrypted.
    pub(super) fn log(
        &self,
        config: &Config,
        service: ServiceName,
        shared: &Shared,
    ) -> Result<lgpki_ledger::Identity, CommandError> {
        log_key::load(config, service, shared, &self.tls_passphrase)
    }

    fn server(&self, service: ServiceName, shared: &Shared) -> Result<GrpcServer, CommandError> {
        GrpcServer::try_new(Door {
            service,
            identity: self.identity(shared)?,
            services: self.anchors.clone(),
            officers: None,
            clock: self.clock.clone(),
            randomness: self.randomness.clone(),
            limits: shared.limits.clone(),
        })
        .map_err(|e| CommandError::new(chain(&e)))
    }

    fn dial(
        &self,
        shared: &Shared,
        target: &Target,
        service: ServiceName,
    ) -> Result<Channel, CommandError> {
        client::connect(Dial {
            target: target.clone().with_service(service),
            identity: Some(self.identity(shared)?),
            anchors: self.anchors.clone(),
            clock: self.clock.clone(),
        })
        .map_err(|e| CommandError::new(chain(&e)))
    }

    pub(super) async fn issuer(
        &self,
        config: &Config,
        passphrase: Passphrase,
        tasks: &mut Supervisor,
        until: &Shutdown,
    ) -> Result<Readiness, CommandError> {
        let section = config
            .issuer
            .as_ref()
            .ok_or_else(|| missing(ServiceName::Issuer))?;
        let shared = &section.shared;
        let listener = bind("issuer.listen", &shared.listen).await?;
        let log = self.log(config, ServiceName::Issuer, shared)?;
        let settings = lgpki_issuer::Settings::try_new(log, &shared.data, &section.settings)
            .map_err(|e| CommandError::new(chain(&e)))?
            .with_publishing(witnesses::publishing(&config.audit)?)
            .with_heartbeats(config.audit.rhythm());
        let server = self.server(ServiceName::Issuer, shared)?;
        let readiness = server.readiness();
        let ports = lgpki_issuer::Ports {
            clock: self.clock.clone(),
            randomness: self.randomness.clone(),
        };
        let deps = lgpki_issuer::Deps {
            ports,
            passphrase,
            server,
        };
        tasks.spawn(
            "issuer",
            lgpki_issuer::run(settings, deps, listener, until.clone()),
        );
        Ok(readiness)
    }

    pub(super) async fn lifecycle(
        &self,
        config: &Config,
        tasks: &mut Supervisor,
        until: &Shutdown,
    ) -> Result<Readiness, CommandError> {
        let section = config
            .lifecycle
            .as_ref()
            .ok_or_else(|| missing(ServiceName::Lifecycle))?;
        let shared = &section.shared;
        let listeners = lgpki_lifecycle::Listeners {
            grpc: bind("lifecycle.listen", &shared.listen).await?,
            publication: bind("lifecycle.publication", &section.own.publication).await?,
        };
        let log = self.log(config, ServiceName::Lifecycle, shared)?;
        let data = shared.data.clone();
        let mut settings = lgpki_lifecycle::Settings::try_new(&section.settings, data, log)
            .map_err(|e| CommandError::new(chain(&e)))?;
        settings.publishing = witnesses::publishing(&config.audit)?;
        settings.heartbeats = config.audit.rhythm();
        let server = self.server(ServiceName::Lifecycle, shared)?;
        let readiness = server.readiness();
        let deps = lgpki_lifecycle::Deps {
            clock: self.clock.clone(),
            randomness: self.randomness.clone(),
            issuer: self.dial(shared, &section.own.issuer, ServiceName::Issuer)?,
            server,
        };
        tasks.spawn(
            "lifecycle",
            lgpki_lifecycle::run(settings, deps, listeners, until.clone()),
        );
        Ok(readiness)
    }

    pub(super) async fn intake(
        &self,
        config: &Config,
        tasks: &mut Supervisor,
        until: &Shutdown,
    ) -> Result<(Readiness, Arc<EngineStore>), CommandError> {
        let section = config
            .intake
            .as_ref()
            .ok_or_else(|| missing(ServiceName::Intake))?;
        let shared = &section.shared;
        let listener = bind("intake.listen", &shared.listen).await?;
        let mut settings = lgpki_intake::Settings::try_from(section.settings.clone())
            .map_err(|e| CommandError::new(chain(&e)))?;
        settings.heartbeats = config.audit.rhythm();
        let log = self.log(config, ServiceName::Intake, shared)?;
        let options = lgpki_store::Options {
            publish: Some(witnesses::publishing(&config.audit)?),
            ..lgpki_store::Options::new(log.clone())
        };
        let (store, openings) = open_intake(shared, options).await?;
        let openings = Arc::new(openings);
        let officers = anchors(&section.own.organization_ca)?;
        let file = AnchorFile::new(section.own.organization_ca.clone(), officers.clone());
        follow("intake.organization_ca", file, tasks, until);
        let deps = lgpki_intake::Deps {
            store: store.clone(),
            openings: openings.clone(),
            issuer: self.dial(shared, &section.own.issuer, ServiceName::Issuer)?,
            lifecycle: self.dial(shared, &section.own.lifecycle, ServiceName::Lifecycle)?,
            logs: AuditLogs::new(Shelf::of(&shared.data), log, store.clone()),
            identity: self.identity(shared)?,
            services: self.anchors.clone(),
            officers,
            places: Some(shared.data.join("places")),
            limits: shared.limits.clone(),
            clock: self.clock.clone(),
            random: self.randomness.clone(),
        };
        let service = lgpki_intake::Service::try_new(settings, deps)
            .await
            .map_err(|e| CommandError::new(chain(&e)))?;
        let readiness = service.readiness();
        let (watched, until) = (store.clone(), until.clone());
        tasks.spawn("intake", async move {
            tokio::select! {
                outcome = service.run(listener, until) => outcome,
                error = watched.failed() => Err(error.into()),
                error = openings.failed() => Err(StoreError::from(error).into()),
            }
        });
        Ok((readiness, store))
    }
}

async fn open_intake(
    shared: &Shared,
    options: lgpki_store::Options,
) -> Result<(Arc<EngineStore>, OpeningStore), CommandError> {
    let data = shared.data.clone();
    let opened = tokio::task::spawn_blocking(move || {
        let (store, report) =
            EngineStore::open_embedded(&data, options).map_err(|e| CommandError::new(chain(&e)))?;
        tracing::info!(
            entries = report.entries,
            replayed = report.replayed,
            torn_bytes = report.torn_bytes,
            rebuilt = report.rebuilt,
            "intake's log is open"
        );
        let openings = OpeningStore::open(&data.join("openings"), Arc::new(lgpki_ledger::OsDisk))
            .map_err(|e| CommandError::new(chain(&e)))?;
        Ok::<_, CommandError>((Arc::new(store), openings))
    });
    opened
        .await
        .map_err(|e| CommandError::from_error("intake's store cannot be opened", &e))?
}

/// Reads a file of trust anchors again whenever it has changed.
fn follow(key: &str, file: AnchorFile, tasks: &mut Supervisor, until: &Shutdown) {
    let following = file.follow(until.clone());
    tasks.spawn(key.to_owned(), async move {
        following.await;
        Ok::<_, std::convert::Infallible>(())
    });
}

fn missing(service: ServiceName) -> CommandError {
    CommandError::new(format!("the configuration has no section [{service}]"))
}

/// The certificates of a PEM file.
pub(crate) fn certificates(path: &Path) -> Result<Vec<Vec<u8>>, CommandError> {
    let text = fs::read(path).map_err(|e| CommandError::file("read", path, &e))?;
    pem::decode_all(pem::Label::Certificate, &text)
        .map_err(|e| CommandError::from_error(&path.display().to_string(), &e))
}

/// The trust anchors of a PEM file.
pub(crate) fn anchors(path: &Path) -> Result<TrustAnchors, CommandError> {
    TrustAnchors::try_new(&certificates(path)?)
        .map_err(|e| CommandError::from_error(&path.display().to_string(), &e))
}
