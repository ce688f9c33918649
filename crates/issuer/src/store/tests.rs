//! The conformance suite of the issuer's store, run on every engine, and what only a log on disk can
//! show: restarts, a lost index, a log set back.

mod crl;
mod invariants;
mod restart;
mod support;

use lgpki_domain::Authority;
use lgpki_ledger::Recorded;

use super::*;
use support::{
    Wish, create, epoch, given_up, id, intend, intend_one, issue_one, issued, on_every_engine,
    open_one, reason, serial, stamp, wish,
};

#[tokio::test]
async fn an_application_has_one_certificate_however_often_it_is_ordered() {
    on_every_engine(async |store| {
        let epoch = epoch(&store).await;
        let certificate = issue_one(&store, epoch, wish(1)).await;
        for attempt in [1, 2] {
            // Another serial would be drawn and another key given; nothing of it counts.
            let again = Wish {
                attempt,
                draw: 9,
                key: 9,
                ..wish(1)
            };
            let outcome = intend_one(&store, epoch, again).await;
            assert_eq!(outcome, IntentOutcome::Issued(certificate.clone()));
        }
        let known = store.issuances(vec![id(1), id(2)]).await.unwrap();
        assert_eq!(known, [Issuance::Issued(certificate), Issuance::Unknown]);
    })
    .await;
}

