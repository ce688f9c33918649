//! Setting up (設定ファイル情報更新): which body this PC makes requests for.
//!
//! The body's name must equal the one in the login certificate, which is the body name list's
//! (LGPKI団体名称リスト); a request with another name would only be refused later. The login
//! certificate is read and not judged: the settings give no right, whoever receives a request
//! verifies the login by itself.

use std::path::Path;

use lgpki_domain::{BodyCode, CertificateKind, Faults, Names, OfficerRole, Timestamp};
use lgpki_x509::Certificate;

use crate::{
    Kit,
    chain::{Chain, is_over, serial_of},
    disk,
    error::KitError,
    record::{LoginRecord, NamesRecord, SettingsRecord, VERSION, time},
};

/// What the person at the PC types in, and the login certificate that must agree.
#[derive(Clone, Copy, Debug)]
pub struct SetUp<'a> {
    /// The body's name as in the body name list.
    pub body: &'a Names,
    /// Its code.
    pub code: BodyCode,
    /// The login certificate in PEM; certificates after the first are ignored.
    pub login_certificate: &'a [u8],
}

/// The settings of a PC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The body's name.
    pub body: Names,
    /// Its code.
    pub code: BodyCode,
    /// The officer whose login certificate vouched for it.
    pub role: OfficerRole,
    /// That certificate's serial number, in hexadecimal.
    pub login_serial: String,
    /// When it was set up.
    pub set_up_at: Timestamp,
}

impl Kit {
    /// Sets this PC up for a body, or anew for another.
    pub fn set_up(&self, wanted: &SetUp<'_>) -> Result<Settings, KitError> {
        let certificate = Chain::given(wanted.login_certificate)?.first;
        let (role, vouched) = self.judge(&certificate)?;
        compare(wanted, &vouched).map_err(KitError::SetUpRefused)?;
        let record = SettingsRecord {
            version: VERSION,
            body_code: wanted.code.to_string(),
            body: NamesRecord::of(wanted.body),
            login: LoginRecord::of(role, Some(wanted.code)),
            login_serial: serial_of(&certificate),
            set_up_at: self.clock.now().to_string(),
        };
        disk::make_directory(&self.directory)?;
        disk::replace_json(&self.settings_path(), &record)?;
        read(&record, &self.settings_path())
    }

    /// The settings, once made.
    pub fn settings(&self) -> Result<Settings, KitError> {
        read(&self.read_settings()?, &self.settings_path())
    }

    /// Whether the certificate may vouch for a body at all.
    fn judge(&self, certificate: &Certificate) -> Result<(OfficerRole, Vouched), KitError> {
        let wrong = |found: String| KitError::WrongCertificate {
            found,
            needed: "a valid login certificate of a branch officer (登録分局責任者) or LGWAN officer (LGWAN責任者)",
        };
        let (role, code) = match (certificate.kind(), certificate.login()) {
            (Some(CertificateKind::Login), Some((role, Some(code)))) => (role, code),
            (Some(CertificateKind::Login), Some((role, None))) => {
                return Err(wrong(format!("the login certificate of a {role}")));
            }
            (Some(kind), _) => return Err(wrong(format!("of kind {kind}"))),
            (None, _) => return Err(wrong("no LGPKI subscriber's certificate".to_owned())),
        };
        let subject = certificate
            .subject()
            .ok_or_else(|| wrong("without the names of a body".to_owned()))?;
        if is_over(certificate, self.clock.now()) {
            let day = certificate.not_after().jst_date();
            return Err(wrong(format!("one that expired on {day}")));
        }
        Ok((
            role,
            Vouched {
                body: subject.body.clone(),
                code,
            },
        ))
    }
}

/// What a login certificate says of the body.
struct Vouched {
    body: Names,
    code: BodyCode,
}

fn compare(wanted: &SetUp<'_>, vouched: &Vouched) -> Result<(), Faults> {
    let mut faults = Faults::new();
    let mut equal = |field, what, given: &str, certified: &str| {
        if given != certified {
            faults.push(
                field,
                "BODY_NOT_THE_LOGINS",
                format!(
                    "the body's {what} given is {given:?}, the login certificate's is {certified:?}; write \
                     it as in the LGPKI body name list (LGPKI団体名称リスト), or use the login of the body \
                     that you mean"
                ),
            );
        }
    };
    equal(
        "body.en",
        "English name",
        wanted.body.en(),
        vouched.body.en(),
    );
    equal(
        "body.ja",
        "Japanese name",
        wanted.body.ja(),
        vouched.body.ja(),
    );
    equal(
        "body.code",
        "code",
        &wanted.code.to_string(),
        &vouched.code.to_string(),
    );
    faults.into_result()
}

fn read(record: &SettingsRecord, path: &Path) -> Result<Settings, KitError> {
    let (role, _) = record.login.read(path)?;
    Ok(Settings {
        body: record.body.read(path)?,
        code: record
            .body_code
            .parse()
            .map_err(|why| KitError::damaged(path, &why))?,
        role,
        login_serial: record.login_serial.clone(),
        set_up_at: time(&record.set_up_at, path)?,
    })
}

#[cfg(test)]
mod tests;
