//! Delta CRLs: when they come, what they add, and what is left where one was parted from its complete
//! CRL.

use std::collections::{BTreeMap, BTreeSet};

use lgpki_domain::{
    CrlNumber, CrlOptions,
    RevocationReason::{KeyCompromise, Superseded},
    Serial, Timestamp,
};

use super::*;
use crate::{
    ports::PublicationStanding,
    testing::{abandoned_item, issued_item},
};

const DELTAS: CrlOptions = CrlOptions {
    partitions: 0,
    delta: true,
};

impl World {
    async fn with_deltas() -> Self {
        Self::beside(FakeIssuer::publishing(DELTAS)).await
    }

    async fn standing(&self) -> PublicationStanding {
        self.store.publication(series(AUTHORITY)).await.unwrap()
    }

    /// Returns once every list of every CA was issued at this time or later.
    async fn all_since(&self, time: Timestamp, complete: bool) {
        self.eventually(|| async {
            for authority in Authority::ALL {
                for scope in DELTAS.scopes() {
                    let key = series(authority).key;
                    let standing = self.store.publication(CrlSeries { key, scope }).await;
                    let standing = standing.unwrap();
                    let since = |one: &Publication| one.this_update >= time;
                    if complete {
                        standing.newest.filter(since)?;
                    }
                    if DELTAS.has_delta(scope) {
                        standing.delta.filter(since)?;
                    }
                }
            }
            Some(())
        })
        .await;
    }

    /// The newest delta, once it has this number at least.
    async fn delta_reached(&self, number: u64) -> Publication {
        self.eventually(|| async {
            let delta = self.standing().await.delta;
            delta.filter(|delta| delta.number.0 >= number)
        })
        .await
    }

    /// The delta as relying parties fetch it.
    fn delta(&self) -> RevocationList {
        let name = Name::Crl(CrlList::delta(series(AUTHORITY)));
        let list = RevocationList::parse(&self.files.find(name).unwrap().bytes).unwrap();
        assert!(list.is_signed_by(self.issuer.ca(AUTHORITY).public_key()));
        list
    }
}

/// Number and base.
fn numbers(delta: &RevocationList) -> (u64, Option<u64>) {
    let summary = delta.summary();
    (summary.number.0, summary.base.map(|base| base.0))
}

fn listed(list: &RevocationList) -> Vec<Serial> {
    list.entries().map(|entry| entry.unwrap().serial).collect()
}

