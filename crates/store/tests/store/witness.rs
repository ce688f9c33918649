//! Checkpoints cosigned by witnesses: beside publication, and what a witness finds out.

mod asking;
mod disputes;

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use lgpki_ledger::{
    LogId, MemoryDisk, NoteSigner as _, SignedNote, Submission, VerifierKey, WitnessKey,
    witness::{Book, SIZE_TYPE, Unsigned, show},
};
use lgpki_store::{
    Carried, Carrier, Engine, Hold, Options, Post, Publication, Publishing, WitnessLimits,
    Witnessing,
};
use lgpki_testkit::{log_identity, log_signer};
use tempfile::TempDir;

use crate::{
    publish::{NEW, OLD, at, copy_all, eventually},
    toy::{Toy, add},
};

/// Real witnesses, reached without a network; those that are away do not answer, and for some somebody on
/// the way does.
#[derive(Debug)]
struct Office {
    books: Vec<Mutex<Book>>,
    logs: Vec<VerifierKey>,
    away: Mutex<Vec<usize>>,
    lies: Mutex<Vec<(usize, Carried)>>,
    asked: Mutex<usize>,
}

fn key(witness: u8) -> WitnessKey {
    let name = format!("w{witness}.example").parse().unwrap();
    WitnessKey::new(name, log_signer(100 + witness).public_key())
}

impl Office {
    fn new(witnesses: u8) -> Arc<Self> {
        Self::knowing(witnesses, vec![log_identity("node-1").public()])
    }

    /// Witnesses that were given these keys of logs.
    fn knowing(witnesses: u8, logs: Vec<VerifierKey>) -> Arc<Self> {
        let book = |witness| {
            let disk = MemoryDisk::new();
            Book::begin(&disk, Path::new("/w")).unwrap();
            Mutex::new(Book::open(Arc::new(disk), Path::new("/w"), key(witness)).unwrap())
        };
        Arc::new(Self {
            books: (0..witnesses).map(book).collect(),
            logs,
            away: Mutex::default(),
            lies: Mutex::default(),
            asked: Mutex::default(),
        })
    }

    fn away(&self, witnesses: &[usize]) {
        *self.away.lock().unwrap() = witnesses.to_vec();
    }

    fn answer(&self, post: &Post) -> Carried {
        let submission: Submission = post.body.parse().unwrap();
        let mut book = self.books[post.witness].lock().unwrap();
        let signer = log_signer(100 + u8::try_from(post.witness).unwrap());
        let decided = book.cosign(&submission, &self.logs, 7, &signer);
        let last = book.last(&submission).map(show);
        let (status, kind, said) = match &decided {
            Ok(cosigned) => (200, None, format!("{}\n", cosigned.signature)),
            Err(Unsigned::Refused(refused)) => match refused.known() {
                Some(known) => (refused.status(), Some(SIZE_TYPE), format!("{known}\n")),
                None => (refused.status(), None, refused.to_string()),
            },
            Err(Unsigned::Unrecorded(error)) => panic!("{error}"),
        };
        let contradicts =
            matches!(&decided, Err(Unsigned::Refused(refused)) if refused.contradicts());
        Carried {
            status,
            kind: kind.map(str::to_owned),
            body: said.into_bytes(),
            shown: last.filter(|_| contradicts),
        }
    }
}

impl Carrier for Office {
    fn carry(&self, posts: Vec<Post>) -> Vec<Result<Carried, String>> {
        let away = self.away.lock().unwrap().clone();
        let lies = self.lies.lock().unwrap().clone();
        *self.asked.lock().unwrap() += posts.len();
        let answer = |post: &Post| {
            if away.contains(&post.witness) {
                return Err("nobody answers".to_owned());
            }
            let lie = lies.iter().find(|(of, _)| *of == post.witness);
            Ok(lie.map_or_else(|| self.answer(post), |(_, lie)| lie.clone()))
        };
        posts.iter().map(answer).collect()
    }
}

fn open(dir: &Path, office: &Arc<Office>, required: usize) -> Engine<Toy> {
    let limits = WitnessLimits {
        lag: Duration::ZERO,
        stop: Some(Duration::ZERO),
    };
    open_with(dir, Some(witnessing(office, required, limits)))
}

fn witnessing(office: &Arc<Office>, required: usize, limits: WitnessLimits) -> Witnessing {
    let keys = (0..).take(office.books.len()).map(key).collect();
    let carrier = Arc::clone(office) as Arc<dyn Carrier>;
    Witnessing::try_new(keys, required, limits, carrier).unwrap()
}

fn open_with(dir: &Path, witnesses: Option<Witnessing>) -> Engine<Toy> {
    let options = Options {
        publish: Some(Publishing {
            every: Duration::from_millis(1),
            witnesses: witnesses.map(Arc::new),
            ..Publishing::default()
        }),
        ..Options::new(log_identity("node-1"))
    };
    Engine::open_embedded(dir, Toy::default(), options)
        .unwrap()
        .0
}

