//! A copy of published logs that only ever grows by what was proved.
//!
//! A [`Mirror`] keeps of each log the directory that [`Published`](crate::Published) reads. What a
//! source says counts for nothing by itself: a checkpoint must bear the signature of the log's key,
//! the entries fetched on top of those kept must have the checkpoint's root, and so the log must
//! continue what was kept. Whatever does not is refused by name, and what was kept stays as it was.
//!
//! # The order of writes
//! Full bundles are put aside in `incoming` as they come. When the root is the checkpoint's, bundles
//! and hash tiles get their names, then the checkpoint, each synced before the next
//! ([`Publisher`]); then `incoming` goes. A kill leaves the log as it was kept, or
//! the new one; the next pull reads what was put aside and fetches the rest. `refused` holds the
//! checkpoint that contradicts the kept one, for both together prove what the log's key did.

mod cosigned;
mod error;
mod fetch;
mod incoming;
mod named;
mod source;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_ledger::{
    Checkpoint, Disk, Held, Publisher, TileReader, VerifierKey, WitnessKey, merkle,
    proof::earlier_root,
    published::{CHECKPOINT, Directory},
    publisher::Place,
    tile::Edge,
};

use self::{
    cosigned::Signers,
    fetch::{Fetch, Fetched, Wrong},
    incoming::{Incoming, Kept, is_whole},
    named::{Named, is_log},
};
pub use self::{
    error::{PullError, Refusal},
    source::{LogSource, SourceError},
};
use crate::fact::Service;

/// How a pull goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many entries more are to be read.
    Expect(u64),
    /// So many were read.
    Got(u64),
}

/// Why a log's key is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It was given.
    Given,
    /// It was believed when the service's logs were pulled for the first time.
    Kept,
    /// Nobody vouched for it: the source itself told it just now.
    FirstUse,
}

/// A log after it was pulled.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The service.
    pub service: Service,
    /// The log's name, such as `2011` or `keys`.
    pub log: String,
    /// The key that signs it.
    pub key: VerifierKey,
    /// Why that is believed.
    pub trust: Trust,
    /// The entries that were kept before.
    pub before: u64,
    /// What is kept now.
    pub head: Checkpoint,
    /// Bundles that were fetched.
    pub fetched: u64,
    /// Bundles that an earlier pull had put aside.
    pub resumed: u64,
}

/// A directory of logs that grows by pulling. Nobody else writes it while this lives.
#[derive(Debug)]
pub struct Mirror {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    keys: Vec<VerifierKey>,
    services: Vec<Service>,
    witnesses: Vec<WitnessKey>,
    _lock: Box<dyn Held>,
}

