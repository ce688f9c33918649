//! The simulated key medium: a directory with one record, a label and a counter of wrong PINs.
//!
//! Formatting (R4) makes it a medium and destroys the key it held; a key in use is destroyed only
//! on explicit demand. Every use holds the directory's lock.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use lgpki_domain::{KeyMedium, Timestamp};
use lgpki_keys::{SoftwareKey, passphrase::Stretched};
use lgpki_x509::Certificate;

use crate::{
    Kit,
    chain::{Chain, is_over, serial_of},
    disk,
    error::KitError,
    pin::{self, Pin, TRIES},
    record::{Content, MediumRecord, RequestRecord, TriesRecord, VERSION},
};

const LABEL: &str = "\
SIMULATED KEY MEDIUM (模擬鍵格納媒体)

This directory stands for an IC card or USB token. It is not one: whoever copies it has the
encrypted key and may try PINs on it without end. Use it for trials, never for real keys.
本ディレクトリはICカードまたはUSBトークンの模擬です。実際の鍵を格納しないでください。
";

/// What a damaged record is said to have held.
const UNREADABLE: &str = "held what could no longer be read";

/// What to format as, and how.
#[derive(Clone, Copy, Debug)]
pub struct Format<'a> {
    /// IC card or USB token.
    pub medium: KeyMedium,
    /// The new PIN.
    pub pin: &'a Pin,
    /// Destroy a key that is in use (`--destroy-key`).
    pub destroy_key: bool,
}

/// A medium that was formatted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formatted {
    /// Its id, which stays the same however often it is formatted.
    pub id: String,
    /// What it is.
    pub medium: KeyMedium,
    /// What was destroyed, for people; `None` where it held no key.
    pub destroyed: Option<String>,
}

impl Kit {
    /// Formats the medium at `path`, a new one too (R4).
    pub fn format(&self, path: &Path, format: &Format<'_>) -> Result<Formatted, KitError> {
        let prepared = prepare(path, format, self.clock.now(), self.random.as_ref())?;
        let formatted = Formatted {
            id: prepared.record.id.clone(),
            medium: format.medium,
            destroyed: prepared.destroyed.clone(),
        };
        prepared.lay_out(path)?;
        Ok(formatted)
    }
}

/// A place that may be formatted.
pub(crate) struct Prepared {
    /// The medium that stands there, if one does; its lock is held until the new one is written.
    old: Option<Medium>,
    /// The new medium, empty unless the caller puts something into it.
    pub(crate) record: MediumRecord,
    destroyed: Option<String>,
}

/// Checks that `path` may be formatted and makes the record of an empty medium.
pub(crate) fn prepare(
    path: &Path,
    format: &Format<'_>,
    now: Timestamp,
    random: &dyn lgpki_domain::Randomness,
) -> Result<Prepared, KitError> {
    if format.medium == KeyMedium::Server {
        return Err(KitError::NoSuchMedium);
    }
    let (old, destroyed) = match Medium::open(path) {
        Ok(old) => {
            let destroyed = old.give_up(now, format.destroy_key)?;
            (Some(old), destroyed)
        }
        Err(KitError::NotFormatted { .. }) if is_vacant(path)? => (None, None),
        Err(KitError::NotFormatted { .. }) => {
            return Err(KitError::NotEmpty {
                path: path.to_owned(),
            });
        }
        Err(KitError::Damaged { .. }) if format.destroy_key => (None, Some(UNREADABLE.to_owned())),
        Err(other) => return Err(other),
    };
    let record = MediumRecord {
        version: VERSION,
        simulated: true,
        id: match &old {
            Some(old) => old.record.id.clone(),
            None => format!("{}-{}", format.medium, &pin::draw(random)?[..16]),
        },
        medium: format.medium.name().to_owned(),
        formatted_at: now.to_string(),
        pin: format.pin.enrol(random)?,
        content: Content::Empty,
    };
    Ok(Prepared {
        old,
        record,
        destroyed,
    })
}

impl Prepared {
    /// Writes the new medium. The counter of wrong PINs starts anew only when the old key is gone.
    pub(crate) fn lay_out(self, path: &Path) -> Result<(), KitError> {
        disk::make_directory(path)?;
        let lock = match self.old {
            Some(old) => old.lock,
            None => lock(path)?,
        };
        disk::replace(&path.join("LABEL.txt"), LABEL.as_bytes())?;
        let medium = Medium {
            path: path.to_owned(),
            record: self.record,
            lock,
        };
        medium.write()?;
        medium.replace_tries(0)
    }
}

fn is_vacant(path: &Path) -> Result<bool, KitError> {
    match fs::read_dir(path) {
        // What an interrupted first formatting left behind is no foreign file.
        Ok(mut entries) => Ok(entries.all(|entry| {
            entry.is_ok_and(|e| {
                ["lock", "LABEL.txt", "LABEL.new", "medium.new"]
                    .iter()
                    .any(|own| e.file_name() == *own)
            })
        })),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(e) => Err(KitError::file("read the directory", path)(e)),
    }
}

fn lock(path: &Path) -> Result<File, KitError> {
    let path = path.join("lock");
    let file = File::create(&path).map_err(KitError::file("create", &path))?;
    file.lock().map_err(KitError::file("lock", &path))?;
    Ok(file)
}

/// A medium in use by this process alone.
#[derive(Debug)]
pub(crate) struct Medium {
    path: PathBuf,
    pub(crate) record: MediumRecord,
    lock: File,
}

