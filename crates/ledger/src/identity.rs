//! Whose log it is: its names, and the key that signs its heads.
//!
//! A service's entries stand in several logs, each with a Merkle tree, a name and checkpoints of its
//! own: one for each year in Japan, and one for keys and ceremonies that is never closed. One key,
//! used for nothing else, signs them all; the name is part of what is signed.

use std::{fmt, str::FromStr, sync::Arc};

use lgpki_domain::Timestamp;

use crate::{
    checkpoint::{Checkpoint, from_head},
    head::SignedHead,
    merkle::{CompactRange, Hash},
    note::{KeyName, NoteError, NoteSigner, SignedNote, VerifierKey},
};

/// One of a service's logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogId {
    /// Every entry of a year in Japan.
    Year(i16),
    /// Every entry about keys and ceremonies, of all years.
    Keys,
}

impl LogId {
    /// The log of the year in which `time` falls in Japan.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        Self::Year(year(time))
    }
}

/// The year in Japan.
pub(crate) fn year(time: Timestamp) -> i16 {
    time.jst_date().parts().0
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Year(year) => write!(f, "{year:04}"),
            Self::Keys => f.write_str("keys"),
        }
    }
}

/// A text is not the name of a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a log: give a year of four digits, or keys")]
pub struct NotALog(String);

impl FromStr for LogId {
    type Err = NotALog;

    fn from_str(text: &str) -> Result<Self, NotALog> {
        if text == "keys" {
            return Ok(Self::Keys);
        }
        let digits = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse() {
            Ok(year) if digits => Ok(Self::Year(year)),
            _ => Err(NotALog(text.to_owned())),
        }
    }
}

/// A log cannot have this identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The node's name.
    #[error(
        "node {0:?} is not a name that can stand in every log entry: give 1 to 64 ASCII letters, digits, \
         dots, hyphens and underscores"
    )]
    Node(String),
    /// The logs' name.
    #[error(transparent)]
    Name(#[from] NoteError),
}

/// The names of a service's logs and who signs them.
#[derive(Clone, Debug)]
pub struct Identity {
    /// What the names of its logs begin with.
    name: KeyName,
    service: String,
    node: String,
    signer: Arc<dyn NoteSigner>,
}

/// The same names and the same key.
impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.node) == (&other.name, &other.node)
            && self.signer.public_key() == other.signer.public_key()
    }
}

impl Eq for Identity {}

impl Identity {
    /// The logs of `service` on `node`, in an installation all of whose logs' names begin with `base`:
    /// a URL without scheme, such as `lgpki.example/audit`.
    pub fn try_new(
        base: &KeyName,
        service: &str,
        node: impl Into<String>,
        signer: Arc<dyn NoteSigner>,
    ) -> Result<Self, IdentityError> {
        let node = node.into();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if !(1..=64).contains(&node.len()) || !node.bytes().all(plain) {
            return Err(IdentityError::Node(node.chars().take(80).collect()));
        }
        Ok(Self {
            name: format!("{base}/{service}").parse()?,
            service: service.to_owned(),
            node,
            signer,
        })
    }

    /// The service.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The node's name, as it stands in every entry.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The name of one of the logs, as its checkpoints say it.
    #[must_use]
    pub fn origin(&self, log: LogId) -> KeyName {
        self.name.under(log)
    }

    /// The key with which the checkpoints of one of the logs are verified.
    #[must_use]
    pub fn verifier(&self, log: LogId) -> VerifierKey {
        VerifierKey::new(self.origin(log), self.signer.public_key())
    }

    /// The key with which the checkpoints of all of the logs are verified, under what their names begin
    /// with.
    #[must_use]
    pub fn public(&self) -> VerifierKey {
        VerifierKey::new(self.name.clone(), self.signer.public_key())
    }

    /// The checkpoint that a head stands for, as it is published.
    #[must_use]
    pub fn checkpoint(&self, log: LogId, head: &SignedHead) -> SignedNote {
        let public = self.signer.public_key();
        from_head(
            &self.origin(log),
            head.size,
            head.root,
            &head.signature,
            public,
        )
    }

    /// The checkpoint of a log with nothing in it. There is one empty tree, which every tree continues,
    /// so that signing it says nothing of the log, however often.
    #[must_use]
    pub fn empty(&self, log: LogId) -> SignedNote {
        let (size, root) = (0, CompactRange::new().root());
        let origin = self.origin(log);
        Checkpoint { origin, size, root }.signed(self.signer.as_ref())
    }

    pub(crate) fn sign(&self, log: LogId, size: u64, root: Hash) -> SignedHead {
        let origin = self.origin(log);
        let checkpoint = Checkpoint { origin, size, root };
        SignedHead {
            size,
            root,
            signature: self.signer.sign(checkpoint.text().as_bytes()),
        }
    }

    /// Whether this identity signed the head.
    #[must_use]
    pub fn signed(&self, log: LogId, head: &SignedHead) -> bool {
        let note = self.checkpoint(log, head);
        note.verify(&self.verifier(log)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_logs_read_back() {
        for log in [LogId::Year(2008), LogId::Year(9999), LogId::Keys] {
            assert_eq!(log.to_string().parse(), Ok(log));
        }
        for text in ["", "key", "208", "+208", "20008", "２００８"] {
            assert!(text.parse::<LogId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_year_begins_at_midnight_in_japan() {
        let before: Timestamp = "2008-12-31T14:59:59.999Z".parse().unwrap();
        assert_eq!(LogId::of(before), LogId::Year(2008));
        assert_eq!(LogId::of(before.plus_millis(1)), LogId::Year(2009));
    }
}
