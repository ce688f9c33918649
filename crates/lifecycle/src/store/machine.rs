//! Decides lifecycle's commands and applies its events.
//!
//! One small record per certificate goes to the index, written once when it is registered and once
//! more if it is revoked; all else that is needed lies in memory. A revocation is idempotent by its
//! command, a feed item by its index in the issuer's log.

mod stamp;

use std::collections::HashSet;

use lgpki_domain::{ApplicationId, Fault, RenewalOutcome, RevocationReason, Serial, Timestamp};
use lgpki_ledger::{EntryError, Recorded, Stamp};
use lgpki_store::{Decision, Machine, Span, StoreError, Tables, View};
use tokio::sync::watch;

use self::stamp::answering;
use super::{
    chain::Chain,
    event::{CertificateRevoked, CrlPublished, LifecycleEvent, OcspSigned},
    inventory::Inventory,
    record::{Held, Marks, Revoked},
    renewal::{self, RENEWALS},
    slots::{self, SLOTS},
};
use crate::ports::{
    FeedEvent, FeedItem, Followed, OcspBatch, Publication, Recording, RenewalClosing, RenewalEnd,
    RenewalOpening, RenewalOrder, Revocation, RevocationOrder, RevocationOutcome, SlotBooking,
    SlotOrder, is_over,
};

/// Index of the entry that brought a serial number → serial number and [`Held`]; packed.
pub(super) const CERTIFICATES: &str = "certificate";
/// series → its [`Chain`] of publications.
pub(super) const CRLS: &str = "crl";
/// The actor of what lifecycle does by itself.
pub(super) const ACTOR: &str = "lifecycle";
/// The reason listed for a serial number whose certificate was never handed out.
const ABANDONED: RevocationReason = RevocationReason::CessationOfOperation;

/// What the machine is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Record a slice of the issuer's feed.
    Follow(Vec<FeedItem>, Timestamp),
    /// Revoke a certificate.
    Revoke(RevocationOrder, Timestamp),
    /// Open a renewal.
    OpenRenewal(RenewalOrder, Timestamp),
    /// Close a renewal.
    CloseRenewal(RenewalEnd, Timestamp),
    /// Record a publication.
    Publish(Publication, Timestamp),
    /// Record OCSP answers that were signed.
    RecordOcsp(Vec<OcspBatch>, Timestamp),
    /// Book renewal slots.
    BookSlots(SlotOrder, Timestamp),
    /// Record a key that will sign slot tokens.
    AddSlotKey([u8; 32], Timestamp),
}

/// What the machine answers.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The feed was taken in.
    Followed(Followed),
    /// The revocation stands, or is refused.
    Revoked(RevocationOutcome),
    /// The renewal is open, or is refused.
    RenewalOpened(RenewalOpening),
    /// The renewal is closed, or cannot be.
    RenewalClosed(RenewalClosing),
    /// What became of the publication.
    Recorded(Recording),
    /// The OCSP answers are recorded.
    OcspRecorded,
    /// The slots are booked.
    SlotsBooked(SlotBooking),
    /// The key is recorded.
    SlotKeyAdded,
    /// An entry would have been too large.
    Unrecordable(EntryError),
}

/// The machine.
#[derive(Debug, Default)]
pub(crate) struct LifecycleMachine {
    pub(crate) inventory: Inventory,
    /// The entry that last brought a notice.
    pub(crate) notable: watch::Sender<u64>,
    /// What a test spoils after each event.
    #[cfg(test)]
    pub(crate) spoil: Option<Spoil>,
    /// How many times it has loaded.
    #[cfg(test)]
    pub(crate) loads: u32,
}

