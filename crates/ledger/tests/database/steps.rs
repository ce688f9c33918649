//! What may happen to the database and its processes, and how often it did.

use lgpki_ledger::NewEntry;
use proptest::prelude::*;

use crate::engine::Fate;

const TIMES: [&str; 3] = [
    "2008-12-31T00:00:00.000Z",
    "2009-06-01T00:00:00.000Z",
    "2010-06-01T00:00:00.000Z",
];

/// What happens next.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A writer begins: its subject, how many entries, the year of the last one.
    Begin(u8, usize, usize),
    /// The n-th of the open writers draws an id.
    Draw(usize),
    Commit(usize),
    Abort(usize),
    /// A process, of two, takes the lock.
    Start(usize),
    /// A process begins a batch of so many units.
    Gather(usize, usize),
    Finish(usize, Fate),
    Publish(usize),
    Kill(usize),
    Cut(usize),
    /// The database falls over.
    Crash,
    /// A copy of the database is kept.
    Keep,
}

/// Any step, the usual ones most often.
pub(crate) fn step() -> impl Strategy<Value = Step> {
    let year = prop_oneof![30 => Just(0_usize), 3 => Just(1), 1 => Just(2)];
    let fate = prop_oneof![
        6 => Just(Fate::Answered),
        1 => Just(Fate::LostBefore),
        1 => Just(Fate::LostAfter),
    ];
    prop_oneof![
        10 => (0_u8..4, 1_usize..4, year).prop_map(|(s, n, y)| Step::Begin(s, n, y)),
        6 => (0_usize..4).prop_map(Step::Draw),
        8 => (0_usize..4).prop_map(Step::Commit),
        2 => (0_usize..4).prop_map(Step::Abort),
        4 => (0_usize..2).prop_map(Step::Start),
        8 => (0_usize..2, 1_usize..4).prop_map(|(p, n)| Step::Gather(p, n)),
        8 => (0_usize..2, fate).prop_map(|(p, fate)| Step::Finish(p, fate)),
        4 => (0_usize..2).prop_map(Step::Publish),
        1 => (0_usize..2).prop_map(Step::Kill),
        2 => (0_usize..2).prop_map(Step::Cut),
        1 => Just(Step::Crash),
        1 => Just(Step::Keep),
    ]
}

/// How often what the rules are for has happened.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) entries: u64,
    /// Events that got an index after one with a higher id had.
    pub(crate) late: u64,
    /// Ids that nobody will see.
    pub(crate) holes: usize,
    pub(crate) second_refused: u64,
    pub(crate) fenced_off: u64,
    pub(crate) gone: u64,
    /// Batches that nobody knew the outcome of.
    pub(crate) unknown: u64,
    pub(crate) published: usize,
    pub(crate) set_back: u64,
    pub(crate) restored: u64,
}

/// A unit: its last entry is of the given year, those before it of the year before.
pub(crate) fn unit(
    number: &mut u64,
    subject: u8,
    step: u64,
    count: usize,
    year: usize,
) -> Vec<NewEntry> {
    let entry = |i: usize| {
        *number += 1;
        let year = if i + 1 == count {
            year
        } else {
            year.saturating_sub(1)
        };
        let text = format!(r#"{{"n":{number},"step":{step},"subject":{subject}}}"#);
        NewEntry {
            bytes: text.into_bytes(),
            time: TIMES[year].parse().unwrap(),
            ceremony: *number % 4 == 1,
        }
    };
    (0..count).map(entry).collect()
}
