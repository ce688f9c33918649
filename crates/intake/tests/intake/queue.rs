//! Estimates and places as front ends and operators are told of them.

use lgpki_domain::{CertificateKind, OfficerRole, Timestamp};
use lgpki_proto::v1::{self, ApplicationState, QueueName};
use tonic::{Code, Status};

use super::{
    fakes::Instead,
    scene::{Officer, Scene, application, hakodate, sapporo},
};

async fn explained(who: &Officer, id: &str) -> v1::ExplainQueueResponse {
    let request = v1::ExplainQueueRequest { id: id.to_owned() };
    let answer = who.queues().explain_queue(request).await;
    answer.unwrap().into_inner()
}

async fn overview(scene: &Scene) -> v1::GetQueuesResponse {
    let operator = scene.officer(OfficerRole::Operator, sapporo(), 20);
    let answer = operator.queues().get_queues(v1::GetQueuesRequest {}).await;
    answer.unwrap().into_inner()
}

async fn status(who: &Officer, id: &str) -> v1::Application {
    let request = v1::GetApplicationRequest {
        id: id.to_owned(),
        ..v1::GetApplicationRequest::default()
    };
    let answer = who.applications().get_application(request).await;
    answer.unwrap().into_inner().application.unwrap()
}

fn span(estimate: Option<&v1::Estimate>) -> (Timestamp, Timestamp) {
    let estimate = estimate.unwrap();
    let (earliest, latest) = (&estimate.earliest, &estimate.latest);
    (earliest.parse().unwrap(), latest.parse().unwrap())
}

async fn approve(scene: &Scene, id: &str, operator: u8) {
    let request = v1::ApproveApplicationsRequest {
        ids: vec![id.to_owned()],
    };
    let operator = scene.officer(OfficerRole::Operator, sapporo(), operator);
    let answer = operator.examination().approve_applications(request).await;
    let outcome = answer.unwrap().into_inner().outcomes.remove(0).outcome;
    assert!(
        matches!(
            outcome,
            Some(v1::examination_outcome::Outcome::Application(_))
        ),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn every_acknowledgement_and_status_says_when_and_what_became_of_it_is_measured() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    let mut ids = Vec::new();
    for n in 1..=3 {
        let sent = application(CertificateKind::Mail, n);
        let told = branch.submit(sent).await.unwrap().application.unwrap();
        let (earliest, latest) = span(told.estimate.as_ref());
        assert!(scene.clock_now() < earliest && earliest <= latest, "{n}");
        // One after the other, at 240 a day.
        let again = status(&branch, &told.id).await;
        // What the inventory lets expect may have been found meanwhile; it moves the upper end alone.
        assert_eq!(span(again.estimate.as_ref()).0, earliest);
        ids.push((told.id, earliest));
        scene.clock.advance_millis(1);
    }
    assert!(ids.is_sorted_by_key(|(_, earliest)| *earliest));
    let seen = overview(&scene).await;
    assert_eq!((seen.order.as_str(), seen.per_business_day), ("fair", 240));
    assert_eq!(seen.queues[0].name(), QueueName::Examination);
    assert_eq!(seen.queues[0].waiting, 3);
    assert_eq!(
        seen.errors.iter().map(|e| e.held).collect::<Vec<_>>(),
        [0, 0]
    );
    // The last one is examined first: its turn came sooner than it was told, not later.
    let (last, _) = &ids[2];
    approve(&scene, last, 20).await;
    let counted = status(&branch, last).await;
    assert!(counted.estimate.is_some());
    approve(&scene, last, 21).await;
    let issued = scene.reaches(last, ApplicationState::Issued).await;
    assert_eq!(issued.estimate, None);
    let seen = overview(&scene).await;
    assert_eq!(seen.queues[0].waiting, 2);
    assert_eq!((seen.errors[0].held, seen.errors[0].missed), (1, 0));
    // What nobody examines is promised and measured too.
    let sent = application(CertificateKind::OfficialDuty, 4);
    let told = branch.submit(sent).await.unwrap().application.unwrap();
    assert!(span(told.estimate.as_ref()).0 > scene.clock_now());
    scene.reaches(&told.id, ApplicationState::Issued).await;
    let seen = overview(&scene).await;
    assert_eq!((seen.errors[1].held, seen.errors[1].missed), (1, 0));
}

#[tokio::test]
async fn a_place_is_explained_to_whom_it_concerns() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    let first = branch
        .submitted(application(CertificateKind::Mail, 1))
        .await;
    scene.clock.advance_millis(1);
    let second = branch
        .submitted(application(CertificateKind::Mail, 2))
        .await;
    let told = explained(&branch, &second).await;
    assert_eq!(told.queue(), QueueName::Examination);
    assert_eq!((told.ahead, told.waiting, told.of_branch), (1, 2, 2));
    assert_eq!(
        (told.class.as_str(), told.order.as_str()),
        ("reserve", "fair")
    );
    assert_eq!(told.ahead_by_class[0].count, 1);
    assert_eq!(told.overdue_every, 10);
    assert!(
        told.words
            .starts_with("It waits for an examiner, in the order fair: 1 taken before it"),
        "{}",
        told.words
    );
    assert!(span(told.estimate.as_ref()).0 > scene.clock_now());
    let auditor = scene.officer(OfficerRole::Auditor, sapporo(), 40);
    assert_eq!(explained(&auditor, &second).await.ahead, 1);
    let other = scene.officer(OfficerRole::BranchOfficer, hakodate(), 30);
    let request = v1::ExplainQueueRequest { id: second.clone() };
    let refused = other.queues().explain_queue(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let withdraw = v1::WithdrawApplicationRequest { id: first.clone() };
    let mut applications = branch.applications();
    applications.withdraw_application(withdraw).await.unwrap();
    assert_eq!(explained(&branch, &second).await.ahead, 0);
    let ended = explained(&branch, &first).await;
    assert_eq!(
        (ended.queue(), ended.estimate),
        (QueueName::Unspecified, None)
    );
    assert!(ended.words.contains("has ended"), "{}", ended.words);
}

#[tokio::test]
async fn while_the_issuer_is_away_nothing_is_promised_for_the_next_moment() {
    let scene = Scene::new().await;
    let away = (0..10_000).map(|_| Instead::Status(Status::unavailable("away")));
    scene.world.known().instead.extend(away);
    let branch = scene.branch();
    let sent = application(CertificateKind::OfficialDuty, 1);
    let id = branch.submitted(sent).await;
    // A hundredth of a second, after twice what a batch is taken to last before one was measured.
    let at_once = scene.clock_now().plus_millis(10 + 2_000);
    loop {
        let told = status(&branch, &id).await;
        assert!(matches!(
            told.state(),
            ApplicationState::Queued | ApplicationState::Issuing
        ));
        let (earliest, latest) = span(told.estimate.as_ref());
        assert!(earliest < at_once && latest >= at_once);
        // As soon as a try has failed.
        if latest > at_once {
            break;
        }
        tokio::task::yield_now().await;
    }
}
