//! Instants as X.509 writes them: UTCTime until 2049, GeneralizedTime after (RFC 5280 §4.1.2.5),
//! always to the second and in UTC.

use std::time::Duration;

use der::DateTime;
use lgpki_domain::Timestamp;

use crate::{
    encode::{tag, tlv},
    error::X509Error,
};

/// Appends an instant; fractions of a second are cut off.
pub(crate) fn time(out: &mut Vec<u8>, at: Timestamp) -> Result<(), X509Error> {
    let (text, is_early) = digits(at)?;
    if is_early {
        tlv(out, tag::UTC_TIME, &text[2..]);
    } else {
        tlv(out, tag::GENERALIZED_TIME, &text);
    }
    Ok(())
}

/// Appends an instant as GeneralizedTime, whatever its year, as OCSP writes it (RFC 6960 §4.2.2.1).
pub(crate) fn generalized_time(out: &mut Vec<u8>, at: Timestamp) -> Result<(), X509Error> {
    tlv(out, tag::GENERALIZED_TIME, &digits(at)?.0);
    Ok(())
}

/// An instant with a four-digit year, and whether that is before 2050.
fn digits(at: Timestamp) -> Result<([u8; 15], bool), X509Error> {
    let unencodable = || {
        X509Error::unencodable(
            "a date",
            format!("{at} lies outside the years 1970 to 9999"),
        )
    };
    let seconds = u64::try_from(at.as_seconds()).map_err(|_| unencodable())?;
    let date =
        DateTime::from_unix_duration(Duration::from_secs(seconds)).map_err(|_| unencodable())?;
    let mut text = *b"00000000000000Z";
    let parts = [
        (date.year() / 100).to_le_bytes()[0],
        (date.year() % 100).to_le_bytes()[0],
        date.month(),
        date.day(),
        date.hour(),
        date.minutes(),
        date.seconds(),
    ];
    for (pair, part) in text.chunks_exact_mut(2).zip(parts) {
        pair[0] += part / 10;
        pair[1] += part % 10;
    }
    Ok((text, date.year() < 2050))
}

/// An instant that `x509-cert` has read.
pub(crate) fn from_time(time: x509_cert::time::Time) -> Timestamp {
    let seconds = time.to_unix_duration().as_secs();
    Timestamp::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX / 1000))
}

/// The instant of a UTCTime's 13 characters; `None` if they are not one.
pub(crate) fn utc_time(text: &[u8; 13]) -> Option<Timestamp> {
    let digits = |at: usize| {
        let pair = [text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0')];
        pair.iter().all(|d| *d < 10).then(|| pair[0] * 10 + pair[1])
    };
    if text[12] != b'Z' {
        return None;
    }
    let year = u16::from(digits(0)?);
    let century = if year < 50 { 2000 } else { 1900 };
    let date = DateTime::new(
        century + year,
        digits(2)?,
        digits(4)?,
        digits(6)?,
        digits(8)?,
        digits(10)?,
    );
    let seconds = date.ok()?.unix_duration().as_secs();
    Some(Timestamp::from_seconds(i64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_change_their_form_in_2050() {
        let written = |text: &str| {
            let mut out = Vec::new();
            time(&mut out, text.parse().unwrap()).unwrap();
            out
        };
        assert_eq!(
            written("2008-02-04T00:00:00+09:00"),
            b"\x17\x0d080203150000Z"
        );
        assert_eq!(
            written("2049-12-31T23:59:59.999Z"),
            b"\x17\x0d491231235959Z"
        );
        assert_eq!(written("2050-01-01T00:00:00Z"), b"\x18\x0f20500101000000Z");
        assert!(time(&mut Vec::new(), Timestamp::from_seconds(-1)).is_err());
    }
}
