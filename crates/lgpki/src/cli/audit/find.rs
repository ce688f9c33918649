//! What an incident is about.

use std::path::PathBuf;

use clap::Args;
use lgpki_audit::find::{Query, State};
use lgpki_domain::{
    Authority, BodyCode, CertificateKind, Digest, JstDate, KeyAlgorithm, Timestamp,
};

use super::KeyArgs;
use crate::cli::inventory::kind;

pub(super) const HELP: &str = "\
Examples:
  lgpki audit find audit --issued-from 2011-02-01 --issued-to 2011-02-03T12:00:00+09:00
  lgpki audit find audit --examiner 52cd9b1e2a7f4c0d8e6b3a5f1c2d4e70 --state valid
  lgpki audit find audit --caller operator --kind login --json
  lgpki audit find audit --key-algorithm rsa-2048 --profile 1 --body 北海道模擬団体001

From an incident to the revocation, here of what one operator's stolen login approved:
  lgpki audit find audit --examiner 52cd9b1e2a7f4c0d8e6b3a5f1c2d4e70 --state valid --serials affected.txt
  lgpki operator --as offices/operator-1 revoke-many --serials affected.txt --reason superseded \\
      --examined-by 運営主体                    (shows what would be revoked, and a token)
  … the same with --confirm and the token that was shown

All that is given must fit; of what is repeated, any one. An actor of the log, such as \
branch-officer/01001/41ab…, is meant by the whole text or by one of its parts. Every entry is compared \
with its log's signed tree; `lgpki audit verify` holds the entries against each other. OCSP responders' \
certificates and those between CAs stand on the list only where --kind names them.";

/// Which certificates to find.
#[derive(Clone, Debug, Args)]
pub(crate) struct FindArgs {
    /// The directory with `intake`, `issuer` and `lifecycle`.
    dir: PathBuf,
    /// Issued at this time or later; a day in Japan, or a time such as 2011-02-03T12:00:00+09:00.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    issued_from: Option<Instant>,
    /// Issued at this time or earlier; a day counts whole.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    issued_to: Option<Instant>,
    /// Issued to this branch, by its body's code; may be repeated, as all that follows.
    #[arg(long = "branch", value_name = "CODE")]
    branches: Vec<BodyCode>,
    /// Of this body, as the subject names it in English or Japanese, spelled in full.
    #[arg(long = "body", value_name = "NAME")]
    bodies: Vec<String>,
    /// Of this kind.
    #[arg(long = "kind", value_name = "KIND", value_parser = kind)]
    kinds: Vec<CertificateKind>,
    /// Made by this version of its kind's profile.
    #[arg(long = "profile", value_name = "VERSION")]
    profiles: Vec<u32>,
    /// Of a key of this algorithm: rsa-2048, rsa-3072, rsa-4096, p-256, p-384, ed25519.
    #[arg(long = "key-algorithm", value_name = "NAME", value_parser = algorithm)]
    algorithms: Vec<KeyAlgorithm>,
    /// Of the key with this SHA-256 of its SubjectPublicKeyInfo, in hexadecimal.
    #[arg(long = "key-digest", value_name = "SHA256")]
    digests: Vec<Digest>,
    /// Signed by this CA, such as organization, or by one generation of its key, such as organization-2.
    #[arg(long = "ca", value_name = "CA", value_parser = authority)]
    authorities: Vec<(Authority, Option<u32>)>,
    /// Signed in this epoch of the issuer; each of its starts begins one.
    #[arg(long = "epoch", value_name = "NUMBER")]
    epochs: Vec<u64>,
    /// Approved by this operator: the login's serial number, or the digest of the subject, which outlives
    /// a login. `intake` approves what needs no operator.
    #[arg(long = "examiner", value_name = "ACTOR")]
    examiners: Vec<String>,
    /// Examined by this office of the branch, as `--examined-by` named it.
    #[arg(long = "examined-by", value_name = "OFFICE")]
    offices: Vec<String>,
    /// Submitted by this caller: a login's serial number, a body's code, a role.
    #[arg(long = "caller", value_name = "ACTOR")]
    callers: Vec<String>,
    /// In this state at the time of the logs: valid, expired, revoked.
    #[arg(long = "state", value_name = "STATE", value_parser = state)]
    states: Vec<State>,
    /// Write the serial numbers to this file, as `lgpki operator revoke-many --serials` reads them.
    #[arg(long, value_name = "FILE")]
    pub(crate) serials: Option<PathBuf>,
    /// How many to show at most; --json and --serials have all of them.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) most: usize,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
}

