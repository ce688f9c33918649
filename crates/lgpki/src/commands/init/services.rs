//! The service CA, the three services' TLS identities, apart from the LGPKI CAs, and their log keys.

use std::{net::IpAddr, path::Path};

use lgpki_domain::{KeyAlgorithm, Randomness, Serial, Validity, validity};
use lgpki_issuer::Ports;
use lgpki_keys::{Passphrase, Signer, SoftwareKey};
use lgpki_ledger::{Identity, KeyName};
use lgpki_proto::ServiceName;
use lgpki_x509::{key::SubjectPublicKey, service, signed};

use super::{SERVER_NAME, files};
use crate::{error::CommandError, log_key};

/// The TLS keys; small and fast, for nothing but TLS.
const ALGORITHM: KeyAlgorithm = KeyAlgorithm::P256;

/// Makes the service CA under `service-ca/` and the identities under `tls/`; returns the passphrase of
/// what is there.
pub(super) fn make(
    dir: &Path,
    hosts: &[String],
    passphrase: &Passphrase,
    ports: &Ports,
) -> Result<Passphrase, CommandError> {
    let randomness = ports.randomness.as_ref();
    let today = ports.clock.now().jst_date();
    // An identity lasts as long as its CA: an expired one would stop every service at once.
    let years = Validity::try_new(today, today.plus_months(12 * validity::CA_YEARS));
    let validity = years.ok_or_else(|| CommandError::new("the clock shows an impossible day"))?;
    let ca_key = generate()?;
    let ca_public = public_key(&ca_key)?;
    let tbs = service::build_ca(&service::ServiceCaBlueprint {
        public_key: &ca_public,
        serial: serial(randomness)?,
        validity,
    })
    .map_err(failed)?;
    let ca_certificate = sign(&ca_key, tbs)?;
    let ca_pem = encrypted(&ca_key, passphrase)?;
    files::private(
        &dir.join("service-ca/service-ca.key.pem"),
        ca_pem.as_bytes(),
    )?;
    files::certificate(&dir.join("tls/service-ca.pem"), &ca_certificate)?;

    let tls_passphrase = draw_passphrase(dir, randomness)?;
    let ca = service::ServiceCa::try_new(&ca_certificate).map_err(failed)?;
    let (dns_names, addresses) = names(hosts);
    for name in ServiceName::ALL {
        let key = generate()?;
        let tbs = service::build(&service::ServiceBlueprint {
            ca: &ca,
            role: name.role(),
            dns_names: &dns_names,
            addresses: &addresses,
            public_key: &public_key(&key)?,
            serial: serial(randomness)?,
            validity,
        })
        .map_err(failed)?;
        let tls = dir.join("tls");
        files::certificate(&tls.join(format!("{name}.pem")), &sign(&ca_key, tbs)?)?;
        let pem = encrypted(&key, &tls_passphrase)?;
        files::private(&tls.join(format!("{name}.key.pem")), pem.as_bytes())?;
    }
    Ok(tls_passphrase)
}

/// Makes a service's log key under `tls/`, and its public part for auditors under `audit-keys/`; returns the
/// identity of its logs.
pub(super) fn log_key(
    dir: &Path,
    origin: &KeyName,
    service: ServiceName,
    passphrase: &Passphrase,
) -> Result<Identity, CommandError> {
    let key = log_key::generate()?;
    let pem = encrypted(&key, passphrase)?;
    let file = dir.join(format!("tls/{service}.log-key.pem"));
    files::private(&file, pem.as_bytes())?;
    let identity = log_key::identity(origin, service, &format!("{service}-1"), &key)?;
    let public = format!("{}\n", identity.public());
    let file = dir.join(format!("audit-keys/{service}.vkey"));
    files::public(&file, public.as_bytes())?;
    Ok(identity)
}

/// Hosts as DNS names and addresses, with this machine's own first.
fn names(hosts: &[String]) -> (Vec<String>, Vec<IpAddr>) {
    let mut dns_names = vec![SERVER_NAME.to_owned()];
    let mut addresses = vec![
        IpAddr::from([127, 0, 0, 1]),
        IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
    ];
    for host in hosts {
        match host.parse() {
            Ok(address) => addresses.push(address),
            Err(_) => dns_names.push(host.clone()),
        }
    }
    (dns_names, addresses)
}

fn draw_passphrase(dir: &Path, randomness: &dyn Randomness) -> Result<Passphrase, CommandError> {
    let mut bytes = [0; 32];
    randomness
        .fill(&mut bytes)
        .map_err(|e| CommandError::from_error("passphrase", &e))?;
    let text = lgpki_domain::Digest(bytes).to_string();
    files::private(&dir.join("secrets/tls-passphrase"), text.as_bytes())?;
    let secret = text.into_bytes().into();
    Passphrase::try_new(secret, "the TLS passphrase")
        .map_err(|e| CommandError::from_error("passphrase", &e))
}

fn generate() -> Result<SoftwareKey, CommandError> {
    SoftwareKey::generate(ALGORITHM).map_err(|e| CommandError::from_error("cannot make a key", &e))
}

fn encrypted(key: &SoftwareKey, passphrase: &Passphrase) -> Result<String, CommandError> {
    key.to_encrypted_pkcs8_pem(passphrase)
        .map_err(|e| CommandError::from_error("cannot encrypt a key", &e))
}

fn public_key(key: &SoftwareKey) -> Result<SubjectPublicKey, CommandError> {
    SubjectPublicKey::parse("key", key.public_key().der())
        .map_err(|e| CommandError::from_error("a new key cannot be read", &e))
}

fn sign(key: &SoftwareKey, tbs: Vec<u8>) -> Result<Vec<u8>, CommandError> {
    let signature = key
        .sign(&tbs)
        .map_err(|e| CommandError::from_error("cannot sign", &e))?;
    Ok(signed::assemble(
        tbs,
        key.algorithm().signature(),
        &signature,
    ))
}

fn serial(randomness: &dyn Randomness) -> Result<Serial, CommandError> {
    Serial::draw(randomness).map_err(|e| CommandError::from_error("serial number", &e))
}

// By value, because it stands in `map_err`.
#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn failed(error: lgpki_x509::error::X509Error) -> CommandError {
    CommandError::from_error("a service's certificate cannot be made", &error)
}
