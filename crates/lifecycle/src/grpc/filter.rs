//! Filters and page tokens from the wire.

use lgpki_domain::{BodyCode, CertificateKind, Digest, Faults, JstDate, Timestamp};
use lgpki_proto::{
    convert::{FIELD_MALFORMED, FIELD_UNKNOWN_VALUE, all_of, optional, optional_text},
    v1,
};

use crate::ports::{CertificateState, Cursor, Filter, SubjectFilter, Texts};

/// What a page is asked for.
pub(super) fn page(
    asked: &v1::ListCertificatesRequest,
    now: Timestamp,
) -> Result<(Filter, Option<Cursor>), Faults> {
    let mut faults = Faults::new();
    let filter = filter(&mut faults, asked, now);
    let after = read_token(&mut faults, &asked.page_token);
    faults.into_result().map(|()| (filter, after))
}

/// What shall be counted.
pub(super) fn count(asked: v1::CountCertificatesRequest, now: Timestamp) -> Result<Filter, Faults> {
    let asked = v1::ListCertificatesRequest {
        branch: asked.branch,
        kinds: asked.kinds,
        state: asked.state,
        expires_from: asked.expires_from,
        expires_to: asked.expires_to,
        page_size: 0,
        page_token: String::new(),
        issued_from: asked.issued_from,
        issued_to: asked.issued_to,
        key_digest: asked.key_digest,
        authority: asked.authority,
        subject: asked.subject,
    };
    let mut faults = Faults::new();
    let filter = filter(&mut faults, &asked, now);
    faults.into_result().map(|()| filter)
}

fn filter(f: &mut Faults, asked: &v1::ListCertificatesRequest, now: Timestamp) -> Filter {
    let expires_from = optional_text::<JstDate>(f, "expires_from", &asked.expires_from);
    let expires_to = optional_text::<JstDate>(f, "expires_to", &asked.expires_to);
    Filter {
        branch: optional_text::<BodyCode>(f, "branch", &asked.branch),
        kinds: all_of::<CertificateKind>(f, "kinds", &asked.kinds),
        state: state(f, asked.state).map(|state| (state, now)),
        expires_from: expires_from.map(JstDate::start),
        // Validity ends with the last second of a day.
        expires_to: expires_to.map(JstDate::last_second),
        issued_from: optional_text(f, "issued_from", &asked.issued_from),
        issued_to: optional_text(f, "issued_to", &asked.issued_to),
        key_digest: optional_text::<Digest>(f, "key_digest", &asked.key_digest),
        authority: optional(f, "authority", asked.authority),
        subject: subject(asked.subject.as_ref()),
    }
}

fn subject(asked: Option<&v1::Subject>) -> SubjectFilter {
    let texts = |names: Option<&v1::Names>| {
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Texts {
            en: names.and_then(|names| given(&names.en)),
            ja: names.and_then(|names| given(&names.ja)),
        }
    };
    asked.map_or_else(SubjectFilter::default, |asked| SubjectFilter {
        body: texts(asked.body.as_ref()),
        unit: texts(asked.unit.as_ref()),
        name: texts(asked.name.as_ref()),
    })
}

fn state(faults: &mut Faults, number: i32) -> Option<CertificateState> {
    match v1::CertificateState::try_from(number) {
        Ok(v1::CertificateState::Unspecified) => None,
        Ok(v1::CertificateState::Valid) => Some(CertificateState::Valid),
        Ok(v1::CertificateState::Revoked) => Some(CertificateState::Revoked),
        Ok(v1::CertificateState::Expired) => Some(CertificateState::Expired),
        Ok(v1::CertificateState::Renewing) => Some(CertificateState::Renewing),
        Err(_) => {
            let message = format!("{number} is no state of a certificate");
            faults.push("state", FIELD_UNKNOWN_VALUE, message);
            None
        }
    }
}

/// Where the next page begins: notAfter in seconds and the serial number.
pub(super) fn write_token(cursor: Cursor) -> String {
    format!("{}.{}", cursor.not_after.as_seconds(), cursor.serial)
}

/// Reads [`write_token`] back.
pub(super) fn read_token(faults: &mut Faults, token: &str) -> Option<Cursor> {
    if token.is_empty() {
        return None;
    }
    let cursor = token.split_once('.').and_then(|(seconds, serial)| {
        Some(Cursor {
            not_after: Timestamp::from_seconds(seconds.parse().ok()?),
            serial: serial.parse().ok()?,
        })
    });
    if cursor.is_none() {
        let message = "this is no page token of ours; give back the one of the page before";
        faults.push("page_token", FIELD_MALFORMED, message);
    }
    cursor
}

#[cfg(test)]
mod tests {
    use lgpki_domain::Serial;

    use super::*;

    #[test]
    fn a_page_token_reads_back_and_a_foreign_one_is_refused() {
        let cursor = Cursor {
            not_after: "2011-02-03T23:59:59+09:00".parse().unwrap(),
            serial: Serial::from_bytes(&[0x41; 16]).unwrap(),
        };
        let mut faults = Faults::new();
        assert_eq!(read_token(&mut faults, &write_token(cursor)), Some(cursor));
        assert!(faults.is_empty());
        let far = format!("{}.{}", i64::MAX, cursor.serial);
        assert!(read_token(&mut faults, &far).is_some());
        for token in ["x", "1.2", ".", "99999999999999999999.4141"] {
            let mut faults = Faults::new();
            assert_eq!(read_token(&mut faults, token), None);
            assert!(!faults.is_empty(), "{token}");
        }
    }
}