#[tokio::test]
async fn another_content_under_the_same_number_is_refused_in_every_state() {
    on_every_engine(async |store| {
        let epoch = epoch(&store).await;
        let other = |n| Wish {
            content: 99,
            attempt: 2,
            ..wish(n)
        };
        open_one(&store, epoch, wish(1)).await;
        issue_one(&store, epoch, wish(2)).await;
        open_one(&store, epoch, wish(3)).await;
        store.end(epoch, vec![given_up(wish(3))]).await.unwrap();
        for n in [1, 2, 3] {
            match intend_one(&store, epoch, other(n)).await {
                IntentOutcome::Refused(faults) => {
                    assert_eq!(reason(&faults), "ISSUANCE_OTHER_CONTENT");
                }
                other => panic!("{n}: {other:?}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_is_certified_for_one_application_only() {
    on_every_engine(async |store| {
        let epoch = epoch(&store).await;
        create(&store, epoch, 50).await;
        let with_key = |n, key| Wish { key, ..wish(n) };
        // Two orders with one key in one batch; then one with a key whose attempt failed, one with
        // the key of a certificate, and one with the CA's own.
        let batch = vec![intend(with_key(1, 20)), intend(with_key(2, 20))];
        let outcomes = store.intend(epoch, batch).await.unwrap();
        assert!(matches!(outcomes[0], IntentOutcome::Intended { .. }));
        store.end(epoch, vec![given_up(wish(1))]).await.unwrap();
        issue_one(&store, epoch, with_key(3, 30)).await;
        let mut refused = vec![outcomes[1].clone()];
        for (n, key) in [(4, 20), (5, 30), (6, 50)] {
            refused.push(intend_one(&store, epoch, with_key(n, key)).await);
        }
        for outcome in refused {
            match outcome {
                IntentOutcome::Refused(f) => assert_eq!(reason(&f), "KEY_CERTIFIED_BEFORE"),
                other => panic!("{other:?}"),
            }
        }
        // The application whose attempt failed may use its own key again.
        let again = Wish {
            attempt: 2,
            draw: 21,
            ..with_key(1, 20)
        };
        issue_one(&store, epoch, again).await;
    })
    .await;
}

#[tokio::test]
async fn an_open_intent_is_in_progress_and_never_becomes_two() {
    on_every_engine(async |store| {
        let epoch = epoch(&store).await;
        let batch = vec![intend(wish(1)), intend(wish(1))];
        let outcomes = store.intend(epoch, batch).await.unwrap();
        assert!(matches!(outcomes[0], IntentOutcome::Intended { .. }));
        assert_eq!(outcomes[1], IntentOutcome::InProgress { attempt: 1 });
        let next = Wish {
            attempt: 2,
            ..wish(1)
        };
        let outcome = intend_one(&store, epoch, next).await;
        assert_eq!(outcome, IntentOutcome::InProgress { attempt: 1 });
        let known = store.issuances(vec![id(1)]).await.unwrap();
        assert_eq!(known, [Issuance::InProgress { attempt: 1 }]);
    })
    .await;
}

#[tokio::test]
async fn a_new_attempt_is_made_only_after_the_one_before_was_abandoned() {
    on_every_engine(async |store| {
        let epoch = epoch(&store).await;
        open_one(&store, epoch, wish(1)).await;
        store.end(epoch, vec![given_up(wish(1))]).await.unwrap();
        let outcome = intend_one(&store, epoch, wish(1)).await;
        assert_eq!(outcome, IntentOutcome::Abandoned { attempt: 1 });
        let known = store.issuances(vec![id(1)]).await.unwrap();
        assert_eq!(known, [Issuance::Abandoned { attempt: 1 }]);
        let second = Wish {
            attempt: 2,
            draw: 2,
            ..wish(1)
        };
        let certificate = issue_one(&store, epoch, second).await;
        assert_eq!(certificate.serial, serial(2));
    })
    .await;
}

#[tokio::test]
async fn only_the_open_intent_itself_can_be_ended() {
    on_every_engine(async |store| {
        let epoch = epoch(&store).await;
        let intent = open_one(&store, epoch, wish(1)).await;
        let other_serial = Wish { draw: 9, ..wish(1) };
        let other_attempt = Wish {
            attempt: 2,
            ..wish(1)
        };
        let wrong = vec![
            issued(other_serial, intent),
            issued(wish(1), intent + 1),
            issued(other_attempt, intent),
            given_up(other_attempt),
            given_up(wish(2)),
        ];
        let outcomes = store.end(epoch, wrong).await.unwrap();
        assert_eq!(outcomes, [EndingOutcome::NotOpen; 5]);
        let twice = vec![issued(wish(1), intent), issued(wish(1), intent)];
        let outcomes = store.end(epoch, twice).await.unwrap();
        assert!(matches!(outcomes[0], EndingOutcome::Recorded { .. }));
        assert_eq!(outcomes[1], EndingOutcome::NotOpen);
    })
    .await;
}

#[tokio::test]
async fn a_refused_proposal_is_refused_unless_the_certificate_exists() {
    on_every_engine(async |store| {
        let epoch = epoch(&store).await;
        let certificate = issue_one(&store, epoch, wish(1)).await;
        let faulty = |n| {
            let mut faults = Faults::new();
            faults.push("order.kind", "CA_EXPIRES_FIRST", "too late");
            Intend {
                proposal: Err(faults),
                ..intend(wish(n))
            }
        };
        let outcomes = store
            .intend(epoch, vec![faulty(1), faulty(2)])
            .await
            .unwrap();
        assert_eq!(outcomes[0], IntentOutcome::Issued(certificate));
        assert!(matches!(outcomes[1], IntentOutcome::Refused(_)));
        let known = store.issuances(vec![id(2)]).await.unwrap();
        assert_eq!(known, [Issuance::Unknown]);
    })
    .await;
}

#[tokio::test]
async fn an_entry_too_large_is_refused_and_its_neighbours_are_not() {
    on_every_engine(async |store| {
        let epoch = epoch(&store).await;
        let mut large = intend(wish(1));
        large.proposal.as_mut().unwrap().tbs = vec![0; 65_536];
        let batch = vec![large, intend(wish(2))];
        let outcomes = store.intend(epoch, batch).await.unwrap();
        match &outcomes[0] {
            IntentOutcome::Refused(f) => assert_eq!(reason(f), "ISSUANCE_TOO_LARGE"),
            other => panic!("{other:?}"),
        }
        assert!(matches!(outcomes[1], IntentOutcome::Intended { .. }));
    })
    .await;
}

#[tokio::test]
async fn a_newer_epoch_fences_the_older_one_and_closes_what_it_left_open() {
    on_every_engine(async |store| {
        let old = epoch(&store).await;
        let first = open_one(&store, old, wish(1)).await;
        issue_one(&store, old, wish(2)).await;
        open_one(&store, old, wish(3)).await;
        let opened = store.open_epoch(stamp()).await.unwrap();
        assert_eq!(opened.epoch, Epoch(old.0 + 1));
        assert_eq!(opened.abandoned, 2);
        let late = store.end(old, vec![issued(wish(1), first)]).await;
        assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
        let late = store.intend(old, vec![intend(wish(4))]).await;
        assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
        let known = store.issuances(vec![id(1), id(3), id(4)]).await.unwrap();
        assert_eq!(
            known,
            [
                Issuance::Abandoned { attempt: 1 },
                Issuance::Abandoned { attempt: 1 },
                Issuance::Unknown
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn an_authority_is_created_once_and_only_as_intended() {
    on_every_engine(async |store| {
        let epoch = epoch(&store).await;
        let record = create(&store, epoch, 5).await;
        assert_eq!(
            store.authorities().await.unwrap(),
            std::slice::from_ref(&record)
        );
        let again = IntendAuthority {
            authority: Authority::Organization,
            generation: 1,
            key_digest: record.key_digest,
            serial: serial(1),
            tbs: vec![1],
            stamp: stamp(),
        };
        let outcome = store.intend_authority(epoch, again).await.unwrap();
        assert_eq!(outcome, AuthorityOutcome::Exists);
        let unintended = NewAuthority {
            record: AuthorityRecord {
                authority: Authority::Application,
                ..record
            },
            serial: serial(1),
            stamp: stamp(),
        };
        let outcome = store.create_authority(epoch, unintended).await.unwrap();
        assert_eq!(outcome, AuthorityOutcome::NotOpen);
    })
    .await;
}

#[tokio::test]
async fn the_feed_shows_every_ending_once_in_order_and_can_be_resumed_anywhere() {
    on_every_engine(async |store| {
        let old = epoch(&store).await;
        create(&store, old, 60).await;
        for n in 1..=20 {
            issue_one(&store, old, wish(n)).await;
        }
        open_one(&store, old, wish(21)).await;
        let epoch = epoch(&store).await;
        issue_one(&store, epoch, wish(22)).await;
        let whole = store.feed(0, 1000).await.unwrap();
        let size = *store.durable().borrow();
        assert_eq!(whole.next, size);
        let indexes: Vec<_> = whole.events.iter().map(|e| e.index).collect();
        assert_eq!(indexes.len(), 22);
        assert!(indexes.is_sorted_by(|a, b| a < b));
        let abandoned = |e: &&Recorded<_>| matches!(e.event, IssuerEvent::Abandoned(_));
        assert_eq!(whole.events.iter().filter(abandoned).count(), 1);
        for (from, step) in [(0, 1), (0, 7), (13, 3), (size, 1)] {
            let mut seen = Vec::new();
            let mut next = from;
            while next < size {
                let page = store.feed(next, step).await.unwrap();
                assert!(page.next > next);
                seen.extend(page.events.iter().map(|e| e.index));
                next = page.next;
            }
            let expected: Vec<_> = indexes.iter().copied().filter(|i| *i >= from).collect();
            assert_eq!(seen, expected, "from {from} by {step}");
        }
        let beyond = store.feed(size + 1, 1).await;
        assert!(matches!(beyond, Err(StoreError::Beyond { .. })));
    })
    .await;
}
