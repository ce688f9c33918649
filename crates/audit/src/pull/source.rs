//! Where logs are pulled from. A source may lie in everything it says.

use lgpki_domain::ErrorClass;
use lgpki_ledger::{Checkpoint, Tile, merkle::Hash};

/// A source could not be asked, or gave no answer of the right form.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct SourceError {
    what: String,
    away: bool,
}

impl SourceError {
    /// It cannot be reached, or not now.
    pub fn away(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            away: true,
        }
    }

    /// It answered, with what is no answer, or with a refusal.
    pub fn answer(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            away: false,
        }
    }

    /// Whether asking later may help.
    #[must_use]
    pub const fn is_away(&self) -> bool {
        self.away
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        if self.away {
            ErrorClass::Unavailable
        } else {
            ErrorClass::Corrupt
        }
    }
}

/// Whoever has published logs to give.
pub trait LogSource {
    /// The names of the logs that it has: `2011`, `keys`, or with their service, `issuer/2011`.
    fn logs(&mut self) -> Result<Vec<String>, SourceError>;

    /// The services whose logs it should have and could not list just now.
    fn away(&self) -> &[String] {
        &[]
    }

    /// The newest signed checkpoint of a log.
    fn checkpoint(&mut self, log: &str) -> Result<String, SourceError>;

    /// The log's verifier key, as the source says it.
    fn key(&mut self, log: &str) -> Result<String, SourceError>;

    /// The bytes of bundles or, from a source that has them, of tiles, in the order asked; none for
    /// those that are not there.
    fn files(&mut self, log: &str, tiles: &[Tile]) -> Result<Vec<Option<Vec<u8>>>, SourceError>;

    /// Whether it has the tiles of hashes, and not the entries alone.
    fn has_hashes(&self) -> bool;

    /// The proof that the log of `head` continues its first `old` entries.
    fn consistency(
        &mut self,
        log: &str,
        old: u64,
        head: &Checkpoint,
    ) -> Result<Vec<Hash>, SourceError>;
}