#[tokio::test]
async fn a_delta_comes_with_every_complete_crl_and_shares_its_number_and_time() {
    let world = World::with_deltas().await;
    assert_eq!(numbers(&world.delta()), (1, Some(1)));
    assert_eq!(listed(&world.delta()), []);
    world
        .register(vec![issued_item(1), issued_item(2), abandoned_item(3)])
        .await;
    world.clock.advance_seconds(60);
    world.revoke(100, 1, Superseded).await;
    let published = world.publish(wire(AUTHORITY)).await.unwrap();
    let told: Vec<_> = published
        .iter()
        .map(|crl| (&*crl.scope, crl.number, crl.base_number, &*crl.url))
        .collect();
    let url = |file: &str| format!("http://crl.example/crl/application-1{file}.crl");
    assert_eq!(
        told,
        [
            ("user", 2, 0, &*url("")),
            ("user", 2, 1, &*url("-delta")),
            ("ca", 2, 0, &*url("-ca")),
        ]
    );
    let (complete, delta) = (world.crl().summary(), world.delta().summary());
    assert_eq!(delta.this_update, complete.this_update);
    assert_eq!(delta.next_update, delta.this_update.plus_seconds(8 * 3600));
    assert_eq!(listed(&world.delta()), [serial(1), serial(3)]);
    assert_eq!(listed(&world.crl()), listed(&world.delta()));
    let path = world
        .dir
        .path()
        .join("publication/crl/application-1-delta.crl");
    assert_eq!(std::fs::read(path).unwrap(), world.delta().der());
    // The other CA was not asked for.
    assert_eq!(world.issuer.highest(Authority::Organization), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_delta_comes_alone_every_few_hours_and_tells_what_the_complete_crl_does_not() {
    let world = World::with_deltas().await;
    world.register(vec![issued_item(1)]).await;
    world.clock.advance_seconds(60);
    world.revoke(100, 1, Superseded).await;
    let time = at("2008-02-04T13:15:00");
    world.clock.set(time);
    world.all_since(time, false).await;
    assert_eq!(numbers(&world.delta()), (2, Some(1)));
    assert_eq!(listed(&world.delta()), [serial(1)]);
    assert_eq!(world.crl().summary().number, CrlNumber(1));
    // The daily CRL takes the next number.
    let time = at("2008-02-05T09:15:00");
    world.clock.set(time);
    world.all_since(time, true).await;
    assert_eq!(world.crl().summary().number, CrlNumber(3));
    assert_eq!(numbers(&world.delta()), (3, Some(1)));
    world.stop().await;
}

#[tokio::test]
async fn a_key_compromise_is_published_at_once_on_both() {
    let world = World::with_deltas().await;
    world.register(vec![issued_item(1)]).await;
    world.clock.advance_seconds(60);
    world.revoke(100, 1, KeyCompromise).await;
    world.delta_reached(2).await;
    assert_eq!(numbers(&world.delta()), (2, Some(1)));
    assert_eq!(listed(&world.delta()), [serial(1)]);
    assert_eq!(listed(&world.crl()), [serial(1)]);
    world.stop().await;
}

/// Days of revocations at odd times, complete CRLs on demand, and deltas in between: whoever holds any
/// complete CRL that is in force, and the delta, knows all that was revoked when the delta was issued.
#[tokio::test]
async fn whoever_holds_a_complete_crl_in_force_knows_everything_with_the_delta() {
    let world = World::with_deltas().await;
    world.register((0..60).map(issued_item).collect()).await;
    let mut revoked = BTreeSet::new();
    let mut kept: BTreeMap<u64, RevocationList> = BTreeMap::new();
    kept.insert(1, world.crl());
    let mut bases = BTreeSet::new();
    let mut now = at("2008-02-04T12:00:00");
    for step in 0..30_u32 {
        // 5 h 07 min do not divide the day: before and after the daily CRL, and the deltas.
        now = now.plus_seconds(5 * 3600 + 420);
        for n in [2 * step, 2 * step + 1] {
            world.revoke(100 + n, n, Superseded).await;
            revoked.insert(serial(n));
        }
        world.clock.set(now);
        world.all_since(now, false).await;
        if step % 7 == 3 {
            now = now.plus_seconds(5);
            world.clock.set(now);
            world.publish(0).await.unwrap();
        }
        let (complete, delta) = (world.crl(), world.delta());
        kept.insert(complete.summary().number.0, complete);
        let base = delta.summary().base.unwrap().0;
        bases.insert(base);
        let mut used = 0;
        for (number, complete) in &kept {
            if complete.summary().next_update < delta.summary().this_update {
                continue;
            }
            assert!(
                *number >= base,
                "{number} is in force, and the base is {base}"
            );
            let mut known: BTreeSet<_> = listed(complete).into_iter().collect();
            known.extend(listed(&delta));
            let reflected = world.standing().await.delta.unwrap().reflects;
            let all = known == revoked;
            assert!(all, "{number} with {:?}, {reflected}", numbers(&delta));
            used += 1;
        }
        assert!(used > 0);
    }
    assert!(bases.len() > 3, "{bases:?}");
    // What the base lists does not stand on the delta.
    assert!(world.delta().summary().entries < 60);
    world.stop().await;
}

/// The complete CRL stands and its delta was not made, or made and lost: the old delta stands until
/// one with a number of its own comes, in the same process or the next.
#[tokio::test]
async fn a_delta_parted_from_its_complete_crl_is_made_up_for_with_a_number_of_its_own() {
    for (lost, restart) in [(false, false), (true, false), (false, true), (true, true)] {
        let world = World::with_deltas().await;
        world.register(vec![issued_item(1)]).await;
        world.clock.advance_seconds(60);
        world.revoke(100, 1, Superseded).await;
        if lost {
            world.issuer.lose_deltas(1);
        } else {
            world.issuer.refuse_deltas(1);
        }
        let published = world.publish(wire(AUTHORITY)).await.unwrap();
        let told: Vec<_> = published.iter().map(|crl| crl.base_number).collect();
        assert_eq!(told, [0, 0], "the demand is met by the complete lists");
        assert_eq!(numbers(&world.delta()), (1, Some(1)));
        assert_eq!(listed(&world.crl()), [serial(1)]);
        let world = if restart {
            let left = world.stop().await;
            left.clock.advance_seconds(60);
            left.start().await
        } else {
            world.clock.advance_seconds(60);
            world
        };
        world.delta_reached(2).await;
        assert_eq!(numbers(&world.delta()), (3, Some(1)), "{lost} {restart}");
        assert_eq!(listed(&world.delta()), [serial(1)]);
        assert_eq!(world.crl().summary().number, CrlNumber(2));
        world.stop().await;
    }
}

#[tokio::test]
async fn a_delta_whose_file_is_not_the_recorded_one_is_replaced_by_a_higher_one() {
    let world = World::with_deltas().await;
    let path = world
        .dir
        .path()
        .join("publication/crl/application-1-delta.crl");
    let older = std::fs::read(&path).unwrap();
    world.clock.advance_seconds(60);
    world.publish(wire(AUTHORITY)).await.unwrap();
    let left = world.stop().await;
    std::fs::write(&path, older).unwrap();
    left.clock.advance_seconds(60);
    let world = left.start().await;
    world.delta_reached(3).await;
    assert_eq!(numbers(&world.delta()), (3, Some(1)));
    let left = world.stop().await;
    std::fs::remove_file(&path).unwrap();
    left.clock.advance_seconds(60);
    let world = left.start().await;
    world.delta_reached(4).await;
    assert_eq!(numbers(&world.delta()), (4, Some(1)));
    world.stop().await;
}

#[tokio::test]
async fn a_delta_that_lacks_what_the_published_one_lists_is_held_back_and_told_of() {
    let world = World::with_deltas().await;
    world.register(vec![issued_item(1)]).await;
    world.clock.advance_seconds(60);
    world.revoke(100, 1, Superseded).await;
    let time = at("2008-02-04T13:15:00");
    world.clock.set(time);
    world.all_since(time, false).await;
    let path = world
        .dir
        .path()
        .join("publication/crl/application-1-delta.crl");
    let listed_there = std::fs::read(path).unwrap();
    let left = world.stop().await;
    // A log that never heard of the revocation, beside the delta of one that did.
    let issuer = left.issuer.clone();
    issuer.forget_feed();
    let other = World::beside(issuer).await.stop().await;
    let path = other
        .dir
        .path()
        .join("publication/crl/application-1-delta.crl");
    std::fs::write(&path, &listed_there).unwrap();
    other.clock.set(at("2008-02-04T13:20:00"));
    let world = other.start().await;
    // The complete CRL follows the one before, and is published.
    let published = world.publish(wire(AUTHORITY)).await.unwrap();
    assert!(published.iter().all(|crl| crl.base_number == 0));
    let standing = world.handlers.app.authorities().await.unwrap();
    let alarms = standing.into_iter().flat_map(|one| one.alarms);
    let alarms: Vec<_> = alarms.collect();
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert!(alarms[0].list.is_some_and(|list| list.delta));
    let message = &alarms[0].message;
    assert!(
        message.contains("missing") && message.contains(&serial(1).to_string()),
        "{message}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), listed_there);
    world.stop().await;
}

#[tokio::test]
async fn crls_made_while_a_clock_was_ahead_do_not_starve_the_daily_ones() {
    let world = World::with_deltas().await;
    let ahead = at("2008-03-04T12:00:00");
    world.clock.set(ahead);
    world.all_since(ahead, true).await;
    let mut left = world.stop().await;
    for (now, number) in [
        ("2008-02-05T12:00:00", 3),
        ("2008-02-06T09:15:00", 4),
        ("2008-02-07T09:15:00", 5),
    ] {
        left.clock.set(at(now));
        let world = left.start().await;
        let newest = world.newest(number).await;
        assert_eq!(newest.number.0, number, "{now}");
        assert!(newest.this_update > ahead);
        let delta = world.delta_reached(number).await;
        assert_eq!(
            (delta.number.0, delta.this_update),
            (number, newest.this_update)
        );
        left = world.stop().await;
    }
}
