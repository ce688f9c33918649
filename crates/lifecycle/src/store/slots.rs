//! Renewal slots (R2): decided against what stands, recorded by day, kept in the certificates' records.
//!
//! Which day is the best is planned outside, from what was seen a moment ago; here each move is looked at
//! again, and left out if its certificate was revoked, is being renewed or has another slot since. Keys that
//! sign tokens are recorded before they sign, and forgotten when nothing that they signed can hold any more.

use std::collections::{BTreeMap, HashSet};

use lgpki_domain::{JstDate, Serial, Timestamp};
use lgpki_ledger::Stamp;
use lgpki_store::{Decision, Span, StoreError as EngineError, Tables, View};

use super::{
    EngineStore,
    event::{LifecycleEvent, MOST, SlotCapacityChanged, SlotsBooked, SlotsKeyed, SlotsMissed},
    inventory::Inventory,
    machine::{ACTOR, Command, Outcome},
};
use crate::{
    error::StoreError,
    ports::{Cursor, Renewable, RenewableQuery, SlotBooking, SlotOrder, SlotStore, is_over},
};

/// [`CAPACITY`] → the capacity; [`KEY`] and the entry's index → when it came and the public key.
pub(crate) const SLOTS: &str = "slot";
const CAPACITY: &[u8] = b"capacity";
const KEY: &[u8] = b"key";
/// For how long a token may hold after its key was followed by another: longer than a window and the notice
/// before it.
const HOLDS_SECONDS: i64 = 400 * 86_400;

type Decided = Decision<LifecycleEvent, Outcome>;

/// Decides an order.
pub(super) fn book(inventory: &Inventory, order: SlotOrder, at: Timestamp) -> Decided {
    let mut missed: BTreeMap<JstDate, Vec<Serial>> = BTreeMap::new();
    let mut booked: BTreeMap<JstDate, Vec<Serial>> = BTreeMap::new();
    let mut seen = HashSet::with_capacity(order.moves.len());
    for one in order.moves {
        let serial = one.certificate;
        let Some(held) = inventory.renewable(serial) else {
            continue;
        };
        let stands = !held.revoked && !held.renewing && held.slot == one.from;
        if !stands || !seen.insert(serial) {
            continue;
        }
        if let Some(day) = one.from.filter(|_| one.missed) {
            missed.entry(day).or_default().push(serial);
        }
        if let Some(day) = one.to.filter(|_| !is_over(held.not_after, at)) {
            booked.entry(day).or_default().push(serial);
        }
    }
    let count = |days: &BTreeMap<JstDate, Vec<Serial>>| days.values().map(Vec::len).sum();
    let booking = SlotBooking {
        booked: count(&booked),
        missed: count(&missed),
    };
    let mut events: Vec<LifecycleEvent> = Vec::new();
    for (day, certificates) in chunks(missed) {
        events.push(SlotsMissed { certificates, day }.into());
    }
    for (day, certificates) in chunks(booked) {
        events.push(SlotsBooked { certificates, day }.into());
    }
    let capacity = order.per_business_day;
    if let Some(per_business_day) =
        capacity.filter(|_| capacity != inventory.slots.per_business_day)
    {
        events.push(SlotCapacityChanged { per_business_day }.into());
    }
    let stamped = events
        .into_iter()
        .map(|event| (Stamp::new(at, ACTOR), event));
    Decision::record_all(stamped.collect(), Outcome::SlotsBooked(booking))
}

fn chunks(days: BTreeMap<JstDate, Vec<Serial>>) -> impl Iterator<Item = (JstDate, Vec<Serial>)> {
    days.into_iter().flat_map(|(day, certificates)| {
        let chunks: Vec<_> = certificates.chunks(MOST).map(<[Serial]>::to_vec).collect();
        chunks.into_iter().map(move |chunk| (day, chunk))
    })
}

/// Decides to record a key.
pub(super) fn key(public: [u8; 32], at: Timestamp) -> Decided {
    let event = SlotsKeyed {
        public_key: public.to_vec(),
    };
    Decision::record(Stamp::new(at, ACTOR), event, Outcome::SlotKeyAdded)
}

/// Applies another capacity.
pub(super) fn capacity_changed(
    inventory: &mut Inventory,
    tables: &mut Tables<'_>,
    body: &SlotCapacityChanged,
) {
    tables.put(SLOTS, CAPACITY, body.per_business_day.to_be_bytes());
    inventory.slots.per_business_day = Some(body.per_business_day);
}

