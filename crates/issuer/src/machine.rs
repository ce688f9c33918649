//! The issuer's state: what was issued, what is open, which CAs there are.
//!
//! Commands are decided here and nowhere else, one after the other, against the state that all
//! earlier ones left. These tables follow from the log: `settled` (how each attempt ended), `open`
//! (open intents), `ca-key` (the CAs' own keys), and `meta` (epoch, CAs and CRL numbers). Which
//! keys were ever intended and where each application stands lies in memory, some 100 bytes a
//! certificate; it follows from the tables. Certificates stand in the log alone. A serial
//! number has 126 random bits and is not looked up: no table would make a collision less likely.

mod apply;
mod crl;
mod decide;
mod open;
mod record;

use std::collections::{BTreeMap, HashMap};

use lgpki_domain::{ApplicationId, AuthorityKey, Digest, Faults};
use lgpki_ledger::{EntryError, Recorded, Stamp};
use lgpki_store::{Decision, Machine, Span, StoreError as EngineError, Tables, View};

pub(crate) use open::{OpenIntent, OpenIntents};
pub(crate) use record::{
    ApplicationRecord, AuthorityState, CrlState, LastCrl, OpenAuthority, OpenCrl, Settled,
};

use crate::{
    event::IssuerEvent,
    ports::{
        AuthorityOutcome, CrlOutcome, EndCrl, Ending, EndingOutcome, Epoch, Intend,
        IntendAuthority, IntendCrl, NewAuthority, Opened,
    },
};

/// The tables' names.
pub(crate) mod table {
    /// Index of the entry that ended an attempt → application and record; packed.
    pub(crate) const SETTLED: &str = "settled";
    /// Key digest of a CA → nothing.
    pub(crate) const CA_KEY: &str = "ca-key";
    /// Index of the intent → application and intent; packed.
    pub(crate) const OPEN: &str = "open";
    pub(crate) const META: &str = "meta";
}

/// The issuer's state.
#[derive(Debug, Default)]
pub(crate) struct IssuerMachine {
    pub(crate) epoch: Epoch,
    pub(crate) authorities: BTreeMap<AuthorityKey, AuthorityState>,
    pub(crate) open_authorities: BTreeMap<AuthorityKey, OpenAuthority>,
    pub(crate) open: OpenIntents,
    /// Where in the table it says how an application's last attempt ended.
    settled: HashMap<ApplicationId, u64>,
    /// Every key ever intended, with its application; a CA's own has none.
    keys: HashMap<Digest, Option<ApplicationId>>,
}

/// What the machine is asked.
#[derive(Debug)]
pub(crate) enum Command {
    OpenEpoch(Stamp),
    Intend(Epoch, Box<Intend>),
    End(Epoch, Ending),
    IntendAuthority(Epoch, Box<IntendAuthority>),
    CreateAuthority(Epoch, Box<NewAuthority>),
    IntendCrl(Epoch, IntendCrl),
    EndCrl(Epoch, EndCrl),
}

/// What it answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Opened(Opened),
    Intent(IntentStep),
    Ended(EndingOutcome),
    Authority(AuthorityOutcome),
    Crl(CrlOutcome),
    CrlEnded(Option<u64>),
    /// The command's epoch is not the newest.
    Fenced(Epoch),
    /// An entry would be too large; for people.
    Unrecordable(String),
}

/// What becomes of an order; a certificate is named by its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IntentStep {
    Intended { index: u64 },
    Issued { index: u64 },
    InProgress { attempt: u32 },
    Abandoned { attempt: u32 },
    Refused(Faults),
}

impl Machine for IssuerMachine {
    type Command = Command;
    type Outcome = Outcome;
    type Event = IssuerEvent;

