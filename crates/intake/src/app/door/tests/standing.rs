//! What is told of certificates and applications that stand in the way, and what is not.

use lgpki_domain::ApplicationId;

use super::*;

#[test]
fn of_other_bodies_certificates_nothing_is_told() {
    let mut scene = Scene::new();
    scene.view.open_for_subject = Some(ApplicationId::from_bytes([1; 16]));
    let foreign = Subject {
        body: names("Otaru City", "小樽市"),
        ..mayor()
    };
    let held = vec![held(1, foreign.clone(), false)];
    scene.standings.apply(held, Progress::default());
    let wish = IssueWish {
        subject: Some(foreign),
        ..wish(CertificateKind::OfficialDuty)
    };
    let Err(faults) = scene.issue(wish) else {
        panic!("it was admitted")
    };
    let reasons: Vec<_> = faults.iter().map(|(_, reason)| *reason).collect();
    assert!(reasons.contains(&"BODY_NAME_DIFFERS"), "{reasons:?}");
    let told = reasons.iter().filter(|told| told.starts_with("SUBJECT_"));
    assert_eq!(told.count(), 0, "{reasons:?}");
}

#[test]
fn a_key_compromise_waits_for_no_abolition_but_for_another_of_its_kind() {
    let mut scene = Scene::new();
    scene
        .standings
        .apply(vec![held(1, mayor(), false)], Progress::default());
    let other = ApplicationId::from_bytes([1; 16]);
    let is_open = |field: &str| vec![at(field, "REVOCATION_IS_OPEN")];
    scene.view.ended_by = Some((other, false));
    assert!(scene.judge(revocation(Sort::Revoke, 1)).is_ok());
    let refused = scene.judge(revocation(Sort::Abolish, 1)).unwrap_err();
    assert_eq!(refused, is_open("abolish.serial"));
    scene.view.ended_by = Some((other, true));
    let refused = scene.judge(revocation(Sort::Revoke, 1)).unwrap_err();
    assert_eq!(refused, is_open("revoke.serial"));
}

#[test]
fn what_its_ca_would_not_issue_is_refused_before_anybody_examines_it() {
    let scene = Scene::new();
    let last = "2009-02-09".parse().unwrap();
    let against = Against {
        view: &scene.view,
        standings: &scene.standings,
        rules: &scene.rules,
        ended: &[(Authority::Organization, last)],
        now: now(),
    };
    let refused = |kind| {
        let wish = Wish::Issue(Box::new(wish(kind)));
        let judged = judge(Inspected::new(submission(wish)), &against);
        judged.err().map(|refusal| refusal.faults)
    };
    let faults = refused(CertificateKind::OfficialDuty).unwrap();
    let fault = faults.iter().next().unwrap();
    assert_eq!(
        (fault.field.as_str(), fault.reason),
        ("issue.kind", "CA_EXPIRES_FIRST")
    );
    assert!(fault.message.contains("2009-02-09"), "{fault}");
    assert!(refused(CertificateKind::WebServer).is_none());
}
