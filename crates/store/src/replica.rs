//! A second state beside the live one, rebuilt from the log alone: to compare with, and to put right
//! what an index should hold.
//!
//! A replica replays the log into a fresh machine with tables of its own in memory, a stretch at a
//! time, while the engine goes on. To be compared it is brought to exactly the entry that the live
//! state has reached. Adopting it changes the tables of the live state where they differ and has the
//! machine take over what the replica holds in memory; the log is only ever read.

use std::{fmt, sync::OnceLock};

use lgpki_ledger::{Recorded, decode};
use tokio::sync::oneshot;

use crate::{
    engine::{Core, Engine, Request, State},
    error::StoreError,
    index::NoIndex,
    machine::Machine,
    overlay::Overlay,
    view::{Ground, Span, Tables, View},
};

/// Entries that are replayed while both states are held.
const LAST_STRETCH: usize = 4096;
/// Keys that are compared while readers may have to wait.
const COMPARED: usize = 4096;
/// Bytes of the log that are read at once.
const LOOK_BYTES: usize = 16 * 1024 * 1024;

/// What the log alone says.
pub struct Replica<M> {
    machine: M,
    overlay: Overlay,
    fault: OnceLock<String>,
    next: u64,
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

/// A replica whose content the live state shall have.
pub(crate) struct Adoption<M> {
    replica: Box<Replica<M>>,
    answer: oneshot::Sender<usize>,
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

    /// Makes the live state what the replica says: changes the tables where they differ, and has the
    /// machine take over what the replica's holds. Returns how many keys were changed, once the index
    /// holds them. Nothing is decided meanwhile, but readers wait only for the changes. After a kill in
    /// between the index is the one before or the one after. An error stops the engine, for the
    /// state may be half changed.
    pub async fn adopt(&self, replica: Replica<M>) -> Result<usize, StoreError> {
        self.core.check()?;
        let (answer, answered) = oneshot::channel();
        let adoption = Adoption {
            replica: Box::new(replica),
            answer,
        };
        if self.queue.send(Request::Adopt(adoption)).await.is_err() {
            return Err(self.ended().await);
        }
        match answered.await {
            Ok(changed) => Ok(changed),
            Err(_) => Err(self.ended().await),
        }
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

    /// Carries out an adoption, on the deciding thread: nothing is decided meanwhile.
    pub(crate) fn adopt(&self, adoption: Adoption<M>) {
        let Adoption { replica, answer } = adoption;
        match self.adopted(*replica) {
            Ok(changed) => {
                // Whoever asked may have left.
                let _ = answer.send(changed);
            }
            Err(e) => self.stop(&format!("the rebuilt index cannot be adopted: {e}")),
        }
    }

    fn adopted(&self, mut replica: Replica<M>) -> Result<usize, StoreError> {
        let end = self.state.read().next;
        if !self.wait_until_durable(end) {
            return Err(StoreError::Closed);
        }
        while !self.replay(&mut replica, usize::MAX, |_| ())? {}
        // Nobody else decides anything, so that what is compared under one look stands under the next.
        let changes = self.differences(&replica)?;
        let count = changes.len();
        {
            let mut state = self.state.write();
            let State {
                machine,
                overlay,
                next,
            } = &mut *state;
            let mut tables = Tables {
                ground: self.ground(),
                overlay,
                next: *next,
            };
            for (table, key, value) in changes {
                match value {
                    Some(value) => tables.put(table, &key, value),
                    None => tables.delete(table, &key),
                }
            }
            machine.take_over(&mut replica.machine, &tables.view())?;
            self.check()?;
        }
        // With what the live machine held until now; it may be much.
        drop(replica);
        if self.indexed && !self.wait_until_flushed() {
            return Err(StoreError::Closed);
        }
        self.base.hand_over().map_err(StoreError::Index)?;
        Ok(count)
    }

    /// What makes the live tables those of the replica, compared a stretch at a time: between two of
    /// them readers, and the thread that writes the index, get their turn.
    fn differences(&self, replica: &Replica<M>) -> Result<Vec<Change>, StoreError> {
        let mut changes = Vec::new();
        for table in M::TABLES.iter().copied() {
            let mut at: Option<Vec<u8>> = None;
            loop {
                let state = self.state.read();
                let live = View {
                    ground: self.ground(),
                    overlay: &state.overlay,
                    next: state.next,
                };
                let both = (&live, &replica.view());
                at = stretch(both, table, at.as_deref(), &mut changes);
                // What was compared with an index that cannot be read must not reach it.
                self.check()?;
                if at.is_none() {
                    break;
                }
            }
        }
        Ok(changes)
    }
}

/// A key of a table and the value that it should have.
type Change = (&'static str, Vec<u8>, Option<Vec<u8>>);

/// What makes the first tables the second among the keys of `table` after `after`, along one stretch, and
/// where that ends; nowhere if it was the last.
fn stretch(
    (from, to): (&View<'_>, &View<'_>),
    table: &'static str,
    after: Option<&[u8]>,
    changes: &mut Vec<Change>,
) -> Option<Vec<u8>> {
    let span = after.map_or_else(Span::all, |after| Span::all().after(after));
    let mut from = from.scan(table, &span).peekable();
    let mut to = to.scan(table, &span).peekable();
    for passed in 1.. {
        let first = match (from.peek(), to.peek()) {
            (Some((old, _)), Some((new, _))) => old.min(new),
            (Some((key, _)), None) | (None, Some((key, _))) => key,
            (None, None) => return None,
        };
        let key = first.clone();
        let old = from.next_if(|(old, _)| *old == key).map(|(_, old)| old);
        let new = to.next_if(|(new, _)| *new == key).map(|(_, new)| new);
        if passed == COMPARED {
            if old != new {
                changes.push((table, key.clone(), new));
            }
            return Some(key);
        }
        if old != new {
            changes.push((table, key, new));
        }
    }
    None
}
