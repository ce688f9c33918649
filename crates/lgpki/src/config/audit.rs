//! `[audit]`: how the logs are named, published and witnessed.

use lgpki_ledger::{KeyName, WitnessKey};
use lgpki_runtime::http_client::HttpUrl;
use lgpki_store::Rhythm;
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::log_key::log_origin;

/// The longest time that anything here may be set to: a year.
const LONGEST: u64 = 366 * 24 * 3600;

/// `[audit]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Audit {
    /// What the names of all logs begin with.
    #[serde(deserialize_with = "origin")]
    pub(crate) log_origin: KeyName,
    /// Seconds between two publications.
    #[serde(default = "one_second")]
    pub(crate) publish_every_seconds: u64,
    /// For how many seconds what is recorded may stay unpublished before certificates wait.
    #[serde(default = "five_minutes")]
    pub(crate) publication_limit_seconds: u64,
    /// Minutes between two heartbeats in each log.
    #[serde(default = "one_hour")]
    pub(crate) heartbeat_minutes: u16,
    /// Who cosigns.
    #[serde(default)]
    pub(crate) witness: WitnessSection,
}

/// `[audit.witness]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WitnessSection {
    /// The witnesses.
    pub(crate) witnesses: Vec<WitnessAt>,
    /// How many of them must have cosigned.
    pub(crate) required: usize,
    /// For how many seconds they may lag before somebody must look; ten minutes if it is left out.
    pub(crate) lag_limit_seconds: Option<u64>,
    /// For how many seconds they may lag before certificates wait; never if it is left out.
    pub(crate) stop_issuing_after_seconds: Option<u64>,
    /// Whether certificates wait while so many dispute the log, without proof, that the others are too few.
    pub(crate) stop_issuing_when_disputed: bool,
}

/// A witness and where it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WitnessAt {
    /// The address below which `add-checkpoint` is.
    #[serde(deserialize_with = "parsed")]
    pub(crate) url: HttpUrl,
    /// Its key, with its name.
    #[serde(deserialize_with = "parsed")]
    pub(crate) vkey: WitnessKey,
}

impl WitnessSection {
    /// For how many seconds they may lag before somebody must look.
    pub(crate) fn lag_limit(&self) -> u64 {
        self.lag_limit_seconds.unwrap_or(600)
    }
}

impl Audit {
    /// How often heartbeats come.
    pub(crate) fn rhythm(&self) -> Option<Rhythm> {
        Rhythm::try_minutes(self.heartbeat_minutes)
    }

    /// Refuses times and numbers that cannot be meant.
    pub(crate) fn check(&self) -> Result<(), String> {
        let witness = &self.witness;
        let stop = witness.stop_issuing_after_seconds;
        for (key, seconds) in [
            ("[audit] publish_every_seconds", self.publish_every_seconds),
            (
                "[audit] publication_limit_seconds",
                self.publication_limit_seconds,
            ),
            ("[audit.witness] lag_limit_seconds", witness.lag_limit()),
            (
                "[audit.witness] stop_issuing_after_seconds",
                stop.unwrap_or(1),
            ),
        ] {
            if !(1..=LONGEST).contains(&seconds) {
                return Err(format!("{key}: {seconds} is not between 1 and {LONGEST}"));
            }
        }
        if self.publication_limit_seconds <= self.publish_every_seconds {
            return Err(String::from(
                "[audit] publication_limit_seconds: it must be longer than publish_every_seconds, or \
                 certificates would always wait",
            ));
        }
        if stop.is_some_and(|stop| stop <= self.publish_every_seconds) {
            return Err(String::from(
                "[audit.witness] stop_issuing_after_seconds: it must be longer than publish_every_seconds",
            ));
        }
        if self.rhythm().is_none() {
            return Err(format!(
                "[audit] heartbeat_minutes: {} is not between 1 and 1440, a day",
                self.heartbeat_minutes
            ));
        }
        let (required, named) = (witness.required, witness.witnesses.len());
        if required > named {
            return Err(format!(
                "[audit.witness] required: {required} witnesses are wanted and {named} are named"
            ));
        }
        if required == 0 && stop.is_some() {
            return Err(String::from(
                "[audit.witness] stop_issuing_after_seconds: no witness is required, so that it would never \
                 hold; set required",
            ));
        }
        if required == 0 && witness.stop_issuing_when_disputed {
            return Err(String::from(
                "[audit.witness] stop_issuing_when_disputed: no witness is required, so that it would never \
                 hold; set required",
            ));
        }
        Ok(())
    }
}

const fn one_second() -> u64 {
    1
}

const fn one_hour() -> u16 {
    60
}

const fn five_minutes() -> u64 {
    300
}

fn origin<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyName, D::Error> {
    let text = String::deserialize(deserializer)?;
    log_origin(&text).map_err(D::Error::custom)
}

fn parsed<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "witness.example/w1+dd04b1cb+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";

    fn read(text: &str) -> Result<Audit, String> {
        let text = format!("log_origin = \"lgpki.example/audit\"\n{text}");
        let audit: Audit = toml::from_str(&text).map_err(|e| e.to_string())?;
        audit.check().map(|()| audit)
    }

    #[test]
    fn without_a_word_nothing_is_witnessed_and_all_is_as_it_was() {
        let audit = read("").unwrap();
        assert_eq!(
            (audit.publish_every_seconds, audit.publication_limit_seconds),
            (1, 300)
        );
        assert_eq!(audit.rhythm(), Some(Rhythm::default()));
        assert!(audit.witness.witnesses.is_empty());
        assert_eq!(audit.witness.lag_limit(), 600);
        assert!(!audit.witness.stop_issuing_when_disputed);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_key() {
        for (text, key) in [
            ("publish_every_seconds = 0", "publish_every_seconds"),
            ("publish_every_seconds = 300", "publication_limit_seconds"),
            ("heartbeat_minutes = 0", "heartbeat_minutes"),
            ("heartbeat_minutes = 1441", "heartbeat_minutes"),
            ("[witness]\nrequired = 1", "required"),
            ("[witness]\nlag_limit_seconds = 0", "lag_limit_seconds"),
            (
                "[witness]\nstop_issuing_after_seconds = 60",
                "stop_issuing_after_seconds",
            ),
            (
                "[witness]\nstop_issuing_when_disputed = true",
                "stop_issuing_when_disputed",
            ),
            (
                "[witness]\nwitnesses = [{ url = \"https://h\", vkey = \"KEY\" }]",
                "http://",
            ),
            (
                "[witness]\nwitnesses = [{ url = \"http://h\", vkey = \"x+1+x\" }]",
                "verifier key",
            ),
            ("[witness]\nsomething = 1", "something"),
        ] {
            let refused = read(&text.replace("KEY", KEY)).unwrap_err();
            assert!(refused.contains(key), "{text}: {refused}");
        }
    }
}