/// Spoils what the machine holds.
#[cfg(test)]
pub(crate) type Spoil = fn(&mut Inventory, &mut Tables<'_>, &Recorded<LifecycleEvent>);

type Decided = Decision<LifecycleEvent, Outcome>;

impl LifecycleMachine {
    fn follow(&self, items: Vec<FeedItem>, at: Timestamp) -> Decided {
        let mut events = Vec::with_capacity(items.len());
        let mut followed = Followed {
            position: self.inventory.position(),
            ..Followed::default()
        };
        let mut seen = HashSet::with_capacity(items.len());
        for item in items {
            if item.index < followed.position {
                continue;
            }
            followed.position = item.index + 1;
            let (serial, event) = match item.event {
                FeedEvent::Issued(issued) => {
                    (issued.serial, LifecycleEvent::Registered((*issued).into()))
                }
                FeedEvent::Abandoned(abandoned) => (
                    abandoned.serial,
                    LifecycleEvent::Abandoned(abandoned.into()),
                ),
            };
            if self.inventory.held(serial).is_some() || !seen.insert(serial) {
                followed.conflicts.push(serial);
                continue;
            }
            events.push((answering(at, ACTOR, "issuer", item.index), event));
        }
        followed.recorded = events.len();
        Decision::record_all(events, Outcome::Followed(followed))
    }

    fn revoke(&self, order: RevocationOrder, at: Timestamp) -> Decided {
        match self.judge(&order, at) {
            Err(fault) => Decision::answer(Outcome::Revoked(Err(fault))),
            Ok(Some(revoked_before)) => Decision::answer(Outcome::Revoked(Ok(revoked_before))),
            Ok(None) => Decision::record(
                answering(at, order.actor, "intake", order.answers_index),
                CertificateRevoked {
                    command: order.command,
                    reason: order.reason,
                    revoked_at: at,
                    serial: order.serial,
                },
                Outcome::Revoked(Ok(at)),
            ),
        }
    }

    /// Whether the order may be carried out; `Some` tells when it was already.
    fn judge(&self, order: &RevocationOrder, at: Timestamp) -> Result<Option<Timestamp>, Fault> {
        let serial = order.serial;
        if let Some(known) = self.inventory.revoked_by(order.command) {
            return self.repeated(order, known);
        }
        let Some(held) = self
            .inventory
            .held(serial)
            .filter(|held| held.kind.is_some())
        else {
            return Err(Fault::new(
                "serial",
                "CERTIFICATE_UNKNOWN",
                format!(
                    "no certificate with the serial number {serial} was issued; check the number"
                ),
            ));
        };
        if let Some(branch) = order.branch.filter(|branch| held.branch != Some(*branch)) {
            return Err(Fault::new(
                "branch",
                "CERTIFICATE_OF_ANOTHER_BRANCH",
                format!("the certificate {serial} was not issued to the branch {branch}"),
            ));
        }
        if let Some(revoked) = held.revoked {
            return Err(Fault::new(
                "serial",
                "CERTIFICATE_REVOKED_BEFORE",
                format!(
                    "the certificate {serial} was revoked at {} already; nothing is left to do",
                    revoked.revocation.at
                ),
            ));
        }
        if is_over(held.not_after, at) {
            return Err(Fault::new(
                "serial",
                "CERTIFICATE_EXPIRED",
                format!(
                    "the certificate {serial} expired at {}; an expired certificate needs no revocation",
                    held.not_after
                ),
            ));
        }
        Ok(None)
    }

    fn repeated(&self, order: &RevocationOrder, known: Serial) -> Result<Option<Timestamp>, Fault> {
        let revoked = self.inventory.held(known).and_then(|held| held.revoked);
        match revoked {
            Some(revoked) if known == order.serial && revoked.revocation.reason == order.reason => {
                Ok(Some(revoked.revocation.at))
            }
            _ => Err(Fault::new(
                "command_id",
                "COMMAND_OF_OTHER_CONTENT",
                format!(
                    "the command {} revoked the certificate {known}; another order needs another \
                     command id",
                    order.command
                ),
            )),
        }
    }

    fn publish(&self, publication: Publication, at: Timestamp) -> Decided {
        let chain = self.inventory.chain(publication.series);
        let follows = chain.map_or_else(
            || Chain::default().may_follow(&publication),
            |chain| chain.may_follow(&publication),
        );
        if !follows {
            return Decision::answer(Outcome::Recorded(Recording::OutOfOrder));
        }
        Decision::record(
            Stamp::new(at, ACTOR),
            CrlPublished::from(publication),
            Outcome::Recorded(Recording::Recorded),
        )
    }

    /// Changes the renewal slot of certificates.
    fn slots(
        &mut self,
        tables: &mut Tables<'_>,
        certificates: &[Serial],
        change: impl Fn(Held) -> Held,
    ) {
        for serial in certificates {
            if let Some(held) = self.inventory.held(*serial).copied().map(&change) {
                write(tables, *serial, held);
                self.inventory.change_slot(*serial, held);
            }
        }
    }

    fn put(&mut self, tables: &mut Tables<'_>, serial: Serial, held: Held) {
        write(tables, serial, held);
        self.inventory.put(serial, held);
        if let Some(index) = held.notable() {
            self.notable.send_replace(index);
        }
    }
}

impl Machine for LifecycleMachine {
    type Command = Command;
    type Outcome = Outcome;
    type Event = LifecycleEvent;

    const TABLES: &'static [&'static str] = &[CERTIFICATES, CRLS, RENEWALS, SLOTS];
    const STATE_VERSION: u32 = 9;

    fn decide(&self, view: &View<'_>, command: Command) -> Decided {
        match command {
            Command::Follow(items, at) => self.follow(items, at),
            Command::Revoke(order, at) => self.revoke(order, at),
            Command::OpenRenewal(order, at) => {
                let stamp = answering(at, order.actor.as_str(), "intake", order.answers_index);
                renewal::open(&self.inventory, view, &order, stamp)
            }
            Command::CloseRenewal(end, at) => {
                let stamp = answering(at, end.actor.as_str(), "intake", end.answers_index);
                renewal::close(&self.inventory, view, &end, stamp)
            }
            Command::Publish(publication, at) => self.publish(publication, at),
            Command::RecordOcsp(batches, at) => record_ocsp(batches, at),
            Command::BookSlots(order, at) => slots::book(&self.inventory, order, at),
            Command::AddSlotKey(public, at) => slots::key(public, at),
        }
    }

    fn unrecordable(error: EntryError) -> Outcome {
        Outcome::Unrecordable(error)
    }

    fn apply(&mut self, tables: &mut Tables<'_>, recorded: &Recorded<LifecycleEvent>) {
        let index = recorded.index;
        let at = (index, recorded.stamp.time);
        let issuer_index = recorded
            .stamp
            .answers
            .as_ref()
            .map_or(0, |entry| entry.index);
        match &recorded.event {
            LifecycleEvent::Registered(body) => {
                let held = Held {
                    authority: body.authority,
                    generation: short(body.generation),
                    scope: body.scope,
                    kind: Some(body.kind),
                    branch: body.branch,
                    not_after: body.not_after,
                    index,
                    issuer_index,
                    marks: Marks::of(body, recorded.stamp.time),
                    revoked: None,
                };
                self.put(tables, body.serial, held);
            }
            LifecycleEvent::Abandoned(body) => {
                // The issuer's clock may be ahead of ours, and a CRL lists nothing from the future.
                let at = body.abandoned_at.min(recorded.stamp.time);
                let held = Held {
                    authority: body.authority,
                    generation: short(body.generation),
                    scope: body.scope,
                    kind: None,
                    branch: None,
                    not_after: body.not_after,
                    index,
                    issuer_index,
                    marks: Marks::default(),
                    revoked: Some(revoked(at, ABANDONED, None, index)),
                };
                self.put(tables, body.serial, held);
            }
            LifecycleEvent::Revoked(body) => {
                // A revocation is only ever recorded of a certificate that is held.
                if let Some(held) = self.inventory.held(body.serial).copied() {
                    let command = Some(body.command);
                    let revoked = revoked(body.revoked_at, body.reason, command, index);
                    self.put(
                        tables,
                        body.serial,
                        Held {
                            revoked: Some(revoked),
                            ..held.with_slot(None)
                        },
                    );
                }
            }
            LifecycleEvent::RenewalOpened(body) => {
                renewal::opened(&mut self.inventory, tables, body, at);
            }
            LifecycleEvent::RenewalClosed(body) => {
                renewal::closed(&mut self.inventory, tables, body, at);
                if body.outcome == RenewalOutcome::Delivered {
                    self.slots(tables, &[body.serial], |held| held.with_slot(None));
                }
            }
            LifecycleEvent::Published(body) => {
                let series = body.series();
                let chain = self.inventory.published(series, body.clone(), at.1);
                // A struct of plain fields always has a JSON form.
                let bytes = serde_json::to_vec(chain).unwrap_or_default();
                tables.put(CRLS, series.to_string().as_bytes(), bytes);
            }
            // Nothing follows from answers given, nor from where entries were kept and counted.
            LifecycleEvent::OcspSigned(_)
            | LifecycleEvent::Restored(_)
            | LifecycleEvent::Heartbeat(_) => {}
            LifecycleEvent::SlotsBooked(body) => {
                let day = Some(body.day);
                self.slots(tables, &body.certificates, |held| held.with_slot(day));
            }
            LifecycleEvent::SlotsMissed(body) => {
                self.slots(tables, &body.certificates, Held::with_slot_missed);
            }
            LifecycleEvent::SlotCapacityChanged(body) => {
                slots::capacity_changed(&mut self.inventory, tables, body);
            }
            LifecycleEvent::SlotsKeyed(body) => {
                slots::keyed(&mut self.inventory, tables, body, at);
            }
        }
        #[cfg(test)]
        if let Some(spoil) = self.spoil {
            spoil(&mut self.inventory, tables, recorded);
        }
    }

    fn load(&mut self, view: &View<'_>) -> Result<(), StoreError> {
        let mut inventory = Inventory::default();
        for (_, bytes) in view.scan(CRLS, &Span::all()) {
            let chain = serde_json::from_slice(&bytes)
                .map_err(|e| StoreError::Corrupt(format!("a record of published CRLs: {e}")))?;
            inventory.restore(chain);
        }
        view.each_packed(CERTIFICATES, |_, bytes| {
            let record = bytes
                .split_first_chunk::<16>()
                .and_then(|(serial, held)| Serial::from_bytes(serial).zip(Held::from_bytes(held)));
            let (serial, held) = record
                .ok_or_else(|| StoreError::Corrupt("a record of a certificate".to_owned()))?;
            inventory.put(serial, held);
            Ok(())
        })?;
        renewal::load(&mut inventory, view)?;
        slots::load(&mut inventory, view)?;
        self.inventory = inventory;
        #[cfg(test)]
        {
            self.loads += 1;
        }
        Ok(())
    }

    fn take_over(&mut self, rebuilt: &mut Self, _: &View<'_>) -> Result<(), StoreError> {
        // Its slots are swapped with it; the bell stays, for there are those who listen.
        std::mem::swap(&mut self.inventory, &mut rebuilt.inventory);
        Ok(())
    }
}

/// Writes a record to the index.
fn write(tables: &mut Tables<'_>, serial: Serial, held: Held) {
    let record = [serial.as_bytes().as_slice(), &held.to_bytes()].concat();
    tables.put_packed(CERTIFICATES, held.index, &record);
}

/// A generation as the index keeps it; the feed brings none that does not fit.
fn short(generation: u32) -> u16 {
    u16::try_from(generation).unwrap_or(u16::MAX)
}

fn record_ocsp(batches: Vec<OcspBatch>, at: Timestamp) -> Decided {
    let events = batches
        .into_iter()
        .map(|batch| (Stamp::new(at, ACTOR), OcspSigned::from(batch).into()))
        .collect();
    Decision::record_all(events, Outcome::OcspRecorded)
}

fn revoked(
    at: Timestamp,
    reason: RevocationReason,
    command: Option<ApplicationId>,
    index: u64,
) -> Revoked {
    Revoked {
        revocation: Revocation { at, reason },
        command,
        index,
    }
}
