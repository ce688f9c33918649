//! What each event does to the state. Nothing here can fail or refuse: what is in the log happened.

use lgpki_domain::{ApplicationId, Authority, CrlNumber};
use lgpki_ledger::Recorded;
use lgpki_store::Tables;

use super::{
    ApplicationRecord, AuthorityState, CrlState, IssuerMachine, OpenAuthority, OpenCrl, OpenIntent,
    Settled,
    record::{self, LastCrl},
    table,
};
use crate::{
    event::{AuthorityCreated, Intended, IssuerEvent},
    ports::{Epoch, SignedCrl},
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
                let key = record::open_authority_key(e.authority);
                tables.put(table::META, &key, open.to_bytes());
                self.open_authorities.insert(e.authority, open);
            }
            IssuerEvent::AuthorityCreated(e) => self.authority_created(tables, e),
            IssuerEvent::AuthorityAbandoned(e) => self.close_authority(tables, e.authority),
            IssuerEvent::Intended(e) => self.intended(tables, index, e),
            IssuerEvent::Issued(e) => {
                let settled = Settled::Issued;
                self.settled(tables, e.application, End { settled, index });
            }
            IssuerEvent::Abandoned(e) => {
                let settled = Settled::Abandoned;
                self.settled(tables, e.application, End { settled, index });
            }
            IssuerEvent::CrlIntended(e) => self.with_crl(tables, e.authority, |crl| {
                crl.highest = crl.highest.max(CrlNumber(e.number));
                crl.open = Some(OpenCrl {
                    number: CrlNumber(e.number),
                    tbs_digest: e.tbs_digest,
                    index,
                });
            }),
            IssuerEvent::CrlSigned(e) => self.with_crl(tables, e.authority, |crl| {
                crl.open = None;
                crl.signed = Some(LastCrl {
                    number: CrlNumber(e.number),
                    tbs_digest: e.tbs_digest,
                    crl: SignedCrl {
                        signature: e.signature.clone(),
                        algorithm: e.algorithm.clone(),
                        index,
                    },
                });
            }),
            IssuerEvent::CrlAbandoned(e) => {
                self.with_crl(tables, e.authority, |crl| crl.open = None);
            }
        }
    }

    fn authority_created(&mut self, tables: &mut Tables<'_>, e: &AuthorityCreated) {
        self.close_authority(tables, e.authority);
        let state = AuthorityState {
            created: e.clone(),
            crl: CrlState::default(),
        };
        let key = record::authority_key(e.authority);
        tables.put(table::META, &key, state.to_bytes());
        // A CA's key must never be certified as a subscriber's; no application owns it.
        tables.put(table::KEY, &e.key_digest.0, []);
        self.authorities.insert(e.authority, state);
    }

    fn close_authority(&mut self, tables: &mut Tables<'_>, authority: Authority) {
        tables.delete(table::META, &record::open_authority_key(authority));
        self.open_authorities.remove(&authority);
    }

    fn intended(&mut self, tables: &mut Tables<'_>, index: u64, e: &Intended) {
        let open = OpenIntent {
            authority: e.authority,
            attempt: e.attempt,
            content_digest: e.content_digest,
            serial: e.serial,
            not_after: e.not_after,
            index,
        };
        tables.put(table::KEY, &e.key_digest.0, e.application.to_bytes());
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
            serial: open.serial,
            index: end.index,
        };
        let key = application.to_bytes();
        tables.put(table::APPLICATION, &key, record.to_bytes());
    }

    fn with_crl(
        &mut self,
        tables: &mut Tables<'_>,
        authority: Authority,
        change: impl FnOnce(&mut CrlState),
    ) {
        if let Some(state) = self.authorities.get_mut(&authority) {
            change(&mut state.crl);
            tables.put(
                table::META,
                &record::crl_key(authority),
                state.crl.to_bytes(),
            );
        }
    }
}
