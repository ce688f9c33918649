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
