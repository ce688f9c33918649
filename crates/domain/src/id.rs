//! Identifiers that must not be mixed up.

use std::{fmt, str::FromStr};

use crate::{
    random::{Randomness, RandomnessFailed},
    time::Timestamp,
};

/// A text is not an identifier of the expected form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct BadId {
    text: String,
    expected: &'static str,
}

impl BadId {
    pub(crate) fn new(text: &str, expected: &'static str) -> Self {
        Self {
            text: text.chars().take(80).collect(),
            expected,
        }
    }
}

/// An application's number, given by intake: a ULID, 26 characters, sortable by time of receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApplicationId(ulid::Ulid);

impl ApplicationId {
    /// Draws a new number for an application received at `now`.
    pub fn draw(now: Timestamp, random: &dyn Randomness) -> Result<Self, RandomnessFailed> {
        let mut bytes = [0; 16];
        random.fill(&mut bytes)?;
        let millis = u64::try_from(now.as_millis()).unwrap_or_default();
        Ok(Self(ulid::Ulid::from_parts(
            millis,
            u128::from_be_bytes(bytes),
        )))
    }

    /// The 16 bytes of the number, in sorting order.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_bytes()
    }

    /// Reads [`to_bytes`](Self::to_bytes) back.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(ulid::Ulid::from_bytes(bytes))
    }
}

impl fmt::Display for ApplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for ApplicationId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let wrong = || BadId::new(text, "an application number of 26 characters");
        let id = ulid::Ulid::from_string(text).map_err(|_| wrong())?;
        // One spelling only: what is read must be what would be printed.
        if id.to_string() == text {
            Ok(Self(id))
        } else {
            Err(wrong())
        }
    }
}

/// The name a front end gives to a request, so that sending it twice is the same request:
/// 8 to 64 of `A-Z a-z 0-9 . _ : -`, unique within the branch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(String);

impl RequestId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RequestId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let fits = (8..=64).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadId::new(
                text,
                "a request id: 8 to 64 characters of A-Z a-z 0-9 . _ : -",
            ))
        }
    }
}

/// The code of a local government (団体): two digits of the prefecture and three within it.
/// A registration branch (登録分局) is named by its body's code, for a body has at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BodyCode(u32);

impl BodyCode {
    /// The code of the `number`th body (1 to 999) of a prefecture (1 to 47).
    #[must_use]
    pub const fn try_new(prefecture: u8, number: u16) -> Option<Self> {
        if prefecture >= 1 && prefecture <= 47 && number >= 1 && number <= 999 {
            Some(Self(prefecture as u32 * 1000 + number as u32))
        } else {
            None
        }
    }

    /// The prefecture, 1 (北海道) to 47 (沖縄県).
    #[must_use]
    pub fn prefecture(self) -> u8 {
        u8::try_from(self.0 / 1000).unwrap_or_default()
    }

    /// The code as a number, such as 1001.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// `01001`
impl fmt::Display for BodyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:05}", self.0)
    }
}

impl FromStr for BodyCode {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let wrong = || BadId::new(text, "a body code of five digits, such as 01001");
        if text.len() != 5 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        let number: u32 = text.parse().map_err(|_| wrong())?;
        let prefecture = u8::try_from(number / 1000).map_err(|_| wrong())?;
        let within = u16::try_from(number % 1000).map_err(|_| wrong())?;
        Self::try_new(prefecture, within).ok_or_else(wrong)
    }
}

/// A certificate's serial number: positive, 16 octets of which 126 bits are random, so that its
/// DER takes 16 octets always (RFC 5280 §4.1.2.2 allows 20).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial([u8; 16]);

impl Serial {
    /// Draws a serial number. The first octet lies between 0x40 and 0x7f: positive and minimal.
    pub fn draw(random: &dyn Randomness) -> Result<Self, RandomnessFailed> {
        let mut bytes = [0; 16];
        random.fill(&mut bytes)?;
        bytes[0] = (bytes[0] & 0x3f) | 0x40;
        Ok(Self(bytes))
    }

    /// The content octets of the DER INTEGER.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads content octets back; refuses what [`draw`](Self::draw) could not have made.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; 16] = bytes.try_into().ok()?;
        (0x40..=0x7f).contains(&bytes[0]).then_some(Self(bytes))
    }
}

/// Lower-case hexadecimal, 32 digits.
impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl FromStr for Serial {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let wrong = |expected| BadId::new(text, expected);
        let bytes = from_hex::<16>(text)
            .ok_or_else(|| wrong("a serial number of 32 hexadecimal digits"))?;
        Self::from_bytes(&bytes)
            .ok_or_else(|| wrong("a serial number of these CAs, whose first digit is 4, 5, 6 or 7"))
    }
}

/// A CRL's number: counts up within one CA key and scope, and never repeats or goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CrlNumber(pub u64);

impl CrlNumber {
    /// The next number.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for CrlNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A SHA-256 digest: of a subject public key, a tbsCertificate, a command, a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

/// Lower-case hexadecimal, 64 digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl FromStr for Digest {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        from_hex::<32>(text)
            .map(Self)
            .ok_or_else(|| BadId::new(text, "a SHA-256 digest of 64 hexadecimal digits"))
    }
}

/// One write for all digits: these texts stand in every entry of every log.
fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    // Digests, the longest, have 32 bytes; these texts are made by the thousand.
    let mut text = [0; 64];
    for part in bytes.chunks(text.len() / 2) {
        for (pair, byte) in text.chunks_exact_mut(2).zip(part) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 0x0f)];
        }
        let digits = text.get(..2 * part.len()).unwrap_or_default();
        f.write_str(std::str::from_utf8(digits).map_err(|_| fmt::Error)?)?;
    }
    Ok(())
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    };
    let text = text.as_bytes();
    if text.len() != 2 * N {
        return None;
    }
    let mut out = [0; N];
    for (o, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        *o = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_read_back_what_they_print() {
        let body: BodyCode = "01001".parse().unwrap();
        assert_eq!((body.prefecture(), body.to_string().as_str()), (1, "01001"));
        let serial = Serial::from_bytes(&[0x41; 16]).unwrap();
        assert_eq!(serial.to_string().parse(), Ok(serial));
        let id = ApplicationId::from_bytes([7; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn foreign_spellings_are_refused() {
        for text in ["00001", "48001", "01000", "1001", "０１００１"] {
            assert!(text.parse::<BodyCode>().is_err(), "{text}");
        }
        for text in ["short", "has space in it", "", "日本語のリクエスト"] {
            assert!(text.parse::<RequestId>().is_err(), "{text}");
        }
        // The same number of digits as ours: what is wrong is told.
        for (text, words) in [
            ("00112233445566778899aabbccddeeff", "first digit"),
            ("ffffffffffffffffffffffffffffffff", "first digit"),
            ("41", "32 hexadecimal digits"),
            ("gg414141414141414141414141414141", "32 hexadecimal digits"),
        ] {
            let wrong = text.parse::<Serial>().unwrap_err().to_string();
            assert!(wrong.contains(words), "{wrong}");
        }
        assert!(
            "01arz3ndektsv4rrffq69g5fav"
                .parse::<ApplicationId>()
                .is_err()
        );
    }
}
