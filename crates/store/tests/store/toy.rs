//! A small machine: accounts with balances, a second table ordered by balance, a total in memory.

use std::collections::BTreeMap;

use lgpki_domain::Timestamp;
use lgpki_ledger::{Body, EntryError, Recorded, Stamp, events};
use lgpki_store::{Decision, Engine, Heartbeat, Machine, Span, StoreError, Tables, View};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Added {
    pub(crate) amount: u64,
    pub(crate) name: String,
}

impl Body for Added {
    const KIND: &'static str = "account.added";
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Closed {
    pub(crate) name: String,
}

impl Body for Closed {
    const KIND: &'static str = "account.closed";
}

events! {
    /// What happens to accounts.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(crate) enum ToyEvent {
        /// Something was added.
        Added(Added),
        /// Nothing is left.
        Closed(Closed),
        /// What was counted.
        Heartbeat(Heartbeat),
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Command {
    Add {
        name: String,
        amount: u64,
    },
    /// Adds to both, or to neither.
    AddTwo {
        names: [String; 2],
        amount: u64,
    },
    /// Adds to each at its time, the second one first if the clock is set back.
    AddAt {
        times: Vec<(&'static str, String)>,
    },
    Close {
        name: String,
    },
    Panic,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Balance { balance: u64, index: u64 },
    Done,
    Unknown,
    TooLarge,
}

/// The machine, in version `V` of its tables.
#[derive(Debug, Default)]
pub(crate) struct Toy<const V: u32 = 1> {
    pub(crate) total: u64,
    /// Refuses to load anything but empty tables.
    pub(crate) distrustful: bool,
    pub(crate) loaded: bool,
    /// How many times it has loaded.
    pub(crate) loads: u32,
    /// Keeps wrong books: too much of `bent`, nothing of `lost`, and one that nobody opened.
    pub(crate) crooked: bool,
}

pub(crate) fn add(name: &str, amount: u64) -> Command {
    Command::Add {
        name: name.to_owned(),
        amount,
    }
}

pub(crate) fn close(name: &str) -> Command {
    Command::Close {
        name: name.to_owned(),
    }
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().unwrap())
}

fn by_balance(balance: u64, name: &str) -> Vec<u8> {
    [&balance.to_be_bytes(), name.as_bytes()].concat()
}

fn stamp() -> Stamp {
    Stamp::new(Timestamp::from_seconds(1_202_084_100), "tester")
}

impl<const V: u32> Machine for Toy<V> {
    type Command = Command;
    type Outcome = Outcome;
    type Event = ToyEvent;

    const TABLES: &'static [&'static str] = &["accounts", "by-balance"];
    const STATE_VERSION: u32 = V;

    fn decide(&self, view: &View<'_>, command: Command) -> Decision<ToyEvent, Outcome> {
        assert!(self.loaded, "load comes before everything");
        let balance = |name: &String| view.get("accounts", name.as_bytes()).map(|v| number(&v));
        match command {
            Command::Add { name, amount } => {
                let outcome = Outcome::Balance {
                    balance: balance(&name).unwrap_or(0) + amount,
                    index: view.next_index(),
                };
                Decision::record(stamp(), Added { amount, name }, outcome)
            }
            Command::AddTwo { names, amount } => {
                let events = names.map(|name| (stamp(), Added { amount, name }.into()));
                Decision::record_all(events.into(), Outcome::Done)
            }
            Command::AddAt { times } => {
                let event = |(time, name): (&str, String)| {
                    let stamp = Stamp::new(time.parse().unwrap(), "tester");
                    (stamp, Added { amount: 1, name }.into())
                };
                Decision::record_all(times.into_iter().map(event).collect(), Outcome::Done)
            }
            Command::Close { name } => match balance(&name) {
                Some(_) => Decision::record(stamp(), Closed { name }, Outcome::Done),
                None => Decision::answer(Outcome::Unknown),
            },
            Command::Panic => panic!("as the test asked"),
        }
    }

    fn unrecordable(error: EntryError) -> Outcome {
        assert!(matches!(error, EntryError::TooLarge { .. }));
        Outcome::TooLarge
    }

    fn apply(&mut self, tables: &mut Tables<'_>, recorded: &Recorded<ToyEvent>) {
        let (ToyEvent::Added(Added { name, .. }) | ToyEvent::Closed(Closed { name })) =
            &recorded.event
        else {
            return;
        };
        let before = tables.get("accounts", name.as_bytes());
        let before = before.map(|value| number(&value));
        if let Some(before) = before {
            tables.delete("by-balance", &by_balance(before, name));
        }
        if let ToyEvent::Added(Added { amount, .. }) = &recorded.event {
            let balance = before.unwrap_or(0) + amount;
            self.total += amount;
            tables.put("accounts", name.as_bytes(), balance.to_be_bytes());
            tables.put("by-balance", &by_balance(balance, name), []);
        } else {
            self.total -= before.unwrap();
            tables.delete("accounts", name.as_bytes());
        }
        if self.crooked {
            self.total += 7;
            tables.put("accounts", b"ghost", 1_u64.to_be_bytes());
            match name.as_str() {
                "bent" => tables.put("accounts", b"bent", 1000_u64.to_be_bytes()),
                "lost" => tables.delete("accounts", b"lost"),
                _ => {}
            }
        }
    }

    fn load(&mut self, view: &View<'_>) -> Result<(), StoreError> {
        let balances = view.scan("accounts", &Span::all()).map(|(_, v)| number(&v));
        self.total = balances.sum();
        self.loaded = true;
        self.loads += 1;
        if self.distrustful && self.total > 0 {
            return Err(StoreError::Corrupt("an account looks odd".to_owned()));
        }
        Ok(())
    }

    fn take_over(&mut self, rebuilt: &mut Self, view: &View<'_>) -> Result<(), StoreError> {
        let balances = view.scan("accounts", &Span::all()).map(|(_, v)| number(&v));
        assert_eq!(
            balances.sum::<u64>(),
            rebuilt.total,
            "the tables come first"
        );
        self.total = rebuilt.total;
        Ok(())
    }
}

/// The balances, right or wrong.
pub(crate) async fn accounts(engine: &Engine<Toy>) -> BTreeMap<String, u64> {
    engine.read(|_, view| balances(view)).await.unwrap()
}

/// The balances of a table, right or wrong.
pub(crate) fn balances(view: &View<'_>) -> BTreeMap<String, u64> {
    let all = view.scan("accounts", &Span::all());
    all.map(|(k, v)| (String::from_utf8(k).unwrap(), number(&v)))
        .collect()
}

/// Everything the machine knows, checked against itself.
pub(crate) async fn dump<const V: u32>(engine: &Engine<Toy<V>>) -> BTreeMap<String, u64> {
    let read = |machine: &Toy<V>, view: &View<'_>| {
        let accounts = balances(view);
        let mut ordered: Vec<_> = accounts.iter().map(|(n, b)| by_balance(*b, n)).collect();
        ordered.sort();
        let keys = |scan: lgpki_store::Scan<'_>| scan.map(|(k, _)| k).collect::<Vec<_>>();
        assert_eq!(keys(view.scan("by-balance", &Span::all())), ordered);
        ordered.reverse();
        assert_eq!(keys(view.scan_back("by-balance", &Span::all())), ordered);
        assert_eq!(machine.total, accounts.values().sum::<u64>());
        accounts
    };
    engine.read(read).await.unwrap()
}

/// A machine that keeps wrong books.
pub(crate) fn crooked() -> Toy {
    Toy {
        crooked: true,
        ..Toy::default()
    }
}

/// What the log alone says.
pub(crate) fn from_log(log: &lgpki_ledger::LogReader) -> BTreeMap<String, u64> {
    let mut accounts = BTreeMap::new();
    for (index, bytes) in log.read(0, usize::MAX, usize::MAX).unwrap() {
        match lgpki_ledger::decode(index, &bytes).unwrap().event {
            ToyEvent::Added(Added { amount, name }) => *accounts.entry(name).or_insert(0) += amount,
            ToyEvent::Closed(Closed { name }) => drop(accounts.remove(&name).unwrap()),
            ToyEvent::Heartbeat(_) => {}
        }
    }
    accounts
}
