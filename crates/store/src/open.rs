//! Opening: the log first, then an index that can be trusted or a new one, then the log's tail.

use std::{
    path::Path,
    sync::{Arc, OnceLock, atomic::AtomicU64, mpsc::sync_channel},
    thread,
};

use lgpki_ledger::{Log, LogReader, Recovery, decode, merkle};
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::{mpsc, watch};

use crate::{
    commit,
    counts::Counts,
    engine::{Core, Ending, Engine, Request, State},
    error::{StoreError, chain},
    flush::{self, Signals},
    index::{IndexBase, Meta, NoIndex, SledIndex},
    machine::Machine,
    mark::Mark,
    options::Options,
    overlay::Overlay,
    publish::{self, Publishers},
    seal,
    tail::Tail,
    view::{Tables, View},
    write,
};

/// Submissions decided ahead of the sync.
const AHEAD: usize = 256;

/// What opening a store found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Entries in the log.
    pub entries: u64,
    /// Bytes of an unacknowledged tail that were cut from the log.
    pub torn_bytes: u64,
    /// Entries applied to bring the index up to the log.
    pub replayed: u64,
    /// Why the index was dropped and rebuilt from the log, if it was.
    pub rebuilt: Option<String>,
}

/// Opens log and index.
pub(crate) fn embedded<M: Machine>(
    dir: &Path,
    machine: M,
    options: Options,
) -> Result<(Engine<M>, OpenReport), StoreError> {
    let (log, recovery) = open_log(dir, &options)?;
    // Before the index is touched: the directory may be an old copy.
    let publishers = publishers(dir, &options, &log)?;
    let beginning = || (0, Counts::new::<M::Event>());
    let (base, standing, rebuilt) = match trusted::<M>(dir, &options, &log.reader()) {
        Ok((base, standing)) => (base, standing, None),
        Err(why) => {
            verify(&log)?;
            let base = SledIndex::begin(dir, options.cache_bytes).map_err(StoreError::Index)?;
            // A directory that never had an entry has nothing to rebuild.
            (base, beginning(), (log.size() > 0).then_some(why))
        }
    };
    let mut report = report(&recovery, rebuilt);
    let mut core = core(dir, machine, options, Box::new(base), true, &log)?;
    let position = standing.0;
    if let Err(e) = restore(&mut core, standing) {
        let why = match e {
            StoreError::Corrupt(_) | StoreError::Index(_) if position > 0 => e.to_string(),
            other => return Err(other),
        };
        verify(&log)?;
        core.base.close().map_err(StoreError::Index)?;
        let cache = core.options.cache_bytes;
        core.base = Box::new(SledIndex::begin(dir, cache).map_err(StoreError::Index)?);
        core.fault = OnceLock::new();
        report.rebuilt = Some(why);
        restore(&mut core, beginning())?;
        report.replayed = log.size();
    } else {
        report.replayed = log.size() - position;
    }
    tell(dir, &report);
    Ok((start(core, log, publishers)?, report))
}

/// Opens the log alone.
pub(crate) fn unindexed<M: Machine>(
    dir: &Path,
    machine: M,
    options: Options,
) -> Result<(Engine<M>, OpenReport), StoreError> {
    let (log, recovery) = open_log(dir, &options)?;
    verify(&log)?;
    let mut report = report(&recovery, None);
    let publishers = publishers(dir, &options, &log)?;
    let mut core = core(dir, machine, options, Box::new(NoIndex), false, &log)?;
    restore(&mut core, (0, Counts::new::<M::Event>()))?;
    report.replayed = log.size();
    tell(dir, &report);
    Ok((start(core, log, publishers)?, report))
}

fn open_log(dir: &Path, options: &Options) -> Result<(Log, Recovery), StoreError> {
    seal::refuse(dir, options.disk.as_ref())?;
    let disk = Arc::clone(&options.disk);
    Ok(Log::open_with(
        dir,
        disk,
        options.log.clone(),
        options.segment_bytes,
    )?)
}

/// Reads the whole log against its heads, before everything is built on its entries alone.
fn verify(log: &Log) -> Result<(), StoreError> {
    Ok(log.reader().verify(&mut |_| {})?)
}

