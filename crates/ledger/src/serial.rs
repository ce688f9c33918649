//! How values stand in an entry's JSON: identifiers, times and dates as their text, bytes as
//! base64url without padding. For `#[serde(with = "…")]` on the fields of event bodies.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::de::{Error, Visitor};

/// Visits a string and parses it with a function; borrowed input is not copied first.
struct Parsed<T, F>(F, PhantomData<T>);

impl<T, F: Fn(&str) -> Result<T, String>> Visitor<'_> for Parsed<T, F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }
}

fn from_text<T: FromStr<Err: fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|e: T::Err| e.to_string())
}

fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    base64url_decode(text).ok_or_else(|| "not base64url without padding".to_owned())
}

/// Base64url without padding (RFC 4648 §5).
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads [`base64url`] back; `None` where the text is anything else, non-zero spare bits included.
#[must_use]
pub fn base64url_decode(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(text)
        .ok()
}

/// A value as its `Display` text, read back by `FromStr`: `Timestamp`, `JstDate`, `Serial`,
/// `Digest`, `ApplicationId`, `BodyCode`, `RequestId` and the like.
pub mod text {
    use super::{Display, FromStr, Parsed, PhantomData, from_text};
    use serde::{Deserializer, Serializer};

    /// Writes the value's text.
    pub fn serialize<T: Display, S: Serializer>(value: &T, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(value)
    }

    /// Parses the text.
    pub fn deserialize<'de, T, D>(d: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        d.deserialize_str(Parsed(from_text::<T>, PhantomData))
    }
}

/// An optional value as its text. Needs `#[serde(default, skip_serializing_if = "Option::is_none")]`
/// beside it, for an entry holds no nulls.
pub mod optional_text {
    use super::{Display, FromStr};
    use serde::{Deserializer, Serializer};

    /// Writes the value's text.
    pub fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => s.collect_str(value),
            None => s.serialize_none(),
        }
    }

    /// Parses the text.
    pub fn deserialize<'de, T, D>(d: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        super::text::deserialize(d).map(Some)
    }
}

/// A list of values, each as its text.
pub mod text_list {
    use super::{Display, FromStr, from_text};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the texts.
    pub fn serialize<T: Display, S: Serializer>(values: &[T], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(values.iter().map(ToString::to_string))
    }

    /// Parses the texts.
    pub fn deserialize<'de, T, D>(d: D) -> Result<Vec<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        Vec::<String>::deserialize(d)?
            .iter()
            .map(|text| from_text(text).map_err(D::Error::custom))
            .collect()
    }
}

/// Bytes as base64url without padding.
pub mod bytes {
    use super::{Parsed, PhantomData, base64url, from_base64};
    use serde::{Deserializer, Serializer};

    /// Writes the bytes.
    pub fn serialize<T: AsRef<[u8]>, S: Serializer>(value: &T, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&base64url(value.as_ref()))
    }

    /// Reads the bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        d.deserialize_str(Parsed(from_base64, PhantomData))
    }
}

/// Optional bytes as base64url without padding. Needs
/// `#[serde(default, skip_serializing_if = "Option::is_none")]` beside it.
pub mod optional_bytes {
    use super::base64url;
    use serde::{Deserializer, Serializer};

    /// Writes the bytes.
    pub fn serialize<S: Serializer>(value: &Option<Vec<u8>>, s: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => s.serialize_str(&base64url(value)),
            None => s.serialize_none(),
        }
    }

    /// Reads the bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Vec<u8>>, D::Error> {
        super::bytes::deserialize(d).map(Some)
    }
}

use fmt::Display;
