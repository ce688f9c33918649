//! Link and cross certificates, and the keys that they announce, are published as the feed tells.

use lgpki_domain::{CertificateKind, CrlScope};
use lgpki_x509::Certificate;

use super::*;
use crate::testing::{issued, item};

#[tokio::test]
async fn link_and_cross_certificates_are_published_under_their_names_and_again_if_lost() {
    let world = World::new().await;
    let ca = world.issuer.ca(AUTHORITY).certificate().to_vec();
    let own_key = Certificate::parse(&ca).unwrap().key_digest();
    let mut link = issued(1);
    link.kind = CertificateKind::Link;
    link.scope = CrlScope::CaCertificates;
    link.branch = None;
    link.generation = 2;
    link.key_digest = own_key;
    link.der = vec![0x30, 1];
    let mut cross = issued(2);
    cross.kind = CertificateKind::Cross;
    cross.scope = CrlScope::CaCertificates;
    cross.branch = None;
    cross.der = vec![0x30, 2];
    let names = [
        (Name::Link(AUTHORITY, 1, 2), link.der.clone()),
        (Name::Cross(AUTHORITY, 1, serial(2)), cross.der.clone()),
    ];
    world.register(vec![item(link, 1), item(cross, 2)]).await;
    published(&world, &names).await;
    let left = world.stop().await;
    std::fs::remove_dir_all(left.dir.path().join("publication/ca")).unwrap();
    let world = left.start().await;
    published(&world, &names).await;
    world.stop().await;
}

/// Waits for files; a worker puts them there, and nothing else tells when it has.
async fn published(world: &World, names: &[(Name, Vec<u8>)]) {
    let waiting = async {
        for (name, bytes) in names {
            while world
                .files
                .find(*name)
                .is_none_or(|file| file.bytes != *bytes)
            {
                tokio::task::yield_now().await;
            }
        }
    };
    timeout(PATIENCE, waiting).await.unwrap();
}
