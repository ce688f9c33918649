//! Renewals at the door: every boundary of the window, and whose certificate it is.

use super::*;

fn at(text: &str) -> Timestamp {
    format!("{text}+09:00").parse().unwrap()
}

/// The opening day's certificate of the mayor: 2008-02-04 to 2011-02-03.
fn old(revoked: bool) -> Held {
    held(1, mayor(), revoked)
}

/// A renewal of it as it stands before the door.
fn renewal() -> IssueWish {
    IssueWish {
        renewed: Some(Renewed {
            serial: Some(serial(1)),
        }),
        ..wish(CertificateKind::OfficialDuty)
    }
}

fn judged(scene: &Scene, wish: IssueWish, when: &str) -> Result<Admitted, Faults> {
    let against = Against {
        view: &scene.view,
        standings: &scene.standings,
        rules: &scene.rules,
        ended: &[],
        now: at(when),
    };
    let inspected = Inspected::new(submission(Wish::Issue(Box::new(wish))));
    let judged = judge(inspected, &against);
    judged
        .map(|(_, admitted)| admitted)
        .map_err(|refusal| refusal.faults)
}

fn fault(scene: &Scene, wish: IssueWish, when: &str) -> lgpki_domain::Fault {
    let mut faults = judged(scene, wish, when).unwrap_err().into_iter();
    let fault = faults.next().unwrap();
    assert_eq!(faults.next(), None);
    fault
}

#[test]
fn the_door_opens_for_a_renewal_six_months_before_the_last_day_and_closes_after_it() {
    let scene = Scene::new();
    scene.standings.apply(vec![old(false)], Progress::default());
    for (when, refused) in [
        ("2008-02-04T00:00:00", Some("RENEWAL_TOO_EARLY")),
        ("2010-08-02T23:59:59.999", Some("RENEWAL_TOO_EARLY")),
        ("2010-08-03T00:00:00", None),
        ("2011-02-03T23:59:59.999", None),
        ("2011-02-04T00:00:00", Some("CERTIFICATE_EXPIRED")),
    ] {
        match judged(&scene, renewal(), when) {
            Ok(admitted) => {
                assert_eq!((admitted.sort, refused), (Sort::Renew, None), "{when}");
                let Content::Issue(content) = admitted.content else {
                    panic!("another content")
                };
                assert_eq!(content.renews, Some(serial(1)));
                assert_eq!(admitted.approvals_needed, 1);
            }
            Err(faults) => {
                let fault = faults.into_iter().next().unwrap();
                assert_eq!(
                    (fault.field.as_str(), Some(fault.reason)),
                    ("renew.serial", refused)
                );
            }
        }
    }
    let early = fault(&scene, renewal(), "2010-01-01T00:00:00");
    assert!(early.message.contains("2010-08-03"), "{early}");
}

#[test]
fn what_cannot_be_renewed_is_refused_for_its_own_reason() {
    let within = "2010-12-01T10:00:00";
    let mut scene = Scene::new();
    assert_eq!(
        fault(&scene, renewal(), within).reason,
        "CERTIFICATE_UNKNOWN"
    );
    scene.standings.apply(vec![old(false)], Progress::default());

    scene.view.renewed_by = Some(lgpki_domain::ApplicationId::from_bytes([7; 16]));
    scene.view.open_for_subject = scene.view.renewed_by;
    assert_eq!(fault(&scene, renewal(), within).reason, "RENEWAL_IS_OPEN");
    scene.view.renewed_by = None;
    let open = fault(&scene, renewal(), within);
    assert_eq!(
        (open.field.as_str(), open.reason),
        ("renew.serial", "SUBJECT_HAS_OPEN_APPLICATION")
    );
    scene.view.open_for_subject = None;

    let another = Held {
        branch: "01002".parse().ok(),
        ..old(false)
    };
    scene.standings.apply(vec![another], Progress::default());
    let foreign = fault(&scene, renewal(), within);
    assert_eq!(foreign.reason, "CERTIFICATE_OF_ANOTHER_BRANCH");

    scene.standings.apply(vec![old(true)], Progress::default());
    let revoked = fault(&scene, renewal(), within);
    assert_eq!(revoked.reason, "CERTIFICATE_REVOKED_BEFORE");
    assert!(revoked.message.contains("issue"), "{revoked}");
}

