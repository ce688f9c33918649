//! What an operator may set about the issuer, and what it runs with.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use lgpki_ledger::Identity;
use lgpki_store::{Publishing, Rhythm};
use serde::Deserialize;

/// The issuer's own settings in the configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IssuerConfig {
    /// Threads that build and sign at the same time; 0 means one per core.
    pub signing_threads: u16,
    /// Megabytes of memory for the cache of the log's index, 8 to 65,535.
    pub index_cache_megabytes: u16,
}

impl Default for IssuerConfig {
    fn default() -> Self {
        Self {
            signing_threads: 0,
            index_cache_megabytes: 64,
        }
    }
}

/// A setting cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    /// Too small a cache.
    #[error("issuer.index_cache_megabytes: {0} is too little; write 8 or more")]
    Cache(u16),
}

/// What the issuer runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    log: Identity,
    data_dir: PathBuf,
    signing_threads: Option<NonZeroUsize>,
    cache_bytes: u64,
    publishing: Publishing,
    heartbeats: Option<Rhythm>,
}

impl Settings {
    /// Checks the settings. `log` is whose log it is, `data_dir` the issuer's own directory, such as
    /// `/var/lib/lgpki/issuer`.
    pub fn try_new(
        log: Identity,
        data_dir: impl Into<PathBuf>,
        config: &IssuerConfig,
    ) -> Result<Self, BadSetting> {
        if config.index_cache_megabytes < 8 {
            return Err(BadSetting::Cache(config.index_cache_megabytes));
        }
        Ok(Self {
            log,
            data_dir: data_dir.into(),
            signing_threads: NonZeroUsize::new(config.signing_threads.into()),
            cache_bytes: u64::from(config.index_cache_megabytes) * 1024 * 1024,
            publishing: Publishing::default(),
            heartbeats: None,
        })
    }

    /// The same, with the log published so.
    #[must_use]
    pub fn with_publishing(self, publishing: Publishing) -> Self {
        Self { publishing, ..self }
    }

    /// The same, with heartbeats in the log that often; without this it has none.
    #[must_use]
    pub fn with_heartbeats(self, rhythm: Option<Rhythm>) -> Self {
        Self {
            heartbeats: rhythm,
            ..self
        }
    }

    /// The node's name.
    #[must_use]
    pub fn node(&self) -> &str {
        self.log.node()
    }

    /// Whose log it is.
    #[must_use]
    pub const fn log(&self) -> &Identity {
        &self.log
    }

    /// The issuer's data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(crate) const fn signing_threads(&self) -> Option<NonZeroUsize> {
        self.signing_threads
    }

    pub(crate) const fn heartbeats(&self) -> Option<Rhythm> {
        self.heartbeats
    }

    pub(crate) fn options(&self) -> lgpki_store::Options {
        lgpki_store::Options {
            cache_bytes: self.cache_bytes,
            publish: Some(self.publishing.clone()),
            ..lgpki_store::Options::new(self.log.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_has_a_decent_size() {
        let log = lgpki_testkit::log_identity("issuer-1");
        let config = IssuerConfig::default();
        assert!(Settings::try_new(log.clone(), "x", &config).is_ok());
        let small = IssuerConfig {
            index_cache_megabytes: 7,
            ..config
        };
        assert_eq!(
            Settings::try_new(log, "x", &small),
            Err(BadSetting::Cache(7))
        );
    }
}
