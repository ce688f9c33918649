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
    compose(ca_key(info).unwrap(), series, header, &[1, 2].map(listed)).unwrap()
}

#[tokio::test]
async fn a_list_signed_by_another_key_is_held_back() {
    let issuer = FakeIssuer::new();
    let infos = issuer.issuers().await.unwrap();
    let (ours, others) = (composed(&infos[0]), composed(&infos[1]));
    let signature = issuer.sign_crl(others.to_sign).await.unwrap();
    let held_back = ours.seal(&signature).unwrap_err();
    assert!(held_back.to_string().contains("is not the CA's"));
    let signature = issuer.sign_crl(ours.to_sign.clone()).await.unwrap();
    let list = ours.seal(&signature).unwrap();
    assert_eq!(list.summary(), ours.draft().unwrap().summary());
    let user = CrlList::complete(infos[0].series(CrlScope::User));
    let ca = CrlList::complete(infos[0].series(CrlScope::CaCertificates));
    let key = ca_key(&infos[0]).unwrap();
    let other = ca_key(&infos[1]).unwrap();
    assert!(genuine(&key, user, list.der()).is_some());
    assert!(genuine(&key, ca, list.der()).is_none());
    let delta = CrlList::delta(user.series);
    assert!(genuine(&key, delta, list.der()).is_none());
    assert!(genuine(&other, user, list.der()).is_none());
    assert!(genuine(&key, user, &[0x30]).is_none());
}
