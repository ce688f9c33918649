//! The dates of a CRL's entries in UTCTime, to and from their 13 characters.
//!
//! Entries come in the order of their serial numbers, so that each is of another day than the one
//! before; but all of them are of some thousand days, and what a day is written as is kept in mind.

use lgpki_domain::Timestamp;

use crate::{
    encode::tag,
    error::X509Error,
    time::{time, utc_time},
};

/// Seconds of a day.
const DAY: i64 = 86_400;
/// Days kept in mind by the writer: eleven years.
const DAYS: usize = 4_096;
/// Days that six digits can name.
const NAMED: usize = 100 * 12 * 31;
/// A UTCTime's characters.
const LENGTH: usize = 13;

/// Writes dates.
#[derive(Debug)]
pub(super) struct DateWriter {
    /// The number of a day and its six digits; each day has one place.
    known: Vec<(i64, [u8; 6])>,
}

impl DateWriter {
    pub(super) fn new() -> Self {
        Self {
            known: vec![(-1, [0; 6]); DAYS],
        }
    }

    /// The characters of a UTCTime, to the second; none for what is written as GeneralizedTime.
    pub(super) fn utc_time(&mut self, at: Timestamp) -> Result<Option<[u8; LENGTH]>, X509Error> {
        let second = at.as_seconds();
        let (day, of_day) = (second.div_euclid(DAY), second.rem_euclid(DAY));
        // What comes before 1970 is refused below.
        let place = usize::try_from(day).unwrap_or_default() % DAYS;
        if self.known[place].0 != day || day < 0 {
            let mut written = Vec::with_capacity(LENGTH + 4);
            time(&mut written, at)?;
            let [tag::UTC_TIME, _, digits @ ..] = &*written else {
                return Ok(None);
            };
            let mut name = [0; 6];
            name.copy_from_slice(&digits[..6]);
            self.known[place] = (day, name);
        }
        let mut text = *b"......000000Z";
        text[..6].copy_from_slice(&self.known[place].1);
        let of_day = u32::try_from(of_day).unwrap_or_default();
        for (pair, part) in
            text[6..12]
                .chunks_exact_mut(2)
                .zip([of_day / 3600, of_day / 60 % 60, of_day % 60])
        {
            let [part, ..] = part.to_le_bytes();
            pair[0] += part / 10;
            pair[1] += part % 10;
        }
        Ok(Some(text))
    }
}

/// Reads dates.
#[derive(Clone, Debug)]
pub(super) struct DateReader {
    /// The second with which each day begins, by what its digits name; -1 for days not seen yet.
    known: Vec<i64>,
}

impl DateReader {
    pub(super) const fn new() -> Self {
        Self { known: Vec::new() }
    }

    /// The instant of a UTCTime's characters; none if they are not one.
    pub(super) fn utc_time(&mut self, text: &[u8; LENGTH]) -> Option<Timestamp> {
        let pair = |at: usize| {
            let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
            (tens < 10 && ones < 10).then(|| usize::from(tens * 10 + ones))
        };
        let (year, month, day) = (pair(0)?, pair(2)?, pair(4)?);
        let (hour, minute, second) = (pair(6)?, pair(8)?, pair(10)?);
        let named = (1..=12).contains(&month) && (1..=31).contains(&day);
        if !named || hour > 23 || minute > 59 || second > 59 || text[12] != b'Z' {
            return None;
        }
        let place = (year * 12 + month - 1) * 31 + day - 1;
        if self.known.is_empty() {
            self.known = vec![-1; NAMED];
        }
        if self.known[place] == -1 {
            let mut midnight = *text;
            midnight[6..12].copy_from_slice(b"000000");
            self.known[place] = utc_time(&midnight)?.as_seconds();
        }
        let of_day = i64::try_from((hour * 60 + minute) * 60 + second).ok()?;
        Some(Timestamp::from_seconds(self.known[place] + of_day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_date_is_written_and_read_as_without_memory() {
        let (mut writer, mut reader) = (DateWriter::new(), DateReader::new());
        // Days that share a place with one another, ends of months, and the year 2050.
        let days = [0, 59, 60, 10_957, 10_957 + 4_096, 14_000, 29_219, 29_220];
        for round in 0..2 {
            for day in days {
                for of_day in [0, 1, 59, 60, 3_599, 43_200 + round, 86_399] {
                    let at = Timestamp::from_seconds(day * DAY + of_day);
                    let mut plain = Vec::new();
                    time(&mut plain, at).unwrap();
                    let text = writer.utc_time(at).unwrap();
                    assert_eq!(text.is_some(), plain[0] == tag::UTC_TIME, "{at}");
                    if let Some(text) = text {
                        assert_eq!(text, plain[2..], "{at}");
                        assert_eq!(reader.utc_time(&text), Some(at));
                    }
                }
            }
        }
        assert!(writer.utc_time(Timestamp::from_seconds(-1)).is_err());
    }

    #[test]
    fn what_is_no_date_is_not_read() {
        let mut reader = DateReader::new();
        for text in [
            b"080230000000Z",
            b"081301000000Z",
            b"080001000000Z",
            b"080100000000Z",
            b"080101240000Z",
            b"080101006000Z",
            b"080101000060Z",
            b"080101000000z",
            b"08010100000 Z",
            b"0801010000:0Z",
        ] {
            assert_eq!(reader.utc_time(text), None);
            assert_eq!(utc_time(text), None);
        }
        let leap = reader.utc_time(b"080229235959Z");
        assert_eq!(leap, utc_time(b"080229235959Z"));
        assert!(leap.is_some());
        // 1970 begins with second 0, and what comes before it is read by others.
        assert_eq!(
            reader.utc_time(b"700101000000Z"),
            utc_time(b"700101000000Z")
        );
        assert_eq!(
            reader.utc_time(b"691231000000Z"),
            utc_time(b"691231000000Z")
        );
    }
}
