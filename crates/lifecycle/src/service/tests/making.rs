//! What is left where the making of a CRL is broken off: between its pieces, its signature, its file
//! and its record. The list before stands, nothing is left beside it, and numbers go on.

use lgpki_domain::{CrlOptions, RevocationReason::Superseded, Timestamp};
use lgpki_x509::{crl::RevocationList, key::sha256};
use tonic::Code;

use super::*;
use crate::testing::{issued_item, issued_on, item};

/// The files of the CRLs' directory, but for those of the other CA.
fn files(dir: &Path) -> Vec<String> {
    let found = std::fs::read_dir(dir.join("publication/crl")).unwrap();
    let names = found.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names
        .filter(|name| name.starts_with("application"))
        .collect();
    names.sort();
    names
}

const WHOLE: [&str; 2] = ["application-1-ca.crl", "application-1.crl"];

fn on_disk(dir: &Path) -> RevocationList {
    let path = dir.join("publication/crl/application-1.crl");
    RevocationList::parse(&std::fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn an_issuer_that_hangs_up_while_a_list_is_made_gets_it_again_under_the_same_number() {
    let world = World::new().await;
    world.register(vec![issued_item(1), issued_item(2)]).await;
    world.revoke(100, 1, Superseded).await;
    world.clock.advance_seconds(5);
    world.issuer.hang_up(1);
    let lost = world.publish(wire(AUTHORITY)).await.unwrap_err();
    assert_eq!(lost.code(), Code::Unavailable);
    assert_eq!(world.issuer.highest(AUTHORITY), 1);
    assert_eq!(on_disk(world.dir.path()).summary().number.0, 1);
    assert_eq!(files(world.dir.path()), WHOLE);
    world.clock.advance_seconds(70);
    let published = world.publish(wire(AUTHORITY)).await.unwrap();
    assert_eq!((published[0].number, published[0].entries), (2, 1));
    world.stop().await;
}

#[tokio::test]
async fn a_list_given_up_between_its_end_and_its_signature_leaves_the_one_before() {
    let world = World::new().await;
    world.register(vec![issued_item(1)]).await;
    world.revoke(100, 1, Superseded).await;
    let asked = world.issuer.asked().len();
    world.issuer.hold();
    world.clock.set(at("2008-02-05T09:15:00"));
    let come = async {
        while world.issuer.asked().len() == asked {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, come).await.unwrap();
    let left = world.stop().await;
    assert_eq!(files(left.dir.path()), WHOLE);
    assert_eq!(on_disk(left.dir.path()).summary().number.0, 1);
    left.issuer.let_on(1_000);
    let world = left.start().await;
    world.reached(2).await;
    assert!(world.crl().find(serial(1)).is_some());
    world.stop().await;
}

#[tokio::test]
async fn a_signed_list_whose_file_cannot_be_put_in_its_place_is_followed_by_the_next_number() {
    let world = World::new().await;
    let place = world.dir.path().join("publication/crl/application-1.crl");
    // A directory with something in it cannot be replaced by a file.
    std::fs::remove_file(&place).unwrap();
    std::fs::create_dir_all(place.join("in the way")).unwrap();
    world.clock.advance_seconds(5);
    let failed = world.publish(wire(AUTHORITY)).await.unwrap_err();
    assert_eq!(failed.code(), Code::Unavailable);
    // Signed, and neither served nor recorded.
    assert_eq!(world.issuer.highest(AUTHORITY), 2);
    assert_eq!(world.crl().summary().number.0, 1);
    let standing = world.store.publication(series(AUTHORITY)).await.unwrap();
    assert_eq!(standing.newest.unwrap().number.0, 1);
    assert_eq!(files(world.dir.path()), WHOLE);
    std::fs::remove_dir_all(&place).unwrap();
    world.clock.advance_seconds(70);
    let published = world.publish(wire(AUTHORITY)).await.unwrap();
    assert_eq!(published[0].number, 3);
    assert_eq!(
        sha256(on_disk(world.dir.path()).der()).to_string(),
        published[0].digest
    );
    world.stop().await;
}

#[tokio::test]
async fn what_a_crash_left_of_a_file_goes_at_the_start_and_is_never_served() {
    let left = World::new().await.stop().await;
    let beside = left.dir.path().join("publication/crl/application-1.7.new");
    std::fs::write(&beside, b"the beginning of a list").unwrap();
    left.clock.advance_seconds(5);
    let world = left.start().await;
    assert_eq!(files(world.dir.path()), WHOLE);
    assert_eq!(world.crl().summary().number.0, 1);
    world.stop().await;
}

#[tokio::test]
async fn revocations_on_either_side_of_2050_stand_on_one_list() {
    let issuer = FakeIssuer::opened_on("2048-01-01", CrlOptions::default());
    issuer.set_today("2049-12-31".parse().unwrap());
    let clock = ManualClock::new(at("2049-12-31T12:00:00"));
    let left = Left {
        clock,
        issuer,
        dir: tempfile::tempdir().unwrap(),
        slots: no_slots(),
    };
    let world = left.start().await;
    world.all_published().await;
    let told = |n| item(issued_on(n, "2049-12-01"), n);
    world.register((1..=9).map(told).collect()).await;
    let late: Timestamp = "2050-01-01T00:00:00Z".parse().unwrap();
    for n in 1..=9 {
        if n == 5 {
            world.clock.set(late);
        }
        assert_eq!(world.revoke(100 + n, n, Superseded).await.refused, None);
    }
    world.clock.advance_seconds(60);
    world.publish(wire(AUTHORITY)).await.unwrap();
    let list = world.crl();
    assert_eq!(list.summary().entries, 9);
    for n in 1..=9 {
        let revoked_at = list.find(serial(n)).unwrap().revoked_at;
        assert_eq!(revoked_at >= late, n >= 5, "{n}");
    }
    world.stop().await;
}
