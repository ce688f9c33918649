//! The canonical form of entries: a profile of RFC 8785.
//!
//! No white space; members sorted by their ASCII names, none twice; integers only, within what
//! I-JSON can carry exactly (RFC 7493 §2.2); no nulls; strings escaped as RFC 8785 §3.2.2.2 says.
//! One content has one spelling, so that a leaf hash stands for a content.

use serde_json::Value;

use crate::error::EntryError;

/// The largest magnitude of an integer: 2^53 - 1.
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Checks that `bytes` are canonical JSON.
pub fn is_canonical(bytes: &[u8]) -> Result<(), EntryError> {
    let value: Value = serde_json::from_slice(bytes)?;
    let mut again = Vec::with_capacity(bytes.len());
    write(&value, &mut again)?;
    if again == bytes {
        return Ok(());
    }
    let at = again
        .iter()
        .zip(bytes)
        .position(|(a, b)| a != b)
        .unwrap_or_else(|| again.len().min(bytes.len()));
    let near = String::from_utf8_lossy(bytes.get(at.saturating_sub(30)..).unwrap_or_default());
    Err(EntryError::NotCanonical(format!(
        "differs from its canonical form at byte {at}, near {:?}",
        near.chars().take(60).collect::<String>()
    )))
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), EntryError> {
    let refused = |what: String| Err(EntryError::NotCanonical(what));
    match value {
        Value::Null => return refused("it holds a null".to_owned()),
        Value::Number(n) => {
            let magnitude = n.as_u64().or_else(|| n.as_i64().map(i64::unsigned_abs));
            if magnitude.is_none_or(|m| m > MAX_INTEGER) {
                return refused(format!("{n} is not an integer below 2^53"));
            }
            out.extend_from_slice(n.to_string().as_bytes());
        }
        Value::Bool(_) | Value::String(_) => serde_json::to_writer(out, value)?,
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            // Sorted here, whatever order the JSON library keeps its members in.
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            out.push(b'{');
            for (i, (name, item)) in sorted.into_iter().enumerate() {
                if !name.is_ascii() {
                    return refused(format!("the member name {name:?} is not ASCII"));
                }
                if i > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut *out, name)?;
                out.push(b':');
                write(item, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_content_has_one_spelling() {
        for good in [
            r#"{"a":1,"b":[true,"x"],"c":{"d":-9007199254740991}}"#,
            "{\"a\":\"日本\\n\\u001f\\\"\"}",
            "{}",
        ] {
            is_canonical(good.as_bytes()).unwrap();
        }
        for bad in [
            r#"{"b":1,"a":2}"#,
            r#"{"a": 1}"#,
            r#"{"a":1.0}"#,
            r#"{"a":1e3}"#,
            r#"{"a":9007199254740992}"#,
            r#"{"a":null}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":"\u0041"}"#,
            r#"{"a":"\/"}"#,
            r#"{"あ":1}"#,
            "{\"a\":1}\n",
            r#"{"a":-0}"#,
            "",
        ] {
            assert!(is_canonical(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
