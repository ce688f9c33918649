//! Signing CRLs.

use lgpki_domain::{AuthorityKey, CrlNumber, CrlScope, Digest, RevocationReason, Serial};
use lgpki_x509::{
    crl::{self, CrlEntry, CrlHeader, RevocationList},
    signed,
};

use super::{super::crl::CrlAnnounced, support::noon, *};
use crate::{
    error::CrlRefused,
    ports::{CrlOf, SignedCrl},
};

fn tbs(fixture: &Fixture, number: u64, entries: u8) -> Vec<u8> {
    let ca = fixture.app.ca(Authority::Organization).unwrap();
    let header = CrlHeader {
        scope: CrlScope::User,
        base: None,
        number: CrlNumber(number),
        this_update: noon(),
        next_update: noon().plus_seconds(172_800),
    };
    let entries = (0..entries).map(|n| CrlEntry {
        serial: Serial::from_bytes(&[0x40 | n; 16]).unwrap(),
        revoked_at: noon(),
        reason: RevocationReason::Superseded,
    });
    crl::write(&ca.issuer, &header, entries).unwrap()
}

fn of(authority: Authority, generation: u32) -> CrlOf {
    CrlOf {
        key: AuthorityKey::new(authority, generation),
        scope: CrlScope::User,
        delta: false,
    }
}

/// What lifecycle sends.
#[derive(Clone)]
struct Sent {
    of: CrlOf,
    number: u64,
    tbs: Vec<u8>,
    tbs_digest: Digest,
}

fn crl_order(number: u64, tbs: Vec<u8>) -> Sent {
    Sent {
        of: of(Authority::Organization, 1),
        number,
        tbs_digest: sha256(&tbs),
        tbs,
    }
}

/// Asks for the first CRL of the Organization CA.
pub(super) async fn sign_first(fixture: &Fixture) -> Result<SignedCrl, IssuerError> {
    sign(fixture, crl_order(1, tbs(fixture, 1, 2))).await
}

async fn sign(fixture: &Fixture, sent: Sent) -> Result<SignedCrl, IssuerError> {
    let announced = CrlAnnounced {
        of: sent.of,
        base: None,
        number: CrlNumber(sent.number),
        length: sent.tbs.len() as u64,
    };
    let mut incoming = fixture.app.receive_crl(announced)?;
    for piece in sent.tbs.chunks(100) {
        incoming.take(piece)?;
    }
    let order = incoming.finish(sent.tbs_digest)?;
    fixture.app.sign_crl(order, "lifecycle".to_owned()).await
}

fn refusal(result: Result<SignedCrl, IssuerError>) -> CrlRefused {
    match result.unwrap_err() {
        IssuerError::Crl(refused) => refused,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_crl_is_signed_by_the_ca_and_asked_again_the_signature_is_the_same() {
    let fixture = Fixture::new().await;
    let begin = fixture.log_size();
    let bytes = tbs(&fixture, 1, 9);
    let signed = sign(&fixture, crl_order(1, bytes.clone())).await.unwrap();
    let ca = fixture.app.ca(Authority::Organization).unwrap();
    let algorithm = ca.issuer.signature_algorithm();
    assert_eq!(signed.algorithm, algorithm.oid());
    let der = signed::assemble(bytes.clone(), algorithm, &signed.signature);
    let list = RevocationList::parse(&der).unwrap();
    assert!(list.is_signed_by(ca.issuer.public_key()));
    assert_eq!(fixture.kinds(begin), ["crl.intent", "crl.signed"]);
    assert_eq!(signed.index, begin + 1);
    // ECDSA signatures differ each time they are made: the same one was answered.
    let again = sign(&fixture, crl_order(1, bytes)).await.unwrap();
    assert_eq!(again, signed);
    assert_eq!(fixture.log_size(), begin + 2);
}

#[tokio::test]
async fn numbers_follow_one_another_and_nothing_else_is_signed() {
    let fixture = Fixture::new().await;
    let first = tbs(&fixture, 1, 1);
    sign(&fixture, crl_order(1, first)).await.unwrap();
    let size = fixture.log_size();
    for number in [1, 3] {
        let other = tbs(&fixture, number, 2);
        let refused = refusal(sign(&fixture, crl_order(number, other)).await);
        assert!(
            matches!(refused, CrlRefused::NotNext { next: 2, .. }),
            "{refused}"
        );
    }
    let announced_otherwise = crl_order(2, tbs(&fixture, 3, 2));
    let refused = refusal(sign(&fixture, announced_otherwise).await);
    assert!(matches!(refused, CrlRefused::Number { .. }), "{refused}");
    let mut other_digest = crl_order(2, tbs(&fixture, 2, 2));
    other_digest.tbs_digest = sha256(b"other");
    let refused = refusal(sign(&fixture, other_digest).await);
    assert!(matches!(refused, CrlRefused::Digest), "{refused}");
    let other_ca = Sent {
        of: of(Authority::Application, 1),
        ..crl_order(1, tbs(&fixture, 1, 2))
    };
    let refused = refusal(sign(&fixture, other_ca).await);
    assert!(matches!(refused, CrlRefused::Lint(_)), "{refused}");
    let other_generation = Sent {
        of: of(Authority::Organization, 2),
        ..crl_order(2, tbs(&fixture, 2, 2))
    };
    let refused = sign(&fixture, other_generation).await;
    assert!(matches!(refused, Err(IssuerError::NoAuthority(_))));
    let refused = refusal(sign(&fixture, crl_order(2, vec![0x30, 0])).await);
    assert!(matches!(refused, CrlRefused::Lint(_)), "{refused}");
    assert_eq!(fixture.log_size(), size);
    let record = &fixture.app.authorities().await.unwrap()[0];
    assert_eq!(record.crl_numbers, [(CrlScope::User, CrlNumber(1))].into());
}

#[tokio::test]
async fn a_number_whose_signature_failed_is_not_used_again() {
    let fixture = Fixture::new().await;
    let broken = fixture.break_signing(Authority::Organization);
    let bytes = tbs(&fixture, 1, 1);
    let failed = sign(&fixture, crl_order(1, bytes.clone())).await;
    assert!(matches!(failed, Err(IssuerError::Key { .. })));
    broken.repair();
    let refused = refusal(sign(&fixture, crl_order(1, bytes)).await);
    assert!(matches!(refused, CrlRefused::NotNext { next: 2, .. }));
    let next = tbs(&fixture, 2, 1);
    sign(&fixture, crl_order(2, next)).await.unwrap();
}

#[tokio::test]
async fn two_callers_with_one_number_get_one_crl() {
    let fixture = Fixture::new().await;
    let same = tbs(&fixture, 1, 3);
    let (a, b, c) = tokio::join!(
        sign(&fixture, crl_order(1, same.clone())),
        sign(&fixture, crl_order(1, same)),
        sign(&fixture, crl_order(1, tbs(&fixture, 1, 4))),
    );
    let mut signed: Vec<_> = [a, b, c].into_iter().filter_map(Result::ok).collect();
    assert!(!signed.is_empty());
    signed.dedup();
    assert_eq!(signed.len(), 1);
}
