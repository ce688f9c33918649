//! When a certificate may be renewed (更新, R2).
//!
//! The window opens at 00:00:00 JST six calendar months before the last day, clamped to the month's
//! end, and closes with the last second of validity. Whoever decides asks with the time at which the
//! application was received: what came in time stays in time, however long it waits afterwards.

use crate::{
    fault::Fault,
    id::Serial,
    time::{JstDate, Timestamp},
    validity::{RENEWAL_WINDOW_MONTHS, Validity},
};

/// How a renewal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RenewalOutcome {
    /// The new certificate was delivered; the old one is superseded.
    Delivered,
    /// The application was rejected or withdrawn, or failed; the old certificate stays as it is.
    GivenUp,
}

impl RenewalOutcome {
    /// Every outcome.
    pub const ALL: [Self; 2] = [Self::Delivered, Self::GivenUp];

    /// The stable name, such as `given-up`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::GivenUp => "given-up",
        }
    }

    /// Reads a [`name`](Self::name) back.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// The days on which a certificate may be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenewalWindow {
    opens: JstDate,
    last_day: JstDate,
}

/// A certificate cannot be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRenewable {
    /// The window has not opened yet.
    #[error(
        "it is valid until {last_day} and may be renewed from {opens} on; apply again then, or \
         abolish or revoke it if it must be replaced sooner"
    )]
    TooEarly {
        /// The first day of the window.
        opens: JstDate,
        /// The certificate's last day.
        last_day: JstDate,
    },
    /// The certificate has expired.
    #[error(
        "it expired on {last_day} and could be renewed until that day's end; apply for a new \
         certificate (issue) instead, which is possible now"
    )]
    Expired {
        /// The certificate's last day.
        last_day: JstDate,
    },
    /// The certificate is revoked.
    #[error(
        "it was revoked at {at}, and what is revoked is never renewed; apply for a new certificate \
         (issue) instead, which is possible now"
    )]
    Revoked {
        /// Since when.
        at: Timestamp,
    },
}

impl RenewalWindow {
    /// The window of a certificate whose last day is `last_day`.
    #[must_use]
    pub fn of(last_day: JstDate) -> Self {
        Self {
            opens: last_day.plus_months(-RENEWAL_WINDOW_MONTHS),
            last_day,
        }
    }

    /// Its first day.
    #[must_use]
    pub const fn opens(self) -> JstDate {
        self.opens
    }

    /// Its last day, the certificate's own.
    #[must_use]
    pub const fn last_day(self) -> JstDate {
        self.last_day
    }

    /// Whether an application received at `at` comes in time, for a certificate revoked at
    /// `revoked_at` or not at all.
    pub fn admits(self, at: Timestamp, revoked_at: Option<Timestamp>) -> Result<(), NotRenewable> {
        let Self { opens, last_day } = self;
        if let Some(at) = revoked_at {
            Err(NotRenewable::Revoked { at })
        } else if at < opens.start() {
            Err(NotRenewable::TooEarly { opens, last_day })
        } else if at >= last_day.plus_days(1).start() {
            Err(NotRenewable::Expired { last_day })
        } else {
            Ok(())
        }
    }
}

impl From<Validity> for RenewalWindow {
    fn from(validity: Validity) -> Self {
        Self::of(validity.last_day())
    }
}

