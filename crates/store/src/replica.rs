//! A second state beside the live one, rebuilt from the log alone: to compare with, and to put right
//! what an index should hold.
//!
//! A replica replays the log into a fresh machine with tables of its own in memory, a stretch at a
//! time, while the engine goes on. To be compared it is brought to exactly the entry that the live
//! state has reached. Adopting it changes the tables of the live state where they differ and has the
//! machine take over what the replica holds in memory; the log is only ever read.

mod adopt;

use std::{fmt, sync::OnceLock};

use lgpki_ledger::{Recorded, decode};

pub(crate) use self::adopt::Adoption;
use crate::{
    counts::Counts,
    engine::{Core, Engine},
    error::StoreError,
    index::NoIndex,
    machine::Machine,
    overlay::Overlay,
    view::{Ground, Tables, View},
};

/// Entries that are replayed while both states are held.
const LAST_STRETCH: usize = 4096;
/// Bytes of the log that are read at once.
const LOOK_BYTES: usize = 16 * 1024 * 1024;

/// What the log alone says.
pub struct Replica<M> {
    machine: M,
    overlay: Overlay,
    fault: OnceLock<String>,
    next: u64,
    counts: Counts,
}

impl<M> fmt::Debug for Replica<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// The live state and the rebuilt one, both after the same entry.
pub struct Beside<'a, M> {
    /// The machine that serves.
    pub live: &'a M,
    /// Its tables.
    pub live_tables: View<'a>,
    /// The machine that was rebuilt.
    pub rebuilt: &'a M,
    /// Its tables.
    pub rebuilt_tables: View<'a>,
}

impl<M> fmt::Debug for Beside<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beside")
            .field("next", &self.rebuilt_tables.next)
            .finish_non_exhaustive()
    }
}

impl<M: Machine> Replica<M> {
    /// Begins with `machine`, which must be fresh.
    pub fn try_new(mut machine: M) -> Result<Self, StoreError> {
        let (overlay, fault) = (Overlay::default(), OnceLock::new());
        machine.load(&view::<M>(&overlay, &fault, 0))?;
        Ok(Self {
            machine,
            overlay,
            fault,
            next: 0,
            counts: Counts::new::<M::Event>(),
        })
    }

    /// How many entries it has replayed.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.next
    }

    /// The machine as far as it has been replayed.
    #[must_use]
    pub const fn machine(&self) -> &M {
        &self.machine
    }

    fn apply(&mut self, recorded: &Recorded<M::Event>) -> Result<(), StoreError> {
        let mut tables = Tables {
            ground: ground::<M>(&self.fault),
            overlay: &mut self.overlay,
            next: recorded.index,
        };
        self.machine.apply(&mut tables, recorded);
        self.counts.add(&recorded.event);
        self.next = recorded.index + 1;
        match self.fault.get() {
            Some(fault) => Err(StoreError::Index(fault.clone())),
            None => Ok(()),
        }
    }

    fn view(&self) -> View<'_> {
        view::<M>(&self.overlay, &self.fault, self.next)
    }
}

fn ground<M: Machine>(fault: &OnceLock<String>) -> Ground<'_> {
    Ground {
        names: M::TABLES,
        base: &NoIndex,
        fault,
    }
}

fn view<'a, M: Machine>(overlay: &'a Overlay, fault: &'a OnceLock<String>, next: u64) -> View<'a> {
    View {
        ground: ground::<M>(fault),
        overlay,
        next,
    }
}

impl<M: Machine> Engine<M> {
    /// Replays at most `most` of the durable entries that the replica lacks, telling `each` of them.
    /// True once there were no more. Blocks.
    pub fn replay(
        &self,
        replica: &mut Replica<M>,
        most: usize,
        each: impl FnMut(&Recorded<M::Event>),
    ) -> Result<bool, StoreError> {
        self.core.check()?;
        self.core.replay(replica, most, each)
    }

    /// Looks at the live state and the rebuilt one side by side. Keep `look` short, for the writer
    /// waits meanwhile.
    pub async fn beside<T: Send>(
        &self,
        replica: &mut Replica<M>,
        look: impl FnOnce(&Beside<'_, M>) -> T + Send,
    ) -> Result<T, StoreError> {
        let (value, position) = loop {
            while !self.replay(replica, LAST_STRETCH, |_| ())? {
                tokio::task::yield_now().await;
            }
            let behind = {
                let state = self.core.state.read();
                self.core.check()?;
                if self.core.catch_up(replica, state.next)? {
                    let beside = Beside {
                        live: &state.machine,
                        live_tables: View {
                            ground: self.core.ground(),
                            overlay: &state.overlay,
                            next: state.next,
                        },
                        rebuilt: &replica.machine,
                        rebuilt_tables: replica.view(),
                    };
                    break (look(&beside), state.next);
                }
                state.next
            };
            // More was decided than memory still holds; soon the log has it.
            self.durable(behind).await?;
        };
        self.core.check()?;
        self.durable(position).await?;
        Ok(value)
    }
}

impl<M: Machine> Core<M> {
    fn replay(
        &self,
        replica: &mut Replica<M>,
        most: usize,
        mut each: impl FnMut(&Recorded<M::Event>),
    ) -> Result<bool, StoreError> {
        let mut left = most;
        while left > 0 && replica.next < self.reader.durable() {
            let entries = self.reader.read(replica.next, left, LOOK_BYTES)?;
            left = left.saturating_sub(entries.len().max(1));
            for (index, bytes) in entries {
                let recorded = decode::<M::Event>(index, &bytes)
                    .map_err(|source| StoreError::Entry { index, source })?;
                each(&recorded);
                replica.apply(&recorded)?;
            }
        }
        Ok(replica.next >= self.reader.durable())
    }

    /// Applies what was decided up to `end`, from memory; false if memory does not reach back far
    /// enough. Whoever calls holds the state, so that nothing more is decided.
    fn catch_up(&self, replica: &mut Replica<M>, end: u64) -> Result<bool, StoreError> {
        if replica.next < end {
            let span = (replica.next, end);
            let recent = self.tail.lock().read(span, usize::MAX, usize::MAX);
            for recorded in recent.unwrap_or_default() {
                replica.apply(&recorded)?;
            }
        }
        Ok(replica.next == end)
    }
}
