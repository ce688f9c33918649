//! Whose signature counts.

use lgpki_ledger::{SignedNote, WitnessKey, note::NoteSignature};

use super::*;

fn with(disk: &FaultyDisk, keys: Vec<VerifierKey>) -> Mirror {
    Mirror::open(Arc::new(disk.clone()), Path::new(DIR), keys).unwrap()
}

fn history(log: &'static str, seed: u8) -> History {
    History {
        log,
        seed,
        ..History::of(30)
    }
}

/// Pulls `log`, which is called `offered`; the trust in its key, or the name of the refusal.
fn trust(mirror: &Mirror, history: &History, offered: &str) -> Result<Trust, &'static str> {
    let mut shelf = Shelf::of(history);
    match mirror.pull(&mut shelf, offered, &mut |_| {}) {
        Ok(pulled) => Ok(pulled.unwrap().trust),
        Err(error) => Err(error.refusal().map_or("failed", Refusal::name)),
    }
}

#[test]
fn a_key_is_believed_on_first_use_and_then_held_on_to_for_all_logs_of_its_service() {
    let disk = FaultyDisk::new();
    let mirror = with(&disk, Vec::new());
    let first = history("issuer/2011", 7);
    assert_eq!(trust(&mirror, &first, "issuer/2011"), Ok(Trust::FirstUse));
    for log in ["issuer/2011", "issuer/2012", "issuer/keys"] {
        assert_eq!(
            trust(&mirror, &history(log, 7), log),
            Ok(Trust::Kept),
            "{log}"
        );
    }
    assert_eq!(
        trust(&mirror, &history("issuer/2013", 8), "issuer/2013"),
        Err("checkpoint")
    );
    assert_eq!(
        trust(&mirror, &history("intake/2011", 8), "intake/2011"),
        Ok(Trust::FirstUse)
    );
    let other = with(&FaultyDisk::new(), Vec::new()).only(vec![Service::Intake]);
    let unwanted = other.pull(&mut Shelf::of(&first), "issuer/2011", &mut |_| {});
    assert!(unwanted.unwrap().is_none() && other.logs().unwrap().is_empty());
    let logs = mirror.logs().unwrap();
    let logs: Vec<_> = logs
        .iter()
        .map(|(service, log)| format!("{}/{log}", service.name()))
        .collect();
    assert_eq!(
        logs,
        ["issuer/2011", "issuer/2012", "issuer/keys", "intake/2011"]
    );
}

#[test]
fn only_the_keys_that_are_given_count() {
    let disk = FaultyDisk::new();
    let service = |name: &str, seed: u8| {
        VerifierKey::new(
            format!("lgpki.example/audit/{name}").parse().unwrap(),
            log_signer(seed).public_key(),
        )
    };
    let mirror = with(&disk, vec![service("issuer", 7)]);
    assert_eq!(
        trust(&mirror, &history("issuer/2011", 7), "issuer/2011"),
        Ok(Trust::Given)
    );
    assert_eq!(
        trust(&mirror, &history("issuer/2012", 8), "issuer/2012"),
        Err("checkpoint")
    );
    assert_eq!(
        trust(&mirror, &history("intake/2011", 7), "intake/2011"),
        Err("unknown-key")
    );
    drop(mirror);
    // What was kept under another key is no log of this one.
    let mirror = with(&disk, vec![service("issuer", 8)]);
    assert_eq!(
        trust(&mirror, &history("issuer/2011", 8), "issuer/2011"),
        Err("failed")
    );
    drop(mirror);
    assert_eq!(
        trust(
            &with(&disk, Vec::new()),
            &history("issuer/2011", 7),
            "issuer/2011"
        ),
        Ok(Trust::Kept)
    );
}

/// A log that is offered as another: its checkpoint and key alone, for it must be refused for its name.
fn offer(history: &History, offered: &str) -> Shelf {
    let shelf = Shelf::of(history);
    for file in ["checkpoint", "vkey"] {
        let from = Path::new("/").join(history.log).join(file);
        let to = Path::new("/").join(offered).join(file);
        let published = shelf.disk.read(&from).unwrap();
        shelf.disk.create_dir(to.parent().unwrap()).unwrap();
        shelf.disk.create(&to).unwrap();
        shelf.disk.edit(&to, |bytes| *bytes = published).unwrap();
    }
    shelf
}

