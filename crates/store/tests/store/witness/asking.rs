//! What witnesses are asked of a log that was restored, and what each answer means.

use lgpki_ledger::{Identity, Log, LogId, LogReader, OsDisk};
use lgpki_store::{Answer, Question, Word, ask_witnesses};

use super::*;

/// The log as it lies in `dir`, read by nobody else.
fn log(dir: &Path) -> Log {
    let disk = Arc::new(OsDisk);
    Log::open(dir, disk, log_identity("node-1")).unwrap().0
}

/// A question of what the log of a year holds here, which others may have more of.
fn question<'a>(identity: &Identity, reader: &'a LogReader, more: u64) -> Question<'a> {
    let log = LogId::Year(2008);
    let head = reader.head(log).unwrap();
    let size = head.map_or(0, |head| head.size);
    let prove = move |old| {
        let proof = reader.consistency(log, old, size);
        proof.map_err(|e| e.to_string())
    };
    Question {
        origin: identity.origin(log),
        note: head.map_or_else(
            || identity.empty(log),
            |head| identity.checkpoint(log, &head),
        ),
        size,
        reach: size + more,
        certain: true,
        prove: Some(Box::new(prove)),
    }
}

fn witnessing(office: &Arc<Office>) -> Witnessing {
    let keys = (0..).take(office.books.len()).map(key).collect();
    let limits = WitnessLimits {
        lag: Duration::ZERO,
        stop: None,
    };
    let carrier = Arc::clone(office) as Arc<dyn Carrier>;
    Witnessing::try_new(keys, 1, limits, carrier).unwrap()
}

fn words(answers: Vec<Answer>) -> Vec<Word> {
    answers.into_iter().map(|answer| answer.word).collect()
}

fn asked(office: &Arc<Office>, dir: &Path, more: u64) -> Vec<Word> {
    let (log, identity) = (log(dir), log_identity("node-1"));
    let reader = log.reader();
    let question = question(&identity, &reader, more);
    words(ask_witnesses(&witnessing(office), &[question]))
}

/// A log that one witness follows to its end, with copies of it after so many entries.
async fn lived(office: &Arc<Office>, names: &[&str], copies: &[(usize, &Path)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (count, name) in (1..).zip(names) {
        let engine = open(dir.path(), office, 1);
        engine.submit_one(add(name, 1)).await.unwrap();
        engine.close().await;
        for (_, copy) in copies.iter().filter(|(at, _)| *at == count) {
            copy_all(&dir.path().join("log"), &copy.join("log"));
        }
    }
    dir
}

#[tokio::test]
async fn a_witness_tells_whether_it_has_seen_more_the_same_or_less() {
    let office = Office::new(2);
    let short = TempDir::new().unwrap();
    let dir = lived(&office, &["a", "b", "c"], &[(1, short.path())]).await;
    // With the opening entry, two leaves are here and four were cosigned.
    let more = Word::More { known: 4 };
    assert_eq!(asked(&office, short.path(), 0), [more.clone(), more]);
    let within = Word::Within { known: 4 };
    // A copy has them: they are taken back before anybody asks again.
    assert_eq!(
        asked(&office, short.path(), 2),
        [within.clone(), within.clone()]
    );
    // All, and what continues it, which one of them has not seen.
    assert_eq!(asked(&office, dir.path(), 0), [within.clone(), within]);
    office.away(&[1]);
    let engine = open(dir.path(), &office, 1);
    engine.submit_one(add("d", 1)).await.unwrap();
    engine.close().await;
    office.away(&[]);
    assert_eq!(
        asked(&office, dir.path(), 0),
        [Word::Within { known: 5 }, Word::Within { known: 4 }]
    );
}

#[tokio::test]
async fn a_witness_of_another_history_says_so_whatever_the_sizes() {
    let office = Office::new(1);
    lived(&office, &["a", "b", "c"], &[]).await;
    for names in [&["a", "b", "x"][..], &["a", "b", "x", "y", "z"]] {
        let dir = lived(&Office::new(1), names, &[]).await;
        let words = asked(&office, dir.path(), 0);
        let [Word::Other { why }] = words.as_slice() else {
            panic!("{words:?}");
        };
        // Of a perfect tree no proof leads to another root.
        let said = ["FORK", "NOT PROVED"].map(|word| why.contains(word));
        assert!(said.contains(&true), "{why}");
    }
}

#[tokio::test]
async fn who_does_not_answer_is_named_with_the_reason_and_asked_once() {
    let office = Office::new(2);
    let dir = lived(&office, &["a"], &[]).await;
    office.away(&[1]);
    let before = *office.asked.lock().unwrap();
    let (log, identity) = (log(dir.path()), log_identity("node-1"));
    let reader = log.reader();
    let questions = [
        question(&identity, &reader, 0),
        question(&identity, &reader, 0),
    ];
    let answers = ask_witnesses(&witnessing(&office), &questions);
    let silent = Word::Silent {
        why: String::from("nobody answers"),
    };
    for pair in answers.chunks(2) {
        assert_eq!(pair[0].word, Word::Within { known: 2 });
        assert_eq!(pair[1].word, silent);
        assert_eq!(pair[1].witness, "w1.example");
    }
    // Twice for each question the one that is there, and once the other.
    assert_eq!(*office.asked.lock().unwrap() - before, 5);
}

#[tokio::test]
async fn of_a_log_that_is_not_here_the_empty_tree_is_shown() {
    let office = Office::new(1);
    let identity = log_identity("node-1");
    let empty = |certain| Question {
        origin: identity.origin(LogId::Year(2008)),
        note: identity.empty(LogId::Year(2008)),
        size: 0,
        reach: 0,
        certain,
        prove: None,
    };
    let how = witnessing(&office);
    let ask = |certain| words(ask_witnesses(&how, &[empty(certain)]));
    assert_eq!(ask(false), [Word::Within { known: 0 }]);
    lived(&office, &["a"], &[]).await;
    assert_eq!(ask(false), [Word::More { known: 2 }]);
    // A witness without the log's key: that is no answer, unless there may be no such log at all.
    let how = witnessing(&Office::knowing(1, Vec::new()));
    let ask = |certain| words(ask_witnesses(&how, &[empty(certain)]));
    assert_eq!(ask(false), [Word::Within { known: 0 }]);
    let words = ask(true);
    let [Word::Silent { why }] = words.as_slice() else {
        panic!("{words:?}");
    };
    assert!(why.contains("404") && why.contains("log's key"), "{why}");
}
