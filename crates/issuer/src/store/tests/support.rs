//! Orders of little content, and an authority that is none: the store reads neither.

use std::{collections::BTreeMap, future::Future, path::Path, sync::Arc};

use lgpki_domain::{
    Authority, BodyCode, CertificateKind, CrlOptions, CrlScope, Digest, Faults, JstDate,
    KeyAlgorithm, Names, Serial, Subject, Timestamp, Validity,
};
use lgpki_testkit::{FaultyDisk, log_identity};

use super::super::*;
use crate::{
    event::Cause,
    ports::{NewCertificate, Proposal},
};

pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_202_050_800);

pub(crate) fn stamp() -> Stamp {
    Stamp::new(NOW, "intake")
}

pub(crate) fn id(n: u8) -> ApplicationId {
    ApplicationId::from_bytes([n; 16])
}

pub(crate) fn serial(n: u8) -> Serial {
    Serial::from_bytes(&[0x40 | n; 16]).unwrap()
}

pub(crate) fn validity() -> Validity {
    Validity::for_subscriber(JstDate::try_new(2008, 2, 4).unwrap())
}

fn subject() -> Subject {
    let names = |en, ja| Names::try_new("x", en, ja).unwrap();
    Subject {
        body: names("Sapporo City", "札幌市"),
        unit: Some(names("General Affairs", "総務部")),
        name: names("Mayor", "市長"),
    }
}

/// An order for application `n` with key `key`, whose serial is drawn by `draw`.
#[derive(Clone, Copy)]
pub(crate) struct Wish {
    pub(crate) n: u8,
    pub(crate) attempt: u32,
    pub(crate) content: u8,
    pub(crate) key: u8,
    pub(crate) draw: u8,
}

pub(crate) fn wish(n: u8) -> Wish {
    Wish {
        n,
        attempt: 1,
        content: n,
        key: n,
        draw: n,
    }
}

pub(crate) fn intend(wish: Wish) -> Intend {
    Intend {
        application: id(wish.n),
        attempt: wish.attempt,
        content_digest: Digest([wish.content; 32]),
        stamp: stamp(),
        proposal: Ok(Proposal {
            authority: Authority::Organization,
            generation: 1,
            branch: BodyCode::try_new(1, 1),
            kind: CertificateKind::OfficialDuty,
            scope: CrlScope::User,
            key_digest: Digest([wish.key; 32]),
            serial: serial(wish.draw),
            validity: validity(),
            tbs: vec![wish.draw; 9],
        }),
    }
}

pub(crate) fn issued(wish: Wish, intent: u64) -> Ending {
    Ending::Issued(Box::new(NewCertificate {
        application: id(wish.n),
        attempt: wish.attempt,
        intent,
        authority: Authority::Organization,
        generation: 1,
        scope: CrlScope::User,
        branch: BodyCode::try_new(1, 1),
        kind: CertificateKind::OfficialDuty,
        subject: subject(),
        key_digest: Digest([wish.key; 32]),
        serial: serial(wish.draw),
        validity: validity(),
        der: vec![wish.draw; 40],
        stamp: stamp(),
    }))
}

pub(crate) fn given_up(wish: Wish) -> Ending {
    Ending::Abandoned {
        application: id(wish.n),
        attempt: wish.attempt,
        cause: Cause::SigningFailed,
        stamp: stamp(),
    }
}

pub(crate) async fn intend_one(store: &LogStore, epoch: Epoch, wish: Wish) -> IntentOutcome {
    let mut all = store.intend(epoch, vec![intend(wish)]).await.unwrap();
    all.pop().unwrap()
}

pub(crate) async fn open_one(store: &LogStore, epoch: Epoch, wish: Wish) -> u64 {
    match intend_one(store, epoch, wish).await {
        IntentOutcome::Intended { index, .. } => index,
        other => panic!("not intended: {other:?}"),
    }
}

pub(crate) async fn issue_one(store: &LogStore, epoch: Epoch, wish: Wish) -> Certificate {
    let intent = open_one(store, epoch, wish).await;
    let ended = store.end(epoch, vec![issued(wish, intent)]).await.unwrap();
    let EndingOutcome::Recorded { index } = ended[0] else {
        panic!("not recorded");
    };
    Certificate {
        serial: serial(wish.draw),
        der: vec![wish.draw; 40],
        index,
    }
}

pub(crate) async fn epoch(store: &LogStore) -> Epoch {
    store.open_epoch(stamp()).await.unwrap().epoch
}

pub(crate) fn reason(faults: &Faults) -> &'static str {
    faults.iter().next().unwrap().reason
}

/// Creates an authority whose certificate is no certificate: the store does not read it.
pub(crate) async fn create(store: &LogStore, epoch: Epoch, key: u8) -> AuthorityRecord {
    let record = AuthorityRecord {
        authority: Authority::Organization,
        generation: 1,
        algorithm: KeyAlgorithm::P256,
        key_digest: Digest([key; 32]),
        certificate: vec![7; 600],
        addresses: Addresses::at(&["http://a.lg.jp".to_owned()], Authority::Organization, 1),
        crl_options: CrlOptions::default(),
        crl_numbers: BTreeMap::new(),
    };
    let intent = IntendAuthority {
        authority: Authority::Organization,
        generation: 1,
        key_digest: record.key_digest,
        serial: serial(63),
        tbs: vec![1],
        stamp: stamp(),
    };
    let intended = store.intend_authority(epoch, intent).await.unwrap();
    assert!(matches!(intended, AuthorityOutcome::Recorded { .. }));
    let new = NewAuthority {
        record: record.clone(),
        serial: serial(63),
        stamp: stamp(),
    };
    let created = store.create_authority(epoch, new).await.unwrap();
    assert!(matches!(created, AuthorityOutcome::Recorded { .. }));
    record
}

/// Runs a test on each engine, each time on an empty store.
pub(crate) async fn on_every_engine<F: Future<Output = ()>>(test: impl Fn(LogStore) -> F) {
    test(LogStore::open_memory(log_identity("issuer-1")).unwrap()).await;
    let options = Options {
        disk: Arc::new(FaultyDisk::new()),
        ..Options::new(log_identity("issuer-1"))
    };
    let (store, _) = LogStore::open_unindexed(Path::new("faulty"), options).unwrap();
    test(store).await;
    let dir = tempfile::tempdir().unwrap();
    let (store, _) =
        LogStore::open_embedded(dir.path(), Options::new(log_identity("issuer-1"))).unwrap();
    test(store.clone()).await;
    store.close().await;
}
