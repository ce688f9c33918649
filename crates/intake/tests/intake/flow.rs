//! Whole paths: from submission to delivery, examination, revocation.

use std::collections::HashSet;

use lgpki_domain::{CertificateKind, ErrorClass, OfficerRole};
use lgpki_proto::v1::{
    self, ApplicationState, download_certificates_response, submit_application_request::Content,
    submit_applications_response,
};

use crate::{
    pki::serial,
    scene::{Scene, application, csr, hakodate, issue_of, request, sapporo},
};

#[tokio::test]
async fn from_submission_to_confirmed_delivery() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    let mut sent = application(CertificateKind::OfficialDuty, 1);
    sent.examination.as_mut().unwrap().examiner_name = "佐藤花子".to_owned();
    let answer = branch.submit(sent.clone()).await.unwrap();
    let accepted = answer.application.unwrap();
    assert!(!answer.repeated);
    assert_eq!(accepted.examination, sent.examination);

    let issued = scene.reaches(&accepted.id, ApplicationState::Issued).await;
    assert_eq!(issued.serial.len(), 32);
    let named = v1::DownloadCertificateRequest {
        id: accepted.id.clone(),
    };
    let download = loop {
        match branch
            .applications()
            .download_certificate(named.clone())
            .await
        {
            Ok(download) => break download.into_inner(),
            Err(status) => assert_eq!(status.code(), tonic::Code::Unavailable),
        }
    };
    let expected = format!("certificate of {}", accepted.id);
    assert_eq!(download.certificate, expected.as_bytes());
    assert_eq!(download.ca_certificate, b"organization CA");
    assert_eq!(download.serial, issued.serial);

    let ids = vec![accepted.id.clone()];
    for _ in 0..2 {
        let confirm = v1::ConfirmDeliveryRequest { ids: ids.clone() };
        let confirmed = branch.applications().confirm_delivery(confirm).await;
        let confirmed = confirmed.unwrap().into_inner();
        assert_eq!(confirmed.delivered, ids, "confirming twice changes nothing");
    }
    let repeated = branch.submit(sent).await.unwrap();
    assert!(repeated.repeated);
    assert_eq!(
        repeated.application.unwrap().state(),
        ApplicationState::Delivered
    );
    assert_eq!(scene.world.known().orders.len(), 1);
    scene.stop().await;
}

#[tokio::test]
async fn a_request_id_stands_for_one_content() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    let sent = application(CertificateKind::OfficialDuty, 1);
    let id = branch.submitted(sent.clone()).await;
    let mut other = application(CertificateKind::OfficialDuty, 2);
    other.request_id.clone_from(&sent.request_id);
    let refused = branch.submit(other).await.unwrap_err();
    assert_eq!(refused.class(), ErrorClass::AlreadyExists);
    assert!(refused.message.contains(&id), "{refused}");
    // What the door itself would refuse is told apart too.
    let mut faulty = sent.clone();
    issue_of(&mut faulty).csr.clear();
    let refused = branch.submit(faulty).await.unwrap_err();
    assert_eq!(refused.reason, "REQUEST_ID_TAKEN");
    let found = branch
        .applications()
        .get_application(v1::GetApplicationRequest {
            id: String::new(),
            branch: sapporo().to_string(),
            request_id: sent.request_id,
        })
        .await;
    assert_eq!(found.unwrap().into_inner().application.unwrap().id, id);
}

