//! Renewals (R2, R3): at most one is open for a certificate, and lifecycle alone decides which.
//!
//! An order is known by its command for ever, so that it may come again, and is answered anew: what is
//! revoked is renewed no longer, though its renewal was opened. An order that was closed before it
//! came at all is remembered too, or a delayed one would open what nobody will ever close. On
//! delivery the old certificate is superseded in the very frame that closes its renewal, so that no
//! crash leaves two valid ones. Nothing here tells relying parties: CRL and OCSP do not know R3.

use lgpki_domain::{
    ApplicationId, Fault, NotRenewable, RenewalOutcome, RenewalWindow, RevocationReason, Serial,
    Timestamp,
};
use lgpki_ledger::Stamp;
use lgpki_store::{Decision, Span, StoreError, Tables, View};

use super::{
    event::{CertificateRevoked, LifecycleEvent, RenewalClosed, RenewalOpened},
    inventory::Inventory,
    machine::Outcome,
    record::Held,
};
use crate::ports::{Closed, RenewalEnd, RenewalOrder, is_over};

/// Application → [`Record`].
pub(crate) const RENEWALS: &str = "renewal";

/// What the index keeps of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    serial: Serial,
    /// When it was opened, or closed.
    at: Timestamp,
    /// How it ended; none while it is open.
    outcome: Option<RenewalOutcome>,
    /// Index of `renewal.opened`; none where it was given up before.
    opened: Option<u64>,
    /// Index of `renewal.closed`.
    closed: Option<u64>,
}

/// In the place of an index where there is none.
const NO_INDEX: u64 = u64::MAX;

impl Record {
    fn to_bytes(self) -> Vec<u8> {
        let mut out = self.serial.as_bytes().to_vec();
        out.extend(self.at.as_millis().to_be_bytes());
        out.push(match self.outcome {
            None => 0,
            Some(RenewalOutcome::Delivered) => 1,
            Some(RenewalOutcome::GivenUp) => 2,
        });
        for index in [self.opened, self.closed] {
            out.extend(index.unwrap_or(NO_INDEX).to_be_bytes());
        }
        out
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (serial, rest) = bytes.split_first_chunk::<16>()?;
        let (at, rest) = rest.split_first_chunk::<8>()?;
        let (outcome, rest) = rest.split_first()?;
        let outcome = match outcome {
            0 => None,
            1 => Some(RenewalOutcome::Delivered),
            2 => Some(RenewalOutcome::GivenUp),
            _ => return None,
        };
        let (opened, rest) = rest.split_first_chunk::<8>()?;
        let index = |bytes: [u8; 8]| {
            let index = u64::from_be_bytes(bytes);
            (index != NO_INDEX).then_some(index)
        };
        Some(Self {
            serial: Serial::from_bytes(serial)?,
            at: Timestamp::from_millis(i64::from_be_bytes(*at)),
            outcome,
            opened: index(*opened),
            closed: index(rest.try_into().ok()?),
        })
    }
}

/// The entries that opened and closed a renewal.
pub(super) fn entries(view: &View<'_>, command: ApplicationId) -> Vec<u64> {
    let known = known(view, command);
    let both = known.map(|known| [known.opened, known.closed]);
    both.into_iter().flatten().flatten().collect()
}

type Decided = Decision<LifecycleEvent, Outcome>;

/// Decides whether a renewal is opened.
pub(super) fn open(
    inventory: &Inventory,
    view: &View<'_>,
    order: &RenewalOrder,
    stamp: Stamp,
) -> Decided {
    let at = stamp.time;
    match may_open(inventory, view, order) {
        Err(fault) => Decision::answer(Outcome::RenewalOpened(Err(fault))),
        Ok(Some(before)) => Decision::answer(Outcome::RenewalOpened(Ok(before))),
        Ok(None) => {
            let event = RenewalOpened {
                application: order.command,
                serial: order.serial,
            };
            Decision::record(stamp, event, Outcome::RenewalOpened(Ok(at)))
        }
    }
}

