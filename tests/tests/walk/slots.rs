//! A renewal in its slot through the whole system: booked ahead, its token kept over restarts, and let in on
//! its day though the branch's quota is used up.

use lgpki_proto::{
    RemoteError, ServiceName,
    v1::{
        self, admission_service_client::AdmissionServiceClient,
        application_service_client::ApplicationServiceClient,
        slot_service_client::SlotServiceClient, submit_application_request::Content,
    },
};
use lgpki_tests::system::{Office, Order, Plan, System, at};

const BRANCH: &str = "01001";

async fn info(office: &Office, serial: &str) -> v1::RenewalInfo {
    let request = v1::GetRenewalInfoRequest {
        serial: serial.to_owned(),
        with_token: true,
        branch: String::new(),
    };
    let mut slots = SlotServiceClient::new(office.channel());
    let answer = slots.get_renewal_info(request).await;
    answer.unwrap().into_inner().info.unwrap()
}

/// Lets the branch send one application and then one in an hour.
async fn tighten(operator: &Office) {
    let mut desk = AdmissionServiceClient::new(operator.channel());
    let standing = desk.get_limits(v1::GetLimitsRequest {}).await.unwrap();
    let standing = standing.into_inner();
    let limits = v1::Limits {
        branch_per_hour: 1,
        branch_per_hour_per_certificate: 0,
        branch_burst: 1,
        branch_burst_per_certificate: 0,
        ..standing.limits.unwrap()
    };
    let change = v1::ChangeLimitsRequest {
        limits: Some(limits),
        revision: standing.revision,
    };
    desk.change_limits(change).await.unwrap();
}

#[tokio::test]
async fn a_token_from_before_all_restarts_lets_a_renewal_in_on_its_day_whatever_the_quota() {
    let plan = Plan {
        branches: &[BRANCH],
        ..Plan::default()
    };
    let mut system = System::begin(plan).await;
    let branch = system.branch(BRANCH);
    let order = Order::official_duty(BRANCH, "Mayor", "市長");
    let applied = branch.apply(&order).await.unwrap();
    assert_eq!(system.operator().approve_all().await.unwrap(), 1);
    let serial = branch.fetch(&applied.id).await.unwrap().serial;
    // A month before the month in which its window opens.
    system.jump_to(at("2010-07-05", "12:00:00")).await;
    system
        .until("the slot is booked", || async {
            !info(&branch, &serial).await.slot_day.is_empty()
        })
        .await;
    let before = info(&branch, &serial).await;
    assert_eq!(before.window_opens, "2010-08-03");
    system.restart(ServiceName::Lifecycle).await;
    system.restart(ServiceName::Intake).await;
    let after = info(&branch, &serial).await;
    assert_eq!(after.slot_day, before.slot_day);
    assert_ne!(after.token, before.token);

    tighten(&system.operator()).await;
    system.jump_to(at(&before.slot_day, "10:00:00")).await;
    let mut client = ApplicationServiceClient::new(branch.channel());
    let mut submit = async |content: Content| {
        let request = branch.request(BRANCH, content);
        let answer = client.submit_application(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(RemoteError::from)
    };
    let other = Order::official_duty(BRANCH, "Deputy", "副市長");
    submit(Content::Issue(other.content.clone())).await.unwrap();
    let renewal = order.again().renewal(&serial);
    let metered = submit(Content::Renew(renewal.clone())).await.unwrap_err();
    assert_eq!(metered.reason, "BRANCH_QUOTA");
    let in_slot = v1::RenewContent {
        slot_token: before.token,
        ..renewal
    };
    let taken = submit(Content::Renew(in_slot)).await.unwrap();
    assert!(taken.slot.unwrap().honoured);
    let id = taken.application.unwrap().id;
    system.settle().await;
    assert_eq!(system.operator().approve_all().await.unwrap(), 2);
    let new = branch.fetch(&id).await.unwrap().serial;
    let operator = system.operator();
    system
        .until("the old certificate is superseded", || async {
            operator.state(&serial).await == v1::CertificateState::Revoked
        })
        .await;
    // Its slot went with it; the new one's is three years away.
    let refused = SlotServiceClient::new(branch.channel())
        .get_renewal_info(v1::GetRenewalInfoRequest {
            serial: serial.clone(),
            ..v1::GetRenewalInfoRequest::default()
        })
        .await;
    let refused = RemoteError::from(refused.unwrap_err());
    assert_eq!(refused.reason, "NOT_RENEWABLE");
    assert_eq!(info(&branch, &new).await.slot_day, "");
}