/// What is published of the log, if it is to be; refused if it does not fit the log.
fn publishers(dir: &Path, options: &Options, log: &Log) -> Result<Option<Publishers>, StoreError> {
    let Some(how) = &options.publish else {
        return Ok(None);
    };
    let (disk, identity) = (Arc::clone(&options.disk), options.log.clone());
    Publishers::open(dir, disk, identity, (log.reader(), how)).map(Some)
}

fn report(recovery: &Recovery, rebuilt: Option<String>) -> OpenReport {
    OpenReport {
        entries: recovery.entries,
        torn_bytes: recovery.torn_bytes,
        replayed: 0,
        rebuilt,
    }
}

/// Says what was not as it was left.
fn tell(dir: &Path, report: &OpenReport) {
    let dir = dir.display();
    if report.torn_bytes > 0 {
        tracing::warn!(
            %dir,
            torn_bytes = report.torn_bytes,
            entries = report.entries,
            "the log ended in the middle of a write, as after a crash; what was never acknowledged was cut"
        );
    }
    if let Some(why) = &report.rebuilt {
        tracing::warn!(%dir, why, "the index was rebuilt from the log; nothing is lost");
    }
}

/// Entries that an index reflects, and how many of each kind.
type Standing = (u64, Counts);

/// The index on disk and where it stands, if it belongs to this log and this program.
fn trusted<M: Machine>(
    dir: &Path,
    options: &Options,
    reader: &LogReader,
) -> Result<(SledIndex, Standing), String> {
    let (base, meta) = SledIndex::open(dir, options.cache_bytes)?;
    let checked = match meta {
        None if reader.durable() == 0 => Ok((0, Counts::new::<M::Event>())),
        None => Err("the index is empty".to_owned()),
        Some(meta) => belongs::<M>(&meta, reader),
    };
    match checked {
        Ok(standing) => Ok((base, standing)),
        Err(why) => {
            // sled holds its files until it is closed; what it writes then is dropped with them.
            let _ = base.close();
            Err(why)
        }
    }
}

fn belongs<M: Machine>(meta: &Meta, reader: &LogReader) -> Result<Standing, String> {
    let counts = Counts::of::<M::Event>(&meta.counts, meta.position);
    let known = meta.state_version == M::STATE_VERSION && meta.tables == M::TABLES;
    let Some(counts) = counts.filter(|_| known) else {
        return Err("another version of the program wrote the index".to_owned());
    };
    if meta.position > reader.durable() {
        return Err(format!(
            "the index reflects {} entries and the log holds {}",
            meta.position,
            reader.durable()
        ));
    }
    if let Some(last) = meta.position.checked_sub(1) {
        let entry = reader.entry(last).map_err(|e| chain(&e))?;
        if merkle::leaf(&entry) != meta.anchor {
            return Err("the index belongs to another log".to_owned());
        }
    }
    Ok((meta.position, counts))
}

fn core<M: Machine>(
    dir: &Path,
    machine: M,
    options: Options,
    base: Box<dyn IndexBase>,
    indexed: bool,
    log: &Log,
) -> Result<Core<M>, StoreError> {
    let reader = log.reader();
    let (mark, marked) = Mark::check(dir, options.disk.as_ref(), &reader)?;
    Ok(Core {
        dir: dir.to_owned(),
        options,
        state: RwLock::new(State {
            machine,
            overlay: Overlay::default(),
            next: 0,
            counts: Counts::new::<M::Event>(),
        }),
        base,
        indexed,
        fault: OnceLock::new(),
        reader,
        tail: Mutex::new(Tail::default()),
        durable: watch::Sender::new(log.size()),
        ending: watch::Sender::new(Ending::Running),
        released: watch::Sender::new(false),
        signals: Mutex::new(Signals {
            durable: log.size(),
            ..Signals::default()
        }),
        signalled: Condvar::new(),
        mark: Mutex::new(mark),
        marked: AtomicU64::new(marked),
        progress: publish::progress(log.size()),
    })
}

