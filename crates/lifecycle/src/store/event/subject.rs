//! A subject as it stands in an entry: its names in English and Japanese.

use lgpki_domain::{Names, Subject};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamesText {
    en: String,
    ja: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectText {
    body: NamesText,
    name: NamesText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<NamesText>,
}

impl From<&Names> for NamesText {
    fn from(names: &Names) -> Self {
        Self {
            en: names.en().to_owned(),
            ja: names.ja().to_owned(),
        }
    }
}

impl NamesText {
    fn names<E: Error>(&self, field: &str) -> Result<Names, E> {
        Names::try_new(field, &self.en, &self.ja).map_err(|faults| {
            let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
            E::custom(texts.join("; "))
        })
    }
}

pub(super) fn serialize<S: Serializer>(subject: &Subject, s: S) -> Result<S::Ok, S::Error> {
    SubjectText {
        body: (&subject.body).into(),
        name: (&subject.name).into(),
        unit: subject.unit.as_ref().map(Into::into),
    }
    .serialize(s)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Subject, D::Error> {
    let text = SubjectText::deserialize(d)?;
    Ok(Subject {
        body: text.body.names("body")?,
        unit: text.unit.map(|unit| unit.names("unit")).transpose()?,
        name: text.name.names("name")?,
    })
}
