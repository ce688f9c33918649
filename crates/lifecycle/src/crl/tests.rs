//! Lists that are sealed, and one that is not.

use lgpki_domain::{CrlNumber, CrlScope, RevocationReason};
use lgpki_x509::{crl::usual_length, key::sha256};

use super::*;
use crate::{
    ports::{Issuer as _, Listed},
    testing::{FakeIssuer, at, lists::to_sign, serial},
};

fn composing(info: &IssuerInfo) -> Composing {
    let this_update = at("2008-02-05T09:15:00");
    let header = CrlHeader {
        scope: CrlScope::User,
        base: None,
        number: CrlNumber(1),
        this_update,
        next_update: this_update.plus_seconds(172_800),
    };
    let series = info.series(CrlScope::User);
    Composing::begin(ca_key(info).unwrap(), series, header, usual_length(2)).unwrap()
}

fn listed(n: u32) -> Listed {
    Listed {
        serial: serial(n),
        at: at("2008-02-05T09:00:00"),
        reason: RevocationReason::Superseded,
        not_after: at("2011-02-03T23:59:59"),
    }
}

fn composed(info: &IssuerInfo) -> Composed {
    let mut composing = composing(info);
    composing.append(&[listed(1)], |_| ()).unwrap();
    composing.append(&[listed(2)], |_| ()).unwrap();
    composing.finish(|_| ()).unwrap().0
}

async fn signature(issuer: &FakeIssuer, list: &Composed) -> Vec<u8> {
    let to_sign = to_sign(list.series, list.number.0, &list.list.tbs(), 100);
    issuer.sign_crl(to_sign).await.unwrap()
}

#[test]
fn what_comes_out_in_pieces_is_the_list() {
    let info = tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(FakeIssuer::new().issuers())
        .unwrap()
        .remove(0);
    let mut composing = composing(&info);
    let (to_sign, _) = composing.to_sign(1);
    let (mut pieces, mut met) = (Vec::new(), Vec::new());
    for n in [1, 2] {
        let piece = composing.append(&[listed(n)], |serial| met.push(serial));
        pieces.extend(piece.unwrap());
    }
    let (composed, rest) = composing.finish(|serial| met.push(serial)).unwrap();
    pieces.extend(rest);
    assert_eq!(composed.list.tbs(), pieces);
    assert_eq!(composed.digest, sha256(&pieces));
    assert_eq!(to_sign.length, pieces.len());
    assert_eq!(met, [serial(1), serial(2)]);
}

#[tokio::test]
async fn a_list_signed_by_another_key_is_held_back() {
    let issuer = FakeIssuer::new();
    let infos = issuer.issuers().await.unwrap();
    let (ours, others) = (composed(&infos[0]), composed(&infos[1]));
    let foreign = signature(&issuer, &others).await;
    let held_back = composed(&infos[0]).seal(&foreign).unwrap_err();
    assert!(held_back.to_string().contains("is not the CA's"));
    let said = ours.contents().summary();
    let right = signature(&issuer, &ours).await;
    let list = ours.seal(&right).unwrap();
    assert_eq!(list.summary(), said);
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
    let place = ours.list.tbs().as_ptr();
    let right = signature(&issuer, &ours).await;
    let list = ours.seal(&right).unwrap();
    let within = list.der().as_ptr_range();
    assert!(within.contains(&place), "it was copied");
}
