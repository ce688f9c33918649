//! Renewals from the door to the superseded certificate, and what a login in renewal may do.

use lgpki_domain::{CertificateKind, OfficerRole};
use lgpki_proto::{
    RemoteError,
    v1::{self, submit_application_request::Content},
};
use tonic::Code;

use crate::{
    pki::{Pki, serial},
    scene::{Scene, application, csr, issue_of, request, sapporo},
};

/// Within the window of what was issued on 2008-02-04.
fn within() -> lgpki_domain::Timestamp {
    "2010-12-01T10:00:00+09:00".parse().unwrap()
}

/// What is renewed: the wish it was issued for, and its serial number.
pub(crate) struct Old {
    issue: v1::IssueContent,
    pub(crate) serial: String,
}

impl Old {
    /// An application to renew it with a new key.
    pub(crate) fn renewal(&self, request_id: &str) -> v1::SubmitApplicationRequest {
        let renew = v1::RenewContent {
            serial: self.serial.clone(),
            csr: csr(&self.issue),
            medium: self.issue.medium,
            slot_token: String::new(),
        };
        request(request_id, Content::Renew(renew))
    }
}

/// A certificate of the opening day, delivered, and the clock within its window.
pub(crate) async fn old(scene: &Scene, kind: CertificateKind) -> Old {
    scene.world.known().issued_on = Some("2008-02-04");
    let mut wanted = application(kind, 1);
    let issue = issue_of(&mut wanted).clone();
    let id = scene.branch().submitted(wanted).await;
    if kind == CertificateKind::Mail {
        approved(scene, &id).await;
    }
    let issued = scene.reaches(&id, v1::ApplicationState::Issued).await;
    scene.learns_of(std::slice::from_ref(&issued.serial)).await;
    confirm(scene, &id).await;
    scene.world.known().issued_on = Some("2010-12-01");
    scene.clock.set(within());
    Old {
        issue,
        serial: issued.serial,
    }
}

/// Two operators approve.
async fn approved(scene: &Scene, id: &str) {
    scene.reaches(id, v1::ApplicationState::Examining).await;
    for number in [20, 21] {
        let operator = scene.officer(OfficerRole::Operator, sapporo(), number);
        let request = v1::ApproveApplicationsRequest {
            ids: vec![id.to_owned()],
        };
        let answer = operator.examination().approve_applications(request).await;
        answer.unwrap();
    }
}

