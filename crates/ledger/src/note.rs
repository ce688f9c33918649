//! Signed notes (C2SP signed-note): a text and the signatures of those who stand for it.
//!
//! Reading is strict, so that a note has one spelling: what is read is written again byte for byte.
//! A note says nothing until [`SignedNote::verify`] has accepted a signature by a key that the
//! reader knows already; signatures of other keys are kept and not looked at.

mod key;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lgpki_domain::ErrorClass;

pub(crate) use self::key::COSIGNATURES;
pub use self::key::{LogSigner, NamedKey, NoteSigner, VerifierKey};

/// Signatures that a note may carry.
pub const MAX_SIGNATURES: usize = 100;

/// Bytes that a note may have.
pub const MAX_NOTE_BYTES: usize = 1 << 20;

/// What a signature line begins with: an em dash and a space.
const SIGNATURE: &str = "\u{2014} ";

/// A note or a key cannot be read, or a signature does not stand for its text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not a signed note.
    #[error("this is no signed note: {0}")]
    Malformed(&'static str),
    /// Not the name of a key.
    #[error("a key's name is not empty and holds no space, plus sign or control character: {0:?}")]
    Name(String),
    /// Not a verifier key.
    #[error("this is no verifier key of the form NAME+ID+KEY: {0}")]
    Key(&'static str),
    /// Not a private key that can sign.
    #[error("this is no Ed25519 private key in PKCS#8 form")]
    PrivateKey,
    /// Not a checkpoint.
    #[error("this is no checkpoint: {0}")]
    Checkpoint(&'static str),
    /// The key in question did not sign.
    #[error("the note does not bear the signature of {0}")]
    NotSigned(String),
    /// There is a signature of the key in question, and it is wrong.
    #[error("the signature of {0} does not fit the note's text: the note was changed or forged")]
    WrongSignature(String),
}

impl NoteError {
    /// The class of the failure.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Malformed(_)
            | Self::Name(_)
            | Self::Key(_)
            | Self::PrivateKey
            | Self::Checkpoint(_) => ErrorClass::InvalidInput,
            Self::NotSigned(_) | Self::WrongSignature(_) => ErrorClass::Corrupt,
        }
    }
}

/// The name of a key and, for a log, its origin: a URL without scheme, such as
/// `lgpki.example/audit/issuer/2026`. Not empty, without white space, plus sign or control character.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of what stands under this one. The part holds no character that a name must not.
    pub(crate) fn under(&self, part: impl fmt::Display) -> Self {
        Self(format!("{self}/{part}"))
    }
}

impl FromStr for KeyName {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if text.is_empty() || text.contains(bad) {
            return Err(NoteError::Name(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One signature of a note, by whatever algorithm its key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: KeyName,
    id: u32,
    bytes: Vec<u8>,
}

impl NoteSignature {
    /// A signature of at least one byte by the key of this name and id.
    pub fn try_new(name: KeyName, id: u32, bytes: Vec<u8>) -> Result<Self, NoteError> {
        if bytes.is_empty() {
            return Err(NoteError::Malformed("a signature is empty"));
        }
        Ok(Self { name, id, bytes })
    }

    /// A signature that is not empty by its making.
    pub(crate) const fn of_valid(name: KeyName, id: u32, bytes: Vec<u8>) -> Self {
        Self { name, id, bytes }
    }

    /// The name of the key that is said to have signed.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of that key.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// The signature itself.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads a signature line, without its newline.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::Malformed("a signature line is not of the form — NAME BASE64");
        let rest = line.strip_prefix(SIGNATURE).ok_or(malformed.clone())?;
        let (name, encoded) = rest.split_once(' ').ok_or(malformed.clone())?;
        let bytes = STANDARD.decode(encoded).map_err(|_| malformed.clone())?;
        let (id, bytes) = bytes.split_first_chunk::<4>().ok_or(malformed)?;
        Self::try_new(name.parse()?, u32::from_be_bytes(*id), bytes.to_vec())
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id.to_be_bytes(), self.bytes.as_slice()].concat();
        write!(f, "{SIGNATURE}{} {}", self.name, STANDARD.encode(bytes))
    }
}

/// A text with at least one signature. Its `Display` is the note as it is stored and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// A note of `text`, which ends with a newline and holds no other control character.
    pub fn try_new(text: String, signature: NoteSignature) -> Result<Self, NoteError> {
        if !text.ends_with('\n') {
            return Err(NoteError::Malformed("its text does not end with a newline"));
        }
        no_controls(&text)?;
        Ok(Self::of_valid(text, signature))
    }

    /// A note of a text that is valid by its making.
    pub(crate) fn of_valid(text: String, signature: NoteSignature) -> Self {
        Self {
            text,
            signatures: vec![signature],
        }
    }

    /// Reads a note. Its text means nothing before [`verify`](Self::verify).
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoteError::Malformed("it is longer than 1 MiB"));
        }
        no_controls(note)?;
        let (text, signatures) = note
            .rfind("\n\n")
            .and_then(|at| note.split_at_checked(at + 1))
            .ok_or(NoteError::Malformed(
                "no empty line stands before signatures",
            ))?;
        let signatures = signatures
            .strip_prefix('\n')
            .and_then(|lines| lines.strip_suffix('\n'))
            .ok_or(NoteError::Malformed(
                "it does not end with a whole signature line",
            ))?;
        if signatures.split('\n').count() > MAX_SIGNATURES {
            return Err(NoteError::Malformed("it has more than 100 signatures"));
        }
        let signatures: Result<Vec<_>, _> =
            signatures.split('\n').map(NoteSignature::parse).collect();
        Ok(Self {
            text: text.to_owned(),
            signatures: signatures?,
        })
    }

    /// The text that was signed, with its last newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures in their order.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature, instead of those that bear the same key's name and id.
    pub fn add(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        self.signatures
            .retain(|s| s.name != signature.name || s.id != signature.id);
        if self.signatures.len() >= MAX_SIGNATURES {
            return Err(NoteError::Malformed("it has more than 100 signatures"));
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// Leaves out the signatures that `keep` does not want; a note that would have none stays as it is.
    pub fn retain(&mut self, keep: impl FnMut(&NoteSignature) -> bool) {
        let mut left = self.signatures.clone();
        left.retain(keep);
        if !left.is_empty() {
            self.signatures = left;
        }
    }

    /// Accepts the note if it bears a signature of `key` and each such signature is right.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        self.signed_by(key).map(|_| ())
    }

    /// The signature of `key`, where [`verify`](Self::verify) accepts the note.
    pub fn signed_by(&self, key: &VerifierKey) -> Result<&NoteSignature, NoteError> {
        let mut found = None;
        for signature in &self.signatures {
            if key.is_named_by(signature) {
                if !key.accepts(self.text.as_bytes(), &signature.bytes) {
                    return Err(NoteError::WrongSignature(key.name().to_string()));
                }
                found = Some(signature);
            }
        }
        found.ok_or_else(|| NoteError::NotSigned(key.name().to_string()))
    }
}

impl FromStr for SignedNote {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        Self::parse(note)
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for signature in &self.signatures {
            writeln!(f, "{signature}")?;
        }
        Ok(())
    }
}

/// C2SP signed-note: no character below U+0020 but the newline.
fn no_controls(text: &str) -> Result<(), NoteError> {
    if text.bytes().any(|b| b < 0x20 && b != b'\n') {
        return Err(NoteError::Malformed("it holds a control character"));
    }
    Ok(())
}