/// Whether the order may be carried out; `Some` tells when it was already.
fn may_open(
    inventory: &Inventory,
    view: &View<'_>,
    order: &RenewalOrder,
) -> Result<Option<Timestamp>, Fault> {
    let serial = order.serial;
    if let Some(known) = known(view, order.command) {
        return match known.outcome {
            _ if known.serial != serial => Err(other_content(order.command, known.serial)),
            // Asked again before the new certificate is ordered; its end closes it.
            None => match inventory.held(serial).and_then(|held| held.revoked) {
                None => Ok(Some(known.at)),
                Some(revoked) => {
                    let at = revoked.revocation.at;
                    Err(NotRenewable::Revoked { at }.of(serial, "serial"))
                }
            },
            Some(_) => Err(Fault::new(
                "command_id",
                "RENEWAL_CLOSED",
                format!(
                    "the renewal {} was closed at {}; apply anew",
                    order.command, known.at
                ),
            )),
        };
    }
    let held = certificate(inventory, serial, "serial")?;
    if let Some(branch) = order.branch.filter(|branch| held.branch != Some(*branch)) {
        return Err(Fault::new(
            "branch",
            "CERTIFICATE_OF_ANOTHER_BRANCH",
            format!("the certificate {serial} was not issued to the branch {branch}"),
        ));
    }
    let revoked_at = held.revoked.map(|revoked| revoked.revocation.at);
    RenewalWindow::of(held.not_after.jst_date())
        .admits(order.applied_at, revoked_at)
        .map_err(|refused| refused.of(serial, "serial"))?;
    match inventory.renewal_of(serial) {
        None => Ok(None),
        Some(other) => Err(Fault::new(
            "serial",
            "RENEWAL_IS_OPEN",
            format!(
                "the certificate {serial} is being renewed by application {other}; wait for that one \
                 or withdraw it"
            ),
        )),
    }
}

/// Decides what the end of a renewal means.
pub(super) fn close(
    inventory: &Inventory,
    view: &View<'_>,
    end: &RenewalEnd,
    stamp: Stamp,
) -> Decided {
    let at = stamp.time;
    let answer = |outcome| Decision::answer(Outcome::RenewalClosed(outcome));
    match known(view, end.command) {
        Some(known) if known.serial != end.serial => {
            return answer(Err(other_content(end.command, known.serial)));
        }
        Some(Record {
            at,
            outcome: Some(outcome),
            ..
        }) => {
            return answer(if outcome == end.outcome {
                let superseded_at = superseded_by(inventory, end.command);
                Ok(Closed { at, superseded_at })
            } else {
                Err(other_content(end.command, end.serial))
            });
        }
        None if end.outcome == RenewalOutcome::Delivered => {
            return answer(Err(Fault::new(
                "command_id",
                "RENEWAL_UNKNOWN",
                format!("no renewal {} was ever opened", end.command),
            )));
        }
        // Given up before it was opened: remembered, so that no delayed order opens it.
        Some(_) | None => {}
    }
    let supersedes = match replaced(inventory, end, at) {
        Ok(supersedes) => supersedes,
        Err(fault) => return answer(Err(fault)),
    };
    let closed = RenewalClosed {
        application: end.command,
        outcome: end.outcome,
        replaced_by: end.new_serial.filter(|_| supersedes),
        serial: end.serial,
    };
    let mut events: Vec<(Stamp, LifecycleEvent)> = vec![(stamp.clone(), closed.into())];
    if supersedes {
        let revoked = CertificateRevoked {
            command: end.command,
            reason: RevocationReason::Superseded,
            revoked_at: at,
            serial: end.serial,
        };
        events.push((stamp, revoked.into()));
    }
    let superseded_at = supersedes.then_some(at);
    let outcome = Outcome::RenewalClosed(Ok(Closed { at, superseded_at }));
    Decision::record_all(events, outcome)
}

/// Whether the old certificate is superseded: it still stands, and so does the new one.
fn replaced(inventory: &Inventory, end: &RenewalEnd, at: Timestamp) -> Result<bool, Fault> {
    let Some(new) = end
        .new_serial
        .filter(|_| end.outcome == RenewalOutcome::Delivered)
    else {
        return Ok(false);
    };
    let new = certificate(inventory, new, "new_serial")?;
    let old = inventory.held(end.serial);
    Ok(new.revoked.is_none()
        && old.is_some_and(|old| old.revoked.is_none() && !is_over(old.not_after, at)))
}

