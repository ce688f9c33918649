//! Sources that lie: each lie is refused by its name, and what was kept stays as it was.

use super::*;

/// A lie: what is done to honest files, and the name of the refusal.
type Lie = (&'static str, fn(&mut Shelf), &'static str);

fn flip(bytes: &mut [u8], at: usize) {
    bytes[at] ^= 1;
}

fn forge(shelf: &Shelf, history: &History) {
    let note = history.head().signed(&log_signer(history.seed));
    shelf.edit("checkpoint", |bytes| *bytes = note.to_string().into_bytes());
}

const LIES: [Lie; 14] = [
    (
        "an entry",
        |shelf| shelf.edit("tile/entries/002", |b| flip(b, 700)),
        "tile",
    ),
    (
        "an entry that is not in a full bundle",
        |shelf| shelf.edit("tile/entries/004.p/76", |b| flip(b, 70)),
        "tile",
    ),
    (
        "an entry that was kept",
        |shelf| shelf.edit("tile/entries/001", |b| flip(b, 5)),
        "entries",
    ),
    (
        "a bundle cut short",
        |shelf| shelf.edit("tile/entries/002", |b| b.truncate(900)),
        "tile",
    ),
    (
        "a full tile",
        |shelf| shelf.edit("tile/0/002", |b| flip(b, 70)),
        "tile",
    ),
    (
        "a partial tile",
        |shelf| shelf.edit("tile/1/000.p/4", |b| flip(b, 3)),
        "tile",
    ),
    (
        "a tile with more in it",
        |shelf| shelf.edit("tile/0/003", |b| b.push(0)),
        "tile",
    ),
    (
        "a file that is gone",
        |shelf| {
            shelf
                .disk
                .remove(Path::new("/issuer/2011/tile/entries/003"))
                .unwrap();
        },
        "missing",
    ),
    (
        "a checkpoint's root",
        |shelf| {
            shelf.edit("checkpoint", |b| {
                let at = b.iter().position(|b| *b == b'\n').unwrap() + 10;
                b[at] = if b[at] == b'A' { b'B' } else { b'A' };
            });
        },
        "checkpoint",
    ),
    (
        "a checkpoint that another key signed",
        |shelf| {
            forge(
                shelf,
                &History {
                    seed: 8,
                    ..History::of(1100)
                },
            );
        },
        "checkpoint",
    ),
    (
        "a checkpoint of another log",
        |shelf| {
            forge(
                shelf,
                &History {
                    log: "issuer/2010",
                    ..History::of(1100)
                },
            );
        },
        "another-log",
    ),
    (
        "the log as it was once",
        |shelf| forge(shelf, &History::of(200)),
        "set-back",
    ),
    (
        "another log of the same size",
        |shelf| {
            forge(
                shelf,
                &History {
                    fork: 20,
                    ..History::of(300)
                },
            );
        },
        "forked",
    ),
    (
        "entries without their tiles",
        |shelf| {
            shelf.hashes = false;
            shelf.edit("tile/entries/003", |b| flip(b, 700));
        },
        "entries",
    ),
];

#[test]
fn every_lie_is_refused_by_its_name_and_changes_nothing() {
    let disk = FaultyDisk::new();
    pull(&disk, &mut Shelf::of(&History::of(300))).unwrap();
    let before = kept(&disk);
    let honest = Shelf::of(&History::of(1100));
    for (what, lie, name) in LIES {
        let mut shelf = Shelf::of(&History::of(1100));
        lie(&mut shelf);
        let error = pull(&disk, &mut shelf).unwrap_err();
        let refusal = error
            .refusal()
            .unwrap_or_else(|| panic!("{what}: {error:?}"));
        assert_eq!(refusal.name(), name, "{what}: {error}");
        assert!(
            error.to_string().starts_with("issuer/20"),
            "{what}: {error}"
        );
        assert_eq!(kept(&disk), before, "{what}");
    }
    pull(&disk, &mut honest.clone()).unwrap();
    holds(&disk, &History::of(1100));
}

#[test]
fn a_log_rewritten_with_its_own_key_is_refused_and_the_proof_of_it_is_laid_aside() {
    for fork in [20, 299] {
        for hashes in [true, false] {
            let disk = FaultyDisk::new();
            pull(&disk, &mut Shelf::of(&History::of(300))).unwrap();
            let before = kept(&disk);
            let rewritten = History {
                fork,
                ..History::of(1100)
            };
            let mut shelf = Shelf::of(&rewritten);
            shelf.hashes = hashes;
            let error = pull(&disk, &mut shelf).unwrap_err();
            let Some(Refusal::Forked {
                had: 300,
                has: 1100,
                evidence,
            }) = error.refusal()
            else {
                panic!("{error}");
            };
            let laid = disk.read(evidence.as_ref().unwrap()).unwrap();
            let laid = String::from_utf8(laid).unwrap();
            let (head, _) = Checkpoint::open(&laid, &rewritten.key()).unwrap();
            assert_eq!(head, rewritten.head());
            assert_eq!(kept(&disk), before);
        }
    }
}