impl NotRenewable {
    /// The stable reason for programs.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::TooEarly { .. } => "RENEWAL_TOO_EARLY",
            Self::Expired { .. } => "CERTIFICATE_EXPIRED",
            Self::Revoked { .. } => "CERTIFICATE_REVOKED_BEFORE",
        }
    }

    /// The fault of the field that names the certificate.
    #[must_use]
    pub fn of(self, serial: Serial, field: impl Into<String>) -> Fault {
        let message = format!("certificate {serial} cannot be renewed: {self}");
        Fault::new(field, self.reason(), message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("{text}+09:00").parse().unwrap()
    }

    #[test]
    fn the_window_is_right_at_every_boundary() {
        // Last day; the last moment before the window; the first in it; the last; the first after.
        let table = [
            // The opening day's certificates.
            ("2011-02-03", "2010-08-02", "2010-08-03"),
            // Clamped to the end of February, in a common year and in a leap year.
            ("2011-08-31", "2011-02-27", "2011-02-28"),
            ("2011-08-30", "2011-02-27", "2011-02-28"),
            ("2011-08-29", "2011-02-27", "2011-02-28"),
            ("2011-08-28", "2011-02-27", "2011-02-28"),
            ("2012-08-31", "2012-02-28", "2012-02-29"),
            ("2012-08-30", "2012-02-28", "2012-02-29"),
            ("2012-08-29", "2012-02-28", "2012-02-29"),
            ("2012-08-28", "2012-02-27", "2012-02-28"),
            // Ends on 29 February; ends the day before one.
            ("2012-02-29", "2011-08-28", "2011-08-29"),
            ("2012-02-28", "2011-08-27", "2011-08-28"),
            // Clamped to the end of a month of thirty days, and not clamped.
            ("2011-05-31", "2010-11-29", "2010-11-30"),
            ("2011-05-30", "2010-11-29", "2010-11-30"),
            ("2011-03-31", "2010-09-29", "2010-09-30"),
            ("2011-12-31", "2011-06-29", "2011-06-30"),
            ("2011-01-31", "2010-07-30", "2010-07-31"),
            // Over the turn of the year.
            ("2011-06-30", "2010-12-29", "2010-12-30"),
            ("2011-07-01", "2010-12-31", "2011-01-01"),
        ];
        for (last_day, before, first) in table {
            let day = last_day.parse().unwrap();
            let window = RenewalWindow::of(day);
            assert_eq!(window.opens().to_string(), first, "{last_day}");
            let too_early = Err(NotRenewable::TooEarly {
                opens: first.parse().unwrap(),
                last_day: day,
            });
            let expired = Err(NotRenewable::Expired { last_day: day });
            let next = day.plus_days(1);
            for (when, expected) in [
                (format!("{before}T23:59:59.999"), too_early),
                (format!("{first}T00:00:00"), Ok(())),
                (format!("{last_day}T23:59:59"), Ok(())),
                // RFC 5280 counts the whole last second.
                (format!("{last_day}T23:59:59.999"), Ok(())),
                (format!("{next}T00:00:00"), expired),
            ] {
                assert_eq!(
                    window.admits(at(&when), None),
                    expected,
                    "{last_day} {when}"
                );
            }
        }
    }

    #[test]
    fn every_days_window_opens_when_the_validity_says_and_is_never_empty() {
        let mut day: JstDate = "2008-02-04".parse().unwrap();
        while day < "2012-03-02".parse().unwrap() {
            let validity = Validity::for_subscriber(day);
            let window = RenewalWindow::from(validity);
            assert_eq!(window.opens(), validity.renewal_opens());
            let opens = window.opens().start();
            assert_eq!(window.admits(opens, None), Ok(()));
            assert!(window.admits(opens.plus_millis(-1), None).is_err());
            assert!(validity.contains(opens) && window.opens() < window.last_day());
            day = day.plus_days(1);
        }
    }

    #[test]
    fn what_is_revoked_is_never_renewed_and_a_refusal_names_the_day() {
        let window = RenewalWindow::of("2011-02-03".parse().unwrap());
        let serial = Serial::from_bytes(&[0x41; 16]).unwrap();
        let refused = |when: &str, revoked: Option<Timestamp>| {
            let refused = window.admits(at(when), revoked).unwrap_err();
            refused.of(serial, "renew.serial")
        };
        let early = refused("2010-08-02T23:59:59", None);
        assert_eq!(early.reason, "RENEWAL_TOO_EARLY");
        assert!(early.message.contains("2010-08-03"), "{early}");
        let late = refused("2011-02-04T00:00:00", None);
        assert_eq!(late.reason, "CERTIFICATE_EXPIRED");
        assert!(late.message.contains("2011-02-03"), "{late}");
        for when in [
            "2010-01-01T00:00:00",
            "2010-09-01T00:00:00",
            "2012-01-01T00:00:00",
        ] {
            let revoked = refused(when, Some(at("2010-01-01T00:00:00")));
            assert_eq!(revoked.reason, "CERTIFICATE_REVOKED_BEFORE");
        }
    }
}
