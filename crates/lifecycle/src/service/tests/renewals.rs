//! Renewals over the RPCs: the state of the certificate through them, and what the CRL says.

use lgpki_domain::RenewalOutcome;
use lgpki_proto::{RemoteError, v1::certificate_service_server::CertificateService as _};
use tonic::Code;

use super::*;
use crate::testing::{issued_item, issued_on, item};

fn order(command: u32, n: u32, applied_at: &str) -> v1::RenewalOrder {
    v1::RenewalOrder {
        command_id: application(command).to_string(),
        serial: serial(n).to_string(),
        branch: "01001".to_owned(),
        applied_at: at(applied_at).to_string(),
        actor: "branch-officer/01001/41".to_owned(),
        answers_index: 7,
    }
}

fn end(command: u32, n: u32, outcome: RenewalOutcome, new: Option<u32>) -> v1::RenewalEnd {
    v1::RenewalEnd {
        command_id: application(command).to_string(),
        serial: serial(n).to_string(),
        outcome: wire(outcome),
        new_serial: new.map_or_else(String::new, |new| serial(new).to_string()),
        actor: "intake".to_owned(),
        answers_index: 8,
    }
}

impl World {
    async fn open(&self, order: v1::RenewalOrder) -> v1::RenewalResult {
        let request = v1::OpenRenewalsRequest {
            orders: vec![order],
        };
        let answer = self.handlers.open_renewals(from_intake(request)).await;
        answer.unwrap().into_inner().results.remove(0)
    }

    async fn close(&self, end: v1::RenewalEnd) -> v1::RenewalEndResult {
        let request = v1::CloseRenewalsRequest { ends: vec![end] };
        let answer = self.handlers.close_renewals(from_intake(request)).await;
        answer.unwrap().into_inner().results.remove(0)
    }

    async fn state(&self, n: u32) -> v1::CertificateState {
        let request = v1::GetCertificateRequest {
            serial: serial(n).to_string(),
        };
        let answer = self.handlers.get_certificate(from_intake(request)).await;
        answer.unwrap().into_inner().certificate.unwrap().state()
    }
}

#[tokio::test]
async fn a_certificate_is_renewing_until_the_new_one_is_delivered_and_the_crl_says_nothing_of_it() {
    let world = World::new().await;
    world.register(vec![issued_item(1), issued_item(2)]).await;
    world.clock.set(at("2010-08-03T00:00:00"));
    world.newest(2).await;
    let early = world.open(order(101, 1, "2010-08-02T23:59:59.999")).await;
    let refused = early.refused.unwrap();
    assert_eq!(refused.reason, "RENEWAL_TOO_EARLY");
    assert!(refused.message.contains("2010-08-03"), "{refused:?}");
    assert_eq!(world.state(1).await, v1::CertificateState::Valid);
    let opened = world.open(order(102, 1, "2010-08-03T00:00:00")).await;
    assert_eq!(opened.opened_at, "2010-08-03T00:00:00.000+09:00");
    assert_eq!(world.state(1).await, v1::CertificateState::Renewing);
    world
        .register(vec![item(issued_on(3, "2010-08-04"), 3)])
        .await;
    world.clock.set(at("2010-08-05T10:00:00"));
    world.newest(3).await;
    assert_eq!(world.crl().entries().count(), 0);
    let delivered = end(102, 1, RenewalOutcome::Delivered, Some(3));
    for _ in 0..2 {
        let closed = world.close(delivered.clone()).await;
        assert_eq!(closed.superseded_at, "2010-08-05T10:00:00.000+09:00");
        assert_eq!(closed.refused, None);
    }
    assert_eq!(world.state(1).await, v1::CertificateState::Revoked);
    assert_eq!(world.state(3).await, v1::CertificateState::Valid);
    world.clock.set(at("2010-08-06T10:00:00"));
    world.newest(4).await;
    assert_eq!(world.crl().entries().count(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_renewal_given_up_ends_and_what_cannot_be_read_is_refused_by_field() {
    let world = World::new().await;
    world.register(vec![issued_item(1)]).await;
    world.clock.set(at("2010-12-01T10:00:00"));
    world.open(order(101, 1, "2010-12-01T10:00:00")).await;
    assert_eq!(world.state(1).await, v1::CertificateState::Renewing);
    world
        .close(end(101, 1, RenewalOutcome::GivenUp, None))
        .await;
    assert_eq!(world.state(1).await, v1::CertificateState::Valid);

    let delivered = end(102, 1, RenewalOutcome::Delivered, None);
    let ends = vec![delivered.clone(), v1::RenewalEnd::default()];
    let request = v1::CloseRenewalsRequest { ends };
    let refused = world.handlers.close_renewals(from_intake(request)).await;
    let refused = RemoteError::from(refused.unwrap_err());
    assert_eq!(refused.code, Code::InvalidArgument);
    let fields: Vec<_> = refused.faults.iter().map(|f| f.field.as_str()).collect();
    assert!(fields.contains(&"ends[0].new_serial"), "{fields:?}");
    assert!(fields.contains(&"ends[1].outcome"), "{fields:?}");
    let request = v1::OpenRenewalsRequest {
        orders: vec![v1::RenewalOrder::default(); 501],
    };
    let refused = world.handlers.open_renewals(from_intake(request)).await;
    let refused = RemoteError::from(refused.unwrap_err());
    assert_eq!(refused.faults[0].reason, "TOO_MANY");
    world.stop().await;
}
