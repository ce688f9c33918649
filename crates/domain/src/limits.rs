//! What intake admits: quotas of branches, of callers and of all, the length of the queue, and how much
//! one body may have registered.
//!
//! Operators change them while the service runs; each change is an entry in intake's log.

use crate::{fault::Faults, rate::Quota};

/// The most that any of them may be.
pub const MOST: u32 = 100_000_000;
/// The longest that a place may be booked ahead, in seconds: a day.
pub const LONGEST_BOOKING: u32 = 86_400;

/// The limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Applications of one branch in an hour, whatever it holds.
    pub branch_per_hour: u32,
    /// More of them for each certificate that it holds.
    pub branch_per_hour_per_certificate: u32,
    /// Applications of one branch at once, whatever it holds.
    pub branch_burst: u32,
    /// More of them for each certificate that it holds.
    pub branch_burst_per_certificate: u32,
    /// Applications of one login certificate in an hour.
    pub caller_per_hour: u32,
    /// Applications of one login certificate at once.
    pub caller_burst: u32,
    /// Applications of all in a second.
    pub all_per_second: u32,
    /// Applications of all at once.
    pub all_burst: u32,
    /// Applications that may be under way, from receipt to issue, before no more are taken.
    pub queue: u32,
    /// How far ahead whoever is turned away is given a time of their own, in seconds.
    pub booking_seconds: u32,
    /// Requests about addressees, and changes of its directories, of one body in an hour.
    pub registry_per_hour: u32,
    /// So many of them at once.
    pub registry_burst: u32,
    /// Versions of all addressees of one body, those of ended ones included.
    pub addressee_versions: u32,
    /// Organizations and accounts of one body.
    pub directory_entries: u32,
    /// Calls of one login certificate in a second that read, watch or download.
    pub reads_per_second: u32,
    /// So many of them at once.
    pub reads_burst: u32,
}

/// What holds until an operator changes it: a branch may renew all its certificates twice over at
/// once, and all branches together no faster than two cores check and sign.
impl Default for Limits {
    fn default() -> Self {
        Self {
            branch_per_hour: 600,
            branch_per_hour_per_certificate: 20,
            branch_burst: 300,
            branch_burst_per_certificate: 2,
            caller_per_hour: 36_000,
            caller_burst: 10_000,
            all_per_second: 2_000,
            all_burst: 10_000,
            queue: 200_000,
            booking_seconds: 3_600,
            registry_per_hour: 1_200,
            registry_burst: 2_000,
            addressee_versions: 20_000,
            directory_entries: 5_000,
            reads_per_second: 500,
            reads_burst: 50_000,
        }
    }
}

impl Limits {
    /// Every limit with its name, in the order in which they are shown.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u32); 16] {
        [
            ("branch_per_hour", self.branch_per_hour),
            (
                "branch_per_hour_per_certificate",
                self.branch_per_hour_per_certificate,
            ),
            ("branch_burst", self.branch_burst),
            (
                "branch_burst_per_certificate",
                self.branch_burst_per_certificate,
            ),
            ("caller_per_hour", self.caller_per_hour),
            ("caller_burst", self.caller_burst),
            ("all_per_second", self.all_per_second),
            ("all_burst", self.all_burst),
            ("queue", self.queue),
            ("booking_seconds", self.booking_seconds),
            ("registry_per_hour", self.registry_per_hour),
            ("registry_burst", self.registry_burst),
            ("addressee_versions", self.addressee_versions),
            ("directory_entries", self.directory_entries),
            ("reads_per_second", self.reads_per_second),
            ("reads_burst", self.reads_burst),
        ]
    }

    /// Finds what cannot work.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        for (name, value) in self.named() {
            let range = match name {
                "booking_seconds" => 0..=LONGEST_BOOKING,
                "branch_per_hour_per_certificate" | "branch_burst_per_certificate" => 0..=MOST,
                _ => 1..=MOST,
            };
            if !range.contains(&value) {
                let (least, most) = (range.start(), range.end());
                let message = format!("{value} is out of range; it may be {least} to {most}");
                faults.push(format!("limits.{name}"), "LIMIT_OUT_OF_RANGE", message);
            }
        }
        faults
    }

    /// The quota of a branch that holds so many certificates.
    #[must_use]
    pub fn branch(&self, held: u32) -> Quota {
        let scaled = |base: u32, each: u32| base.saturating_add(each.saturating_mul(held));
        Quota::per_hour(
            scaled(self.branch_per_hour, self.branch_per_hour_per_certificate),
            scaled(self.branch_burst, self.branch_burst_per_certificate),
        )
    }

    /// The quota of one login certificate.
    #[must_use]
    pub fn caller(&self) -> Quota {
        Quota::per_hour(self.caller_per_hour, self.caller_burst)
    }

    /// The quota of what one body registers.
    #[must_use]
    pub fn registry(&self) -> Quota {
        Quota::per_hour(self.registry_per_hour, self.registry_burst)
    }

    /// The quota of what one login certificate reads.
    #[must_use]
    pub fn reads(&self) -> Quota {
        Quota::per_second(self.reads_per_second, self.reads_burst)
    }

    /// The quota of all together.
    #[must_use]
    pub fn all(&self) -> Quota {
        Quota::per_second(self.all_per_second, self.all_burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branchs_quota_grows_with_what_it_holds() {
        let limits = Limits::default();
        assert_eq!(limits.branch(0), Quota::per_hour(600, 300));
        assert_eq!(limits.branch(1_000), Quota::per_hour(20_600, 2_300));
        assert_eq!(limits.branch(u32::MAX), Quota::per_hour(u32::MAX, u32::MAX));
    }

    #[test]
    fn every_limit_out_of_range_is_named() {
        assert!(Limits::default().faults().is_empty());
        let none = Limits {
            branch_per_hour: 0,
            branch_per_hour_per_certificate: 0,
            booking_seconds: LONGEST_BOOKING + 1,
            ..Limits::default()
        };
        let faults = none.faults();
        let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["limits.branch_per_hour", "limits.booking_seconds"]);
    }
}
