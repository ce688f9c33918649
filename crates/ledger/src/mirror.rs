//! A copy of what a service published of its logs: the source from which a log set back is healed.
//!
//! Nothing in it is believed but what the checkpoints say that this service's log key signed, and
//! entries that stand in their trees. A copy whose checkpoint is good and whose files are not still says
//! how far the log once reached.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    checkpoint::Checkpoint,
    disk::Disk,
    identity::{Identity, LogId},
    note::NoteError,
    opening::Opened,
    published::{CHECKPOINT, Directory, TileReader, TreeError},
    sequencer::Beginning,
    tile::WIDTH,
};

/// A published copy of a service's logs.
#[derive(Debug)]
pub struct Mirror {
    dir: PathBuf,
    /// What this service's log key signed, of each log.
    heads: BTreeMap<LogId, Checkpoint>,
    trees: BTreeMap<LogId, Tree>,
    /// Why its entries cannot be used.
    broken: Option<TreeError>,
}

#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) reader: TileReader,
    opening: Vec<u8>,
    /// The index of the first entry.
    first: u64,
    /// The checkpoint as it stands.
    note: String,
}

impl Tree {
    /// The index after the last entry.
    fn end(&self) -> u64 {
        self.first + self.reader.size().saturating_sub(1)
    }
}

/// Entries of one year in their order.
pub(crate) struct Stretch {
    pub(crate) year: i16,
    /// The index of the first.
    pub(crate) first: u64,
    pub(crate) entries: Vec<Vec<u8>>,
}

impl Mirror {
    /// Opens the copy in `dir`, which holds `2008`, `keys` and so on. None if there is no checkpoint in it.
    /// A checkpoint that this service's log key did not sign is an error.
    pub fn open(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        identity: &Identity,
    ) -> Result<Option<Self>, TreeError> {
        let failed = |path: &Path, source| TreeError::Io {
            path: path.to_owned(),
            source,
        };
        let names = match disk.list(dir) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|e| failed(dir, e))?,
        };
        let mut mirror = Self {
            dir: dir.to_owned(),
            heads: BTreeMap::new(),
            trees: BTreeMap::new(),
            broken: None,
        };
        for log in names.iter().filter_map(|name| name.parse::<LogId>().ok()) {
            let dir = dir.join(log.to_string());
            let path = dir.join(CHECKPOINT);
            let bytes = match disk.read(&path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(|e| failed(&path, e))?,
            };
            let note =
                String::from_utf8(bytes).map_err(|_| NoteError::Malformed("it is not UTF-8"))?;
            let (checkpoint, _) = Checkpoint::open(&note, &identity.verifier(log))?;
            match tree(disk, &dir, &checkpoint, note) {
                Ok(tree) => drop(mirror.trees.insert(log, tree)),
                Err(why) => mirror.broken = Some(why),
            }
            mirror.heads.insert(log, checkpoint);
        }
        if mirror.broken.is_none() {
            mirror.broken = mirror.chain(identity).err();
        }
        Ok(Some(mirror).filter(|mirror| !mirror.heads.is_empty()))
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Why its entries cannot be used, if they cannot.
    #[must_use]
    pub const fn broken(&self) -> Option<&TreeError> {
        self.broken.as_ref()
    }

    /// Uses none of its entries any more.
    pub fn give_up(&mut self, why: TreeError) {
        self.broken = Some(why);
    }

    /// What this service's log key signed, of each log.
    pub fn heads(&self) -> impl Iterator<Item = (LogId, &Checkpoint)> {
        self.heads.iter().map(|(log, head)| (*log, head))
    }

    /// The index after the newest entry that it holds.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.newest().map_or(0, |(_, tree)| tree.end())
    }

    /// The newest year's checkpoint, as it stands.
    #[must_use]
    pub fn newest_note(&self) -> Option<&str> {
        self.newest().map(|(_, tree)| tree.note.as_str())
    }

    fn newest(&self) -> Option<(LogId, &Tree)> {
        let mut years = self.years();
        years.next_back()
    }

    fn years(&self) -> impl DoubleEndedIterator<Item = (LogId, &Tree)> {
        let years = self.trees.iter().filter(|(log, _)| **log != LogId::Keys);
        years.map(|(log, tree)| (*log, tree))
    }

    pub(crate) fn tree(&self, log: LogId) -> Option<&TileReader> {
        let tree = self.trees.get(&log).filter(|_| self.broken.is_none());
        tree.map(|tree| &tree.reader)
    }

    /// Whether it can give all entries from `index` to its end.
    pub(crate) fn covers(&self, index: u64) -> bool {
        let first = self.years().next().map(|(_, tree)| tree.first);
        self.broken.is_none()
            && self.trees.contains_key(&LogId::Keys)
            && first.is_some_and(|first| first <= index)
    }

    /// How the log of a year was opened.
    pub(crate) fn beginning(&self, year: i16) -> Option<Beginning<'_>> {
        Some(Beginning {
            year,
            opening: &self.trees.get(&LogId::Year(year))?.opening,
            keys_opening: &self.trees.get(&LogId::Keys)?.opening,
        })
    }

    /// The entries from `index` on, as far as one bundle holds them; none at the end.
    pub(crate) fn stretch(&self, index: u64) -> Result<Option<Stretch>, TreeError> {
        let mut years = self.years();
        let holds = |tree: &Tree| (tree.first..tree.end()).contains(&index);
        let Some((LogId::Year(year), tree)) = years.find(|(_, tree)| holds(tree)) else {
            return Ok(None);
        };
        let leaf = index - tree.first + 1;
        let width = u64::from(WIDTH);
        let bundle = tree.reader.bundle(leaf / width)?;
        let skip = usize::try_from(leaf % width).unwrap_or_default();
        Ok(Some(Stretch {
            year,
            first: index,
            entries: bundle.iter().skip(skip).map(<[u8]>::to_vec).collect(),
        }))
    }

    /// Checks that each year goes on where the one before ends.
    fn chain(&self, identity: &Identity) -> Result<(), TreeError> {
        let mut before: Option<(LogId, &Tree)> = None;
        for (log, tree) in self.years() {
            let opened = Opened::decode(&tree.opening).ok();
            let named = opened.as_ref().map(|opened| opened.log.clone());
            let previous = opened.and_then(|opened| opened.previous);
            let follows = before.is_none_or(|(log, before)| {
                let note = previous.as_deref().unwrap_or_default();
                let said = Checkpoint::open(note, &identity.verifier(log)).ok();
                before.end() == tree.first
                    && said.is_some_and(|(said, _)| Some(&said) == self.heads.get(&log))
            });
            if !follows || named != Some(identity.origin(log).to_string()) {
                return Err(TreeError::Damaged {
                    path: log.to_string(),
                    what: "it does not go on where the log of the year before ends: fetch both \
                           again"
                        .to_owned(),
                });
            }
            before = Some((log, tree));
        }
        Ok(())
    }
}

fn tree(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    head: &Checkpoint,
    note: String,
) -> Result<Tree, TreeError> {
    let source = Arc::new(Directory::new(Arc::clone(disk), dir));
    let reader = TileReader::at(source, head.size, &head.root)?;
    let opening = reader.entry(0)?;
    let first = Opened::decode(&opening).map(|opened| opened.first);
    Ok(Tree {
        first: first.map_err(|_| TreeError::Damaged {
            path: dir.display().to_string(),
            what: "its first leaf does not open it".to_owned(),
        })?,
        reader,
        opening,
        note,
    })
}
