//! How many answers are signed on demand in a second, and for whom.
//!
//! Anybody may ask about serial numbers that nobody issued, and ask about one certificate with one
//! nonce after the other; nothing of that is ever used again. Each has a share that it cannot leave,
//! so that what is asked about a certificate that exists is always answered.

use std::sync::{Mutex, PoisonError};

use lgpki_domain::Timestamp;
use lgpki_x509::ocsp::{CertId, OcspRequest, Status};

/// The fewest signatures a second of which there are shares.
pub(crate) const FEWEST: u32 = 4;

/// For whom an answer is signed, in the order in which shares grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Something that nobody issued is in question: a quarter of all at most.
    Unknown,
    /// Certificates that exist, for this asker alone, with a nonce or several of them: half of all at
    /// most, together with those before.
    Once,
    /// One certificate that exists, for everybody: kept, and given again.
    Everybody,
}

impl Wanted {
    /// What a request wants, to which these are the answers.
    pub(super) fn of(request: &OcspRequest<'_>, statuses: &[Status]) -> Self {
        if statuses.contains(&Status::Unknown) {
            return Self::Unknown;
        }
        match (request.cert_ids(), request.nonce()) {
            ([id], None) if CertId::serial(id).is_some() => Self::Everybody,
            _ => Self::Once,
        }
    }

    /// The metric's label.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Once => "once",
            Self::Everybody => "everybody",
        }
    }

    /// The most of `all` that are signed for these and those before.
    const fn share(self, all: u32) -> u32 {
        match self {
            Self::Unknown => all / 4,
            Self::Once => all / 2,
            Self::Everybody => all,
        }
    }
}

/// What was signed in the running second.
#[derive(Debug, Default)]
pub(super) struct Budget(Mutex<Spent>);

#[derive(Debug, Default)]
struct Spent {
    second: i64,
    unknown: u32,
    once: u32,
    everybody: u32,
}

impl Budget {
    /// Whether one more answer may be signed in this second, of `all`.
    pub(super) fn spend(&self, wanted: Wanted, all: u32, now: Timestamp) -> bool {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let second = now.as_seconds();
        if spent.second != second {
            *spent = Spent {
                second,
                ..Spent::default()
            };
        }
        let fresh = spent.unknown + spent.once;
        let within = match wanted {
            Wanted::Unknown => spent.unknown < wanted.share(all) && fresh < Wanted::Once.share(all),
            Wanted::Once => fresh < wanted.share(all),
            Wanted::Everybody => true,
        };
        let fits = within && fresh + spent.everybody < all;
        if fits {
            *match wanted {
                Wanted::Unknown => &mut spent.unknown,
                Wanted::Once => &mut spent.once,
                Wanted::Everybody => &mut spent.everybody,
            } += 1;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: [Wanted; 3] = [Wanted::Unknown, Wanted::Once, Wanted::Everybody];

    fn taken(budget: &Budget, wanted: Wanted, now: Timestamp) -> u32 {
        (0..200)
            .map(|_| u32::from(budget.spend(wanted, 100, now)))
            .sum()
    }

    #[test]
    fn whoever_comes_later_finds_the_own_share_whatever_was_asked_before() {
        let now = Timestamp::from_seconds(1_202_094_000);
        let budget = Budget::default();
        assert_eq!(
            ORDER.map(|wanted| taken(&budget, wanted, now)),
            [25, 25, 50]
        );
        let next = now.plus_seconds(1);
        assert_eq!(
            ORDER.map(|wanted| taken(&budget, wanted, next)),
            [25, 25, 50]
        );
    }

    #[test]
    fn what_is_good_for_everybody_may_use_all_and_leaves_no_more_than_that() {
        let now = Timestamp::from_seconds(1_202_094_000);
        let budget = Budget::default();
        assert_eq!(taken(&budget, Wanted::Everybody, now), 100);
        assert_eq!(taken(&budget, Wanted::Once, now), 0);
    }
}
