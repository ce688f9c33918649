//! What each event does to the state. Nothing here can fail or refuse: what is in the log happened.

use std::collections::BTreeMap;

use lgpki_domain::{ApplicationId, AuthorityKey, CrlScope};
use lgpki_ledger::Recorded;
use lgpki_store::Tables;

use super::{
    ApplicationRecord, AuthorityState, CrlState, IssuerMachine, LastCrl, OpenAuthority, OpenCrl,
    OpenIntent, Settled, record, table,
};
use crate::{
    event::{AuthorityCreated, Intended, IssuerEvent},
    ports::Epoch,
};

/// How and where an intent ended.
#[derive(Clone, Copy)]
struct End {
    settled: Settled,
    index: u64,
}

impl IssuerMachine {
    pub(super) fn apply_event(
        &mut self,
        tables: &mut Tables<'_>,
        recorded: &Recorded<IssuerEvent>,
    ) {
        let index = recorded.index;
        match &recorded.event {
            IssuerEvent::EpochOpened(e) => {
                self.epoch = Epoch(e.epoch);
                tables.put(table::META, record::EPOCH, e.epoch.to_be_bytes());
            }
            IssuerEvent::AuthorityIntended(e) => {
                let open = OpenAuthority {
                    serial: e.serial,
                    key_digest: e.key_digest,
                    index,
                };
                let key = AuthorityKey::new(e.authority, e.generation);
                let place = record::open_authority_key(key);
                tables.put(table::META, &place, open.to_bytes());
                self.open_authorities.insert(key, open);
            }
            IssuerEvent::AuthorityCreated(e) => self.authority_created(tables, e),
            IssuerEvent::AuthorityAbandoned(e) => {
                let key = AuthorityKey::new(e.authority, e.generation);
                self.close_authority(tables, key);
            }
            IssuerEvent::Intended(e) => self.intended(tables, index, e),
            IssuerEvent::Issued(e) => {
                let settled = Settled::Issued;
                self.settled(tables, e.application, End { settled, index });
            }
            IssuerEvent::Abandoned(e) => {
                let settled = Settled::Abandoned;
                self.settled(tables, e.application, End { settled, index });
            }
            IssuerEvent::CrlIntended(e) => {
                let key = AuthorityKey::new(e.authority, e.generation);
                self.with_crl(tables, key, e.scope, |crl| {
                    crl.highest = crl.highest.max(e.number);
                    if e.base.is_some() {
                        crl.highest_delta = crl.highest_delta.max(e.number);
                    } else {
                        crl.this_update = e.this_update.as_millis();
                    }
                    crl.open = Some(OpenCrl {
                        number: e.number,
                        delta: e.base.is_some(),
                        tbs_digest: e.tbs_digest,
                        index,
                    });
                });
            }
            IssuerEvent::CrlSigned(e) => {
                let key = AuthorityKey::new(e.authority, e.generation);
                self.with_crl(tables, key, e.scope, |crl| {
                    crl.open = None;
                    let last = Some(LastCrl {
                        number: e.number,
                        tbs_digest: e.tbs_digest,
                        algorithm: e.algorithm.clone(),
                        signature: e.signature.clone(),
                        index,
                    });
                    if e.delta {
                        crl.signed_delta = last;
                    } else {
                        crl.signed = last;
                    }
                });
            }
            IssuerEvent::CrlAbandoned(e) => {
                let key = AuthorityKey::new(e.authority, e.generation);
                self.with_crl(tables, key, e.scope, |crl| crl.open = None);
            }
            IssuerEvent::Restored(e) => {
                if let Some(used) = e.crl_numbers_used {
                    self.skip_crl_numbers(tables, used);
                }
            }
            // The store counts by itself.
            IssuerEvent::Heartbeat(_) => {}
        }
    }

    /// Counts CRL numbers up to `used` as used in every series, for which were given in entries that
    /// are lost is not known.
    fn skip_crl_numbers(&mut self, tables: &mut Tables<'_>, used: u64) {
        let series: Vec<_> = self
            .authorities
            .iter()
            .flat_map(|(key, state)| {
                let partitions = state.created.crl_partitions;
                let whole = (partitions == 0).then_some(CrlScope::User);
                let parts = (1..=partitions).map(CrlScope::Partition);
                let scopes = whole.into_iter().chain(parts);
                let scopes = scopes.chain([CrlScope::CaCertificates]);
                scopes.map(|scope| (*key, scope)).collect::<Vec<_>>()
            })
            .collect();
        for (key, scope) in series {
            self.with_crl(tables, key, scope, |crl| {
                crl.highest = crl.highest.max(used);
                crl.highest_delta = crl.highest_delta.max(used);
            });
        }
    }

    fn authority_created(&mut self, tables: &mut Tables<'_>, e: &AuthorityCreated) {
        let state = AuthorityState {
            created: e.clone(),
            crls: BTreeMap::new(),
        };
        let key = state.key();
        self.close_authority(tables, key);
        tables.put(table::META, &record::authority_key(key), state.to_bytes());
        // A CA's key must never be certified as a subscriber's; no application owns it.
        tables.put(table::CA_KEY, &e.key_digest.0, []);
        self.keys.insert(e.key_digest, None);
        self.authorities.insert(key, state);
    }

    fn close_authority(&mut self, tables: &mut Tables<'_>, key: AuthorityKey) {
        tables.delete(table::META, &record::open_authority_key(key));
        self.open_authorities.remove(&key);
    }

    fn intended(&mut self, tables: &mut Tables<'_>, index: u64, e: &Intended) {
        let open = OpenIntent {
            authority: e.authority,
            generation: e.generation,
            scope: e.scope,
            attempt: e.attempt,
            content_digest: e.content_digest,
            key_digest: e.key_digest,
            serial: e.serial,
            not_after: e.not_after,
            index,
        };
        // A CA's key must never be certified as a subscriber's; no application owns it.
        let owner = (!e.kind.is_ca()).then_some(e.application);
        if owner.is_none() {
            tables.put(table::CA_KEY, &e.key_digest.0, []);
        }
        self.keys.insert(e.key_digest, owner);
        self.open.insert(tables, e.application, open);
    }

    fn settled(&mut self, tables: &mut Tables<'_>, application: ApplicationId, end: End) {
        let Some(open) = self.open.remove(tables, application) else {
            return;
        };
        let record = ApplicationRecord {
            settled: end.settled,
            attempt: open.attempt,
            content_digest: open.content_digest,
            key_digest: open.key_digest,
            serial: open.serial,
            index: end.index,
            before: self.settled.insert(application, end.index),
        };
        tables.put_packed(table::SETTLED, end.index, &record.to_bytes(application));
    }

    fn with_crl(
        &mut self,
        tables: &mut Tables<'_>,
        key: AuthorityKey,
        scope: CrlScope,
        change: impl FnOnce(&mut CrlState),
    ) {
        if let Some(state) = self.authorities.get_mut(&key) {
            let crl = state.crls.entry(scope).or_default();
            change(crl);
            let place = record::crl_key(key, scope);
            tables.put(table::META, &place, crl.to_bytes());
        }
    }
}
