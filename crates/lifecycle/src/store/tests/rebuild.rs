//! The inventory rebuilt beside the one that serves: what differs is told, and put right.

use lgpki_ledger::Recorded;
use lgpki_store::Tables;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;
use crate::{
    ports::{Difference, FeedBatch, Place, RebuildNews, RebuildStage},
    store::{
        inventory::Inventory,
        machine::{CERTIFICATES, CRLS, Spoil},
        record::Held,
        renewal::RENEWALS,
        slots::SLOTS,
    },
    testing::{application, issued},
};

/// A store of each sort, whose machine spoils what it holds; with what must outlive it.
fn stores(spoil: Option<Spoil>) -> Vec<(&'static str, EngineStore, Option<TempDir>)> {
    let machine = || {
        let (mut machine, notable) = machine();
        machine.spoil = spoil;
        (machine, notable)
    };
    let dir = tempfile::tempdir().unwrap();
    let (whole, notable) = machine();
    let options = Options::new(lgpki_testkit::log_identity("test"));
    let (engine, _) = Engine::open_embedded(dir.path(), whole, options).unwrap();
    let on_disk = EngineStore { engine, notable };
    let (lone, notable) = machine();
    let engine = Engine::open_memory(lone, lgpki_testkit::log_identity("test")).unwrap();
    let in_memory = EngineStore { engine, notable };
    vec![
        ("embedded", on_disk, Some(dir)),
        ("memory", in_memory, None),
    ]
}

/// What the issuer's feed told `lived_in`.
fn feed() -> Vec<FeedItem> {
    let late = item(issued_on(20, "2009-01-01"), 20);
    (0..5)
        .map(issued_item)
        .chain([abandoned_item(7), late])
        .collect()
}

/// Rebuilds beside this feed, in batches of two.
async fn rebuild(
    store: &EngineStore,
    feed: &[FeedItem],
    apply: bool,
) -> (RebuildReport, Vec<Difference>) {
    let (into, batches) = mpsc::channel(100);
    for items in feed.chunks(2) {
        let next = items.last().unwrap().index + 1;
        let items = items.to_vec();
        into.send(FeedBatch { items, next }).await.unwrap();
    }
    let until = store.position().await.unwrap();
    let items = Vec::new();
    into.send(FeedBatch { items, next: until }).await.unwrap();
    let (news, mut heard) = mpsc::channel(10_000);
    let order = RebuildOrder {
        feed: batches,
        until,
        apply,
        news,
    };
    let report = store.rebuild(order).await.unwrap();
    let mut stages = Vec::new();
    let mut found = Vec::new();
    while let Some(news) = heard.recv().await {
        match news {
            RebuildNews::Progress { stage, done, total } => {
                assert!(done <= total, "{stage:?} {done} {total}");
                stages.push(stage);
            }
            RebuildNews::Differences(more) => found.extend(more),
        }
    }
    stages.dedup();
    let apply = report.applied.map(|_| RebuildStage::Apply);
    let before = [
        RebuildStage::Feed,
        RebuildStage::Log,
        RebuildStage::Records,
        RebuildStage::Counters,
    ];
    assert_eq!(stages, before.into_iter().chain(apply).collect::<Vec<_>>());
    assert_eq!(found.len() as u64, report.differences);
    (report, found)
}

#[tokio::test]
async fn a_rebuilt_inventory_is_the_one_that_serves_and_nothing_is_changed() {
    for (sort, store, _dir) in stores(None) {
        lived_in(&store).await;
        let size = *store.durable().borrow();
        let (report, found) = rebuild(&store, &feed(), true).await;
        assert_eq!(found, [], "{sort}");
        let expected = RebuildReport {
            certificates: 6,
            equal: 6,
            ..RebuildReport::default()
        };
        assert_eq!(report, expected, "{sort}");
        assert_eq!(*store.durable().borrow(), size);
    }
    let empty = EngineStore::in_memory(lgpki_testkit::log_identity("test")).unwrap();
    let (report, found) = rebuild(&empty, &[], true).await;
    assert_eq!((report, found), (RebuildReport::default(), Vec::new()));
}

fn held(inventory: &Inventory, n: u32) -> Held {
    *inventory.held(serial(n)).unwrap()
}

