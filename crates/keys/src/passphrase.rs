//! Passphrases and where they may come from: a private file, a file descriptor, a prompt.
//!
//! An argument would stand in the process list and an environment variable in every child, so
//! neither is a source. A passphrase is wiped when dropped and never printed.

use std::{
    fmt,
    fs::{self, File},
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use openssl::{hash::MessageDigest, pkcs5::pbkdf2_hmac};
use zeroize::Zeroizing;

use crate::error::KeyError;

/// The longest passphrase, in bytes; OpenSSL's own buffer holds no more.
pub const LONGEST: usize = 1000;

/// A passphrase of 1 to [`LONGEST`] bytes without NUL.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Takes over `bytes`; `origin` says where they come from if they are refused.
    pub fn try_new(bytes: Zeroizing<Vec<u8>>, origin: &str) -> Result<Self, KeyError> {
        let bad = |what| KeyError::BadPassphrase {
            origin: origin.to_owned(),
            what,
        };
        if bytes.is_empty() {
            return Err(KeyError::EmptyPassphrase {
                origin: origin.to_owned(),
            });
        }
        if bytes.len() > LONGEST {
            return Err(bad("too long a passphrase"));
        }
        if bytes.contains(&0) {
            return Err(bad("a NUL byte"));
        }
        Ok(Self(bytes))
    }

    /// The bytes, for handing to a key derivation; they are not to be copied or printed.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// PBKDF2-HMAC-SHA256 of the passphrase: 32 bytes to encrypt with and 32 to recognise the
    /// passphrase by. Neither half tells anything of the other.
    pub fn stretch(&self, salt: &[u8], iterations: u32) -> Result<Stretched, KeyError> {
        let mut halves = Zeroizing::new([0; 64]);
        pbkdf2_hmac(
            &self.0,
            salt,
            usize::try_from(iterations.max(1)).unwrap_or(usize::MAX),
            MessageDigest::sha256(),
            &mut *halves,
        )
        .map_err(KeyError::openssl("derive keys from the passphrase"))?;
        Ok(Stretched(halves))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(redacted)")
    }
}

/// What [`Passphrase::stretch`] made.
pub struct Stretched(Zeroizing<[u8; 64]>);

impl Stretched {
    /// A passphrase to encrypt a key with, 64 hexadecimal digits of full strength.
    #[must_use]
    pub fn passphrase(&self) -> Passphrase {
        let mut digits = Zeroizing::new(Vec::with_capacity(64));
        for byte in &self.0[..32] {
            digits.extend([byte >> 4, byte & 15].map(|d| b"0123456789abcdef"[usize::from(d)]));
        }
        Passphrase(digits)
    }

    /// What recognises the passphrase, for keeping beside the salt.
    #[must_use]
    pub fn verifier(&self) -> [u8; 32] {
        let mut verifier = [0; 32];
        verifier.copy_from_slice(&self.0[32..]);
        verifier
    }

    /// Whether `verifier` is this passphrase's, compared in constant time.
    #[must_use]
    pub fn matches(&self, verifier: &[u8; 32]) -> bool {
        openssl::memcmp::eq(&self.0[32..], verifier)
    }
}

impl fmt::Debug for Stretched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stretched(redacted)")
    }
}

/// Where a passphrase comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassphraseSource {
    /// A file that only its owner may read; one newline at its end is not part of the passphrase.
    File(PathBuf),
    /// An open file descriptor, as a shell's `3<…` or a service manager hands over.
    Fd(u32),
    /// The terminal, without echo; the text is shown as the question.
    Prompt(String),
}

impl PassphraseSource {
    /// Reads the passphrase.
    pub fn read(&self) -> Result<Passphrase, KeyError> {
        match self {
            Self::File(path) => {
                let file = File::open(path).map_err(KeyError::file("open", path))?;
                check_private(path, &file)?;
                read_from(
                    file,
                    path,
                    &format!("the passphrase file {}", path.display()),
                )
            }
            Self::Fd(number) => {
                let path = PathBuf::from(format!("/proc/self/fd/{number}"));
                let file = File::open(&path).map_err(KeyError::file("open", &path))?;
                read_from(file, &path, &format!("file descriptor {number}"))
            }
            Self::Prompt(question) => {
                let text = rpassword::prompt_password(question).map_err(KeyError::Prompt)?;
                Passphrase::try_new(Zeroizing::new(text.into_bytes()), "the answer")
            }
        }
    }
}

