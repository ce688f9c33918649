//! Clocks that were ahead and are set back: what was made under them, and what waits by them.

use lgpki_domain::{CrlScope, RevocationReason::Superseded};

use super::*;
use crate::testing::issued_item;

impl World {
    /// Returns once every series has got this number.
    async fn all_reached(&self, number: u64) {
        for authority in Authority::ALL {
            for scope in [CrlScope::User, CrlScope::CaCertificates] {
                let key = series(authority).key;
                self.series_reached(CrlSeries { key, scope }, number).await;
            }
        }
    }
}

/// Whoever waits for an hour of a clock that was a month ahead is not kept waiting for that month: here
/// the publisher, who looks again by itself and finds the list of the day not made.
#[tokio::test]
async fn a_clock_that_was_ahead_for_a_while_keeps_nobody_waiting() {
    let world = World::new().await;
    world.clock.set(at("2008-03-05T12:00:00"));
    world.all_reached(2).await;
    let asleep = async {
        while !world.clock.has_sleeper(at("2008-03-06T09:15:00")) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, asleep).await.unwrap();
    world.clock.set(at("2008-02-04T12:01:00"));
    world.all_reached(3).await;
    world.clock.set(at("2008-02-05T09:15:00"));
    world.all_reached(4).await;
    world.stop().await;
}

/// One list made under a clock that is ahead still lists what seems to have expired, two do not; by the
/// right clock it is listed again.
#[tokio::test]
async fn what_expired_by_a_clock_that_was_ahead_is_listed_again() {
    for ahead in [
        &["2012-01-01T12:00:00"][..],
        &["2012-01-01T12:00:00", "2012-01-02T12:00:00"],
    ] {
        let world = World::new().await;
        world.register(vec![issued_item(1), issued_item(2)]).await;
        world.clock.advance_seconds(60);
        world.revoke(100, 1, Superseded).await;
        let mut number = 1;
        for now in ahead {
            world.clock.set(at(now));
            number += 1;
            world.all_reached(number).await;
            assert_eq!(world.crl().find(serial(1)).is_some(), number == 2);
        }
        world.clock.set(at("2008-02-04T12:05:00"));
        // By the right clock, the list of the day is not made yet.
        number += 1;
        world.all_reached(number).await;
        assert!(world.crl().find(serial(1)).is_some(), "{ahead:?}");
        // That no clock told the truth meanwhile holds nothing up.
        world.clock.advance_seconds(60);
        world.revoke(101, 2, Superseded).await;
        world.publish(0).await.unwrap();
        for n in [1, 2] {
            assert!(world.crl().find(serial(n)).is_some(), "{ahead:?} {n}");
        }
        world.stop().await;
    }
}
