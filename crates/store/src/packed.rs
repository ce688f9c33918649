//! Packed tables: small records under numbers that lie close together, sixteen to a value.
//!
//! To the index a key costs far more than its bytes do. What is numbered by its place in the log,
//! and looked up by that number, therefore shares a value with its neighbours: written one after the
//! other, sixteen of them cost one key. A record holds at most [`MAX_RECORD_BYTES`].
//!
//! In a value each record stands as its number's last four bits, its length and its bytes, in
//! ascending order.

use std::ops::Range;

use crate::{
    error::StoreError,
    view::{Span, Tables, View},
};

/// Numbers that share a value: 2^4 of the longest records fit into the 4 KB of a value.
const NEIGHBOURS_BITS: u32 = 4;
/// The longest record of a packed table, in bytes.
pub const MAX_RECORD_BYTES: usize = 250;

/// The key of the value that holds a number, and its place there.
fn place(number: u64) -> ([u8; 8], u8) {
    let slot = number & ((1 << NEIGHBOURS_BITS) - 1);
    let group = number >> NEIGHBOURS_BITS;
    (group.to_be_bytes(), u8::try_from(slot).unwrap_or_default())
}

/// The records of a value: slot, and where the record stands. Ends early where the value is damaged.
struct Records<'a> {
    value: &'a [u8],
    at: usize,
}

impl Records<'_> {
    fn next_record(&mut self) -> Option<(u8, Range<usize>)> {
        let slot = *self.value.get(self.at)?;
        let length = usize::from(*self.value.get(self.at + 1)?);
        let record = self.at + 2..self.at + 2 + length;
        self.value.get(record.clone())?;
        self.at = record.end;
        Some((slot, record))
    }
}

impl Iterator for Records<'_> {
    type Item = (u8, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        self.next_record()
    }
}

fn records(value: &[u8]) -> Records<'_> {
    Records { value, at: 0 }
}

/// Puts a record of at most 255 bytes into its place.
fn set(value: &mut Vec<u8>, slot: u8, record: &[u8]) {
    let old = records(value).find(|(other, _)| *other >= slot);
    let place = match old {
        Some((other, range)) if other == slot => range.start - 2..range.end,
        Some((_, range)) => range.start - 2..range.start - 2,
        None => value.len()..value.len(),
    };
    let length = u8::try_from(record.len()).unwrap_or(u8::MAX);
    let new = [slot, length].into_iter().chain(record.iter().copied());
    if place.start == value.len() {
        value.extend(new);
    } else {
        value.splice(place, new);
    }
}

/// Takes a record out, if it is there.
fn unset(value: &mut Vec<u8>, slot: u8) {
    let old = records(value).find(|(other, _)| *other == slot);
    if let Some((_, range)) = old {
        value.drain(range.start - 2..range.end);
    }
}

impl View<'_> {
    /// The record of a number in a packed table.
    #[must_use]
    pub fn get_packed(&self, table: &str, number: u64) -> Option<Vec<u8>> {
        let (key, slot) = place(number);
        let value = self.get(table, &key)?;
        let (_, range) = records(&value).find(|(other, _)| *other == slot)?;
        value.get(range).map(<[u8]>::to_vec)
    }

    /// Tells `each` of all records of a packed table with their numbers, ascending. An error if a
    /// value does not make sense.
    pub fn each_packed(
        &self,
        table: &str,
        each: impl FnMut(u64, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.each_packed_of(table, &Span::all(), each)
    }

    /// Those with the numbers from `numbers.start` to before `numbers.end`.
    pub fn each_packed_within(
        &self,
        table: &str,
        numbers: Range<u64>,
        mut each: impl FnMut(u64, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Some(last) = numbers.end.checked_sub(1) else {
            return Ok(());
        };
        let span = Span::all()
            .from(place(numbers.start).0)
            .up_to(place(last).0);
        self.each_packed_of(table, &span, |number, record| {
            if numbers.contains(&number) {
                each(number, record)
            } else {
                Ok(())
            }
        })
    }

    fn each_packed_of(
        &self,
        table: &str,
        span: &Span,
        mut each: impl FnMut(u64, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let damaged = || StoreError::Corrupt(format!("a value of the packed table {table:?}"));
        for (key, value) in self.scan(table, span) {
            let group = u64::from_be_bytes(key.try_into().map_err(|_| damaged())?);
            let mut all = records(&value);
            while let Some((slot, range)) = all.next_record() {
                let record = value.get(range).ok_or_else(damaged)?;
                each(group << NEIGHBOURS_BITS | u64::from(slot), record)?;
            }
            if all.at != value.len() {
                return Err(damaged());
            }
        }
        Ok(())
    }
}

impl Tables<'_> {
    /// Sets the record of a number in a packed table; at most [`MAX_RECORD_BYTES`].
    pub fn put_packed(&mut self, table: &str, number: u64, record: &[u8]) {
        if record.len() > MAX_RECORD_BYTES {
            self.fail(format!(
                "a record of {} bytes for the packed table {table:?} is over {MAX_RECORD_BYTES}",
                record.len()
            ));
            return;
        }
        let (key, slot) = place(number);
        self.change(table, &key, |value| {
            set(value.get_or_insert_default(), slot, record);
        });
    }

    /// Removes the record of a number from a packed table; nothing happens if there is none.
    pub fn delete_packed(&mut self, table: &str, number: u64) {
        let (key, slot) = place(number);
        self.change(table, &key, |value| {
            if let Some(records) = value {
                unset(records, slot);
            }
            if value.as_ref().is_some_and(Vec::is_empty) {
                *value = None;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &[u8]) -> Vec<(u8, Vec<u8>)> {
        records(value)
            .map(|(slot, range)| (slot, value[range].to_vec()))
            .collect()
    }

    #[test]
    fn records_stand_in_order_whatever_order_they_came_in() {
        let mut value = Vec::new();
        for slot in [3, 0, 15, 7] {
            set(&mut value, slot, &vec![slot; usize::from(slot)]);
        }
        set(&mut value, 7, b"another and longer one");
        unset(&mut value, 3);
        unset(&mut value, 4);
        assert_eq!(
            read(&value),
            [
                (0, vec![]),
                (7, b"another and longer one".to_vec()),
                (15, vec![15; 15])
            ]
        );
    }

    #[test]
    fn sixteen_of_the_longest_records_fit_into_a_value() {
        let mut value = Vec::new();
        for slot in 0..16 {
            set(&mut value, slot, &[slot; MAX_RECORD_BYTES]);
        }
        assert!(value.len() <= crate::view::MAX_VALUE_BYTES);
        assert_eq!(read(&value).len(), 16);
    }

    #[test]
    fn numbers_of_one_value_are_neighbours() {
        assert_eq!(place(0), ([0; 8], 0));
        assert_eq!(place(0x123), (0x12_u64.to_be_bytes(), 3));
        assert_eq!(place(u64::MAX), ((u64::MAX >> 4).to_be_bytes(), 15));
    }
}
