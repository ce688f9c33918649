//! PINs: the rules, and the counter that locks a medium.
//!
//! A medium keeps no PIN, only its key encrypted under what the PIN stretches to, and a verifier.
//! The counter of wrong PINs is on disk before a PIN is looked at, so that pulling the plug wins no
//! further try. Against somebody who copies the directory a PIN of a few digits is no protection;
//! on a real card the chip counts, here only this program does.

use lgpki_domain::{Digest, Randomness};
use lgpki_keys::{Passphrase, PassphraseSource, passphrase::Stretched};
use zeroize::Zeroizing;

use crate::{error::KitError, record::PinRecord};

/// Wrong PINs that lock a medium.
pub const TRIES: u32 = 10;
/// Iterations of PBKDF2.
const ITERATIONS: u32 = 100_000;

/// A PIN of 4 to 16 ASCII letters and digits; wiped when dropped, never printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin(Passphrase);

impl Pin {
    /// Checks a PIN against the rules.
    pub fn try_new(text: &str) -> Result<Self, KitError> {
        let secret = Zeroizing::new(text.as_bytes().to_vec());
        if secret.is_empty() {
            return Err(KitError::PinRule { why: "is empty" });
        }
        Self::from_passphrase(Passphrase::try_new(secret, "the PIN")?)
    }

    /// Reads a PIN from a private file, a file descriptor or the terminal.
    pub fn read(source: &PassphraseSource) -> Result<Self, KitError> {
        Self::from_passphrase(source.read()?)
    }

    /// The PIN as the passphrase of login data, which is an encrypted key in a file.
    #[must_use]
    pub const fn as_passphrase(&self) -> &Passphrase {
        &self.0
    }

    fn from_passphrase(secret: Passphrase) -> Result<Self, KitError> {
        let why = match secret.expose() {
            bytes if !bytes.iter().all(u8::is_ascii_alphanumeric) => {
                "holds a character that is no letter or digit"
            }
            bytes if bytes.len() < 4 => "is too short",
            bytes if bytes.len() > 16 => "is too long",
            _ => return Ok(Self(secret)),
        };
        Err(KitError::PinRule { why })
    }

    /// What a newly formatted medium keeps of this PIN.
    pub(crate) fn enrol(&self, random: &dyn Randomness) -> Result<PinRecord, KitError> {
        let salt = draw(random)?;
        let stretched = self.0.stretch(salt.as_bytes(), ITERATIONS)?;
        Ok(PinRecord {
            iterations: ITERATIONS,
            salt,
            verifier: Digest(stretched.verifier()).to_string(),
        })
    }

    /// What this PIN stretches to on a medium.
    pub(crate) fn stretch(&self, record: &PinRecord) -> Result<Stretched, KitError> {
        Ok(self.0.stretch(record.salt.as_bytes(), record.iterations)?)
    }
}

/// 32 random hexadecimal digits.
pub(crate) fn draw(random: &dyn Randomness) -> Result<String, KitError> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_of_letters_and_digits_are_taken() {
        for text in ["1234", "0000", "abcd1234EFGH5678"] {
            assert!(Pin::try_new(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn other_pins_are_refused_without_being_repeated() {
        for text in [
            "",
            "123",
            "12345678901234567",
            "12 34",
            "１２３４",
            "12-34",
            "1234\n",
        ] {
            let refused = Pin::try_new(text).unwrap_err();
            assert!(matches!(refused, KitError::PinRule { .. }), "{text:?}");
            assert!(
                text.is_empty() || !refused.to_string().contains(text),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_pin_is_never_printed() {
        let pin = Pin::try_new("98765").unwrap();
        assert!(!format!("{pin:?}").contains("98765"));
    }
}
