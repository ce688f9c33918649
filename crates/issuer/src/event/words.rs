//! How the issuer's own words stand in an entry: authorities, kinds and algorithms by their stable
//! names, subjects with both spellings of every name.

use lgpki_domain::{Names, Subject};
use serde::{Deserialize, Serialize};

/// The generation of a CA's first key, which records leave out.
pub(super) const fn first() -> u32 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
pub(super) const fn is_first(generation: &u32) -> bool {
    *generation == first()
}

/// A name in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamesText {
    /// In English.
    pub en: String,
    /// In Japanese.
    pub ja: String,
}

/// What a certificate names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectText {
    /// The body.
    pub body: NamesText,
    /// The name itself.
    pub name: NamesText,
    /// The unit, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<NamesText>,
}

impl From<&Names> for NamesText {
    fn from(names: &Names) -> Self {
        Self {
            en: names.en().to_owned(),
            ja: names.ja().to_owned(),
        }
    }
}

impl From<&Subject> for SubjectText {
    fn from(subject: &Subject) -> Self {
        Self {
            body: (&subject.body).into(),
            name: (&subject.name).into(),
            unit: subject.unit.as_ref().map(Into::into),
        }
    }
}

macro_rules! by_name {
    ($module:ident, $type:ty, $what:literal) => {
        #[doc = concat!("The stable name of ", $what, ".")]
        pub(super) mod $module {
            use serde::{Deserialize, Deserializer, Serializer, de::Error};

            pub(in crate::event) fn serialize<S: Serializer>(
                value: &$type,
                s: S,
            ) -> Result<S::Ok, S::Error> {
                s.serialize_str(value.name())
            }

            pub(in crate::event) fn deserialize<'de, D: Deserializer<'de>>(
                d: D,
            ) -> Result<$type, D::Error> {
                let name = std::borrow::Cow::<'_, str>::deserialize(d)?;
                <$type>::parse(&name)
                    .ok_or_else(|| D::Error::custom(format!("{name:?} is not {}", $what)))
            }
        }
    };
}

by_name!(authority_name, lgpki_domain::Authority, "an authority");
by_name!(
    kind_name,
    lgpki_domain::CertificateKind,
    "a kind of certificate"
);
by_name!(
    algorithm_name,
    lgpki_domain::KeyAlgorithm,
    "a key algorithm"
);
