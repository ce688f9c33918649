//! Creating a CA, or a new generation of its key: key, lint, intent, signature, record.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use lgpki_domain::{Authority, CrlOptions, JstDate, KeyAlgorithm, Serial, Validity};
use lgpki_keys::Signer as _;
use lgpki_ledger::Evidence;
use lgpki_x509::{
    Addresses, SubjectPublicKey,
    authority::{self, CaBlueprint},
    lint,
};

use super::App;
use crate::{
    error::IssuerError,
    ports::{AuthorityOutcome, AuthorityRecord, IntendAuthority, IssuerStore, NewAuthority},
    turnstile::Unproven,
};

/// The generation of a CA's first key.
const FIRST_GENERATION: u32 = 1;

/// A CA key to be made.
#[derive(Debug)]
pub(super) struct NewKey {
    pub(super) authority: Authority,
    pub(super) generation: u32,
    pub(super) algorithm: KeyAlgorithm,
    /// The first day of its certificate.
    pub(super) day: JstDate,
    pub(super) addresses: Addresses,
    pub(super) crl_options: CrlOptions,
}

/// Where and how a CA publishes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Publishing<'a> {
    /// Below which addresses.
    pub(crate) bases: &'a [String],
    /// How it publishes its revocations.
    pub(crate) crl: CrlOptions,
}

impl<S: IssuerStore> App<S> {
    /// Creates a CA whose certificate is valid from `day`. The key is on disk before the record; an
    /// unfinished ceremony's key is used.
    pub(crate) async fn create_authority(
        &self,
        authority: Authority,
        algorithm: KeyAlgorithm,
        day: JstDate,
        publishing: Publishing<'_>,
        actor: &str,
    ) -> Result<AuthorityRecord, IssuerError> {
        if self.ca(authority).is_some() {
            return Err(IssuerError::AuthorityExists(authority));
        }
        let key = NewKey {
            authority,
            generation: FIRST_GENERATION,
            algorithm,
            day,
            addresses: Addresses::at(publishing.bases, authority, FIRST_GENERATION),
            crl_options: publishing.crl,
        };
        self.make_key(key, actor).await
    }

    /// Makes a CA key and its self-signed certificate.
    pub(super) async fn make_key(
        &self,
        new: NewKey,
        actor: &str,
    ) -> Result<AuthorityRecord, IssuerError> {
        let NewKey {
            authority,
            generation,
            algorithm,
            day,
            addresses,
            crl_options,
        } = new;
        if !KeyAlgorithm::FOR_CA.contains(&algorithm) {
            return Err(IssuerError::NotForCa(algorithm));
        }
        let key = self.vault.prepare(authority, generation, algorithm)?;
        let public_key =
            SubjectPublicKey::parse("key", key.public_key().der()).map_err(IssuerError::Refused)?;
        let serial = Serial::draw(self.ports.randomness.as_ref())?;
        let blueprint = CaBlueprint {
            authority,
            public_key: &public_key,
            serial,
            validity: Validity::for_ca(day),
        };
        let tbs = authority::build(&blueprint)?;
        let linted = lint::lint_authority(&blueprint, tbs)?;
        let intend = IntendAuthority {
            authority,
            generation,
            key_digest: public_key.digest(),
            serial,
            tbs: linted.tbs().to_vec(),
            stamp: self.stamp(actor),
        };
        let intended = self.store.intend_authority(self.epoch, intend).await?;
        let evidence = recorded(authority, intended)?.ok_or(Unproven::Nothing)?;
        let permit = self.turnstile.certificate(&linted, &evidence)?;
        let signature = permit
            .sign(&key)
            .map_err(|source| IssuerError::Key { authority, source })?;
        let record = AuthorityRecord {
            authority,
            generation,
            algorithm,
            key_digest: public_key.digest(),
            certificate: linted.into_certificate(&signature),
            addresses,
            crl_options,
            crl_numbers: BTreeMap::new(),
        };
        // Judged before it is recorded: a CA that could not be opened again must not come to be.
        let ca = self.vault.unite(&record, key)?;
        let new = NewAuthority {
            record: record.clone(),
            serial,
            stamp: self.stamp(actor),
        };
        let created = self.store.create_authority(self.epoch, new).await?;
        recorded(authority, created)?;
        let mut cas = self.cas.write().unwrap_or_else(PoisonError::into_inner);
        cas.insert(record.key(), Arc::new(ca));
        Ok(record)
    }
}

fn recorded(
    authority: Authority,
    outcome: AuthorityOutcome,
) -> Result<Option<Box<Evidence>>, IssuerError> {
    match outcome {
        AuthorityOutcome::Recorded { evidence, .. } => Ok(evidence),
        AuthorityOutcome::Exists => Err(IssuerError::AuthorityExists(authority)),
        AuthorityOutcome::NotOpen => Err(IssuerError::NotIssued),
    }
}
