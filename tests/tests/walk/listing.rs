//! How long a revoked certificate stays on the lists, whatever happens to the services meanwhile.

use lgpki_domain::{Authority, Serial};
use lgpki_proto::{ServiceName, v1};
use lgpki_tests::system::{Order, Plan, System, at};

/// Whether the newest list of the Organization CA has it.
fn listed(system: &System, serial: &str) -> bool {
    let serial: Serial = serial.parse().unwrap();
    let list = system.relying().crl(Authority::Organization).unwrap();
    list.find(serial).is_some()
}

/// A certificate that is issued and revoked on the opening day, after that day's list.
async fn revoked_on_the_first_day(system: &System) -> String {
    system.go_to_time("2008-02-04", "12:00:00").await;
    let branch = system.branch("01001");
    let order = Order::official_duty("01001", "Mayor", "市長");
    let applied = branch.apply(&order).await.unwrap();
    assert_eq!(system.operator().approve_all().await.unwrap(), 1);
    let mayor = branch.fetch(&applied.id).await.unwrap();
    assert_eq!(
        branch.state(&mayor.serial).await,
        v1::CertificateState::Valid
    );
    let reason = v1::RevocationReason::AffiliationChanged;
    let revocation = branch.revoke(&mayor.serial, reason).await.unwrap();
    assert_eq!(system.operator().approve_all().await.unwrap(), 1);
    let ended = branch.outcome(&revocation.id).await.unwrap();
    assert_eq!(ended.state(), v1::ApplicationState::Completed);
    assert_eq!(
        branch.state(&mayor.serial).await,
        v1::CertificateState::Revoked
    );
    mayor.serial
}

#[tokio::test]
async fn a_revoked_certificate_stays_on_each_days_list_until_one_that_follows_its_expiry() {
    let mut system = System::begin(Plan::default()).await;
    let mayor = revoked_on_the_first_day(&system).await;
    // Not urgent: it waits for the next day's list.
    assert!(!listed(&system, &mayor));
    for service in ServiceName::ALL {
        system.next_day().await;
        assert!(listed(&system, &mayor), "{}", system.today());
        system.restart(service).await;
        assert!(listed(&system, &mayor), "{}", system.today());
    }
    // Its last day is 2011-02-03; the list of the day after is the first one issued past its expiry.
    system.jump_to(at("2011-02-02", "12:00:00")).await;
    for day in ["2011-02-03", "2011-02-04"] {
        system.go_to_time(day, "09:15:00").await;
        assert!(listed(&system, &mayor), "{day}");
    }
    system.go_to_time("2011-02-05", "09:14:59").await;
    assert!(listed(&system, &mayor));
    system.pass(1).await;
    assert!(!listed(&system, &mayor));
}

#[tokio::test]
async fn a_key_compromise_is_listed_at_once_and_a_crashed_service_publishes_it_when_it_is_back() {
    let plan = Plan {
        automatic: &["official-duty"],
        ..Plan::default()
    };
    let mut system = System::begin(plan).await;
    let branch = system.branch("01001");
    let mut serials = Vec::new();
    for (en, ja) in [("Mayor", "市長"), ("Deputy Mayor", "副市長")] {
        let applied = branch.apply(&Order::official_duty("01001", en, ja)).await;
        let found = branch.fetch(&applied.unwrap().id).await.unwrap();
        serials.push(found.serial);
    }
    let lost = v1::RevocationReason::KeyCompromise;
    // A list of this second exists already; the next one bears the next second.
    system.pass(1).await;
    branch.revoke(&serials[0], lost).await.unwrap();
    system
        .until("it is listed", || async { listed(&system, &serials[0]) })
        .await;

    system.pass(60).await;
    system.crash(ServiceName::Lifecycle).await;
    let revocation = branch.revoke(&serials[1], lost).await.unwrap();
    system.start(ServiceName::Lifecycle).await;
    branch.outcome(&revocation.id).await.unwrap();
    system
        .until("it is listed", || async { listed(&system, &serials[1]) })
        .await;
}

#[tokio::test]
async fn logins_that_expired_are_let_in_no_more_and_the_next_ones_are() {
    let mut system = System::begin(Plan::default()).await;
    system.jump_to(at("2011-02-03", "23:59:59")).await;
    let serial = system.login_serial("operator-1");
    assert!(system.operator().certificate(&serial).await.is_ok());
    system.pass(1).await;
    let refused = system.operator().certificate(&serial).await.unwrap_err();
    assert_eq!(refused.reason, "CLIENT_CERTIFICATE_EXPIRED");
    system.renew_central_logins().await;
    let state = system.operator().state(&serial).await;
    assert_eq!(state, v1::CertificateState::Expired);
}
