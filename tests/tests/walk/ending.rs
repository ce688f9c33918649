//! The last day on which a CA issues, and the first after it: whoever comes then is told at the door, and
//! not after two persons have examined it.

use lgpki_domain::Authority;
use lgpki_issuer::ceremony::RollOver;
use lgpki_proto::RemoteError;
use lgpki_tests::system::{Order, Plan, System, at};

const BRANCH: &str = "01001";

fn reasons(refused: &RemoteError) -> Vec<(&str, &str)> {
    let faults = refused.faults.iter();
    faults
        .map(|fault| (fault.field.as_str(), fault.reason.as_str()))
        .collect()
}

#[tokio::test]
async fn past_its_last_issuing_day_a_ca_is_applied_to_in_vain_and_says_so_at_once() {
    let plan = Plan {
        branches: &[BRANCH],
        ..Plan::default()
    };
    let mut system = System::begin(plan).await;
    // Each time on the last day of the logins.
    for day in ["2011-02-03", "2014-02-02"] {
        system.jump_to(at(day, "10:00:00")).await;
        system.renew_all_logins().await;
    }
    system.jump_to(at("2015-02-04", "12:00:00")).await;
    let (branch, operator) = (system.branch(BRANCH), system.operator());
    let order = |name: &str| Order::official_duty(BRANCH, name, "市長");
    let last = branch.apply(&order("Mayor")).await.unwrap();
    operator.approve_all().await.unwrap();
    branch.fetch(&last.id).await.unwrap();

    system.jump_to(at("2015-02-05", "09:00:00")).await;
    let refused = branch.apply(&order("Deputy Mayor")).await.unwrap_err();
    assert_eq!(reasons(&refused), [("issue.kind", "CA_EXPIRES_FIRST")]);
    let message = &refused.faults[0].message;
    assert!(message.contains("2015-02-04"), "{message}");
    let host = Order::web_server(BRANCH, "www.example.lg.jp");
    let refused = branch.apply(&host).await.unwrap_err();
    assert_eq!(reasons(&refused), [("issue.kind", "CA_EXPIRES_FIRST")]);

    // What it says to wait for comes, and is seen at once.
    let first_day = system.today().plus_days(1);
    let wanted = RollOver {
        authority: Authority::Organization,
        generation: None,
        algorithm: None,
        day: Some(first_day),
    };
    let rolled = system
        .hold(async |ceremony| ceremony.roll_over(wanted).await)
        .await;
    rolled.unwrap();
    let refused = branch.apply(&order("Deputy Mayor")).await.unwrap_err();
    assert_eq!(reasons(&refused), [("issue.kind", "CA_EXPIRES_FIRST")]);
    let morning = first_day.start().plus_seconds(9 * 3600);
    system.go_to(morning).await;
    let next = branch.apply(&order("Deputy Mayor")).await.unwrap();
    operator.approve_all().await.unwrap();
    let fetched = branch.fetch(&next.id).await.unwrap();
    assert!(!fetched.certificate.is_empty());
    let refused = branch.apply(&host).await.unwrap_err();
    assert_eq!(reasons(&refused), [("issue.kind", "CA_EXPIRES_FIRST")]);
}
