//! The rules of witnessing, the form of what is sent, and policies.

use proptest::prelude::*;

use super::*;
use crate::{
    LogSigner, NoteSigner as _, SignedNote, WitnessKey,
    merkle::leaf,
    proof::{self, HashReader, consistency},
};

const ORIGIN: &str = "lgpki.example/audit/issuer/2026";

fn signer(seed: u8) -> LogSigner {
    let mut der = vec![
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    der.extend_from_slice(&[seed; 32]);
    LogSigner::from_pkcs8(&der).unwrap()
}

/// A log whose entries are numbers; from `forked` on they are others.
struct Log {
    forked: u64,
}

impl HashReader for Log {
    fn hash(&self, level: u8, index: u64) -> Result<Hash, TreeError> {
        let mut range = CompactRange::new();
        for entry in index << level..(index + 1) << level {
            let other = if entry >= self.forked { "x" } else { "" };
            range.push(leaf(format!("{entry}{other}").as_bytes()));
        }
        Ok(range.root())
    }
}

const HONEST: Log = Log { forked: u64::MAX };

impl Log {
    fn checkpoint(&self, size: u64) -> Checkpoint {
        Checkpoint {
            origin: ORIGIN.parse().unwrap(),
            size,
            root: proof::root(self, (0, size)).unwrap(),
        }
    }

    /// What an honest sender of this log sends.
    fn submission(&self, old: u64, size: u64) -> Submission {
        let proof = match old {
            0 => Vec::new(),
            old => consistency(self, old, size).unwrap(),
        };
        Submission {
            old,
            proof,
            note: self.checkpoint(size).signed(&signer(1)),
        }
    }

    fn seen(&self, size: u64) -> Seen {
        let root = self.checkpoint(size).root;
        Seen {
            size,
            root,
            time: 1,
        }
    }
}

fn verdict(submission: &Submission, seen: Option<Seen>) -> Result<(), (u16, &'static str)> {
    let checkpoint = Checkpoint::parse(submission.note.text()).unwrap();
    let judged = judge(&checkpoint, submission, seen.as_ref());
    judged.map_err(|refused| (refused.status(), refused.name()))
}

#[test]
fn a_log_that_grows_is_cosigned_from_its_first_tree_on() {
    assert_eq!(verdict(&HONEST.submission(0, 0), None), Ok(()));
    assert_eq!(verdict(&HONEST.submission(0, 7), None), Ok(()));
    for (old, size) in [(1, 1), (1, 2), (4, 7), (7, 7), (7, 300)] {
        let seen = Some(HONEST.seen(old));
        assert_eq!(
            verdict(&HONEST.submission(old, size), seen),
            Ok(()),
            "{old} {size}"
        );
    }
}

#[test]
fn whoever_begins_elsewhere_is_told_what_was_cosigned_last() {
    for old in [0, 3, 6] {
        let submission = HONEST.submission(old, 9);
        let checkpoint = Checkpoint::parse(submission.note.text()).unwrap();
        let refused = judge(&checkpoint, &submission, Some(&HONEST.seen(5))).unwrap_err();
        assert_eq!((refused.status(), refused.known()), (409, Some(5)));
        assert!(!refused.is_evidence());
    }
}

#[test]
fn rollbacks_and_forks_are_refused_by_name() {
    let seen = Some(HONEST.seen(9));
    assert_eq!(
        verdict(&HONEST.submission(5, 8), seen),
        Err((409, "rollback"))
    );
    let forked = Log { forked: 6 };
    // Another tree of the same size, whatever size the sender begins at.
    for old in [0, 5, 9] {
        assert_eq!(
            verdict(&forked.submission(old, 9), seen),
            Err((409, "fork"))
        );
    }
    // A later one that does not continue what was cosigned, with the proof that fits the fork.
    assert_eq!(verdict(&forked.submission(9, 12), seen), Err((422, "fork")));
    // The same proof is good for whoever saw the fork only.
    assert_eq!(
        verdict(&forked.submission(9, 12), Some(forked.seen(9))),
        Ok(())
    );
}

#[test]
fn whoever_shows_the_empty_tree_is_told_the_size_and_accuses_nobody() {
    let asking = HONEST.submission(0, 0);
    assert_eq!(
        verdict(&asking, Some(HONEST.seen(9))),
        Err((409, "elsewhere"))
    );
    let checkpoint = Checkpoint::parse(asking.note.text()).unwrap();
    let refused = judge(&checkpoint, &asking, Some(&HONEST.seen(9))).unwrap_err();
    assert_eq!(refused.known(), Some(9));
}

#[test]
fn an_honest_checkpoint_with_a_proof_of_something_else_accuses_nobody() {
    let seen = HONEST.seen(9);
    let honest = HONEST.submission(9, 12);
    let forked = Log { forked: 6 }.submission(9, 12);
    for proof in [vec![], vec![[0; 32]], forked.proof.clone()] {
        let sent = Submission {
            proof,
            ..honest.clone()
        };
        let checkpoint = Checkpoint::parse(sent.note.text()).unwrap();
        let refused = judge(&checkpoint, &sent, Some(&seen)).unwrap_err();
        assert_eq!((refused.status(), refused.name()), (422, "not-continued"));
        assert!(!refused.is_evidence() && !refused.to_string().contains("FORK"));
    }
    let checkpoint = Checkpoint::parse(forked.note.text()).unwrap();
    let refused = judge(&checkpoint, &forked, Some(&seen)).unwrap_err();
    assert!(refused.is_evidence() && refused.to_string().starts_with("FORK"));
}

#[test]
fn a_proof_that_begins_past_the_checkpoint_is_no_request() {
    let mut submission = HONEST.submission(5, 8);
    submission.old = 9;
    assert_eq!(
        verdict(&submission, Some(HONEST.seen(5))),
        Err((400, "backwards"))
    );
}

#[test]
fn only_what_a_known_log_signed_is_looked_at() {
    let submission = HONEST.submission(0, 3);
    let key = |name: &str, seed| VerifierKey::new(name.parse().unwrap(), signer(seed).public_key());
    let opened = |keys: &[VerifierKey]| open(&submission, keys).map(|(checkpoint, _)| checkpoint);
    let status = |keys: &[VerifierKey]| opened(keys).map_err(|e| e.status());
    let checkpoint = HONEST.checkpoint(3);
    // The log's own key, or the service's, which signs all its logs.
    for name in [ORIGIN, "lgpki.example/audit/issuer"] {
        assert_eq!(
            status(&[key("other", 2), key(name, 1)]),
            Ok(checkpoint.clone())
        );
        assert_eq!(status(&[key(name, 2)]), Err(403));
        // While a key is exchanged, either may have signed.
        assert_eq!(
            status(&[key(name, 2), key(name, 1)]),
            Ok(checkpoint.clone())
        );
    }
    for name in [
        "lgpki.example/audit",
        "lgpki.example/audit/iss",
        "lgpki.example/audit/issuer/2026/x",
        "lgpki.example/audit/issuer/2025",
    ] {
        assert_eq!(status(&[key(name, 1)]), Err(404), "{name}");
    }
    assert_eq!(status(&[]), Err(404));
}

#[test]
fn a_submission_is_written_as_the_specification_shows_it() {
    let text = "old 20852014\n\
                PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
                jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\
                5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
                /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\
                \n\
                example.com/behind-the-sofa\n\
                20852163\n\
                CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\
                \n\
                — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
                — example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n";
    let read: Submission = text.parse().unwrap();
    assert_eq!((read.old, read.proof.len()), (20_852_014, 4));
    assert_eq!(read.to_string(), text);
    for (from, to) in [
        ("old 20852014", "old 020852014"),
        ("old 20852014", "old +1"),
        ("old 20852014", "new 20852014"),
        ("old 20852014\n", ""),
        ("pkaw=", "pkax="),
        ("pkaw=", "pkaw"),
        ("pkaw=\n", "pkaw=\r\n"),
        ("\n\nexample", "\nexample"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert!(changed.parse::<Submission>().is_err(), "{from:?} → {to:?}");
    }
    let line = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n";
    let long = |n: usize| text.replacen(line, &line.repeat(n), 1);
    assert!(long(60).parse::<Submission>().is_ok());
    assert!(long(61).parse::<Submission>().is_err());
}

fn witness(name: &str, seed: u8) -> (WitnessKey, LogSigner) {
    let key = WitnessKey::new(name.parse().unwrap(), signer(seed).public_key());
    (key, signer(seed))
}

#[test]
fn of_an_answer_only_a_right_cosignature_of_the_witness_counts() {
    let (key, private) = witness("w.example", 5);
    let text = HONEST.checkpoint(3).text();
    let right = key.cosign(&text, 77, &private);
    let other = witness("v.example", 6);
    let foreign = other.0.cosign(&text, 77, &other.1);
    let read = |status, kind: Option<&str>, body: &str| {
        Reply::read(&key, &text, (status, kind, body.as_bytes()))
    };
    let cosigned = Reply::Cosigned {
        signature: right.clone(),
        time: 77,
    };
    assert_eq!(read(200, None, &format!("{foreign}\n{right}\n")), cosigned);
    let elsewhere = key.cosign("other\n", 77, &private);
    for body in [
        format!("{foreign}\n"),
        format!("{elsewhere}\n"),
        String::new(),
    ] {
        let refused = read(200, None, &body);
        assert!(
            matches!(refused, Reply::Refused { status: 200, .. }),
            "{refused:?}"
        );
    }
    assert_eq!(
        read(409, Some("text/x.tlog.size"), "17\n"),
        Reply::Knows(17)
    );
    assert_eq!(
        read(409, Some("text/x.tlog.size; charset=utf-8"), "0\n"),
        Reply::Knows(0)
    );
    for (kind, body) in [
        (Some("text/plain"), "17\n"),
        (None, "17\n"),
        (Some("text/x.tlog.size"), "017\n"),
        (Some("text/x.tlog.size"), "17"),
    ] {
        let refused = read(409, kind, body);
        assert!(
            matches!(refused, Reply::Refused { status: 409, .. }),
            "{refused:?}"
        );
    }
    let why = String::from("no such log");
    let refused = read(404, None, "no such\nlog\n");
    assert_eq!(refused, Reply::Refused { status: 404, why });
}

/// A note of the log with the cosignatures of these of the witnesses 10, 11, 12 and 13.
fn noted(by: &[u8]) -> SignedNote {
    let mut note = HONEST.checkpoint(3).signed(&signer(1));
    for seed in by {
        let (key, private) = witness(&format!("w{seed}.example"), *seed);
        let cosignature = key.cosign(&HONEST.checkpoint(3).text(), 5, &private);
        note.add(cosignature).unwrap();
    }
    note
}

#[test]
fn so_many_of_the_named_witnesses_must_have_cosigned() {
    let keys = || vec![witness("w10.example", 10).0, witness("w11.example", 11).0];
    let two = WitnessPolicy::of(keys(), 2).unwrap();
    let standing = two.judge(&noted(&[11, 12]));
    assert!(!standing.met);
    assert_eq!(standing.cosigned, [("w11.example".to_owned(), 5)]);
    assert_eq!(standing.without.len(), 1);
    assert_eq!(standing.without[0].name, "w10.example");
    assert!(two.judge(&noted(&[11, 10])).met);
    assert!(
        WitnessPolicy::of(keys(), 1)
            .unwrap()
            .judge(&noted(&[11]))
            .met
    );
    assert!(WitnessPolicy::of(keys(), 0).unwrap().judge(&noted(&[])).met);
    let few = WitnessPolicy::of(keys(), 3);
    assert_eq!(few, Err(PolicyError::TooFew { required: 3, of: 2 }));
    let mut twice = keys();
    twice.push(WitnessKey::new("w3".parse().unwrap(), *keys()[0].public()));
    assert!(matches!(
        WitnessPolicy::of(twice, 1),
        Err(PolicyError::Twice(_))
    ));
}

fn file(lines: &str) -> String {
    (10..14).fold(lines.to_owned(), |text, seed| {
        let key = witness(&format!("w{seed}.example"), seed).0.to_string();
        text.replace(&format!("KEY{seed}"), &key)
    })
}

#[test]
fn a_policy_file_may_have_groups_of_groups() {
    let text = file(
        "# two offices\n\nwitness a1 KEY10 http://w10.example/\n\twitness  a2\tKEY11\n\
         witness b1 KEY12\nwitness b2 KEY13\ngroup a all a1 a2\ngroup b any b1 b2\n\
         group both 2 a b\nquorum both\n",
    );
    let policy = WitnessPolicy::parse(&text).unwrap();
    assert_eq!(policy.witnesses().len(), 4);
    for (by, met) in [
        (&[10, 11, 12][..], true),
        (&[10, 11, 13], true),
        (&[10, 11], false),
        (&[10, 12, 13], false),
        (&[10, 11, 12, 13], true),
    ] {
        assert_eq!(policy.judge(&noted(by)).met, met, "{by:?}");
    }
    let none = WitnessPolicy::parse("quorum none\n").unwrap();
    assert!(none.judge(&noted(&[])).met);
}

#[test]
fn a_policy_that_says_something_else_is_refused_with_its_line() {
    for (text, line) in [
        ("witness a KEY10\nquorum b\n", 2),
        ("witness a KEY10\nwitness a KEY11\nquorum a\n", 2),
        ("witness a KEY10\nwitness b KEY10\nquorum a\n", 2),
        ("witness none KEY10\nquorum none\n", 1),
        ("witness a KEY10\ngroup g 2 a\nquorum g\n", 2),
        ("witness a KEY10\ngroup g 0 a\nquorum g\n", 2),
        ("witness a KEY10\ngroup g any\nquorum g\n", 2),
        ("witness a KEY10\ngroup g any a a\nquorum g\n", 2),
        (
            "witness a KEY10\ngroup g any a\ngroup h any a\nquorum g\n",
            3,
        ),
        ("witness a KEY10\ngroup g any a\nquorum a\n", 3),
        ("witness a KEY\nquorum a\n", 1),
        ("log KEY10\nquorum none\n", 1),
        ("quorum none more\n", 1),
    ] {
        let refused = WitnessPolicy::parse(&file(text)).unwrap_err();
        assert!(
            matches!(refused, PolicyError::Line { line: at, .. } if at == line),
            "{text}: {refused}"
        );
    }
    for text in ["", "witness a KEY10\n", "quorum none\nquorum none\n"] {
        assert_eq!(
            WitnessPolicy::parse(&file(text)),
            Err(PolicyError::Quorum),
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn two_trees_that_are_cosigned_one_after_the_other_are_one_log(
        old in 0..40_u64, more in 0..40_u64, forked in 0..80_u64, other in 0..80_u64,
    ) {
        let log = Log { forked };
        let seen = (old > 0).then(|| Log { forked: other }.seen(old));
        let judged = verdict(&log.submission(old, old + more), seen);
        let same = forked.min(old) == other.min(old);
        prop_assert_eq!(judged.is_ok(), same);
    }

    #[test]
    fn what_reads_as_a_submission_has_one_spelling(
        text in "old [0-9]{0,2}\n([A-Za-z0-9+/]{42}[A-Z]=\n){0,2}(\n|x)(x\n){1,2}\n— x AAAAAAA=\n"
    ) {
        if let Ok(read) = text.parse::<Submission>() {
            prop_assert_eq!(read.to_string(), text);
        }
    }
}
