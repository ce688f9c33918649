//! Adopting a replica: the live state is made what the log says.
//!
//! The tables are compared a stretch at a time while commands are decided. What either side writes
//! meanwhile is kept in mind: of a key that neither wrote since, both values are still those that were
//! compared, whatever entry each side had reached. So on the deciding thread only the keys that differed,
//! and those written since, are looked at once more, after the same entry.

use std::{collections::BTreeSet, sync::Arc};

use tokio::{sync::oneshot, task::spawn_blocking};

use super::{LAST_STRETCH, Replica};
use crate::{
    engine::{Core, Engine, Request, State},
    error::StoreError,
    machine::Machine,
    overlay::Changes,
    view::{Span, Tables, View},
};

/// Keys that are compared while the writer, or a reader, may have to wait.
const COMPARED: usize = 4096;

/// A replica whose content the live state shall have.
pub(crate) struct Adoption<M: Machine> {
    surveyed: Surveyed<M>,
    answer: oneshot::Sender<usize>,
}

/// A replica whose tables were compared with the live ones.
struct Surveyed<M: Machine> {
    replica: Box<Replica<M>>,
    /// The keys that differed, as they stand in the index.
    differing: BTreeSet<Vec<u8>>,
    watch: Watch<M>,
}

/// As long as it lives, the live tables keep in mind what is written.
struct Watch<M: Machine>(Arc<Core<M>>);

impl<M: Machine> Watch<M> {
    fn begin(core: &Arc<Core<M>>) -> Self {
        core.state.write().overlay.watch();
        Self(Arc::clone(core))
    }
}

impl<M: Machine> Drop for Watch<M> {
    fn drop(&mut self) {
        self.0.state.write().overlay.unwatch();
    }
}

