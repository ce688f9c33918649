//! An office's connection to intake, as the front ends have one: login data over mutual TLS.

use std::{fs, path::Path, sync::Arc};

use lgpki_keys::{Passphrase, PassphraseSource};
use lgpki_kit::LoginMaterial;
use lgpki_runtime::{
    client::{self, Dial},
    clock::SystemClock,
    config::Target,
    tls::{Identity, TrustAnchors},
};
use lgpki_x509::pem;
use serde::Deserialize;
use tonic::transport::Channel;

use crate::Failure;

/// What is needed of `office.toml`.
#[derive(Debug, Deserialize)]
struct Office {
    server: String,
    server_name: String,
}

/// Connects as the office of this name, such as `branch-officer-01001`.
pub fn connect(ca: &Path, name: &str) -> Result<Channel, Failure> {
    let directory = ca.join("offices").join(name);
    let office: Office = toml::from_str(&fs::read_to_string(directory.join("office.toml"))?)?;
    let pin: Passphrase = PassphraseSource::File(directory.join("pin")).read()?;
    let certificate = fs::read(directory.join("login.pem"))?;
    let key = fs::read(directory.join("login.key.pem"))?;
    let login = LoginMaterial::from_data(&certificate, &key, &pin)?;
    let service_ca = certificates(&ca.join("tls/service-ca.pem"))?;
    let channel = client::connect(Dial {
        target: Target::try_new(&office.server)?.with_server_name(&office.server_name),
        identity: Some(Identity::try_new(login.chain, login.key)?),
        anchors: TrustAnchors::try_new(&service_ca)?,
        clock: Arc::new(SystemClock),
    })?;
    Ok(channel)
}

/// The certificates of a PEM file, DER.
pub fn certificates(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    Ok(pem::decode_all(pem::Label::Certificate, &fs::read(path)?)?)
}