/// Loads the machine from an index that stands there and replays the log from there.
fn restore<M: Machine>(core: &mut Core<M>, standing: Standing) -> Result<(), StoreError> {
    let mut state = core.state.write();
    let State {
        machine,
        overlay,
        next,
        counts,
    } = &mut *state;
    *overlay = Overlay::default();
    (*next, *counts) = standing;
    let position = *next;
    if core.indexed && position == 0 {
        // A new index says so, and is not taken for one that lost its content.
        core.write_index(&overlay.dirty, (0, counts))
            .map_err(StoreError::Index)?;
    }
    let faulted = || match core.fault.get() {
        Some(fault) => Err(StoreError::Index(fault.clone())),
        None => Ok(()),
    };
    machine.load(&View {
        ground: core.ground(),
        overlay,
        next: position,
    })?;
    faulted()?;
    let end = core.reader.durable();
    while *next < end {
        for (index, bytes) in core.reader.read(*next, 4096, 16 * 1024 * 1024)? {
            let recorded = decode::<M::Event>(index, &bytes)
                .map_err(|source| StoreError::Entry { index, source })?;
            let mut tables = Tables {
                ground: core.ground(),
                overlay,
                next: index,
            };
            machine.apply(&mut tables, &recorded);
            counts.add(&recorded.event);
            *next = index + 1;
        }
        faulted()?;
        if core.indexed && overlay.dirty.len() >= core.options.flush_keys {
            let changes = std::mem::take(&mut overlay.dirty);
            core.write_index(&changes, (*next, counts))
                .map_err(StoreError::Index)?;
        }
    }
    Ok(())
}

/// Starts the threads.
fn start<M: Machine>(
    core: Core<M>,
    log: Log,
    publishers: Option<Publishers>,
) -> Result<Engine<M>, StoreError> {
    let core = Arc::new(core);
    // What was disputed before this start is from the first moment on.
    if let Some(publishers) = &publishers {
        core.witnesses_stand(publishers.standings());
    }
    let (queue, waiting) = mpsc::channel(core.options.queue.max(1));
    let engine = Engine::new(Arc::clone(&core), queue);
    thread::Builder::new()
        .name("store-decide".to_owned())
        .spawn(move || supervise(&core, log, publishers, waiting))
        .map_err(|e| StoreError::Index(format!("cannot start a thread: {e}")))?;
    Ok(engine)
}

/// Runs the threads until the engine is closed, then writes everything out.
fn supervise<M: Machine>(
    core: &Arc<Core<M>>,
    mut log: Log,
    publishers: Option<Publishers>,
    mut queue: mpsc::Receiver<Request<M>>,
) {
    let (units, decided) = sync_channel(AHEAD);
    let done = thread::scope(|scope| {
        let log = &mut log;
        // The committing thread owns the receiving end, so that the deciding one hears of its end.
        let commit = scope.spawn(move || guarded(core, move || commit::run(core, log, &decided)));
        let flush = core
            .indexed
            .then(|| scope.spawn(|| guarded(core, || flush::run(core))));
        let publish = publishers
            .zip(core.options.publish.as_ref())
            .map(|(publishers, how)| {
                scope.spawn(move || guarded(core, || publish::run(core, how, publishers)))
            });
        let done = guarded(core, || write::run(core, &mut queue, &units)).flatten();
        drop(units);
        // Their panics have been turned into a stop.
        let _ = commit.join();
        core.signals.lock().closing = true;
        core.signalled.notify_all();
        for thread in [flush, publish].into_iter().flatten() {
            let _ = thread.join();
        }
        done
    });
    // Readers that come later find the queue closed and the index gone.
    queue.close();
    let state = core.state.write();
    let healthy = core.check().is_ok();
    core.end();
    if healthy && let Err(e) = core.write_mark(log.size()) {
        tracing::warn!(
            error = chain(&e),
            "the mark of what was published was not written"
        );
    }
    if let Err(e) = core.base.close() {
        tracing::warn!(
            error = e,
            "the index was not closed; it may have to be rebuilt"
        );
    }
    drop(state);
    drop(log);
    core.released.send_replace(true);
    drop(queue);
    if let Some(done) = done {
        // Whoever asked for the closing may have left.
        let _ = done.send(());
    }
}

/// Runs a thread's work; a panic stops the engine, for the state may be half changed.
fn guarded<M: Machine, T>(core: &Core<M>, work: impl FnOnce() -> T) -> Option<T> {
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    if done.is_err() {
        core.stop("a thread of the store panicked; the log holds what was acknowledged");
    }
    done.ok()
}
