//! The configuration file `lgpki.toml`: read, checked, and its paths resolved.
//!
//! `init` writes it with comments. A relative path is relative to the file's directory. An unknown
//! key is refused with its section and the keys that are known there. Each service reads its own
//! part of its section; what all services share is read here.

mod audit;
mod template;

use std::{
    fs,
    path::{Path, PathBuf},
};

use lgpki_proto::ServiceName;
use lgpki_runtime::{
    config::{ListenAddress, ServerLimits, Target, TelemetryConfig},
    plain_http::PublicLimits,
};
use serde::{Deserialize, de::DeserializeOwned};
use toml::{Table, Value};

pub(crate) use audit::Audit;
pub(crate) use template::{EXAMINATION, Template, render};

use crate::error::CommandError;

/// A configuration as it stands in the file.
#[derive(Debug)]
pub(crate) struct Config {
    /// Logs.
    pub(crate) telemetry: TelemetryConfig,
    /// What the services' TLS identities rest on.
    pub(crate) tls: Tls,
    /// The audit logs.
    pub(crate) audit: Audit,
    /// The issuer, if configured.
    pub(crate) issuer: Option<IssuerSection>,
    /// Lifecycle, if configured.
    pub(crate) lifecycle: Option<LifecycleSection>,
    /// Intake, if configured.
    pub(crate) intake: Option<IntakeSection>,
}

/// `[tls]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    /// The service CA's certificate, PEM: by it the services know each other.
    pub(crate) service_ca: PathBuf,
    /// The passphrase of the services' TLS keys.
    pub(crate) passphrase_file: PathBuf,
}

/// What every service's section holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shared {
    /// Its name, as it stands in every entry of its log.
    pub(crate) node: String,
    /// Where it serves gRPC.
    pub(crate) listen: ListenAddress,
    /// Where it serves metrics and health.
    pub(crate) admin: ListenAddress,
    /// Where it serves its published logs over HTTP, if it does.
    pub(crate) audit: Option<ListenAddress>,
    /// What that port allows.
    #[serde(default)]
    pub(crate) audit_limits: PublicLimits,
    /// Its data directory.
    pub(crate) data: PathBuf,
    /// Its TLS certificate, PEM.
    pub(crate) certificate: PathBuf,
    /// Its TLS key, encrypted PKCS#8.
    pub(crate) key: PathBuf,
    /// The key that signs its logs' heads, encrypted PKCS#8 with the TLS keys' passphrase.
    pub(crate) log_key: PathBuf,
    /// What the server allows.
    #[serde(default)]
    pub(crate) limits: ServerLimits,
}

/// `[issuer]`.
#[derive(Debug)]
pub(crate) struct IssuerSection {
    pub(crate) shared: Shared,
    pub(crate) own: IssuerOwn,
    pub(crate) settings: lgpki_issuer::IssuerConfig,
}

/// What the command reads of `[issuer]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssuerOwn {
    /// The passphrase of the CA keys; `--passphrase-file` and `--passphrase-fd` go before it, and
    /// without any it is asked for.
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// `[lifecycle]`.
#[derive(Debug)]
pub(crate) struct LifecycleSection {
    pub(crate) shared: Shared,
    pub(crate) own: LifecycleOwn,
    pub(crate) settings: lgpki_lifecycle::config::LifecycleConfig,
}

/// What the command reads of `[lifecycle]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LifecycleOwn {
    /// Where it publishes CRLs and CA certificates over HTTP.
    pub(crate) publication: ListenAddress,
    /// The issuer.
    pub(crate) issuer: Target,
}

/// `[intake]`.
#[derive(Debug)]
pub(crate) struct IntakeSection {
    pub(crate) shared: Shared,
    pub(crate) own: IntakeOwn,
    pub(crate) settings: lgpki_intake::config::RawSettings,
}

/// What the command reads of `[intake]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IntakeOwn {
    /// The Organization CA's certificate, PEM: its login certificates log in.
    pub(crate) organization_ca: PathBuf,
    /// The issuer.
    pub(crate) issuer: Target,
    /// Lifecycle.
    pub(crate) lifecycle: Target,
}

const SHARED: [&str; 10] = [
    "node",
    "listen",
    "admin",
    "audit",
    "audit_limits",
    "data",
    "certificate",
    "key",
    "log_key",
    "limits",
];

impl Config {
    /// Reads and checks the file.
    pub(crate) fn load(path: &Path) -> Result<Self, CommandError> {
        let text = fs::read_to_string(path).map_err(|e| {
            CommandError::file("read", path, &e)
                .hint("name the configuration with --config; `lgpki init` makes one")
        })?;
        let absolute = fs::canonicalize(path).map_err(|e| CommandError::file("find", path, &e))?;
        let base = absolute.parent().unwrap_or(Path::new("/"));
        let read = Self::parse(&text, base).and_then(Self::with_settings);
        read.map_err(|why| {
            CommandError::new(format!("{} is wrong: {why}", path.display()))
                .hint("correct the key named; `lgpki serve --check` reads it without starting")
        })
    }

