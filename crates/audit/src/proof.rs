//! A proof that stands alone: one small file that shows that a certificate was recorded.
//!
//! It is a C2SP tlog-proof whose extra data is the entry itself, which holds the certificate. Whoever
//! has the log's verifier key needs nothing else to check it.

use std::sync::Arc;

use lgpki_domain::Serial;
use lgpki_ledger::{
    Checkpoint, LogProof, OsDisk, TileReader, TreeError, VerifierKey, published::Directory,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    directory::{LogDir, Published, key_of},
    error::AuditError,
    fact::Service,
    schema::Schema,
};

/// Opens a log at its checkpoint, which must bear the signature of one of these keys or, with none,
/// of the key beside it.
pub(crate) fn reader(
    log: &LogDir,
    keys: &[VerifierKey],
) -> Result<(TileReader, Checkpoint, lgpki_ledger::SignedNote), AuditError> {
    let wrong = |why: String| AuditError::Unreadable {
        path: log.path.clone(),
        why,
    };
    let key = log.signer(keys)?;
    let source = Arc::new(Directory::new(Arc::new(OsDisk), log.path.clone()));
    TileReader::open(source, &key).map_err(|error| wrong(chain(&error)))
}

/// An error with its sources in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// Checks a proof with the key of its log among those known; gives the checkpoint that it is of.
pub fn check_proof(proof: &LogProof, keys: &[VerifierKey]) -> Result<Checkpoint, AuditError> {
    let wrong = |why: String| AuditError::NotFound(format!("the proof does not hold: {why}"));
    let head = Checkpoint::parse(proof.checkpoint.text()).map_err(|e| wrong(chain(&e)))?;
    let key = key_of(keys, &head.origin).ok_or_else(|| {
        wrong(format!(
            "no verifier key of the log {} is known",
            head.origin
        ))
    })?;
    let entry = proof.extra.as_deref().unwrap_or_default();
    let head = proof
        .check(entry, &key)
        .map_err(|error| wrong(chain(&error)))?;
    // A service's key stands for what that service may write, and for nothing else.
    let mut names = head.origin.as_str().rsplit('/').skip(1);
    let service = names.next().and_then(Service::parse);
    let written = service.zip(read_entry(entry));
    let schema = Schema::embedded()?;
    let kind = written.and_then(|(of, entry)| schema.find(of.name(), &entry.kind, entry.v));
    if kind.is_none() {
        let what = format!("no such entry is written to the log {}", head.origin);
        return Err(wrong(what));
    }
    Ok(head)
}

/// The proof that a certificate was recorded as issued.
pub fn prove(
    published: &Published,
    serial: Serial,
    keys: &[VerifierKey],
) -> Result<LogProof, AuditError> {
    for log in published.years(Service::Issuer).rev() {
        let (reader, _, checkpoint) = reader(log, keys)?;
        if let Some(proof) =
            find(&reader, serial, checkpoint).map_err(|error| AuditError::Unreadable {
                path: log.path.clone(),
                why: chain(&error),
            })?
        {
            return Ok(proof);
        }
    }
    Err(AuditError::NotFound(format!(
        "the issuer's logs hold no certificate with the serial number {serial}"
    )))
}

fn find(
    reader: &TileReader,
    serial: Serial,
    checkpoint: lgpki_ledger::SignedNote,
) -> Result<Option<LogProof>, TreeError> {
    let certificate = format!("\"certificate\":\"{serial}\"");
    let is_it = |entry: &[u8]| {
        // What it is about stands first.
        let about = &entry[..entry.len().min(300)];
        about
            .windows(certificate.len())
            .any(|part| part == certificate.as_bytes())
            && read_entry(entry).is_some_and(|entry| entry.kind == "certificate.issued")
    };
    for number in 0..reader.bundles() {
        let bundle = reader.bundle(number)?;
        let found = bundle.iter().position(is_it);
        let Some((at, entry)) = found.and_then(|at| Some((at, bundle.entry(at)?))) else {
            continue;
        };
        let index = number * 256 + at as u64;
        return Ok(Some(LogProof {
            extra: Some(entry.to_vec()),
            index,
            hashes: reader.inclusion(index)?,
            checkpoint,
        }));
    }
    Ok(None)
}

/// An entry's own words.
#[derive(Debug, Deserialize)]
pub struct EntryText<'a> {
    /// What it is about.
    #[serde(default)]
    pub about: About,
    /// Who did it.
    pub actor: String,
    /// The entry it answers.
    pub answers: Option<Answered>,
    /// The body.
    #[serde(borrow)]
    pub body: &'a RawValue,
    /// The kind.
    pub kind: String,
    /// The node.
    pub node: String,
    /// When.
    pub time: String,
    /// The version of its body.
    pub v: u64,
}

/// What an entry is about.
#[derive(Debug, Default, Deserialize)]
pub struct About {
    /// An application.
    pub application: Option<String>,
    /// A certificate's serial number.
    pub certificate: Option<String>,
    /// A digest.
    pub digest: Option<String>,
}

/// An entry of some log.
#[derive(Debug, Deserialize)]
pub struct Answered {
    /// Its index.
    pub index: u64,
    /// The service.
    pub log: String,
}

/// Reads an entry's own words; none if it is no entry.
#[must_use]
pub fn read_entry(bytes: &[u8]) -> Option<EntryText<'_>> {
    serde_json::from_slice(bytes).ok()
}
