//! When the issuer or lifecycle is away, slow or of another mind.

use lgpki_domain::CertificateKind;
use lgpki_proto::v1::{
    self, ApplicationState, issuance_result::Outcome, submit_application_request::Content,
};
use tonic::Status;

use crate::{
    fakes::{Instead, World, login},
    scene::{Scene, application, request},
};

#[tokio::test]
async fn an_order_goes_out_again_until_the_issuer_answers() {
    let scene = Scene::new().await;
    let open = Outcome::InProgress(v1::IssuanceInProgress { attempt: 1 });
    scene.world.known().instead.extend([
        Instead::Status(Status::unavailable("away")),
        Instead::Status(Status::permission_denied("who are you")),
        Instead::EachOrder(open),
    ]);
    let branch = scene.branch();
    let id = branch
        .submitted(application(CertificateKind::OfficialDuty, 1))
        .await;
    scene.reaches(&id, ApplicationState::Issued).await;
    let known = scene.world.known();
    assert_eq!(known.orders.len(), 4);
    assert!(known.orders.iter().all(|order| order.attempt == 1));
    assert_eq!(known.issued.len(), 1);
}

#[tokio::test]
async fn an_abandoned_attempt_is_followed_by_the_next() {
    let scene = Scene::new().await;
    let abandoned = Outcome::Abandoned(v1::IssuanceAbandoned { attempt: 1 });
    scene
        .world
        .known()
        .instead
        .push_back(Instead::EachOrder(abandoned));
    let branch = scene.branch();
    let id = branch
        .submitted(application(CertificateKind::OfficialDuty, 1))
        .await;
    scene.reaches(&id, ApplicationState::Issued).await;
    let attempts: Vec<_> = scene
        .world
        .known()
        .orders
        .iter()
        .map(|o| o.attempt)
        .collect();
    assert_eq!(attempts, [1, 2]);
}

#[tokio::test]
async fn what_the_issuer_refuses_for_good_fails_with_its_words() {
    let scene = Scene::new().await;
    let refused = Outcome::Refused(v1::IssuanceRefused {
        faults: vec![v1::FieldFault {
            field: "subject_public_key_info".to_owned(),
            reason: "KEY_CERTIFIED_BEFORE".to_owned(),
            message: "make a new key pair".to_owned(),
        }],
    });
    scene
        .world
        .known()
        .instead
        .push_back(Instead::EachOrder(refused));
    let branch = scene.branch();
    let id = branch
        .submitted(application(CertificateKind::OfficialDuty, 1))
        .await;
    let failed = scene.reaches(&id, ApplicationState::Failed).await;
    assert!(
        failed.reason.contains("make a new key pair"),
        "{}",
        failed.reason
    );
    let download = v1::DownloadCertificateRequest { id };
    let none = branch.applications().download_certificate(download).await;
    assert_eq!(none.unwrap_err().code(), tonic::Code::FailedPrecondition);
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_does_not_hold_up_others() {
    let scene = Scene::new().await;
    scene
        .world
        .known()
        .instead
        .push_back(Instead::Status(Status::invalid_argument("unreadable")));
    let branch = scene.branch();
    let id = branch
        .submitted(application(CertificateKind::OfficialDuty, 1))
        .await;
    scene.reaches(&id, ApplicationState::Failed).await;
    let next = branch
        .submitted(application(CertificateKind::OfficialDuty, 2))
        .await;
    scene.reaches(&next, ApplicationState::Issued).await;
}

#[tokio::test]
async fn a_revocation_waits_for_lifecycle() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    let id = branch
        .submitted(application(CertificateKind::OfficialDuty, 1))
        .await;
    let serial = scene.reaches(&id, ApplicationState::Issued).await.serial;
    scene.learns_of(std::slice::from_ref(&serial)).await;
    scene.world.known().lifecycle_away = 2;
    let revoke = Content::Revoke(v1::RevokeContent {
        serial,
        reason: v1::RevocationReason::KeyCompromise.into(),
    });
    let id = branch.submitted(request("revoke-1", revoke)).await;
    scene.reaches(&id, ApplicationState::Completed).await;
    assert_eq!(scene.world.known().revocations.len(), 1);
}

#[tokio::test]
async fn an_issuer_that_hangs_delays_no_revocation() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    let duty = application(CertificateKind::OfficialDuty, 0);
    let id = branch.submitted(duty).await;
    let serial = scene.reaches(&id, ApplicationState::Issued).await.serial;
    scene.learns_of(std::slice::from_ref(&serial)).await;
    let silence = [Instead::Silence, Instead::Silence];
    scene.world.known().instead.extend(silence);
    // One batch after the other, until no more may be under way.
    for n in 1..=2 {
        let before = scene.world.known().orders.len();
        let duty = application(CertificateKind::OfficialDuty, n);
        branch.submitted(duty).await;
        while scene.world.known().orders.len() == before {
            tokio::task::yield_now().await;
        }
    }
    let waiting = application(CertificateKind::OfficialDuty, 3);
    let waiting = branch.submitted(waiting).await;
    let lost = Content::Revoke(v1::RevokeContent {
        serial,
        reason: v1::RevocationReason::KeyCompromise.into(),
    });
    let lost = branch.submitted(request("revoke-1", lost)).await;
    scene.reaches(&lost, ApplicationState::Completed).await;
    scene.reaches(&waiting, ApplicationState::Queued).await;
}

