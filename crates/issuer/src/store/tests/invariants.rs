//! Random sequences of commands, and what must hold of the log after each sequence.

use std::collections::{HashMap, HashSet};

use lgpki_ledger::decode;
use proptest::prelude::*;

use super::{
    support::{Wish, epoch, given_up, intend, issued},
    *,
};

#[derive(Clone, Debug)]
enum Step {
    Intend {
        n: u8,
        key: u8,
        content: u8,
        attempt: u32,
    },
    Issue {
        n: u8,
    },
    GiveUp {
        n: u8,
    },
    OpenEpoch {
        forget: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..4u8, 0..4u8, 0..2u8, 1..4u32).prop_map(|(n, key, content, attempt)| {
            Step::Intend { n, key, content: content.saturating_sub(u8::from(key > 1)), attempt }
        }),
        4 => (0..4u8).prop_map(|n| Step::Issue { n }),
        2 => (0..4u8).prop_map(|n| Step::GiveUp { n }),
        1 => any::<bool>().prop_map(|forget| Step::OpenEpoch { forget }),
    ]
}

/// Plays the steps; a caller that `forget`s goes on with its old epoch.
async fn play(store: &LogStore, steps: &[Step]) {
    let mut current = epoch(store).await;
    let mut wishes: HashMap<u8, (Wish, u64)> = HashMap::new();
    for (draw, step) in (0..=63u8).zip(steps) {
        // A refusal, of the order or of an old epoch, is an answer like any other here.
        match *step {
            Step::Intend {
                n,
                key,
                content,
                attempt,
            } => {
                let wish = Wish {
                    n,
                    attempt,
                    content,
                    key,
                    draw,
                };
                if let Ok(outcomes) = store.intend(current, vec![intend(wish)]).await
                    && let IntentOutcome::Intended { index, .. } = outcomes[0]
                {
                    wishes.insert(n, (wish, index));
                }
            }
            Step::Issue { n } => {
                if let Some((wish, index)) = wishes.get(&n) {
                    let _ = store.end(current, vec![issued(*wish, *index)]).await;
                }
            }
            Step::GiveUp { n } => {
                if let Some((wish, _)) = wishes.get(&n) {
                    let _ = store.end(current, vec![given_up(*wish)]).await;
                }
            }
            Step::OpenEpoch { forget } => {
                let opened = epoch(store).await;
                if !forget {
                    current = opened;
                }
            }
        }
    }
    epoch(store).await;
}

/// What must hold of any issuer's log once its last epoch was opened.
fn check(log: &[IssuerEvent]) {
    let mut newest = 0;
    let mut open = HashMap::new();
    let mut serials = HashSet::new();
    let mut certified = HashSet::new();
    let mut keys = HashMap::new();
    let mut contents = HashMap::new();
    for (index, event) in log.iter().enumerate() {
        let index = index as u64;
        match event {
            IssuerEvent::EpochOpened(e) => {
                assert_eq!(e.epoch, newest + 1, "epochs rise by one");
                newest = e.epoch;
            }
            IssuerEvent::Intended(e) => {
                assert_eq!(e.epoch, newest, "only the newest epoch records");
                assert!(serials.insert(e.serial), "no serial number twice");
                assert!(!certified.contains(&e.application), "one certificate each");
                let owner = keys.entry(e.key_digest).or_insert(e.application);
                assert_eq!(*owner, e.application, "a key belongs to one application");
                let content = contents.entry(e.application).or_insert(e.content_digest);
                assert_eq!(*content, e.content_digest, "an application never changes");
                let other = open.insert(e.application, (index, e.serial));
                assert!(other.is_none(), "one open intent per application");
            }
            IssuerEvent::Issued(e) => {
                assert_eq!(e.epoch, newest, "only the newest epoch records");
                let intent = open.remove(&e.application);
                assert_eq!(intent, Some((e.intent, e.serial)), "an intent comes first");
                assert!(certified.insert(e.application), "one certificate each");
            }
            IssuerEvent::Abandoned(e) => {
                let intent = open.remove(&e.application);
                assert_eq!(intent, Some((e.intent, e.serial)), "an intent comes first");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(open.is_empty(), "every intent has an end");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_sequence_of_commands_breaks_the_log_s_invariants(
        steps in proptest::collection::vec(step(), 0..60)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = LogStore::open_memory(lgpki_testkit::log_identity("issuer-1")).unwrap();
            play(&store, &steps).await;
            let entries = store.engine.log().read(0, usize::MAX, usize::MAX).unwrap();
            let log: Vec<_> = entries
                .into_iter()
                .map(|(index, bytes)| decode::<IssuerEvent>(index, &bytes).unwrap().event)
                .collect();
            check(&log);
        });
    }
}
