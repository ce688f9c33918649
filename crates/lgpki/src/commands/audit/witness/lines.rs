//! Which refusals a witness tells of: what says the same is told once a minute, with how often it came.

use std::collections::BTreeMap;

/// Seconds in which the same is told once.
const EVERY: u64 = 60;
/// Subjects that are remembered: logs are few, and forks of theirs fewer.
const MOST: usize = 1000;

#[derive(Clone, Copy, Debug)]
struct Line {
    told: u64,
    untold: u64,
}

/// What was told when.
#[derive(Debug, Default)]
pub(super) struct Lines(BTreeMap<String, Line>);

impl Lines {
    /// Whether a refusal is told now, in seconds since 1970; and then, how many like it were not told
    /// since the last one was.
    pub(super) fn tell(&mut self, subject: String, now: u64) -> Option<u64> {
        if let Some(line) = self.0.get_mut(&subject)
            && line.told.abs_diff(now) < EVERY
        {
            line.untold = line.untold.saturating_add(1);
            return None;
        }
        if self.0.len() >= MOST {
            self.0.retain(|_, line| line.told.abs_diff(now) < EVERY);
        }
        if self.0.len() >= MOST && !self.0.contains_key(&subject) {
            return None;
        }
        let line = Line {
            told: now,
            untold: 0,
        };
        let before = self.0.insert(subject, line);
        Some(before.map_or(0, |before| before.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_the_same_is_told_once_a_minute_with_how_often_it_came() {
        let mut lines = Lines::default();
        let mut tell = |subject: &str, now| lines.tell(subject.to_owned(), now);
        assert_eq!(tell("a", 100), Some(0));
        for at in 100..130 {
            assert_eq!(tell("a", at), None);
        }
        // Of another log there is something to tell, and of this one in a minute, or on another day.
        assert_eq!(tell("b", 130), Some(0));
        assert_eq!(tell("a", 160), Some(30));
        assert_eq!(tell("a", 161), None);
        assert_eq!(tell("a", 10), Some(1));
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let mut lines = Lines::default();
        let told = (0..2000).filter(|n| lines.tell(n.to_string(), 100).is_some());
        assert_eq!(told.count(), MOST);
        assert_eq!(lines.tell("next".to_owned(), 200), Some(0));
        assert_eq!(lines.0.len(), 1);
    }
}
