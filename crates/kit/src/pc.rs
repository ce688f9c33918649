//! The PC: who works on which machine, and what the standard system remembers there.
//!
//! A PC is a directory: `settings.json`, `requests/<key digest>.json` for every key pair made from
//! here, and `certificate-store/<digest>.json`, which stands for the operating system's own
//! certificate store.

use std::{fs, path::PathBuf};

use lgpki_domain::Digest;

use crate::{
    Kit, disk,
    error::KitError,
    record::{RequestRecord, SettingsRecord, VERSION},
};

/// A machine and the operating system's login on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pc {
    name: String,
    os_login: String,
}

impl Pc {
    /// The PC `name` under the login `os_login`.
    pub fn try_new(name: &str, os_login: &str) -> Result<Self, KitError> {
        let tidy = |what, text: &str| {
            let text = text.trim();
            if text.is_empty() || text.chars().any(char::is_control) {
                return Err(KitError::NoIdentity { what });
            }
            Ok(text.to_owned())
        };
        Ok(Self {
            name: tidy("name of the PC", name)?,
            os_login: tidy("OS login", os_login)?,
        })
    }

    /// This machine by `/etc/hostname`, and this process's user by `/etc/passwd` (`uid-1000` where
    /// it stands in none); what is given explicitly takes precedence.
    pub fn detect(name: Option<&str>, os_login: Option<&str>) -> Result<Self, KitError> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let name = match name {
            Some(name) => name.to_owned(),
            None => read("/etc/hostname"),
        };
        let os_login = match os_login {
            Some(login) => login.to_owned(),
            None => login_of(rustix::process::getuid().as_raw(), &read("/etc/passwd")),
        };
        Self::try_new(&name, &os_login)
    }

    /// The machine's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The login's name.
    #[must_use]
    pub fn os_login(&self) -> &str {
        &self.os_login
    }
}

fn login_of(uid: u32, passwd: &str) -> String {
    let number = uid.to_string();
    passwd
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == number).then(|| name.to_owned())
        })
        .unwrap_or_else(|| format!("uid-{number}"))
}

impl Kit {
    pub(crate) fn settings_path(&self) -> PathBuf {
        self.directory.join("settings.json")
    }

    pub(crate) fn read_settings(&self) -> Result<SettingsRecord, KitError> {
        let path = self.settings_path();
        match disk::read_json::<SettingsRecord>(&path)? {
            None => Err(KitError::NotSetUp {
                directory: self.directory.clone(),
            }),
            Some(record) if record.version == VERSION => Ok(record),
            Some(record) => Err(KitError::damaged(
                &path,
                &format!("version {}", record.version),
            )),
        }
    }

    pub(crate) fn request_path(&self, key: Digest) -> PathBuf {
        self.directory.join("requests").join(format!("{key}.json"))
    }

    /// Remembers a request made from this PC.
    pub(crate) fn remember(&self, key: Digest, record: &RequestRecord) -> Result<(), KitError> {
        let path = self.request_path(key);
        disk::make_directory(path.parent().unwrap_or(&self.directory))?;
        disk::replace_json(&path, record)
    }

    /// The request made from this PC for a key, if there was one.
    pub(crate) fn remembered(&self, key: Digest) -> Result<Option<RequestRecord>, KitError> {
        disk::read_json(&self.request_path(key))
    }

    pub(crate) fn import_path(&self, certificate: Digest) -> PathBuf {
        self.directory
            .join("certificate-store")
            .join(format!("{certificate}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_is_found_by_its_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nyamada:x:1000:1000::/home/yamada:/bin/sh\n";
        assert_eq!(login_of(1000, passwd), "yamada");
        assert_eq!(login_of(0, passwd), "root");
        assert_eq!(login_of(1001, passwd), "uid-1001");
    }

    #[test]
    fn a_pc_without_a_name_is_refused() {
        for (name, login) in [("", "yamada"), ("PC01", " "), ("PC\u{7}", "yamada")] {
            let refused = Pc::try_new(name, login).unwrap_err();
            assert!(matches!(refused, KitError::NoIdentity { .. }));
        }
        assert_eq!(Pc::try_new("PC01\n", "yamada").unwrap().name(), "PC01");
    }

    #[test]
    fn what_is_given_explicitly_is_not_asked_of_the_machine() {
        let pc = Pc::detect(Some("soumu-pc-01"), Some("yamada")).unwrap();
        assert_eq!((pc.name(), pc.os_login()), ("soumu-pc-01", "yamada"));
    }
}
