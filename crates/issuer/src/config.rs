//! What an operator may set about the issuer, and what it runs with.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

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
    /// The node's name does not serve as one.
    #[error("node: {0:?} is no name for a node; write 1 to 64 of a-z A-Z 0-9 . _ -")]
    Node(String),
    /// Too small a cache.
    #[error("issuer.index_cache_megabytes: {0} is too little; write 8 or more")]
    Cache(u16),
}

/// What the issuer runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    node: String,
    data_dir: PathBuf,
    signing_threads: Option<NonZeroUsize>,
    cache_bytes: u64,
}

impl Settings {
    /// Checks the settings. `node` is the name that stands in every entry of the log, `data_dir` the
    /// issuer's own directory, such as `/var/lib/lgpki/issuer`.
    pub fn try_new(
        node: &str,
        data_dir: impl Into<PathBuf>,
        config: &IssuerConfig,
    ) -> Result<Self, BadSetting> {
        let is_name = (1..=64).contains(&node.len())
            && node
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if !is_name {
            return Err(BadSetting::Node(node.chars().take(80).collect()));
        }
        if config.index_cache_megabytes < 8 {
            return Err(BadSetting::Cache(config.index_cache_megabytes));
        }
        Ok(Self {
            node: node.to_owned(),
            data_dir: data_dir.into(),
            signing_threads: NonZeroUsize::new(config.signing_threads.into()),
            cache_bytes: u64::from(config.index_cache_megabytes) * 1024 * 1024,
        })
    }

    /// The node's name.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The issuer's data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(crate) const fn signing_threads(&self) -> Option<NonZeroUsize> {
        self.signing_threads
    }

    pub(crate) fn options(&self) -> lgpki_store::Options {
        lgpki_store::Options {
            cache_bytes: self.cache_bytes,
            ..lgpki_store::Options::new(self.node.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_a_plain_name_and_a_cache_a_decent_size() {
        let config = IssuerConfig::default();
        assert!(Settings::try_new("issuer-1", "x", &config).is_ok());
        for wrong in ["", "a b", "発行", "\"", &"n".repeat(65)] {
            let refused = Settings::try_new(wrong, "x", &config);
            assert!(matches!(refused, Err(BadSetting::Node(_))), "{wrong:?}");
        }
        let small = IssuerConfig {
            index_cache_megabytes: 7,
            ..config
        };
        assert_eq!(
            Settings::try_new("a", "x", &small),
            Err(BadSetting::Cache(7))
        );
    }
}
