//! The walk along a service's logs: checkpoint, opening entry, entries, tiles, root, and how one log
//! goes on where the one before ended.

use lgpki_domain::Timestamp;
use lgpki_ledger::{
    Checkpoint, KeyName, SignedNote, Tile, VerifierKey,
    merkle::Hash,
    tile::{Bundle, Layer},
};

use super::{
    Against, LogDir, Published,
    keys::{Keys, Met},
    witness,
};
use crate::{
    auditor::{Auditor, Begin},
    fact::{Read, Service},
    finding::{Place, Rule},
    report::Checked,
    tree::{self, Tree},
};

/// Bundles that are read at once.
const STRETCH: usize = 16;

/// Takes a stretch of leaves from a number on, and gives their hashes.
type Each<'a> = dyn FnMut(&mut Auditor, u64, &[&[u8]]) -> Vec<Hash> + 'a;

pub(super) struct Walk<'a> {
    pub(super) auditor: &'a mut Auditor,
    pub(super) against: &'a Against,
    pub(super) seen: Option<&'a Published>,
    pub(super) progress: &'a mut dyn FnMut(u64),
    /// What did not hold of trees before the log that is walked along.
    pub(super) wrong: u64,
}

/// Where a log's entries stand among those of its service.
#[derive(Default)]
struct Follows<'a> {
    /// The index of the next entry.
    next: u64,
    before: Option<&'a LogDir>,
    latest: Timestamp,
}

