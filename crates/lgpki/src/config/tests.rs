//! The configuration file: what init writes is read, what is mistyped is refused by name.

use super::*;

fn template() -> String {
    render(&Template {
        first_port: 7440,
        public_host: "127.0.0.1",
        publication_url: "http://127.0.0.1:7446",
        server_name: "localhost",
        log_origin: "lgpki.invalid/audit",
        examination: EXAMINATION,
    })
}

#[test]
fn what_init_writes_can_be_read_and_its_paths_are_resolved() {
    let config = Config::parse(&template(), Path::new("/srv/ca")).unwrap();
    let intake = config.intake.as_ref().unwrap();
    assert_eq!(intake.shared.data, Path::new("/srv/ca/data/intake"));
    assert_eq!(
        intake.own.organization_ca,
        Path::new("/srv/ca/ca/organization.pem")
    );
    assert!(lgpki_intake::config::Settings::try_from(intake.settings.clone()).is_ok());
    assert_eq!(
        intake.shared.log_key,
        Path::new("/srv/ca/tls/intake.log-key.pem")
    );
    assert_eq!(config.audit.log_origin.as_str(), "lgpki.invalid/audit");
    for (service, port) in ServiceName::ALL.into_iter().zip([7448, 7449, 7447]) {
        let audit = config.shared(service).unwrap().audit.unwrap();
        assert_eq!(audit.socket().port(), port, "{service}");
    }
    assert_eq!(
        config.tls.service_ca,
        Path::new("/srv/ca/tls/service-ca.pem")
    );
}

#[test]
fn an_unknown_key_or_section_is_refused_by_name() {
    for (from, to, named) in [
        ("[telemetry]", "[telemtry]", "telemtry"),
        ("crl_daily_at", "crl_daily", "crl_daily"),
        ("[audit]", "[audits]", "log_origin"),
        ("log_origin = \"", "log_origin = \"https://", "log_origin"),
        ("batch = 256", "bach = 256", "bach"),
        (
            "passphrase_file = \"secrets/tls",
            "passphrase = \"secrets/tls",
            "passphrase",
        ),
        ("127.0.0.1:7443", "localhost", "localhost"),
    ] {
        let why = Config::parse(&template().replacen(from, to, 1), Path::new("/")).unwrap_err();
        assert!(why.contains(named), "{why}");
    }
}

#[test]
fn a_setting_of_the_wrong_form_is_refused_by_its_whole_key() {
    let text = template().replacen("[intake.examination]", "[intake.examination]\ncross = 1", 1);
    let why = Config::parse(&text, Path::new("/")).unwrap_err();
    assert!(why.starts_with("[intake] examination.cross: "), "{why}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lgpki.toml");
    let text = text.replacen("cross = 1", "cross = { mode = \"manual\" }", 1);
    std::fs::write(&file, text).unwrap();
    let why = Config::load(&file).unwrap_err().to_string();
    assert!(
        why.contains("lgpki.toml is wrong: intake.examination.cross: "),
        "{why}"
    );
}

#[test]
fn published_logs_need_not_be_served_as_files() {
    let text = template();
    let lines = text.lines().filter(|line| !line.starts_with("audit = "));
    let text: Vec<_> = lines.collect();
    let config = Config::parse(&text.join("\n"), Path::new("/")).unwrap();
    let none = |service| config.shared(service).unwrap().audit.is_none();
    assert!(ServiceName::ALL.into_iter().all(none));
}

#[test]
fn the_port_of_published_logs_has_a_limit_of_each_address_which_may_be_another() {
    let usual = Config::parse(&template(), Path::new("/")).unwrap();
    let shared = usual.shared(ServiceName::Issuer).unwrap();
    assert_eq!(shared.audit_limits, PublicLimits::default());
    let line = "# audit_limits = {";
    assert!(template().contains(line));
    let text = template().replacen(line, &line[2..], 1);
    let written = Config::parse(&text, Path::new("/")).unwrap();
    let limits = &written.shared(ServiceName::Issuer).unwrap().audit_limits;
    // What the comment shows is the default.
    let [shown, usual] = [limits, &shared.audit_limits].map(|limits| limits.of(128, |_| {}));
    assert_eq!(shown.connections, usual.connections);
    assert_eq!(shown.per_address, usual.per_address);
    let text = text.replacen("128, per_address = 64", "63, per_address = 64", 1);
    let why = Config::parse(&text, Path::new("/")).unwrap_err();
    assert!(why.starts_with("[issuer] audit_limits"), "{why}");
}

#[test]
fn a_service_may_be_left_out() {
    let text = template();
    let (head, _) = text.split_once("# ---- lifecycle").unwrap();
    let config = Config::parse(head, Path::new("/")).unwrap();
    assert!(config.shared(ServiceName::Issuer).is_some());
    assert!(config.shared(ServiceName::Intake).is_none());
}
