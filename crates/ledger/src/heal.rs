//! Healing: a log that was set back is compared with copies of what it published, and takes back
//! what it lacks.
//!
//! The same tree is required: a copy that the log's key signed and that says something else is a
//! fork, and nothing is done. What is missing is believed because the copy's checkpoint holds it,
//! read by the service's own types, and only then appended, byte for byte, to the log of the year in
//! which it stood. Cut off anywhere, what was appended is a beginning of the same tree, and the same
//! call goes on.

use std::path::PathBuf;

use lgpki_domain::ErrorClass;

use crate::{
    entry::{Event, NewEntry, decode},
    error::{EntryError, LogError},
    identity::{Identity, LogId},
    log::Log,
    merkle::{self, Hash},
    mirror::Mirror,
    published::TreeError,
    reader::LogReader,
    tile::WIDTH,
    trees,
};

/// Bytes and entries after which a frame is written.
const FRAME_BYTES: usize = 4 << 20;
const FRAME_ENTRIES: usize = 4096;

/// Reads an entry by a service's own types, so that nothing is taken back that it cannot read.
pub type Reading = fn(u64, Vec<u8>) -> Result<NewEntry, EntryError>;

/// Reads an entry of the events `E`.
pub fn read_as<E: Event>(index: u64, bytes: Vec<u8>) -> Result<NewEntry, EntryError> {
    let recorded = decode::<E>(index, &bytes)?;
    Ok(NewEntry {
        time: recorded.stamp.time,
        ceremony: recorded.event.ceremony(),
        bytes,
    })
}

/// A log cannot be healed.
#[derive(Debug, thiserror::Error)]
pub enum HealError {
    /// The log itself cannot be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A copy cannot be read, or is not what its checkpoint says.
    #[error("the copy in {dir} cannot be used")]
    Mirror {
        /// The copy.
        dir: PathBuf,
        /// Why.
        source: TreeError,
    },
    /// Two histories, both signed.
    #[error(
        "the log {origin} and the copy in {dir} are two histories that the same log key has signed: they differ {place}. \
         Nothing was changed. Keep both, find out which of them others hold, and restore the other from a copy of that one"
    )]
    Fork {
        /// The log's name.
        origin: String,
        /// The copy.
        dir: PathBuf,
        /// Where they differ.
        place: String,
    },
    /// This program cannot read an entry.
    #[error("entry {index}, which is missing, cannot be read by this program")]
    Entry {
        /// Its index.
        index: u64,
        /// Why.
        source: EntryError,
    },
    /// The copy's log of keys does not follow from its logs of the years.
    #[error(
        "the copy in {dir} has a log of keys that does not follow from its logs of the years: fetch it again"
    )]
    Keys {
        /// The copy.
        dir: PathBuf,
    },
}

impl HealError {
    /// The class of the failure.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Log(error) => error.class(),
            Self::Mirror { source, .. } => source.class(),
            Self::Entry { source, .. } => source.class(),
            Self::Fork { .. } | Self::Keys { .. } => ErrorClass::Corrupt,
        }
    }
}

/// A checkpoint that speaks of more than the log and every usable copy hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Longer {
    /// Where it was found.
    pub dir: PathBuf,
    /// The log's name.
    pub origin: String,
    /// The leaves that it speaks of.
    pub size: u64,
    /// The leaves that can be had.
    pub have: u64,
}

/// What a comparison found.
#[derive(Debug)]
pub struct Compared<'a> {
    /// The copy with the most entries that the log lacks.
    pub best: Option<&'a Mirror>,
    /// What nobody can give back.
    pub longer: Vec<Longer>,
}

/// Compares the log with copies of it. A fork, between the log and a copy or between two copies, is an
/// error.
pub fn compare<'a>(
    log: &LogReader,
    identity: &Identity,
    mirrors: &'a [Mirror],
) -> Result<Compared<'a>, HealError> {
    let end = log.durable();
    let mut best: Option<&Mirror> = None;
    for mirror in mirrors {
        agrees(log, identity, mirror)?;
        let reach = best.map_or(end, Mirror::end);
        if mirror.covers(end) && mirror.end() > reach {
            best = Some(mirror);
        }
    }
    let mut longer = Vec::new();
    for mirror in mirrors {
        for (id, head) in mirror.heads() {
            let tree = best.and_then(|best| best.tree(id));
            if let (Some(tree), Some(best)) = (tree, best)
                && head.size <= tree.size()
                && tree.root_at(head.size).map_err(of(best))? != head.root
            {
                return Err(fork(identity, id, mirror, None));
            }
            let here = log.head(id)?.map_or(0, |head| head.size);
            let have = here.max(tree.map_or(0, crate::published::TileReader::size));
            if head.size > have {
                longer.push(Longer {
                    dir: mirror.path().to_owned(),
                    origin: identity.origin(id).to_string(),
                    size: head.size,
                    have,
                });
            }
        }
    }
    Ok(Compared { best, longer })
}

fn of(mirror: &Mirror) -> impl Fn(TreeError) -> HealError {
    move |source| HealError::Mirror {
        dir: mirror.path().to_owned(),
        source,
    }
}

