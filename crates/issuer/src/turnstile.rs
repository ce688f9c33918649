//! What stands between every signature and its key: the signing step's own look at the log.
//!
//! It believes nobody that an intent is recorded. Whoever wants a key used shows the intent's entry, its
//! path to a root of the log, and the head that the log's key has signed of that root; what is to be
//! signed must be what the entry says, in this process's epoch; and each intent lets through once. Only
//! from here comes the [`Permit`] without which no key is used. Nothing here reads or writes a file.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use lgpki_domain::Digest;
use lgpki_keys::{KeyError, Signer};
use lgpki_ledger::{Evidence, Identity, LogId, SignedHead, decode};
use lgpki_x509::{Linted, LintedCrl};

use crate::{event::IssuerEvent, ports::Epoch};

/// Redeemed intents that are remembered; what lies before all of them is refused, for an intent is
/// redeemed within moments or never.
const REMEMBERED: usize = 65_536;

/// Why a key is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// No evidence was shown.
    #[error("no proof of the intent was shown")]
    Nothing,
    /// The head was signed by another key, or under another log's name.
    #[error("the head that was shown is not signed by this log's key")]
    Head,
    /// The entry is not in the tree of the head.
    #[error("the entry that was shown is not in the log")]
    Path,
    /// The entry is no intent, or one of something else.
    #[error("the entry that was shown is not the intent of what is to be signed")]
    Intent,
    /// The intent is an older process's, which was closed when this one took over.
    #[error("the intent is of another epoch")]
    Epoch,
    /// The intent was redeemed before.
    #[error("the intent was redeemed before")]
    Redeemed,
}

/// Lets what was intended through to a key, once.
#[derive(Debug)]
pub(crate) struct Turnstile {
    log: Identity,
    epoch: Epoch,
    /// The head that was verified last: a batch's intents stand in one.
    verified: Mutex<Option<(LogId, SignedHead)>>,
    redeemed: Mutex<Redeemed>,
    remembered: usize,
}

/// Which intents were redeemed.
#[derive(Debug, Default)]
struct Redeemed {
    leaves: BTreeSet<(LogId, u64)>,
    /// What lies before it counts as redeemed.
    from: Option<(LogId, u64)>,
}

/// The permission to sign once.
#[derive(Debug)]
pub(crate) struct Permit<'a>(ToSign<'a>);

/// What may be signed.
#[derive(Debug)]
enum ToSign<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// The bytes of this SHA-256, which are no longer at hand.
    Digest(Digest),
}

impl Permit<'_> {
    /// Uses the key.
    pub(crate) fn sign(self, key: &dyn Signer) -> Result<Vec<u8>, KeyError> {
        match self.0 {
            ToSign::Bytes(tbs) => key.sign(tbs),
            ToSign::Digest(digest) => key.sign_digest(&digest),
        }
    }
}

impl Turnstile {
    /// For the logs that `log` signs, in this epoch.
    pub(crate) fn new(log: Identity, epoch: Epoch) -> Self {
        Self::remembering(log, epoch, REMEMBERED)
    }

    pub(crate) fn remembering(log: Identity, epoch: Epoch, remembered: usize) -> Self {
        Self {
            log,
            epoch,
            verified: Mutex::default(),
            redeemed: Mutex::default(),
            remembered,
        }
    }

    /// Redeems the intent of a certificate, a CA's own among them.
    pub(crate) fn certificate<'a>(
        &self,
        linted: &'a Linted,
        evidence: &Evidence,
    ) -> Result<Permit<'a>, Unproven> {
        let tbs = linted.tbs();
        let epoch = match self.entry(evidence)? {
            IssuerEvent::Intended(intent) if intent.tbs == tbs => intent.epoch,
            IssuerEvent::AuthorityIntended(intent) if intent.tbs == tbs => intent.epoch,
            _ => return Err(Unproven::Intent),
        };
        self.redeem(epoch, evidence)?;
        Ok(Permit(ToSign::Bytes(tbs)))
    }

    /// Redeems the intent of a CRL, whose entry holds the digest of what is signed.
    pub(crate) fn crl<'a>(
        &self,
        linted: &'a LintedCrl,
        evidence: &Evidence,
    ) -> Result<Permit<'a>, Unproven> {
        let digest = linted.digest();
        let epoch = match self.entry(evidence)? {
            IssuerEvent::CrlIntended(intent) if intent.tbs_digest == digest => intent.epoch,
            _ => return Err(Unproven::Intent),
        };
        self.redeem(epoch, evidence)?;
        let whole = linted.tbs().map(ToSign::Bytes);
        Ok(Permit(whole.unwrap_or(ToSign::Digest(digest))))
    }

    /// The entry, once it is known to be in the log.
    fn entry(&self, evidence: &Evidence) -> Result<IssuerEvent, Unproven> {
        let shown = (evidence.log, evidence.head);
        let known = {
            let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
            *verified == Some(shown)
        };
        if !known {
            if !self.log.signed(evidence.log, &evidence.head) {
                return Err(Unproven::Head);
            }
            let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
            *verified = Some(shown);
        }
        if !evidence.leads_to_the_head() {
            return Err(Unproven::Path);
        }
        let recorded = decode::<IssuerEvent>(evidence.leaf, &evidence.entry);
        Ok(recorded.map_err(|_| Unproven::Intent)?.event)
    }

    fn redeem(&self, epoch: u64, evidence: &Evidence) -> Result<(), Unproven> {
        if epoch != self.epoch.0 {
            return Err(Unproven::Epoch);
        }
        let leaf = (evidence.log, evidence.leaf);
        let mut redeemed = self.redeemed.lock().unwrap_or_else(PoisonError::into_inner);
        if redeemed.from.is_some_and(|from| leaf < from) || !redeemed.leaves.insert(leaf) {
            return Err(Unproven::Redeemed);
        }
        while redeemed.leaves.len() > self.remembered {
            redeemed.leaves.pop_first();
            redeemed.from = redeemed.leaves.first().copied();
        }
        Ok(())
    }
}
