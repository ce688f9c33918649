//! What can go wrong in the issuer, apart from the faults of an order.

mod rollover;

use std::path::PathBuf;

use lgpki_domain::{Authority, ErrorClass, random::RandomnessFailed};
use lgpki_keys::KeyError;
use lgpki_ledger::{EntryError, LogError};
use lgpki_store::Hold;
use lgpki_x509::{error::X509Error, lint::LintRefused};

pub use rollover::RollOverRefused;

use crate::{ports::Epoch, turnstile::Unproven};

/// The store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] lgpki_store::StoreError),
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// An entry of the log could not be read by this program.
    #[error("entry {index} of the log cannot be read")]
    Entry {
        /// The entry's index.
        index: u64,
        /// Why.
        source: EntryError,
    },
    /// The log does not hold what its index says.
    #[error("entry {index} of the log is not the {expected} that the index says")]
    NotThere {
        /// The entry's index.
        index: u64,
        /// What was expected.
        expected: &'static str,
    },
    /// An entry was too large to be recorded.
    #[error("an entry could not be recorded: {0}")]
    Unrecordable(String),
    /// A newer issuer process took over.
    #[error("this issuer's turn is over: epoch {} was opened after {}", .newest.0, .own.0)]
    Fenced {
        /// This process's epoch.
        own: Epoch,
        /// The newest.
        newest: Epoch,
    },
    /// The store answered another question than it was asked.
    #[error("the store gave an answer of another kind than asked for")]
    Mismatched,
    /// A reader asks for entries that do not exist.
    #[error(
        "entries from {from} on were asked for and the log ends at {size}: the issuer's log was set \
         back, or the asker follows another issuer"
    )]
    Beyond {
        /// The first index asked for.
        from: u64,
        /// The log's size.
        size: u64,
    },
}

impl StoreError {
    /// The class of the failure.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Engine(e) => e.class(),
            Self::Log(e) => e.class(),
            Self::Entry { source, .. } => source.class(),
            Self::NotThere { .. } => ErrorClass::Corrupt,
            Self::Unrecordable(_) | Self::Mismatched => ErrorClass::Internal,
            Self::Fenced { .. } => ErrorClass::Unavailable,
            Self::Beyond { .. } => ErrorClass::WrongState,
        }
    }
}