    const TABLES: &'static [&'static str] =
        &[table::SETTLED, table::CA_KEY, table::OPEN, table::META];
    const STATE_VERSION: u32 = 5;

    fn decide(&self, view: &View<'_>, command: Command) -> Decision<IssuerEvent, Outcome> {
        let newest = self.epoch;
        let fenced = |epoch| (epoch != newest).then_some(Decision::answer(Outcome::Fenced(newest)));
        match command {
            Command::OpenEpoch(stamp) => self.open_epoch(&stamp),
            Command::Intend(epoch, intend) => {
                fenced(epoch).unwrap_or_else(|| self.intend(view, epoch, *intend))
            }
            Command::End(epoch, ending) => {
                fenced(epoch).unwrap_or_else(|| self.end(view, epoch, ending))
            }
            Command::IntendAuthority(epoch, intend) => {
                fenced(epoch).unwrap_or_else(|| self.intend_authority(view, epoch, *intend))
            }
            Command::CreateAuthority(epoch, new) => {
                fenced(epoch).unwrap_or_else(|| self.create_authority(view, epoch, *new))
            }
            Command::IntendCrl(epoch, intend) => {
                fenced(epoch).unwrap_or_else(|| self.intend_crl(view, epoch, intend))
            }
            Command::EndCrl(epoch, end) => {
                fenced(epoch).unwrap_or_else(|| self.end_crl(view, epoch, end))
            }
        }
    }

    fn unrecordable(error: EntryError) -> Outcome {
        Outcome::Unrecordable(error.to_string())
    }

    fn apply(&mut self, tables: &mut Tables<'_>, recorded: &Recorded<IssuerEvent>) {
        self.apply_event(tables, recorded);
    }

    fn load(&mut self, view: &View<'_>) -> Result<(), EngineError> {
        *self = Self::default();
        let damaged = |what: &str| EngineError::Corrupt(what.to_owned());
        if let Some(bytes) = view.get(table::META, record::EPOCH) {
            self.epoch = record::read_epoch(&bytes).ok_or_else(|| damaged("the epoch"))?;
        }
        for (_, bytes) in view.scan(table::META, &Span::prefix(record::AUTHORITY)) {
            let state = AuthorityState::from_bytes(&bytes)
                .ok_or_else(|| damaged("a certification authority"))?;
            self.authorities.insert(state.key(), state);
        }
        for (key, bytes) in view.scan(table::META, &Span::prefix(record::AUTHORITY_OPEN)) {
            let open = record::read_open_authority_key(&key).zip(OpenAuthority::from_bytes(&bytes));
            let (key, open) = open.ok_or_else(|| damaged("an open certification authority"))?;
            self.open_authorities.insert(key, open);
        }
        for (key, state) in &mut self.authorities {
            for (of, bytes) in view.scan(table::META, &Span::prefix(record::crl_prefix(*key))) {
                let crl = record::read_scope(*key, &of).zip(CrlState::from_bytes(&bytes));
                let (scope, crl) = crl.ok_or_else(|| damaged("a CRL's state"))?;
                state.crls.insert(scope, crl);
            }
        }
        self.open = OpenIntents::load(view)?;
        self.load_settled(view)
    }
}

impl IssuerMachine {
    /// Restores what the memory holds of ended attempts and of keys.
    fn load_settled(&mut self, view: &View<'_>) -> Result<(), EngineError> {
        view.each_packed(table::SETTLED, |index, bytes| {
            let (application, record) = ApplicationRecord::from_bytes(bytes)
                .ok_or_else(|| EngineError::Corrupt("an ended attempt".to_owned()))?;
            // Of several attempts the last stands.
            self.settled.insert(application, index);
            self.keys.insert(record.key_digest, Some(application));
            Ok(())
        })?;
        let open = self.open.keys().map(|(key, id)| (key, Some(id)));
        self.keys.extend(open);
        for (key, _) in view.scan(table::CA_KEY, &Span::all()) {
            let key = key.try_into().map(Digest);
            let key = key.map_err(|_| EngineError::Corrupt("the key of a CA".to_owned()))?;
            self.keys.insert(key, None);
        }
        Ok(())
    }

    /// What is known of an application that has no open intent.
    pub(crate) fn application(
        &self,
        view: &View<'_>,
        id: ApplicationId,
    ) -> Option<ApplicationRecord> {
        let index = *self.settled.get(&id)?;
        let bytes = view.get_packed(table::SETTLED, index)?;
        let (_, record) = ApplicationRecord::from_bytes(&bytes)?;
        Some(record)
    }

    /// The entries that ended the attempts of an application, the last one first.
    pub(crate) fn endings(&self, view: &View<'_>, id: ApplicationId) -> Vec<u64> {
        let mut all = Vec::new();
        let mut next = self.settled.get(&id).copied();
        while let Some(index) = next {
            all.push(index);
            let record = view.get_packed(table::SETTLED, index);
            let record = record.and_then(|bytes| ApplicationRecord::from_bytes(&bytes));
            next = record
                .and_then(|(_, record)| record.before)
                .filter(|before| *before < index);
        }
        all
    }

    /// Whether a key was intended for a subscriber.
    pub(crate) fn key_is_a_subscribers(&self, key: Digest) -> bool {
        self.keys.get(&key).is_some_and(Option::is_some)
    }

    /// Whether a key was intended for anything but this application, or is a CA's own.
    pub(crate) fn key_is_taken(&self, key: Digest, by: ApplicationId) -> bool {
        self.keys.get(&key).is_some_and(|owner| *owner != Some(by))
    }
}
