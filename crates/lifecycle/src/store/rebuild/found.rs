//! What differs, as it is found: all of it counted, as much told as somebody can read.

use std::collections::HashSet;

use lgpki_domain::Serial;

use crate::ports::{Difference, Place};

/// Differences that are told; more are only counted.
const TOLD: u64 = 10_000;

/// The differences.
#[derive(Debug, Default)]
pub(crate) struct Found {
    untold: Vec<Difference>,
    count: u64,
    of_the_log: u64,
    about: HashSet<Serial>,
}

impl Found {
    /// Takes note of a difference; `what` gives the field, the live text and the rebuilt one.
    pub(crate) fn differs(
        &mut self,
        place: Place,
        serial: Option<Serial>,
        what: impl FnOnce() -> (String, String, String),
    ) {
        self.about.extend(serial);
        self.of_the_log += u64::from(place == Place::Log);
        self.count += 1;
        if self.count <= TOLD {
            let (field, live, rebuilt) = what();
            self.untold.push(Difference {
                place,
                serial,
                field,
                live,
                rebuilt,
            });
        }
    }

    /// Takes note of the fields that differ.
    pub(crate) fn fields<const N: usize>(
        &mut self,
        place: Place,
        serial: Serial,
        live: [(&'static str, String); N],
        rebuilt: [(&'static str, String); N],
    ) {
        for ((field, live), (_, rebuilt)) in live.into_iter().zip(rebuilt) {
            if live != rebuilt {
                self.differs(place, Some(serial), || (field.to_owned(), live, rebuilt));
            }
        }
    }

    /// Takes note of something that is missing in one of the two.
    pub(crate) fn missing(
        &mut self,
        place: Place,
        serial: Option<Serial>,
        field: &str,
        (present, is_live): (impl FnOnce() -> String, bool),
    ) {
        self.differs(place, serial, || {
            let (present, absent) = (present(), "none".to_owned());
            if is_live {
                (field.to_owned(), present, absent)
            } else {
                (field.to_owned(), absent, present)
            }
        });
    }

    /// What has not been told yet, if there is any.
    pub(super) fn untold(&mut self) -> Option<Vec<Difference>> {
        let untold = std::mem::take(&mut self.untold);
        (!untold.is_empty()).then_some(untold)
    }

    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    pub(super) const fn of_the_log(&self) -> u64 {
        self.of_the_log
    }

    /// About how many certificates something differs.
    pub(super) fn certificates(&self, is_one: impl Fn(Serial) -> bool) -> u64 {
        self.about.iter().filter(|serial| is_one(**serial)).count() as u64
    }
}