fn keep(inventory: &mut Inventory, tables: &mut Tables<'_>, n: u32, held: Held) {
    let record = [serial(n).as_bytes().as_slice(), &held.to_bytes()].concat();
    tables.put_packed(CERTIFICATES, held.index, &record);
    inventory.put(serial(n), held);
}

/// Forgets a revocation, on disk and in memory.
fn unrevoke(inventory: &mut Inventory, tables: &mut Tables<'_>, of: &Recorded<LifecycleEvent>) {
    if matches!(&of.event, LifecycleEvent::Revoked(body) if body.serial == serial(0)) {
        let held = Held {
            revoked: None,
            ..held(inventory, 0)
        };
        keep(inventory, tables, 0, held);
    }
}

/// Takes a certificate for another's, and ending later.
fn mistake(inventory: &mut Inventory, tables: &mut Tables<'_>, of: &Recorded<LifecycleEvent>) {
    if matches!(&of.event, LifecycleEvent::Registered(body) if body.serial == serial(4)) {
        let held = held(inventory, 4);
        let held = Held {
            branch: "47001".parse().ok(),
            not_after: held.not_after.plus_seconds(86_400),
            ..held
        };
        keep(inventory, tables, 4, held);
    }
}

/// Loses records of the index alone, and makes up one.
fn lose(inventory: &mut Inventory, tables: &mut Tables<'_>, of: &Recorded<LifecycleEvent>) {
    match &of.event {
        LifecycleEvent::Registered(body) if body.serial == serial(20) => {
            let held = held(inventory, 3);
            tables.delete_packed(CERTIFICATES, held.index);
            let ghost = [serial(99).as_bytes().as_slice(), &held.to_bytes()].concat();
            tables.put_packed(CERTIFICATES, 1_000, &ghost);
            tables.delete(
                CRLS,
                crate::testing::series(AUTHORITY).to_string().as_bytes(),
            );
        }
        LifecycleEvent::RenewalClosed(_) => {
            tables.delete(RENEWALS, &application(111).to_bytes());
        }
        _ => {}
    }
}

/// Counts wrong, and forgets an open renewal, in memory alone.
fn miscount(inventory: &mut Inventory, _: &mut Tables<'_>, of: &Recorded<LifecycleEvent>) {
    if matches!(&of.event, LifecycleEvent::RenewalClosed(_)) {
        inventory.miscount(serial(3));
        inventory.renewal_closed(serial(3), application(111));
    }
}

/// Forgets a slot, in memory alone, and on disk for which capacity slots are booked.
fn forget_slots(inventory: &mut Inventory, tables: &mut Tables<'_>, of: &Recorded<LifecycleEvent>) {
    if matches!(&of.event, LifecycleEvent::SlotsKeyed(_)) {
        let held = held(inventory, 4).with_slot(None);
        inventory.put(serial(4), held);
        tables.delete(SLOTS, b"capacity");
    }
}

/// A way to spoil, and what must be told of it: where, of which certificate, which field.
type Spoilt = (Spoil, &'static [(Place, Option<u32>, &'static str)], u64);

const SPOILT: [Spoilt; 5] = [
    (
        unrevoke,
        &[
            (Place::Index, Some(0), "revocation"),
            (Place::Memory, Some(0), "revocation"),
            (Place::Index, Some(0), "revoked-by"),
            (Place::Counter, None, "expiry 2011-02-03 mail, 01001"),
        ],
        5,
    ),
    (
        mistake,
        &[
            (Place::Index, Some(4), "branch"),
            (Place::Memory, Some(4), "not-after"),
            (Place::Memory, Some(4), "order of expiry"),
            (Place::Memory, Some(4), "order of a branch"),
            (Place::Counter, None, "expiry 2011-02-04 mail, 47001"),
        ],
        5,
    ),
    (
        lose,
        &[
            (Place::Index, Some(3), "record"),
            (Place::Index, Some(99), "record"),
            (Place::Index, None, "crl application-1"),
            (Place::Index, Some(3), "renewal "),
        ],
        5,
    ),
    (
        miscount,
        &[
            (Place::Counter, None, "expiry 2011-02-03 mail, all"),
            (Place::Counter, None, "expiry 2011-02-03 mail, 01001"),
            (Place::Memory, Some(3), "open renewal"),
        ],
        5,
    ),
    (
        forget_slots,
        &[
            (Place::Memory, Some(4), "slot"),
            (Place::Index, None, "capacity of slots"),
        ],
        5,
    ),
];

