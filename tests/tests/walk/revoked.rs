//! A renewal under way whose certificate is revoked: it ends, whatever was approved, and its certificate is
//! never issued (R2).

use lgpki_proto::v1::{
    self, ApplicationState, CertificateState, RevocationReason, examination_outcome::Outcome,
    submit_application_request::Content,
};
use lgpki_tests::system::{Order, Plan, System, at};

const BRANCH: &str = "01001";
const REVOKED: &str = "CERTIFICATE_REVOKED_BEFORE";

async fn begin() -> System {
    let plan = Plan {
        branches: &[BRANCH],
        ..Plan::default()
    };
    System::begin(plan).await
}

#[tokio::test]
async fn a_compromised_login_is_not_renewed_by_whoever_held_it() {
    let system = begin().await;
    system.jump_to(at("2010-08-03", "09:00:00")).await;
    let (operator, officer) = (system.operator(), "lgwan-officer-01001");
    let (desk, serial) = (system.office(officer), system.login_serial(officer));
    let held = operator.certificate(&serial).await.unwrap();
    let order = Order::for_the_same_as(&held);
    let renewal = Content::Renew(order.renewal(&serial));
    let applied = desk.submit_for(&held.branch, renewal).await.unwrap();
    let examining = |state| state == ApplicationState::Examining;
    desk.watch(&applied.id, examining).await.unwrap();
    let content = Content::Revoke(v1::RevokeContent {
        serial: serial.clone(),
        reason: RevocationReason::KeyCompromise.into(),
    });
    let revocation = operator.submit_for(&held.branch, content).await.unwrap();
    // Another operator examines it, where the policy wants that.
    operator.approve_all().await.unwrap();
    let revocation = operator.outcome(&revocation.id).await.unwrap();
    assert_eq!(revocation.state(), ApplicationState::Completed);
    assert_eq!(operator.state(&serial).await, CertificateState::Revoked);
    // It is no longer listed, nor approved by name.
    assert_eq!(operator.approve_all().await.unwrap(), 0);
    let refused = operator
        .approve(std::slice::from_ref(&applied.id))
        .await
        .unwrap();
    let why = refused[0]
        .outcome
        .as_ref()
        .and_then(|outcome| match outcome {
            Outcome::Refused(refused) => Some(refused.reason.as_str()),
            Outcome::Application(_) => None,
        });
    assert_eq!(why, Some(REVOKED), "{refused:?}");
    let failed = operator.application(&applied.id).await.unwrap();
    assert_eq!(failed.state(), ApplicationState::Failed);
    assert!(failed.reason.contains("apply for a new"), "{failed:?}");
}

#[tokio::test]
async fn a_renewal_and_the_abolition_of_its_certificate_approved_together_leave_none() {
    let system = begin().await;
    let (branch, operator) = (system.branch(BRANCH), system.operator());
    let order = Order::official_duty(BRANCH, "Mayor", "市長");
    let applied = branch.apply(&order).await.unwrap();
    operator.approve_all().await.unwrap();
    let old = branch.fetch(&applied.id).await.unwrap().serial;
    system.jump_to(at("2010-12-01", "10:00:00")).await;
    let renewal = branch.renew(&old, &order.again()).await.unwrap();
    let examining = |state| state == ApplicationState::Examining;
    branch.watch(&renewal.id, examining).await.unwrap();
    let abolition = branch.abolish(&old).await.unwrap();
    operator
        .approve(&[renewal.id.clone(), abolition.id.clone()])
        .await
        .unwrap();
    let abolition = branch.outcome(&abolition.id).await.unwrap();
    assert_eq!(abolition.state(), ApplicationState::Completed);
    let renewal = branch.outcome(&renewal.id).await.unwrap();
    assert_eq!(renewal.state(), ApplicationState::Failed, "{renewal:?}");
    assert!(renewal.reason.contains(REVOKED), "{renewal:?}");
    // What it says to do next can be done.
    let anew = branch.apply(&order.again()).await.unwrap();
    operator.approve_all().await.unwrap();
    let new = branch.fetch(&anew.id).await.unwrap().serial;
    assert_eq!(operator.state(&new).await, CertificateState::Valid);
    assert_eq!(operator.state(&old).await, CertificateState::Revoked);
}