fn fork(identity: &Identity, log: LogId, mirror: &Mirror, leaf: Option<u64>) -> HealError {
    HealError::Fork {
        origin: identity.origin(log).to_string(),
        dir: mirror.path().to_owned(),
        place: match leaf {
            Some(leaf) => format!("from leaf {leaf} on"),
            None => "somewhere before the smaller one's end".to_owned(),
        },
    }
}

/// Checks that of the log and the copy one is the beginning of the other.
fn agrees(log: &LogReader, identity: &Identity, mirror: &Mirror) -> Result<(), HealError> {
    for (id, head) in mirror.heads() {
        let Some(here) = log.head(id)? else {
            continue;
        };
        let same = if head.size <= here.size {
            log.root_at(id, head.size)? == Some(head.root)
        } else if let Some(tree) = mirror.tree(id) {
            tree.root_at(here.size).map_err(of(mirror))? == here.root
        } else {
            // It only says how far the log once reached.
            true
        };
        if !same {
            let leaf = differing(log, id, mirror)?;
            return Err(fork(identity, id, mirror, leaf));
        }
    }
    Ok(())
}

/// The first leaf in which they differ.
fn differing(log: &LogReader, id: LogId, mirror: &Mirror) -> Result<Option<u64>, HealError> {
    let Some(tree) = mirror.tree(id) else {
        return Ok(None);
    };
    let width = u64::from(WIDTH);
    for index in 0..tree.bundles() {
        let there = tree.bundle(index).map_err(of(mirror))?;
        let here = log.leaves(id, index * width, usize::from(WIDTH), usize::MAX)?;
        let same = there
            .iter()
            .zip(&here)
            .take_while(|(a, b)| *a == b.as_slice());
        let same = same.count();
        if same < there.len() || same < here.len() {
            return Ok(Some(index * width + same as u64));
        }
    }
    Ok(None)
}

/// Reads everything that the log lacks and the copy has, as the service's own events, and hands each entry out with
/// its index. Nothing is written; whatever would keep it from being taken back is found here.
pub fn missing(
    log: &Log,
    mirror: &Mirror,
    read: Reading,
    each: &mut dyn FnMut(u64, &[u8]),
) -> Result<(), HealError> {
    let astray = || HealError::Keys {
        dir: mirror.path().to_owned(),
    };
    let keys = mirror.heads().find(|(id, _)| *id == LogId::Keys);
    let Some((_, keys)) = keys else {
        return Err(astray());
    };
    let mut edge = match (log.keys_edge(), mirror.tree(LogId::Keys)) {
        (Some(edge), _) => edge,
        (None, Some(tree)) => trees::opened(&tree.entry(0).map_err(of(mirror))?),
        (None, None) => return Err(astray()),
    };
    let holds = |size: u64, root: Hash| size != keys.size || root == keys.root;
    let mut next = log.size();
    while let Some(stretch) = mirror.stretch(next).map_err(of(mirror))? {
        for (index, bytes) in (stretch.first..).zip(&stretch.entries) {
            let new = entry(read, index, bytes.clone())?;
            if new.ceremony {
                edge.push(merkle::leaf(bytes));
                if !holds(edge.size(), edge.root()) {
                    return Err(astray());
                }
            }
            each(index, bytes);
            next = index + 1;
        }
    }
    // Copied a moment later, it may be ahead of the years; then it still says how far it reached.
    if edge.size() < keys.size
        && let Some(tree) = mirror.tree(LogId::Keys)
        && tree.root_at(edge.size()).map_err(of(mirror))? != edge.root()
    {
        return Err(astray());
    }
    Ok(())
}

/// Takes back what the log lacks and the copy has; `progress` is told how many entries are durable. Call
/// [`missing`] before.
pub fn take_back(
    log: &mut Log,
    mirror: &Mirror,
    read: Reading,
    progress: &mut dyn FnMut(u64),
) -> Result<(), HealError> {
    let mut frame: Vec<NewEntry> = Vec::new();
    let (mut length, mut next) = (0, log.size());
    let mut year = None;
    loop {
        let stretch = mirror.stretch(next).map_err(of(mirror))?;
        let goes_on = stretch.as_ref().is_some_and(|s| Some(s.year) == year);
        let full = length >= FRAME_BYTES || frame.len() >= FRAME_ENTRIES;
        if let Some(of_year) = year
            && (full || !goes_on)
        {
            let count = frame.len() as u64;
            let beginning = mirror.beginning(of_year).ok_or(HealError::Keys {
                dir: mirror.path().to_owned(),
            })?;
            log.put_back(beginning, std::mem::take(&mut frame))?;
            length = 0;
            progress(count);
        }
        let Some(stretch) = stretch else {
            return Ok(());
        };
        year = Some(stretch.year);
        for (index, bytes) in (stretch.first..).zip(stretch.entries) {
            length += bytes.len();
            frame.push(entry(read, index, bytes)?);
            next = index + 1;
        }
    }
}

fn entry(read: Reading, index: u64, bytes: Vec<u8>) -> Result<NewEntry, HealError> {
    read(index, bytes).map_err(|source| HealError::Entry { index, source })
}
