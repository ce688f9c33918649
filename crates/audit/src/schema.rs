//! What may stand in an entry, as `schema/entries.json` says it: the file that auditors read is the
//! one that entries are held against. It is read once, into types without names.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::Value;

use crate::error::AuditError;

/// The file itself, for people and other programs.
pub const ENTRIES: &str = include_str!("../schema/entries.json");

/// What a text looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Application,
    Serial,
    Digest,
    Time,
    Date,
    Branch,
    Scope,
    Bytes,
    Oid,
}

impl Form {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "text" => Self::Text,
            "application" => Self::Application,
            "serial" => Self::Serial,
            "digest" => Self::Digest,
            "time" => Self::Time,
            "date" => Self::Date,
            "branch" => Self::Branch,
            "scope" => Self::Scope,
            "bytes" => Self::Bytes,
            "oid" => Self::Oid,
            _ => return None,
        })
    }

    /// Whether a text, as it stands between its quotation marks, has this form.
    pub(crate) fn fits(self, text: &[u8]) -> bool {
        let hex = |length| {
            text.len() == length && text.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        match self {
            Self::Text => true,
            Self::Application => {
                text.len() == 26
                    && text.iter().all(|b| {
                        matches!(b, b'0'..=b'9' | b'A'..=b'Z')
                            && !matches!(b, b'I' | b'L' | b'O' | b'U')
                    })
            }
            Self::Serial => hex(32),
            Self::Digest => hex(64),
            Self::Time => like(text, b"0000-00-00T00:00:00.000+09:00"),
            Self::Date => like(text, b"0000-00-00"),
            Self::Branch => like(text, b"00000"),
            Self::Scope => {
                matches!(text, b"user" | b"ca")
                    || matches!(text, [b'p', number @ ..]
                        if (2..=3).contains(&number.len()) && number.iter().all(u8::is_ascii_digit))
            }
            Self::Bytes => {
                text.len() % 4 != 1
                    && text
                        .iter()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            }
            Self::Oid => !text.is_empty() && text.iter().all(|b| b.is_ascii_digit() || *b == b'.'),
        }
    }
}

/// Whether a text has digits where the pattern has noughts, and is the pattern elsewhere.
fn like(text: &[u8], pattern: &[u8]) -> bool {
    text.len() == pattern.len()
        && text.iter().zip(pattern).all(|(byte, wanted)| match wanted {
            b'0' => byte.is_ascii_digit(),
            wanted => byte == wanted,
        })
}

/// A type, its names resolved.
#[derive(Debug)]
pub(crate) enum Type {
    Number,
    Boolean,
    Text(Form),
    List(Arc<Type>),
    /// Members by name, in canonical order.
    Record(Vec<Member>),
    /// Texts as they stand, or an object with exactly one of these members.
    Choice {
        texts: Vec<String>,
        members: Vec<(String, Arc<Type>)>,
    },
}

/// A member of an object.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) required: bool,
    pub(crate) of: Arc<Type>,
}

/// A kind of entry.
#[derive(Debug)]
pub struct Kind {
    /// Its name.
    pub name: String,
    /// The version of its body.
    pub version: u64,
    /// Who writes it; `every` for what each service writes.
    pub service: String,
    /// Whether all its entries stand in the log of keys too.
    pub keys: bool,
    pub(crate) body: Arc<Type>,
}

/// What may stand in entries.
#[derive(Debug)]
pub struct Schema {
    kinds: Vec<Kind>,
    pub(crate) about: Arc<Type>,
    pub(crate) answers: Arc<Type>,
}

#[derive(Deserialize)]
struct File {
    form: String,
    types: BTreeMap<String, Value>,
    kinds: Vec<KindText>,
}

#[derive(Deserialize)]
struct KindText {
    kind: String,
    service: String,
    version: u64,
    #[serde(default)]
    keys: Option<String>,
    fields: Value,
}

impl Schema {
    /// The schema that this program was made with.
    pub fn embedded() -> Result<Self, AuditError> {
        Self::parse(ENTRIES)
    }

    /// Reads a schema.
    pub fn parse(text: &str) -> Result<Self, AuditError> {
        let file: File = serde_json::from_str(text).map_err(|e| wrong(&e.to_string()))?;
        if file.form != "lgpki-entries/1" {
            return Err(wrong(&format!("its form is {:?}", file.form)));
        }
        let named = |name: &str| resolve(&file.types, &Value::String(name.to_owned()), 0);
        let kinds = file.kinds.iter().map(|kind| {
            Ok(Kind {
                name: kind.kind.clone(),
                version: kind.version,
                service: kind.service.clone(),
                keys: kind.keys.as_deref() == Some("always"),
                body: resolve(&file.types, &kind.fields, 0)?,
            })
        });
        Ok(Self {
            kinds: kinds.collect::<Result<_, AuditError>>()?,
            about: named("about")?,
            answers: named("answers")?,
        })
    }

    /// Every kind, in the order of the file.
    #[must_use]
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// The place of a kind among [`kinds`](Self::kinds).
    pub(crate) fn find(&self, service: &str, kind: &str, version: u64) -> Option<usize> {
        self.kinds.iter().position(|known| {
            known.name == kind
                && known.version == version
                && (known.service == service || known.service == "every")
        })
    }
}

fn wrong(why: &str) -> AuditError {
    AuditError::Schema(why.to_owned())
}

/// Types within types, at most.
const DEEPEST: usize = 16;

fn resolve(
    types: &BTreeMap<String, Value>,
    value: &Value,
    depth: usize,
) -> Result<Arc<Type>, AuditError> {
    if depth > DEEPEST {
        return Err(wrong("a type holds itself"));
    }
    let deeper = |value: &Value| resolve(types, value, depth + 1);
    let of = match value {
        Value::String(name) if name.starts_with('[') => {
            let inner = name.trim_start_matches('[').trim_end_matches(']');
            Type::List(deeper(&Value::String(inner.to_owned()))?)
        }
        Value::String(name) => match (name.as_str(), Form::parse(name)) {
            ("number", _) => Type::Number,
            ("boolean", _) => Type::Boolean,
            (_, Some(form)) => Type::Text(form),
            (_, None) => {
                let found = types.get(name);
                return deeper(found.ok_or_else(|| wrong(&format!("no type is named {name}")))?);
            }
        },
        Value::Object(members) => {
            let mut record = Vec::with_capacity(members.len());
            for (name, of) in members {
                record.push(Member {
                    name: name.trim_end_matches('?').to_owned(),
                    required: !name.ends_with('?'),
                    of: deeper(of)?,
                });
            }
            record.sort_by(|a, b| a.name.cmp(&b.name));
            Type::Record(record)
        }
        Value::Array(alternatives) => {
            let (mut texts, mut members) = (Vec::new(), Vec::new());
            for alternative in alternatives {
                match alternative {
                    Value::String(text) => texts.push(text.clone()),
                    Value::Object(one) => {
                        for (name, of) in one {
                            members.push((name.clone(), deeper(of)?));
                        }
                    }
                    _ => return Err(wrong("an alternative is neither a text nor an object")),
                }
            }
            Type::Choice { texts, members }
        }
        _ => return Err(wrong("a type is neither a name, an object nor a list")),
    };
    Ok(Arc::new(of))
}
