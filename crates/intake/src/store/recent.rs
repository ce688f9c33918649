//! Which applications changed lately, for watchers: a window on the log's end, kept in memory.
//!
//! Many watchers ask after every change; the window spares them the log. Who lags behind it reads
//! the log instead.

use std::collections::VecDeque;

use lgpki_domain::{ApplicationId, BodyCode};

/// Changes the window holds.
const MOST: usize = 65_536;

/// The window.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    /// In order of the log.
    changes: VecDeque<(u64, Option<BodyCode>, ApplicationId)>,
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

    /// Notes that an entry changed an application of a branch.
    pub(crate) fn note(&mut self, index: u64, branch: Option<BodyCode>, id: ApplicationId) {
        if self.changes.len() == MOST
            && let Some((oldest, ..)) = self.changes.pop_front()
        {
            // Of an entry that changed several, the others no longer count as being there.
            self.from = oldest + 1;
        }
        self.changes.push_back((index, branch, id));
    }

    /// The changes (of `branch` only, if given) from `from` on, whole entries, until `most` are
    /// passed; `None` if the window begins later. With it, the index of the first entry that was
    /// left out.
    pub(crate) fn since(
        &self,
        branch: Option<BodyCode>,
        from: u64,
        most: usize,
    ) -> Option<(Vec<ApplicationId>, Option<u64>)> {
        if from < self.from {
            return None;
        }
        let start = self.changes.partition_point(|(index, ..)| *index < from);
        let mut ids = Vec::new();
        let mut last = None;
        for (passed, (index, of, id)) in self.changes.iter().skip(start).enumerate() {
            if passed >= most && last != Some(*index) {
                return Some((ids, Some(*index)));
            }
            last = Some(*index);
            if branch.is_none() || branch == *of {
                ids.push(*id);
            }
        }
        Some((ids, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(code: &str) -> BodyCode {
        code.parse().unwrap()
    }

    fn id(n: u8) -> ApplicationId {
        ApplicationId::from_bytes([n; 16])
    }

    #[test]
    fn an_entry_is_never_cut_in_two() {
        let mut recent = Recent::starting_at(5);
        for (index, n) in [(5, 1), (7, 2), (7, 3), (7, 4), (8, 5)] {
            let of = if n == 3 { "13001" } else { "01001" };
            recent.note(index, Some(branch(of)), id(n));
        }
        assert_eq!(recent.since(None, 4, 10), None);
        assert_eq!(
            recent.since(None, 5, 2),
            Some((vec![id(1), id(2), id(3), id(4)], Some(8)))
        );
        assert_eq!(recent.since(None, 8, 2), Some((vec![id(5)], None)));
        assert_eq!(recent.since(None, 9, 2), Some((vec![], None)));
        let of = |code| recent.since(Some(branch(code)), 5, 2);
        assert_eq!(of("13001"), Some((vec![id(3)], Some(8))));
        assert_eq!(of("01001"), Some((vec![id(1), id(2), id(4)], Some(8))));
        assert_eq!(of("27001"), Some((vec![], Some(8))));
    }

    #[test]
    fn what_fell_out_of_the_window_is_not_passed_over_in_silence() {
        let mut recent = Recent::starting_at(0);
        for index in 0..=MOST as u64 {
            recent.note(index, None, id(1));
        }
        assert_eq!(recent.since(None, 0, 1), None);
        assert_eq!(recent.since(None, 1, 1), Some((vec![id(1)], Some(2))));
    }
}