#[tokio::test]
async fn many_at_once_are_all_stored_issued_and_handed_out() {
    const COUNT: usize = 150;
    let scene = Scene::new().await;
    let branch = scene.branch();
    let mut sent: Vec<_> = (0..COUNT)
        .map(|n| application(CertificateKind::OfficialDuty, n))
        .collect();
    sent.push(application(CertificateKind::CodeSigning, 0));
    let mut bad = application(CertificateKind::OfficialDuty, COUNT);
    issue_of(&mut bad).csr[40] ^= 1;
    bad.request_id = "the-bad-one".to_owned();
    sent.insert(7, bad);
    // The same key and the same subject once more, under another request id.
    let mut twice = sent[0].clone();
    twice.request_id = "the-second-one".to_owned();
    sent.push(twice);
    let items: Vec<_> = sent
        .into_iter()
        .map(|application| v1::SubmitApplicationsRequest {
            application: Some(application),
        })
        .collect();
    let mut answers = branch
        .applications()
        .submit_applications(tokio_stream::iter(items))
        .await
        .unwrap()
        .into_inner();
    let (mut accepted, mut refused) = (HashSet::new(), Vec::new());
    while let Some(answer) = answers.message().await.unwrap() {
        match answer.outcome.unwrap() {
            submit_applications_response::Outcome::Accepted(response) => {
                assert!(accepted.insert(response.application.unwrap().id));
            }
            submit_applications_response::Outcome::Refused(refusal) => {
                assert_eq!(refusal.reason, "APPLICATION_REFUSED");
                refused.push(answer.request_id);
            }
        }
    }
    assert_eq!(accepted.len(), COUNT + 1);
    // Which of the two with one key comes first is a matter of batches.
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused.contains(&"the-bad-one".to_owned()), "{refused:?}");
    for id in &accepted {
        scene.reaches(id, ApplicationState::Issued).await;
    }
    let ids: Vec<_> = accepted.iter().cloned().collect();
    let mut missing = ids.clone();
    let mut chains = Vec::new();
    while !missing.is_empty() {
        let wanted = v1::DownloadCertificatesRequest {
            ids: std::mem::take(&mut missing),
        };
        let stream = branch.applications().download_certificates(wanted).await;
        let mut stream = stream.unwrap().into_inner();
        chains.clear();
        while let Some(item) = stream.message().await.unwrap() {
            match item.outcome.unwrap() {
                download_certificates_response::Outcome::Certificate(certificate) => {
                    let expected = format!("certificate of {}", item.id);
                    assert_eq!(certificate.certificate, expected.as_bytes());
                    if !certificate.ca_certificate.is_empty() {
                        chains.push(certificate.ca_certificate);
                    }
                }
                download_certificates_response::Outcome::Refused(refusal) => {
                    assert_eq!(refusal.reason, "CERTIFICATE_NOT_IN_INVENTORY");
                    missing.push(item.id);
                }
            }
        }
    }
    let distinct: HashSet<_> = chains.iter().collect();
    assert_eq!(distinct.len(), chains.len(), "each CA once in a stream");
    let known = scene.world.known();
    assert_eq!(known.issued.len(), COUNT + 1);
}

#[tokio::test]
async fn two_operators_examine_where_two_must() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    let id = branch
        .submitted(application(CertificateKind::Mail, 1))
        .await;
    scene.clock.advance_millis(1);
    let second = application(CertificateKind::Mail, 2);
    let rejected = branch.submitted(second).await;
    let first = scene.officer(OfficerRole::Operator, sapporo(), 20);
    let other = scene.officer(OfficerRole::Operator, sapporo(), 21);
    let waiting = first
        .examination()
        .list_examinations(v1::ListExaminationsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((waiting.waiting, waiting.applications.len()), (2, 2));
    assert_eq!(waiting.applications[0].id, id, "oldest first");

    let approve = |ids: &[&String]| v1::ApproveApplicationsRequest {
        ids: ids.iter().map(ToString::to_string).collect(),
    };
    let outcome = |answer: v1::ApproveApplicationsResponse| match answer.outcomes[0].outcome.clone()
    {
        Some(v1::examination_outcome::Outcome::Application(application)) => Ok(application),
        Some(v1::examination_outcome::Outcome::Refused(refusal)) => Err(refusal),
        None => panic!("no outcome"),
    };
    let mut examination = first.examination();
    let once = examination.approve_applications(approve(&[&id])).await;
    let once = outcome(once.unwrap().into_inner()).unwrap();
    assert_eq!((once.approvals, once.approvals_needed), (1, 2));
    let again = examination.approve_applications(approve(&[&id])).await;
    let again = outcome(again.unwrap().into_inner()).unwrap_err();
    assert_eq!(again.reason, "APPLICATION_WRONG_STATE");
    // Another card of the first operator is no other operator.
    let second_card = scene.officer(OfficerRole::Operator, sapporo(), 120);
    let mut examination = second_card.examination();
    let again = examination.approve_applications(approve(&[&id])).await;
    let again = outcome(again.unwrap().into_inner()).unwrap_err();
    assert_eq!(again.reason, "APPLICATION_WRONG_STATE");
    assert!(again.message.contains("another one must be the second"));
    let mut examination = other.examination();
    let done = examination.approve_applications(approve(&[&id])).await;
    outcome(done.unwrap().into_inner()).unwrap();
    scene.reaches(&id, ApplicationState::Issued).await;

    let reject = |reason: &str| v1::RejectApplicationsRequest {
        ids: vec![rejected.clone()],
        reason: reason.to_owned(),
    };
    let silent = examination.reject_applications(reject(" ")).await;
    assert_eq!(silent.unwrap_err().code(), tonic::Code::InvalidArgument);
    examination
        .reject_applications(reject("the unit has moved"))
        .await
        .unwrap();
    let seen = scene.reaches(&rejected, ApplicationState::Rejected).await;
    assert_eq!(seen.reason, "the unit has moved");
}

