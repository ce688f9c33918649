//! Conditional and range requests (RFC 9110 §13 and §14) over what is held in memory.
//!
//! The `headers` crate reads and writes the fields; here stands only which of them decides.

use std::time::{Duration, SystemTime};

use axum::{
    body::Bytes,
    http::{HeaderMap, Method, StatusCode, header::RANGE},
    response::{IntoResponse as _, Response},
};
use headers::{
    AcceptRanges, ContentLength, ContentRange, ETag, Header, HeaderMapExt as _, IfMatch,
    IfModifiedSince, IfNoneMatch, IfRange, IfUnmodifiedSince, LastModified, Range,
};
use lgpki_domain::{Digest, Timestamp};

/// A thing that is served whole, in part, or not at all because the asker has it.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its content.
    pub bytes: Bytes,
    /// SHA-256 of it, which is its entity tag.
    pub digest: Digest,
    /// Since when it stands.
    pub since: Option<Timestamp>,
}

impl Resource {
    /// Answers `GET` and `HEAD`; the content type is the caller's to set. A range is asked for with `GET`
    /// alone (RFC 9110 §14.2).
    #[must_use]
    pub fn answer(self, method: &Method, asked: &HeaderMap) -> Response {
        let tag = self.tag();
        let modified = self.since.map(|since| LastModified::from(system(since)));
        let mut response = match judge(asked, tag.as_ref(), modified, self.bytes.len()) {
            Verdict::Part(range) if method == Method::GET => self.part(&range),
            Verdict::Whole | Verdict::Part(_) => (StatusCode::OK, self.bytes).into_response(),
            Verdict::Unchanged => StatusCode::NOT_MODIFIED.into_response(),
            Verdict::Changed => StatusCode::PRECONDITION_FAILED.into_response(),
        };
        let headers = response.headers_mut();
        if let Some(tag) = tag {
            headers.typed_insert(tag);
        }
        if let Some(modified) = modified {
            headers.typed_insert(modified);
        }
        headers.typed_insert(AcceptRanges::bytes());
        response
    }

    fn tag(&self) -> Option<ETag> {
        format!("\"{}\"", self.digest).parse().ok()
    }

    fn part(self, range: &Range) -> Response {
        let length = self.bytes.len() as u64;
        let mut satisfiable = range.satisfiable_ranges(length);
        let asked = satisfiable.next().and_then(|bounds| within(bounds, length));
        match (asked, satisfiable.next()) {
            (Some((first, last)), None) => {
                let Ok(described) = ContentRange::bytes(first..=last, length) else {
                    return (StatusCode::OK, self.bytes).into_response();
                };
                let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
                let part = self.bytes.slice(place(first)..=place(last));
                let mut response = (StatusCode::PARTIAL_CONTENT, part).into_response();
                response.headers_mut().typed_insert(described);
                response
            }
            // Several ranges in one answer serve nobody here.
            (_, Some(_)) => (StatusCode::OK, self.bytes).into_response(),
            (None, None) => {
                let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
                let headers = response.headers_mut();
                headers.typed_insert(ContentRange::unsatisfied_bytes(length));
                headers.typed_insert(ContentLength(0));
                response
            }
        }
    }
}

/// First and last octet of a range within so many.
fn within(bounds: (std::ops::Bound<u64>, std::ops::Bound<u64>), length: u64) -> Option<(u64, u64)> {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let first = match bounds.0 {
        Included(first) => first,
        Excluded(before) => before.checked_add(1)?,
        Unbounded => 0,
    };
    let end = length.checked_sub(1)?;
    let last = match bounds.1 {
        Included(last) => last.min(end),
        Excluded(after) => after.checked_sub(1)?.min(end),
        Unbounded => end,
    };
    (first <= last).then_some((first, last))
}

/// What is to be sent.
enum Verdict {
    Whole,
    Part(Range),
    Unchanged,
    Changed,
}

/// The order of RFC 9110 §13.2.2.
fn judge(
    asked: &HeaderMap,
    tag: Option<&ETag>,
    modified: Option<LastModified>,
    length: usize,
) -> Verdict {
    let date = modified.map(SystemTime::from);
    if let Some(wanted) = read::<IfMatch>(asked) {
        if !tag.is_some_and(|tag| wanted.precondition_passes(tag)) {
            return Verdict::Changed;
        }
    } else if let (Some(wanted), Some(date)) = (read::<IfUnmodifiedSince>(asked), date)
        && !wanted.precondition_passes(date)
    {
        return Verdict::Changed;
    }
    if let Some(known) = read::<IfNoneMatch>(asked) {
        if tag.is_some_and(|tag| !known.precondition_passes(tag)) {
            return Verdict::Unchanged;
        }
    } else if let (Some(known), Some(date)) = (read::<IfModifiedSince>(asked), date)
        && !known.is_modified(date)
    {
        return Verdict::Unchanged;
    }
    let Some(range) = read::<Range>(asked) else {
        return Verdict::Whole;
    };
    if is_suffix_beyond(asked, length) {
        return Verdict::Whole;
    }
    match read::<IfRange>(asked) {
        Some(condition) if condition.is_modified(tag, modified.as_ref()) => Verdict::Whole,
        _ => Verdict::Part(range),
    }
}

