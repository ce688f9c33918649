//! What memory holds beside the records, compared with an inventory that was rebuilt: the orders, the
//! counters, and what each series of CRLs must list. Nothing here changes anything.

use std::collections::BTreeSet;

use lgpki_domain::Serial;

use super::{super::rebuild::Found, Inventory};
use crate::ports::Place;

/// A part of memory that is compared at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// What is held beyond the records.
    Held,
    /// The order of expiry.
    Expiry,
    /// That of each branch.
    Branches,
    /// The order of keys.
    Keys,
    /// What each command revoked.
    Commands,
    /// The open renewals.
    Renewals,
    /// The entries that brought notices.
    Notices,
    /// The counters of the days of expiry.
    Calendar,
    /// What the CRLs must list.
    Crls,
    /// The renewal slots.
    Slots,
}

impl Part {
    /// Every part.
    pub(crate) const ALL: [Self; 10] = [
        Self::Held,
        Self::Expiry,
        Self::Branches,
        Self::Keys,
        Self::Commands,
        Self::Renewals,
        Self::Notices,
        Self::Calendar,
        Self::Crls,
        Self::Slots,
    ];
}

impl Inventory {
    /// Takes note of what differs from `rebuilt` in one part.
    pub(crate) fn compare(&self, rebuilt: &Self, part: Part, found: &mut Found) {
        match part {
            Part::Held => self.compare_held(rebuilt, found),
            Part::Expiry => orders(
                (&self.by_expiry, &rebuilt.by_expiry),
                |(at, serial)| ("order of expiry", serial, at.to_string()),
                found,
            ),
            Part::Branches => orders(
                (&self.by_branch, &rebuilt.by_branch),
                |(branch, (at, serial))| ("order of a branch", serial, format!("{branch} {at}")),
                found,
            ),
            Part::Keys => orders(
                (&self.by_key, &rebuilt.by_key),
                |(key, serial)| ("order of keys", serial, format!("{key:08x}")),
                found,
            ),
            Part::Commands => self.compare_commands(rebuilt, found),
            Part::Renewals => self.compare_renewals(rebuilt, found),
            Part::Notices => {
                orders(
                    (&self.acts, &rebuilt.acts),
                    |(entry, serial)| ("notice", serial, format!("entry {entry}")),
                    found,
                );
                orders(
                    (&self.acts_by_branch, &rebuilt.acts_by_branch),
                    |(branch, entry, serial)| {
                        (
                            "notice of a branch",
                            serial,
                            format!("{branch} entry {entry}"),
                        )
                    },
                    found,
                );
                if self.first_revoked != rebuilt.first_revoked {
                    found.differs(Place::Memory, None, || {
                        let text = |of: &Self| format!("{} days", of.first_revoked.len());
                        let field = "first revocation of each day".to_owned();
                        (field, text(self), text(rebuilt))
                    });
                }
            }
            Part::Calendar => self.calendar.compare(&rebuilt.calendar, found),
            Part::Crls => self.compare_crls(rebuilt, found),
            Part::Slots => self.compare_slots(rebuilt, found),
        }
    }

    fn compare_held(&self, rebuilt: &Self, found: &mut Found) {
        if self.held.len() != rebuilt.held.len() {
            for serial in self.held.keys() {
                if !rebuilt.held.contains_key(serial) {
                    let present = || "held".to_owned();
                    found.missing(Place::Memory, Some(*serial), "record", (present, true));
                }
            }
        }
        if self.position != rebuilt.position {
            found.differs(Place::Counter, None, || {
                let (live, rebuilt) = (self.position, rebuilt.position);
                (
                    "position in the feed".to_owned(),
                    live.to_string(),
                    rebuilt.to_string(),
                )
            });
        }
    }

    fn compare_commands(&self, rebuilt: &Self, found: &mut Found) {
        let (live, rebuilt) = (&self.by_command, &rebuilt.by_command);
        let field = "revocation by command";
        for (command, serial) in live {
            if rebuilt.get(command) != Some(serial) {
                let present = || command.to_string();
                found.missing(Place::Memory, Some(*serial), field, (present, true));
            }
        }
        for (command, serial) in rebuilt {
            if live.get(command) != Some(serial) {
                let present = || command.to_string();
                found.missing(Place::Memory, Some(*serial), field, (present, false));
            }
        }
    }

    fn compare_renewals(&self, rebuilt: &Self, found: &mut Found) {
        let serials: BTreeSet<_> = [self, rebuilt]
            .into_iter()
            .flat_map(|of| of.renewals.keys())
            .map(|serial| (*serial.as_bytes(), *serial))
            .collect();
        for (_, serial) in serials {
            let (live, rebuilt) = (self.renewal_of(serial), rebuilt.renewal_of(serial));
            if live != rebuilt {
                found.differs(Place::Memory, Some(serial), || {
                    let text = |by: Option<lgpki_domain::ApplicationId>| {
                        by.map_or_else(|| "none".to_owned(), |by| by.to_string())
                    };
                    ("open renewal".to_owned(), text(live), text(rebuilt))
                });
            }
        }
    }

    fn compare_crls(&self, rebuilt: &Self, found: &mut Found) {
        let series: BTreeSet<_> = self.books.keys().chain(rebuilt.books.keys()).collect();
        for series in series {
            let (live, rebuilt) = (self.books.get(series), rebuilt.books.get(series));
            if live == rebuilt {
                continue;
            }
            let listed = |book: Option<&super::Book>| {
                let listed = book.map(|book| &book.listed).into_iter().flatten();
                let entries =
                    listed.map(|(serial, entry)| (*serial.as_bytes(), format!("{entry:?}")));
                entries.collect::<BTreeSet<_>>()
            };
            orders(
                (&listed(live), &listed(rebuilt)),
                |(serial, entry)| ("entry for the CRL", serial, format!("{series}: {entry}")),
                found,
            );
            let recent = |book: Option<&super::Book>| {
                let recent = book.map(|book| &book.recent).into_iter().flatten();
                let entries = recent.map(|(index, serial)| (*serial.as_bytes(), *index));
                entries.collect::<BTreeSet<_>>()
            };
            orders(
                (&recent(live), &recent(rebuilt)),
                |(serial, index)| {
                    (
                        "entry for the delta CRL",
                        serial,
                        format!("{series}: {index}"),
                    )
                },
                found,
            );
            let rest = |book: Option<&super::Book>| {
                book.map(|book| format!("{:?} {:?}", book.chain, book.last_urgent))
                    .unwrap_or_default()
            };
            if rest(live) != rest(rebuilt) {
                let field = || format!("CRLs of {series}");
                found.differs(Place::Memory, None, || (field(), rest(live), rest(rebuilt)));
            }
        }
    }
}

#[cfg(test)]
impl Inventory {
    /// Counts a certificate once too often.
    pub(crate) fn miscount(&mut self, serial: Serial) {
        if let Some(held) = self.held.get(&serial) {
            self.calendar.replace(None, held);
        }
    }
}

/// Takes note of the places that only one of two orders has.
pub(super) fn orders<T: Ord + Clone>(
    (live, rebuilt): (&BTreeSet<T>, &BTreeSet<T>),
    describe: impl Fn(T) -> (&'static str, [u8; 16], String),
    found: &mut Found,
) {
    for place in live.symmetric_difference(rebuilt) {
        let (field, serial, text) = describe(place.clone());
        let serial = Serial::from_bytes(&serial);
        let is_live = live.contains(place);
        found.missing(Place::Memory, serial, field, (|| text, is_live));
    }
}
