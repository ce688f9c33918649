//! Clocks that were ahead and are set back: what was made under them, and what waits by them.

use lgpki_domain::CrlScope;

use super::*;

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
