//! In whose name a command calls: the office's login card, and the way to intake.
//!
//! An office is a directory with `office.toml`, as `init` makes under `offices/`. The private key is
//! unlocked with the card's PIN for this one process and wiped when it ends.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_domain::{BodyCode, Clock, JstDate, Subject};
use lgpki_keys::PassphraseSource;
use lgpki_kit::{LoginMaterial, Pin};
use lgpki_proto::v1;
use lgpki_runtime::{
    client::{self, Dial},
    clock::SystemClock,
    config::Target,
    tls::{Identity, TrustAnchors},
};
use lgpki_x509::{certificate::Certificate, pem};
use serde::{Deserialize, Serialize};
use tonic::transport::Channel;

use crate::{cli::OfficeArgs, error::CommandError};

/// The name of an office's file.
pub(crate) const FILE: &str = "office.toml";

/// `office.toml`. Paths are relative to its directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfficeFile {
    /// Where intake listens, `host:port`.
    pub(crate) server: String,
    /// The name in intake's certificate.
    pub(crate) server_name: String,
    /// The service CA's certificate, by which intake is known.
    pub(crate) service_ca: PathBuf,
    /// The login card (ログイン用カード) or USB token; or else `certificate` and `key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) card: Option<PathBuf>,
    /// Login data (ログイン用データ): the certificate, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<PathBuf>,
    /// Login data: the key, encrypted PKCS#8 whose passphrase is the PIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PathBuf>,
    /// A file with the PIN; asked for if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pin_file: Option<PathBuf>,
}

/// An office that is logged in.
#[derive(Debug)]
pub(crate) struct Office {
    channel: Channel,
    subject: Option<Subject>,
    serial: Option<String>,
    body: Option<BodyCode>,
    dir: PathBuf,
    file: OfficeFile,
    pin: Pin,
    /// The login certificate, DER.
    login: Vec<u8>,
}

impl Office {
    /// Unlocks the login card and prepares the connection, which the first call makes; needs
    /// the runtime.
    pub(crate) fn open(args: &OfficeArgs) -> Result<Self, CommandError> {
        let (dir, file) = read(&args.office)?;
        let pin = pin(args, &dir, &file)?;
        let login = unlock(&dir, &file, &pin)?;
        let own = login
            .chain
            .first()
            .and_then(|der| Certificate::parse(der).ok());
        let subject = own.as_ref().and_then(Certificate::subject);
        let serial = own.and_then(|own| own.serial()).map(|s| s.to_string());
        let body = login.body;
        let identity = Identity::try_new(login.chain.clone(), login.key.clone())
            .map_err(|e| CommandError::from_error("the login card cannot be used", &e))?;
        let target = Target::try_new(&file.server)
            .map_err(|e| CommandError::from_error("office.toml", &e))?
            .with_server_name(&file.server_name);
        let channel = client::connect(Dial {
            target,
            identity: Some(identity),
            anchors: anchors(&dir.join(&file.service_ca))?,
            clock: Arc::new(SystemClock),
        })
        .map_err(|e| CommandError::from_error("cannot prepare the connection", &e))?;
        Ok(Self {
            channel,
            subject,
            serial,
            body,
            dir,
            login: login.chain.into_iter().next().unwrap_or_default(),
            file,
            pin,
        })
    }

    /// The office's directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What `office.toml` says.
    pub(crate) const fn file(&self) -> &OfficeFile {
        &self.file
    }

    /// The PIN that unlocked the login.
    pub(crate) const fn pin(&self) -> &Pin {
        &self.pin
    }

    /// The login certificate, DER.
    pub(crate) fn login(&self) -> &[u8] {
        &self.login
    }

    /// The code of the office's branch; empty where it belongs to none.
    pub(crate) fn branch_or_none(&self) -> String {
        self.body.map(|b| b.to_string()).unwrap_or_default()
    }

    /// Where intake listens, for telling a person.
    pub(crate) fn server(&self) -> &str {
        &self.file.server
    }

    /// A command line in this office's name, to be copied from a next step.
    pub(crate) fn command(&self, command: &str, rest: &str) -> String {
        let dir = self.dir.display().to_string();
        match dir.as_str() {
            "." => format!("lgpki {command} {rest}"),
            dir if dir.contains(' ') => format!("lgpki {command} --as '{dir}' {rest}"),
            dir => format!("lgpki {command} --as {dir} {rest}"),
        }
    }

    /// The connection to intake.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The serial number of the login certificate.
    pub(crate) const fn serial(&self) -> Option<&String> {
        self.serial.as_ref()
    }

    /// The code of the office's branch.
    pub(crate) fn branch(&self) -> Result<String, CommandError> {
        self.body.map(|b| b.to_string()).ok_or_else(|| {
            CommandError::new("this login card belongs to no branch")
                .hint("name a branch officer's office with --as, such as --as offices/branch-officer-01001")
        })
    }

    /// The body's names as in the login certificate.
    pub(crate) fn body_names(&self) -> Option<v1::Names> {
        self.subject.as_ref().map(|s| (&s.body).into())
    }
}

/// The day today, in Japan.
pub(crate) fn today() -> JstDate {
    SystemClock.now().jst_date()
}

fn read(dir: &Path) -> Result<(PathBuf, OfficeFile), CommandError> {
    let path = dir.join(FILE);
    let text = fs::read_to_string(&path).map_err(|e| {
        CommandError::file("read", &path, &e)
            .hint("name an office's directory with --as; `lgpki init` makes them under offices/")
    })?;
    let file = toml::from_str(&text).map_err(|e| {
        CommandError::new(format!("{} is wrong: {}", path.display(), e.message()))
            .hint("compare it with the office.toml of another office that `lgpki init` made")
    })?;
    Ok((dir.to_owned(), file))
}

fn pin(args: &OfficeArgs, dir: &Path, file: &OfficeFile) -> Result<Pin, CommandError> {
    let source = match (&args.pin_file, &file.pin_file) {
        (Some(path), _) => PassphraseSource::File(path.clone()),
        (None, Some(path)) => PassphraseSource::File(dir.join(path)),
        (None, None) => PassphraseSource::Prompt(String::from("PIN of the login card: ")),
    };
    Pin::read(&source).map_err(|e| CommandError::from_error("cannot read the PIN", &e))
}

fn unlock(dir: &Path, file: &OfficeFile, pin: &Pin) -> Result<LoginMaterial, CommandError> {
    let read = |path: &Path| {
        let path = dir.join(path);
        fs::read(&path).map_err(|e| CommandError::file("read", &path, &e))
    };
    let unlocked = match (&file.card, &file.certificate, &file.key) {
        (Some(card), None, None) => LoginMaterial::unlock(&dir.join(card), pin),
        (None, Some(certificate), Some(key)) => {
            LoginMaterial::from_data(&read(certificate)?, &read(key)?, pin.as_passphrase())
        }
        _ => {
            return Err(CommandError::new(
                "office.toml names neither a card nor a certificate with its key",
            ));
        }
    };
    unlocked.map_err(|e| CommandError::from_error("cannot log in", &e))
}

fn anchors(path: &Path) -> Result<TrustAnchors, CommandError> {
    let text = fs::read(path).map_err(|e| CommandError::file("read", path, &e))?;
    let certificates = pem::decode_all(pem::Label::Certificate, &text)
        .map_err(|e| CommandError::from_error(&path.display().to_string(), &e))?;
    TrustAnchors::try_new(&certificates)
        .map_err(|e| CommandError::from_error(&path.display().to_string(), &e))
}