impl Medium {
    /// Opens a formatted medium.
    pub(crate) fn open(path: &Path) -> Result<Self, KitError> {
        let file = path.join("medium.json");
        let missing = || KitError::NotFormatted {
            path: path.to_owned(),
        };
        if !file.exists() {
            return Err(missing());
        }
        let lock = lock(path)?;
        let record: MediumRecord = disk::read_json(&file)?.ok_or_else(missing)?;
        if record.version != VERSION || !record.simulated {
            return Err(KitError::damaged(
                &file,
                &format!("version {}", record.version),
            ));
        }
        record.medium(&file)?;
        Ok(Self {
            path: path.to_owned(),
            record,
            lock,
        })
    }

    /// The file that holds the record, for messages.
    pub(crate) fn file(&self) -> PathBuf {
        self.path.join("medium.json")
    }

    /// Replaces what the medium holds.
    pub(crate) fn put(&mut self, content: Content) -> Result<(), KitError> {
        self.record.content = content;
        self.write()
    }

    fn write(&self) -> Result<(), KitError> {
        disk::replace_json(&self.file(), &self.record)
    }

    /// Checks the PIN: counts the try durably, then looks.
    pub(crate) fn present(&self, pin: &Pin) -> Result<Stretched, KitError> {
        let tried = self.wrong_tries()?;
        if tried >= TRIES {
            return Err(self.locked());
        }
        self.replace_tries(tried + 1)?;
        let verifier = self
            .record
            .pin
            .verifier
            .parse()
            .map(|lgpki_domain::Digest(bytes)| bytes)
            .map_err(|why| KitError::damaged(&self.file(), &why))?;
        let stretched = pin.stretch(&self.record.pin)?;
        if stretched.matches(&verifier) {
            self.replace_tries(0)?;
            return Ok(stretched);
        }
        match TRIES - tried - 1 {
            0 => Err(self.locked()),
            left => Err(KitError::WrongPin {
                medium: self.record.id.clone(),
                left,
            }),
        }
    }

    /// Opens the key under a PIN that was presented.
    pub(crate) fn open_key(
        &self,
        key: &str,
        stretched: &Stretched,
    ) -> Result<SoftwareKey, KitError> {
        SoftwareKey::from_encrypted_pkcs8(key.as_bytes(), &stretched.passphrase())
            .map_err(|why| KitError::damaged(&self.file(), &why))
    }

    /// Wrong PINs since the last right one.
    pub(crate) fn wrong_tries(&self) -> Result<u32, KitError> {
        let path = self.path.join("tries.json");
        let tries: Option<TriesRecord> = disk::read_json(&path)?;
        // A counter that was taken away is no reason to start counting anew.
        Ok(tries.map_or(TRIES, |t| t.wrong))
    }

    fn replace_tries(&self, wrong: u32) -> Result<(), KitError> {
        disk::replace_json(&self.path.join("tries.json"), &TriesRecord { wrong })
    }

    fn locked(&self) -> KitError {
        KitError::Locked {
            medium: self.record.id.clone(),
            tries: TRIES,
        }
    }

    /// What the medium holds, to follow "the medium … " in a message.
    pub(crate) fn holds(&self) -> Result<String, KitError> {
        match &self.record.content {
            Content::Empty => Ok("holds no key".to_owned()),
            Content::Pending { request, .. } => Ok(pending(request)),
            Content::Certified { chain, .. } => Ok(certified(&self.chain_of(chain)?.first)),
        }
    }

    /// The certificates on the medium.
    pub(crate) fn chain_of(&self, chain: &[String]) -> Result<Chain, KitError> {
        Chain::parse(chain.concat().as_bytes()).map_err(|why| KitError::damaged(&self.file(), &why))
    }

    /// Says what formatting destroys, or refuses.
    fn give_up(&self, now: Timestamp, destroy_key: bool) -> Result<Option<String>, KitError> {
        let advice = match &self.record.content {
            Content::Empty => return Ok(None),
            Content::Pending { .. } => Some(
                "Withdraw the application first, or store its certificate when it comes; a certificate \
                 issued for a destroyed key must be revoked (失効申請).",
            ),
            Content::Certified { chain, .. } => match self.chain_of(chain) {
                Ok(chain) if is_over(&chain.first, now) => None,
                Ok(_) => Some(
                    "Have the certificate revoked first (失効申請) and apply anew afterwards; for a \
                     renewal, know that the old certificate cannot be used any more from here on (R3).",
                ),
                Err(_) if destroy_key => return Ok(Some(UNREADABLE.to_owned())),
                Err(damaged) => return Err(damaged),
            },
        };
        let holds = self.holds()?;
        match advice {
            Some(advice) if !destroy_key => Err(KitError::KeyWouldBeDestroyed {
                medium: self.record.id.clone(),
                holds,
                advice,
            }),
            _ => Ok(Some(holds)),
        }
    }
}

fn pending(request: &RequestRecord) -> String {
    format!(
        "holds a key whose certificate ({kind} for {ja} / {en}, requested on {when}) has not been stored yet",
        kind = request.kind,
        ja = request.name.ja,
        en = request.name.en,
        when = request.requested_at.get(..10).unwrap_or_default(),
    )
}

fn certified(certificate: &Certificate) -> String {
    let kind = certificate.kind().map_or("unknown", |k| k.name());
    let name = certificate
        .subject()
        .map_or_else(|| "an unknown name".to_owned(), |s| s.name.to_string());
    let serial = serial_of(certificate);
    format!(
        "carries the key of the {kind} certificate {serial} for {name}, valid until {}",
        certificate.not_after().jst_date()
    )
}

#[cfg(test)]
mod tests;
