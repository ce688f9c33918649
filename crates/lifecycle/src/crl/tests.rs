//! Lists that are held back, and lists that are not.

use lgpki_domain::{CrlNumber, CrlScope, RevocationReason};

use super::*;
use crate::{
    ports::{Issuer as _, Listed},
    testing::{FakeIssuer, at, serial},
};

fn snapshot(serials: &[u32]) -> Snapshot {
    let listed = |n: &u32| Listed {
        serial: serial(*n),
        at: at("2008-02-05T09:00:00"),
        reason: RevocationReason::Superseded,
        not_after: at("2011-02-03T23:59:59"),
    };
    Snapshot {
        reflects: 0,
        entries: serials.iter().map(listed).collect(),
    }
}

fn header(number: u64) -> CrlHeader {
    let this_update = at("2008-02-05T09:15:00").plus_seconds(i64::try_from(number).unwrap());
    CrlHeader {
        scope: CrlScope::User,
        base: None,
        number: CrlNumber(number),
        this_update,
        next_update: this_update.plus_seconds(172_800),
    }
}

async fn published(issuer: &FakeIssuer, number: u64, serials: &[u32]) -> RevocationList {
    let infos = issuer.issuers().await.unwrap();
    let composed = compose(
        ca_key(&infos[0]).unwrap(),
        infos[0].series(CrlScope::User),
        header(number),
        &snapshot(serials),
    )
    .unwrap();
    let signature = issuer.sign_crl(composed.to_sign.clone()).await.unwrap();
    seal(&composed, &signature).unwrap()
}

#[tokio::test]
async fn a_list_signed_by_another_key_is_held_back() {
    let issuer = FakeIssuer::new();
    let infos = issuer.issuers().await.unwrap();
    let composed = compose(
        ca_key(&infos[0]).unwrap(),
        infos[0].series(CrlScope::User),
        header(1),
        &snapshot(&[1, 2]),
    )
    .unwrap();
    let for_another = compose(
        ca_key(&infos[1]).unwrap(),
        infos[1].series(CrlScope::User),
        header(1),
        &snapshot(&[1, 2]),
    )
    .unwrap();
    let signature = issuer.sign_crl(for_another.to_sign).await.unwrap();
    let held_back = seal(&composed, &signature).unwrap_err();
    assert!(
        held_back.to_string().contains("is not the CA's"),
        "{held_back}"
    );
    assert!(seal(&composed, b"").is_err());
}

#[tokio::test]
async fn what_is_gone_from_a_list_is_found() {
    let issuer = FakeIssuer::new();
    let mut number = 0;
    for (previous, next, missing) in [
        (vec![], vec![1], vec![]),
        (vec![1, 2, 3], vec![1, 2, 3, 4], vec![]),
        (vec![1, 2, 3], vec![0, 2, 9], vec![1, 3]),
        (vec![1, 2, 3], vec![], vec![1, 2, 3]),
        (vec![5], vec![1, 2, 3, 4], vec![5]),
    ] {
        let previous = published(&issuer, number + 1, &previous).await;
        let next = published(&issuer, number + 2, &next).await;
        number += 2;
        let missing: Vec<_> = missing.into_iter().map(serial).collect();
        assert_eq!(gone(&previous, &next), missing);
    }
}

#[test]
fn only_what_had_expired_before_the_last_crl_may_go() {
    let previous_update = at("2011-02-04T09:15:00");
    let may = |expiry: Option<&str>| may_go(&[serial(1)], &[expiry.map(at)], previous_update);
    assert!(may(Some("2011-02-03T23:59:59")).is_ok());
    for expiry in [
        Some("2011-02-04T23:59:59"),
        Some("2011-02-04T09:15:00"),
        None,
    ] {
        assert!(
            may(expiry).unwrap_err().contains("has not stood"),
            "{expiry:?}"
        );
    }
    assert!(may_go(&[], &[], previous_update).is_ok());
}