#[test]
fn a_key_of_one_service_is_none_of_a_log_of_another_that_lies_below_its_name() {
    let lie = history("intake/issuer/2011", 1);
    let intake = VerifierKey::new(
        "lgpki.example/audit/intake".parse().unwrap(),
        log_signer(1).public_key(),
    );
    let refused = |mirror: &Mirror, name: &str| {
        let pulled = mirror.pull(&mut offer(&lie, "issuer/2011"), "issuer/2011", &mut |_| {});
        let error = pulled.unwrap_err();
        assert_eq!(error.refusal().map(Refusal::name), Some(name), "{error}");
        assert!(mirror.list(Service::Issuer).unwrap().is_empty());
    };
    refused(&with(&FaultyDisk::new(), vec![intake]), "unknown-key");
    // Without keys, what another service's logs are called tells.
    let mirror = with(&FaultyDisk::new(), Vec::new());
    assert_eq!(
        trust(&mirror, &history("intake/2011", 1), "intake/2011"),
        Ok(Trust::FirstUse)
    );
    refused(&mirror, "another-log");
}

#[test]
fn a_log_is_the_one_that_was_asked_for_and_has_a_name_that_logs_have() {
    let mirror = with(&FaultyDisk::new(), Vec::new());
    for (log, name) in [
        ("issuer/2011x", "another-log"),
        ("issuer/..", "another-log"),
        ("nobody/2011", "another-log"),
        ("issuer/201", "another-log"),
    ] {
        assert_eq!(trust(&mirror, &history(log, 7), log), Err(name), "{log}");
    }
    let mut shelf = Shelf::of(&history("issuer/2011", 7));
    let published = shelf.checkpoint("issuer/2011").unwrap();
    shelf.disk.create(Path::new("/2011/checkpoint")).unwrap();
    shelf
        .disk
        .edit(Path::new("/2011/checkpoint"), |bytes| {
            *bytes = published.into_bytes();
        })
        .unwrap();
    // Under its bare name too, as a service offers its own logs.
    let refused = mirror.pull(&mut shelf, "2011", &mut |_| {}).unwrap_err();
    assert!(
        matches!(refused, PullError::Source(_)),
        "only its checkpoint is there: {refused}"
    );
}

#[test]
fn cosignatures_of_the_kept_tree_are_added_and_never_lost() {
    let disk = FaultyDisk::new();
    let bare = Shelf::of(&History::of(300));
    pull(&disk, &mut bare.clone()).unwrap();
    let cosigned = Shelf::of(&History::of(300));
    let mut witnessed = String::new();
    cosigned.edit("checkpoint", |bytes| {
        let mut note = SignedNote::parse(std::str::from_utf8(bytes).unwrap()).unwrap();
        let witness = VerifierKey::new("witness.example/w1".parse().unwrap(), [3; 32]);
        note.add(witness.signature(&[9; 64])).unwrap();
        witnessed = note.to_string();
        *bytes = witnessed.clone().into_bytes();
    });
    let pulled = pull(&disk, &mut cosigned.clone()).unwrap();
    assert_eq!((pulled.before, pulled.head.size), (300, 300));
    let path = Path::new(DIR).join("issuer/2011/checkpoint");
    assert_eq!(disk.read(&path).unwrap(), witnessed.as_bytes());
    holds(&disk, &History::of(300));
    // Whoever has them not takes nothing away.
    let mut again = bare.clone();
    assert_eq!(pull(&disk, &mut again).unwrap().fetched, 0);
    assert_eq!(again.asked, ["issuer/2011/checkpoint"]);
    assert_eq!(disk.read(&path).unwrap(), witnessed.as_bytes());
}

