//! The keys of notes: who may sign as a log or as a witness, and how others recognize that they did.
//!
//! A verifier key is one line of text, `NAME+ID+KEY`. The id is no protection, only a hint which key
//! to try: it is SHA-256 over the name, a newline, the algorithm's byte and the public key, cut to
//! four bytes, so one key has another id under each log's name.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use super::{KeyName, NoteError, NoteSignature};
use crate::{identity::LogId, merkle::sha256};

/// C2SP signed-note: the byte that stands for Ed25519.
const SIGNATURES: u8 = 1;
/// C2SP tlog-cosignature: the byte that stands for an Ed25519 cosignature with a time.
pub(crate) const COSIGNATURES: u8 = 4;

/// Whoever can sign a note's text with Ed25519.
pub trait NoteSigner: Send + Sync + fmt::Debug {
    /// The public key.
    fn public_key(&self) -> [u8; 32];

    /// Signs a note's text.
    fn sign(&self, text: &[u8]) -> [u8; 64];
}

/// A key that signs a service's checkpoints, and nothing else.
pub struct LogSigner(Ed25519KeyPair);

impl LogSigner {
    /// Reads an Ed25519 private key, PKCS#8 in DER; where that holds the public key too, both must
    /// belong together.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, NoteError> {
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
            .map(Self)
            .map_err(|_| NoteError::PrivateKey)
    }
}

impl NoteSigner for LogSigner {
    fn public_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.public_key().as_ref());
        key
    }

    fn sign(&self, text: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.0.sign(text).as_ref());
        signature
    }
}

/// Shows the public key only.
impl fmt::Debug for LogSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogSigner")
            .field(&STANDARD.encode(self.public_key()))
            .finish()
    }
}

/// An Ed25519 public key under a name, used as the algorithm's byte of C2SP signed-note says. Its
/// `Display` is the line that is given to whoever relies on it; one of another algorithm is never read as
/// this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedKey<const ALGORITHM: u8> {
    name: KeyName,
    public: [u8; 32],
}

/// The key of a log: it signs checkpoints.
pub type VerifierKey = NamedKey<SIGNATURES>;

impl<const ALGORITHM: u8> NamedKey<ALGORITHM> {
    /// The key of this name.
    #[must_use]
    pub const fn new(name: KeyName, public: [u8; 32]) -> Self {
        Self { name, public }
    }

    /// The name that stands before its signatures.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The Ed25519 public key.
    #[must_use]
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The id that its signatures bear.
    #[must_use]
    pub fn id(&self) -> u32 {
        let parts = [
            self.name.as_str().as_bytes(),
            &[b'\n', ALGORITHM],
            &self.public,
        ];
        let [a, b, c, d, ..] = sha256(&parts);
        u32::from_be_bytes([a, b, c, d])
    }

    /// Whether a signature says that it is this key's.
    #[must_use]
    pub fn is_named_by(&self, signature: &NoteSignature) -> bool {
        signature.name == self.name && signature.id == self.id()
    }
}

impl VerifierKey {
    /// The key of the log `origin`, if this key is the one of that name, or signs all logs below its name
    /// and this is one of them.
    #[must_use]
    pub fn of_log(&self, origin: &KeyName) -> Option<Self> {
        let below = origin.as_str().strip_prefix(self.name.as_str())?;
        let is_log = |part: &str| part.parse::<LogId>().is_ok();
        let ours = below.is_empty() || below.strip_prefix('/').is_some_and(is_log);
        ours.then(|| Self::new(origin.clone(), self.public))
    }

    /// Whether `signature` is this key's over `text`.
    #[must_use]
    pub fn accepts(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public)
            .verify(text, signature)
            .is_ok()
    }

    /// A signature that this key is said to have made, for a note.
    #[must_use]
    pub fn signature(&self, signature: &[u8; 64]) -> NoteSignature {
        NoteSignature {
            name: self.name.clone(),
            id: self.id(),
            bytes: signature.to_vec(),
        }
    }
}

impl<const ALGORITHM: u8> FromStr for NamedKey<ALGORITHM> {
    type Err = NoteError;

    fn from_str(line: &str) -> Result<Self, NoteError> {
        let parts = line.split_once('+').and_then(|(name, rest)| {
            let (id, key) = rest.split_once('+')?;
            Some((name, id, key))
        });
        let (name, id, encoded) = parts.ok_or(NoteError::Key("it lacks its three parts"))?;
        let key = STANDARD
            .decode(encoded)
            .map_err(|_| NoteError::Key("the key is not base64"))?;
        let (found, public) = key
            .split_first()
            .ok_or(NoteError::Key("the key is empty"))?;
        if *found != ALGORITHM {
            return Err(NoteError::Key(match ALGORITHM {
                COSIGNATURES => {
                    "it is no witness's key: those begin with the byte 4, for Ed25519 cosignatures"
                }
                _ => "its algorithm is not Ed25519",
            }));
        }
        let name: KeyName = name.parse()?;
        let public = public
            .try_into()
            .map_err(|_| NoteError::Key("the key is not 32 bytes long"))?;
        let key = Self { name, public };
        if id != format!("{:08x}", key.id()) {
            return Err(NoteError::Key("the id is not that of name and key"));
        }
        Ok(key)
    }
}

impl<const ALGORITHM: u8> fmt::Display for NamedKey<ALGORITHM> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ALGORITHM], self.public.as_slice()].concat();
        write!(
            f,
            "{}+{:08x}+{}",
            self.name,
            self.id(),
            STANDARD.encode(key)
        )
    }
}
