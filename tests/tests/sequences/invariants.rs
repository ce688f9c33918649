//! What holds after every step.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lgpki_audit::Rule;
use lgpki_domain::{Authority, Serial, Timestamp};
use lgpki_proto::{
    ServiceName,
    v1::{self, ApplicationState as State, CertificateState, RevocationReason},
};
use lgpki_tests::audited::Logs;
use lgpki_x509::{crl::RevocationList, ocsp::Status};

use crate::world::{BRANCH, World};

/// What the inventory says of a certificate.
struct Held {
    authority: Authority,
    revoked: Option<(Timestamp, RevocationReason)>,
    not_after: Timestamp,
}

/// Reads what matters here of a certificate.
fn held(found: &v1::Certificate) -> (Serial, Held) {
    let authority = match found.authority() {
        v1::Authority::Application => Authority::Application,
        _ => Authority::Organization,
    };
    let revoked = (found.state() == CertificateState::Revoked).then(|| {
        let at = found.revoked_at.parse().expect("a time");
        (at, found.revocation_reason())
    });
    let held = Held {
        authority,
        revoked,
        not_after: found.not_after.parse().expect("a time"),
    };
    (found.serial.parse().expect("a serial number"), held)
}

/// Checks all of them, and remembers what the next check is held against.
pub(crate) async fn check(world: &mut World) {
    let operator = world.system.operator();
    let applications = operator
        .list(v1::ApplicationFilter::default())
        .await
        .expect("the applications");
    nothing_revoked_is_renewed_afterwards(world, &applications);
    ended_renewals_are_closed(world, &applications).await;
    let inventory = operator.inventory().await.expect("the inventory");
    no_acknowledged_application_is_lost(world, &applications, &inventory).await;
    one_application_has_one_certificate(&applications, &inventory);
    at_most_one_certificate_is_valid_per_subject_and_kind(world, &inventory);
    let held = inventory.iter().map(held).collect::<BTreeMap<_, _>>();
    a_key_compromise_is_listed_at_once(world, &held).await;
    for authority in Authority::ALL {
        let lists = world.system.relying().history(authority);
        for pair in lists.windows(2) {
            none_leaves_before_a_list_that_follows_its_expiry(&pair[0], &pair[1], &held);
            let own = held.iter().filter(|(_, held)| held.authority == authority);
            every_revoked_certificate_is_on_every_later_list(world, pair, own);
        }
        if let Some(newest) = lists.last() {
            list_and_inventory_agree(newest, &held);
        }
        if let Some(delta) = world.system.relying().delta(authority) {
            list_and_inventory_agree(&delta, &held);
            let own = held.iter().filter(|(_, held)| held.authority == authority);
            each_list_in_force_and_the_delta_tell_all(world, &delta, &lists, own);
            let beside = a_delta_and_its_complete_list_say_the_same(&delta, &lists);
            world.tally.count(if beside {
                "a delta with its complete list"
            } else {
                "a delta alone"
            });
        }
    }
    responder_and_inventory_agree(world, &inventory, &held).await;
    // What was revoked stays so.
    for serial in world.revoked.keys() {
        let held = held.get(serial);
        assert!(held.is_some_and(|held| held.revoked.is_some()), "{serial}");
    }
    let now = world.system.now();
    for (serial, held) in held {
        if held.revoked.is_some() {
            world.revoked.entry(serial).or_insert(now);
        }
    }
}

/// Every application that was acknowledged is there, as it was sent, no other is, and none that has
/// ended ever moves again; sent again, it is the same one.
async fn no_acknowledged_application_is_lost(
    world: &mut World,
    found: &[v1::Application],
    inventory: &[v1::Certificate],
) {
    let stands: BTreeMap<_, _> = found.iter().map(|a| (a.id.as_str(), a)).collect();
    for (id, told) in &mut world.told {
        let stands = stands.get(id.as_str());
        let stands = stands.unwrap_or_else(|| panic!("application {id} is lost"));
        assert_eq!(stands.request_id, told.request.request_id);
        let ended = matches!(
            told.state,
            State::Delivered
                | State::Rejected
                | State::Withdrawn
                | State::Failed
                | State::Completed
        );
        assert!(
            !ended || stands.state() == told.state,
            "{stands:?} had ended"
        );
        // What is to be revoked may expire before the operator has looked at it.
        let expired = |found: &v1::Certificate| {
            found.serial == stands.serial && found.state() == CertificateState::Expired
        };
        let late = stands.sort() != v1::ApplicationSort::Issue && inventory.iter().any(expired);
        // What is to be renewed may be revoked before the new certificate is ordered.
        let outlived = stands.reason.contains("CERTIFICATE_REVOKED_BEFORE")
            && inventory.iter().any(|found| {
                found.serial == stands.renewed_serial && found.state() == CertificateState::Revoked
            });
        let explained = late || outlived;
        assert!(stands.state() != State::Failed || explained, "{stands:?}");
        if outlived && stands.state() != told.state {
            world.tally.count("a renewal overtaken by a revocation");
        }
        told.state = stands.state();
    }
    assert_eq!(stands.len(), world.told.len(), "nobody sent the others");
    // Where the branch repeats its newest, as after an answer that it never read.
    if let Some((id, told)) = world.told.last_key_value() {
        let branch = world.system.branch(BRANCH);
        let again = branch.send(told.request.clone()).await;
        assert_eq!(&again.expect("the same application").id, id);
    }
}