async fn confirm(scene: &Scene, id: &str) {
    loop {
        let request = v1::ConfirmDeliveryRequest {
            ids: vec![id.to_owned()],
        };
        let mut branch = scene.branch().applications();
        let answer = branch.confirm_delivery(request).await;
        if !answer.unwrap().into_inner().delivered.is_empty() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn withdraw(scene: &Scene, id: &str) {
    let request = v1::WithdrawApplicationRequest { id: id.to_owned() };
    let mut branch = scene.branch().applications();
    branch.withdraw_application(request).await.unwrap();
}

/// Waits until lifecycle was told.
async fn told(scene: &Scene, what: &str, id: &str) {
    let wanted = format!("{what} {id}");
    while !scene.world.known().renewals.contains(&wanted) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_renewal_waits_for_lifecycle_is_issued_and_on_delivery_supersedes_the_old_one() {
    let scene = Scene::new().await;
    let old = old(&scene, CertificateKind::OfficialDuty).await;
    scene
        .clock
        .set("2010-08-02T23:59:59.999+09:00".parse().unwrap());
    let early = scene.branch().submit(old.renewal("renewal-1")).await;
    let early = early.unwrap_err();
    assert_eq!(early.reason, "APPLICATION_REFUSED");
    assert_eq!(early.faults[0].reason, "RENEWAL_TOO_EARLY");
    assert!(early.faults[0].message.contains("2010-08-03"));

    scene
        .clock
        .set("2010-08-03T00:00:00+09:00".parse().unwrap());
    let id = scene.branch().submitted(old.renewal("renewal-1")).await;
    let issued = scene.reaches(&id, v1::ApplicationState::Issued).await;
    assert_eq!(issued.sort(), v1::ApplicationSort::Renew);
    assert_eq!(issued.renewed_serial, old.serial);
    assert_ne!(issued.serial, old.serial);
    let heard = [format!("open {id}"), format!("asked {id}")];
    assert_eq!(scene.world.known().renewals, heard);
    scene.learns_of(std::slice::from_ref(&issued.serial)).await;
    // Lifecycle is away at the moment of delivery: the end waits for it.
    scene.world.known().renewals_away = 3;
    confirm(&scene, &id).await;
    told(&scene, "delivered", &id).await;
    scene.learns_of_revocation(&old.serial).await;
    let log = scene.log_text();
    let place = |kind: &str| log.find(kind).unwrap();
    assert!(place("\"renewal.opened\"") < log.rfind("application.claimed").unwrap());
}

#[tokio::test]
async fn while_lifecycle_is_away_a_renewal_stays_received_and_can_be_withdrawn() {
    let scene = Scene::new().await;
    let old = old(&scene, CertificateKind::OfficialDuty).await;
    scene.world.known().renewals_away = u32::MAX;
    let branch = scene.branch();
    let first = branch.submit(old.renewal("renewal-1")).await.unwrap();
    let first = first.application.unwrap();
    assert_eq!(first.state(), v1::ApplicationState::Received);
    let second = branch.submit(old.renewal("renewal-2")).await.unwrap_err();
    assert_eq!(second.faults.len(), 1, "{:?}", second.faults);
    assert_eq!(second.faults[0].reason, "RENEWAL_IS_OPEN");
    withdraw(&scene, &first.id).await;
    // The next one goes behind the end of the first, which lifecycle must hear of before.
    let third = branch.submitted(old.renewal("renewal-3")).await;
    scene.world.known().renewals_away = 0;
    scene.reaches(&third, v1::ApplicationState::Issued).await;
    assert_eq!(
        scene.world.known().renewals,
        ["up", "open", "asked"].map(|what| match what {
            "up" => format!("up {}", first.id),
            what => format!("{what} {third}"),
        })
    );
}

#[tokio::test]
async fn a_renewal_is_ordered_only_with_lifecycles_word_that_it_is_still_open() {
    let scene = Scene::new().await;
    let old = old(&scene, CertificateKind::Mail).await;
    let id = scene.branch().submitted(old.renewal("renewal-1")).await;
    scene.reaches(&id, v1::ApplicationState::Examining).await;
    // Lifecycle knows of a revocation that intake has not heard of, and does not answer at first.
    {
        let mut known = scene.world.known();
        known.renewals_away = 3;
        for standing in &mut known.standings {
            if standing.serial == old.serial {
                "2010-12-01T09:00:00.000+09:00".clone_into(&mut standing.revoked_at);
            }
        }
    }
    approved(&scene, &id).await;
    let failed = scene.reaches(&id, v1::ApplicationState::Failed).await;
    let reason = failed.reason;
    assert!(reason.contains("CERTIFICATE_REVOKED_BEFORE"), "{reason}");
    told(&scene, "up", &id).await;
    let known = scene.world.known();
    assert!(
        known.orders.iter().all(|order| order.application_id != id),
        "it was ordered"
    );
}

#[tokio::test]
async fn a_certificate_that_is_no_renewal_does_not_wait_for_lifecycles_word() {
    let scene = Scene::new().await;
    let old = old(&scene, CertificateKind::Mail).await;
    let renewal = scene.branch().submitted(old.renewal("renewal-1")).await;
    scene
        .reaches(&renewal, v1::ApplicationState::Examining)
        .await;
    scene.world.known().renewals_away = u32::MAX;
    approved(&scene, &renewal).await;
    let branch = scene.branch();
    let new = branch.submitted(application(CertificateKind::OfficialDuty, 5));
    let new = new.await;
    scene.reaches(&new, v1::ApplicationState::Issued).await;
    scene.world.known().renewals_away = 0;
    scene.reaches(&renewal, v1::ApplicationState::Issued).await;
}

#[tokio::test]
async fn a_renewal_that_lost_a_race_fails_with_the_reason() {
    let scene = Scene::new().await;
    let old = old(&scene, CertificateKind::OfficialDuty).await;
    scene.world.known().refuse_renewals = true;
    let id = scene.branch().submitted(old.renewal("renewal-1")).await;
    let failed = scene.reaches(&id, v1::ApplicationState::Failed).await;
    assert!(
        failed.reason.contains("RENEWAL_IS_OPEN"),
        "{}",
        failed.reason
    );
    // A delayed order must not open it after all.
    told(&scene, "up", &id).await;
    scene.world.known().refuse_renewals = false;
    let again = scene.branch().submitted(old.renewal("renewal-2")).await;
    scene.reaches(&again, v1::ApplicationState::Issued).await;
}

#[tokio::test]
async fn an_end_that_lifecycle_refuses_keeps_no_other_renewal_waiting() {
    let scene = Scene::new().await;
    let old = old(&scene, CertificateKind::OfficialDuty).await;
    let first = scene.branch().submitted(old.renewal("renewal-1")).await;
    scene.reaches(&first, v1::ApplicationState::Issued).await;
    let stuck = {
        let mut wanted = application(CertificateKind::Mail, 7);
        let issue = issue_of(&mut wanted).clone();
        scene.world.known().issued_on = Some("2008-02-04");
        let id = scene.branch().submitted(wanted).await;
        approved(&scene, &id).await;
        let issued = scene.reaches(&id, v1::ApplicationState::Issued).await;
        scene.world.known().issued_on = Some("2010-12-01");
        scene.learns_of(std::slice::from_ref(&issued.serial)).await;
        confirm(&scene, &id).await;
        let serial = issued.serial;
        let other = Old { issue, serial };
        scene.branch().submitted(other.renewal("renewal-7")).await
    };
    told(&scene, "open", &stuck).await;
    scene.world.known().refuse_end_of = Some(stuck.clone());
    withdraw(&scene, &stuck).await;
    told(&scene, "refused", &stuck).await;
    confirm(&scene, &first).await;
    told(&scene, "delivered", &first).await;
    // It is told again for ever, and over once lifecycle takes it.
    scene.world.known().refuse_end_of = None;
    told(&scene, "up", &stuck).await;
}

#[tokio::test]
async fn a_rejected_renewal_is_given_up_and_the_old_certificate_can_be_renewed_again() {
    let scene = Scene::new().await;
    let old = old(&scene, CertificateKind::Mail).await;
    let id = scene.branch().submitted(old.renewal("renewal-1")).await;
    let examining = scene.reaches(&id, v1::ApplicationState::Examining).await;
    assert_eq!(examining.approvals_needed, 2);
    assert_eq!(examining.mail_address, old.issue.mail_address);
    let operator = scene.officer(OfficerRole::Operator, sapporo(), 20);
    let reject = v1::RejectApplicationsRequest {
        ids: vec![id.clone()],
        reason: "the post has moved".to_owned(),
    };
    let rejected = operator.examination().reject_applications(reject).await;
    rejected.unwrap();
    told(&scene, "up", &id).await;
    let again = scene.branch().submitted(old.renewal("renewal-2")).await;
    approved(&scene, &again).await;
    scene.reaches(&again, v1::ApplicationState::Issued).await;
}

#[tokio::test]
async fn a_repeated_renewal_is_the_same_application_even_when_it_is_over() {
    let scene = Scene::new().await;
    let old = old(&scene, CertificateKind::OfficialDuty).await;
    let wanted = old.renewal("renewal-1");
    let id = scene.branch().submitted(wanted.clone()).await;
    let issued = scene.reaches(&id, v1::ApplicationState::Issued).await;
    scene.learns_of(std::slice::from_ref(&issued.serial)).await;
    confirm(&scene, &id).await;
    scene.learns_of_revocation(&old.serial).await;
    let repeated = scene.branch().submit(wanted).await.unwrap();
    assert!(repeated.repeated);
    assert_eq!(repeated.application.unwrap().id, id);
    let refused = scene.branch().submit(old.renewal("renewal-2")).await;
    let faults = refused.unwrap_err().faults;
    assert_eq!(faults[0].reason, "CERTIFICATE_REVOKED_BEFORE");
}

#[tokio::test]
async fn a_login_in_renewal_watches_downloads_and_confirms_and_does_nothing_else() {
    let scene = Scene::new().await;
    scene.clock.set(within());
    // The ceremony's own certificate: intake knows no application that it came from.
    let identity = Pki::ours().login(OfficerRole::BranchOfficer, sapporo(), 10);
    let number = serial(10).to_string();
    {
        let mut known = scene.world.known();
        known.issued_on = Some("2010-12-01");
        known
            .ders
            .insert(number.clone(), identity.certificate().to_vec());
        for standing in &mut known.standings {
            if standing.serial == number {
                standing.branch = sapporo().to_string();
            }
        }
    }
    scene.world.tell();
    let officer = Pki::officer(10);
    let issue = v1::IssueContent {
        kind: v1::CertificateKind::Login.into(),
        subject: Some((&officer).into()),
        medium: v1::KeyMedium::IcCard.into(),
        login_role: v1::OfficerRole::BranchOfficer.into(),
        ..v1::IssueContent::default()
    };
    let old = Old {
        issue,
        serial: number.clone(),
    };
    let id = loop {
        match scene.branch().submit(old.renewal("renewal-1")).await {
            Ok(accepted) => break accepted.application.unwrap().id,
            // Until intake has heard whose it is.
            Err(refused) => {
                let reason = refused.faults.first().map(|fault| fault.reason.as_str());
                assert_eq!(reason, Some("CERTIFICATE_OF_ANOTHER_BRANCH"), "{refused:?}");
                tokio::task::yield_now().await;
            }
        }
    };
    let issued = scene.reaches(&id, v1::ApplicationState::Issued).await;
    assert_eq!(issued.login_role(), v1::OfficerRole::BranchOfficer);
    let refused = loop {
        let other = application(CertificateKind::OfficialDuty, 1);
        if let Err(refused) = scene.branch().submit(other).await {
            break refused;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(refused.code, Code::PermissionDenied);
    assert_eq!(refused.reason, "LOGIN_IN_RENEWAL");
    let request = v1::DownloadCertificateRequest { id: id.clone() };
    let mut branch = scene.branch().applications();
    while branch.download_certificate(request.clone()).await.is_err() {
        tokio::task::yield_now().await;
    }
    confirm(&scene, &id).await;
    told(&scene, "delivered", &id).await;
    // Superseded: the old one logs in no longer.
    let refused = loop {
        let listed = branch
            .list_applications(v1::ListApplicationsRequest::default())
            .await;
        if let Err(refused) = listed {
            break RemoteError::from(refused);
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(refused.reason, "CLIENT_CERTIFICATE_REVOKED");
}

#[tokio::test]
async fn while_lifecycle_is_away_only_the_renewals_that_need_it_wait() {
    let scene = Scene::new().await;
    scene.clock.set(within());
    {
        let mut known = scene.world.known();
        known.inventory_away = true;
        for standing in &mut known.standings {
            if standing.serial == serial(10).to_string() {
                standing.branch = sapporo().to_string();
            }
        }
    }
    scene.world.tell();
    let old = Old {
        issue: v1::IssueContent {
            kind: v1::CertificateKind::Login.into(),
            subject: Some((&Pki::officer(10)).into()),
            medium: v1::KeyMedium::IcCard.into(),
            login_role: v1::OfficerRole::BranchOfficer.into(),
            ..v1::IssueContent::default()
        },
        serial: serial(10).to_string(),
    };
    let renewal = old.renewal("renewal");
    loop {
        let refused = scene.branch().submit(renewal.clone()).await.unwrap_err();
        if refused.code == Code::Unavailable {
            assert_eq!(refused.reason, "SERVICE_AWAY");
            assert!(refused.retry_after.is_some());
            break;
        }
        // Until intake has heard whose it is.
        tokio::task::yield_now().await;
    }
    let revocation = |n: usize| {
        let revoke = v1::RevokeContent {
            serial: serial(99).to_string(),
            reason: v1::RevocationReason::KeyCompromise.into(),
        };
        request(&format!("revocation-{n}"), Content::Revoke(revoke))
    };
    let sent = (0..32).flat_map(|n| [renewal.clone(), revocation(n)]);
    let sent = sent.map(|application| v1::SubmitApplicationsRequest {
        application: Some(application),
    });
    let items = tokio_stream::iter(sent.collect::<Vec<_>>());
    let mut branch = scene.branch().applications();
    let answers = branch.submit_applications(items);
    let mut answers = answers.await.unwrap().into_inner();
    let mut counted = [0, 0];
    while let Some(answer) = answers.message().await.unwrap() {
        let Some(v1::submit_applications_response::Outcome::Refused(refusal)) = answer.outcome
        else {
            panic!("{} was accepted", answer.request_id);
        };
        let renewal = answer.request_id == "renewal";
        let expected = if renewal {
            "SERVICE_AWAY"
        } else {
            "APPLICATION_REFUSED"
        };
        assert_eq!(refusal.reason, expected);
        counted[usize::from(renewal)] += 1;
    }
    assert_eq!(counted, [32, 32]);
}

#[tokio::test]
async fn an_operator_lets_a_branch_in_again_that_has_no_login_left() {
    let scene = Scene::new().await;
    let operator = scene.officer(OfficerRole::Operator, sapporo(), 20);
    let duty = application(CertificateKind::OfficialDuty, 1);
    let refused = operator.submit(duty).await.unwrap_err();
    assert_eq!(refused.reason, "OPERATOR_ENDS_CERTIFICATES_ONLY");
    // Whatever the policy says, the operator who asked is not enough, with whichever card.
    let id = operator
        .submitted(application(CertificateKind::Login, 1))
        .await;
    for (number, approvals, needed) in [(20, 1, 2), (120, 1, 2), (21, 0, 0)] {
        let examiner = scene.officer(OfficerRole::Operator, sapporo(), number);
        let ids = vec![id.clone()];
        let approve = v1::ApproveApplicationsRequest { ids };
        let answer = examiner.examination().approve_applications(approve).await;
        assert_eq!(answer.unwrap().into_inner().outcomes.len(), 1);
        let request = v1::GetApplicationRequest {
            id: id.clone(),
            ..v1::GetApplicationRequest::default()
        };
        let found = operator.applications().get_application(request).await;
        let found = found.unwrap().into_inner().application.unwrap();
        let counted = (found.approvals, found.approvals_needed);
        assert_eq!(counted, (approvals, needed), "after {number}");
    }
    let issued = scene.reaches(&id, v1::ApplicationState::Issued).await;
    assert_eq!(issued.branch, sapporo().to_string());
    let request = v1::DownloadCertificateRequest { id: id.clone() };
    let mut calls = operator.applications();
    while calls.download_certificate(request.clone()).await.is_err() {
        tokio::task::yield_now().await;
    }
    let request = v1::ConfirmDeliveryRequest { ids: vec![id] };
    let confirmed = calls.confirm_delivery(request).await.unwrap().into_inner();
    assert_eq!(confirmed.delivered.len(), 1);

    // Of anything else, an operator receives nothing.
    let id = scene
        .branch()
        .submitted(application(CertificateKind::OfficialDuty, 2))
        .await;
    scene.reaches(&id, v1::ApplicationState::Issued).await;
    let request = v1::DownloadCertificateRequest { id: id.clone() };
    let refused = calls.download_certificate(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let request = v1::ConfirmDeliveryRequest { ids: vec![id] };
    let confirmed = calls.confirm_delivery(request).await.unwrap().into_inner();
    assert!(confirmed.delivered.is_empty());
}