/// The issuer could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server failed.
    #[error(transparent)]
    Server(#[from] lgpki_runtime::RuntimeError),
    /// A worker ended that never should.
    #[error(transparent)]
    Task(#[from] lgpki_runtime::supervise::TaskFailed),
    /// A key was not used, because the intent is not proved.
    #[error("the key is not used: {0}")]
    Unproven(#[from] Unproven),
    /// The log is recorded but not published in time, so that nobody could see what is issued.
    #[error(
        "the log has not been published for {0} seconds, so that no certificate is issued; see why in the \
         issuer's log: most often the disk of its data directory is full"
    )]
    PublicationLate(u64),
    /// The log is published but not cosigned in time, so that it could still be rewritten.
    #[error(
        "too few witnesses have cosigned the log for {0} seconds, so that no certificate is issued; see which \
         witness does not answer in the issuer's log, and [audit.witness]"
    )]
    WitnessesLate(u64),
    /// A witness contradicts the log.
    #[error(
        "the witness {witness} disputes the issuer's log ({what}): it was set back or forked, so that no \
         certificate is issued; restore the log from its newest copy: the dispute ends when this witness \
         cosigns the log again"
    )]
    Disputed {
        /// Which.
        witness: String,
        /// What it says.
        what: String,
    },
    /// A key failed.
    #[error("the key of the {authority} CA cannot be used")]
    Key {
        /// The CA.
        authority: Authority,
        /// Why.
        source: KeyError,
    },
    /// A CA's key file is missing.
    #[error(
        "the key file {path} of the {authority} CA is missing; restore it, for without it nothing \
         can be signed in that CA's name", path = .path.display()
    )]
    KeyMissing {
        /// The CA.
        authority: Authority,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A key file does not fit the recorded certificate.
    #[error(
        "the key in {path} is not the key of the {authority} CA's recorded certificate; put the \
         right key file there", path = .path.display()
    )]
    KeyDoesNotFit {
        /// The CA.
        authority: Authority,
        /// The key file.
        path: PathBuf,
    },
    /// The directory of the keys could not be made.
    #[error("cannot make the directory {path} for the CA keys", path = .path.display())]
    KeyDirectory {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There is no CA yet.
    #[error("this issuer has no certification authority yet; make them with `lgpki init`")]
    NoAuthorities,
    /// The CA that an act needs does not exist.
    #[error("there is no {0} CA yet; create it first")]
    NoAuthority(Authority),
    /// A CA is to be created twice.
    #[error("the {0} CA exists already")]
    AuthorityExists(Authority),
    /// A CA key must be of another algorithm.
    #[error("a CA key cannot be {0}; choose rsa-2048, rsa-3072, rsa-4096, p-256 or p-384")]
    NotForCa(lgpki_domain::KeyAlgorithm),
    /// A key file from an earlier, unfinished ceremony is of another algorithm.
    #[error(
        "{path} holds a key of another algorithm from an earlier, unfinished ceremony; move it \
         away or choose its algorithm", path = .path.display()
    )]
    OtherKeyWaiting {
        /// The key file.
        path: PathBuf,
    },
    /// A certificate could not be built.
    #[error(transparent)]
    X509(#[from] X509Error),
    /// The lint refused what was built.
    #[error(transparent)]
    Lint(#[from] LintRefused),
    /// The random number generator failed.
    #[error(transparent)]
    Randomness(#[from] RandomnessFailed),
    /// A computation did not end.
    #[error("a worker thread ended without an answer")]
    WorkerLost,
    /// The issuer is draining.
    #[error("the issuer is shutting down; try again shortly")]
    ShuttingDown,
    /// A batch is too large.
    #[error("{count} {what} were sent; at most {most} are taken at once")]
    TooMany {
        /// How many came.
        count: usize,
        /// Of what.
        what: &'static str,
        /// How many may come.
        most: usize,
    },
    /// A ceremony's certificate was not issued.
    #[error("the certificate was refused: {0}")]
    Refused(lgpki_domain::Faults),
    /// A certificate was not issued, and may be asked for again.
    #[error("the certificate was not issued; try again")]
    NotIssued,
    /// A certificate was not issued, and will not be under this request.
    #[error("the certificate was given up; ask for it anew, with another request and key")]
    GivenUp,
    /// A CA's key is not rolled over.
    #[error(transparent)]
    RollOver(#[from] RollOverRefused),
    /// A CRL to sign breaks a rule.
    #[error(transparent)]
    Crl(#[from] CrlRefused),
}

/// Why a tbsCertList is not signed.
#[derive(Debug, thiserror::Error)]
pub enum CrlRefused {
    /// The stream is not built like one.
    #[error(
        "the stream must begin with one header, then bring the tbsCertList in pieces, then its end"
    )]
    Header,
    /// The stream broke off.
    #[error("the tbsCertList came, but not the word that it may be signed")]
    NoEnd,
    /// Too many bytes.
    #[error("a tbsCertList of {length} bytes was announced or sent; at most {most} are taken")]
    TooLong {
        /// How many were announced or had come.
        length: u64,
        /// How many may come.
        most: u64,
    },
    /// Fewer or more bytes than announced.
    #[error("{announced} bytes were announced and {came} came")]
    Length {
        /// As the header says.
        announced: u64,
        /// As counted.
        came: u64,
    },
    /// The bytes are others than announced.
    #[error("the tbsCertList is not the one that was announced: its SHA-256 differs")]
    Digest,
    /// The number in the tbsCertList is another.
    #[error("the tbsCertList bears number {inside} and {announced} was announced")]
    Number {
        /// As the header says.
        announced: u64,
        /// As the CRLNumber says.
        inside: u64,
    },
    /// The CA key publishes no such CRL.
    #[error(
        "the tbsCertList is not of the scope that was announced, or the CA key has no such CRL"
    )]
    Scope,
    /// The lint refused it.
    #[error("the tbsCertList breaks the rules: {0}")]
    Lint(LintRefused),
    /// The number is not the next.
    #[error("the next CRL of the {authority} CA has number {next}; build it anew")]
    NotNext {
        /// The CA.
        authority: Authority,
        /// The next number.
        next: u64,
    },
    /// The same bytes are being signed.
    #[error("the same CRL is being signed; ask again")]
    InProgress,
}