#[tokio::test]
async fn what_is_not_claimed_can_be_withdrawn_and_what_is_rejected_frees_its_subject() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    let sent = application(CertificateKind::Mail, 1);
    let id = branch.submitted(sent.clone()).await;
    let mut same_subject = sent.clone();
    same_subject.request_id = "another-one".to_owned();
    let issue = issue_of(&mut same_subject);
    issue.csr = csr(issue);
    let refused = branch.submit(same_subject.clone()).await.unwrap_err();
    assert_eq!(refused.faults[0].reason, "SUBJECT_HAS_OPEN_APPLICATION");
    let withdraw = v1::WithdrawApplicationRequest { id: id.clone() };
    let withdrawn = branch.applications().withdraw_application(withdraw).await;
    let withdrawn = withdrawn.unwrap().into_inner().application.unwrap();
    assert_eq!(withdrawn.state(), ApplicationState::Withdrawn);
    branch.submit(same_subject).await.unwrap();
}

#[tokio::test]
async fn a_certificate_is_revoked_once_by_its_own_branch() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    let first = branch
        .submitted(application(CertificateKind::OfficialDuty, 1))
        .await;
    let second = branch
        .submitted(application(CertificateKind::OfficialDuty, 2))
        .await;
    let mut serials = Vec::new();
    for id in [first, second] {
        let issued = scene.reaches(&id, ApplicationState::Issued).await;
        serials.push(issued.serial);
    }
    scene.learns_of(&serials).await;
    let abolish = request(
        "abolish-1",
        Content::Abolish(v1::AbolishContent {
            serial: serials[0].clone(),
        }),
    );
    let id = branch.submitted(abolish).await;
    let done = scene.reaches(&id, ApplicationState::Completed).await;
    assert_eq!(done.serial, serials[0]);
    assert_eq!(
        done.revocation_reason(),
        v1::RevocationReason::CessationOfOperation
    );
    let revoke = |serial: &str, request_id: &str| {
        request(
            request_id,
            Content::Revoke(v1::RevokeContent {
                serial: serial.to_owned(),
                reason: v1::RevocationReason::KeyCompromise.into(),
            }),
        )
    };
    let id = branch.submitted(revoke(&serials[1], "revoke-1")).await;
    scene.reaches(&id, ApplicationState::Completed).await;
    scene.learns_of_revocation(&serials[1]).await;
    let refused = branch.submit(revoke(&serials[1], "revoke-2")).await;
    let fault = &refused.unwrap_err().faults[0];
    assert_eq!(fault.field, "revoke.serial");
    assert_eq!(fault.reason, "CERTIFICATE_REVOKED_BEFORE");
    let unknown = revoke(&serial(99).to_string(), "revoke-3");
    let refused = branch.submit(unknown).await.unwrap_err();
    assert_eq!(refused.faults[0].reason, "CERTIFICATE_UNKNOWN");
    // The key of a revoked certificate stays used for ever, its subject is free again.
    let known = scene.world.known();
    assert_eq!(known.revocations.len(), 2);
    assert_eq!(known.revocations[0].branch, sapporo().to_string());
}

