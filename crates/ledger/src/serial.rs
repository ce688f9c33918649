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

/// The same as a JSON text, in quotation marks; `None` for what no memory could hold.
fn base64url_json(bytes: &[u8]) -> Option<String> {
    use base64::Engine as _;
    let length = base64::encoded_len(bytes.len(), false)?;
    let mut json = vec![b'"'; length + 2];
    let text = json.get_mut(1..=length)?;
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    engine.encode_slice(bytes, text).ok()?;
    String::from_utf8(json).ok()
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
    use super::{Parsed, PhantomData, base64url_json, from_base64};
    use serde::{Deserializer, Serialize, Serializer, ser::Error};
    use serde_json::value::RawValue;

    /// Writes the bytes. As JSON that is written already: a text's characters would be searched, one by
    /// one, for what must be escaped, and this alphabet has nothing of the kind.
    pub fn serialize<T: AsRef<[u8]>, S: Serializer>(value: &T, s: S) -> Result<S::Ok, S::Error> {
        let json = base64url_json(value.as_ref()).unwrap_or_default();
        // An empty text is no JSON, so that nothing is written in place of the bytes.
        let json = RawValue::from_string(json).map_err(S::Error::custom)?;
        json.serialize(s)
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

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Held {
        #[serde(with = "super::bytes")]
        held: Vec<u8>,
    }

    #[test]
    fn bytes_of_every_length_and_value_stand_as_base64url_and_read_back() {
        for length in [0, 1, 2, 3, 4, 256, 1000] {
            let bytes: Vec<u8> = (0..=u8::MAX).rev().cycle().take(length).collect();
            let expected = format!("{{\"held\":\"{}\"}}", super::base64url(&bytes));
            let held = Held { held: bytes };
            assert_eq!(serde_json::to_string(&held).unwrap(), expected);
            assert_eq!(serde_json::to_value(&held).unwrap().to_string(), expected);
            assert_eq!(serde_json::from_str::<Held>(&expected).unwrap(), held);
        }
    }
}