impl Mirror {
    /// Opens or begins a mirror. With `keys`, only what they signed is kept; with none, a service's key
    /// is believed when it is first seen and held on to.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        keys: Vec<VerifierKey>,
    ) -> Result<Self, PullError> {
        disk.create_dir(dir)
            .map_err(PullError::disk("create", dir))?;
        let path = dir.join("lock");
        let lock = disk.lock(&path).map_err(PullError::disk("lock", &path))?;
        Ok(Self {
            disk,
            dir: dir.to_owned(),
            keys,
            services: Vec::new(),
            witnesses: Vec::new(),
            _lock: lock.ok_or_else(|| PullError::Busy(dir.to_owned()))?,
        })
    }

    /// The same, of the logs of these services alone; none for all.
    #[must_use]
    pub fn only(mut self, services: Vec<Service>) -> Self {
        self.services = services;
        self
    }

    /// The same, and of cosignatures only those are kept that one of these witnesses made; with none, a few
    /// of whomever.
    #[must_use]
    pub fn witnessed_by(mut self, witnesses: Vec<WitnessKey>) -> Self {
        self.witnesses = witnesses;
        self
    }

    /// Whether the logs of the service of this name are wanted.
    #[must_use]
    pub fn wants(&self, service: &str) -> bool {
        self.services.is_empty() || self.services.iter().any(|of| of.name() == service)
    }

    /// Where the logs are kept.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The logs that are kept: those with a checkpoint.
    pub fn logs(&self) -> Result<Vec<(Service, String)>, PullError> {
        let mut kept = Vec::new();
        for service in Service::ALL {
            for log in self.list(service)? {
                if self.kept_note(service, &log)?.is_some() {
                    kept.push((service, log));
                }
            }
        }
        Ok(kept)
    }

    /// Brings a log up to the checkpoint that the source has now. `offered` is the source's name for it.
    /// None if it is of a service whose logs are not wanted.
    pub fn pull(
        &self,
        source: &mut dyn LogSource,
        offered: &str,
        progress: &mut dyn FnMut(Step),
    ) -> Result<Option<Pulled>, PullError> {
        let Some(named) = self.named(source, offered)? else {
            return Ok(None);
        };
        let place = format!("{}/{}", named.service.name(), named.log);
        let pulled = self.bring(source, offered, &named, progress);
        pulled.map(Some).map_err(|error| error.of(&place))
    }

    /// Hands out the entries that a pull has brought, each with its leaf.
    pub fn each_new(
        &self,
        pulled: &Pulled,
        each: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), PullError> {
        let source = self.directory(pulled.service, &pulled.log);
        let (reader, ..) = TileReader::open(Arc::new(source), &pulled.key)?;
        for number in pulled.before / 256..reader.bundles() {
            let bundle = reader.bundle(number)?;
            for (leaf, entry) in (number * 256..).zip(bundle.iter()) {
                if leaf >= pulled.before {
                    each(leaf, entry);
                }
            }
        }
        Ok(())
    }

    /// What `look` sees in the newest entry in which it sees anything, among those from leaf `from` on.
    pub fn newest<T>(
        &self,
        pulled: &Pulled,
        from: u64,
        look: &mut dyn FnMut(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, PullError> {
        let source = self.directory(pulled.service, &pulled.log);
        let (reader, ..) = TileReader::open(Arc::new(source), &pulled.key)?;
        for number in (from / 256..reader.bundles()).rev() {
            let bundle = reader.bundle(number)?;
            let entries: Vec<&[u8]> = bundle.iter().collect();
            if let Some(seen) = entries.into_iter().rev().find_map(&mut *look) {
                return Ok(Some(seen));
            }
        }
        Ok(None)
    }

    /// The last entry that is kept of a log.
    pub fn last(&self, pulled: &Pulled) -> Result<Option<Vec<u8>>, PullError> {
        let source = self.directory(pulled.service, &pulled.log);
        let (reader, ..) = TileReader::open(Arc::new(source), &pulled.key)?;
        let last = reader.size().checked_sub(1);
        Ok(last.map(|leaf| reader.entry(leaf)).transpose()?)
    }

    fn path(&self, service: Service, log: &str) -> PathBuf {
        self.dir.join(service.name()).join(log)
    }

    fn directory(&self, service: Service, log: &str) -> Directory {
        Directory::new(Arc::clone(&self.disk), self.path(service, log))
    }

    /// The directories of a service's logs.
    fn list(&self, service: Service) -> Result<Vec<String>, PullError> {
        let dir = self.dir.join(service.name());
        let mut names = match self.disk.list(&dir) {
            Ok(names) => names,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(PullError::disk("list", &dir)(e)),
        };
        names.retain(|name| is_log(name));
        names.sort_unstable();
        Ok(names)
    }

    fn read(&self, path: &Path) -> Result<Option<String>, PullError> {
        match self.disk.read(path) {
            Ok(bytes) => {
                let text = String::from_utf8(bytes);
                text.map(Some)
                    .map_err(|_| PullError::kept(path, "it is not UTF-8"))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(PullError::disk("read", path)(e)),
        }
    }

    fn kept_note(&self, service: Service, log: &str) -> Result<Option<String>, PullError> {
        self.read(&self.path(service, log).join(CHECKPOINT))
    }

    fn bring(
        &self,
        source: &mut dyn LogSource,
        offered: &str,
        named: &Named,
        progress: &mut dyn FnMut(Step),
    ) -> Result<Pulled, PullError> {
        let dir = self.path(named.service, &named.log);
        let incoming = Incoming::new(&self.disk, &dir);
        let kept = self.kept_note(named.service, &named.log)?;
        let kept = kept
            .map(|note| Checkpoint::open(&note, &named.key))
            .transpose()
            .map_err(|error| PullError::kept(&dir.join(CHECKPOINT), &error.to_string()))?;
        let (kept, kept_note) = kept.unzip();
        let signers = Signers {
            key: &named.key,
            witnesses: &self.witnesses,
        };
        let note = signers.vetted(&named.note, kept_note.as_ref());
        let same = kept_note.is_some_and(|kept| {
            let has = |signature| kept.signatures().contains(signature);
            let may_stay = |signature| signers.may_stay(kept.text(), signature);
            kept.text() == note.text()
                && note.signatures().iter().all(has)
                && kept.signatures().iter().all(may_stay)
        });
        let mut pulled = Pulled {
            service: named.service,
            log: named.log.clone(),
            key: named.key.clone(),
            trust: named.trust,
            before: kept.as_ref().map_or(0, |kept| kept.size),
            head: named.head.clone(),
            fetched: 0,
            resumed: 0,
        };
        if let Some(kept) = &kept {
            self.extends(&dir, kept, named)?;
            if same && is_whole(self.disk.as_ref(), &dir, kept.size)? {
                incoming.clear()?;
                return Ok(pulled);
            }
        }
        let fetched = self.fetch(source, (offered, named), kept.as_ref(), progress)?;
        (pulled.fetched, pulled.resumed) = (fetched.new, fetched.resumed);
        let leaves = Kept {
            incoming: &incoming,
            disk: self.disk.as_ref(),
            dir: &dir,
            head: kept.map(|kept| (kept.size, kept.root)),
            last: fetched.last,
        };
        let place = Place {
            disk: Arc::clone(&self.disk),
            dir: dir.clone(),
            key: named.key.clone(),
        };
        let (mut publisher, _) = Publisher::open(place, &leaves)?;
        publisher.retain(&|signature| signers.may_stay(note.text(), signature))?;
        publisher.publish(&note, &leaves)?;
        incoming.clear()?;
        Ok(pulled)
    }

    /// What can be seen without an entry: a log neither shrinks nor has two roots at one size.
    fn extends(&self, dir: &Path, kept: &Checkpoint, named: &Named) -> Result<(), PullError> {
        let (had, has) = (kept.size, named.head.size);
        if has < had {
            return Err(PullError::refused("", Refusal::SetBack { had, has }));
        }
        if has == had && named.head.root != kept.root {
            return Err(self.forked(dir, (had, has), named));
        }
        Ok(())
    }

    /// The refusal of a checkpoint that does not continue the kept one; it is laid beside that.
    fn forked(&self, dir: &Path, (had, has): (u64, u64), named: &Named) -> PullError {
        let (path, text) = (dir.join("refused"), named.note.to_string());
        let write = || {
            let file = self.disk.create(&path)?;
            file.write_at(text.as_bytes(), 0)?;
            file.sync()?;
            self.disk.sync_dir(dir)
        };
        // That it could not be laid aside matters less than that it is refused.
        let evidence = write().is_ok().then_some(path.clone());
        PullError::refused("", Refusal::Forked { had, has, evidence })
    }

    /// Fetches the entries between what is kept and the head, and computes the root; whatever was put
    /// aside before and turns out to be wrong is fetched once more.
    fn fetch(
        &self,
        source: &mut dyn LogSource,
        (offered, named): (&str, &Named),
        kept: Option<&Checkpoint>,
        progress: &mut dyn FnMut(Step),
    ) -> Result<Fetched, PullError> {
        let dir = self.path(named.service, &named.log);
        let incoming = Incoming::new(&self.disk, &dir);
        let begin = self.edge(&dir, kept)?;
        for again in [false, true] {
            let mut fetch = Fetch {
                source: &mut *source,
                offered,
                incoming: &incoming,
                // Of a damaged copy nothing is believed.
                proved: begin
                    .is_some()
                    .then_some((self.disk.as_ref(), dir.as_path())),
                head: &named.head,
                kept: kept.map(|kept| (kept.size, kept.root)),
            };
            match fetch.run(begin.clone().unwrap_or_default(), progress) {
                Ok(fetched) => return Ok(fetched),
                Err(Wrong::Failed(error)) => return Err(error),
                Err(Wrong::Differs { resumed, .. }) if resumed > 0 && !again => incoming.clear()?,
                Err(Wrong::Differs { what, .. }) => {
                    incoming.clear()?;
                    return Err(self.judge(source, (offered, named), kept, what));
                }
            }
        }
        Err(PullError::refused("", Refusal::Entries))
    }

    /// The edge of what is kept; none if that is damaged and must be fetched anew.
    fn edge(&self, dir: &Path, kept: Option<&Checkpoint>) -> Result<Option<Edge>, PullError> {
        let Some(kept) = kept else {
            return Ok(Some(Edge::new()));
        };
        if !is_whole(self.disk.as_ref(), dir, kept.size)? {
            return Ok(None);
        }
        let source = Directory::new(Arc::clone(&self.disk), dir);
        let reader = TileReader::at(Arc::new(source), kept.size, &kept.root);
        Ok(reader.ok().map(|reader| reader.edge().clone()))
    }

    /// Says who is wrong: the log, which does not continue what was kept, or the source alone.
    fn judge(
        &self,
        source: &mut dyn LogSource,
        (offered, named): (&str, &Named),
        kept: Option<&Checkpoint>,
        what: Refusal,
    ) -> PullError {
        // Tiles that its own entries gainsay show nothing of the log.
        let Some(kept) = kept.filter(|kept| kept.size > 0 && what == Refusal::Entries) else {
            return PullError::refused("", what);
        };
        match shows_fork(source, offered, (kept, &named.head)) {
            Ok(true) => {
                let dir = self.path(named.service, &named.log);
                self.forked(&dir, (kept.size, named.head.size), named)
            }
            Err(error) if error.is_away() => error.into(),
            _ => PullError::refused("", what),
        }
    }
}

/// Whether the source shows that the log of the later checkpoint does not continue the kept one: by a proof
/// that reaches the later tree, and in it another root of so many entries. What reaches nothing was made
/// by whoever answers, and says nothing of the log.
fn shows_fork(
    source: &mut dyn LogSource,
    offered: &str,
    (kept, head): (&Checkpoint, &Checkpoint),
) -> Result<bool, SourceError> {
    // The root of a perfect subtree stands in no proof of its own; in that of one entry more it does.
    let perfect = kept.size.is_power_of_two();
    let old = kept.size + u64::from(perfect);
    let proof = source.consistency(offered, old, head)?;
    let was = earlier_root(old, (head.size, &head.root), &proof);
    let continued = match proof.first() {
        Some(next) if perfect => merkle::node(&kept.root, next),
        _ => kept.root,
    };
    Ok(was.is_some_and(|was| was != continued))
}

#[cfg(test)]
mod tests;
