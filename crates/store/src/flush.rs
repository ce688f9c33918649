//! The flushing thread: writes the index behind the log, never ahead of it.
//!
//! It freezes the changed keys, waits until the log is durable that far, and writes them with the
//! position in one batch. It does so when many keys have changed, every two seconds otherwise, and
//! once more at the end.

use std::time::Duration;

use lgpki_ledger::merkle;
use parking_lot::MutexGuard;

use crate::{counts::Counts, engine::Core, index::Meta, machine::Machine, overlay::Changes};

/// How long changed keys wait when few change.
const IDLE: Duration = Duration::from_secs(2);
/// How many times `flush_keys` may wait before the writer does.
const ROOM: usize = 8;

/// What the threads tell each other.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// Entries durable in the log.
    pub(crate) durable: u64,
    /// Many keys have changed.
    pub(crate) flush: bool,
    /// Flushes done.
    pub(crate) flushes: u64,
    /// The engine is closing, and nothing more will change.
    pub(crate) closing: bool,
    /// The engine stopped by an error.
    pub(crate) stopped: bool,
}

/// Flushes until the engine closes or stops.
pub(crate) fn run<M: Machine>(core: &Core<M>) {
    loop {
        let closing = {
            let mut signals = core.signals.lock();
            if !signals.flush && !signals.closing && !signals.stopped {
                core.signalled_flush(&mut signals);
            }
            if signals.stopped {
                return;
            }
            signals.flush = false;
            signals.closing
        };
        if let Err(e) = core.flush() {
            core.stop(&format!("the index of the log cannot be written: {e}"));
            return;
        }
        if closing {
            return;
        }
    }
}

impl<M: Machine> Core<M> {
    /// Waits until a flush is due.
    fn signalled_flush(&self, signals: &mut MutexGuard<'_, Signals>) {
        let due = |s: &mut Signals| !(s.flush || s.closing || s.stopped);
        self.signalled.wait_while_for(signals, due, IDLE);
    }

    /// Writes what has changed so far to the index.
    fn flush(&self) -> Result<(), String> {
        let (changes, position, counts) = {
            let mut state = self.state.write();
            if state.overlay.dirty.is_empty() {
                return Ok(());
            }
            (state.overlay.freeze(), state.next, state.counts.clone())
        };
        if !self.wait_until_durable(position) {
            return Ok(());
        }
        self.write_index(&changes, (position, &counts))?;
        self.state.write().overlay.thaw();
        self.signals.lock().flushes += 1;
        self.signalled.notify_all();
        Ok(())
    }

    /// Returns when the log is durable up to `position`; false if the engine stopped before.
    pub(crate) fn wait_until_durable(&self, position: u64) -> bool {
        let mut signals = self.signals.lock();
        let short = |s: &mut Signals| s.durable < position && !s.stopped;
        self.signalled.wait_while(&mut signals, short);
        !signals.stopped
    }

    /// Returns when the index holds all that has changed so far; false if the engine stopped before.
    /// Only the deciding thread asks, so that nothing changes meanwhile.
    pub(crate) fn wait_until_flushed(&self) -> bool {
        loop {
            let seen = self.signals.lock().flushes;
            // The two locks are never held together.
            let clean = {
                let state = self.state.read();
                state.overlay.dirty.is_empty() && state.overlay.frozen.is_none()
            };
            let mut signals = self.signals.lock();
            if clean || signals.stopped {
                return !signals.stopped;
            }
            signals.flush = true;
            self.signalled.notify_all();
            let waiting = |s: &mut Signals| s.flushes == seen && !s.stopped;
            self.signalled.wait_while(&mut signals, waiting);
        }
    }

    /// Writes `changes`, the position that they lead to, and what was counted until there.
    pub(crate) fn write_index(
        &self,
        changes: &Changes,
        (position, counts): (u64, &Counts),
    ) -> Result<(), String> {
        let anchor = match position.checked_sub(1) {
            Some(last) => merkle::leaf(&self.reader.entry(last).map_err(|e| e.to_string())?),
            None => [0; 32],
        };
        let meta = Meta {
            position,
            anchor,
            counts: counts.noted(),
            state_version: M::STATE_VERSION,
            tables: M::TABLES.iter().map(ToString::to_string).collect(),
        };
        let meta = serde_json::to_vec(&meta).map_err(|e| e.to_string())?;
        self.base.write(changes, &meta)
    }

    /// Asks for a flush when many keys have changed, and waits when far too many have. False if
    /// the engine stopped meanwhile.
    pub(crate) fn wait_for_room(&self) -> bool {
        if !self.indexed {
            return true;
        }
        let many = self.options.flush_keys.max(1);
        let changed = || self.state.read().overlay.dirty.len();
        while changed() >= many {
            let seen = {
                let mut signals = self.signals.lock();
                signals.flush = true;
                signals.flushes
            };
            self.signalled.notify_all();
            if changed() < many.saturating_mul(ROOM) {
                return true;
            }
            let mut signals = self.signals.lock();
            let full = |s: &mut Signals| s.flushes == seen && !s.stopped;
            self.signalled.wait_while(&mut signals, full);
            if signals.stopped {
                return false;
            }
        }
        true
    }
}
