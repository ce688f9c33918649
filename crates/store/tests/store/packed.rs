//! Packed tables against a map, over flushes and openings.

use std::collections::BTreeMap;

use lgpki_domain::Timestamp;
use lgpki_ledger::{Body, EntryError, Recorded, Stamp, events};
use lgpki_store::{Decision, Engine, MAX_RECORD_BYTES, Machine, Options, StoreError, Tables, View};
use lgpki_testkit::{SeededRandom, log_identity};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Noted {
    length: u64,
    number: u64,
}

impl Body for Noted {
    const KIND: &'static str = "number.noted";
}

events! {
    /// What happens to numbers.
    #[derive(Clone, Debug)]
    enum Event {
        /// A record came or went.
        Noted(Noted),
    }
}

/// The length that stands for no record.
const REMOVED: u64 = 100_000;

type All = BTreeMap<u64, Vec<u8>>;

/// Keeps records under numbers; a record's bytes follow from its number and length.
#[derive(Debug, Default)]
struct Numbers {
    loaded: All,
}

fn record(number: u64, length: u64) -> Vec<u8> {
    (0..length).map(|i| (number + i).to_le_bytes()[0]).collect()
}

fn all(view: &View<'_>) -> Result<All, StoreError> {
    let mut all = All::new();
    view.each_packed("numbers", |number, record| {
        all.insert(number, record.to_vec());
        Ok(())
    })?;
    Ok(all)
}

impl Machine for Numbers {
    type Command = (u64, Option<u64>);
    type Outcome = Option<Vec<u8>>;
    type Event = Event;

    const TABLES: &'static [&'static str] = &["numbers"];
    const STATE_VERSION: u32 = 1;

    fn decide(&self, view: &View<'_>, command: Self::Command) -> Decision<Event, Self::Outcome> {
        let (number, length) = command;
        let before = view.get_packed("numbers", number);
        let stamp = Stamp::new(Timestamp::from_seconds(1_202_084_100), "tester");
        let length = length.unwrap_or(REMOVED);
        Decision::record(stamp, Noted { length, number }, before)
    }

    fn unrecordable(_error: EntryError) -> Self::Outcome {
        None
    }

    fn apply(&mut self, tables: &mut Tables<'_>, recorded: &Recorded<Event>) {
        let Event::Noted(noted) = &recorded.event;
        match noted.length {
            REMOVED => tables.delete_packed("numbers", noted.number),
            length => {
                tables.put_packed("numbers", noted.number, &record(noted.number, length));
            }
        }
    }

    fn load(&mut self, view: &View<'_>) -> Result<(), StoreError> {
        self.loaded = all(view)?;
        Ok(())
    }
}

fn options() -> Options {
    Options {
        flush_keys: 3,
        ..Options::new(log_identity("node-1"))
    }
}

#[tokio::test]
async fn what_was_put_last_is_found_whenever_the_index_was_written_and_opened() {
    let dir = TempDir::new().unwrap();
    let random = SeededRandom::new(7);
    let mut expected = All::new();
    for round in 0..6 {
        let (engine, _) = Engine::open_embedded(dir.path(), Numbers::default(), options()).unwrap();
        let loaded = engine.read(|machine, _| machine.loaded.clone()).await;
        assert_eq!(loaded.unwrap(), expected, "round {round}");
        for _ in 0..40 {
            let mut commands = Vec::new();
            let mut before = Vec::new();
            for _ in 0..random.below(30) {
                let number = random.below(100);
                let length =
                    (random.below(4) > 0).then(|| random.below(MAX_RECORD_BYTES as u64 + 1));
                before.push(match length {
                    Some(length) => expected.insert(number, record(number, length)),
                    None => expected.remove(&number),
                });
                commands.push((number, length));
            }
            assert_eq!(engine.submit(commands).await.unwrap(), before);
        }
        let found = engine.read(|_, view| all(view)).await.unwrap();
        assert_eq!(found.unwrap(), expected, "round {round}");
        engine.close().await;
    }
}

#[tokio::test]
async fn a_record_that_is_too_long_stops_the_store_before_anything_is_answered() {
    let dir = TempDir::new().unwrap();
    let (engine, _) = Engine::open_embedded(dir.path(), Numbers::default(), options()).unwrap();
    let long = MAX_RECORD_BYTES as u64 + 1;
    let stopped = engine.submit(vec![(1, Some(long))]).await.unwrap_err();
    assert!(stopped.to_string().contains("packed"), "{stopped}");
}
