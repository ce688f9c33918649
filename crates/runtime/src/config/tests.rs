//! What a configuration file may say.

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: ListenAddress,
    issuer: Target,
    #[serde(default)]
    limits: ServerLimits,
    #[serde(default)]
    telemetry: TelemetryConfig,
}

const GOOD: &str = "listen = \"127.0.0.1:7411\"\n[issuer]\naddress = \"issuer.lg.jp:7412\"\n";

#[test]
fn defaults_stand_for_what_is_not_written() {
    let file: File = toml::from_str(GOOD).unwrap();
    assert_eq!(file.listen.to_string(), "127.0.0.1:7411");
    assert_eq!(file.issuer.server_name(), "issuer.lg.jp");
    assert_eq!(file.issuer.service(), None);
    assert_eq!(file.limits, ServerLimits::default());
    assert_eq!(file.telemetry.format, LogFormat::Text);
}

#[test]
fn errors_name_the_key() {
    for (text, named) in [
        (GOOD.replace("7411", "74111"), "listen"),
        (GOOD.replace(":7412", ""), "issuer"),
        (format!("{GOOD}server = \"x\"\n"), "server"),
        (format!("{GOOD}[limits]\nconnections = 0\n"), "connections"),
        (format!("{GOOD}[limits]\nconections = 1\n"), "conections"),
        (format!("{GOOD}[telemetry]\nformat = \"xml\"\n"), "format"),
    ] {
        let error = toml::from_str::<File>(&text).unwrap_err().to_string();
        assert!(error.contains(named), "{named}: {error}");
    }
}

#[test]
fn a_target_is_a_host_and_a_port() {
    for wrong in [
        "",
        "host",
        "host:",
        ":1",
        "host:0",
        "http://host:1",
        "a b:1",
    ] {
        assert!(Target::try_new(wrong).is_err(), "{wrong:?}");
    }
    let v6 = Target::try_new("[::1]:7411").unwrap();
    assert_eq!((v6.address(), v6.server_name()), ("[::1]:7411", "::1"));
    let named = v6
        .with_server_name("issuer")
        .with_service(ServiceName::Issuer);
    assert_eq!(named.server_name(), "issuer");
    assert_eq!(named.service(), Some(ServiceName::Issuer));
}
