//! What media belong to, what is told of those that are missing, and what is refused before any key goes.

use lgpki_domain::{
    CertificateKind, Digest, KeyMedium, Names, Subject, Timestamp, validity::Validity,
};
use lgpki_kit::{CertificateView, RequestView};

use super::*;

fn subject(name: &str) -> Subject {
    let names = |en: &str| Names::try_new("x", en, "名前").unwrap();
    Subject {
        body: names("Body"),
        unit: Some(names("Unit")),
        name: names(name),
    }
}

fn made(name: &str) -> RequestView {
    RequestView {
        kind: CertificateKind::OfficialDuty,
        subject: subject(name),
        mail: None,
        login: None,
        algorithm: KeyAlgorithm::P256,
        key_digest: Digest([1; 32]),
        pc: String::new(),
        os_login: String::new(),
        requested_at: Timestamp::default(),
        csr: String::new(),
    }
}

fn medium(request: Option<RequestView>, serial: Option<&str>) -> MediumView {
    let at = Timestamp::default();
    MediumView {
        id: "1".to_owned(),
        medium: KeyMedium::IcCard,
        formatted_at: at,
        tries_left: 10,
        request,
        certificate: serial.map(|serial| CertificateView {
            serial: serial.to_owned(),
            kind: None,
            subject: None,
            not_before: at,
            not_after: at,
            expired: false,
            stored_at: at,
            chain: Vec::new(),
        }),
    }
}

#[test]
fn what_every_application_would_be_refused_for_is_refused_before_any_key_is_destroyed() {
    let today: JstDate = "2010-12-01".parse().unwrap();
    let check = |on: Option<&str>| {
        let examiner = Examiner {
            examined_by: "総務課長".to_owned(),
            person: None,
            examined_on: on.map(|day| day.parse().unwrap()),
        };
        check_examiner(&examiner, today).map_err(|error| error.to_string())
    };
    assert_eq!(check(None), Ok(()));
    assert_eq!(check(Some("2010-12-01")), Ok(()));
    let later = check(Some("2010-12-02")).unwrap_err();
    assert!(later.contains("later than today"), "{later}");
}

#[test]
fn an_application_that_was_turned_down_is_not_told_as_submitted() {
    let told = |state: v1::ApplicationState| {
        let application = v1::Application {
            state: state.into(),
            reason: "the unit was dissolved".to_owned(),
            ..v1::Application::default()
        };
        under_way(&application, Path::new("card")).map_err(|error| error.to_string())
    };
    assert_eq!(told(v1::ApplicationState::Examining), Ok(()));
    assert_eq!(told(v1::ApplicationState::Issued), Ok(()));
    let rejected = told(v1::ApplicationState::Rejected).unwrap_err();
    assert!(
        rejected.contains("was rejected: the unit was dissolved"),
        "{rejected}"
    );
    assert!(told(v1::ApplicationState::Withdrawn).is_err());
    assert!(told(v1::ApplicationState::Failed).is_err());
}

#[test]
fn what_is_missing_of_a_due_certificate_is_told_by_its_kind() {
    let told = |kind: CertificateKind| {
        let certificate = v1::Certificate {
            serial: "41".repeat(16),
            kind: wire(kind),
            not_after: "2011-02-03T23:59:59.000+09:00".to_owned(),
            state: v1::CertificateState::Valid.into(),
            ..v1::Certificate::default()
        };
        missing(&Renewal::of(certificate, "2010-12-01".parse().unwrap()).unwrap())
    };
    let server = told(CertificateKind::WebServer);
    assert!(server.contains("--medium server"), "{server}");
    let login = told(CertificateKind::Login);
    assert!(login.contains("renew-login"), "{login}");
    let card = told(CertificateKind::OfficialDuty);
    assert!(card.ends_with("name it under --media"), "{card}");
    assert!(!login.contains("server") && !card.contains("server"));
}

#[test]
fn a_medium_belongs_to_the_certificate_on_it_or_to_the_one_its_new_key_was_made_for() {
    let validity = Validity::for_subscriber("2008-02-04".parse().unwrap());
    let certificate = v1::Certificate {
        serial: "41".repeat(16),
        kind: wire(CertificateKind::OfficialDuty),
        subject: Some((&subject("Mayor")).into()),
        not_after: validity.not_after().to_string(),
        state: v1::CertificateState::Valid.into(),
        ..v1::Certificate::default()
    };
    let due = Renewal::of(certificate, "2010-12-01".parse().unwrap()).unwrap();
    let own = "41".repeat(16);
    assert!(holds(&medium(Some(made("Mayor")), Some(&own)), &due));
    // A run that broke off after the key was made goes on with it.
    assert!(holds(&medium(Some(made("Mayor")), None), &due));
    // The certificate decides, whoever asked for it.
    let other = "42".repeat(16);
    assert!(!holds(&medium(Some(made("Mayor")), Some(&other)), &due));
    assert!(!holds(&medium(Some(made("Deputy")), None), &due));
    assert!(!holds(&medium(None, None), &due));
}
