//! Where in the log an application's life stands after its receipt: the indexes of the entries about it, as
//! their distances from each other, so that one takes a byte or two.

/// The indexes of entries, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trail(Vec<u64>);

impl Trail {
    /// Takes in the entry that follows.
    pub(crate) fn add(&mut self, index: u64) {
        // One entry may be about it twice over.
        if self.0.last().is_none_or(|last| *last < index) {
            self.0.push(index);
        }
    }

    /// The indexes.
    pub(crate) fn entries(&self) -> &[u64] {
        &self.0
    }

    /// Appends the bytes; all entries stand behind `received`.
    pub(super) fn encode(&self, received: u64, out: &mut Vec<u8>) {
        number(self.0.len() as u64, out);
        let mut before = received;
        for index in &self.0 {
            number(index.saturating_sub(before), out);
            before = *index;
        }
    }

    /// Reads [`encode`](Self::encode) back from the front of `rest`.
    pub(super) fn decode(received: u64, rest: &mut &[u8]) -> Option<Self> {
        let many = take(rest)?;
        let mut before = received;
        let mut all = Vec::new();
        for _ in 0..many {
            before = before.checked_add(take(rest)?)?;
            all.push(before);
        }
        Some(Self(all))
    }
}

impl FromIterator<u64> for Trail {
    fn from_iter<I: IntoIterator<Item = u64>>(indexes: I) -> Self {
        let mut trail = Self::default();
        indexes.into_iter().for_each(|index| trail.add(index));
        trail
    }
}

/// Seven bits a byte, the lowest first; the last byte is below 128.
fn number(mut number: u64, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_reads_back_and_takes_a_byte_or_two_an_entry() {
        let trails: [&[u64]; 4] = [&[], &[8], &[8, 9, 140, 400, 16_000], &[u64::MAX]];
        for (indexes, bytes) in trails.into_iter().zip([1, 2, 9, 11]) {
            let trail: Trail = indexes.iter().copied().collect();
            let mut out = Vec::new();
            trail.encode(7, &mut out);
            assert_eq!(out.len(), bytes, "{indexes:?}");
            out.push(9);
            let mut rest = &out[..];
            assert_eq!(Trail::decode(7, &mut rest), Some(trail));
            assert_eq!(rest, [9]);
            assert_eq!(Trail::decode(7, &mut &out[..bytes - 1]), None);
        }
    }

    #[test]
    fn an_entry_stands_in_it_once() {
        let trail: Trail = [8, 8, 9, 9].into_iter().collect();
        assert_eq!(trail.entries(), [8, 9]);
    }
}
