//! What a service implements: commands decided against state, events applied to it.

use lgpki_ledger::{EntryError, Event, Recorded, Stamp};

use crate::{
    error::StoreError,
    view::{Tables, View},
};

/// A service's state: decided against and applied to by one thread, read by many.
///
/// Everything a machine keeps in memory must follow from its tables, so that [`load`](Self::load)
/// can restore it; everything in its tables must follow from the events, so that they can be
/// rebuilt from the log.
pub trait Machine: Send + Sync + 'static {
    /// What the machine is asked to do.
    type Command: Send + 'static;
    /// What it answers: done, or refused and why.
    type Outcome: Send + 'static;
    /// What it records.
    type Event: Event;

    /// The names of its tables; at most 250. Another list than the one an index was written with
    /// drops the index and rebuilds it.
    const TABLES: &'static [&'static str];

    /// The version of the tables' content. Another one than the one an index was written with
    /// drops the index and rebuilds it.
    const STATE_VERSION: u32;

    /// Decides one command. Earlier commands of the same submission have been applied already.
    /// The first event of the decision will have the index [`View::next_index`].
    fn decide(
        &self,
        view: &View<'_>,
        command: Self::Command,
    ) -> Decision<Self::Event, Self::Outcome>;

    /// The answer to a command one of whose events cannot be recorded, because it is too large.
    /// Such a command has no effect; its neighbours do.
    fn unrecordable(error: EntryError) -> Self::Outcome;

    /// Applies a recorded event, live and on replay alike. Must depend on nothing but the state and
    /// the event: no clock, no randomness.
    fn apply(&mut self, tables: &mut Tables<'_>, recorded: &Recorded<Self::Event>);

    /// Restores from the tables what the machine keeps in memory, replacing all that is there.
    /// Called once when the engine opens, before the log's tail is replayed; a second time, with
    /// empty tables, if the first failed and everything is rebuilt.
    fn load(&mut self, view: &View<'_>) -> Result<(), StoreError>;

    /// Takes over what `rebuilt` holds in memory, which the log alone has brought to the same entry,
    /// and may leave it its own; what others wait on, such as a bell, stays. `view` is of the tables,
    /// which agree with `rebuilt` already.
    ///
    /// Nobody reads meanwhile: a machine that holds much exchanges it for `rebuilt`'s instead of
    /// loading it anew, which is all that this does by itself.
    fn take_over(&mut self, rebuilt: &mut Self, view: &View<'_>) -> Result<(), StoreError>
    where
        Self: Sized,
    {
        let _ = rebuilt;
        self.load(view)
    }
}

/// What a machine decided.
#[derive(Debug)]
pub struct Decision<E, O> {
    /// What to record, in order; nothing for a refusal or a repeated command.
    pub events: Vec<(Stamp, E)>,
    /// What to answer once the events, and all before them, are durable.
    pub outcome: O,
}

impl<E, O> Decision<E, O> {
    /// Answers without recording anything.
    pub fn answer(outcome: O) -> Self {
        Self {
            events: Vec::new(),
            outcome,
        }
    }

    /// Records one event.
    pub fn record(stamp: Stamp, event: impl Into<E>, outcome: O) -> Self {
        Self {
            events: vec![(stamp, event.into())],
            outcome,
        }
    }

    /// Records several events, in one frame.
    pub fn record_all(events: Vec<(Stamp, E)>, outcome: O) -> Self {
        Self { events, outcome }
    }
}
