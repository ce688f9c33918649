//! What an audit tells: what was looked at, how much of it, and what does not hold.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    finding::{Finding, Rule},
    rules::{Heartbeats, Open, WithoutApplication},
};

/// What an audit tells.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The logs, as their checkpoints sign for them.
    pub logs: Vec<Checked>,
    /// Entries that were read.
    pub entries: u64,
    /// How many of each kind.
    pub kinds: Vec<Counted>,
    /// The CAs, every generation of their keys; compare the digests with those published elsewhere.
    pub authorities: Vec<Ca>,
    /// How many applications there are.
    pub applications: u64,
    /// The certificates.
    pub certificates: Certificates,
    /// CRLs that were made anew from the log and are the ones that were signed and published.
    pub crls: u64,
    /// What the logs' heartbeats tell.
    pub heartbeats: Heartbeats,
    /// What is not over yet.
    pub open: Open,
    /// What looks odd and breaks no rule.
    pub notes: Vec<String>,
    /// How many findings there are, by rule.
    pub counts: BTreeMap<&'static str, u64>,
    /// The findings; of one rule a thousand at most.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.counts.is_empty()
    }

    /// Whether the trees hold from which everything was read: otherwise what the entries say is nobody's
    /// word.
    #[must_use]
    pub fn trees_hold(&self) -> bool {
        let mut rules = Rule::ALL.iter().filter(|rule| rule.is_of_trees());
        !rules.any(|rule| self.counts.contains_key(rule.name()))
    }
}

/// A log that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// The service.
    pub service: String,
    /// The log.
    pub log: String,
    /// Its name in checkpoints.
    pub origin: String,
    /// How many leaves it has, the opening entry among them.
    pub size: u64,
    /// Its root, in hexadecimal.
    pub root: String,
    /// Tiles that hold the hashes of the entries.
    pub tiles: u64,
    /// Whether this tree holds: signature, cosignatures that are wanted, root, and what was seen before.
    pub holds: bool,
    /// Who cosigned it, of the witnesses that are wanted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cosigned: Vec<Cosigned>,
}

/// A witness that cosigned a checkpoint.
#[derive(Clone, Debug, Serialize)]
pub struct Cosigned {
    /// Its name.
    pub witness: String,
    /// When it did.
    pub time: String,
}

/// Entries of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct Counted {
    /// The service.
    pub service: &'static str,
    /// The kind.
    pub kind: String,
    /// How many.
    pub count: u64,
}

/// A CA's key.
#[derive(Clone, Debug, Serialize)]
pub struct Ca {
    /// Its name and generation.
    pub name: String,
    /// SHA-256 of its certificate.
    pub digest: String,
}

/// The certificates.
#[derive(Clone, Debug, Serialize)]
pub struct Certificates {
    /// How many were issued.
    pub issued: u64,
    /// How many are revoked, serial numbers given up among them.
    pub revoked: u64,
    /// Those that no application asked for: of ceremonies, and OCSP responders'.
    pub without_application: Vec<WithoutApplication>,
}