/// No renewal goes on to be issued whose certificate was seen revoked while it stood before its claim
/// (R2), and none is left standing there.
fn nothing_revoked_is_renewed_afterwards(world: &World, applications: &[v1::Application]) {
    for renewal in applications {
        let serial = renewal.renewed_serial.parse::<Serial>();
        if !serial.is_ok_and(|serial| world.revoked.contains_key(&serial)) {
            continue;
        }
        // Where it stood when the revocation had been seen, or a later look at it.
        let stood = world.told.get(&renewal.id).map(|told| told.state);
        let claimed = |state| matches!(state, State::Issuing | State::Issued | State::Delivered);
        assert!(
            !claimed(renewal.state()) || stood.is_some_and(claimed),
            "{stood:?} {renewal:?}"
        );
        let ended = matches!(
            renewal.state(),
            State::Failed | State::Rejected | State::Withdrawn
        );
        assert!(claimed(renewal.state()) || ended, "{renewal:?}");
    }
}

/// No application has two certificates, and each that was issued has its own.
fn one_application_has_one_certificate(
    applications: &[v1::Application],
    inventory: &[v1::Certificate],
) {
    let mut by_application = BTreeMap::new();
    for certificate in inventory {
        let before = by_application.insert(&certificate.application_id, &certificate.serial);
        assert_eq!(
            before, None,
            "of application {}",
            certificate.application_id
        );
    }
    for application in applications {
        let issued = matches!(application.state(), State::Issued | State::Delivered);
        if issued {
            let serial = by_application.get(&application.id);
            assert_eq!(serial, Some(&&application.serial), "{application:?}");
        }
    }
}

/// A renewal that was delivered has ended the old certificate's life, and one that came to nothing
/// has left it as it was; either way nobody calls it RENEWING any more.
async fn ended_renewals_are_closed(world: &World, applications: &[v1::Application]) {
    let operator = world.system.operator();
    let renewals = applications.iter().filter(|a| !a.renewed_serial.is_empty());
    let mut by_certificate = BTreeMap::new();
    for renewal in renewals {
        let open = matches!(
            renewal.state(),
            State::Received
                | State::Examining
                | State::Approved
                | State::Queued
                | State::Issuing
                | State::Issued
        );
        let of: &mut (u32, bool) = by_certificate.entry(&renewal.renewed_serial).or_default();
        of.0 += u32::from(open);
        of.1 |= renewal.state() == State::Delivered;
    }
    for (serial, (open, delivered)) in by_certificate {
        assert!(open <= 1, "{serial} is being renewed {open} times");
        world
            .system
            .until("a renewal that ended is closed", || async {
                match operator.state(serial).await {
                    CertificateState::Renewing => open == 1,
                    CertificateState::Valid => open == 0 && !delivered,
                    _ => true,
                }
            })
            .await;
    }
}

/// Outside a renewal. Logins made by ceremony are not applied for, and not counted.
fn at_most_one_certificate_is_valid_per_subject_and_kind(
    world: &World,
    inventory: &[v1::Certificate],
) {
    let mut valid = BTreeSet::new();
    for certificate in inventory {
        let applied_for = world.told.contains_key(&certificate.application_id);
        let state = certificate.state();
        if applied_for && matches!(state, CertificateState::Valid | CertificateState::Renewing) {
            let subject = certificate.subject.clone().unwrap_or_default();
            let key = (certificate.kind, state, format!("{subject:?}"));
            assert!(valid.insert(key), "a second one: {certificate:?}");
        }
    }
}

/// A list that was issued after a revocation was seen has it, until it has expired.
fn every_revoked_certificate_is_on_every_later_list<'a>(
    world: &World,
    pair: &[Arc<RevocationList>],
    held: impl Iterator<Item = (&'a Serial, &'a Held)>,
) {
    let (before, list) = (pair[0].summary(), &pair[1]);
    for (serial, held) in held {
        let seen = world.revoked.get(serial);
        let later = seen.is_some_and(|seen| *seen < list.summary().this_update);
        if later && held.not_after >= before.this_update {
            assert!(
                list.find(*serial).is_some(),
                "{serial}: {:?}",
                list.summary()
            );
        }
    }
}

