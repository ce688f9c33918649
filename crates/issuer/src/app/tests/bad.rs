//! Orders that the issuer refuses by its own rules, whatever intake thought of them.

use lgpki_domain::{Fault, Faults, Names};

use super::{support::subscriber_key, *};

async fn refused(fixture: &Fixture, order: Order) -> Vec<(String, &'static str)> {
    let size = fixture.log_size();
    let answers = fixture.issue(vec![order]).await;
    assert_eq!(fixture.log_size(), size, "a refused order was recorded");
    match &answers[0] {
        Answer::Refused(faults) => faults.iter().map(|f| (f.field.clone(), f.reason)).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

fn changed(kind: CertificateKind, change: impl FnOnce(&mut Wanted)) -> Order {
    let mut order = order(1, kind);
    change(order.wanted.as_mut().unwrap());
    order
}

#[tokio::test]
async fn each_rule_has_its_own_reason_and_nothing_is_recorded() {
    use CertificateKind::{Cross, Login, Mail, OfficialDuty, User, WebServer};
    let fixture = Fixture::new().await;
    let names = Names::try_new("x", "Clerk", "係").unwrap();
    let cases = [
        (changed(User, |w| w.kind = Cross), "KIND_NOT_APPLICABLE"),
        (changed(User, |w| w.branch = None), "BRANCH_MISSING"),
        (
            changed(OfficialDuty, |w| w.subject.unit = None),
            "UNIT_MISSING",
        ),
        (
            changed(User, |w| w.subject.name = names),
            "ACCOUNT_SUFFIX_MISSING",
        ),
        (changed(User, |w| w.public_key.clear()), "CSR_NOT_DER"),
        (changed(User, |w| w.public_key.push(0)), "CSR_NOT_DER"),
    ];
    for (order, reason) in cases {
        let faults = refused(&fixture, order).await;
        assert!(faults.iter().any(|f| f.1 == reason), "{reason}: {faults:?}");
    }
    // What only one kind has, missing there or given elsewhere.
    for order in [
        changed(Mail, |w| w.mail = None),
        changed(Mail, |w| w.mail = Some("a@example.com".to_owned())),
        changed(WebServer, |w| w.dns_names.clear()),
        changed(WebServer, |w| {
            w.dns_names = vec!["www.example.com".to_owned()];
        }),
        changed(User, |w| w.mail = Some("a@city.lg.jp".to_owned())),
        changed(Login, |w| w.login_role = None),
        changed(Login, |w| w.login_role = Some(OfficerRole::Operator)),
        changed(Login, |w| w.branch = None),
    ] {
        let faults = refused(&fixture, order).await;
        assert!(faults[0].0.starts_with("order."), "{faults:?}");
    }
}

#[tokio::test]
async fn every_fault_is_told_not_just_the_first() {
    let fixture = Fixture::new().await;
    let order = changed(CertificateKind::OfficialDuty, |w| {
        w.branch = None;
        w.subject.unit = None;
        w.public_key = vec![1, 2, 3];
    });
    let fields: Vec<_> = refused(&fixture, order)
        .await
        .into_iter()
        .map(|f| f.0)
        .collect();
    assert_eq!(
        fields,
        [
            "order.branch",
            "order.subject.unit",
            "order.subject_public_key_info"
        ]
    );
}

#[tokio::test]
async fn nothing_outlives_or_predates_its_ca() {
    let fixture = Fixture::new().await;
    // The CA is valid to 2018-02-03; three years before, the last certificate that fits.
    let last = JstDate::try_new(2015, 2, 4).unwrap();
    for (day, fits) in [
        (opening().plus_days(-1), false),
        (opening(), true),
        (last, true),
        (last.plus_days(1), false),
    ] {
        fixture.clock.set(day.start());
        let n = u8::try_from(day.parts().2).unwrap() + u8::try_from(day.parts().0 - 2000).unwrap();
        let answers = fixture.issue(vec![order(n, CertificateKind::User)]).await;
        match &answers[0] {
            Answer::Issued(_) => assert!(fits, "{day}"),
            Answer::Refused(faults) => {
                assert!(!fits, "{day}");
                assert_eq!(reasons(faults), ["CA_EXPIRES_FIRST"]);
            }
            other => panic!("{other:?}"),
        }
    }
}

fn opening() -> JstDate {
    support::opening_day()
}

fn reasons(faults: &Faults) -> Vec<&'static str> {
    faults.iter().map(|f: &Fault| f.reason).collect()
}

#[tokio::test]
async fn a_key_certified_before_is_refused_also_within_a_batch_and_the_ca_s_own() {
    let fixture = Fixture::new().await;
    let with_key = |n, key: Vec<u8>| {
        let mut order = order(n, CertificateKind::Mail);
        order.wanted.as_mut().unwrap().public_key = key;
        order
    };
    let same = subscriber_key(77);
    let answers = fixture
        .issue(vec![with_key(1, same.clone()), with_key(2, same.clone())])
        .await;
    certificate(&answers[0]);
    let ca = fixture.app.authorities().await.unwrap()[0]
        .certificate
        .clone();
    let ca = Certificate::parse(&ca).unwrap();
    let ca_key = ca.public_key().unwrap().der().to_vec();
    let mut more = fixture
        .issue(vec![with_key(3, same), with_key(4, ca_key)])
        .await;
    more.push(answers[1].clone());
    for answer in more {
        match answer {
            Answer::Refused(faults) => assert_eq!(reasons(&faults), ["KEY_CERTIFIED_BEFORE"]),
            other => panic!("{other:?}"),
        }
    }
}