#[test]
fn a_renewal_needs_a_new_key_and_what_is_wrong_is_told_by_its_own_fields() {
    let within = "2010-12-01T10:00:00";
    let scene = Scene::new();
    scene.standings.apply(vec![old(false)], Progress::default());
    let wish = renewal();
    let key = lgpki_x509::csr::CertificationRequest::parse("x", &wish.csr);
    let certified = Held {
        key_digest: key.unwrap().public_key().digest(),
        ..held(2, mayor(), true)
    };
    scene.standings.apply(vec![certified], Progress::default());
    let used = fault(&scene, wish, within);
    assert_eq!(
        (used.field.as_str(), used.reason),
        ("renew.csr", "KEY_CERTIFIED_BEFORE")
    );
    let mut wrong = renewal();
    wrong.medium = Some(KeyMedium::UsbToken);
    let medium = fault(&scene, wrong, within);
    assert_eq!(
        (medium.field.as_str(), medium.reason),
        ("renew.medium", "MEDIUM_NOT_FOR_KIND")
    );
}

#[test]
fn the_unit_must_still_be_registered_to_renew() {
    let mut scene = Scene::new();
    scene.standings.apply(vec![old(false)], Progress::default());
    scene.view.organization = None;
    let fault = fault(&scene, renewal(), "2010-12-01T10:00:00");
    assert_eq!(
        (fault.field.as_str(), fault.reason),
        ("renew.serial", "ORGANIZATION_NOT_REGISTERED")
    );
}

#[test]
fn unchanged_renewals_are_approved_where_the_operator_says_so_and_nothing_else_is() {
    let mut scene = Scene::new();
    scene.standings.apply(vec![old(false)], Progress::default());
    let raw = RawSettings {
        examination: [(
            "official-duty".to_owned(),
            RawPolicy {
                mode: Some("automatic-for-unchanged-renewals".to_owned()),
                two_person: true,
            },
        )]
        .into(),
        ..RawSettings::default()
    };
    scene.rules = Settings::try_from(raw).unwrap().rules;
    let renewed = judged(&scene, renewal(), "2010-12-01T10:00:00").unwrap();
    assert_eq!(renewed.approvals_needed, 0);
    let fresh = Scene {
        standings: Standings::default(),
        ..scene
    };
    let issued = judged(
        &fresh,
        wish(CertificateKind::OfficialDuty),
        "2010-12-01T10:00:00",
    );
    assert_eq!(issued.unwrap().approvals_needed, 2);
}

#[test]
fn an_issue_for_a_subject_with_a_valid_certificate_points_to_its_renewal() {
    let scene = Scene::new();
    scene.standings.apply(vec![old(false)], Progress::default());
    let issue = || wish(CertificateKind::OfficialDuty);
    let early = fault(&scene, issue(), "2010-08-02T23:59:59");
    assert_eq!(early.reason, "SUBJECT_HAS_VALID_CERTIFICATE");
    assert!(early.message.contains("renewed from 2010-08-03"), "{early}");
    let within = fault(&scene, issue(), "2010-08-03T00:00:00");
    assert!(within.message.contains("renew it instead"), "{within}");
}

#[test]
fn who_cannot_renew_yet_is_not_told_to_make_a_new_key() {
    let scene = Scene::new();
    scene.standings.apply(vec![old(false)], Progress::default());
    let wish = renewal();
    let admitted = judged(&scene, wish.clone(), "2010-08-03T00:00:00").unwrap();
    let Content::Issue(content) = admitted.content else {
        panic!("another content")
    };
    // The CSR is the old certificate's own.
    let used = Held {
        key_digest: content.key_digest,
        ..old(false)
    };
    scene.standings.apply(vec![used], Progress::default());
    let early = fault(&scene, wish.clone(), "2010-08-02T23:59:59");
    assert_eq!(early.reason, "RENEWAL_TOO_EARLY");
    let certified = fault(&scene, wish, "2010-08-03T00:00:00");
    assert_eq!(certified.reason, "KEY_CERTIFIED_BEFORE");
    // Its medium may hold a key in use, and a web server has none.
    assert!(!certified.message.contains("format"), "{certified}");
}