/// Applies an opening.
pub(super) fn opened(
    inventory: &mut Inventory,
    tables: &mut Tables<'_>,
    body: &RenewalOpened,
    (index, at): (u64, Timestamp),
) {
    let record = Record {
        serial: body.serial,
        at,
        outcome: None,
        opened: Some(index),
        closed: None,
    };
    tables.put(RENEWALS, &body.application.to_bytes(), record.to_bytes());
    inventory.renewal_opened(body.serial, body.application);
}

/// Applies a closing.
pub(super) fn closed(
    inventory: &mut Inventory,
    tables: &mut Tables<'_>,
    body: &RenewalClosed,
    (index, at): (u64, Timestamp),
) {
    let opened = known(&tables.view(), body.application).and_then(|known| known.opened);
    let record = Record {
        serial: body.serial,
        at,
        outcome: Some(body.outcome),
        opened,
        closed: Some(index),
    };
    tables.put(RENEWALS, &body.application.to_bytes(), record.to_bytes());
    inventory.renewal_closed(body.serial, body.application);
}

/// Restores what is open.
pub(super) fn load(inventory: &mut Inventory, view: &View<'_>) -> Result<(), StoreError> {
    for (key, bytes) in view.scan(RENEWALS, &Span::all()) {
        let id = <[u8; 16]>::try_from(&*key).ok();
        let record = id.zip(Record::from_bytes(&bytes));
        let (id, record) =
            record.ok_or_else(|| StoreError::Corrupt("a record of a renewal".to_owned()))?;
        if record.outcome.is_none() {
            inventory.renewal_opened(record.serial, ApplicationId::from_bytes(id));
        }
    }
    Ok(())
}

/// Says what a key and its value are about, for people.
pub(super) fn describe(key: &[u8], value: &[u8]) -> (Option<Serial>, String, String) {
    let id = <[u8; 16]>::try_from(key).map(ApplicationId::from_bytes);
    let field = id.map_or_else(|_| "renewal".to_owned(), |id| format!("renewal {id}"));
    match Record::from_bytes(value) {
        None => (None, field, "damaged".to_owned()),
        Some(Record {
            serial,
            at,
            outcome,
            ..
        }) => {
            let state = match outcome {
                None => "open since",
                Some(RenewalOutcome::Delivered) => "delivered at",
                Some(RenewalOutcome::GivenUp) => "given up at",
            };
            (Some(serial), field, format!("{serial} {state} {at}"))
        }
    }
}

fn known(view: &View<'_>, command: ApplicationId) -> Option<Record> {
    Record::from_bytes(&view.get(RENEWALS, &command.to_bytes())?)
}

fn certificate<'a>(
    inventory: &'a Inventory,
    serial: Serial,
    field: &str,
) -> Result<&'a Held, Fault> {
    let held = inventory.held(serial).filter(|held| held.kind.is_some());
    held.ok_or_else(|| {
        let message =
            format!("no certificate with the serial number {serial} was issued; check the number");
        Fault::new(field, "CERTIFICATE_UNKNOWN", message)
    })
}

fn superseded_by(inventory: &Inventory, command: ApplicationId) -> Option<Timestamp> {
    let serial = inventory.revoked_by(command)?;
    Some(inventory.held(serial)?.revoked?.revocation.at)
}

fn other_content(command: ApplicationId, serial: Serial) -> Fault {
    Fault::new(
        "command_id",
        "COMMAND_OF_OTHER_CONTENT",
        format!(
            "the command {command} was given for the certificate {serial} in another way; another \
             order needs another command id"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_and_a_damaged_one_is_not_read() {
        for outcome in [None]
            .into_iter()
            .chain(RenewalOutcome::ALL.into_iter().map(Some))
        {
            let record = Record {
                serial: Serial::from_bytes(&[0x41; 16]).unwrap(),
                at: Timestamp::from_millis(1_280_761_200_001),
                outcome,
                opened: outcome.map(|_| 7),
                closed: Some(u64::MAX - 1),
            };
            let bytes = record.to_bytes();
            assert_eq!(Record::from_bytes(&bytes), Some(record));
            for length in 0..bytes.len() {
                assert_eq!(Record::from_bytes(&bytes[..length]), None, "{length}");
            }
            assert_eq!(Record::from_bytes(&[bytes, vec![0]].concat()), None);
        }
    }
}