/// Whether more of the end is asked for than there is: that means all of it (RFC 9110 §14.1.2), and
/// the `headers` crate has it as nothing.
fn is_suffix_beyond(asked: &HeaderMap, length: usize) -> bool {
    let range = asked.get(RANGE).and_then(|range| range.to_str().ok());
    let suffix = range.and_then(|range| range.strip_prefix("bytes=-"));
    let suffix = suffix.and_then(|suffix| suffix.trim().parse::<usize>().ok());
    length > 0 && suffix.is_some_and(|suffix| suffix > length)
}

/// A header field, if it is there and can be read; one that cannot is passed over (RFC 9110
/// §13.1.3, §14.2).
fn read<H: Header>(asked: &HeaderMap) -> Option<H> {
    asked.typed_get()
}

/// An instant as the `headers` crate takes it; before 1970 there is nothing to publish.
#[must_use]
pub fn system(at: Timestamp) -> SystemTime {
    let seconds = u64::try_from(at.as_seconds()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource() -> Resource {
        Resource {
            bytes: Bytes::from_static(b"0123456789"),
            digest: Digest([7; 32]),
            since: Some("2008-02-04T09:15:00+09:00".parse().unwrap()),
        }
    }

    /// Status and `Content-Range` for a request with these fields.
    fn asked(fields: &[(&'static str, &str)]) -> (u16, Option<String>) {
        asked_with(&Method::GET, fields)
    }

    fn asked_with(method: &Method, fields: &[(&'static str, &str)]) -> (u16, Option<String>) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        let response = resource().answer(method, &headers);
        let range = response.headers().get("content-range");
        let range = range.map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), range)
    }

    #[test]
    fn what_the_asker_has_is_not_sent_again() {
        let tag = format!("\"{}\"", Digest([7; 32]));
        let weak = format!("W/{tag}");
        let other = format!("\"{}\"", Digest([8; 32]));
        let both = format!("{other}, {tag}");
        let at = "Mon, 04 Feb 2008 00:15:00 GMT";
        let before = "Mon, 04 Feb 2008 00:14:59 GMT";
        for (fields, status) in [
            (&[][..], 200),
            (&[("if-none-match", tag.as_str())], 304),
            (&[("if-none-match", &weak)], 304),
            (&[("if-none-match", &both)], 304),
            (&[("if-none-match", "*")], 304),
            (&[("if-none-match", &other)], 200),
            (&[("if-modified-since", at)], 304),
            (&[("if-modified-since", before)], 200),
            (&[("if-modified-since", "yesterday")], 200),
            // The tag alone decides where there is one.
            (&[("if-none-match", &other), ("if-modified-since", at)], 200),
            (&[("if-match", &tag)], 200),
            (&[("if-match", &other)], 412),
            (&[("if-unmodified-since", before)], 412),
            (&[("if-unmodified-since", at)], 200),
        ] {
            assert_eq!(asked(fields).0, status, "{fields:?}");
        }
    }

    #[test]
    fn a_head_request_is_told_of_the_whole_whatever_range_it_names() {
        let tag = format!("\"{}\"", Digest([7; 32]));
        let head = |fields| asked_with(&Method::HEAD, fields);
        assert_eq!(head(&[("range", "bytes=0-3")]), (200, None));
        assert_eq!(head(&[("range", "bytes=10-")]), (200, None));
        let known = [("range", "bytes=0-3"), ("if-none-match", tag.as_str())];
        assert_eq!(head(&known), (304, None));
    }

    #[test]
    fn a_range_is_sent_alone_and_only_of_what_the_asker_has_begun_with() {
        let tag = format!("\"{}\"", Digest([7; 32]));
        let other = format!("\"{}\"", Digest([8; 32]));
        let part = |range: &str| (206, Some(range.to_owned()));
        for (fields, expected) in [
            (&[("range", "bytes=0-3")][..], part("bytes 0-3/10")),
            (&[("range", "bytes=4-")], part("bytes 4-9/10")),
            (&[("range", "bytes=-2")], part("bytes 8-9/10")),
            (&[("range", "bytes=-10")], part("bytes 0-9/10")),
            (&[("range", "bytes=-99")], (200, None)),
            (&[("range", "bytes=8-99")], part("bytes 8-9/10")),
            (
                &[("range", "bytes=10-")],
                (416, Some("bytes */10".to_owned())),
            ),
            (&[("range", "bytes=0-1,4-5")], (200, None)),
            (&[("range", "lines=0-3")], (200, None)),
            (
                &[("range", "bytes=5-2")],
                (416, Some("bytes */10".to_owned())),
            ),
            (
                &[("range", "bytes=0-3"), ("if-range", &tag)],
                part("bytes 0-3/10"),
            ),
            (&[("range", "bytes=0-3"), ("if-range", &other)], (200, None)),
        ] {
            assert_eq!(asked(fields), expected, "{fields:?}");
        }
    }
}