#[tokio::test]
async fn what_was_spoilt_is_told_field_by_field_and_put_right() {
    let sound = EngineStore::in_memory(lgpki_testkit::log_identity("test")).unwrap();
    lived_in(&sound).await;
    let sound = whole(&sound).await;
    for (round, (spoil, expected, equal)) in SPOILT.into_iter().enumerate() {
        for (sort, store, dir) in stores(Some(spoil)) {
            lived_in(&store).await;
            let size = *store.durable().borrow();
            let (report, found) = rebuild(&store, &feed(), false).await;
            for (place, n, field) in expected {
                let told = found.iter().any(|one| {
                    one.place == *place
                        && one.serial == n.map(serial)
                        && one.field.starts_with(field)
                        && one.live != one.rebuilt
                });
                assert!(
                    told,
                    "{sort} {round}: {place:?} {n:?} {field} in {found:#?}"
                );
            }
            assert_eq!(
                (report.certificates, report.equal),
                (6, equal),
                "{sort} {round}"
            );
            assert_eq!((report.of_the_log, report.applied), (0, None));
            // Comparing changes nothing.
            assert_eq!(rebuild(&store, &feed(), false).await, (report, found));

            let mut notable = store.notable();
            notable.mark_unchanged();
            let (report, _) = rebuild(&store, &feed(), true).await;
            assert!(report.applied.is_some(), "{sort} {round}");
            assert_eq!(whole(&store).await, sound, "{sort} {round}");
            // Nothing was loaded while readers waited, and who listens goes on listening.
            let loads = store.engine.read(|machine, _| machine.loads).await;
            assert_eq!(loads.unwrap(), 1, "{sort} {round}");
            assert!(!notable.has_changed().unwrap(), "{sort} {round}");
            assert_eq!(
                rebuild(&store, &feed(), false).await.1,
                [],
                "{sort} {round}"
            );
            assert_eq!(*store.durable().borrow(), size, "the log was touched");
            store.close().await;
            let Some(dir) = dir else { continue };
            let (store, report) = EngineStore::open(
                dir.path(),
                Options::new(lgpki_testkit::log_identity("test")),
            )
            .unwrap();
            assert_eq!(
                (report.replayed, report.rebuilt),
                (0, None),
                "{sort} {round}"
            );
            assert_eq!(whole(&store).await, sound, "{sort} {round}");
            assert_eq!(rebuild(&store, &feed(), true).await.1, [], "{sort} {round}");
        }
    }
}

#[tokio::test]
async fn what_the_log_lacks_of_the_feed_or_tells_otherwise_is_told_and_not_mended() {
    for (sort, store, _dir) in stores(None) {
        lived_in(&store).await;
        let mut feed = feed();
        // The log lacks one, has one too many, and two are others than it says.
        feed.insert(5, item(issued(6), 5));
        feed[5].index = 45;
        feed.remove(1);
        let FeedEvent::Issued(changed) = &mut feed[1].event else {
            panic!("a certificate")
        };
        changed.not_after = changed.not_after.plus_seconds(1);
        let gone = abandoned_item(3);
        feed[2].event = gone.event;
        let (report, found) = rebuild(&store, &feed, true).await;
        let told: Vec<_> = found
            .iter()
            .map(|one| {
                assert_eq!(one.place, Place::Log);
                let of = one.serial.unwrap();
                (
                    of,
                    one.field.as_str(),
                    one.live.as_str(),
                    one.rebuilt.as_str(),
                )
            })
            .collect();
        let ends = |n| issued(n).not_after;
        let (before, after) = (ends(2).to_string(), ends(2).plus_seconds(1).to_string());
        assert_eq!(
            told,
            [
                (serial(1), "entry", "issued", "none"),
                (serial(2), "not-after", &*before, &*after),
                (serial(3), "entry", "issued", "abandoned"),
                (serial(6), "entry", "none", "issued at 45"),
            ],
            "{sort}"
        );
        assert_eq!((report.differences, report.of_the_log), (4, 4));
        assert_eq!((report.equal, report.applied), (3, None), "{sort}");
    }
}

