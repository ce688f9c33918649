//! What every engine does alike.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use lgpki_store::{Engine, Options, Span, StoreError};
use lgpki_testkit::{FaultyDisk, SeededRandom, log_identity};
use tempfile::TempDir;

use crate::toy::{Command, Outcome, Toy, add, close, dump, from_log};

fn options() -> Options {
    Options {
        flush_keys: 3,
        segment_bytes: 20_000,
        ..Options::new(log_identity("node-1"))
    }
}

/// One engine of each sort, with what must outlive it.
fn engines() -> Vec<(&'static str, Engine<Toy>, Option<TempDir>)> {
    engines_of(Toy::default)
}

/// Those that run this machine.
pub(crate) fn engines_of(
    machine: fn() -> Toy,
) -> Vec<(&'static str, Engine<Toy>, Option<TempDir>)> {
    let dir = TempDir::new().unwrap();
    let (embedded, _) = Engine::open_embedded(dir.path(), machine(), options()).unwrap();
    let unindexed = Options {
        disk: Arc::new(FaultyDisk::new()),
        ..options()
    };
    let (unindexed, _) = Engine::open_unindexed(Path::new("/log"), machine(), unindexed).unwrap();
    let memory = Engine::open_memory(machine(), log_identity("node-1")).unwrap();
    vec![
        ("embedded", embedded, Some(dir)),
        ("unindexed", unindexed, None),
        ("memory", memory, None),
    ]
}

#[tokio::test]
async fn a_command_sees_those_before_it_and_is_answered_in_order() {
    for (sort, engine, _dir) in engines() {
        let outcomes = engine
            .submit(vec![
                add("a", 1),
                add("a", 2),
                close("b"),
                close("a"),
                add("a", 5),
            ])
            .await
            .unwrap();
        let balance = |balance, index| Outcome::Balance { balance, index };
        assert_eq!(
            outcomes,
            [
                balance(1, 0),
                balance(3, 1),
                Outcome::Unknown,
                Outcome::Done,
                balance(5, 3)
            ],
            "{sort}"
        );
        assert_eq!(engine.log().durable(), 4);
        assert_eq!(*engine.watch().borrow(), 4);
        assert_eq!(
            engine.heads().map(|heads| (heads.end, heads.entries.size)),
            Some((4, 5))
        );
        assert_eq!(dump(&engine).await, BTreeMap::from([("a".to_owned(), 5)]));
        assert_eq!(engine.submit(Vec::new()).await.unwrap(), []);
        let outcome = engine.submit_one(close("nobody")).await.unwrap();
        assert_eq!((outcome, engine.log().durable()), (Outcome::Unknown, 4));
    }
}

#[tokio::test]
async fn a_command_too_large_to_record_is_refused_alone_and_has_no_effect() {
    for (sort, engine, _dir) in engines() {
        let large = "x".repeat(65_500);
        let two = Command::AddTwo {
            names: ["b".to_owned(), large.clone()],
            amount: 7,
        };
        let outcomes = engine
            .submit(vec![add("a", 1), add(&large, 1), two, add("a", 1)])
            .await
            .unwrap();
        assert_eq!(outcomes[1], Outcome::TooLarge, "{sort}");
        assert_eq!(outcomes[2], Outcome::TooLarge, "{sort}");
        assert_eq!(
            outcomes[3],
            Outcome::Balance {
                balance: 2,
                index: 1
            }
        );
        assert_eq!(dump(&engine).await, BTreeMap::from([("a".to_owned(), 2)]));
        assert_eq!(engine.log().durable(), 2);
    }
}

