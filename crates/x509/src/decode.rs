//! Reading foreign DER, strictly.
//!
//! A reader over borrowed bytes that accepts low tag numbers and definite, minimal lengths only,
//! and a walk over a whole structure that finds every BER liberty before anybody looks inside. It
//! never panics, never allocates by a foreign length and never nests deeper than [`DEEPEST`].

use std::fmt;

use crate::encode::tag;

/// How deep structures may nest; a certificate nests 9 levels deep at most.
const DEEPEST: usize = 16;

/// Bytes that are not DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotDer {
    /// What is wrong.
    pub(crate) why: &'static str,
}

impl fmt::Display for NotDer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why)
    }
}

pub(crate) const fn not_der(why: &'static str) -> NotDer {
    NotDer { why }
}

/// One value: its tag, its content, and all of its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) raw: &'a [u8],
}

impl<'a> Value<'a> {
    /// A reader over the content, if the tag is the expected one.
    pub(crate) fn open(self, tag: u8) -> Result<Reader<'a>, NotDer> {
        self.expect(tag).map(Reader::new)
    }

    /// The content, if the tag is the expected one.
    pub(crate) fn expect(self, tag: u8) -> Result<&'a [u8], NotDer> {
        if self.tag == tag {
            Ok(self.content)
        } else {
            Err(not_der(
                "an element of another type stands where one was expected",
            ))
        }
    }
}

/// Tag and length of a value, whose content need not have come yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    pub(crate) tag: u8,
    /// How many octets tag and length take.
    pub(crate) header: usize,
    /// How many octets the content has.
    pub(crate) length: usize,
}

impl Opening {
    /// Reads the beginning of a value.
    pub(crate) fn read(all: &[u8]) -> Result<Self, NotDer> {
        let (&tag, after_tag) = all.split_first().ok_or(not_der("an element is missing"))?;
        if tag & 0x1f == 0x1f {
            return Err(not_der("a tag number above 30 is used"));
        }
        let (&first, after) = after_tag
            .split_first()
            .ok_or(not_der("it ends within an element"))?;
        let octets = match first {
            0..=0x7f => 0,
            0x80 => return Err(not_der("an indefinite length is used, which is BER")),
            _ => usize::from(first & 0x7f),
        };
        if octets > 4 {
            return Err(not_der("a length is too large"));
        }
        let long = after
            .get(..octets)
            .ok_or(not_der("it ends within a length"))?;
        let length = if octets == 0 {
            usize::from(first)
        } else {
            let length = long.iter().fold(0_usize, |n, b| n << 8 | usize::from(*b));
            if length < 0x80 || long.first() == Some(&0) {
                return Err(not_der(
                    "a length is not in its shortest form, which is BER",
                ));
            }
            length
        };
        Ok(Self {
            tag,
            header: 2 + octets,
            length,
        })
    }

    /// Its content's length, if the tag is the expected one.
    pub(crate) fn expect(self, tag: u8) -> Result<Self, NotDer> {
        if self.tag == tag {
            Ok(self)
        } else {
            Err(not_der(
                "an element of another type stands where one was expected",
            ))
        }
    }
}

/// A cursor over DER values.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The tag of the next value.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next value.
    pub(crate) fn value(&mut self) -> Result<Value<'a>, NotDer> {
        let all = self.rest;
        let opening = Opening::read(all)?;
        let after = &all[opening.header..];
        let content = after
            .get(..opening.length)
            .ok_or(not_der("it ends within an element"))?;
        self.rest = &after[opening.length..];
        let raw = &all[..all.len() - self.rest.len()];
        Ok(Value {
            tag: opening.tag,
            content,
            raw,
        })
    }

    /// What is left.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The content of the next value, if its tag is the expected one.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<&'a [u8], NotDer> {
        self.value()?.expect(tag)
    }

    /// A reader over the content of the next value, if its tag is the expected one.
    pub(crate) fn open(&mut self, tag: u8) -> Result<Reader<'a>, NotDer> {
        self.value()?.open(tag)
    }

    /// Nothing may follow.
    pub(crate) const fn finish(self) -> Result<(), NotDer> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(not_der("an element has more parts than it may have"))
        }
    }
}

/// Walks over all values in `bytes` and refuses what is BER but not DER. The order within a SET OF
/// is not judged: real front ends get it wrong, and nothing here is ever encoded again.
pub(crate) fn check_strict(bytes: &[u8]) -> Result<(), NotDer> {
    walk(bytes, DEEPEST)
}