#[test]
fn a_proof_that_reaches_nothing_accuses_nobody() {
    let honest = History::of(1100);
    for kept_size in [300, 256, 512] {
        let disk = FaultyDisk::new();
        pull(&disk, &mut Shelf::of(&History::of(kept_size))).unwrap();
        let published = Shelf::of(&honest);
        let head = honest.head();
        let own = published.clone().consistency("issuer/2011", 300, &head);
        let own = own.unwrap();
        let mut changed = own.clone();
        changed[0][5] ^= 1;
        // Entries of its own making beside the log's checkpoint.
        let liar = Shelf::of(&honest).bare();
        liar.edit("tile/entries/003", |b| flip(b, 700));
        for junk in [vec![], vec![[7; 32]; 9], changed, own[1..].to_vec()] {
            let mut shelf = liar.clone();
            shelf.junk = Some(junk);
            let error = pull(&disk, &mut shelf).unwrap_err();
            let refusal = error.refusal().map(Refusal::name);
            assert_eq!(refusal, Some("entries"), "{error}");
        }
        pull(&disk, &mut published.clone()).unwrap();
        holds(&disk, &honest);
    }
}

#[test]
fn a_log_that_was_kept_at_a_perfect_size_and_rewritten_is_accused_too() {
    for (kept_size, fork) in [(256, 20), (256, 255), (512, 511), (2, 1)] {
        let disk = FaultyDisk::new();
        pull(&disk, &mut Shelf::of(&History::of(kept_size))).unwrap();
        let rewritten = History {
            fork,
            ..History::of(1100)
        };
        let error = pull(&disk, &mut Shelf::of(&rewritten).bare()).unwrap_err();
        assert_eq!(
            error.refusal().map(Refusal::name),
            Some("forked"),
            "{error}"
        );
    }
}

#[test]
fn nothing_is_kept_of_a_lie_on_the_first_visit() {
    for (what, lie, _) in LIES.into_iter().filter(|(what, ..)| {
        // Nobody knows better then.
        !matches!(
            *what,
            "the log as it was once" | "a checkpoint that another key signed"
        )
    }) {
        let mut shelf = Shelf::of(&History::of(1100));
        lie(&mut shelf);
        let disk = FaultyDisk::new();
        let error = pull(&disk, &mut shelf).unwrap_err();
        assert!(error.refusal().is_some(), "{what}: {error}");
        assert!(mirror(&disk).logs().unwrap().is_empty(), "{what}");
        pull(&disk, &mut Shelf::of(&History::of(1100))).unwrap();
        holds(&disk, &History::of(1100));
    }
}

#[test]
fn what_a_liar_had_put_aside_does_not_speak_against_an_honest_source() {
    let new = History::of(9000);
    let mut liar = Shelf::of(&new).bare();
    liar.edit("tile/entries/003", |bytes| flip(bytes, 700));
    liar.fails_at = Some(25);
    let disk = FaultyDisk::new();
    assert!(pull(&disk, &mut liar).is_err());
    assert!(bundles(&disk).len() >= 16);
    for hashes in [false, true] {
        let mut honest = Shelf::of(&new);
        honest.hashes = hashes;
        pull(&disk, &mut honest).unwrap();
        holds(&disk, &new);
    }
}

#[test]
fn a_copy_that_lost_a_file_is_made_whole_again() {
    let disk = FaultyDisk::new();
    let (old, new) = (History::of(1100), History::of(1200));
    pull(&disk, &mut Shelf::of(&old)).unwrap();
    for lost in [
        "tile/0/001",
        "tile/entries/001",
        "tile/1/000.p/4",
        "tile/entries/004.p/76",
    ] {
        let path = Path::new(DIR).join("issuer/2011").join(lost);
        disk.remove(&path).unwrap();
        pull(&disk, &mut Shelf::of(&old)).unwrap();
        holds(&disk, &old);
    }
    disk.remove(&Path::new(DIR).join("issuer/2011/tile/entries/000"))
        .unwrap();
    pull(&disk, &mut Shelf::of(&new)).unwrap();
    holds(&disk, &new);
}