/// Whoever holds a complete list between a delta's base and its number learns of every revocation that
/// was seen before the delta was made, until the certificate has expired (RFC 5280 §5.2.4).
fn each_list_in_force_and_the_delta_tell_all<'a>(
    world: &World,
    delta: &RevocationList,
    lists: &[Arc<RevocationList>],
    held: impl Iterator<Item = (&'a Serial, &'a Held)>,
) {
    let told = delta.summary();
    let base = told.base.expect("a delta has a base");
    let usable =
        |list: &&Arc<RevocationList>| (base..=told.number).contains(&list.summary().number);
    let usable: Vec<_> = lists.iter().filter(usable).collect();
    for (serial, held) in held {
        let seen = world.revoked.get(serial);
        let before = seen.is_some_and(|seen| *seen < told.this_update);
        if !before || held.not_after < told.this_update || delta.find(*serial).is_some() {
            continue;
        }
        for list in &usable {
            assert!(
                list.find(*serial).is_some(),
                "{serial} is neither on {told:?} nor on {:?}",
                list.summary()
            );
        }
    }
}

/// A delta and the complete list issued with it have one number and one time and are made from one look:
/// what stands on the delta stands on the list, and what the list has beyond the base, on the delta.
/// Tells whether there is such a list; the number of a delta alone is no list's.
fn a_delta_and_its_complete_list_say_the_same(
    delta: &RevocationList,
    lists: &[Arc<RevocationList>],
) -> bool {
    let told = delta.summary();
    let numbered = |number| lists.iter().find(|list| list.summary().number == number);
    let Some(beside) = numbered(told.number) else {
        return false;
    };
    assert_eq!(beside.summary().this_update, told.this_update, "{told:?}");
    for entry in delta.entries().map(Result::unwrap) {
        assert_eq!(beside.find(entry.serial), Some(entry), "{told:?}");
    }
    if let Some(base) = told.base.and_then(numbered) {
        for entry in beside.entries().map(Result::unwrap) {
            let known = base.find(entry.serial).is_some();
            assert!(
                known || delta.find(entry.serial).is_some(),
                "{entry:?} {told:?}"
            );
        }
    }
    true
}

/// RFC 5280 §3.3.
fn none_leaves_before_a_list_that_follows_its_expiry(
    before: &RevocationList,
    list: &RevocationList,
    held: &BTreeMap<Serial, Held>,
) {
    for entry in before.entries().map(Result::unwrap) {
        let Some(held) = held.get(&entry.serial) else {
            continue;
        };
        if list.find(entry.serial).is_none() {
            let update = before.summary().this_update;
            assert!(held.not_after < update, "{} left early", entry.serial);
        }
    }
}

/// What the newest list says, the inventory says. Serial numbers that are no certificate's are those
/// of attempts that a crash cut short; nobody was ever given one.
fn list_and_inventory_agree(list: &RevocationList, held: &BTreeMap<Serial, Held>) {
    for entry in list.entries().map(Result::unwrap) {
        let Some(held) = held.get(&entry.serial) else {
            continue;
        };
        let Some((at, reason)) = held.revoked else {
            panic!("{} is listed and not revoked", entry.serial);
        };
        assert_eq!(at.as_seconds(), entry.revoked_at.as_seconds());
        assert_eq!(reason, RevocationReason::from(entry.reason));
    }
}

/// Of every certificate that a branch has, and of a serial number that no CA ever drew.
async fn responder_and_inventory_agree(
    world: &World,
    inventory: &[v1::Certificate],
    held: &BTreeMap<Serial, Held>,
) {
    for certificate in inventory.iter().filter(|found| !found.branch.is_empty()) {
        let serial = certificate.serial.parse().expect("a serial number");
        let Some(held) = held.get(&serial) else {
            continue;
        };
        let expected = held.revoked.map(|(at, reason)| (at.as_seconds(), reason));
        let found = match world.system.ocsp(held.authority, serial).await {
            Status::Good => None,
            Status::Revoked { at, reason } => Some((at.as_seconds(), reason.into())),
            Status::Unknown => panic!("the responder does not know {certificate:?}"),
        };
        assert_eq!(found, expected, "{certificate:?}");
    }
    let never = Serial::from_bytes(&[0x5a; 16]).expect("a serial number");
    for authority in Authority::ALL {
        let says = world.system.ocsp(authority, never).await;
        assert_eq!(says, Status::Unknown);
    }
}

/// Whatever the hour.
async fn a_key_compromise_is_listed_at_once(world: &World, held: &BTreeMap<Serial, Held>) {
    for (serial, held) in held {
        let lost = held
            .revoked
            .is_some_and(|(_, reason)| reason == RevocationReason::KeyCompromise);
        let over = held.not_after < world.system.now();
        if lost && !over {
            world.system.until_listed(held.authority, *serial).await;
        }
    }
}

/// The auditor, who shares no code with the services, finds nothing in what they recorded.
pub(crate) async fn the_logs_hold_against_every_rule(mut world: World) {
    for service in ServiceName::ALL {
        world.system.stop(service).await;
    }
    let mut found = Logs::of(|service| world.system.data(service))
        .audit()
        .findings;
    // What a responder signed is recorded within a second; a clock that leaps over months in between
    // makes that after the end of its certificate.
    found.retain(|finding| finding.rule != Rule::Responder);
    assert!(found.is_empty(), "{found:#?}");
}
