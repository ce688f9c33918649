//! The handle on a running machine: submit, read, watch, close.
//!
//! Three threads stand behind it. One decides and applies, one commits to the log and acknowledges,
//! one writes the index behind. While a frame is being synced the next is being decided; nobody
//! hears of an effect, as an answer or by reading, before its frame is durable.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use lgpki_ledger::{Heads, Identity, LogReader, MemoryDisk, Recorded, Sequenced, Stamp};
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    commit::Committed,
    counts::Counts,
    error::StoreError,
    flush::Signals,
    index::IndexBase,
    machine::Machine,
    mark::Mark,
    open::{self, OpenReport},
    options::Options,
    overlay::Overlay,
    publish::{Progress, Publication},
    replica::Adoption,
    tail::Tail,
    view::{Ground, View},
};

/// What the machine's readers and its writer share, under one lock.
pub(crate) struct State<M> {
    pub(crate) machine: M,
    pub(crate) overlay: Overlay,
    /// Entries applied; the log may still be short of some of them.
    pub(crate) next: u64,
    /// How many of them are of each kind.
    pub(crate) counts: Counts,
}

/// Whether the engine runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It does.
    Running,
    /// An error stopped it.
    Stopped(Arc<str>),
    /// It was closed.
    Closed,
}

impl Ending {
    fn error(&self) -> Option<StoreError> {
        match self {
            Self::Running => None,
            Self::Stopped(why) => Some(StoreError::Stopped(Arc::clone(why))),
            Self::Closed => Some(StoreError::Closed),
        }
    }
}

/// What the threads and the handles share.
pub(crate) struct Core<M: Machine> {
    pub(crate) dir: PathBuf,
    pub(crate) options: Options,
    pub(crate) state: RwLock<State<M>>,
    pub(crate) base: Box<dyn IndexBase>,
    /// Whether an index is kept on disk.
    pub(crate) indexed: bool,
    pub(crate) fault: OnceLock<String>,
    pub(crate) reader: LogReader,
    pub(crate) tail: Mutex<Tail<M::Event>>,
    pub(crate) durable: watch::Sender<u64>,
    pub(crate) ending: watch::Sender<Ending>,
    /// Whether the directory was let go.
    pub(crate) released: watch::Sender<bool>,
    pub(crate) signals: Mutex<Signals>,
    pub(crate) signalled: Condvar,
    pub(crate) mark: Mutex<Mark>,
    pub(crate) progress: Mutex<Progress>,
    /// Size of the log that the mark on disk covers.
    pub(crate) marked: AtomicU64,
}

impl<M: Machine> Core<M> {
    pub(crate) fn ground(&self) -> Ground<'_> {
        Ground {
            names: M::TABLES,
            base: self.base.as_ref(),
            fault: &self.fault,
        }
    }

    /// Stops the engine for good. The first reason is the one that is told.
    pub(crate) fn stop(&self, why: &str) {
        self.ending.send_if_modified(|ending| {
            if *ending != Ending::Running {
                return false;
            }
            tracing::error!(dir = %self.dir.display(), why, "the store stopped");
            *ending = Ending::Stopped(Arc::from(why));
            true
        });
        self.signals.lock().stopped = true;
        self.signalled.notify_all();
    }

    /// Notes that the engine was closed, unless it has stopped.
    pub(crate) fn end(&self) {
        self.ending.send_if_modified(|ending| {
            let running = *ending == Ending::Running;
            if running {
                *ending = Ending::Closed;
            }
            running
        });
    }

    /// An error if the engine has ended, or if the index could not be read.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if let Some(fault) = self.fault.get() {
            self.stop(&StoreError::Index(fault.clone()).to_string());
        }
        match self.ending.borrow().error() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Shows that the first `size` entries of the log are durable.
    pub(crate) fn advance(&self, size: u64) {
        self.falls_behind();
        self.durable.send_replace(size);
        self.signals.lock().durable = size;
        self.signalled.notify_all();
    }
}

/// Work for the deciding thread.
pub(crate) enum Request<M: Machine> {
    /// Decide these.
    Submit(Submission<M>),
    /// Make the state what the log says.
    Adopt(Adoption<M>),
    /// Finish what is queued, write everything out, release the directory.
    Close(oneshot::Sender<()>),
}

/// Makes an entry of what was counted and of how many entries there are.
pub(crate) type Telling<E> = dyn FnOnce(&Counts, u64) -> (Stamp, E) + Send;

