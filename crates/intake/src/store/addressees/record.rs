//! The rows of the registry's tables, and the keys under which they stand.

use lgpki_domain::{
    BodyCode, Digest, JstDate, Names, RequestId, Timestamp,
    addressee::{AddresseeId, DocumentAddress},
};
use lgpki_ledger::{
    Stamp,
    serial::{optional_text, text},
};
use lgpki_store::View;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::store::{
    applications::Corrupt,
    event::{AddresseeChanged, AddresseeEnded, AddresseeRecord, AddresseeRegistered},
    record::body_code,
    tables::{ADDRESSEE, ADDRESSEE_REQUEST, ADDRESSEE_SUMMARY, ADDRESSEE_TAKEN},
};

/// A version of an entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(with = "text")]
    pub(super) changed_at: Timestamp,
    pub(super) changed_by: String,
    pub(super) content: AddresseeRecord,
    /// Why the entry ended, if it did.
    pub(super) ended: Option<String>,
    #[serde(with = "text")]
    pub(super) registered_at: Timestamp,
    pub(super) version: u32,
}

impl Record {
    /// Version 1.
    pub(super) fn registered(event: &AddresseeRegistered, stamp: &Stamp) -> Self {
        Self {
            changed_at: stamp.time,
            changed_by: stamp.actor.clone(),
            content: event.content.clone(),
            ended: None,
            registered_at: stamp.time,
            version: 1,
        }
    }

    /// The version after this one.
    pub(super) fn changed(&self, event: &AddresseeChanged, stamp: &Stamp) -> Self {
        Self {
            content: event.content.clone(),
            ..self.after(event.version, stamp)
        }
    }

    /// The last version.
    pub(super) fn ended(&self, event: &AddresseeEnded, stamp: &Stamp) -> Self {
        let mut last = self.after(event.version, stamp);
        last.content.contact = None;
        last.ended = Some(event.reason.clone());
        last
    }

    fn after(&self, version: u32, stamp: &Stamp) -> Self {
        Self {
            changed_at: stamp.time,
            changed_by: stamp.actor.clone(),
            version,
            ..self.clone()
        }
    }
}

/// An entry: its newest version, and the index under which it stands among the changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) record: Record,
    pub(super) touched: u64,
}

/// A body's entries in numbers.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Summary {
    /// The last number used.
    pub(super) last: u32,
    /// Entries that have not ended.
    pub(super) in_force: u32,
    /// Versions of all entries.
    pub(super) versions: u32,
}

/// Who has an address or a name.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Taken {
    #[serde(with = "text")]
    pub(super) by: AddresseeId,
    /// From this day on nobody has it; absent while its entry has it still.
    #[serde(
        with = "optional_text",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) free_from: Option<JstDate>,
}

/// What a request made.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Request {
    #[serde(with = "text")]
    pub(super) digest: Digest,
    #[serde(with = "text")]
    pub(super) id: AddresseeId,
    pub(super) version: u32,
}

/// An entry's key: body and number, in sorting order.
pub(super) fn id_key(id: AddresseeId) -> Vec<u8> {
    let mut key = body_key(id.body());
    key.extend_from_slice(&id.number().to_be_bytes());
    key
}

/// Reads an [`id_key`] back.
pub(super) fn id_of(key: &[u8]) -> Option<AddresseeId> {
    let (body, number) = key.split_first_chunk::<4>()?;
    let number: [u8; 4] = number.try_into().ok()?;
    let body = body_code(u32::from_be_bytes(*body))?;
    AddresseeId::try_new(body, u32::from_be_bytes(number))
}

pub(super) fn body_key(body: BodyCode) -> Vec<u8> {
    body.number().to_be_bytes().to_vec()
}

pub(super) fn version_key(id: AddresseeId, version: u32) -> Vec<u8> {
    let mut key = id_key(id);
    key.extend_from_slice(&version.to_be_bytes());
    key
}

/// The key among the changes: the index first, so that they stand in the log's order.
pub(super) fn change_key(index: u64, id: AddresseeId) -> Vec<u8> {
    let mut key = index.to_be_bytes().to_vec();
    key.extend_from_slice(&id_key(id));
    key
}

/// Reads a [`change_key`] back.
pub(super) fn change_of(key: &[u8]) -> Option<(u64, AddresseeId)> {
    let (index, id) = key.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*index), id_of(id)?))
}

/// The key under which an address is taken.
pub(super) fn address_key(address: &DocumentAddress) -> Vec<u8> {
    [b"a", address.as_str().as_bytes()].concat()
}

/// The key under which a unit's addressee's name is taken. English names hold no NUL, so it separates
/// them.
pub(super) fn names_key(body: BodyCode, unit: &Names, names: &Names) -> Vec<u8> {
    let body = body_key(body);
    let parts = [
        b"n",
        &body[..],
        unit.en().as_bytes(),
        &[0],
        names.en().as_bytes(),
    ];
    parts.concat()
}

pub(super) fn request_key(body: BodyCode, request: &RequestId) -> Vec<u8> {
    [&body_key(body), request.as_str().as_bytes()].concat()
}

/// A row's bytes. Rows hold texts and numbers only, which JSON can always write.
pub(super) fn row(row: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(row).unwrap_or_default()
}

pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Corrupt> {
    serde_json::from_slice(bytes).map_err(|e| format!("a row of the addressees: {e}"))
}

fn find<T: DeserializeOwned>(
    view: &View<'_>,
    table: &str,
    key: &[u8],
) -> Result<Option<T>, Corrupt> {
    view.get(table, key).map(|bytes| parse(&bytes)).transpose()
}

/// The entry of a number.
pub(super) fn entry(view: &View<'_>, id: AddresseeId) -> Result<Option<Entry>, Corrupt> {
    find(view, ADDRESSEE, &id_key(id))
}

/// A body's numbers.
pub(super) fn summary(view: &View<'_>, body: BodyCode) -> Result<Summary, Corrupt> {
    Ok(find(view, ADDRESSEE_SUMMARY, &body_key(body))?.unwrap_or_default())
}

/// Who has an address or a name.
pub(super) fn taken(view: &View<'_>, key: &[u8]) -> Result<Option<Taken>, Corrupt> {
    find(view, ADDRESSEE_TAKEN, key)
}

/// What a request made.
pub(super) fn request(
    view: &View<'_>,
    body: BodyCode,
    request: &RequestId,
) -> Result<Option<Request>, Corrupt> {
    find(view, ADDRESSEE_REQUEST, &request_key(body, request))
}