#[tokio::test]
async fn a_revocation_that_cannot_be_read_does_not_hold_up_others() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    let mut serials = Vec::new();
    for n in 1..=2 {
        let duty = application(CertificateKind::OfficialDuty, n);
        let id = branch.submitted(duty).await;
        serials.push(scene.reaches(&id, ApplicationState::Issued).await.serial);
    }
    scene.learns_of(&serials).await;
    scene.world.known().unreadable = Some(serials[0].clone());
    // Both wait for lifecycle, and so go out together.
    scene.world.known().lifecycle_away = 2;
    let mut ids = Vec::new();
    for (n, serial) in serials.into_iter().enumerate() {
        let revoke = Content::Revoke(v1::RevokeContent {
            serial,
            reason: v1::RevocationReason::KeyCompromise.into(),
        });
        let request = request(&format!("revoke-{n}"), revoke);
        ids.push(branch.submitted(request).await);
    }
    scene.reaches(&ids[0], ApplicationState::Failed).await;
    scene.reaches(&ids[1], ApplicationState::Completed).await;
}

#[tokio::test]
async fn a_certificate_is_not_handed_out_before_the_inventory_has_it() {
    let world = World::new();
    world.known().inventory_stands_still = true;
    let scene = Scene::with(world).await;
    let branch = scene.branch();
    let id = branch
        .submitted(application(CertificateKind::OfficialDuty, 1))
        .await;
    scene.reaches(&id, ApplicationState::Issued).await;
    let download = v1::DownloadCertificateRequest { id };
    let early = branch
        .applications()
        .download_certificate(download.clone())
        .await;
    let early = lgpki_proto::RemoteError::from(early.unwrap_err());
    assert_eq!(early.reason, "CERTIFICATE_NOT_IN_INVENTORY");
    assert!(early.retry_after.is_some());
    // What was not handed out was not stored either.
    let confirm = v1::ConfirmDeliveryRequest {
        ids: vec![download.id.clone()],
    };
    let confirmed = branch.applications().confirm_delivery(confirm).await;
    let confirmed = confirmed.unwrap().into_inner();
    let refusal = confirmed.refused[0].refusal.as_ref().unwrap();
    assert_eq!(refusal.reason, "CERTIFICATE_NOT_IN_INVENTORY");
    assert!(confirmed.delivered.is_empty() && refusal.retry_after_ms > 0);
    // Neither is the subject free in between, though neither application nor standing holds it.
    let mut second = application(CertificateKind::OfficialDuty, 1);
    second.request_id = "the-second-one".to_owned();
    let refused = branch.submit(second).await.unwrap_err();
    assert_eq!(refused.reason, "APPLICATION_REFUSED", "{refused}");

    scene.world.known().inventory_stands_still = false;
    scene.world.tell();
    loop {
        match branch
            .applications()
            .download_certificate(download.clone())
            .await
        {
            Ok(_) => break,
            Err(status) => assert_eq!(status.code(), tonic::Code::Unavailable),
        }
    }
}

#[tokio::test]
async fn nobody_enters_before_the_standings_are_known() {
    let world = World::new();
    world.caught_up(false);
    let scene = Scene::with(world).await;
    let branch = scene.branch();
    let early = branch
        .submit(application(CertificateKind::OfficialDuty, 1))
        .await
        .unwrap_err();
    assert_eq!(early.code, tonic::Code::Unavailable);
    assert!(early.retry_after.is_some(), "{early}");
    scene.world.caught_up(true);
    loop {
        match branch
            .submit(application(CertificateKind::OfficialDuty, 1))
            .await
        {
            Ok(_) => break,
            Err(error) => assert_eq!(error.code, tonic::Code::Unavailable),
        }
    }
}

#[tokio::test]
async fn a_revocation_that_cannot_be_read_is_asked_for_until_it_can() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    let mut revoked = login(10);
    "2009-02-01T09:00:00.000+09:00".clone_into(&mut revoked.revoked_at);
    let mut unreadable = revoked.clone();
    "yesterday".clone_into(&mut unreadable.revoked_at);
    scene.world.known().standings.push(unreadable);
    scene.world.tell();
    while scene.world.known().followed_from.len() < 3 {
        tokio::task::yield_now().await;
    }
    // Nothing but the row has changed, and nobody tells of it.
    *scene.world.known().standings.last_mut().unwrap() = revoked;
    let sent = application(CertificateKind::OfficialDuty, 1);
    loop {
        match branch.submit(sent.clone()).await {
            Ok(_) => {}
            Err(refused) => {
                assert_eq!(refused.reason, "CLIENT_CERTIFICATE_REVOKED");
                break;
            }
        }
    }
    let followed_from = scene.world.known().followed_from.clone();
    assert!(
        followed_from.iter().all(|from| *from == 0),
        "{followed_from:?}"
    );
}

#[tokio::test]
async fn an_answer_about_another_attempt_does_not_end_the_order() {
    let scene = Scene::new().await;
    let stale = Outcome::Abandoned(v1::IssuanceAbandoned { attempt: 7 });
    let instead = [Instead::EachOrder(stale.clone()), Instead::EachOrder(stale)];
    scene.world.known().instead.extend(instead);
    let branch = scene.branch();
    let id = branch
        .submitted(application(CertificateKind::OfficialDuty, 1))
        .await;
    scene.reaches(&id, ApplicationState::Issued).await;
    let attempts: Vec<_> = scene
        .world
        .known()
        .orders
        .iter()
        .map(|o| o.attempt)
        .collect();
    assert_eq!(attempts, [1, 1, 1]);
}
