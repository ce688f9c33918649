//! What a configuration file may say.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lgpki_domain::{KeyAlgorithm, Role};
use lgpki_keys::SoftwareKey;
use lgpki_x509::pem::{self, Label};

use super::*;
use crate::testing::Pki;

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

/// Writes what `TlsPaths` reads: a certificate, and a key that does not fit it.
fn write(folder: &Path) -> TlsPaths {
    let certificate = Pki::ours().service(Role::Intake).certificate().to_vec();
    let key = SoftwareKey::generate(KeyAlgorithm::P256).unwrap();
    let key = key_pem(&key.to_pkcs8_der().unwrap());
    let paths = TlsPaths {
        certificate: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
        anchors: folder.join("anchors.pem"),
    };
    let anchor = Pki::ours().organization_certificate();
    fs::write(
        &paths.certificate,
        pem::encode(Label::Certificate, &certificate).unwrap(),
    )
    .unwrap();
    fs::write(
        &paths.anchors,
        pem::encode(Label::Certificate, &anchor).unwrap(),
    )
    .unwrap();
    fs::write(&paths.key, key).unwrap();
    fs::set_permissions(&paths.key, fs::Permissions::from_mode(0o600)).unwrap();
    paths
}

fn key_pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

#[test]
fn tls_files_are_read_and_what_is_wrong_with_them_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let paths = write(folder.path());
    assert_eq!(
        paths.trust_anchors().map(|a| format!("{a:?}")).unwrap(),
        "TrustAnchors(1)"
    );
    // The key was read, and found to be another certificate's.
    assert!(matches!(paths.identity(), Err(RuntimeError::Tls { .. })));
    fs::set_permissions(&paths.key, fs::Permissions::from_mode(0o640)).unwrap();
    let open = paths.identity().unwrap_err().to_string();
    assert!(open.contains("chmod 600"), "{open}");
    let swapped = TlsPaths {
        certificate: paths.key.clone(),
        ..paths.clone()
    };
    assert!(matches!(
        swapped.identity(),
        Err(RuntimeError::NotPem { .. })
    ));
    let missing = TlsPaths {
        anchors: folder.path().join("nowhere.pem"),
        ..paths
    };
    let text = missing.trust_anchors().unwrap_err().to_string();
    assert!(text.contains("nowhere.pem"), "{text}");
}
