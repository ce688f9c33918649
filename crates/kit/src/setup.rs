//! Setting up (設定ファイル情報更新): which body this PC makes requests for.
//!
//! The body's name must equal the one in the login certificate, which is the body name list's
//! (LGPKI団体名称リスト); a request with another name would only be refused later. The login
//! certificate is read and not judged: the settings give no right, whoever receives a request
//! verifies the login by itself.
//!
//! A branch whose login has expired or is lost, perhaps with the PC, could not set up the PC on which the key
//! of its next one is to be made. So one that has expired, or none, sets a PC up for requests of login
//! certificates and nothing else; setting it up anew with the new login lifts that.

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
    /// The login certificate in PEM; certificates after the first are ignored. None where the body has
    /// none left.
    pub login_certificate: Option<&'a [u8]>,
}

/// The settings of a PC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The body's name.
    pub body: Names,
    /// Its code.
    pub code: BodyCode,
    /// The login that vouched for it; without one, only login certificates are requested.
    pub vouched: Option<VouchedBy>,
    /// When it was set up.
    pub set_up_at: Timestamp,
}

/// A login certificate that was valid when a PC was set up with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VouchedBy {
    /// Its officer.
    pub role: OfficerRole,
    /// Its serial number, in hexadecimal.
    pub serial: String,
}

impl Kit {
    /// Sets this PC up for a body, or anew for another.
    pub fn set_up(&self, wanted: &SetUp<'_>) -> Result<Settings, KitError> {
        let vouched = match wanted.login_certificate {
            Some(login) => self.vouched(wanted, &Chain::given(login)?.first)?,
            None => None,
        };
        let record = SettingsRecord {
            version: VERSION,
            body_code: wanted.code.to_string(),
            body: NamesRecord::of(wanted.body),
            login: vouched
                .as_ref()
                .map(|by| LoginRecord::of(by.role, Some(wanted.code))),
            login_serial: vouched.map(|by| by.serial),
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

    /// Who vouches with the certificate for what is wanted; nobody if it has expired.
    fn vouched(
        &self,
        wanted: &SetUp<'_>,
        certificate: &Certificate,
    ) -> Result<Option<VouchedBy>, KitError> {
        let (role, names) = judge(certificate)?;
        compare(wanted, &names).map_err(KitError::SetUpRefused)?;
        let by = VouchedBy {
            role,
            serial: serial_of(certificate),
        };
        Ok((!is_over(certificate, self.clock.now())).then_some(by))
    }
}

/// Whether the certificate may vouch for a body at all.
fn judge(certificate: &Certificate) -> Result<(OfficerRole, Vouched), KitError> {
    let wrong = |found: String| KitError::WrongCertificate {
        found,
        needed: "a login certificate of a branch officer (登録分局責任者) or LGWAN officer (LGWAN責任者)",
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
    Ok((
        role,
        Vouched {
            body: subject.body.clone(),
            code,
        },
    ))
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
    let vouched = match (&record.login, &record.login_serial) {
        (Some(login), Some(serial)) => Some(VouchedBy {
            role: login.read(path)?.0,
            serial: serial.clone(),
        }),
        (None, None) => None,
        _ => return Err(KitError::damaged(path, &"half of a login")),
    };
    Ok(Settings {
        body: record.body.read(path)?,
        code: record
            .body_code
            .parse()
            .map_err(|why| KitError::damaged(path, &why))?,
        vouched,
        set_up_at: time(&record.set_up_at, path)?,
    })
}

#[cfg(test)]
mod tests;
