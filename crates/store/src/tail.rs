//! The newest events in memory, for those who follow the log's end.
//!
//! A feed mostly asks for what has just been recorded; the tail spares it reading the file and
//! parsing the entries again. Who lags behind the tail reads the log instead.

use std::{collections::VecDeque, sync::Arc};

use lgpki_ledger::Recorded;

/// Events that the tail holds at most.
const EVENTS: usize = 4096;
/// Bytes of their entries that it holds at most.
const BYTES: usize = 16 * 1024 * 1024;

/// The newest events without a gap, up to what was applied last.
#[derive(Debug)]
pub(crate) struct Tail<E> {
    /// With the length of its entry.
    events: VecDeque<(usize, Arc<Recorded<E>>)>,
    bytes: usize,
}

impl<E> Default for Tail<E> {
    fn default() -> Self {
        Self {
            events: VecDeque::new(),
            bytes: 0,
        }
    }
}

impl<E> Tail<E> {
    /// Adds the event that follows; `length` is its entry's.
    pub(crate) fn push(&mut self, length: usize, recorded: Arc<Recorded<E>>) {
        self.bytes += length;
        self.events.push_back((length, recorded));
        while self.events.len() > EVENTS || self.bytes > BYTES {
            let Some((length, _)) = self.events.pop_front() else {
                return;
            };
            self.bytes -= length;
        }
    }

    /// The events from index `from` on and below `end`: at most `most`, and as many as fit into
    /// `max_bytes` but at least one. `None` if the tail begins later, or if `from` lies beyond the end.
    pub(crate) fn read(
        &self,
        (from, end): (u64, u64),
        most: usize,
        max_bytes: usize,
    ) -> Option<Vec<Arc<Recorded<E>>>> {
        let (_, first) = self.events.front().filter(|_| from <= end)?;
        let skipped = usize::try_from(from.checked_sub(first.index)?).ok()?;
        let mut bytes = 0_usize;
        let fits = |(length, recorded): &&(usize, Arc<Recorded<E>>)| {
            let over = bytes > 0 && bytes.saturating_add(*length) > max_bytes;
            bytes = bytes.saturating_add(*length);
            recorded.index < end && !over
        };
        let wanted = self.events.iter().skip(skipped).take(most);
        let taken = wanted.take_while(fits).map(|(_, event)| Arc::clone(event));
        Some(taken.collect())
    }
}

#[cfg(test)]
mod tests {
    use lgpki_domain::Timestamp;
    use lgpki_ledger::Stamp;

    use super::*;

    fn tail(indexes: std::ops::Range<u64>, length: usize) -> Tail<u64> {
        let mut tail = Tail::default();
        for index in indexes {
            let stamp = Stamp::new(Timestamp::from_millis(0), "test");
            let recorded = Recorded {
                index,
                stamp,
                event: 10 * index,
            };
            tail.push(length, Arc::new(recorded));
        }
        tail
    }

    fn read(tail: &Tail<u64>, span: (u64, u64), most: usize, bytes: usize) -> Option<Vec<u64>> {
        let events = tail.read(span, most, bytes)?;
        Some(events.iter().map(|one| one.event / 10).collect())
    }

    #[test]
    fn it_gives_what_is_asked_for_and_nothing_beyond_the_durable_end() {
        let tail = tail(5..10, 100);
        assert_eq!(read(&tail, (5, 10), 100, 1000), Some(vec![5, 6, 7, 8, 9]));
        assert_eq!(read(&tail, (7, 9), 100, 1000), Some(vec![7, 8]));
        assert_eq!(read(&tail, (6, 10), 2, 1000), Some(vec![6, 7]));
        assert_eq!(read(&tail, (6, 10), 100, 350), Some(vec![6, 7, 8]));
        assert_eq!(read(&tail, (6, 10), 100, 1), Some(vec![6]));
        assert_eq!(read(&tail, (10, 10), 100, 1000), Some(vec![]));
    }

    #[test]
    fn what_it_no_longer_holds_or_never_held_is_left_to_the_log() {
        assert_eq!(read(&tail(5..10, 1), (4, 10), 1, 1), None);
        assert_eq!(read(&tail(5..10, 1), (9, 8), 1, 1), None);
        assert_eq!(read(&tail(0..0, 1), (0, 0), 1, 1), None);
        let many = tail(0..EVENTS as u64 + 3, 1);
        assert_eq!(read(&many, (2, 9), 9, 9), None);
        assert_eq!(read(&many, (3, 5), 9, 9), Some(vec![3, 4]));
        let large = tail(0..20, BYTES / 10);
        assert_eq!(read(&large, (9, 20), 1, 1), None);
        assert_eq!(read(&large, (10, 20), 1, 1), Some(vec![10]));
    }
}