    /// Reads a configuration that is to lie in `base`.
    pub(crate) fn at(text: &str, base: &Path) -> Result<Self, CommandError> {
        let read = Self::parse(text, base).and_then(Self::with_settings);
        read.map_err(|why| CommandError::new(format!("lgpki.toml is wrong: {why}")))
    }

    /// Looks at intake's settings at once, so that what cannot work is told with the file's name.
    fn with_settings(self) -> Result<Self, String> {
        if let Some(intake) = &self.intake {
            lgpki_intake::Settings::try_from(intake.settings.clone()).map_err(|e| e.to_string())?;
        }
        Ok(self)
    }

    fn parse(text: &str, base: &Path) -> Result<Self, String> {
        let mut file: Table = toml::from_str(text).map_err(|e| e.to_string())?;
        let telemetry = match file.remove("telemetry") {
            Some(table) => typed("telemetry", table)?,
            None => TelemetryConfig::default(),
        };
        let tls: Tls = typed("tls", file.remove("tls").ok_or("section [tls] is missing")?)?;
        let audit: Audit = typed(
            "audit",
            file.remove("audit").ok_or("section [audit] is missing")?,
        )?;
        audit.check()?;
        let issuer = section(&mut file, "issuer", &["passphrase_file"], base)?;
        let lifecycle = section(&mut file, "lifecycle", &["publication", "issuer"], base)?;
        let intake = section(
            &mut file,
            "intake",
            &["organization_ca", "issuer", "lifecycle"],
            base,
        )?;
        if let Some(unknown) = file.keys().next() {
            return Err(format!(
                "unknown section [{unknown}]; known are [telemetry], [tls], [audit], [issuer], [lifecycle] and [intake]"
            ));
        }
        let config = Self {
            telemetry,
            tls: Tls {
                service_ca: base.join(tls.service_ca),
                passphrase_file: base.join(tls.passphrase_file),
            },
            audit,
            issuer: issuer.map(|(shared, own, settings)| IssuerSection {
                shared,
                own,
                settings,
            }),
            lifecycle: lifecycle.map(|(shared, own, settings)| LifecycleSection {
                shared,
                own,
                settings,
            }),
            intake: intake.map(|(shared, own, settings)| IntakeSection {
                shared,
                own,
                settings,
            }),
        };
        Ok(config.resolved(base))
    }

    fn resolved(mut self, base: &Path) -> Self {
        if let Some(issuer) = &mut self.issuer {
            issuer.own.passphrase_file = issuer.own.passphrase_file.take().map(|p| base.join(p));
        }
        if let Some(intake) = &mut self.intake {
            intake.own.organization_ca = base.join(&intake.own.organization_ca);
        }
        self
    }

    /// The shared part of a service's section.
    pub(crate) fn shared(&self, service: ServiceName) -> Option<&Shared> {
        match service {
            ServiceName::Issuer => self.issuer.as_ref().map(|s| &s.shared),
            ServiceName::Lifecycle => self.lifecycle.as_ref().map(|s| &s.shared),
            ServiceName::Intake => self.intake.as_ref().map(|s| &s.shared),
        }
    }
}

type Section<O, S> = Option<(Shared, O, S)>;

/// Takes a section out of the file and reads its three parts.
fn section<O: DeserializeOwned, S: DeserializeOwned>(
    file: &mut Table,
    name: &str,
    own: &[&str],
    base: &Path,
) -> Result<Section<O, S>, String> {
    let Some(value) = file.remove(name) else {
        return Ok(None);
    };
    let Value::Table(mut rest) = value else {
        return Err(format!("[{name}] is no section"));
    };
    let mut take = |keys: &[&str]| -> Value {
        let entries = keys
            .iter()
            .filter_map(|k| rest.remove(*k).map(|v| ((*k).to_owned(), v)));
        Value::Table(entries.collect())
    };
    let (shared, own) = (take(&SHARED), take(own));
    let mut shared: Shared = typed(name, shared)?;
    for path in [
        &mut shared.data,
        &mut shared.certificate,
        &mut shared.key,
        &mut shared.log_key,
    ] {
        *path = base.join(&*path);
    }
    Ok(Some((
        shared,
        typed(name, own)?,
        typed(name, Value::Table(rest))?,
    )))
}

fn typed<T: DeserializeOwned>(section: &str, value: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|e| {
        let (key, why) = (e.path().to_string(), e.inner().message());
        if key == "." {
            format!("[{section}]: {why}")
        } else {
            format!("[{section}] {key}: {why}")
        }
    })
}

#[cfg(test)]
mod tests;
