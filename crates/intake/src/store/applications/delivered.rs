//! The certificates handed over lately, by subject and kind.
//!
//! Whether a subject has a valid certificate is judged at the door, by standings that may lag behind. One that
//! was issued and handed over between that look and the decision is known only here.

use std::collections::{HashMap, VecDeque};

use lgpki_domain::Digest;

/// How many are remembered.
const MOST: usize = if cfg!(test) { 4 } else { 65_536 };

/// What was handed over since the start; the standings of a start know everything before.
#[derive(Debug, Default)]
pub(super) struct Delivered {
    /// The entry of the issuer's log with the newest certificate.
    newest: HashMap<Digest, u64>,
    order: VecDeque<(Digest, u64)>,
    /// Every entry that was forgotten lies below.
    forgotten: u64,
}

/// What is known of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing that the standings did not know.
    Nothing,
    /// A certificate that the standings did not know yet.
    Certificate,
    /// The standings are too old to tell.
    TooOld,
}

impl Delivered {
    /// Takes note of a certificate by its entry in the issuer's log.
    pub(super) fn note(&mut self, subject: Digest, issuer: u64) {
        if self.order.len() == MOST
            && let Some((old, index)) = self.order.pop_front()
        {
            self.forgotten = self.forgotten.max(index + 1);
            if self.newest.get(&old) == Some(&index) {
                self.newest.remove(&old);
            }
        }
        self.newest.insert(subject, issuer);
        self.order.push_back((subject, issuer));
    }

    /// What is known of a subject that the standings, up to an entry of the issuer's log, know nothing of.
    pub(super) fn since(&self, subject: &Digest, position: u64) -> Known {
        match self.newest.get(subject) {
            Some(index) if *index >= position => Known::Certificate,
            _ if position < self.forgotten => Known::TooOld,
            _ => Known::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_handed_over_after_the_look_is_known_and_what_was_forgotten_is_not_denied() {
        let subject = |n: u8| Digest([n; 32]);
        let mut delivered = Delivered::default();
        delivered.note(subject(1), 10);
        assert_eq!(delivered.since(&subject(1), 10), Known::Certificate);
        assert_eq!(delivered.since(&subject(1), 11), Known::Nothing);
        assert_eq!(delivered.since(&subject(2), 0), Known::Nothing);
        for n in 2..=5 {
            delivered.note(subject(n), u64::from(n) + 10);
        }
        assert_eq!(delivered.since(&subject(1), 10), Known::TooOld);
        assert_eq!(delivered.since(&subject(1), 11), Known::Nothing);
        assert_eq!(delivered.since(&subject(5), 3), Known::Certificate);
    }
}
