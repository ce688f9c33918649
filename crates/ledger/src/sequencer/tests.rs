//! What the sequencer plans, what it goes on from, and what it refuses.

use std::sync::Arc;

use proptest::prelude::*;

use super::{state::MAGIC, *};
use crate::note::LogSigner;

const OLD: &str = "2008-12-31T00:00:00.000Z";
const NEW: &str = "2009-01-01T00:00:00.000Z";

fn identity(service: &str, seed: u8) -> Identity {
    let mut der = vec![
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    der.extend_from_slice(&[seed; 32]);
    let signer = Arc::new(LogSigner::from_pkcs8(&der).unwrap());
    let base = "lgpki.example/audit".parse().unwrap();
    Identity::try_new(&base, service, format!("{service}-1"), signer).unwrap()
}

fn issuer() -> Identity {
    identity("issuer", 7)
}

fn new(i: u64, time: &str) -> NewEntry {
    NewEntry {
        bytes: format!("{{\"i\":{i}}}").into_bytes(),
        time: time.parse().unwrap(),
        ceremony: i % 3 == 1,
    }
}

/// The `n`-th unit: one to four entries, in a new year from the tenth on.
fn unit(n: u64) -> Vec<NewEntry> {
    let time = if n < 10 { OLD } else { NEW };
    (0..=n % 4).map(|i| new(10 * n + i, time)).collect()
}

fn planned(sequencer: &Sequencer, entries: Vec<NewEntry>) -> Batch {
    sequencer.plan(entries).unwrap().unwrap()
}

fn commit(sequencer: &mut Sequencer, entries: Vec<NewEntry>) -> State {
    let batch = planned(sequencer, entries);
    let state = batch.state();
    sequencer.committed(batch).unwrap();
    assert_eq!(sequencer.state().as_ref(), Some(&state));
    state
}

/// Where the log stands after some units.
fn after(units: u64) -> State {
    let mut sequencer = Sequencer::new(issuer());
    (0..units)
        .map(|n| commit(&mut sequencer, unit(n)))
        .last()
        .unwrap()
}

/// The row with both checksums made to fit.
fn sealed(mut row: Vec<u8>) -> Vec<u8> {
    let end = row.len() - 4;
    let header = end - 2 * crate::head::HEAD_BYTES;
    let crc = crc32c::crc32c(&row[4..header - 4]);
    row[header - 4..header].copy_from_slice(&crc.to_be_bytes());
    let crc = crc32c::crc32c(&row[..end]);
    row[end..].copy_from_slice(&crc.to_be_bytes());
    row
}

#[test]
fn a_plan_changes_nothing_and_made_again_it_says_the_same() {
    let mut sequencer = Sequencer::new(issuer());
    let mut other = Sequencer::new(issuer());
    for n in 0..14 {
        let before = (sequencer.end(), sequencer.state());
        let dropped = planned(&sequencer, vec![new(999, NEW), new(1000, NEW)]);
        assert_eq!(dropped.end(), dropped.first() + 2);
        let (one, two) = (planned(&sequencer, unit(n)), planned(&sequencer, unit(n)));
        assert_eq!((sequencer.end(), sequencer.state()), before);
        assert_eq!(one.state(), two.state());
        let openings = |batch: &Batch| -> Vec<_> {
            let openings = batch.openings();
            openings.map(|(log, bytes)| (log, bytes.to_vec())).collect()
        };
        assert_eq!(openings(&one), openings(&two));
        let begun: Vec<_> = openings(&one).into_iter().map(|(log, _)| log).collect();
        let expected = match n {
            0 => vec![LogId::Year(2008), LogId::Keys],
            10 => vec![LogId::Year(2009)],
            _ => vec![],
        };
        assert_eq!(begun, expected, "{n}");
        sequencer.committed(two).unwrap();
        commit(&mut other, unit(n));
        assert_eq!(sequencer.state(), other.state());
    }
}

#[test]
fn a_batch_that_another_one_overtook_is_refused() {
    let mut sequencer = Sequencer::new(issuer());
    let late = planned(&sequencer, unit(1));
    commit(&mut sequencer, unit(0));
    let before = sequencer.state();
    let refused = sequencer.committed(late).unwrap_err();
    assert!(matches!(refused, SequenceError::Stale), "{refused}");
    assert_eq!(sequencer.state(), before);
}

#[test]
fn nothing_makes_no_batch_and_what_is_too_long_is_refused() {
    let sequencer = Sequencer::new(issuer());
    assert!(sequencer.plan(Vec::new()).unwrap().is_none());
    assert_eq!(needs(&[]), None);
    let mut long = new(0, OLD);
    long.bytes = vec![b'1'; MAX_ENTRY_BYTES + 1];
    let refused = sequencer.plan(vec![new(1, OLD), long]).unwrap_err();
    assert!(matches!(refused, SequenceError::TooLarge { size: 65_536 }));
}

#[test]
fn a_unit_needs_the_year_of_its_latest_entry_and_a_clock_set_back_begins_none() {
    let both = [new(0, NEW), new(1, OLD)];
    assert_eq!(needs(&both), Some(LogId::Year(2009)));
    let mut sequencer = Sequencer::new(issuer());
    commit(&mut sequencer, both.to_vec());
    let back = planned(&sequencer, vec![new(2, OLD)]);
    assert_eq!((back.heads().year, back.openings().count()), (2009, 0));
}

#[test]
fn whoever_goes_on_from_a_row_goes_on_as_if_nothing_had_been() {
    let mut lives_on = Sequencer::new(issuer());
    assert_eq!((lives_on.state(), lives_on.end()), (None, 0));
    let mut row: Option<Vec<u8>> = None;
    for n in 0..30 {
        let mut resumed = match &row {
            Some(row) => Sequencer::resume(issuer(), State::parse(row).unwrap()).unwrap(),
            None => Sequencer::new(issuer()),
        };
        let state = commit(&mut resumed, unit(n));
        assert_eq!(commit(&mut lives_on, unit(n)), state);
        assert_eq!(
            (resumed.end(), resumed.year()),
            (state.end(), lives_on.year())
        );
        let bytes = state.write();
        assert!(bytes.len() <= MOST_BYTES);
        row = Some(bytes);
    }
}

#[test]
fn every_flipped_bit_of_a_row_is_noticed_and_so_is_every_cut() {
    let bytes = after(12).write();
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(State::parse(&bad).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(State::parse(&bytes[..length]).is_err(), "{length}");
    }
    assert!(State::parse(&[bytes, vec![0]].concat()).is_err());
    assert!(State::parse(&vec![0; MOST_BYTES + 1]).is_err());
}

#[test]
fn a_log_that_is_only_opened_has_no_row() {
    let batch = planned(&Sequencer::new(issuer()), unit(0));
    let mut row = MAGIC.to_vec();
    row.extend_from_slice(&batch.before().write());
    batch.heads().entries.write(&mut row);
    batch.heads().keys.write(&mut row);
    let crc = crc32c::crc32c(&row);
    row.extend_from_slice(&crc.to_be_bytes());
    assert!(State::parse(&row).is_err());
    // The same bytes, but for what is opened, are one.
    assert!(State::parse(&batch.state().write()).is_ok());
}

#[test]
fn another_key_or_name_is_refused_and_so_are_heads_of_other_trees() {
    let good = after(5);
    for stranger in [identity("issuer", 8), identity("intake", 7)] {
        let refused = Sequencer::resume(stranger, good.clone()).unwrap_err();
        assert!(
            matches!(refused, SequenceError::Unsigned { .. }),
            "{refused}"
        );
    }
    let change = |change: &dyn Fn(&mut Heads)| {
        let mut bad = good.clone();
        change(&mut bad.heads);
        Sequencer::resume(issuer(), bad).unwrap_err()
    };
    // Each is signed as it should be, by this very key.
    let sign = |log, size, root| issuer().sign(log, size, root);
    let year = LogId::Year(2008);
    let SignedHead { size, root, .. } = good.heads.entries;
    let keys = good.heads.keys;
    for refused in [
        change(&|heads| heads.entries = sign(year, size, [1; 32])),
        change(&|heads| heads.entries = sign(year, size - 1, root)),
        change(&|heads| heads.keys = sign(LogId::Keys, keys.size, root)),
        change(&|heads| heads.keys = sign(LogId::Keys, keys.size + 1, keys.root)),
        change(&|heads| heads.end += 1),
        change(&|heads| heads.year = 2007),
        change(&|heads| heads.year = 2009),
    ] {
        assert!(matches!(refused, SequenceError::Disagree), "{refused}");
    }
    for refused in [
        change(&|heads| heads.entries.signature[9] ^= 1),
        change(&|heads| heads.keys.signature[9] ^= 1),
        change(&|heads| heads.keys.signature = heads.entries.signature),
    ] {
        assert!(
            matches!(refused, SequenceError::Unsigned { .. }),
            "{refused}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_row_that_somebody_changed_is_refused_or_of_the_same_signed_trees(
        at in 0_usize..600,
        bytes in proptest::collection::vec(any::<u8>(), 1..9),
        units in 1_u64..20,
    ) {
        let good = after(units);
        let mut row = good.write();
        for (place, byte) in (at..).zip(bytes) {
            let length = row.len();
            row[place % length] = byte;
        }
        let row = sealed(row);
        if let Ok(state) = State::parse(&row) {
            prop_assert_eq!(state.write(), row);
            if let Ok(resumed) = Sequencer::resume(issuer(), state) {
                let heads = resumed.heads().unwrap();
                prop_assert_eq!(heads.each(), good.heads.each());
            }
        }
    }

    #[test]
    fn bytes_of_anybody_are_a_row_in_one_spelling_or_none(bytes in proptest::collection::vec(any::<u8>(), 216..600)) {
        let mut row = MAGIC.to_vec();
        row.extend_from_slice(b"LGS2");
        row.extend_from_slice(&bytes);
        let row = sealed(row);
        if let Ok(state) = State::parse(&row) {
            prop_assert_eq!(state.write(), row);
        }
    }
}