/// Applies a key, and forgets those that nothing can hold by any more.
pub(super) fn keyed(
    inventory: &mut Inventory,
    tables: &mut Tables<'_>,
    body: &SlotsKeyed,
    (index, at): (u64, Timestamp),
) {
    let Ok(public) = <[u8; 32]>::try_from(body.public_key.as_slice()) else {
        return;
    };
    let record = [&at.as_millis().to_be_bytes()[..], &public].concat();
    tables.put(SLOTS, &key_of(index), record);
    let keys = &mut inventory.slots.keys;
    keys.insert(index, (public, at));
    while let Some((first, (_, followed))) = keys.keys().next().copied().zip(keys.values().nth(1))
        && followed.plus_seconds(HOLDS_SECONDS) < at
    {
        tables.delete(SLOTS, &key_of(first));
        keys.remove(&first);
    }
}

fn key_of(index: u64) -> Vec<u8> {
    [KEY, &index.to_be_bytes()].concat()
}

/// Restores keys and capacity.
pub(super) fn load(inventory: &mut Inventory, view: &View<'_>) -> Result<(), EngineError> {
    let corrupt = || EngineError::Corrupt("a record about renewal slots".to_owned());
    if let Some(bytes) = view.get(SLOTS, CAPACITY) {
        let bytes = bytes.try_into().map_err(|_| corrupt())?;
        inventory.slots.per_business_day = Some(u32::from_be_bytes(bytes));
    }
    for (key, bytes) in view.scan(SLOTS, &Span::prefix(KEY)) {
        let index = key.get(KEY.len()..).and_then(|index| index.try_into().ok());
        let (at, public) = bytes.split_first_chunk::<8>().ok_or_else(corrupt)?;
        let public = public.try_into().map_err(|_| corrupt())?;
        let at = Timestamp::from_millis(i64::from_be_bytes(*at));
        let index = u64::from_be_bytes(index.ok_or_else(corrupt)?);
        inventory.slots.keys.insert(index, (public, at));
    }
    Ok(())
}

/// Says what a key and its value are about, for people.
pub(super) fn describe(key: &[u8], value: &[u8]) -> (Option<Serial>, String, String) {
    let capacity = || value.try_into().ok().map(u32::from_be_bytes);
    if key == CAPACITY {
        let said = capacity().map_or_else(|| "damaged".to_owned(), |n| n.to_string());
        return (None, "capacity of slots".to_owned(), said);
    }
    let said = format!("{} octets", value.len());
    (None, "key of slot tokens".to_owned(), said)
}

impl SlotStore for EngineStore {
    async fn renewable(&self, serial: Serial) -> Result<Option<Renewable>, StoreError> {
        let found = self
            .engine
            .read(|machine, _| machine.inventory.renewable(serial));
        Ok(found.await?)
    }

    async fn renewables(
        &self,
        query: RenewableQuery,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<(Vec<Renewable>, Option<Cursor>), StoreError> {
        // One more than asked for tells whether there is a next page.
        let wanted = limit.saturating_add(1);
        let mut page: Vec<Renewable> = Vec::new();
        let mut at = after;
        loop {
            let missing = wanted - page.len();
            let looked = self
                .engine
                .read(|machine, _| machine.inventory.renewables(&query, at, missing));
            let looked = looked.await?;
            page.extend(looked.found);
            at = looked.reached;
            if page.len() == wanted || at.is_none() {
                break;
            }
        }
        let more = page.len() > limit;
        page.truncate(limit);
        let next = page.last().filter(|_| more).map(|last| Cursor {
            not_after: last.not_after,
            serial: last.serial,
        });
        Ok((page, next))
    }

    async fn slots_before(&self, day: JstDate) -> Result<Vec<Renewable>, StoreError> {
        let passed = self
            .engine
            .read(|machine, _| machine.inventory.slots_before(day));
        Ok(passed.await?)
    }

    async fn slot_load(&self) -> Result<BTreeMap<JstDate, u32>, StoreError> {
        let load = self
            .engine
            .read(|machine, _| machine.inventory.slots.load());
        Ok(load.await?)
    }

    async fn slot_capacity(&self) -> Result<Option<u32>, StoreError> {
        let capacity = self
            .engine
            .read(|machine, _| machine.inventory.slots.per_business_day);
        Ok(capacity.await?)
    }

    async fn book_slots(&self, order: SlotOrder, at: Timestamp) -> Result<SlotBooking, StoreError> {
        match self.submit_one(Command::BookSlots(order, at)).await? {
            Outcome::SlotsBooked(booking) => Ok(booking),
            _ => Err(StoreError::NoAnswer),
        }
    }

    async fn add_slot_key(&self, public: [u8; 32], at: Timestamp) -> Result<(), StoreError> {
        match self.submit_one(Command::AddSlotKey(public, at)).await? {
            Outcome::SlotKeyAdded => Ok(()),
            _ => Err(StoreError::NoAnswer),
        }
    }

    async fn slot_keys(&self) -> Result<Vec<[u8; 32]>, StoreError> {
        let keys = self.engine.read(|machine, _| {
            let keys = machine.inventory.slots.keys.values();
            keys.map(|(public, _)| *public).collect()
        });
        Ok(keys.await?)
    }
}
