//! How much of the public HTTP port one address may take up.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use lgpki_runtime::plain_http::Limits;
use serde::Deserialize;

use crate::{error::LifecycleError, metrics};

/// The most connections that may be allowed: each takes a descriptor.
const MOST: u32 = 100_000;
/// The longest that a client may take nothing of an answer, in seconds.
const LONGEST_STALL: u32 = 600;

/// `publication_limits` in section `[lifecycle]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PublicConfig {
    /// Connections at the same time; further ones wait in the operating system's queue.
    pub connections: u32,
    /// Connections of one address at the same time, or requests of one where a proxy names it; 0 for no
    /// limit but that of all. Where a whole office comes from one address, it is the office's.
    pub per_address: u32,
    /// After how many seconds whoever takes nothing of an answer is cut.
    pub stall_seconds: u32,
    /// The IP addresses of reverse proxies before this port: they have no limit of their own, and whom
    /// they name last in `X-Forwarded-For` is who asks.
    pub proxies: Vec<IpAddr>,
}

impl Default for PublicConfig {
    fn default() -> Self {
        Self {
            connections: 1_024,
            per_address: 64,
            stall_seconds: 30,
            proxies: Vec::new(),
        }
    }
}

/// Validated limits of the public HTTP port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicSettings {
    connections: usize,
    per_address: Option<NonZeroU32>,
    stall: Duration,
    proxies: Arc<[IpAddr]>,
}

impl PublicSettings {
    /// Checks the key.
    pub fn try_new(config: &PublicConfig) -> Result<Self, LifecycleError> {
        for (name, value, most) in [
            ("connections", config.connections, MOST),
            ("stall_seconds", config.stall_seconds, LONGEST_STALL),
        ] {
            if !(1..=most).contains(&value) {
                return Err(LifecycleError::Settings(format!(
                    "publication_limits.{name}: {value} is not between 1 and {most}"
                )));
            }
        }
        if config.per_address > config.connections {
            return Err(LifecycleError::Settings(format!(
                "publication_limits.per_address: {} is more than the {} connections of all; write 0 for \
                 no limit of one address",
                config.per_address, config.connections
            )));
        }
        Ok(Self {
            connections: usize::try_from(config.connections).unwrap_or(usize::MAX),
            per_address: NonZeroU32::new(config.per_address),
            stall: Duration::from_secs(config.stall_seconds.into()),
            proxies: config.proxies.iter().map(IpAddr::to_canonical).collect(),
        })
    }

    /// For the server.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            per_address: self.per_address,
            stall: self.stall,
            proxies: Arc::clone(&self.proxies),
            turned_away: metrics::turned_away,
            ..Limits::new(self.connections)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_let_nobody_in_or_hold_nobody_back_are_refused() {
        let base = PublicConfig::default();
        assert!(PublicSettings::try_new(&base).is_ok());
        let open = PublicConfig {
            per_address: 0,
            ..base.clone()
        };
        let open = PublicSettings::try_new(&open).unwrap();
        assert_eq!(open.limits().per_address, None);
        for config in [
            PublicConfig {
                connections: 0,
                ..base.clone()
            },
            PublicConfig {
                stall_seconds: 0,
                ..base.clone()
            },
            PublicConfig {
                connections: 63,
                ..base.clone()
            },
        ] {
            assert!(PublicSettings::try_new(&config).is_err(), "{config:?}");
        }
    }
}
