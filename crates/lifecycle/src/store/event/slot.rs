//! What lifecycle records of renewal slots: many certificates to an entry, those of one day together.

use lgpki_domain::{JstDate, Serial};
use lgpki_ledger::{
    Body,
    serial::{bytes, text, text_list},
};
use serde::{Deserialize, Serialize};

/// Certificates in one entry at most: some 35 of its 65 kilobytes.
pub(crate) const MOST: usize = 1_000;

/// Certificates have their slot on a day from here on, instead of the one that they had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotsBooked {
    /// Their serial numbers.
    #[serde(with = "text_list")]
    pub certificates: Vec<Serial>,
    /// The day.
    #[serde(with = "text")]
    pub day: JstDate,
}

impl Body for SlotsBooked {
    const KIND: &'static str = "slots.booked";
}

/// Certificates let their slot pass; they have none until another is booked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotsMissed {
    /// Their serial numbers.
    #[serde(with = "text_list")]
    pub certificates: Vec<Serial>,
    /// The day that passed.
    #[serde(with = "text")]
    pub day: JstDate,
}

impl Body for SlotsMissed {
    const KIND: &'static str = "slots.missed";
}

/// All slots are booked for another capacity from here on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotCapacityChanged {
    /// Applications that can be examined in a business day.
    pub per_business_day: u32,
}

impl Body for SlotCapacityChanged {
    const KIND: &'static str = "slots.capacity-changed";
}

/// A key signs slot tokens from here on. Its private part is in memory only and ends with the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotsKeyed {
    /// The Ed25519 public key, 32 octets.
    #[serde(with = "bytes")]
    pub public_key: Vec<u8>,
}

impl Body for SlotsKeyed {
    const KIND: &'static str = "slots.keyed";

    fn ceremony(&self) -> bool {
        true
    }
}