#[tokio::test]
async fn an_examiners_name_is_seen_by_the_own_branch_until_it_is_erased() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    let mut sent = application(CertificateKind::Mail, 1);
    sent.examination.as_mut().unwrap().examiner_name = "佐藤花子".to_owned();
    let id = branch.submitted(sent.clone()).await;
    let get = v1::GetApplicationRequest {
        id: id.clone(),
        ..v1::GetApplicationRequest::default()
    };
    let name = |answer: tonic::Response<v1::GetApplicationResponse>| {
        let application = answer.into_inner().application.unwrap();
        application.examination.unwrap().examiner_name
    };
    let seen = branch.applications().get_application(get.clone()).await;
    assert_eq!(name(seen.unwrap()), "佐藤花子");
    let operator = scene.officer(OfficerRole::Operator, sapporo(), 20);
    let seen = operator.applications().get_application(get.clone()).await;
    assert_eq!(name(seen.unwrap()), "");
    let log = scene.log_text();
    assert!(log.contains("application.received") && !log.contains("佐藤"));
    for erased in [true, false] {
        let erase = v1::EraseExaminerNameRequest { id: id.clone() };
        let answer = operator.examination().erase_examiner_name(erase).await;
        assert_eq!(answer.unwrap().into_inner().erased, erased);
    }
    let seen = branch.applications().get_application(get).await;
    assert_eq!(name(seen.unwrap()), "");
    let log = scene.log_text();
    let entries: Vec<_> = log.lines().filter(|l| l.contains("name-erased")).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert!(entries[0].contains(&id) && entries[0].contains("\"actor\":\"operator/-/"));
    // A repetition with the name is still the same application, and brings no name back.
    assert!(branch.submit(sent).await.unwrap().repeated);
}

#[tokio::test]
async fn a_branch_sees_nothing_of_another() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    let id = branch
        .submitted(application(CertificateKind::OfficialDuty, 1))
        .await;
    let issued = scene.reaches(&id, ApplicationState::Issued).await;
    scene.learns_of(std::slice::from_ref(&issued.serial)).await;
    let other = scene.officer(OfficerRole::BranchOfficer, hakodate(), 30);
    let not_found = |status: tonic::Status| assert_eq!(status.code(), tonic::Code::NotFound);
    let mut calls = other.applications();
    let get = v1::GetApplicationRequest {
        id: id.clone(),
        ..v1::GetApplicationRequest::default()
    };
    not_found(calls.get_application(get).await.unwrap_err());
    let download = v1::DownloadCertificateRequest { id: id.clone() };
    not_found(calls.download_certificate(download).await.unwrap_err());
    let withdraw = v1::WithdrawApplicationRequest { id: id.clone() };
    not_found(calls.withdraw_application(withdraw).await.unwrap_err());
    let confirm = v1::ConfirmDeliveryRequest {
        ids: vec![id.clone()],
    };
    let confirmed = calls.confirm_delivery(confirm).await.unwrap().into_inner();
    assert_eq!((confirmed.delivered.len(), confirmed.refused.len()), (0, 1));
    let list = calls
        .list_applications(v1::ListApplicationsRequest::default())
        .await;
    assert!(list.unwrap().into_inner().applications.is_empty());
    let certificate = v1::GetCertificateRequest {
        serial: issued.serial,
    };
    let hidden = other
        .certificates()
        .get_certificate(certificate.clone())
        .await;
    not_found(hidden.unwrap_err());
    let own = branch.certificates().get_certificate(certificate).await;
    assert!(own.unwrap().into_inner().certificate.is_some());
    let listed = other
        .certificates()
        .list_certificates(v1::ListCertificatesRequest::default())
        .await;
    let listed = listed.unwrap().into_inner().certificates;
    assert_eq!(listed[0].branch, hakodate().to_string());
    let foreign = v1::ListCertificatesRequest {
        branch: sapporo().to_string(),
        ..v1::ListCertificatesRequest::default()
    };
    let refused = other.certificates().list_certificates(foreign).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::PermissionDenied);
    let counted = other
        .certificates()
        .count_certificates(v1::CountCertificatesRequest::default())
        .await;
    let own = u64::from(hakodate().number());
    assert_eq!(counted.unwrap().into_inner().total, own);
    let drawn = other
        .certificates()
        .get_expiry_histogram(v1::GetExpiryHistogramRequest::default())
        .await;
    assert_eq!(
        drawn.unwrap().into_inner().rows[0].branch,
        hakodate().to_string()
    );
    let foreign = v1::GetExpiryHistogramRequest {
        branch: sapporo().to_string(),
        ..v1::GetExpiryHistogramRequest::default()
    };
    let refused = other.certificates().get_expiry_histogram(foreign).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::PermissionDenied);
    let operator = scene.officer(OfficerRole::Operator, sapporo(), 20);
    let list = operator
        .applications()
        .list_applications(v1::ListApplicationsRequest::default())
        .await;
    assert_eq!(list.unwrap().into_inner().applications.len(), 1);
}