impl Walk<'_> {
    /// Walks along all logs of a service.
    pub(super) fn service(&mut self, published: &Published, service: Service) {
        let mut keys = Keys::default();
        match published.keys(service) {
            Some(log) => {
                keys.exists = true;
                self.keys_log(log, &mut keys);
            }
            None => self.auditor.find(
                Rule::Missing,
                Place {
                    service: service.name().to_owned(),
                    ..Place::default()
                },
                "there is no log of keys",
            ),
        }
        let mut follows = Follows::default();
        for log in published.years(service) {
            self.year(log, &mut follows, &mut keys);
            follows.before = Some(log);
        }
        for (place, lacks) in keys.later(follows.latest) {
            if lacks {
                let what = "it is about keys, and the log of keys ends before it";
                self.auditor.find(Rule::KeysLog, place, what);
            } else {
                self.auditor.ahead(None);
            }
        }
        if let Some(log) = published.keys(service) {
            for (leaf, time) in keys.untold() {
                let place = Place {
                    leaf: Some(leaf),
                    ..log.place()
                };
                if time < follows.latest {
                    let what = "no yearly log tells this entry, or in another order";
                    self.auditor.find(Rule::KeysLog, place, what);
                } else {
                    self.auditor.ahead(Some((place, time)));
                }
            }
        }
    }

    /// The head of a log, if anything can be held against it.
    fn head(&mut self, log: &LogDir) -> Option<Checkpoint> {
        self.wrong = self.auditor.wrong_trees();
        let before = self.seen.and_then(|seen| seen.same(log));
        let place = log.place();
        let Some(note) = &log.note else {
            self.auditor
                .find(Rule::Missing, place, "there is no checkpoint");
            return None;
        };
        let mut tell = |what: String| self.auditor.find(Rule::Checkpoint, log.place(), what);
        match self.against.keys.as_slice() {
            [] => match &log.key {
                Some(key) => check_note(note, std::slice::from_ref(key), &mut tell),
                None => tell("there is no verifier key beside it, and none was given".to_owned()),
            },
            known => check_note(note, known, &mut tell),
        }
        // Nobody vouches for it but who did before.
        if let (Some(before), Some(key)) = (before.and_then(|b| b.key.as_ref()), &log.key)
            && self.against.keys.is_empty()
            && before.public() != key.public()
        {
            tell("its verifier key is another than when it was seen before".to_owned());
        }
        if log.head.is_none() {
            tell("it cannot be read".to_owned());
        }
        if let Some(what) = &log.misplaced {
            tell(what.clone());
        }
        witness::check(log, note, self.against, &mut |what| {
            self.auditor.find(Rule::Witness, log.place(), what);
        });
        log.head.clone()
    }

    /// Walks along the entries of a log and holds its tiles against them.
    fn entries(&mut self, log: &LogDir, head: &Checkpoint, each: &mut Each<'_>) {
        let seen = self.seen.and_then(|seen| seen.same(log));
        let seen = seen.and_then(|old| old.head.clone());
        let mut tree = Tree::new(&log.path);
        let count = head.size.div_ceil(256);
        let mut next = 0;
        while next < count {
            let mut bundles = Vec::with_capacity(STRETCH);
            while next < count && bundles.len() < STRETCH {
                let Some(bundle) = bundle(log, next, head.size) else {
                    let place = Place {
                        leaf: Some(next * 256),
                        ..log.place()
                    };
                    self.auditor.find(
                        Rule::Missing,
                        place,
                        format!("the entries of bundle {next} cannot be read"),
                    );
                    break;
                };
                bundles.push(bundle);
                next += 1;
            }
            let entries: Vec<&[u8]> = bundles.iter().flat_map(Bundle::iter).collect();
            if entries.is_empty() {
                break;
            }
            let first = tree.size();
            for leaf in each(self.auditor, first, &entries) {
                tree.push(leaf);
                if let Some(old) = seen.as_ref().filter(|old| old.size == tree.size())
                    && old.root != tree.root()
                {
                    let what = format!(
                        "at {} entries it was another log when it was seen before",
                        old.size
                    );
                    self.auditor.find(Rule::SetBack, log.place(), what);
                }
            }
            (self.progress)(entries.len() as u64);
        }
        if let Some(old) = seen.as_ref().filter(|old| old.size > head.size) {
            let what = format!(
                "it had {} entries when it was seen before, and has {}",
                old.size, head.size
            );
            self.auditor.find(Rule::SetBack, log.place(), what);
        }
        if let Some(old) = seen.filter(|old| old.origin != head.origin) {
            let what = format!("it was the log {} when it was seen before", old.origin);
            self.auditor.find(Rule::SetBack, log.place(), what);
        }
        if tree.size() == head.size {
            tree.finish();
            if tree.root() != head.root {
                self.auditor.find(
                    Rule::Root,
                    log.place(),
                    "the entries do not have the root that was signed",
                );
            }
        }
        let faults = std::mem::take(&mut tree.faults);
        for fault in faults {
            let rule = if fault.missing {
                Rule::Missing
            } else {
                Rule::Tile
            };
            let place = Place {
                leaf: Some(fault.leaf),
                ..log.place()
            };
            self.auditor.find(rule, place, fault.what);
        }
        self.auditor.checked(Checked {
            service: log.service.name().to_owned(),
            log: log.name.clone(),
            origin: head.origin.to_string(),
            size: head.size,
            root: lgpki_domain::Digest(head.root).to_string(),
            tiles: tree.tiles,
            cosigned: witness::cosigned(log, self.against),
            holds: self.auditor.wrong_trees() == self.wrong,
        });
    }

    fn keys_log(&mut self, log: &LogDir, keys: &mut Keys) {
        let Some(head) = self.head(log) else { return };
        let service = log.service;
        self.entries(log, &head, &mut |auditor, first, entries| {
            let read = auditor.read(service, entries);
            let mut leaves = Vec::with_capacity(read.len());
            for (leaf, read) in (first..).zip(read) {
                leaves.push(read.leaf);
                if leaf == 0 {
                    opening(
                        auditor,
                        log,
                        entries.first().copied().unwrap_or_default(),
                        None,
                    );
                } else {
                    keys.expect(read.leaf, leaf, read.time);
                }
            }
            leaves
        });
    }

    fn year(&mut self, log: &LogDir, follows: &mut Follows<'_>, keys: &mut Keys) {
        let Some(head) = self.head(log) else { return };
        let expected = (follows.next, follows.before);
        let mut state = (follows.next, follows.latest);
        self.entries(log, &head, &mut |auditor, first, entries| {
            let (service, name) = (log.service, log.name.as_str());
            let mut leaves = Vec::with_capacity(entries.len());
            let (mut from, mut rest) = (first, entries);
            if first == 0 && let Some((one, others)) = entries.split_first() {
                let (read, index) = opening(auditor, log, one, Some(expected));
                leaves.push(read.leaf);
                state.0 = index.unwrap_or(state.0);
                (from, rest) = (1, others);
            }
            let read = auditor.read(service, rest);
            for (leaf, read) in (from..).zip(&read) {
                leaves.push(read.leaf);
                state.1 = state.1.max(read.time);
                let place = Place { leaf: Some(leaf), ..log.place() };
                match keys.meet(read.leaf, auditor.is_of_keys(read), read.time) {
                    Met::Yes => {}
                    Met::Later => keys.put_aside(place.clone(), read.time),
                    Met::No => {
                        let what = "it is about keys and does not stand in the log of keys, or in another order";
                        auditor.find(Rule::KeysLog, place.clone(), what);
                    }
                }
                let year = read.time.jst_date().parts().0;
                if read.kind.is_some() && log.year().is_some_and(|of| year > of) {
                    auditor.find(Rule::Time, place, format!("it is of {}", read.time));
                }
            }
            let count = read.len() as u64;
            let begin = Begin { service, log: name, index: state.0, leaf: from };
            auditor.take(begin, read);
            state.0 += count;
            leaves
        });
        (follows.next, follows.latest) = state;
    }
}

