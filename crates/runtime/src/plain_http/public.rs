//! How much of a plain HTTP port one address may take up, as a configuration file says it.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use serde::Deserialize;

use super::{Limits, TurnedAway};

/// The most connections that may be allowed: each takes a descriptor.
const MOST: u32 = 100_000;
/// The longest that a client may take nothing of an answer, in seconds.
const LONGEST_STALL: u32 = 600;

/// The limits of a port for the public, validated while they are read. What is left out is as usual.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawLimits")]
pub struct PublicLimits {
    connections: Option<usize>,
    per_address: Option<NonZeroU32>,
    stall: Duration,
    proxies: Arc<[IpAddr]>,
}

/// The keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLimits {
    /// Connections at the same time; further ones wait in the operating system's queue.
    connections: Option<u32>,
    /// Connections of one address at the same time, or requests of one where a proxy names it; 0 for no
    /// limit but that of all. Where a whole office comes from one address, it is the office's.
    per_address: u32,
    /// After how many seconds whoever takes nothing of an answer is cut.
    stall_seconds: u32,
    /// The IP addresses of reverse proxies before this port: they have no limit of their own, and whom
    /// they name last in `X-Forwarded-For` is who asks.
    proxies: Vec<IpAddr>,
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            connections: None,
            per_address: 64,
            stall_seconds: 30,
            proxies: Vec::new(),
        }
    }
}

/// These limits let nobody in, or hold nobody back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongLimits {
    /// A number makes no sense.
    #[error("{key}: {value} is not between 1 and {most}")]
    Number {
        /// Of which key.
        key: &'static str,
        /// The number.
        value: u32,
        /// The largest that does.
        most: u32,
    },
    /// One address may have more than all together.
    #[error(
        "per_address: {per_address} is more than the {connections} connections of all; write 0 for no \
         limit of one address"
    )]
    MoreThanAll {
        /// Connections of one address.
        per_address: u32,
        /// Connections of all.
        connections: u32,
    },
}

impl TryFrom<RawLimits> for PublicLimits {
    type Error = WrongLimits;

    fn try_from(raw: RawLimits) -> Result<Self, WrongLimits> {
        for (key, value, most) in [
            ("connections", raw.connections.unwrap_or(MOST), MOST),
            ("stall_seconds", raw.stall_seconds, LONGEST_STALL),
        ] {
            if !(1..=most).contains(&value) {
                return Err(WrongLimits::Number { key, value, most });
            }
        }
        let per_address = raw.per_address;
        if let Some(connections) = raw.connections.filter(|all| per_address > *all) {
            return Err(WrongLimits::MoreThanAll {
                per_address,
                connections,
            });
        }
        let connections = raw.connections.map(usize::try_from);
        Ok(Self {
            connections: connections.map(|all| all.unwrap_or(usize::MAX)),
            per_address: NonZeroU32::new(per_address),
            stall: Duration::from_secs(raw.stall_seconds.into()),
            proxies: raw.proxies.iter().map(IpAddr::to_canonical).collect(),
        })
    }
}

impl Default for PublicLimits {
    fn default() -> Self {
        let usual = RawLimits::default();
        Self {
            connections: None,
            per_address: NonZeroU32::new(usual.per_address),
            stall: Duration::from_secs(usual.stall_seconds.into()),
            proxies: Arc::default(),
        }
    }
}

impl PublicLimits {
    /// For the server of a port that has this many connections unless another number is given.
    #[must_use]
    pub fn of(&self, connections: usize, turned_away: fn(TurnedAway)) -> Limits {
        Limits {
            per_address: self.per_address,
            stall: self.stall,
            proxies: Arc::clone(&self.proxies),
            turned_away,
            ..Limits::new(self.connections.unwrap_or(connections))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PublicLimits, String> {
        toml::from_str(text).map_err(|e| e.message().to_owned())
    }

    #[test]
    fn limits_that_let_nobody_in_or_hold_nobody_back_are_refused() {
        for (text, named) in [
            ("connections = 0", "connections: 0"),
            ("stall_seconds = 0", "stall_seconds: 0"),
            ("stall_seconds = 601", "stall_seconds: 601"),
            ("connections = 63\nper_address = 64", "per_address: 64"),
            ("conections = 63", "conections"),
        ] {
            let why = read(text).unwrap_err();
            assert!(why.contains(named), "{text}: {why}");
        }
    }

    #[test]
    fn what_is_left_out_is_as_usual() {
        let usual = read("").unwrap();
        assert_eq!(usual, PublicLimits::default());
        let limits = usual.of(128, |_| {});
        assert_eq!(limits.connections, 128);
        assert_eq!(limits.per_address, NonZeroU32::new(64));
        let open = read("per_address = 0\nconnections = 7").unwrap();
        let limits = open.of(128, |_| {});
        assert_eq!((limits.connections, limits.per_address), (7, None));
    }
}
