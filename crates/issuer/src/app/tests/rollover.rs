//! Rolling a CA's key over: who issues when, and what a crash at any step leaves.

use std::{io, path::Path};

use lgpki_domain::{CrlScope, JstDate};
use lgpki_store::Options;
use lgpki_testkit::{Fault, FaultyDisk, ManualClock, Persisted, log_identity};

use super::{
    super::rollover::{RollOver, RolledOver},
    support::{bases, noon, opening_day, take_over},
    *,
};
use crate::{error::RollOverRefused, event::IssuerEvent, store::LogStore};

const CA: Authority = Authority::Organization;

fn day(text: &str) -> JstDate {
    text.parse().unwrap()
}

fn wanted(first: &str) -> RollOver {
    RollOver {
        authority: CA,
        generation: None,
        algorithm: None,
        day: Some(day(first)),
    }
}

async fn roll_over(app: &App<LogStore>, wanted: RollOver) -> Result<RolledOver, IssuerError> {
    app.roll_over(wanted, "ceremony").await
}

fn refusal(result: Result<RolledOver, IssuerError>) -> RollOverRefused {
    match result.unwrap_err() {
        IssuerError::RollOver(refused) => refused,
        other => panic!("{other}"),
    }
}

/// The generation that issues a certificate now.
async fn issuing(fixture: &Fixture, n: u8) -> u32 {
    let answers = fixture.issue(vec![order(n, CertificateKind::User)]).await;
    let issued = Certificate::parse(&certificate(&answers[0]).der).unwrap();
    let records = fixture.app.authorities().await.unwrap();
    let signed = records.iter().filter(|record| {
        let ca = Certificate::parse(&record.certificate).unwrap();
        issued.is_signed_by(ca.public_key().unwrap())
    });
    let generations: Vec<_> = signed.map(|record| record.generation).collect();
    assert_eq!(generations.len(), 1);
    let file = format!("organization-{}.crl", generations[0]);
    assert!(issued.crl_addresses()[0].ends_with(&file));
    generations[0]
}

#[tokio::test]
async fn the_new_key_issues_from_its_day_on_and_the_old_one_stays() {
    let fixture = Fixture::new().await;
    fixture.clock.set(day("2015-01-20").start());
    let begin = fixture.log_size();
    let rolled = roll_over(&fixture.app, wanted("2015-02-01")).await.unwrap();
    assert_eq!(
        fixture.kinds(begin),
        [
            "authority.intent",
            "authority.created",
            "certificate.intent",
            "certificate.issued",
            "certificate.intent",
            "certificate.issued"
        ]
    );
    for event in fixture.events(begin) {
        if let IssuerEvent::Issued(link) = event {
            assert_eq!(link.kind, CertificateKind::Link);
            assert_eq!(link.scope, CrlScope::CaCertificates);
            assert_eq!(link.branch, None);
        }
    }
    let records = fixture.app.authorities().await.unwrap();
    let mut both = records.iter().filter(|r| r.authority == CA);
    let key = |der: &[u8]| {
        Certificate::parse(der)
            .unwrap()
            .public_key()
            .cloned()
            .unwrap()
    };
    let (old, new) = (both.next().unwrap(), both.next().unwrap());
    assert_eq!((old.generation, new.generation), (1, 2));
    assert_eq!(new, &rolled.record);
    assert_eq!(new.algorithm, old.algorithm);
    for (link, signs, certified) in [
        (&rolled.old_with_new, new, old),
        (&rolled.new_with_old, old, new),
    ] {
        let link = Certificate::parse(&link.der).unwrap();
        assert!(link.is_signed_by(&key(&signs.certificate)));
        assert_eq!(link.public_key(), Some(&key(&certified.certificate)));
        assert!(link.is_ca() && link.is_self_issued());
    }
    assert_eq!(issuing(&fixture, 1).await, 1);
    fixture.clock.set(day("2015-01-31").last_second());
    assert_eq!(issuing(&fixture, 2).await, 1);
    fixture.clock.set(day("2015-02-01").start());
    assert_eq!(issuing(&fixture, 3).await, 2);
}

#[tokio::test]
async fn a_ca_past_its_issuing_years_refuses_until_its_key_is_rolled_over() {
    let fixture = Fixture::new().await;
    fixture.clock.set(day("2015-02-04").start());
    assert_eq!(issuing(&fixture, 1).await, 1);
    fixture.clock.set(day("2015-02-05").start());
    let answers = fixture.issue(vec![order(2, CertificateKind::User)]).await;
    let Answer::Refused(faults) = &answers[0] else {
        panic!("{answers:?}")
    };
    let fault = faults.iter().next().unwrap();
    assert_eq!(fault.reason, "CA_EXPIRES_FIRST");
    assert!(fault.message.contains("rolled"), "{fault}");
    roll_over(&fixture.app, wanted("2015-02-05")).await.unwrap();
    assert_eq!(issuing(&fixture, 3).await, 2);
}

