//! The services' log keys: made by `init`, opened by whatever opens a service's log.
//!
//! One Ed25519 key for each service, in a file that the passphrase of the TLS keys opens, signs the
//! heads of that service's logs and nothing else. Its public part is for auditors, who must get it
//! another way than from the logs that it signs.

use std::{path::Path, sync::Arc};

use lgpki_domain::KeyAlgorithm;
use lgpki_keys::{Passphrase, PassphraseSource, SoftwareKey};
use lgpki_ledger::{Identity, KeyName, LogSigner};
use lgpki_proto::ServiceName;

use crate::{
    config::{Config, Shared},
    error::CommandError,
};

/// What stands in for the installation's own name where it has none.
const NOBODY: &str = "lgpki.invalid";

/// What the names of all logs begin with, unless it is chosen: the host of `publication_url`, if that is a
/// name.
pub(crate) fn usual_origin(publication_url: &str) -> Result<KeyName, CommandError> {
    let rest = publication_url
        .split_once("://")
        .map_or(publication_url, |(_, rest)| rest);
    let host = rest.split(['/', ':', '?', '#']).next().unwrap_or_default();
    let is_name = host.contains(|c: char| c.is_ascii_alphabetic()) && host.contains('.');
    let host = if is_name { host } else { NOBODY };
    log_origin(&format!("{host}/audit")).map_err(CommandError::new)
}

/// Reads what the names of all logs begin with.
pub(crate) fn log_origin(text: &str) -> Result<KeyName, String> {
    let wrong = || {
        "write a URL without https:// and without a slash at its end, such as lgpki.example/audit"
            .to_owned()
    };
    if text.contains("://") || text.starts_with('/') || text.ends_with('/') {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}

/// A new log key.
pub(crate) fn generate() -> Result<SoftwareKey, CommandError> {
    SoftwareKey::generate(KeyAlgorithm::Ed25519)
        .map_err(|e| CommandError::from_error("cannot make a log key", &e))
}

/// The identity of the logs of `service` on `node`, signed by `key`.
pub(crate) fn identity(
    origin: &KeyName,
    service: ServiceName,
    node: &str,
    key: &SoftwareKey,
) -> Result<Identity, CommandError> {
    let failed = |e: &dyn std::error::Error| {
        CommandError::from_error(&format!("the log key of {service} cannot be used"), e)
    };
    let der = key.to_pkcs8_der().map_err(|e| failed(&e))?;
    let signer = LogSigner::from_pkcs8(&der).map_err(|e| failed(&e))?;
    Identity::try_new(origin, service.name(), node, Arc::new(signer))
        .map_err(|e| CommandError::from_error(&format!("[{service}]"), &e))
}

/// The passphrase of the services' TLS and log keys.
pub(crate) fn services_passphrase(config: &Config) -> Result<Passphrase, CommandError> {
    PassphraseSource::File(config.tls.passphrase_file.clone())
        .read()
        .map_err(|e| CommandError::from_error("cannot read tls.passphrase_file", &e))
}

/// The identity of a configured service's logs, its key decrypted.
pub(crate) fn load(
    config: &Config,
    service: ServiceName,
    shared: &Shared,
    passphrase: &Passphrase,
) -> Result<Identity, CommandError> {
    let key = SoftwareKey::load(&shared.log_key, passphrase).map_err(|e| {
        let what = format!("the log key {} cannot be opened", shared.log_key.display());
        let error = CommandError::from_error(&what, &e);
        error.hint(missing(&shared.log_key, service))
    })?;
    identity(&config.audit.log_origin, service, &shared.node, &key)
}

fn missing(path: &Path, service: ServiceName) -> String {
    if path.exists() {
        return String::from(
            "it must be the file that `lgpki init` made, and tls.passphrase_file its passphrase",
        );
    }
    format!(
        "`lgpki init` made it as tls/{service}.log-key.pem: restore it from a copy and name it as \
         [{service}] log_key; without it the service's log cannot go on"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logs_are_named_after_the_host_of_publication_if_it_has_a_name() {
        for (url, origin) in [
            ("http://127.0.0.1:7446", "lgpki.invalid/audit"),
            ("http://localhost:7446", "lgpki.invalid/audit"),
            ("http://[::1]:7446", "lgpki.invalid/audit"),
            ("http://crl.lgpki.example:80/x", "crl.lgpki.example/audit"),
        ] {
            assert_eq!(usual_origin(url).unwrap().as_str(), origin, "{url}");
        }
    }

    #[test]
    fn a_scheme_or_a_slash_at_the_end_is_refused() {
        for wrong in ["", "https://lgpki.example", "a/", "/a", "a b", "a+b"] {
            assert!(log_origin(wrong).is_err(), "{wrong}");
        }
        assert!(log_origin("lgpki.example/audit").is_ok());
    }
}
