//! The new login, fetched and put into its place.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use lgpki_domain::{Clock, KeyMedium, Randomness};
use lgpki_keys::{SoftwareKey, write_private};
use lgpki_kit::{LoginMaterial, Pin, Provision};
use lgpki_proto::{
    RemoteError,
    v1::{self, application_service_client::ApplicationServiceClient},
};
use lgpki_runtime::{clock::SystemClock, random::SystemRandomness};

use crate::{
    commands::{ceremony, init::to_pem},
    error::{CommandError, Refused},
    office::{FILE, Office, OfficeFile},
};

/// The new key's file, encrypted under the login's PIN.
pub(super) const KEY: &str = "key.pem";
/// How often a certificate is asked for that is issued and not yet in the inventory.
const TRIES: usize = 30;

/// A login certificate that was issued, with its CA's.
#[derive(Debug)]
pub(super) struct Fetched {
    /// Its serial number.
    pub(super) serial: String,
    /// Both certificates, PEM.
    chain: String,
    /// Its encrypted key, PEM.
    key: String,
    /// What `office.toml` will say.
    file: OfficeFile,
}

/// Downloads what was issued, and sees that it is the new key's.
pub(super) async fn fetch(
    office: &Office,
    id: &str,
    pending: &Path,
) -> Result<Fetched, CommandError> {
    let mut client = ApplicationServiceClient::new(office.channel());
    let mut tries = 0;
    let downloaded = loop {
        let request = v1::DownloadCertificateRequest { id: id.to_owned() };
        let refused = match client.download_certificate(request).await {
            Ok(answer) => break answer.into_inner(),
            Err(status) => RemoteError::from(status),
        };
        tries += 1;
        match refused.retry_after {
            Some(delay) if tries < TRIES => {
                tokio::time::sleep(delay.min(Duration::from_secs(2))).await;
            }
            _ => return Err(refused.into()),
        }
    };
    let path = pending.join(KEY);
    let key = fs::read_to_string(&path).map_err(|e| CommandError::file("read", &path, &e))?;
    Fetched::try_new(&downloaded, key, office.file(), office.pin())
}

/// Tells the server that the new login is in its place.
pub(super) async fn confirm(office: &Office, id: &str) -> Result<(), CommandError> {
    let request = v1::ConfirmDeliveryRequest {
        ids: vec![id.to_owned()],
    };
    let mut client = ApplicationServiceClient::new(office.channel());
    let answer = client.confirm_delivery(request).await?.into_inner();
    let refused: Vec<_> = answer
        .refused
        .into_iter()
        .map(|r| Refused::new(r.id, r.refusal))
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(
        CommandError::new("the new login is in its place, but its arrival could not be confirmed")
            .refusing(refused)
            .hint("give the command again"),
    )
}

impl Fetched {
    /// Judges that certificate and key belong together and are a login.
    fn try_new(
        downloaded: &v1::DownloadCertificateResponse,
        key: String,
        before: &OfficeFile,
        pin: &Pin,
    ) -> Result<Self, CommandError> {
        let chain = to_pem(&downloaded.certificate)? + &to_pem(&downloaded.ca_certificate)?;
        LoginMaterial::from_data(chain.as_bytes(), key.as_bytes(), pin.as_passphrase())
            .map_err(|e| CommandError::from_error("the certificate that was issued", &e))?;
        let serial = downloaded.serial.clone();
        let number: String = serial.chars().take(8).collect();
        let path = |rest: &str| PathBuf::from(format!("login-{number}{rest}"));
        let file = match before.card {
            Some(_) => OfficeFile {
                card: Some(PathBuf::from(format!("card-{number}"))),
                ..before.clone()
            },
            None => OfficeFile {
                certificate: Some(path(".pem")),
                key: Some(path(".key.pem")),
                ..before.clone()
            },
        };
        Ok(Self {
            serial,
            chain,
            key,
            file,
        })
    }

    /// The card or the certificate that the office logs in with from now on.
    pub(super) fn place(&self) -> String {
        let place = self.file.card.as_ref().or(self.file.certificate.as_ref());
        place
            .map(|path| path.display().to_string())
            .unwrap_or_default()
    }

    /// Writes the new login beside the old one and makes it the office's; what is in its place already
    /// stays.
    pub(super) fn install(&self, office: &Office, pending: &Path) -> Result<(), CommandError> {
        if office.serial() == Some(&self.serial) {
            return Ok(());
        }
        let ports = (&SystemClock as &dyn Clock, &SystemRandomness::new() as _);
        self.write(office.dir(), office.pin(), pending, ports)
    }

    fn write(
        &self,
        dir: &Path,
        pin: &Pin,
        pending: &Path,
        (clock, random): (&dyn Clock, &dyn Randomness),
    ) -> Result<(), CommandError> {
        match (&self.file.card, &self.file.certificate, &self.file.key) {
            (Some(card), _, _) => {
                let card = dir.join(card);
                // Whole or not there: it is made apart and moved.
                if !card.exists() {
                    let made = pending.join("card");
                    let _ = fs::remove_dir_all(&made);
                    self.on_card(&made, pin, (clock, random))?;
                    fs::rename(&made, &card).map_err(|e| CommandError::file("write", &card, &e))?;
                }
                // What a PC of the standard system is set up with.
                ceremony::replace(&dir.join("login.pem"), &self.chain)?;
            }
            (None, Some(certificate), Some(key)) => {
                let key = dir.join(key);
                if !key.exists() {
                    write_private(&key, self.key.as_bytes()).map_err(|e| {
                        CommandError::from_error(&format!("cannot write {}", key.display()), &e)
                    })?;
                }
                ceremony::replace(&dir.join(certificate), &self.chain)?;
            }
            _ => {
                return Err(CommandError::new(
                    "office.toml names neither a card nor a certificate with its key",
                ));
            }
        }
        let text = toml::to_string(&self.file)
            .map_err(|e| CommandError::from_error("office.toml cannot be written", &e))?;
        ceremony::replace(&dir.join(FILE), &text)
    }

    fn on_card(
        &self,
        path: &Path,
        pin: &Pin,
        (clock, random): (&dyn Clock, &dyn Randomness),
    ) -> Result<(), CommandError> {
        let key = SoftwareKey::from_encrypted_pkcs8(self.key.as_bytes(), pin.as_passphrase())
            .map_err(|e| CommandError::from_error("the new key cannot be read", &e))?;
        let provision = Provision {
            medium: KeyMedium::IcCard,
            pin,
            key: &key,
            certificate: self.chain.as_bytes(),
        };
        let written = provision.write(path, clock, random);
        written
            .map(|_| ())
            .map_err(|e| CommandError::from_error("the login card cannot be written", &e))
    }
}
