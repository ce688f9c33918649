//! The bodies of the events of the registry of addressees.
//!
//! A contact person stands in them as a commitment only. The record of a version's content stands both
//! in entries and in the index.

use lgpki_domain::{
    Digest, JstDate, Names, RequestId,
    addressee::{Addressee, AddresseeId, DocumentAddress},
    mail::MailAddress,
};
use lgpki_ledger::{Body, serial::text};
use serde::{Deserialize, Serialize};

use crate::store::json;

/// What a version says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddresseeRecord {
    #[serde(with = "text")]
    pub(crate) address: DocumentAddress,
    /// The commitment to the contact person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) contact: Option<String>,
    #[serde(with = "text")]
    pub(crate) mail: MailAddress,
    #[serde(with = "json::names")]
    pub(crate) names: Names,
    #[serde(with = "json::names")]
    pub(crate) unit: Names,
    #[serde(with = "text")]
    pub(crate) valid_since: JstDate,
}

impl AddresseeRecord {
    pub(crate) fn content(&self) -> Addressee {
        Addressee {
            unit: self.unit.clone(),
            names: self.names.clone(),
            address: self.address.clone(),
            mail: self.mail.clone(),
            valid_since: self.valid_since,
        }
    }
}

/// `addressee.registered`: version 1 of a new entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddresseeRegistered {
    #[serde(with = "text")]
    pub(crate) addressee: AddresseeId,
    pub(crate) content: AddresseeRecord,
    #[serde(with = "text")]
    pub(crate) content_digest: Digest,
    #[serde(with = "text")]
    pub(crate) request: RequestId,
}

impl Body for AddresseeRegistered {
    const KIND: &'static str = "addressee.registered";
}

/// `addressee.changed`: a new version; the name behind the version before is erased right after this is
/// durable, or at the next start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddresseeChanged {
    #[serde(with = "text")]
    pub(crate) addressee: AddresseeId,
    pub(crate) content: AddresseeRecord,
    #[serde(with = "text")]
    pub(crate) content_digest: Digest,
    /// The commitment of the version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) erases: Option<String>,
    #[serde(with = "text")]
    pub(crate) request: RequestId,
    pub(crate) version: u32,
}

impl Body for AddresseeChanged {
    const KIND: &'static str = "addressee.changed";
}

/// `addressee.ended`: the last version, which says what the one before said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddresseeEnded {
    #[serde(with = "text")]
    pub(crate) addressee: AddresseeId,
    #[serde(with = "text")]
    pub(crate) content_digest: Digest,
    /// The commitment of the version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) erases: Option<String>,
    pub(crate) reason: String,
    #[serde(with = "text")]
    pub(crate) request: RequestId,
    pub(crate) version: u32,
}

impl Body for AddresseeEnded {
    const KIND: &'static str = "addressee.ended";
}