#[tokio::test]
async fn pages_follow_each_other_and_filters_hold() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    for n in 0..5 {
        branch
            .submitted(application(CertificateKind::Mail, n))
            .await;
        scene.clock.advance_millis(1);
    }
    branch
        .submitted(application(CertificateKind::WebServer, 9))
        .await;
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = branch
            .applications()
            .list_applications(v1::ListApplicationsRequest {
                filter: Some(v1::ApplicationFilter {
                    kinds: vec![v1::CertificateKind::Mail.into()],
                    states: vec![ApplicationState::Examining.into()],
                    ..v1::ApplicationFilter::default()
                }),
                page_size: 2,
                page_token,
            })
            .await
            .unwrap()
            .into_inner();
        assert!(page.applications.len() <= 2);
        found.extend(page.applications.into_iter().map(|a| a.request_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let expected: Vec<_> = (0..5).map(|n| format!("request-mail-{n}")).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_certificate_that_is_never_confirmed_counts_as_delivered_after_a_month() {
    const DAY: i64 = 86_400;
    let scene = Scene::new().await;
    let branch = scene.branch();
    let first = application(CertificateKind::OfficialDuty, 1);
    let id = branch.submitted(first).await;
    scene.reaches(&id, ApplicationState::Issued).await;
    scene.clock.advance_seconds(29 * DAY);
    let second = application(CertificateKind::OfficialDuty, 2);
    let later = branch.submitted(second).await;
    scene.reaches(&later, ApplicationState::Issued).await;
    scene.clock.advance_seconds(2 * DAY);
    scene.reaches(&id, ApplicationState::Delivered).await;
    let get = v1::GetApplicationRequest {
        id: later,
        ..v1::GetApplicationRequest::default()
    };
    let young = branch.applications().get_application(get).await.unwrap();
    let young = young.into_inner().application.unwrap();
    assert_eq!(young.state(), ApplicationState::Issued);
}

#[tokio::test]
async fn an_operator_publishes_a_crl_through_intake() {
    let scene = Scene::new().await;
    let operator = scene.officer(OfficerRole::Operator, sapporo(), 20);
    let publish = v1::PublishCrlNowRequest { authority: 0 };
    operator
        .examination()
        .publish_crl_now(publish)
        .await
        .unwrap();
    assert_eq!(scene.world.known().crls_published, 1);
    let unknown = v1::PublishCrlNowRequest { authority: 9 };
    let refused = operator.examination().publish_crl_now(unknown).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::InvalidArgument);
    assert_eq!(scene.world.known().crls_published, 1);
}

#[tokio::test]
async fn an_open_stream_ends_with_a_reason_when_intake_stops() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    let all = v1::WatchApplicationsRequest::default();
    let watching = branch.applications().watch_applications(all).await;
    let mut changes = watching.unwrap().into_inner();
    let (ended, ()) = tokio::join!(changes.message(), scene.stop());
    let status = ended.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unavailable);
    assert_eq!(
        lgpki_proto::RemoteError::from(status).reason,
        "SHUTTING_DOWN"
    );
}