/// What one submission wants.
pub(crate) enum Work<M: Machine> {
    /// That these be decided.
    Commands(Vec<M::Command>),
    /// That what was counted be recorded.
    Counted(Box<Telling<M::Event>>),
}

/// The work of one submission and where its answers go.
pub(crate) struct Submission<M: Machine> {
    pub(crate) work: Work<M>,
    pub(crate) answer: oneshot::Sender<Committed<M::Outcome>>,
}

/// A running machine. Clones are handles on the same one; when the last is dropped the engine
/// closes by itself, in the background.
pub struct Engine<M: Machine> {
    pub(crate) core: Arc<Core<M>>,
    pub(crate) queue: mpsc::Sender<Request<M>>,
}

impl<M: Machine> Clone for Engine<M> {
    fn clone(&self) -> Self {
        Self {
            core: Arc::clone(&self.core),
            queue: self.queue.clone(),
        }
    }
}

impl<M: Machine> fmt::Debug for Engine<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("dir", &self.core.dir)
            .field("durable", &self.core.reader.durable())
            .finish_non_exhaustive()
    }
}

impl<M: Machine> Engine<M> {
    /// Opens the data directory `dir`, or begins it: log and index. Blocks while it recovers.
    pub fn open_embedded(
        dir: &Path,
        machine: M,
        options: Options,
    ) -> Result<(Self, OpenReport), StoreError> {
        open::embedded(dir, machine, options)
    }

    /// Runs the machine in memory; nothing survives.
    pub fn open_memory(machine: M, log: Identity) -> Result<Self, StoreError> {
        let options = Options {
            disk: Arc::new(MemoryDisk::new()),
            ..Options::new(log)
        };
        Self::open_unindexed(Path::new("memory"), machine, options).map(|(engine, _)| engine)
    }

    /// Runs the machine on a log alone, whose whole content is replayed when it is opened and
    /// whose tables stay in memory.
    pub fn open_unindexed(
        dir: &Path,
        machine: M,
        options: Options,
    ) -> Result<(Self, OpenReport), StoreError> {
        open::unindexed(dir, machine, options)
    }

    pub(crate) fn new(core: Arc<Core<M>>, queue: mpsc::Sender<Request<M>>) -> Self {
        Self { core, queue }
    }

    /// Decides the commands in order and answers each when all their events are durable. The
    /// events of one submission stand in one frame: after a crash all are there or none. Waits
    /// while the queue is full. If the caller stops waiting, the commands may still take effect.
    pub async fn submit(&self, commands: Vec<M::Command>) -> Result<Vec<M::Outcome>, StoreError> {
        Ok(self.submit_sequenced(commands).await?.0)
    }

    /// Like [`submit`](Self::submit); also tells the frame in which the events stand, with which it can be shown
    /// that they are in the log. None if there are no events.
    pub async fn submit_sequenced(
        &self,
        commands: Vec<M::Command>,
    ) -> Result<(Vec<M::Outcome>, Option<Arc<Sequenced>>), StoreError> {
        self.core.check()?;
        let (answer, answered) = oneshot::channel();
        let work = Work::Commands(commands);
        let request = Request::Submit(Submission { work, answer });
        if self.queue.send(request).await.is_err() {
            return Err(self.ended().await);
        }
        self.answer(answered).await
    }

    /// Like [`submit`](Self::submit), but refuses at once with [`StoreError::Overloaded`] when the
    /// queue is full.
    pub async fn try_submit(
        &self,
        commands: Vec<M::Command>,
    ) -> Result<Vec<M::Outcome>, StoreError> {
        self.core.check()?;
        let (answer, answered) = oneshot::channel();
        let work = Work::Commands(commands);
        let request = Request::Submit(Submission { work, answer });
        match self.queue.try_send(request) {
            Ok(()) => Ok(self.answer(answered).await?.0),
            Err(mpsc::error::TrySendError::Full(_)) => Err(StoreError::Overloaded),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(self.ended().await),
        }
    }

    pub(crate) async fn answer(
        &self,
        answered: oneshot::Receiver<Committed<M::Outcome>>,
    ) -> Result<Committed<M::Outcome>, StoreError> {
        match answered.await {
            Ok(committed) => Ok(committed),
            Err(_) => Err(self.ended().await),
        }
    }

    /// Submits one command.
    pub async fn submit_one(&self, command: M::Command) -> Result<M::Outcome, StoreError> {
        let outcomes = self.submit(vec![command]).await?;
        // There is one outcome for each command.
        outcomes.into_iter().next().ok_or(StoreError::Closed)
    }

