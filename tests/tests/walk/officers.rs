//! Officers who apply for nothing else renew their own logins with them: an operator's and an
//! auditor's, which were issued to no branch, and an LGWAN officer's.

use lgpki_proto::v1::{
    self, ApplicationState, CertificateState, submit_application_request::Content,
};
use lgpki_tests::system::{Order, Plan, System, at};

const BRANCH: &str = "01001";

#[tokio::test]
async fn an_operator_an_auditor_and_an_lgwan_officer_renew_their_logins_by_themselves() {
    // Whatever the policy says, another person examines them.
    let plan = Plan {
        branches: &[BRANCH],
        automatic: &["login"],
        ..Plan::default()
    };
    let system = System::begin(plan).await;
    system.jump_to(at("2010-08-02", "23:59:59")).await;
    let examiner = system.office("operator-1");
    let names = ["operator-2", "auditor-1", "lgwan-officer-01001"];
    let renewal = |serial: &str, order: &Order| Content::Renew(order.renewal(serial));
    for name in names {
        let (desk, serial) = (system.office(name), system.login_serial(name));
        let held = examiner.certificate(&serial).await.unwrap();
        let order = Order::for_the_same_as(&held);
        let early = desk
            .submit_for(&held.branch, renewal(&serial, &order))
            .await;
        let early = early.unwrap_err();
        assert_eq!(
            early.faults[0].reason, "RENEWAL_TOO_EARLY",
            "{name} {early}"
        );
        assert!(early.faults[0].message.contains("2010-08-03"), "{early}");
    }
    system.pass(1).await;
    for name in names {
        let (desk, serial) = (system.office(name), system.login_serial(name));
        let held = examiner.certificate(&serial).await.unwrap();
        let order = Order::for_the_same_as(&held);
        let applied = desk
            .submit_for(&held.branch, renewal(&serial, &order))
            .await;
        let id = applied.unwrap().id;
        let examining = |state| state == ApplicationState::Examining;
        let stands = desk.watch(&id, examining).await.unwrap();
        assert_eq!((stands.approvals_needed, &stands.branch), (1, &held.branch));
        assert_eq!(examiner.state(&serial).await, CertificateState::Renewing);
        assert_eq!(examiner.approve_all().await.unwrap(), 1);
        let arrived = desk.fetch(&id).await.unwrap();
        system
            .until("the old login is superseded", || async {
                examiner.state(&serial).await == CertificateState::Revoked
            })
            .await;
        let old = examiner.certificate(&serial).await.unwrap();
        assert_eq!(old.revocation_reason(), v1::RevocationReason::Superseded);
        let new = examiner.certificate(&arrived.serial).await.unwrap();
        assert_eq!(
            (new.branch, new.subject),
            (held.branch, held.subject),
            "{name}"
        );
        let identity = order.identity(&arrived.certificate, &arrived.ca);
        let desk = system.office_of(None, identity);
        assert_eq!(desk.state(&arrived.serial).await, CertificateState::Valid);
        // The new one may fetch itself again.
        assert_eq!(desk.download(&id).await.unwrap().serial, arrived.serial);
    }
}
