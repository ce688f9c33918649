//! The form of an addressee of the document exchange: what a unit hands to the registration branch.
//!
//! `addressee show --form` prints it, `addressee register --form` and `change --form` read it. JSON in
//! UTF-8; unknown fields are refused. What it says is judged by the server.

use lgpki_proto::v1;
use serde::{Deserialize, Serialize};

use super::{NamesForm, NoForm};

/// What the form's `format` says.
const FORMAT: &str = "lgpki addressee form 1";

/// A form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddresseeForm {
    format: String,
    unit: NamesForm,
    names: NamesForm,
    document_address: String,
    contact_mail: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    contact_person: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    valid_since: String,
}

impl AddresseeForm {
    /// The form of what an entry says; the day from which on it holds is to be given anew.
    pub(crate) fn of(content: &v1::AddresseeContent) -> Self {
        let names = |names: &Option<v1::Names>| {
            let names = names.clone().unwrap_or_default();
            NamesForm {
                en: names.en,
                ja: names.ja,
            }
        };
        Self {
            format: FORMAT.to_owned(),
            unit: names(&content.unit),
            names: names(&content.names),
            document_address: content.document_address.clone(),
            contact_mail: content.contact_mail.clone(),
            contact_person: content.contact_person.clone(),
            valid_since: String::new(),
        }
    }

    /// Reads a form's file.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, NoForm> {
        let form: Self = serde_json::from_slice(text)?;
        if form.format == FORMAT {
            Ok(form)
        } else {
            Err(NoForm::Format(form.format, FORMAT))
        }
    }

    /// The form's file.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// What to send to the server.
    pub(crate) fn content(&self) -> v1::AddresseeContent {
        v1::AddresseeContent {
            unit: Some((&self.unit).into()),
            names: Some((&self.names).into()),
            document_address: self.document_address.clone(),
            contact_mail: self.contact_mail.clone(),
            contact_person: self.contact_person.clone(),
            valid_since: self.valid_since.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = r#"{"format":"lgpki addressee form 1","unit":{"en":"General Affairs","ja":"総務部"},
        "names":{"en":"Documents","ja":"文書係"},"document_address":"soumu.city","contact_mail":"a@city.lg.jp"}"#;

    #[test]
    fn what_is_not_a_form_of_an_addressee_is_refused() {
        assert!(AddresseeForm::parse(TEXT.as_bytes()).is_ok());
        for (from, to) in [
            ("form 1", "form 2"),
            ("addressee form", "application form"),
            ("\"names\"", "\"name\""),
            ("\"contact_mail\"", "\"mail\""),
            ("\"soumu.city\"", "7"),
            ("{\"format", "[\"format"),
        ] {
            let text = TEXT.replacen(from, to, 1);
            assert!(AddresseeForm::parse(text.as_bytes()).is_err(), "{to}");
        }
    }

    fn text() -> impl Strategy<Value = String> {
        proptest::collection::vec(any::<char>(), 0..12).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn an_entry_reads_back_from_its_form_whatever_it_says(
            texts in proptest::collection::vec(text(), 7),
        ) {
            let names = |i: usize| Some(v1::Names { en: texts[i].clone(), ja: texts[i + 1].clone() });
            let content = v1::AddresseeContent {
                unit: names(0),
                names: names(2),
                document_address: texts[4].clone(),
                contact_mail: texts[5].clone(),
                contact_person: texts[6].clone(),
                valid_since: String::new(),
            };
            let form = AddresseeForm::of(&content).to_json();
            prop_assert_eq!(AddresseeForm::parse(form.as_bytes()).unwrap().content(), content);
        }

        #[test]
        fn a_damaged_form_is_refused_or_reads_as_what_it_says(at in 0..TEXT.len(), byte in any::<u8>()) {
            let mut text = TEXT.as_bytes().to_vec();
            text[at] = byte;
            if let Ok(form) = AddresseeForm::parse(&text) {
                prop_assert_eq!(&AddresseeForm::parse(form.to_json().as_bytes()).unwrap(), &form);
            }
        }
    }
}
