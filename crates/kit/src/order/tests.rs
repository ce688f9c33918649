//! Which kinds may be ordered on which medium, and what belongs to them.

use super::*;
use crate::testing::{World, name_for, names, order, unit};

fn reasons(checked: Result<(Subject, Particulars), Faults>) -> Vec<&'static str> {
    match checked {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(|f| f.reason).collect(),
    }
}

fn check(kind: CertificateKind, medium: KeyMedium) -> Result<(Subject, Particulars), Faults> {
    let settings = World::new().pc().settings().unwrap();
    let (name, unit) = (name_for(kind), unit());
    let mut order = order(kind, &name);
    order.unit = Some(&unit);
    order.check(medium, &settings)
}

#[test]
fn an_ic_card_takes_every_kind_but_web_server() {
    for kind in CertificateKind::ALL {
        let found = reasons(check(kind, KeyMedium::IcCard));
        let expected: &[&str] = match kind {
            CertificateKind::WebServer => &["KIND_IS_THE_SERVERS"],
            CertificateKind::Cross | CertificateKind::Link | CertificateKind::OcspResponder => {
                &["KIND_NOT_APPLICABLE"]
            }
            _ => &[],
        };
        assert_eq!(found, expected, "{kind}");
    }
}

#[test]
fn a_usb_token_takes_code_signing_and_login_only() {
    for kind in CertificateKind::ALL {
        let found = reasons(check(kind, KeyMedium::UsbToken));
        let expected: &[&str] = match kind {
            CertificateKind::CodeSigning | CertificateKind::Login => &[],
            CertificateKind::WebServer => &["KIND_IS_THE_SERVERS"],
            CertificateKind::Cross | CertificateKind::Link | CertificateKind::OcspResponder => {
                &["KIND_NOT_APPLICABLE"]
            }
            _ => &["KIND_NOT_FOR_MEDIUM"],
        };
        assert_eq!(found, expected, "{kind}");
    }
}

#[test]
fn a_web_server_is_told_to_make_its_own_request() {
    let faults = check(CertificateKind::WebServer, KeyMedium::IcCard).unwrap_err();
    let text = faults.to_string();
    assert!(
        text.contains("(R6)") && text.contains("openssl req"),
        "{text}"
    );
}

#[test]
fn every_fault_of_an_order_is_listed() {
    let settings = World::new().pc().settings().unwrap();
    let name = names("chief", "文書取扱主任");
    let user = Order::new(CertificateKind::User, &name);
    assert_eq!(
        reasons(user.check(KeyMedium::UsbToken, &settings)),
        [
            "KIND_NOT_FOR_MEDIUM",
            "UNIT_MISSING",
            "ACCOUNT_SUFFIX_MISSING"
        ]
    );
}

#[test]
fn operators_get_no_login_from_a_body() {
    let settings = World::new().pc().settings().unwrap();
    let name = names("Operator", "運営主体");
    let mut login = order(CertificateKind::Login, &name);
    login.login = Some(OfficerRole::Operator);
    let found = reasons(login.check(KeyMedium::IcCard, &settings));
    assert_eq!(found.first(), Some(&"ROLE_WITHOUT_BODY"));
    login.login = None;
    assert!(!reasons(login.check(KeyMedium::IcCard, &settings)).is_empty());
}

#[test]
fn what_belongs_to_another_kind_is_refused() {
    let settings = World::new().pc().settings().unwrap();
    let (name, unit) = (name_for(CertificateKind::Mail), unit());
    let mut mail = order(CertificateKind::Mail, &name);
    mail.unit = Some(&unit);
    assert!(mail.check(KeyMedium::IcCard, &settings).is_ok());
    for address in [None, Some("soumu@example.com"), Some("not an address")] {
        mail.mail = address;
        assert!(
            mail.check(KeyMedium::IcCard, &settings).is_err(),
            "{address:?}"
        );
    }
    let mut duty = order(CertificateKind::OfficialDuty, &name);
    duty.unit = Some(&unit);
    duty.mail = Some("soumu@city.example.lg.jp");
    assert!(duty.check(KeyMedium::IcCard, &settings).is_err());
}
