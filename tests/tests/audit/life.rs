//! Three years of a system: certificates of every sort, renewals, revocations, a second key, deltas.

use lgpki_audit::{Service, Silent};
use lgpki_domain::{Authority, CrlOptions, Timestamp};
use lgpki_issuer::ceremony::RollOver;
use lgpki_keys::SoftwareKey;
use lgpki_proto::{ServiceName, v1::RevocationReason};
use lgpki_store::Rhythm;
use lgpki_tests::system::{Order, Plan, System};

use crate::Logs;

const BRANCH: &str = "01001";

/// A system that lived for a while and was stopped: its logs, and the key of the Organization CA.
pub(crate) async fn lived() -> (Logs, SoftwareKey) {
    let mut system = System::begin(Plan {
        branches: &[BRANCH],
        automatic: &["official-duty"],
        crl: CrlOptions {
            partitions: 0,
            delta: true,
        },
        heartbeats: Some(Rhythm::default()),
        ..Plan::default()
    })
    .await;
    system.go_to_time("2008-02-04", "12:00:00").await;
    let branch = system.branch(BRANCH);
    let mut issued = Vec::new();
    for (en, ja) in [
        ("Mayor", "市長"),
        ("Deputy Mayor", "副市長"),
        ("Treasurer", "会計管理者"),
    ] {
        let applied = branch
            .apply(&Order::official_duty(BRANCH, en, ja))
            .await
            .unwrap();
        issued.push(branch.fetch(&applied.id).await.unwrap());
    }
    let server = branch
        .apply(&Order::web_server(BRANCH, "www.city.sapporo.lg.jp"))
        .await
        .unwrap();
    let unwanted = branch
        .apply(&Order::web_server(BRANCH, "old.city.sapporo.lg.jp"))
        .await
        .unwrap();
    system.operator().reject(&[unwanted.id]).await.unwrap();
    assert_eq!(system.operator().approve_all().await.unwrap(), 1);
    branch.fetch(&server.id).await.unwrap();
    let login = branch
        .apply(&Order::login(BRANCH, "Second Officer", "第二責任者"))
        .await
        .unwrap();
    system
        .operator()
        .approve(std::slice::from_ref(&login.id))
        .await
        .unwrap();
    system
        .office("operator-2")
        .approve(std::slice::from_ref(&login.id))
        .await
        .unwrap();
    branch.fetch(&login.id).await.unwrap();
    let reason = RevocationReason::AffiliationChanged;
    let ended = branch.revoke(&issued[1].serial, reason).await.unwrap();
    branch.outcome(&ended.id).await.unwrap();
    system.go_to_time("2008-02-06", "12:00:00").await;
    let today = system.today();
    let rolled = system
        .hold(async |ceremony| {
            let wanted = RollOver {
                authority: Authority::Organization,
                generation: None,
                algorithm: None,
                day: Some(today),
            };
            ceremony.roll_over(wanted).await
        })
        .await;
    rolled.unwrap();
    system.go_to_time("2008-02-07", "12:00:00").await;
    let again = Order::official_duty(BRANCH, "Treasurer", "会計管理者").again();
    let gone = branch.abolish(&issued[2].serial).await.unwrap();
    branch.outcome(&gone.id).await.unwrap();
    let applied = branch.apply(&again).await.unwrap();
    branch.fetch(&applied.id).await.unwrap();
    system.go_to_time("2008-02-09", "12:00:00").await;
    for service in ServiceName::ALL {
        system.stop(service).await;
    }
    let logs = Logs::of(|service| system.data(service));
    (logs, system.stolen_key(Authority::Organization))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_services_write_holds_against_every_rule() {
    let report = lived().await.0.audit();
    let told = serde_json::to_string_pretty(&report).unwrap();
    assert!(report.is_clean(), "{told}");
    assert!(report.crls > 10, "{told}");
    assert_eq!(report.open.not_registered, 0, "{told}");
    assert_eq!(report.open.not_told, 0, "{told}");
    assert_eq!(report.certificates.revoked, 2, "{told}");
    // The clock jumps by days, and each time the logs' silence ends with a heartbeat.
    let beats = &report.heartbeats;
    let of = |service: &str| {
        let kinds = report.kinds.iter();
        let mut beats = kinds.filter(|one| one.service == service && one.kind == "log.heartbeat");
        beats.next().map_or(0, |one| one.count)
    };
    let counted = Service::ALL.map(|service| of(service.name()));
    assert!(counted.iter().all(|count| *count > 1), "{told}");
    assert_eq!(beats.checked, counted.iter().sum::<u64>(), "{told}");
    assert_eq!(beats.unchecked, 0, "{told}");
    assert!(beats.silences > 2, "{told}");
    let a_day = |silent: &Silent| {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        time(&silent.to).as_seconds() - time(&silent.from).as_seconds() <= 86_400
    };
    assert!(beats.silent.iter().all(a_day), "{told}");
}
