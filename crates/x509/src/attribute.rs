//! Distinguished names, read: attributes with their values as text.
//!
//! PrintableString, UTF8String and IA5String are understood; T61String and the other relics are
//! not, because nobody can say for certain what characters they hold.

use std::fmt;

use crate::{
    decode::{NotDer, Reader},
    encode::tag,
    oid,
};

/// An attribute of a distinguished name.
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute {
    oid: Vec<u8>,
    value: String,
}

impl Attribute {
    /// The attribute type in dotted form, such as `2.5.4.3`.
    #[must_use]
    pub fn oid(&self) -> String {
        oid::dotted(&self.oid)
    }

    /// The attribute type as people write it: `C`, `O`, `OU`, `CN`, or in dotted form.
    #[must_use]
    pub fn label(&self) -> String {
        label(&self.oid)
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    pub(crate) fn new(oid: &[u8], value: String) -> Self {
        Self {
            oid: oid.to_vec(),
            value,
        }
    }

    pub(crate) fn is(&self, oid: &[u8]) -> bool {
        self.oid == oid
    }
}

/// `CN=chief`
impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.label(), self.value)
    }
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How people write an attribute type.
pub(crate) fn label(oid: &[u8]) -> String {
    match oid {
        oid::COUNTRY => "C".to_owned(),
        oid::ORGANIZATION => "O".to_owned(),
        oid::ORGANIZATIONAL_UNIT => "OU".to_owned(),
        oid::COMMON_NAME => "CN".to_owned(),
        other => oid::dotted(other),
    }
}

/// Why a string could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotText {
    /// Its type is not one that is understood.
    Type(u8),
    /// Its bytes are not of its type.
    Encoding,
}

/// The text of a string value.
pub(crate) fn text(tag: u8, content: &[u8]) -> Result<&str, NotText> {
    let allowed: fn(&u8) -> bool = match tag {
        tag::UTF8_STRING => |_| true,
        tag::IA5_STRING => u8::is_ascii,
        tag::PRINTABLE_STRING => |b| b.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(b),
        other => return Err(NotText::Type(other)),
    };
    if !content.iter().all(allowed) {
        return Err(NotText::Encoding);
    }
    std::str::from_utf8(content).map_err(|_| NotText::Encoding)
}

/// How a string type is called.
pub(crate) fn string_type(tag: u8) -> String {
    match tag {
        0x14 => "T61String".to_owned(),
        0x1e => "BMPString".to_owned(),
        0x1c => "UniversalString".to_owned(),
        0x1b => "GeneralString".to_owned(),
        0x12 => "NumericString".to_owned(),
        0x1a => "VisibleString".to_owned(),
        other => format!("a value of tag {other:#04x}"),
    }
}

/// What is wrong with a name that is well-formed DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// An RDN holds several attributes, or none.
    Rdn,
    /// An attribute's value could not be read.
    Value { label: String, why: NotText },
}

/// The attributes of an RDNSequence's content, with the flaws of those that could not be read.
pub(crate) fn read_name(mut rdns: Reader<'_>) -> Result<(Vec<Attribute>, Vec<Flaw>), NotDer> {
    let mut attributes = Vec::new();
    let mut flaws = Vec::new();
    while !rdns.is_empty() {
        let mut set = rdns.open(tag::SET)?;
        let mut count = 0;
        while !set.is_empty() {
            let mut attribute = set.open(tag::SEQUENCE)?;
            let oid = attribute.expect(tag::OID)?;
            let value = attribute.value()?;
            attribute.finish()?;
            match text(value.tag, value.content) {
                Ok(value) => attributes.push(Attribute::new(oid, value.to_owned())),
                Err(why) => flaws.push(Flaw::Value {
                    label: label(oid),
                    why,
                }),
            }
            count += 1;
        }
        if count != 1 {
            flaws.push(Flaw::Rdn);
        }
    }
    Ok((attributes, flaws))
}
