//! Distinguished names, written.
//!
//! English names and the country are PrintableString, Japanese names UTF8String; one attribute per
//! RDN, in the order C, O, OU (body), OU (unit), CN.

use lgpki_domain::{
    Authority, Subject,
    name::{LOCAL_GOVERNMENTS, LOCAL_GOVERNMENTS_JA},
};

use crate::{
    encode::{sequence, tag, tlv},
    oid,
};

/// The country of every name.
pub(crate) const JAPAN: &str = "JP";
/// O of the CAs, in both languages.
pub(crate) const LGPKI: &str = "LGPKI";

/// O of the names that this authority certifies, in both languages.
pub(crate) const OUR_NAMES: [&str; 2] = [LOCAL_GOVERNMENTS, LOCAL_GOVERNMENTS_JA];

/// The language that a name is written in, which decides its string type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Japanese,
}

/// One attribute of a name: its type's OID and its value.
pub(crate) type Part<'a> = (&'static [u8], &'a str);

/// An attribute type that a name constraint may speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeName {
    /// `C`
    Country,
    /// `O`
    Organization,
    /// `OU`
    OrganizationalUnit,
    /// `CN`
    CommonName,
}

impl AttributeName {
    const ALL: [Self; 4] = [
        Self::Country,
        Self::Organization,
        Self::OrganizationalUnit,
        Self::CommonName,
    ];

    /// How people write it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Country => "C",
            Self::Organization => "O",
            Self::OrganizationalUnit => "OU",
            Self::CommonName => "CN",
        }
    }

    /// Reads a [`label`](Self::label) back.
    #[must_use]
    pub fn parse(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.label() == label)
    }

    pub(crate) const fn oid(self) -> &'static [u8] {
        match self {
            Self::Country => oid::COUNTRY,
            Self::Organization => oid::ORGANIZATION,
            Self::OrganizationalUnit => oid::ORGANIZATIONAL_UNIT,
            Self::CommonName => oid::COMMON_NAME,
        }
    }
}

/// The attributes of a subscriber's name.
pub(crate) fn subject_parts(subject: &Subject, language: Language) -> Vec<Part<'_>> {
    let text = |names| spelling(names, language);
    let organization = match language {
        Language::English => LOCAL_GOVERNMENTS,
        Language::Japanese => LOCAL_GOVERNMENTS_JA,
    };
    let mut parts = vec![
        (oid::COUNTRY, JAPAN),
        (oid::ORGANIZATION, organization),
        (oid::ORGANIZATIONAL_UNIT, text(&subject.body)),
    ];
    if let Some(unit) = &subject.unit {
        parts.push((oid::ORGANIZATIONAL_UNIT, text(unit)));
    }
    parts.push((oid::COMMON_NAME, text(&subject.name)));
    parts
}

fn spelling(names: &lgpki_domain::Names, language: Language) -> &str {
    match language {
        Language::English => names.en(),
        Language::Japanese => names.ja(),
    }
}

/// The attributes of a CA's name.
pub(crate) fn authority_parts(authority: Authority, language: Language) -> [Part<'static>; 3] {
    let unit = match language {
        Language::English => authority.unit(),
        Language::Japanese => authority.unit_ja(),
    };
    [
        (oid::COUNTRY, JAPAN),
        (oid::ORGANIZATION, LGPKI),
        (oid::ORGANIZATIONAL_UNIT, unit),
    ]
}

/// Appends a Name.
pub(crate) fn name(out: &mut Vec<u8>, parts: &[Part<'_>], language: Language) {
    sequence(out, |out| {
        for (attribute, value) in parts {
            let string = match language {
                Language::Japanese if *attribute != oid::COUNTRY => tag::UTF8_STRING,
                _ => tag::PRINTABLE_STRING,
            };
            crate::encode::nested(out, tag::SET, |out| {
                sequence(out, |out| {
                    tlv(out, tag::OID, attribute);
                    tlv(out, string, value.as_bytes());
                });
            });
        }
    });
}
