//! `lgpki serve --check`: what can be known without starting.

use std::fs;

use lgpki_keys::{Passphrase, SoftwareKey};
use lgpki_proto::ServiceName;
use lgpki_runtime::telemetry;

use super::parts::{Parts, anchors};
use crate::{
    config::Config,
    error::CommandError,
    output::{Output, table},
};

/// Checks settings, TLS identities, data directories and, for the issuer, that the CA keys open.
pub(super) fn run(
    config: &Config,
    services: &[ServiceName],
    passphrase: Option<&Passphrase>,
    output: Output,
) -> Result<(), CommandError> {
    telemetry::check(&config.telemetry).map_err(|e| CommandError::from_error("[telemetry]", &e))?;
    let parts = Parts::new(config, &super::super::machine())?;
    let mut checked = Vec::new();
    for service in services {
        let Some(shared) = config.shared(*service) else {
            continue;
        };
        let log = parts.log(config, *service, shared)?;
        parts.identity(shared)?;
        checked.push((*service, "log key", log.public().to_string()));
        settings(config, *service, log)?;
        checked.push((*service, "settings and TLS identity", String::from("good")));
        let mut entries =
            fs::read_dir(&shared.data).map_err(|e| CommandError::file("use", &shared.data, &e))?;
        let found = match entries.next() {
            None => "is there, still empty",
            Some(_) => "is there, in use before",
        };
        checked.push((*service, "data directory", String::from(found)));
    }
    if let (Some(issuer), Some(passphrase)) = (&config.issuer, passphrase) {
        let keys = issuer.shared.data.join("keys");
        let files = fs::read_dir(&keys).map_err(|e| CommandError::file("read", &keys, &e))?;
        for file in files {
            let path = file
                .map_err(|e| CommandError::file("read", &keys, &e))?
                .path();
            let key = SoftwareKey::load(&path, passphrase)
                .map_err(|e| CommandError::from_error("a CA key cannot be opened", &e))?;
            let name = path
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default();
            let algorithm = lgpki_keys::Signer::algorithm(&key);
            checked.push((
                ServiceName::Issuer,
                "CA key",
                format!("{name}: {algorithm}, opens"),
            ));
        }
    }
    let json: Vec<_> = checked
        .iter()
        .map(|(service, what, found)| {
            serde_json::json!({ "service": service.name(), "what": what, "found": found })
        })
        .collect();
    output.result(&json, || {
        table(
            &["service", "checked", "found"],
            checked.iter().map(|(s, what, found)| {
                vec![s.name().to_owned(), (*what).to_owned(), found.clone()]
            }),
        )
    });
    Ok(())
}

fn settings(
    config: &Config,
    service: ServiceName,
    log: lgpki_ledger::Identity,
) -> Result<(), CommandError> {
    let wrong = |e: &dyn std::error::Error| CommandError::new(e.to_string());
    match service {
        ServiceName::Issuer => {
            if let Some(s) = &config.issuer {
                lgpki_issuer::Settings::try_new(log, &s.shared.data, &s.settings)
                    .map_err(|e| wrong(&e))?;
            }
        }
        ServiceName::Lifecycle => {
            if let Some(s) = &config.lifecycle {
                lgpki_lifecycle::Settings::try_new(&s.settings, s.shared.data.clone(), log)
                    .map_err(|e| wrong(&e))?;
            }
        }
        ServiceName::Intake => {
            if let Some(s) = &config.intake {
                lgpki_intake::Settings::try_from(s.settings.clone()).map_err(|e| wrong(&e))?;
                anchors(&s.own.organization_ca)?;
            }
        }
    }
    Ok(())
}