#[tokio::test]
async fn spans_cut_out_the_keys_they_name() {
    for (sort, engine, _dir) in engines() {
        let names = ["a", "b", "b1", "b2", "b3", "b\u{7f}", "c"];
        for name in names {
            engine.submit_one(add(name, 1)).await.unwrap();
        }
        engine
            .submit(vec![add("b25", 1), close("b25")])
            .await
            .unwrap();
        let cases = [
            (Span::all(), "a b b1 b2 b3 b\u{7f} c"),
            (Span::prefix("b"), "b b1 b2 b3 b\u{7f}"),
            (Span::prefix("b").after("b1"), "b2 b3 b\u{7f}"),
            (Span::prefix("b").from("b1").before("b3"), "b1 b2"),
            (Span::prefix("b").from("a").up_to("z"), "b b1 b2 b3 b\u{7f}"),
            (Span::prefix("b").up_to("b2"), "b b1 b2"),
            (Span::all().after("c"), ""),
            (Span::all().before("a"), ""),
            (Span::all().from("b2").up_to("b1"), ""),
            (Span::all().after("b1").before("b1"), ""),
            (Span::prefix("x"), ""),
        ];
        let read = |span: Span| {
            engine.read(move |_, view| {
                let text = |(key, _)| String::from_utf8(key).unwrap();
                let up: Vec<_> = view.scan("accounts", &span).map(text).collect();
                let mut down: Vec<_> = view.scan_back("accounts", &span).map(text).collect();
                down.reverse();
                assert_eq!(up, down);
                up.join(" ")
            })
        };
        for (span, expected) in cases {
            assert_eq!(
                read(span.clone()).await.unwrap(),
                expected,
                "{sort} {span:?}"
            );
        }
    }
}

#[tokio::test]
async fn any_sequence_of_commands_gives_what_a_map_would_and_what_the_log_says() {
    for (sort, engine, _dir) in engines() {
        let random = SeededRandom::new(7);
        let mut model: BTreeMap<String, u64> = BTreeMap::new();
        for round in 0..150 {
            let mut commands = Vec::new();
            for _ in 0..random.below(6) {
                let name = format!("n{}", random.below(12));
                if random.below(3) == 0 {
                    model.remove(&name);
                    commands.push(close(&name));
                } else {
                    let amount = random.below(9);
                    *model.entry(name.clone()).or_insert(0) += amount;
                    commands.push(add(&name, amount));
                }
            }
            engine.submit(commands).await.unwrap();
            if round % 10 == 0 {
                assert_eq!(dump(&engine).await, model, "{sort} round {round}");
            }
        }
        assert_eq!(dump(&engine).await, model);
        assert_eq!(from_log(&engine.log()), model);
    }
}

#[tokio::test]
async fn a_closed_engine_answers_so_and_frees_its_directory() {
    let dir = TempDir::new().unwrap();
    for round in 1..4_u64 {
        let (engine, report) =
            Engine::open_embedded(dir.path(), Toy::<1>::default(), options()).unwrap();
        assert_eq!(
            (report.entries, report.replayed, report.rebuilt),
            (round - 1, 0, None)
        );
        let error = Engine::open_embedded(dir.path(), Toy::<1>::default(), options()).unwrap_err();
        assert!(error.to_string().contains("in use by another process"));
        engine.submit_one(add("a", 1)).await.unwrap();
        let other = engine.clone();
        engine.close().await;
        other.close().await;
        assert!(matches!(
            other.submit_one(add("a", 1)).await,
            Err(StoreError::Closed)
        ));
        assert!(matches!(
            other.read(|_, _| ()).await,
            Err(StoreError::Closed)
        ));
    }
}

#[tokio::test]
async fn a_panicking_machine_stops_the_store_and_loses_nothing_acknowledged() {
    let dir = TempDir::new().unwrap();
    let (engine, _) = Engine::open_embedded(dir.path(), Toy::<1>::default(), options()).unwrap();
    engine.submit_one(add("a", 1)).await.unwrap();
    let error = engine.submit(vec![add("a", 1), Command::Panic]).await;
    assert!(matches!(error, Err(StoreError::Stopped(_))), "{error:?}");
    assert!(matches!(
        engine.read(|_, _| ()).await,
        Err(StoreError::Stopped(_))
    ));
    assert!(matches!(engine.failed().await, StoreError::Stopped(_)));
    assert!(engine.stopped().is_some());
    engine.close().await;
    let (engine, _) = Engine::open_embedded(dir.path(), Toy::<1>::default(), options()).unwrap();
    assert_eq!(dump(&engine).await, BTreeMap::from([("a".to_owned(), 1)]));
}
