//! The application form (証明書発行申請書): what a subscriber hands to the registration branch.
//!
//! `lgpki kit request` writes it beside the CSR, `lgpki cirs submit --form` reads it. It holds no
//! secret. JSON in UTF-8; unknown fields are refused, so that a mistyped one is not lost silently.

mod addressee;

use lgpki_domain::{CertificateKind, KeyMedium, Names, OfficerRole, Subject};
use lgpki_kit::RequestView;
use lgpki_proto::{convert::wire_or_unset, v1};
use serde::{Deserialize, Serialize};

pub(crate) use addressee::AddresseeForm;

/// What the form's `format` says.
const FORMAT: &str = "lgpki application form 1";

/// A form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplicationForm {
    format: String,
    kind: String,
    subject: SubjectForm,
    medium: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dns_names: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mail_address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login_role: Option<String>,
    csr: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectForm {
    body: NamesForm,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<NamesForm>,
    name: NamesForm,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamesForm {
    en: String,
    ja: String,
}

impl From<&Names> for NamesForm {
    fn from(names: &Names) -> Self {
        Self {
            en: names.en().to_owned(),
            ja: names.ja().to_owned(),
        }
    }
}

impl From<&NamesForm> for v1::Names {
    fn from(names: &NamesForm) -> Self {
        Self {
            en: names.en.clone(),
            ja: names.ja.clone(),
        }
    }
}

impl From<&Subject> for SubjectForm {
    fn from(subject: &Subject) -> Self {
        Self {
            body: (&subject.body).into(),
            unit: subject.unit.as_ref().map(Into::into),
            name: (&subject.name).into(),
        }
    }
}

/// A file is no application form.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoForm {
    /// It is not JSON of this shape.
    #[error("it cannot be read as a form")]
    Shape(#[from] serde_json::Error),
    /// It says to be something else.
    #[error("it says to be {0:?}, not {1:?}")]
    Format(String, &'static str),
    /// A word is not known.
    #[error("{0:?} is not a known {1}")]
    Word(String, &'static str),
}

impl ApplicationForm {
    /// The form of a request that lies on a `medium`.
    pub(crate) fn of(request: &RequestView, medium: KeyMedium) -> Self {
        Self {
            format: FORMAT.to_owned(),
            kind: request.kind.name().to_owned(),
            subject: (&request.subject).into(),
            medium: medium.name().to_owned(),
            dns_names: Vec::new(),
            mail_address: request.mail.clone(),
            login_role: request.login.map(|r| r.name().to_owned()),
            csr: request.csr.clone(),
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

    /// What to send to the server, which judges it.
    pub(crate) fn content(&self) -> Result<v1::IssueContent, NoForm> {
        let word = |what, text: &str| NoForm::Word(text.to_owned(), what);
        let kind = CertificateKind::parse(&self.kind).ok_or_else(|| word("kind", &self.kind))?;
        let medium = KeyMedium::parse(&self.medium).ok_or_else(|| word("medium", &self.medium))?;
        let role = match &self.login_role {
            None => None,
            Some(text) => Some(OfficerRole::parse(text).ok_or_else(|| word("office", text))?),
        };
        Ok(v1::IssueContent {
            kind: wire_or_unset(Some(kind)),
            subject: Some(v1::Subject {
                body: Some((&self.subject.body).into()),
                unit: self.subject.unit.as_ref().map(Into::into),
                name: Some((&self.subject.name).into()),
            }),
            csr: self.csr.clone().into_bytes(),
            medium: wire_or_unset(Some(medium)),
            dns_names: self.dns_names.clone(),
            mail_address: self.mail_address.clone().unwrap_or_default(),
            login_role: wire_or_unset(role),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"format":"lgpki application form 1","kind":"user","subject":{
        "body":{"en":"A","ja":"あ"},"name":{"en":"x-lgacc","ja":"主任（利用者）"}},"medium":"ic-card","csr":"PEM"}"#;

    #[test]
    fn a_form_reads_back_what_it_writes() {
        let form = ApplicationForm::parse(TEXT.as_bytes()).unwrap();
        assert_eq!(
            ApplicationForm::parse(form.to_json().as_bytes()).unwrap(),
            form
        );
        assert_eq!(form.content().unwrap().kind, 2);
    }

    #[test]
    fn what_is_not_a_form_is_refused() {
        for (from, to) in [("form 1", "form 9"), ("\"csr\"", "\"crs\""), ("{", "[")] {
            assert!(
                ApplicationForm::parse(TEXT.replace(from, to).as_bytes()).is_err(),
                "{to}"
            );
        }
        let unknown = ApplicationForm::parse(TEXT.replace("user", "usr").as_bytes()).unwrap();
        assert!(unknown.content().is_err());
    }
}