impl FindArgs {
    /// The directory with the logs.
    pub(crate) const fn dir(&self) -> &PathBuf {
        &self.dir
    }

    /// What is asked of the logs.
    pub(crate) fn query(&self) -> Query {
        Query {
            issued_from: self.issued_from.map(Instant::first),
            issued_to: self.issued_to.map(Instant::last),
            branches: self.branches.clone(),
            bodies: self.bodies.clone(),
            kinds: self.kinds.clone(),
            profiles: self.profiles.clone(),
            algorithms: self.algorithms.clone(),
            keys: self.digests.clone(),
            authorities: self.authorities.clone(),
            epochs: self.epochs.clone(),
            examiners: self.examiners.clone(),
            offices: self.offices.clone(),
            callers: self.callers.clone(),
            states: self.states.clone(),
        }
    }

    /// Whether a kind was named.
    pub(crate) fn names(&self, kind: CertificateKind) -> bool {
        self.kinds.contains(&kind)
    }
}

/// A day or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instant {
    Day(JstDate),
    At(Timestamp),
}

impl Instant {
    fn first(self) -> Timestamp {
        match self {
            Self::Day(day) => day.start(),
            Self::At(time) => time,
        }
    }

    fn last(self) -> Timestamp {
        match self {
            Self::Day(day) => day.plus_days(1).start().plus_millis(-1),
            Self::At(time) => time,
        }
    }
}

fn instant(text: &str) -> Result<Instant, String> {
    let day = text.parse().map(Instant::Day).ok();
    day.or_else(|| text.parse().map(Instant::At).ok())
        .ok_or_else(|| {
            "write a day such as 2011-02-03 or a time such as 2011-02-03T12:00:00+09:00".to_owned()
        })
}

fn algorithm(text: &str) -> Result<KeyAlgorithm, String> {
    KeyAlgorithm::parse(text).ok_or_else(|| {
        let names = KeyAlgorithm::ALL.map(KeyAlgorithm::name);
        format!("the algorithms are {}", names.join(", "))
    })
}

fn authority(text: &str) -> Result<(Authority, Option<u32>), String> {
    let (name, generation) = match text.split_once('-') {
        None => (text, None),
        Some((name, generation)) => (name, Some(generation)),
    };
    let wrong =
        || "write a CA such as organization, or one of its keys such as organization-2".to_owned();
    let generation = generation.map(|n| n.parse().map_err(|_| wrong()));
    Ok((
        Authority::parse(name).ok_or_else(wrong)?,
        generation.transpose()?,
    ))
}

fn state(text: &str) -> Result<State, String> {
    State::parse(text).ok_or_else(|| {
        let names = State::ALL.map(State::name);
        format!("the states are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_counts_whole_and_a_time_is_itself() {
        let day = instant("2011-02-03").unwrap();
        assert_eq!(day.first().to_string(), "2011-02-03T00:00:00.000+09:00");
        assert_eq!(day.last().to_string(), "2011-02-03T23:59:59.999+09:00");
        let time = instant("2011-02-03T03:00:00Z").unwrap();
        assert_eq!(time.first(), time.last());
        assert_eq!(time.first().to_string(), "2011-02-03T12:00:00.000+09:00");
        assert!(instant("yesterday").is_err());
    }

    #[test]
    fn a_ca_is_named_with_or_without_a_generation() {
        assert_eq!(
            authority("organization"),
            Ok((Authority::Organization, None))
        );
        assert_eq!(
            authority("application-2"),
            Ok((Authority::Application, Some(2)))
        );
        assert!(authority("nobody").is_err());
        assert!(authority("application-x").is_err());
    }
}
