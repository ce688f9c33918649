//! The committing thread: one frame and one sync for all that has gathered, then the answers.

use std::sync::{Arc, mpsc::Receiver};

use lgpki_ledger::Log;
use tokio::sync::oneshot;

use crate::{engine::Core, error::chain, machine::Machine};

/// A decided submission.
pub(crate) struct Unit<O> {
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) outcomes: Vec<O>,
    pub(crate) answer: oneshot::Sender<Vec<O>>,
}

/// Commits until the deciding thread is done, or until the log fails.
pub(crate) fn run<M: Machine>(
    core: &Arc<Core<M>>,
    log: &mut Log,
    units: &Receiver<Unit<M::Outcome>>,
) {
    while let Ok(first) = units.recv() {
        let mut entries = first.entries;
        let mut answers = vec![(first.answer, first.outcomes)];
        let mut bytes: usize = entries.iter().map(Vec::len).sum();
        while bytes < core.options.frame_bytes
            && let Ok(unit) = units.try_recv()
        {
            bytes += unit.entries.iter().map(Vec::len).sum::<usize>();
            entries.extend(unit.entries);
            answers.push((unit.answer, unit.outcomes));
        }
        if !entries.is_empty() {
            match log.append(&entries) {
                Ok(appended) => core.advance(appended.head),
                Err(e) => {
                    // The callers hear why when their answers are dropped.
                    core.stop(&chain(&e));
                    return;
                }
            }
        }
        for (answer, outcomes) in answers {
            // A caller that no longer waits has nothing to be told.
            let _ = answer.send(outcomes);
        }
    }
}
