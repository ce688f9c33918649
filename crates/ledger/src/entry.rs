//! The form of an entry: who did what to what, when, in answer to which entry, on which node.
//!
//! The envelope is the same for every service and kind; the body is the kind's own. Members that
//! do not apply are left out. The form is final: what is written today must be readable, and hash
//! to the same leaf, for as long as audit records are kept.

use std::borrow::Cow;

use lgpki_domain::{ApplicationId, Digest, Serial, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    canonical::is_canonical,
    error::EntryError,
    serial::{optional_text, text},
};

/// The longest entry in bytes: what the two-byte length of a C2SP entry bundle can carry.
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// What an entry is about, for whoever searches the log without knowing the bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The application.
    #[serde(
        with = "optional_text",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub application: Option<ApplicationId>,
    /// The certificate, by its serial number.
    #[serde(
        with = "optional_text",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub certificate: Option<Serial>,
    /// A digest: of a key, a CRL, a configuration.
    #[serde(
        with = "optional_text",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub digest: Option<Digest>,
}

impl About {
    /// About an application.
    #[must_use]
    pub fn application(id: ApplicationId) -> Self {
        Self {
            application: Some(id),
            ..Self::default()
        }
    }

    /// About a certificate.
    #[must_use]
    pub fn certificate(serial: Serial) -> Self {
        Self {
            certificate: Some(serial),
            ..Self::default()
        }
    }
}

/// The entry of some service's log that an entry answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryRef {
    /// Its index in that log.
    pub index: u64,
    /// The log, by its service's name, such as `intake`.
    pub log: String,
}

/// What every entry carries besides its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When it happened.
    pub time: Timestamp,
    /// Who did it: `branch-officer/01001/<serial>`, `operator/-/<serial>`, `intake`, `init`.
    pub actor: String,
    /// The entry it answers, where it answers one.
    pub answers: Option<EntryRef>,
}

impl Stamp {
    /// A stamp that answers no entry.
    pub fn new(time: Timestamp, actor: impl Into<String>) -> Self {
        Self {
            time,
            actor: actor.into(),
            answers: None,
        }
    }
}

/// An entry that is to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its time, which decides whether another year begins.
    pub time: Timestamp,
    /// Whether it is about keys or a ceremony, and so stands in the log of those too.
    pub ceremony: bool,
}

/// An event with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded<E> {
    /// The entry's index, counted from 0.
    pub index: u64,
    /// When and by whom.
    pub stamp: Stamp,
    /// What happened.
    pub event: E,
}

/// A service's events. Implemented by the [`events!`](crate::events) macro.
pub trait Event: Sized + Send + Sync + 'static {
    /// Every kind that there is, each once.
    const KINDS: &'static [&'static str];

    /// The place of this one's kind among [`KINDS`](Self::KINDS).
    fn place(&self) -> usize;

    /// The kind, such as `certificate.intent`.
    fn kind(&self) -> &'static str;

    /// The version of the kind's body.
    fn version(&self) -> u32;

    /// What the event is about.
    fn about(&self) -> About;

    /// Whether the event is about keys or a ceremony.
    fn ceremony(&self) -> bool;

    /// Writes the body's canonical JSON.
    fn write_body(&self, out: &mut Vec<u8>) -> Result<(), EntryError>;

    /// Reads a body of the given kind and version.
    fn parse_body(kind: &str, version: u32, body: &RawValue) -> Result<Self, EntryError>;
}

/// The body of one kind of event: a serde struct whose fields are declared in alphabetical order
/// of their JSON names, with absent options left out.
pub trait Body: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The kind: what it concerns, a dot, a past participle or noun.
    const KIND: &'static str;

    /// The version that is written.
    const VERSION: u32 = 1;

    /// What the event is about; nothing in particular unless told.
    fn about(&self) -> About {
        About::default()
    }

    /// Whether the event is about keys or a ceremony, and so stands in the log of those too; it does
    /// not unless told.
    fn ceremony(&self) -> bool {
        false
    }

    /// Reads a body of `version`. A kind with a history overrides this and reads the older ones
    /// too.
    fn parse(version: u32, body: &RawValue) -> Result<Self, EntryError> {
        if version != Self::VERSION {
            return Err(EntryError::UnknownVersion {
                kind: Self::KIND,
                version,
            });
        }
        Ok(serde_json::from_str(body.get())?)
    }
}

/// Writes an entry of at most [`MAX_ENTRY_BYTES`].
pub fn encode<E: Event>(node: &str, stamp: &Stamp, event: &E) -> Result<Vec<u8>, EntryError> {
    // Most entries hold a certificate or a request.
    let mut out = Vec::with_capacity(4096);
    out.push(b'{');
    let about = event.about();
    if about != About::default() {
        out.extend_from_slice(b"\"about\":");
        serde_json::to_writer(&mut out, &about)?;
        out.push(b',');
    }
    out.extend_from_slice(b"\"actor\":");
    serde_json::to_writer(&mut out, &stamp.actor)?;
    if let Some(answers) = &stamp.answers {
        out.extend_from_slice(b",\"answers\":");
        serde_json::to_writer(&mut out, answers)?;
    }
    out.extend_from_slice(b",\"body\":");
    event.write_body(&mut out)?;
    out.extend_from_slice(b",\"kind\":");
    serde_json::to_writer(&mut out, event.kind())?;
    out.extend_from_slice(b",\"node\":");
    serde_json::to_writer(&mut out, node)?;
    out.extend_from_slice(
        format!(",\"time\":\"{}\",\"v\":{}}}", stamp.time, event.version()).as_bytes(),
    );
    if out.len() > MAX_ENTRY_BYTES {
        return Err(EntryError::TooLarge {
            kind: event.kind(),
            size: out.len(),
        });
    }
    debug_assert!(
        is_canonical(&out).is_ok(),
        "{}: {:?}",
        event.kind(),
        is_canonical(&out)
    );
    Ok(out)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(default)]
    about: About,
    #[serde(borrow)]
    actor: Cow<'a, str>,
    #[serde(default)]
    answers: Option<EntryRef>,
    #[serde(borrow)]
    body: &'a RawValue,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, rename = "node")]
    _node: Cow<'a, str>,
    #[serde(with = "text")]
    time: Timestamp,
    v: u32,
}

/// What an entry is about; none if these are no entry's bytes.
#[must_use]
pub fn about(bytes: &[u8]) -> Option<About> {
    let envelope: Envelope<'_> = serde_json::from_slice(bytes).ok()?;
    Some(envelope.about)
}

/// The time that an entry bears; none if these are no entry's bytes.
#[must_use]
pub fn time_of(bytes: &[u8]) -> Option<Timestamp> {
    let envelope: Envelope<'_> = serde_json::from_slice(bytes).ok()?;
    Some(envelope.time)
}

/// Reads an entry back.
pub fn decode<E: Event>(index: u64, bytes: &[u8]) -> Result<Recorded<E>, EntryError> {
    let envelope: Envelope<'_> = serde_json::from_slice(bytes)?;
    Ok(Recorded {
        index,
        stamp: Stamp {
            time: envelope.time,
            actor: envelope.actor.into_owned(),
            answers: envelope.answers,
        },
        event: E::parse_body(&envelope.kind, envelope.v, envelope.body)?,
    })
}