#[tokio::test]
async fn a_feed_that_breaks_off_or_a_listener_that_leaves_ends_it_without_effect() {
    for (sort, store, _dir) in stores(Some(unrevoke)) {
        lived_in(&store).await;
        let before = whole(&store).await;
        let until = store.position().await.unwrap();
        let (into, batches) = mpsc::channel(1);
        let items = vec![issued_item(0)];
        into.send(FeedBatch { items, next: 1 }).await.unwrap();
        drop(into);
        let (news, heard) = mpsc::channel(100);
        let order = |feed, news| RebuildOrder {
            feed,
            until,
            apply: true,
            news,
        };
        let ended = store.rebuild(order(batches, news)).await;
        assert!(
            matches!(ended, Err(StoreError::FeedBrokeOff { at: 1, .. })),
            "{sort}: {ended:?}"
        );
        drop(heard);
        let (_into, batches) = mpsc::channel(1);
        let (news, heard) = mpsc::channel(100);
        drop(heard);
        let ended = store.rebuild(order(batches, news)).await;
        assert!(matches!(ended, Err(StoreError::NoAnswer)), "{sort}");
        assert_eq!(whole(&store).await, before);
    }
}

/// Has commands carried out that change every order: the `n`th ones.
async fn carry_out(store: &EngineStore, n: u32) {
    let now = at("2011-02-02T10:00:00").plus_seconds(n.into());
    let (new, other) = (issued(100 + n), 1 + n % 59);
    store.follow(vec![item(new, 100 + n)], now).await.unwrap();
    let orders = vec![order(1_000 + n, other, KeyCompromise)];
    store.revoke(orders, now).await.unwrap();
    let renewals = vec![renewal(3_000 + n, 59 - n % 59, now)];
    store.open_renewals(renewals, now).await.unwrap();
}

#[tokio::test]
async fn commands_are_carried_out_between_two_stretches_and_make_no_difference() {
    for spoil in [None, Some(unrevoke as Spoil)] {
        for (sort, store, _dir) in stores(spoil) {
            with(&store, 60).await;
            let orders = vec![order(100, 0, Superseded)];
            let revoked = store.revoke(orders, at("2011-02-02T09:00:00")).await;
            assert!(revoked.unwrap()[0].is_ok());
            let next = store.position().await.unwrap();
            let items = (0..60).map(issued_item).collect();
            let (into, feed) = mpsc::channel(1);
            into.send(FeedBatch { items, next }).await.unwrap();
            let (news, mut heard) = mpsc::channel(1);
            let rebuilding = store.rebuild(RebuildOrder {
                feed,
                until: next,
                apply: true,
                news,
            });
            tokio::pin!(rebuilding);
            let (mut carried_out, mut found) = (0, Vec::new());
            // While commands are carried out, nobody goes on with the rebuilding: it stands between two
            // stretches, and would hold them up for ever if it held anything.
            let report = loop {
                tokio::select! {
                    biased;
                    Some(news) = heard.recv() => match news {
                        RebuildNews::Differences(more) => found.extend(more),
                        RebuildNews::Progress {
                            stage: RebuildStage::Records | RebuildStage::Counters,
                            ..
                        } => {
                            carry_out(&store, carried_out).await;
                            carried_out += 1;
                        }
                        RebuildNews::Progress { .. } => {}
                    },
                    report = &mut rebuilding => break report.unwrap(),
                }
            };
            // Every order of sixty took several stretches.
            assert!(carried_out > 40, "{sort}: {carried_out}");
            assert_eq!(report.of_the_log, 0, "{sort}");
            let strange = |one: &&Difference| one.serial.is_some_and(|of| of != serial(0));
            assert_eq!(found.iter().find(strange), None, "{sort}");
            assert_eq!(found.is_empty(), spoil.is_none(), "{sort}: {found:#?}");
            assert_eq!(report.applied.is_some(), spoil.is_some(), "{sort}");
            let new = (100..100 + carried_out).map(|n| item(issued(n), n));
            let feed: Vec<_> = (0..60).map(issued_item).chain(new).collect();
            let (report, found) = rebuild(&store, &feed, false).await;
            assert_eq!(found, [], "{sort}");
            assert_eq!(report.certificates, 60 + u64::from(carried_out), "{sort}");
        }
    }
}
