//! The deciding thread: the single writer of a machine's state.
//!
//! It takes submissions in the order of the queue, decides and applies them in memory, and hands
//! their entries to the committing thread. What does not fit into an entry is refused before
//! anything of it is applied.

use std::sync::{Arc, mpsc::SyncSender};

use lgpki_ledger::{EntryError, Event, NewEntry, Recorded, encode};
use tokio::sync::{mpsc, oneshot};

use crate::{
    commit::Unit,
    engine::{Core, Request, State},
    machine::Machine,
    view::{Tables, View},
};

/// Decides until the queue ends or the engine is closed; returns who waits for the closing.
pub(crate) fn run<M: Machine>(
    core: &Arc<Core<M>>,
    queue: &mut mpsc::Receiver<Request<M>>,
    units: &SyncSender<Unit<M::Outcome>>,
) -> Option<oneshot::Sender<()>> {
    while let Some(request) = queue.blocking_recv() {
        let submission = match request {
            Request::Submit(submission) => submission,
            Request::Adopt(adoption) => {
                if core.check().is_ok() {
                    core.adopt(adoption);
                }
                continue;
            }
            Request::Close(done) => return Some(done),
        };
        // A stopped engine drops the submission, and its caller hears why.
        if core.check().is_err() || !core.wait_for_room() {
            continue;
        }
        let (entries, outcomes) = decide(core, submission.commands);
        if core.check().is_err() {
            continue;
        }
        let unit = Unit {
            entries,
            outcomes,
            answer: submission.answer,
        };
        if units.send(unit).is_err() {
            core.stop("the committing thread ended");
        }
    }
    None
}

fn decide<M: Machine>(
    core: &Core<M>,
    commands: Vec<M::Command>,
) -> (Vec<NewEntry>, Vec<M::Outcome>) {
    let mut entries = Vec::new();
    let mut outcomes = Vec::with_capacity(commands.len());
    let mut guard = core.state.write();
    let State {
        machine,
        overlay,
        next,
    } = &mut *guard;
    for command in commands {
        let view = View {
            ground: core.ground(),
            overlay,
            next: *next,
        };
        let decision = machine.decide(&view, command);
        let encoded: Result<Vec<_>, EntryError> = decision
            .events
            .iter()
            .map(|(stamp, event)| {
                Ok(NewEntry {
                    bytes: encode(core.options.log.node(), stamp, event)?,
                    time: stamp.time,
                    ceremony: event.ceremony(),
                })
            })
            .collect();
        let lengths: Vec<usize>;
        match encoded {
            Ok(encoded) => {
                lengths = encoded.iter().map(|entry| entry.bytes.len()).collect();
                entries.extend(encoded);
            }
            Err(e) => {
                outcomes.push(M::unrecordable(e));
                continue;
            }
        }
        for ((stamp, event), length) in decision.events.into_iter().zip(lengths) {
            let recorded = Arc::new(Recorded {
                index: *next,
                stamp,
                event,
            });
            let mut tables = Tables {
                ground: core.ground(),
                overlay,
                next: *next,
            };
            machine.apply(&mut tables, &recorded);
            core.tail.lock().push(length, recorded);
            *next += 1;
        }
        outcomes.push(decision.outcome);
    }
    (entries, outcomes)
}
