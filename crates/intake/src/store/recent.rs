//! Which applications changed lately, for watchers: a window on the log's end, kept in memory.
//!
//! Many watchers ask after every change; the window spares them the log. Who lags behind it reads
//! the log instead.

use std::collections::VecDeque;

use lgpki_domain::ApplicationId;

/// Changes the window holds.
const MOST: usize = 65_536;

/// The window.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    /// In order of the log.
    changes: VecDeque<(u64, ApplicationId)>,
    /// All changes at this index and after it are in the window.
    from: u64,
}

impl Recent {
    /// A window that begins at the next entry.
    pub(crate) fn starting_at(from: u64) -> Self {
        Self {
            changes: VecDeque::new(),
            from,
        }
    }

    /// Notes that an entry changed an application.
    pub(crate) fn note(&mut self, index: u64, id: ApplicationId) {
        if self.changes.len() == MOST
            && let Some((oldest, _)) = self.changes.pop_front()
        {
            // Of an entry that changed several, the others no longer count as being there.
            self.from = oldest + 1;
        }
        self.changes.push_back((index, id));
    }

    /// The changes from `from` on, whole entries, until `most` are passed; `None` if the window
    /// begins later. With it, the index of the first entry that was left out.
    pub(crate) fn since(
        &self,
        from: u64,
        most: usize,
    ) -> Option<(Vec<ApplicationId>, Option<u64>)> {
        if from < self.from {
            return None;
        }
        let start = self.changes.partition_point(|(index, _)| *index < from);
        let mut ids = Vec::new();
        let mut last = None;
        for (index, id) in self.changes.iter().skip(start) {
            if ids.len() >= most && last != Some(*index) {
                return Some((ids, Some(*index)));
            }
            last = Some(*index);
            ids.push(*id);
        }
        Some((ids, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> ApplicationId {
        ApplicationId::from_bytes([n; 16])
    }

    #[test]
    fn an_entry_is_never_cut_in_two() {
        let mut recent = Recent::starting_at(5);
        for (index, n) in [(5, 1), (7, 2), (7, 3), (7, 4), (8, 5)] {
            recent.note(index, id(n));
        }
        assert_eq!(recent.since(4, 10), None);
        assert_eq!(
            recent.since(5, 2),
            Some((vec![id(1), id(2), id(3), id(4)], Some(8)))
        );
        assert_eq!(recent.since(8, 2), Some((vec![id(5)], None)));
        assert_eq!(recent.since(9, 2), Some((vec![], None)));
    }

    #[test]
    fn what_fell_out_of_the_window_is_not_passed_over_in_silence() {
        let mut recent = Recent::starting_at(0);
        for index in 0..=MOST as u64 {
            recent.note(index, id(1));
        }
        assert_eq!(recent.since(0, 1), None);
        assert_eq!(recent.since(1, 1), Some((vec![id(1)], Some(2))));
    }
}
