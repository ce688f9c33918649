//! The issuer's state: what was issued, what is open, which CAs there are.
//!
//! Commands are decided here and nowhere else, one after the other, against the state that all
//! earlier ones left. Three tables follow from the log: `application` (where each stands), `key`
//! (every key ever intended, with its application) and `open` (open intents, which also live in
//! memory); `meta` holds epoch, CAs and CRL numbers. Certificates stand in the log alone. A serial
//! number has 126 random bits and is not looked up: no table would make a collision less likely.

mod apply;
mod crl;
mod decide;
mod open;
mod record;

use std::collections::BTreeMap;

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
    pub(crate) const APPLICATION: &str = "application";
    pub(crate) const KEY: &str = "key";
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
        &[table::APPLICATION, table::KEY, table::OPEN, table::META];
    const STATE_VERSION: u32 = 2;

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
        self.open = OpenIntents::load(view).ok_or_else(|| damaged("an open intent"))?;
        Ok(())
    }
}

impl IssuerMachine {
    /// What is known of an application that has no open intent.
    pub(crate) fn application(view: &View<'_>, id: ApplicationId) -> Option<ApplicationRecord> {
        let bytes = view.get(table::APPLICATION, &id.to_bytes())?;
        ApplicationRecord::from_bytes(&bytes)
    }

    /// Whether a key was intended for a subscriber.
    pub(crate) fn key_is_a_subscribers(view: &View<'_>, key: Digest) -> bool {
        view.get(table::KEY, &key.0)
            .is_some_and(|owner| !owner.is_empty())
    }

    /// Whether a key was intended for anything but this application; a CA's own key stands in the
    /// table without one.
    pub(crate) fn key_is_taken(view: &View<'_>, key: Digest, by: ApplicationId) -> bool {
        view.get(table::KEY, &key.0)
            .is_some_and(|owner| record::read_application(&owner) != Some(by))
    }
}