/// The key of a log among those known: one of its name, or of its own service's, whose logs it signs all
/// and no other's.
pub(crate) fn key_of(keys: &[VerifierKey], origin: &KeyName) -> Option<VerifierKey> {
    keys.iter().find_map(|key| key.of_log(origin))
}

/// Whether one of the keys signed the note under its own name.
fn check_note(note: &str, keys: &[VerifierKey], tell: &mut dyn FnMut(String)) {
    let named = SignedNote::parse(note)
        .ok()
        .and_then(|note| Checkpoint::parse(note.text()).ok());
    match named.and_then(|head| key_of(keys, &head.origin)) {
        None => tell("it is of a log for which no verifier key is known".to_owned()),
        Some(key) => {
            if let Err(error) = Checkpoint::open(note, &key) {
                tell(error.to_string());
            }
        }
    }
}

fn bundle(log: &LogDir, index: u64, size: u64) -> Option<Bundle> {
    let tile = Tile::in_tree(Layer::Entries, index, size)?;
    let (bytes, width) = tree::read(&log.path, tile)?;
    let mut bundle = Bundle::parse(bytes).filter(|bundle| bundle.len() == usize::from(width))?;
    bundle.truncate(tile.width());
    Some(bundle)
}

/// Judges an opening entry; gives the index of the entry that follows it.
fn opening(
    auditor: &mut Auditor,
    log: &LogDir,
    bytes: &[u8],
    follows: Option<(u64, Option<&LogDir>)>,
) -> (Read, Option<u64>) {
    let place = || Place {
        leaf: Some(0),
        ..log.place()
    };
    let (mut read, opened) = auditor.opening(log.service, bytes);
    for (rule, what) in read.faults.drain(..) {
        auditor.find(rule, place(), what);
    }
    let Some(opened) = opened else {
        auditor.find(Rule::Opening, place(), "its first leaf is no opening entry");
        return (read, None);
    };
    let origin = log.head.as_ref().map(|head| head.origin.to_string());
    if origin.as_ref() != Some(&opened.log) {
        auditor.find(
            Rule::Opening,
            place(),
            format!("it opens the log {}", opened.log),
        );
    }
    let Some((next, before)) = follows else {
        return (read, Some(opened.first));
    };
    if opened.first != next {
        auditor.find(
            Rule::Chain,
            place(),
            format!(
                "it goes on at entry {}, and the logs before end at {next}",
                opened.first
            ),
        );
    }
    let said = opened
        .previous
        .as_deref()
        .and_then(|note| SignedNote::parse(note).ok());
    let said = said.and_then(|note| Checkpoint::parse(note.text()).ok());
    let was = before.and_then(|before| before.head.clone());
    match (said, was, before) {
        (None, None, None) if opened.previous.is_none() => {}
        (Some(said), Some(was), _) if said == was => {}
        (_, _, Some(before)) => {
            let what = format!("it does not name the end of the log {}", before.name);
            auditor.find(Rule::Chain, place(), what);
        }
        (_, _, None) => auditor.find(
            Rule::Chain,
            place(),
            "it names a log before it, which is not here",
        ),
    }
    (read, Some(opened.first))
}
