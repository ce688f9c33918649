//! CRL numbers.

use lgpki_domain::{Authority, AuthorityKey, CrlNumber, CrlScope, Digest};

use super::{
    support::{NOW, create, epoch, on_every_engine, stamp},
    *,
};
use crate::{
    event::Cause,
    ports::{CrlOf, SignedCrl},
};

const COMPLETE: CrlOf = CrlOf {
    key: AuthorityKey::new(Authority::Organization, 1),
    scope: CrlScope::User,
    delta: false,
};

fn crl(number: u64, digest: u8) -> IntendCrl {
    IntendCrl {
        of: COMPLETE,
        base: None,
        number: CrlNumber(number),
        tbs_digest: Digest([digest; 32]),
        this_update: NOW,
        next_update: NOW.plus_seconds(172_800),
        entries: 3,
        stamp: stamp(),
    }
}

fn end(number: u64, digest: u8, result: Result<(Vec<u8>, &'static str), Cause>) -> EndCrl {
    EndCrl {
        of: COMPLETE,
        number: CrlNumber(number),
        tbs_digest: Digest([digest; 32]),
        result,
        stamp: stamp(),
    }
}

fn signature(byte: u8) -> (Vec<u8>, &'static str) {
    (vec![byte; 512], "1.2.840.113549.1.1.11")
}

async fn highest(store: &LogStore) -> u64 {
    store.authorities().await.unwrap()[0].crl_numbers[&CrlScope::User].0
}

#[tokio::test]
async fn numbers_rise_by_one_and_the_same_bytes_get_the_same_signature() {
    on_every_engine(async |store| {
        let epoch = epoch(&store).await;
        let none = store.intend_crl(epoch, crl(1, 1)).await.unwrap();
        assert_eq!(none, CrlOutcome::NoAuthority);
        create(&store, epoch, 1).await;
        for wrong in [0, 2, 9] {
            let outcome = store.intend_crl(epoch, crl(wrong, 1)).await.unwrap();
            assert_eq!(outcome, CrlOutcome::NotNext { next: CrlNumber(1) });
        }
        for number in 1..=3 {
            let byte = u8::try_from(number).unwrap();
            let intended = store.intend_crl(epoch, crl(number, byte)).await.unwrap();
            assert!(matches!(intended, CrlOutcome::Intended { .. }));
            let again = store.intend_crl(epoch, crl(number, byte)).await.unwrap();
            assert_eq!(again, CrlOutcome::InProgress);
            let index = store
                .end_crl(epoch, end(number, byte, Ok(signature(byte))))
                .await
                .unwrap()
                .unwrap();
            let signed = CrlOutcome::Signed(SignedCrl {
                signature: vec![byte; 512],
                algorithm: "1.2.840.113549.1.1.11".to_owned(),
                index,
            });
            let again = store.intend_crl(epoch, crl(number, byte)).await.unwrap();
            assert_eq!(again, signed);
            let other = store.intend_crl(epoch, crl(number, 99)).await.unwrap();
            let next = CrlNumber(number + 1);
            assert_eq!(other, CrlOutcome::NotNext { next });
            assert_eq!(highest(&store).await, number);
        }
        // Only the last is answered again; older numbers never come back.
        let old = store.intend_crl(epoch, crl(1, 1)).await.unwrap();
        assert_eq!(old, CrlOutcome::NotNext { next: CrlNumber(4) });
    })
    .await;
}

#[tokio::test]
async fn a_number_once_intended_is_used_whatever_becomes_of_it() {
    on_every_engine(async |store| {
        let first = epoch(&store).await;
        create(&store, first, 1).await;
        store.intend_crl(first, crl(1, 1)).await.unwrap();
        assert_eq!(highest(&store).await, 1);
        let failed = end(1, 1, Err(Cause::SigningFailed));
        assert!(store.end_crl(first, failed).await.unwrap().is_some());
        store.intend_crl(first, crl(2, 2)).await.unwrap();
        let opened = store.open_epoch(stamp()).await.unwrap();
        assert_eq!(opened.abandoned, 1);
        let second = opened.epoch;
        let late = store.end_crl(first, end(2, 2, Ok(signature(2)))).await;
        assert!(matches!(late, Err(StoreError::Fenced { .. })));
        let not_open = store
            .end_crl(second, end(2, 2, Ok(signature(2))))
            .await
            .unwrap();
        assert_eq!(not_open, None);
        let again = store.intend_crl(second, crl(2, 2)).await.unwrap();
        assert_eq!(again, CrlOutcome::NotNext { next: CrlNumber(3) });
        let next = store.intend_crl(second, crl(3, 3)).await.unwrap();
        assert!(matches!(next, CrlOutcome::Intended { .. }));
    })
    .await;
}

#[tokio::test]
async fn each_scope_counts_by_itself_and_a_delta_may_share_the_number_of_its_complete_crl() {
    on_every_engine(async |store| {
        let epoch = epoch(&store).await;
        create(&store, epoch, 1).await;
        let partition = CrlOf {
            scope: CrlScope::Partition(3),
            ..COMPLETE
        };
        let sign = async |of: CrlOf, number, byte, later| {
            let intent = IntendCrl {
                of,
                base: of.delta.then_some(CrlNumber(1)),
                this_update: NOW.plus_seconds(later),
                ..crl(number, byte)
            };
            let intended = store.intend_crl(epoch, intent).await.unwrap();
            if matches!(intended, CrlOutcome::Intended { .. }) {
                let end = EndCrl {
                    of,
                    ..end(number, byte, Ok(signature(byte)))
                };
                store.end_crl(epoch, end).await.unwrap().unwrap();
            }
            intended
        };
        let next = |n| CrlOutcome::NotNext { next: CrlNumber(n) };
        let signed = |outcome| matches!(outcome, CrlOutcome::Intended { .. });
        for of in [COMPLETE, partition] {
            let delta = CrlOf { delta: true, ..of };
            assert!(signed(sign(of, 1, 1, 0).await));
            // Under the complete CRL's number, once, and with its thisUpdate only.
            assert_eq!(sign(delta, 1, 9, 5).await, next(2));
            assert!(signed(sign(delta, 1, 2, 0).await));
            assert!(matches!(sign(delta, 1, 2, 0).await, CrlOutcome::Signed(_)));
            assert!(matches!(sign(of, 1, 1, 0).await, CrlOutcome::Signed(_)));
            assert_eq!(sign(delta, 1, 3, 0).await, next(2));
            // Alone, under the next number, which no complete CRL then bears.
            assert!(signed(sign(delta, 2, 4, 9).await));
            assert_eq!(sign(of, 2, 5, 9).await, next(3));
            assert!(signed(sign(of, 3, 6, 20).await));
        }
        let record = &store.authorities().await.unwrap()[0];
        let three = CrlNumber(3);
        let numbers = [(CrlScope::User, three), (partition.scope, three)];
        assert_eq!(record.crl_numbers, numbers.into());
    })
    .await;
}

#[tokio::test]
async fn a_number_that_was_intended_for_a_delta_serves_no_other_delta() {
    on_every_engine(async |store| {
        let first = epoch(&store).await;
        create(&store, first, 1).await;
        store.intend_crl(first, crl(1, 1)).await.unwrap();
        let ended = store.end_crl(first, end(1, 1, Ok(signature(1)))).await;
        ended.unwrap().unwrap();
        let delta = |byte| IntendCrl {
            of: CrlOf {
                delta: true,
                ..COMPLETE
            },
            base: Some(CrlNumber(1)),
            ..crl(1, byte)
        };
        store.intend_crl(first, delta(2)).await.unwrap();
        let opened = store.open_epoch(stamp()).await.unwrap();
        assert_eq!(opened.abandoned, 1);
        for byte in [2, 3] {
            let outcome = store.intend_crl(opened.epoch, delta(byte)).await.unwrap();
            assert_eq!(outcome, CrlOutcome::NotNext { next: CrlNumber(2) });
        }
    })
    .await;
}
