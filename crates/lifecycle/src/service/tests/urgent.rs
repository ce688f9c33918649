//! What is urgent does not wait for all that is due.

use lgpki_domain::{CrlOptions, CrlScope, RevocationReason::KeyCompromise};

use super::*;
use crate::{
    ports::IssuedCertificate,
    testing::{issued, item},
};

const PARTITIONS: u16 = 11;

#[tokio::test]
async fn a_key_compromise_amid_the_daily_crls_is_published_next() {
    let options = CrlOptions {
        partitions: PARTITIONS,
        delta: false,
    };
    let world = World::beside(FakeIssuer::publishing(options)).await;
    let scope = options.scope_of(serial(1));
    assert_eq!(scope, CrlScope::Partition(8));
    let of_the_eighth = IssuedCertificate { scope, ..issued(1) };
    world.register(vec![item(of_the_eighth, 1)]).await;
    let before = world.issuer.asked().len();
    world.issuer.hold();
    world.clock.set(at("2008-02-05T09:15:00"));
    let asked = async |count| {
        let asked = async {
            while world.issuer.asked().len() < before + count {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, asked).await.unwrap();
    };
    asked(1).await;
    world.revoke(100, 1, KeyCompromise).await;
    world.issuer.let_on(1);
    asked(2).await;
    let key = series(AUTHORITY).key;
    let urgent = CrlSeries { key, scope };
    assert_eq!(world.issuer.asked()[before + 1].series, urgent);
    // All the others follow.
    world.issuer.let_on(100);
    let options = world.issuer.ca(AUTHORITY).crl_options();
    for authority in Authority::ALL {
        for scope in options.scopes() {
            let key = series(authority).key;
            world.series_reached(CrlSeries { key, scope }, 2).await;
        }
    }
    world.stop().await;
}
