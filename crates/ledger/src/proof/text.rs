//! A proof as a file that stands alone (C2SP tlog-proof): index, inclusion proof and checkpoint.
//!
//! Whoever holds the entry, this file and the log's verifier key can check without asking anyone
//! that the entry is in the log.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::check_inclusion;
use crate::{
    checkpoint::Checkpoint,
    merkle::{Hash, leaf},
    note::{NoteError, SignedNote, VerifierKey},
    published::TreeError,
};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// The longest inclusion proof: a tree of 2^63 entries.
const MAX_HASHES: usize = 63;

/// That an entry is in a log. Its `Display` is the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogProof {
    /// What the application adds, authenticated by nothing; here, usually the entry.
    pub extra: Option<Vec<u8>>,
    /// The entry's place in the log.
    pub index: u64,
    /// The inclusion proof.
    pub hashes: Vec<Hash>,
    /// The checkpoint whose tree holds the entry.
    pub checkpoint: SignedNote,
}

impl LogProof {
    /// Accepts the proof if it shows that `entry` is in the log of `key`; returns the checkpoint.
    pub fn check(&self, entry: &[u8], key: &VerifierKey) -> Result<Checkpoint, TreeError> {
        self.checkpoint.verify(key)?;
        let checkpoint = Checkpoint::parse(self.checkpoint.text())?;
        if checkpoint.origin != *key.name() {
            let other = NoteError::Checkpoint("it is of a log of another name");
            return Err(other.into());
        }
        let head = (checkpoint.size, &checkpoint.root);
        check_inclusion(&leaf(entry), self.index, head, &self.hashes)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for LogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", STANDARD.encode(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for LogProof {
    type Err = TreeError;

    fn from_str(text: &str) -> Result<Self, TreeError> {
        let bad = TreeError::Proof;
        let form = || bad("it is not of the form of C2SP tlog-proof");
        let (head, checkpoint) = text.split_once("\n\n").ok_or_else(form)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(form());
        }
        let mut line = lines.next().ok_or_else(form)?;
        let mut extra = None;
        if let Some(encoded) = line.strip_prefix("extra ") {
            extra = Some(STANDARD.decode(encoded).map_err(|_| form())?);
            line = lines.next().ok_or_else(form)?;
        }
        let number = line.strip_prefix("index ").ok_or_else(form)?;
        let index: u64 = number.parse().map_err(|_| form())?;
        if index.to_string() != number {
            return Err(form());
        }
        let mut hashes = Vec::new();
        for line in lines {
            let hash = STANDARD.decode(line).ok().and_then(|h| h.try_into().ok());
            hashes.push(hash.ok_or_else(form)?);
            if hashes.len() > MAX_HASHES {
                return Err(bad("it has too many hashes"));
            }
        }
        Ok(Self {
            extra,
            index,
            hashes,
            checkpoint: checkpoint.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::node;

    /// A log of two entries, signed with a fixed key.
    fn proof() -> (LogProof, VerifierKey) {
        let mut der = vec![
            0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
        ];
        der.extend_from_slice(&[5; 32]);
        let signer = crate::LogSigner::from_pkcs8(&der).unwrap();
        let checkpoint = Checkpoint {
            origin: "lgpki.example/audit/issuer/2026".parse().unwrap(),
            size: 2,
            root: node(&leaf(b"{}"), &leaf(b"[]")),
        };
        let public = crate::NoteSigner::public_key(&signer);
        let key = VerifierKey::new(checkpoint.origin.clone(), public);
        let proof = LogProof {
            extra: Some(b"[]".to_vec()),
            index: 1,
            hashes: vec![leaf(b"{}")],
            checkpoint: checkpoint.signed(&signer),
        };
        (proof, key)
    }

    #[test]
    fn a_proof_reads_back_and_stands_alone() {
        let (proof, key) = proof();
        let again: LogProof = proof.to_string().parse().unwrap();
        assert_eq!(again, proof);
        assert_eq!(again.check(b"[]", &key).unwrap().size, 2);
        assert!(again.check(b"{}", &key).is_err());
        let other = VerifierKey::new("elsewhere".parse().unwrap(), *key.public());
        assert!(again.check(b"[]", &other).is_err());
        let mut without = proof.clone();
        without.extra = None;
        assert_eq!(without.to_string().parse::<LogProof>().unwrap(), without);
    }

    #[test]
    fn every_other_form_is_refused() {
        let text = proof().0.to_string();
        for (from, to) in [
            ("@v1", "@v2"),
            ("index 1", "index 01"),
            ("index 1", "index +1"),
            ("index 1", "index"),
            ("index 1\n", ""),
            ("extra ", "extra"),
            ("extra W", "extra -"),
            ("\n\n", "\n"),
            ("index 1\n", "index 1\nAAAA\n"),
        ] {
            let bad = text.replacen(from, to, 1);
            assert_ne!(bad, text);
            assert!(bad.parse::<LogProof>().is_err(), "{bad}");
        }
        let hash = format!("{}\n", STANDARD.encode([0; 32]));
        let long = text.replacen("index 1\n", &format!("index 1\n{}", hash.repeat(64)), 1);
        assert!(long.parse::<LogProof>().is_err());
    }
}
