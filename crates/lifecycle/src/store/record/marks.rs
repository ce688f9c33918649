//! What is held of a certificate for searching: the day of its issue, and a few bits each of its key
//! and of the six texts of its subject.
//!
//! In the room that alignment leaves stands the renewal slot, so that it takes none.
//!
//! The bits only narrow a search; whether a key or a text is the one wanted is settled by the entry
//! in the log. So a million names cost twelve megabytes instead of hundreds.

use lgpki_domain::{Digest, Timestamp};
use lgpki_x509::key::sha256;

use crate::{
    ports::{SubjectFilter, subject_texts, window_opens},
    store::event::CertificateRegistered,
};

/// Bits by which a certificate may be found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The number of the day on which the issuer recorded it.
    pub(crate) issued_on: i32,
    /// The first bits of the digest of its key.
    pub(crate) key: u32,
    /// Bits of each text of its subject.
    pub(crate) words: [u16; 6],
    /// Whether moments of its notices may have passed when it arrived.
    pub(crate) late: bool,
    /// How many slots it let pass.
    pub(crate) missed: u8,
    /// The number of the day of its slot; 0 without one.
    pub(crate) slot: u16,
}

const _: () = assert!(size_of::<Marks>() == 24);

/// The bytes of the marks in a record.
pub(crate) const LENGTH: usize = 24;

impl Marks {
    /// Those of a certificate.
    /// `arrived` is when it came into the log. A clock that is read before a command is queued and
    /// another that is read later differ by less than a day.
    pub(crate) fn of(body: &CertificateRegistered, arrived: Timestamp) -> Self {
        Self {
            issued_on: body.issued_at.jst_day_number(),
            key: key_bits(&body.key_digest),
            words: subject_texts(&body.subject).map(|text| text.map_or(0, word)),
            late: window_opens(body.not_after) <= arrived.plus_seconds(86_400),
            missed: 0,
            slot: 0,
        }
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        out.extend(self.issued_on.to_be_bytes());
        out.extend(self.key.to_be_bytes());
        for word in self.words {
            out.extend(word.to_be_bytes());
        }
        out.push(u8::from(self.late));
        out.push(self.missed);
        out.extend(self.slot.to_be_bytes());
    }

    pub(super) fn read(bytes: [u8; LENGTH]) -> Option<Self> {
        let mut rest = &bytes[..];
        let issued_on = i32::from_be_bytes(super::take(&mut rest)?);
        let key = u32::from_be_bytes(super::take(&mut rest)?);
        let mut words = [0; 6];
        for word in &mut words {
            *word = u16::from_be_bytes(super::take(&mut rest)?);
        }
        let late = match super::byte(&mut rest)? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let missed = super::byte(&mut rest)?;
        let slot = u16::from_be_bytes(super::take(&mut rest)?);
        Some(Self {
            issued_on,
            key,
            words,
            late,
            missed,
            slot,
        })
    }
}

/// The bits of a key's digest.
pub(crate) fn key_bits(digest: &Digest) -> u32 {
    let [a, b, c, d, ..] = digest.0;
    u32::from_be_bytes([a, b, c, d])
}

/// The bits of a text.
fn word(text: &str) -> u16 {
    let [a, b, ..] = sha256(text.as_bytes()).0;
    u16::from_be_bytes([a, b])
}

/// The bits of what a subject shall hold.
pub(crate) fn words(subject: &SubjectFilter) -> [Option<u16>; 6] {
    subject.texts().map(|text| text.map(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_read_back_what_they_wrote() {
        let marks = Marks {
            issued_on: -3,
            key: 0x0102_0304,
            words: [1, 2, 3, 4, 5, u16::MAX],
            late: true,
            missed: 3,
            slot: 14_915,
        };
        let mut bytes = Vec::new();
        marks.write(&mut bytes);
        assert_eq!(Marks::read(bytes.try_into().unwrap()), Some(marks));
    }
}