    /// Reads the state, and returns when everything that `read` may have seen is durable. Keep
    /// `read` short, for the writer waits meanwhile.
    pub async fn read<T: Send>(
        &self,
        read: impl FnOnce(&M, &View<'_>) -> T + Send,
    ) -> Result<T, StoreError> {
        let (value, position) = {
            let state = self.core.state.read();
            self.core.check()?;
            let view = View {
                ground: self.core.ground(),
                overlay: &state.overlay,
                next: state.next,
            };
            (read(&state.machine, &view), state.next)
        };
        self.core.check()?;
        self.durable(position).await?;
        Ok(value)
    }

    /// Returns when at least `size` entries are durable.
    pub(crate) async fn durable(&self, size: u64) -> Result<(), StoreError> {
        if self.core.reader.durable() >= size {
            return Ok(());
        }
        let mut durable = self.core.durable.subscribe();
        tokio::select! {
            biased;
            Ok(_) = durable.wait_for(|durable| *durable >= size) => Ok(()),
            error = self.ended() => Err(error),
        }
    }

    /// Reads the log's durable entries.
    #[must_use]
    pub fn log(&self) -> LogReader {
        self.core.reader.clone()
    }

    /// The durable events from index `from` on, where they are recent enough to be still in memory:
    /// at most `most`, and as many as fit into `max_bytes` but at least one. `None` if the log must
    /// be read for them, or if `from` lies beyond its end.
    #[must_use]
    pub fn recent(
        &self,
        from: u64,
        most: usize,
        max_bytes: usize,
    ) -> Option<Vec<Arc<Recorded<M::Event>>>> {
        let end = self.core.reader.durable();
        self.core.tail.lock().read((from, end), most, max_bytes)
    }

    /// The durable size of the log, as it grows: for feeds and watchers.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.core.durable.subscribe()
    }

    /// The newest durable heads; none before the first entry.
    #[must_use]
    pub fn heads(&self) -> Option<Heads> {
        self.core.reader.heads()
    }

    /// How far the logs are published; none if they are not.
    #[must_use]
    pub fn publication(&self) -> Option<Publication> {
        self.core.publication()
    }

    /// Whose log it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.core.options.log
    }

    /// Why the engine stopped, if it did. A stopped engine serves nothing any more; its process
    /// should end with a non-zero status.
    #[must_use]
    pub fn stopped(&self) -> Option<StoreError> {
        self.core.check().err()
    }

    /// Returns only if the engine stops by an error, with that error.
    pub async fn failed(&self) -> StoreError {
        let mut ending = self.core.ending.subscribe();
        let stopped = ending.wait_for(|ending| matches!(ending, Ending::Stopped(_)));
        match stopped.await.ok().and_then(|ending| ending.error()) {
            Some(error) => error,
            // The other end lives as long as this handle.
            None => StoreError::Closed,
        }
    }

    /// Notes durably that others have seen the first `shown` entries, so that the directory is
    /// refused should it ever be opened with fewer. Cheap if it was noted already; else one small
    /// file is written. Returns an error if `shown` entries are not durable.
    pub async fn publish_mark(&self, shown: u64) -> Result<(), StoreError> {
        self.core.check()?;
        if self.core.marked.load(Ordering::Acquire) >= shown {
            return Ok(());
        }
        self.durable(shown).await?;
        let core = Arc::clone(&self.core);
        let write = tokio::task::spawn_blocking(move || core.write_mark(shown)).await;
        write.map_err(|_| StoreError::Closed)?
    }

    /// Finishes what is queued, writes the index, and releases the directory. Later calls on any
    /// handle answer [`StoreError::Closed`].
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Request::Close(done)).await.is_ok() {
            // The sender is dropped either way when the thread ends.
            let _ = closed.await;
        } else {
            // Its thread is about to end, and holds the directory until then.
            let mut released = self.core.released.subscribe();
            let _ = released.wait_for(|released| *released).await;
        }
    }

    /// Why an answer will not come. The threads drop what they cannot answer while they end, so
    /// the reason may be a moment away.
    pub(crate) async fn ended(&self) -> StoreError {
        let mut ending = self.core.ending.subscribe();
        let ended = ending.wait_for(|ending| *ending != Ending::Running).await;
        ended
            .ok()
            .and_then(|ending| ending.error())
            .unwrap_or(StoreError::Closed)
    }
}
