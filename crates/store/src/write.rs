//! The deciding thread: the single writer of a machine's state.
//!
//! It takes submissions in the order of the queue, decides and applies them in memory, and hands
//! their entries to the committing thread. What does not fit into an entry is refused before
//! anything of it is applied.

use std::sync::{Arc, mpsc::SyncSender};

use lgpki_ledger::{EntryError, Event, NewEntry, Recorded, Stamp, encode};
use tokio::sync::{mpsc, oneshot};

use crate::{
    commit::Unit,
    engine::{Core, Request, State, Work},
    error::chain,
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
        let (entries, outcomes) = decide(core, submission.work);
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

fn decide<M: Machine>(core: &Core<M>, work: Work<M>) -> (Vec<NewEntry>, Vec<M::Outcome>) {
    let mut entries = Vec::new();
    let mut state = core.state.write();
    let commands = match work {
        Work::Commands(commands) => commands,
        Work::Counted(make) => {
            let event = make(&state.counts, state.next);
            if let Err(e) = record(core, &mut state, vec![event], &mut entries) {
                core.stop(&chain(&e));
            }
            return (entries, Vec::new());
        }
    };
    let mut outcomes = Vec::with_capacity(commands.len());
    for command in commands {
        let view = View {
            ground: core.ground(),
            overlay: &state.overlay,
            next: state.next,
        };
        let decision = state.machine.decide(&view, command);
        let recorded = record(core, &mut state, decision.events, &mut entries);
        outcomes.push(recorded.map_or_else(M::unrecordable, |()| decision.outcome));
    }
    (entries, outcomes)
}

/// Encodes events and applies them; nothing of them if one cannot be an entry.
fn record<M: Machine>(
    core: &Core<M>,
    state: &mut State<M>,
    events: Vec<(Stamp, M::Event)>,
    entries: &mut Vec<NewEntry>,
) -> Result<(), EntryError> {
    let before = entries.len();
    for (stamp, event) in &events {
        match encode(core.options.log.node(), stamp, event) {
            Ok(bytes) => entries.push(NewEntry {
                bytes,
                time: stamp.time,
                ceremony: event.ceremony(),
            }),
            Err(e) => {
                entries.truncate(before);
                return Err(e);
            }
        }
    }
    let lengths = entries.iter().skip(before).map(|entry| entry.bytes.len());
    for ((stamp, event), length) in events.into_iter().zip(lengths) {
        let recorded = Arc::new(Recorded {
            index: state.next,
            stamp,
            event,
        });
        let mut tables = Tables {
            ground: core.ground(),
            overlay: &mut state.overlay,
            next: state.next,
        };
        state.machine.apply(&mut tables, &recorded);
        state.counts.add(&recorded.event);
        core.tail.lock().push(length, recorded);
        state.next += 1;
    }
    Ok(())
}
