//! Lists that are sealed, and one that is not.

use lgpki_domain::{CrlNumber, CrlScope, RevocationReason};

use super::*;
use crate::{
    ports::{Issuer as _, Listed},
    testing::{FakeIssuer, at, serial},
};

fn composed(info: &IssuerInfo) -> Composed {
    let this_update = at("2008-02-05T09:15:00");
    let header = CrlHeader {
        scope: CrlScope::User,
        base: None,
        number: CrlNumber(1),
        this_update,
        next_update: this_update.plus_seconds(172_800),
    };
    let listed = |n| Listed {
        serial: serial(n),
        at: at("2008-02-05T09:00:00"),
        reason: RevocationReason::Superseded,
        not_after: at("2011-02-03T23:59:59"),
    };
    let series = info.series(CrlScope::User);
    let mut composing = Composing::begin(ca_key(info).unwrap(), series, &header, 2).unwrap();
    composing.append(&[listed(1)]).unwrap();
    composing.append(&[listed(2)]).unwrap();
    composing.finish().unwrap()
}

#[tokio::test]
async fn a_list_signed_by_another_key_is_held_back() {
    let issuer = FakeIssuer::new();
    let infos = issuer.issuers().await.unwrap();
    let (ours, others) = (composed(&infos[0]), composed(&infos[1]));
    let signature = issuer.sign_crl(others.to_sign()).await.unwrap();
    let held_back = composed(&infos[0]).seal(&signature).unwrap_err();
    assert!(held_back.to_string().contains("is not the CA's"));
    let said = ours.contents().summary();
    let signature = issuer.sign_crl(ours.to_sign()).await.unwrap();
    let (list, digest) = ours.seal(&signature).unwrap();
    assert_eq!(list.summary(), said);
    assert_eq!(digest, sha256(list.der()));
    let read = RevocationList::parse(list.der()).unwrap();
    assert!(list.entries().flatten().eq(read.entries().flatten()));
    let user = CrlList::complete(infos[0].series(CrlScope::User));
    let ca = CrlList::complete(infos[0].series(CrlScope::CaCertificates));
    let key = ca_key(&infos[0]).unwrap();
    let other = ca_key(&infos[1]).unwrap();
    assert!(is_genuine(&key, user, &list));
    assert!(!is_genuine(&key, ca, &list));
    assert!(!is_genuine(&key, CrlList::delta(user.series), &list));
    assert!(!is_genuine(&other, user, &list));
}

#[tokio::test]
async fn a_list_is_sealed_in_its_own_buffer() {
    let issuer = FakeIssuer::new();
    let infos = issuer.issuers().await.unwrap();
    let ours = composed(&infos[0]);
    let place = ours.to_sign().tbs.as_ptr();
    let signature = issuer.sign_crl(ours.to_sign()).await.unwrap();
    let (list, _) = ours.seal(&signature).unwrap();
    let within = list.der().as_ptr_range();
    assert!(within.contains(&place), "it was copied");
}