/// The history's checkpoint with more lines, as some source has it.
fn with_lines(lines: &[NoteSignature]) -> Shelf {
    let shelf = Shelf::of(&History::of(300));
    shelf.edit("checkpoint", |bytes| {
        let mut note = SignedNote::parse(std::str::from_utf8(bytes).unwrap()).unwrap();
        for line in lines {
            note.add(line.clone()).unwrap();
        }
        *bytes = note.to_string().into_bytes();
    });
    shelf
}

fn witness(name: &str) -> WitnessKey {
    WitnessKey::new(name.parse().unwrap(), log_signer(40).public_key())
}

/// The lines kept beside the log's.
fn lines(disk: &FaultyDisk) -> Vec<NoteSignature> {
    let path = Path::new(DIR).join("issuer/2011/checkpoint");
    let text = String::from_utf8(disk.read(&path).unwrap()).unwrap();
    let note = SignedNote::parse(&text).unwrap();
    let all = note.signatures().iter().cloned();
    all.filter(|line| !History::of(300).key().is_named_by(line))
        .collect()
}

fn junk(of: &WitnessKey, byte: u8) -> NoteSignature {
    NoteSignature::try_new(of.name().clone(), of.id(), vec![byte; 72]).unwrap()
}

fn strangers() -> Vec<NoteSignature> {
    let all = (0..98).map(|i| junk(&witness(&format!("stranger.example/{i}")), 7));
    all.collect()
}

#[test]
fn lines_that_nobody_can_judge_replace_none_and_leave_room() {
    let text = History::of(300).head().text();
    let w1 = witness("witness.example/w1");
    let good = w1.cosign(&text, 1_300_000_000, &log_signer(40));
    let disk = FaultyDisk::new();
    pull(&disk, &mut with_lines(std::slice::from_ref(&good))).unwrap();
    pull(&disk, &mut with_lines(&[junk(&w1, 9)])).unwrap();
    assert_eq!(lines(&disk), std::slice::from_ref(&good));
    pull(&disk, &mut with_lines(&strangers())).unwrap();
    let kept = lines(&disk);
    assert!(kept.contains(&good) && kept.len() <= 16, "{}", kept.len());
    // The log goes on, and so does the copy.
    pull(&disk, &mut with_lines(&[junk(&witness("late.example"), 1)])).unwrap();
    let fresh = FaultyDisk::new();
    pull(&fresh, &mut with_lines(&strangers())).unwrap();
    assert_eq!(lines(&fresh).len(), 16);
    pull(&fresh, &mut Shelf::of(&History::of(400))).unwrap();
    holds(&fresh, &History::of(400));
}

#[test]
fn where_witnesses_are_known_only_what_they_made_is_kept() {
    let text = History::of(300).head().text();
    let w1 = witness("witness.example/w1");
    let good = w1.cosign(&text, 1_300_000_000, &log_signer(40));
    let other = w1.cosign("another text\n", 1_300_000_000, &log_signer(40));
    let disk = FaultyDisk::new();
    // What was kept while nobody was known goes.
    pull(
        &disk,
        &mut with_lines(&[junk(&w1, 9), strangers()[3].clone()]),
    )
    .unwrap();
    assert_eq!(lines(&disk).len(), 2);
    let known = |shelf: &mut Shelf| {
        let mirror = mirror(&disk).witnessed_by(vec![w1.clone()]);
        mirror.pull(shelf, "issuer/2011", &mut |_| {}).unwrap();
    };
    known(&mut Shelf::of(&History::of(300)));
    assert_eq!(lines(&disk), []);
    let mut all = strangers();
    all.truncate(97);
    all.push(good.clone());
    known(&mut with_lines(&all));
    assert_eq!(lines(&disk), std::slice::from_ref(&good));
    for line in [junk(&w1, 9), other] {
        known(&mut with_lines(&[line]));
        assert_eq!(lines(&disk), std::slice::from_ref(&good));
    }
    let later = w1.cosign(&text, 1_300_000_060, &log_signer(40));
    known(&mut with_lines(std::slice::from_ref(&later)));
    assert_eq!(lines(&disk), [later]);
}