fn check_private(path: &Path, file: &File) -> Result<(), KeyError> {
    let metadata = file
        .metadata()
        .map_err(KeyError::file("read the permissions of", path))?;
    let mode = metadata.permissions().mode() & 0o777;
    if is_regular(&metadata) && mode & forbidden(path) != 0 {
        return Err(KeyError::OpenToOthers {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

/// The permissions that a passphrase file may not have. systemd lets the service's user alone read a
/// credential by an access control list, whose mask stands where the group's permissions would.
fn forbidden(path: &Path) -> u32 {
    if path.starts_with("/run/credentials") {
        0o037
    } else {
        0o077
    }
}

/// A pipe given by name (`<(…)`) has no permissions worth checking.
fn is_regular(metadata: &fs::Metadata) -> bool {
    metadata.file_type().is_file()
}

fn read_from(file: File, path: &Path, origin: &str) -> Result<Passphrase, KeyError> {
    // Room for all that may come, so that no reallocation leaves a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 64));
    let limit = u64::try_from(LONGEST + 3).unwrap_or(u64::MAX);
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(KeyError::file("read", path))?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Passphrase::try_new(bytes, origin)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    fn file_with(dir: &Path, mode: u32, bytes: &[u8]) -> PathBuf {
        let path = dir.join("passphrase");
        let _ = fs::remove_file(&path);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn only_a_credential_of_systemd_may_show_the_groups_right_to_read() {
        let credential = Path::new("/run/credentials/lgpki.service/ca-passphrase");
        for (path, mode, refused) in [
            (credential, 0o440, false),
            (credential, 0o444, true),
            (credential, 0o460, true),
            (Path::new("/etc/lgpki/ca-passphrase"), 0o440, true),
            (Path::new("/etc/lgpki/ca-passphrase"), 0o600, false),
        ] {
            assert_eq!(mode & forbidden(path) != 0, refused, "{path:?} {mode:o}");
        }
    }

    #[test]
    fn one_newline_at_the_end_is_not_part_of_the_passphrase() {
        let dir = tempfile::tempdir().unwrap();
        for (bytes, expected) in [
            (&b"abc\n"[..], &b"abc"[..]),
            (b"abcd\n\n", b"abcd\n"),
            (b"abcde\r\n", b"abcde"),
            (b" a b c ", b" a b c "),
        ] {
            let path = file_with(dir.path(), 0o600, bytes);
            let read = PassphraseSource::File(path).read().unwrap();
            assert_eq!(read.expose(), expected);
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        for mode in [0o640, 0o604, 0o660, 0o644] {
            let path = file_with(dir.path(), mode, b"secret");
            let refused = PassphraseSource::File(path).read().unwrap_err().to_string();
            assert!(refused.contains("chmod 600"), "{refused}");
            assert!(!refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn empty_long_and_nul_passphrases_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for bytes in [&b""[..], b"\n", b"a\0b", &[b'x'; LONGEST + 1]] {
            let path = file_with(dir.path(), 0o600, bytes);
            assert!(PassphraseSource::File(path).read().is_err());
        }
        let path = file_with(dir.path(), 0o400, &[b'x'; LONGEST]);
        assert!(PassphraseSource::File(path).read().is_ok());
    }

    #[test]
    fn a_file_descriptor_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = file_with(dir.path(), 0o600, b"from a descriptor\n");
        let file = File::open(path).unwrap();
        let number = u32::try_from(file.as_raw_fd()).unwrap();
        let read = PassphraseSource::Fd(number).read().unwrap();
        assert_eq!(read.expose(), b"from a descriptor");
        assert!(PassphraseSource::Fd(999_999).read().is_err());
    }

    #[test]
    fn a_passphrase_is_never_printed() {
        let p = Passphrase::try_new(Zeroizing::new(b"hidden".to_vec()), "test").unwrap();
        assert_eq!(format!("{p:?}"), "Passphrase(redacted)");
        let stretched = p.stretch(b"salt", 1).unwrap();
        assert_eq!(format!("{stretched:?}"), "Stretched(redacted)");
    }

    #[test]
    fn a_stretched_passphrase_is_recognised_by_its_verifier_and_no_other() {
        let stretch = |text: &str, salt: &[u8]| {
            Passphrase::try_new(Zeroizing::new(text.as_bytes().to_vec()), "test")
                .and_then(|p| p.stretch(salt, 10))
                .unwrap()
        };
        let one = stretch("1234", b"salt");
        assert!(one.matches(&stretch("1234", b"salt").verifier()));
        assert!(!one.matches(&stretch("1235", b"salt").verifier()));
        assert!(!one.matches(&stretch("1234", b"pepper").verifier()));
        assert_eq!(one.passphrase(), stretch("1234", b"salt").passphrase());
        assert_ne!(one.passphrase(), stretch("1235", b"salt").passphrase());
    }

    #[test]
    fn stretching_is_pbkdf2() {
        // The test vector of RFC 7914 §11.
        let p = Passphrase::try_new(Zeroizing::new(b"passwd".to_vec()), "test").unwrap();
        let stretched = p.stretch(b"salt", 1).unwrap();
        assert_eq!(
            stretched.passphrase().expose(),
            b"55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        );
        assert_eq!(stretched.verifier()[..4], [0x49, 0xca, 0x9c, 0xcc]);
        assert_eq!(stretched.verifier()[28..], [0xd3, 0xa1, 0x97, 0x83]);
    }
}