fn walk(bytes: &[u8], levels: usize) -> Result<(), NotDer> {
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        let value = reader.value()?;
        let constructed = value.tag & 0x20 != 0;
        if value.tag & 0xc0 == 0 {
            check_universal(value, constructed)?;
        }
        if constructed {
            let levels = levels
                .checked_sub(1)
                .ok_or(not_der("it nests too deeply"))?;
            walk(value.content, levels)?;
        }
    }
    Ok(())
}

fn check_universal(value: Value<'_>, constructed: bool) -> Result<(), NotDer> {
    let content = value.content;
    if matches!(value.tag & 0x1f, 0x10 | 0x11) != constructed {
        return Err(not_der(
            "a string is split into parts or a sequence is not, which is BER",
        ));
    }
    match value.tag {
        0 => Err(not_der("an end-of-contents element is used, which is BER")),
        tag::BOOLEAN if !matches!(content, [0 | 0xff]) => {
            Err(not_der("a BOOLEAN is neither 00 nor FF"))
        }
        tag::INTEGER | tag::ENUMERATED => check_integer(content),
        tag::NULL if !content.is_empty() => Err(not_der("a NULL has content")),
        tag::OID => check_oid(content),
        tag::BIT_STRING => match content {
            [0] => Ok(()),
            [unused @ 0..=7, .., last] if last.trailing_zeros() >= u32::from(*unused) => Ok(()),
            _ => Err(not_der("a BIT STRING has wrong padding")),
        },
        _ => Ok(()),
    }
}

fn check_integer(content: &[u8]) -> Result<(), NotDer> {
    match content {
        [] => Err(not_der("an INTEGER is empty")),
        [0, second, ..] if second & 0x80 == 0 => Err(not_der("an INTEGER has a leading zero")),
        [0xff, second, ..] if second & 0x80 != 0 => Err(not_der("an INTEGER has a leading FF")),
        _ => Ok(()),
    }
}

fn check_oid(content: &[u8]) -> Result<(), NotDer> {
    let ends = content.last().is_some_and(|b| b & 0x80 == 0);
    let mut starts_arc = true;
    for byte in content {
        if starts_arc && *byte == 0x80 {
            return Err(not_der("an OBJECT IDENTIFIER is not in its shortest form"));
        }
        starts_arc = byte & 0x80 == 0;
    }
    if ends {
        Ok(())
    } else {
        Err(not_der("an OBJECT IDENTIFIER is cut off"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ber_but_not_der_is_refused() {
        for (bytes, part) in [
            (&[0x30, 0x80, 0, 0][..], "indefinite"),
            (&[0x30, 0x81, 2, 5, 0], "shortest"),
            (&[0x30, 0x82, 0, 0x80], "shortest"),
            (&[0x30, 0x85, 1, 0, 0, 0, 0], "too large"),
            (&[0x30, 3, 5, 0], "ends within"),
            (&[0x30, 3, 1, 1, 1], "BOOLEAN"),
            (&[0x30, 4, 2, 2, 0, 1], "leading zero"),
            (&[0x30, 4, 2, 2, 0xff, 0x80], "leading FF"),
            (&[0x30, 2, 2, 0], "empty"),
            (&[0x30, 3, 5, 1, 0], "NULL"),
            (&[0x30, 4, 6, 2, 0x80, 1], "shortest"),
            (&[0x30, 3, 6, 1, 0x81], "cut off"),
            (&[0x30, 4, 3, 2, 1, 1], "padding"),
            (&[0x30, 4, 0x24, 2, 4, 0], "split"),
            (&[0x10, 0], "split"),
            (&[0x1f, 0x20, 0], "tag number"),
        ] {
            let why = check_strict(bytes).unwrap_err().why;
            assert!(why.contains(part), "{bytes:x?}: {why}");
        }
        assert!(check_strict(&[0x30, 3, 2, 1, 5]).is_ok());
    }

    #[test]
    fn nesting_is_bounded() {
        let mut bytes = Vec::new();
        for _ in 0..50 {
            let mut outer = Vec::new();
            crate::encode::tlv(&mut outer, tag::SEQUENCE, &bytes);
            bytes = outer;
        }
        assert_eq!(check_strict(&bytes).unwrap_err().why, "it nests too deeply");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_walk_panic(bytes: Vec<u8>) {
            let _ = check_strict(&bytes);
        }
    }
}