impl<M: Machine> Engine<M> {
    /// Makes the live state what the replica says: changes the tables where they differ, and has the
    /// machine take over what the replica's holds. Returns how many keys were changed, once the index
    /// holds them. After a kill in between the index is the one before or the one after. An error while
    /// it is changed stops the engine, for the state may be half changed.
    ///
    /// Commands are decided while the tables are compared; `between` is called after each stretch of it
    /// that another follows, when nobody waits. They wait for the changes, and for another look at the keys
    /// that were written during the comparison.
    pub async fn adopt(
        &self,
        replica: Replica<M>,
        between: impl FnMut() + Send + 'static,
    ) -> Result<usize, StoreError> {
        self.core.check()?;
        let core = Arc::clone(&self.core);
        let survey = spawn_blocking(move || core.survey(replica, between));
        let surveyed = survey.await.map_err(|_| StoreError::Closed)??;
        let (answer, answered) = oneshot::channel();
        let adoption = Adoption { surveyed, answer };
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
    /// Compares the live tables with those of the replica, while commands are decided.
    fn survey(
        self: &Arc<Self>,
        mut replica: Replica<M>,
        mut between: impl FnMut(),
    ) -> Result<Surveyed<M>, StoreError> {
        // First of all: what is written from here on is looked at again.
        replica.overlay.watch();
        let watch = Watch::begin(self);
        let mut differing = BTreeSet::new();
        for table in M::TABLES.iter().copied() {
            let mut at: Option<Vec<u8>> = None;
            loop {
                at = {
                    let state = self.state.read();
                    let both = (&self.view(&state), &replica.view());
                    stretch(both, table, at.as_deref(), &mut differing)
                };
                // What was compared with an index that cannot be read must not reach it.
                self.check()?;
                // So that little is left to the deciding thread.
                self.replay(&mut replica, LAST_STRETCH, |_| ())?;
                if at.is_none() {
                    break;
                }
                between();
            }
        }
        while !self.replay(&mut replica, LAST_STRETCH, |_| ())? {}
        Ok(Surveyed {
            replica: Box::new(replica),
            differing,
            watch,
        })
    }

    fn view<'a>(&'a self, state: &'a State<M>) -> View<'a> {
        View {
            ground: self.ground(),
            overlay: &state.overlay,
            next: state.next,
        }
    }

    /// Carries out an adoption, on the deciding thread: nothing is decided meanwhile.
    pub(crate) fn adopt(&self, adoption: Adoption<M>) {
        let Adoption { surveyed, answer } = adoption;
        match self.adopted(surveyed) {
            Ok(changed) => {
                // Whoever asked may have left.
                let _ = answer.send(changed);
            }
            Err(e) => self.stop(&format!("the rebuilt index cannot be adopted: {e}")),
        }
    }

    fn adopted(&self, surveyed: Surveyed<M>) -> Result<usize, StoreError> {
        let Surveyed {
            mut replica,
            differing,
            watch,
        } = surveyed;
        let end = self.state.read().next;
        if !self.wait_until_durable(end) {
            return Err(StoreError::Closed);
        }
        while !self.replay(&mut replica, usize::MAX, |_| ())? {}
        // Nobody else decides anything, so that what is compared under one look stands under the next.
        let changes = self.changes(&replica, differing)?;
        let count = changes.len();
        let counted = replica.counts.clone();
        {
            let mut state = self.state.write();
            let State {
                machine,
                overlay,
                next,
                counts,
            } = &mut *state;
            counts.clone_from(&counted);
            for (key, value) in changes {
                overlay.write(key, value);
            }
            let tables = Tables {
                ground: self.ground(),
                overlay,
                next: *next,
            };
            machine.take_over(&mut replica.machine, &tables.view())?;
            self.check()?;
        }
        // With what the live machine held until now; it may be much.
        drop((watch, replica));
        if self.indexed && !self.wait_until_flushed() {
            return Err(StoreError::Closed);
        }
        if self.indexed {
            // The counters too, though no key may have differed.
            let noted = self.write_index(&Changes::new(), (end, &counted));
            noted.map_err(StoreError::Index)?;
        }
        self.base.hand_over().map_err(StoreError::Index)?;
        Ok(count)
    }

    /// What makes the live tables those of the replica, both being after the same entry, as far as these
    /// keys go and those that either wrote while they were compared.
    fn changes(
        &self,
        replica: &Replica<M>,
        mut keys: BTreeSet<Vec<u8>>,
    ) -> Result<Vec<Change>, StoreError> {
        keys.extend(replica.overlay.watched().cloned());
        keys.extend(self.state.read().overlay.watched().cloned());
        let keys: Vec<_> = keys.into_iter().collect();
        let rebuilt = replica.view();
        let mut changes = Vec::new();
        for keys in keys.chunks(COMPARED) {
            let state = self.state.read();
            let live = self.view(&state);
            for key in keys {
                let (old, new) = (live.value(key), rebuilt.value(key));
                if old != new {
                    changes.push((key.clone(), new));
                }
            }
            self.check()?;
        }
        Ok(changes)
    }
}

/// A key as it stands in the index, and the value that it should have.
type Change = (Vec<u8>, Option<Vec<u8>>);

/// Takes note of the keys of `table` after `after` at which two states differ, along one stretch; returns
/// where that ends, or nowhere if it was the last.
fn stretch(
    (live, rebuilt): (&View<'_>, &View<'_>),
    table: &'static str,
    after: Option<&[u8]>,
    differing: &mut BTreeSet<Vec<u8>>,
) -> Option<Vec<u8>> {
    let span = after.map_or_else(Span::all, |after| Span::all().after(after));
    let mut old = live.scan(table, &span).peekable();
    let mut new = rebuilt.scan(table, &span).peekable();
    let mut last = None;
    for _ in 0..COMPARED {
        let first = match (old.peek(), new.peek()) {
            (Some((old, _)), Some((new, _))) => old.min(new),
            (Some((key, _)), None) | (None, Some((key, _))) => key,
            (None, None) => return None,
        };
        let key = first.clone();
        let old = old.next_if(|(old, _)| *old == key).map(|(_, old)| old);
        let new = new.next_if(|(new, _)| *new == key).map(|(_, new)| new);
        if old != new {
            differing.extend(live.ground.key(table, &key));
        }
        last = Some(key);
    }
    last
}