#[tokio::test]
async fn a_rollover_is_not_held_twice_by_mistake() {
    let fixture = Fixture::new().await;
    let too_early = roll_over(&fixture.app, wanted("2008-02-04")).await;
    assert!(matches!(refusal(too_early), RollOverRefused::Day { .. }));
    let too_late = roll_over(&fixture.app, wanted("2018-02-04")).await;
    assert!(matches!(refusal(too_late), RollOverRefused::Day { .. }));
    let begin = fixture.log_size();
    let first = roll_over(&fixture.app, wanted("2012-02-04")).await.unwrap();
    let again = roll_over(&fixture.app, wanted("2013-02-03")).await;
    let refused = refusal(again);
    assert!(matches!(refused, RollOverRefused::Lately { newest: 2, .. }));
    let told = refused.to_string();
    assert!(told.contains("its number, 2;"), "{told}");
    let numbered = |generation| RollOver {
        generation: Some(generation),
        ..wanted("2013-02-03")
    };
    for wrong in [1, 4] {
        let refused = roll_over(&fixture.app, numbered(wrong)).await;
        assert!(matches!(
            refusal(refused),
            RollOverRefused::OtherGeneration { possible: 3, .. }
        ));
    }
    let size = fixture.log_size();
    let unsaid = RollOver {
        day: None,
        ..wanted("2012-02-04")
    };
    for again in [numbered(2), wanted("2012-02-04"), unsaid] {
        let same = roll_over(&fixture.app, again).await.unwrap();
        assert_eq!(same.record, first.record);
        assert_eq!(same.old_with_new, first.old_with_new);
        assert_eq!(same.new_with_old, first.new_with_old);
        assert!(same.stood && !first.stood);
        let older = same.older.iter().map(|record| record.generation);
        assert_eq!(older.collect::<Vec<_>>(), [1]);
    }
    assert_eq!(fixture.log_size(), size, "nothing is made twice");
    // The day that was named makes no further key, whenever it is named again.
    fixture.clock.set(day("2013-06-01").start());
    roll_over(&fixture.app, wanted("2012-02-04")).await.unwrap();
    assert_eq!(fixture.log_size(), size, "nothing is made twice");
    roll_over(&fixture.app, numbered(3)).await.unwrap();
    let created = fixture.kinds(begin);
    let created = created.iter().filter(|kind| **kind == "authority.created");
    assert_eq!(created.count(), 2);
}

fn open(disk: &FaultyDisk) -> LogStore {
    let options = Options {
        disk: Arc::new(disk.clone()),
        ..Options::new(log_identity("issuer-1"))
    };
    LogStore::open_unindexed(Path::new("issuer"), options)
        .unwrap()
        .0
}

/// The disk fails at the ceremony's `step`th step; what the next ceremony makes of it. `None` once
/// the ceremony has no such step.
async fn crash_at(step: u64, fault: Fault, persisted: Persisted) -> Option<()> {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let clock = ManualClock::new(noon());
    let store = open(&disk);
    let app = take_over(&store, dir.path(), &clock, 1).await;
    let publishing = Publishing {
        bases: &bases(),
        crl: lgpki_domain::CrlOptions::default(),
    };
    app.create_authority(CA, KeyAlgorithm::P256, opening_day(), publishing, "init")
        .await
        .unwrap();
    disk.fail_at(step, fault);
    let first = opening_day().plus_months(12);
    let wish = RollOver {
        day: Some(first),
        ..wanted("2009-02-04")
    };
    let rolled = roll_over(&app, wish).await;
    if rolled.is_ok() && disk.fault_pending() {
        return None;
    }
    drop((app, store));
    disk.power_cut(persisted);
    clock.set(first.start());

    let store = open(&disk);
    let app = take_over(&store, dir.path(), &clock, 2).await;
    let links = |events: &[IssuerEvent]| {
        let of_kind = |event: &&IssuerEvent| matches!(event, IssuerEvent::Issued(e) if e.kind == CertificateKind::Link);
        events.iter().filter(of_kind).count()
    };
    let events = |store: &LogStore| -> Vec<IssuerEvent> {
        let entries = store.log().read(0, usize::MAX, usize::MAX).unwrap();
        let decoded = entries.into_iter();
        decoded
            .map(|(index, bytes)| lgpki_ledger::decode(index, &bytes).unwrap().event)
            .collect()
    };
    let linked = links(&events(&store)) == 2;
    let issuing = app.issuing(CA, first).unwrap().issuer.generation();
    assert_eq!(issuing == 2, linked, "a key issues with its links only");
    // The same command.
    let rolled = roll_over(&app, wish).await.unwrap();
    assert_eq!(rolled.record.generation, 2);
    assert_eq!(rolled.stood, linked);
    assert_eq!(app.issuing(CA, first).unwrap().issuer.generation(), 2);
    let events = events(&store);
    assert_eq!(links(&events), 2, "each link is made once");
    let intents = events
        .iter()
        .filter(|event| matches!(event, IssuerEvent::Intended(_)));
    let ended = events.iter().filter(|event| match event {
        IssuerEvent::Issued(_) => true,
        IssuerEvent::Abandoned(e) => {
            assert_eq!(e.scope, CrlScope::CaCertificates);
            true
        }
        _ => false,
    });
    assert_eq!(intents.count(), ended.count(), "every intent has one end");
    Some(())
}

async fn crash_everywhere(fault: Fault, persisted: Persisted) {
    let mut steps = 0;
    while crash_at(steps + 1, fault, persisted).await.is_some() {
        steps += 1;
    }
    // Six entries, each written and synced on its own.
    assert_eq!(steps, 12);
}

#[tokio::test]
async fn a_rollover_cut_off_before_any_write_is_finished_by_the_next_ceremony() {
    let fault = Fault::Before(io::ErrorKind::Other);
    crash_everywhere(fault, Persisted::Nothing).await;
}

#[tokio::test]
async fn a_rollover_cut_off_after_any_write_is_finished_by_the_next_ceremony() {
    let fault = Fault::After(io::ErrorKind::Other);
    crash_everywhere(fault, Persisted::Everything).await;
}