impl From<Hold> for IssuerError {
    fn from(hold: Hold) -> Self {
        match hold {
            Hold::Unpublished(lag) => Self::PublicationLate(lag.as_secs()),
            Hold::Unwitnessed(lag) => Self::WitnessesLate(lag.as_secs()),
            Hold::Disputed { witness, what } => Self::Disputed {
                witness,
                what: what.to_string(),
            },
        }
    }
}

impl IssuerError {
    /// The class of the failure.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Store(e) => e.class(),
            Self::Server(e) => e.class(),
            Self::Key { source, .. } => source.class(),
            Self::X509(_)
            | Self::Lint(_)
            | Self::Randomness(_)
            | Self::Task(_)
            | Self::WorkerLost
            | Self::KeyDirectory { .. } => ErrorClass::Internal,
            Self::KeyMissing { .. } | Self::KeyDoesNotFit { .. } | Self::Unproven(_) => {
                ErrorClass::Corrupt
            }
            Self::NoAuthorities
            | Self::NoAuthority(_)
            | Self::OtherKeyWaiting { .. }
            | Self::RollOver(_) => ErrorClass::WrongState,
            Self::AuthorityExists(_) => ErrorClass::AlreadyExists,
            Self::NotForCa(_) | Self::TooMany { .. } | Self::Refused(_) => ErrorClass::InvalidInput,
            Self::ShuttingDown
            | Self::NotIssued
            | Self::PublicationLate(_)
            | Self::WitnessesLate(_)
            | Self::Disputed { .. } => ErrorClass::Unavailable,
            Self::GivenUp => ErrorClass::LostRace,
            Self::Crl(e) => e.class(),
        }
    }

    /// The stable reason for programs.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Store(StoreError::Fenced { .. }) => "ISSUER_SUPERSEDED",
            Self::Store(StoreError::Beyond { .. }) => "FEED_POSITION_BEYOND_LOG",
            Self::Store(_) => "STORE_UNAVAILABLE",
            Self::PublicationLate(_) => "PUBLICATION_LATE",
            Self::WitnessesLate(_) => "WITNESSES_LATE",
            Self::Disputed { .. } => "LOG_DISPUTED",
            Self::NoAuthorities | Self::NoAuthority(_) => "AUTHORITY_MISSING",
            Self::ShuttingDown => "SHUTTING_DOWN",
            Self::TooMany { .. } => "BATCH_TOO_LARGE",
            Self::Refused(_) => "ISSUANCE_REFUSED",
            Self::NotIssued => "ISSUANCE_UNFINISHED",
            Self::GivenUp => "ISSUANCE_ABANDONED",
            Self::AuthorityExists(_) => "AUTHORITY_EXISTS",
            Self::NotForCa(_) => "KEY_ALGORITHM",
            Self::OtherKeyWaiting { .. } => "KEY_FILE_WAITING",
            Self::RollOver(e) => e.reason(),
            Self::Crl(e) => e.reason(),
            Self::Server(_)
            | Self::Task(_)
            | Self::Key { .. }
            | Self::KeyMissing { .. }
            | Self::KeyDoesNotFit { .. }
            | Self::KeyDirectory { .. }
            | Self::X509(_)
            | Self::Lint(_)
            | Self::Randomness(_)
            | Self::Unproven(_)
            | Self::WorkerLost => "INTERNAL",
        }
    }
}

impl CrlRefused {
    /// The class of the failure.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Header
            | Self::NoEnd
            | Self::TooLong { .. }
            | Self::Length { .. }
            | Self::Digest
            | Self::Number { .. }
            | Self::Scope
            | Self::Lint(_) => ErrorClass::InvalidInput,
            Self::NotNext { .. } => ErrorClass::LostRace,
            Self::InProgress => ErrorClass::Unavailable,
        }
    }

    /// The stable reason for programs.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Header => "CRL_HEADER",
            Self::NoEnd => "CRL_NO_END",
            Self::TooLong { .. } => "CRL_TOO_LONG",
            Self::Length { .. } => "CRL_LENGTH",
            Self::Digest => "CRL_DIGEST",
            Self::Number { .. } => "CRL_NUMBER_DIFFERS",
            Self::Scope => "CRL_SCOPE",
            Self::Lint(_) => "CRL_LINT",
            Self::NotNext { .. } => "CRL_NUMBER_NOT_NEXT",
            Self::InProgress => "CRL_IN_PROGRESS",
        }
    }
}
