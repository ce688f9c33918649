//! The committing thread: one frame and one sync for all that has gathered, then the answers.

use std::sync::{Arc, mpsc::Receiver};

use lgpki_ledger::{Log, LogId, NewEntry, Sequenced, sequencer};
use tokio::sync::oneshot;

use crate::{engine::Core, error::chain, machine::Machine};

/// A decided submission.
pub(crate) struct Unit<O> {
    pub(crate) entries: Vec<NewEntry>,
    pub(crate) outcomes: Vec<O>,
    pub(crate) answer: oneshot::Sender<Committed<O>>,
}

/// The outcomes of a submission, and the frame in which its entries stand, if it has any.
pub(crate) type Committed<O> = (Vec<O>, Option<Arc<Sequenced>>);

impl<O> Unit<O> {
    fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.bytes.len()).sum()
    }

    /// The log of the year that its latest entry needs; none if it has no entry.
    fn needs(&self) -> Option<LogId> {
        sequencer::needs(&self.entries)
    }
}

/// Commits until the deciding thread is done, or until the log fails.
pub(crate) fn run<M: Machine>(
    core: &Arc<Core<M>>,
    log: &mut Log,
    units: &Receiver<Unit<M::Outcome>>,
) {
    let mut left = None;
    while let Some(first) = left.take().or_else(|| units.recv().ok()) {
        let mut bytes = first.bytes();
        // A frame belongs to one year.
        let year = first.needs().max(log.year().map(LogId::Year));
        let mut entries = first.entries;
        let mut answers = vec![(first.answer, first.outcomes)];
        while bytes < core.options.frame_bytes
            && let Ok(unit) = units.try_recv()
        {
            if unit.needs() > year {
                left = Some(unit);
                break;
            }
            bytes += unit.bytes();
            entries.extend(unit.entries);
            answers.push((unit.answer, unit.outcomes));
        }
        let frame = match log.append(entries) {
            Ok(appended) => {
                if appended.frame.is_some() {
                    core.advance(appended.size);
                }
                appended.frame
            }
            Err(e) => {
                // The callers hear why when their answers are dropped.
                core.stop(&chain(&e));
                return;
            }
        };
        for (answer, outcomes) in answers {
            // A caller that no longer waits has nothing to be told.
            let _ = answer.send((outcomes, frame.clone()));
        }
    }
}