fn published(dir: &Path, log: LogId) -> SignedNote {
    let path = dir.join("audit").join(log.to_string()).join("checkpoint");
    SignedNote::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn state(engine: &Engine<Toy>) -> Publication {
    engine.publication().unwrap()
}

fn witnessed(engine: &Engine<Toy>) -> u64 {
    state(engine).witnessed.unwrap().end
}

#[tokio::test]
async fn what_is_published_bears_the_cosignatures_from_the_first_moment_on() {
    let (dir, office) = (TempDir::new().unwrap(), Office::new(2));
    let engine = open(dir.path(), &office, 2);
    engine.submit(at(OLD, "a")).await.unwrap();
    eventually(|| witnessed(&engine) == 1).await;
    for (time, name) in [(OLD, "b"), (NEW, "c"), (NEW, "d")] {
        engine.submit(at(time, name)).await.unwrap();
    }
    eventually(|| witnessed(&engine) == 4).await;
    let found = state(&engine).witnessed.unwrap();
    assert_eq!(
        (found.lag, found.late, found.stops),
        (Duration::ZERO, false, false)
    );
    assert_eq!(state(&engine).hold(), None);
    engine.close().await;
    // The year that has ended too.
    for log in [LogId::Year(2008), LogId::Year(2009), LogId::Keys] {
        for witness in 0..2 {
            key(witness).verify(&published(dir.path(), log)).unwrap();
        }
    }
    // Opened again, each witness is asked once more of what grows, and says that all is well.
    let before = *office.asked.lock().unwrap();
    let engine = open(dir.path(), &office, 2);
    eventually(|| witnessed(&engine) == 4).await;
    assert_eq!(*office.asked.lock().unwrap() - before, 4);
    engine.close().await;
}

#[tokio::test]
async fn a_witness_that_is_away_holds_up_neither_commits_nor_publication() {
    let (dir, office) = (TempDir::new().unwrap(), Office::new(3));
    office.away(&[0, 2]);
    let engine = open(dir.path(), &office, 2);
    engine.submit_one(add("a", 1)).await.unwrap();
    eventually(|| state(&engine).end == 1).await;
    let publication = state(&engine);
    let lagging = publication.witnessed.clone().unwrap();
    assert_eq!((lagging.end, lagging.late, lagging.stops), (0, true, true));
    assert!(matches!(publication.hold(), Some(Hold::Unwitnessed(_))));
    let failing = lagging.each.iter().map(|one| one.failing.as_deref());
    let away = Some("nobody answers");
    assert_eq!(failing.collect::<Vec<_>>(), [away, None, away]);
    // One of them comes back: it is asked again though nothing is new, and two of three are enough.
    office.away(&[2]);
    eventually(|| witnessed(&engine) == 1).await;
    assert_eq!(state(&engine).hold(), None);
    engine.close().await;
}

#[tokio::test]
async fn a_log_that_was_set_back_is_disputed_by_the_witness_until_it_is_what_it_was() {
    let (dir, office) = (TempDir::new().unwrap(), Office::new(1));
    let engine = open(dir.path(), &office, 1);
    engine.submit_one(add("a", 1)).await.unwrap();
    engine.close().await;
    let old = TempDir::new().unwrap();
    copy_all(&dir.path().join("log"), &old.path().join("log"));
    copy_all(&dir.path().join("audit"), &old.path().join("audit"));
    let engine = open(dir.path(), &office, 1);
    for name in ["b", "c", "d"] {
        engine.submit_one(add(name, 1)).await.unwrap();
    }
    engine.close().await;
    // The old copy opens, for its own files fit; the witness remembers more.
    let set_back = open(old.path(), &office, 1);
    let disputed = |engine| matches!(state(engine).hold(), Some(Hold::Disputed { .. }));
    eventually(|| disputed(&set_back)).await;
    let Some(Hold::Disputed { witness, what }) = state(&set_back).hold() else {
        panic!("not disputed");
    };
    assert_eq!(witness, "w0.example");
    assert!(
        what.contains("5 entries") && what.contains("there are 2"),
        "{what}"
    );
    // It records, and even overtakes what was cosigned: another log all the same.
    for name in ["x", "y", "z", "u", "v"] {
        set_back.submit_one(add(name, 1)).await.unwrap();
    }
    let forked = || match state(&set_back).hold() {
        Some(Hold::Disputed { what, .. }) => what.contains("FORK"),
        _ => false,
    };
    eventually(forked).await;
    set_back.close().await;
    assert!(
        key(0)
            .verify(&published(old.path(), LogId::Year(2008)))
            .is_err()
    );
    // The newest copy is what the witness knows.
    let engine = open(dir.path(), &office, 1);
    eventually(|| witnessed(&engine) == 4).await;
    assert_eq!(state(&engine).hold(), None);
    engine.close().await;
}

#[tokio::test]
async fn a_log_rewritten_whole_with_its_own_key_gets_no_cosignature() {
    let (dir, office) = (TempDir::new().unwrap(), Office::new(1));
    let engine = open(dir.path(), &office, 1);
    for name in ["a", "b"] {
        engine.submit_one(add(name, 1)).await.unwrap();
    }
    engine.close().await;
    for names in [&["a"][..], &["a", "x"], &["x", "b", "c"]] {
        let forged = TempDir::new().unwrap();
        let engine = open(forged.path(), &office, 1);
        for name in names {
            engine.submit_one(add(name, 1)).await.unwrap();
        }
        eventually(|| matches!(state(&engine).hold(), Some(Hold::Disputed { .. }))).await;
        engine.close().await;
        let note = published(forged.path(), LogId::Year(2008));
        note.verify(&log_identity("node-1").verifier(LogId::Year(2008)))
            .unwrap();
        assert!(key(0).verify(&note).is_err());
    }
}
