//! What may stand beside the names, and what may not.

use super::*;

fn hosts(names: &[&str]) -> Result<Particulars, Faults> {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let requested = Requested {
        dns_names: &names,
        ..Requested::default()
    };
    Particulars::try_new("issue", CertificateKind::WebServer, &requested)
}

#[test]
fn host_names_under_lg_jp_are_accepted() {
    let particulars = hosts(&["www.city.sapporo.lg.jp", "a-1.pref.lg.jp"]).unwrap();
    assert_eq!(particulars.dns_names().len(), 2);
}

#[test]
fn other_host_names_are_refused_each_under_its_index() {
    for name in [
        "*.city.lg.jp",
        "WWW.city.lg.jp",
        "www.example.com",
        "lg.jp",
        "evil-lg.jp",
        "-a.lg.jp",
        "a-.lg.jp",
        "a..lg.jp",
        "a_b.lg.jp",
        "192.0.2.1",
        "2001:db8::1",
        "札幌.lg.jp",
        "a b.lg.jp",
        "www.city.lg.jp.",
        "",
        &format!("{}.lg.jp", "a".repeat(64)),
    ] {
        let faults = hosts(&["ok.city.lg.jp", name]).unwrap_err();
        let fault = faults.iter().next().unwrap();
        assert_eq!(
            (fault.field.as_str(), fault.reason),
            ("issue.dns_names[1]", "DNS_NAME"),
            "{name}"
        );
    }
}

#[test]
fn too_many_too_few_and_repeated_host_names_are_refused() {
    assert!(hosts(&[]).is_err());
    assert!(hosts(&["a.lg.jp", "a.lg.jp"]).is_err());
    let many: Vec<_> = (0..11).map(|i| format!("h{i}.lg.jp")).collect();
    assert!(hosts(&many.iter().map(String::as_str).collect::<Vec<_>>()).is_err());
}

#[test]
fn mail_addresses_lie_under_lg_jp() {
    assert!(MailAddress::try_new("m", "soumu@city.sapporo.lg.jp").is_ok());
    for address in [
        "",
        "soumu",
        "soumu@example.com",
        "@city.lg.jp",
        "a@b@city.lg.jp",
        ".a@city.lg.jp",
        "a..b@city.lg.jp",
        "a@City.lg.jp",
        "総務@city.lg.jp",
        "a@lg.jp",
        "\"a b\"@city.lg.jp",
    ] {
        assert!(MailAddress::try_new("m", address).is_err(), "{address}");
    }
}

#[test]
fn what_another_kind_carries_is_refused() {
    let names = vec!["a.lg.jp".to_owned()];
    let requested = Requested {
        dns_names: &names,
        mail: Some("a@city.lg.jp"),
        login: Some((OfficerRole::Operator, None)),
    };
    let faults = Particulars::try_new("issue", CertificateKind::User, &requested).unwrap_err();
    let reasons: Vec<_> = faults.iter().map(|f| f.reason).collect();
    assert_eq!(
        reasons,
        [
            "DNS_NAMES_NOT_ALLOWED",
            "MAIL_NOT_ALLOWED",
            "LOGIN_NOT_ALLOWED"
        ]
    );
    let cross = Particulars::try_new("issue", CertificateKind::Cross, &Requested::default());
    assert_eq!(
        cross.unwrap_err().iter().next().unwrap().reason,
        "KIND_NOT_APPLICABLE"
    );
}

#[test]
fn a_login_uri_reads_back_and_nothing_else_does() {
    for (role, body) in [
        (OfficerRole::BranchOfficer, Some("01001".parse().unwrap())),
        (OfficerRole::Operator, None),
    ] {
        let uri = Particulars::Login { role, body }.login_uri().unwrap();
        assert_eq!(parse_login_uri(&uri), Some((role, body)), "{uri}");
    }
    for uri in [
        "lgpki:login/operator/01001",
        "lgpki:login/branch-officer/-",
        "lgpki:login/root/-",
        "lgpki:login/operator",
        "lgpki:service/intake",
        "LGPKI:login/operator/-",
    ] {
        assert_eq!(parse_login_uri(uri), None, "{uri}");
    }
}
