//! The applications: live ones in memory with the orders in which they wait, all of them in the
//! tables.
//!
//! Live is what is open, or issued and not yet handed over. Everything here follows from the
//! tables, so that a restart finds it again; CSRs and certificates are kept as long as they are at
//! hand and are otherwise read from the log.

mod apply;
mod decide;
mod delivered;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use lgpki_domain::{
    ApplicationId, BodyCode, Digest, RequestId, Serial, Timestamp, application::State,
};
use lgpki_store::{StoreError, View};
use parking_lot::{Mutex, MutexGuard};

use crate::ports::Lane;

pub(crate) use self::apply::At;
use self::delivered::Delivered;
use super::{
    command::{Held, Snapshot},
    listing::Listing,
    origin::{Origin, Origins},
    recent::Recent,
    record::{Claim, Record, RenewalOf, STATES, number},
    tables::{APPLICATION, LONG, ORIGIN},
    waitlist::Waitlist,
};

/// All applications.
#[derive(Debug, Default)]
pub(crate) struct Applications {
    live: BTreeMap<ApplicationId, Live>,
    /// What waits for an examiner or the issuer. Readers look at it too, and tell it what is not durable.
    waitlist: Mutex<Waitlist>,
    /// What waits for lifecycle.
    ending: BTreeSet<Turn>,
    issuing: Lanes,
    /// Issued and not handed over, by time of issue.
    issued: BTreeSet<(Timestamp, ApplicationId)>,
    /// The newest live application for a subject and kind.
    subjects: HashMap<Digest, ApplicationId>,
    delivered: Delivered,
    /// The renewal of a certificate that was not given up and whose end lifecycle does not know.
    renewals: HashMap<Serial, ApplicationId>,
    /// Renewals about which lifecycle must be told something.
    outbox: BTreeSet<(u64, ApplicationId)>,
    /// The open revocation of a certificate, by whether it is urgent: an urgent one does not wait for one that
    /// is not.
    revocations: HashMap<(Serial, bool), ApplicationId>,
    counts: [u64; STATES.len()],
    listing: Listing,
    origins: Origins,
    recent: Recent,
}

#[derive(Debug)]
struct Live {
    record: Record,
    held: Held,
}

/// The place of an application among the revocations, or among the claimed: urgent ones first, then by the
/// entry that brought them there; of one entry, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    waits: bool,
    changed: u64,
    id: ApplicationId,
}

impl Turn {
    const fn of(id: ApplicationId, record: &Record) -> Self {
        Self {
            waits: !record.urgent,
            changed: record.changed,
            id,
        }
    }
}

/// The claimed of the two queues.
#[derive(Debug, Default)]
struct Lanes {
    certificates: BTreeSet<Turn>,
    revocations: BTreeSet<Turn>,
}

impl Lanes {
    const fn of(&self, lane: Lane) -> &BTreeSet<Turn> {
        match lane {
            Lane::Certificates => &self.certificates,
            Lane::Revocations => &self.revocations,
        }
    }

    const fn for_record(&mut self, record: &Record) -> &mut BTreeSet<Turn> {
        match Lane::of(record.sort) {
            Lane::Certificates => &mut self.certificates,
            Lane::Revocations => &mut self.revocations,
        }
    }
}

/// What the index holds cannot be read.
pub(crate) type Corrupt = String;

impl Applications {
    /// All applications of the tables; in the order and at the pace of those `before`.
    pub(crate) fn load(view: &View<'_>, before: &Self) -> Result<Self, StoreError> {
        let mut all = Self {
            recent: Recent::starting_at(view.next_index()),
            waitlist: Mutex::new(before.waitlist().emptied()),
            ..Self::default()
        };
        all.load_origins(view)?;
        let corrupt = |at| StoreError::Corrupt(format!("intake: the record of entry {at}"));
        view.each_packed(APPLICATION, |received, bytes| {
            let (id, record) = read(view, received, bytes).ok_or_else(|| corrupt(received))?;
            all.count(&record.state, true);
            if record.is_live() {
                all.enter(id, &record);
                all.waitlist.get_mut().follow(id, &record, None, None);
                let held = Held::default();
                all.live.insert(id, Live { record, held });
            }
            Ok(())
        })?;
        Ok(all)
    }

    /// Restores the listing and the memory of request ids and keys.
    fn load_origins(&mut self, view: &View<'_>) -> Result<(), StoreError> {
        view.each_packed(ORIGIN, |received, bytes| {
            let read = Origin::decode(bytes);
            let (branch, id, origin) =
                read.ok_or_else(|| StoreError::Corrupt(format!("intake: origin {received}")))?;
            self.listing.note(branch, id, received);
            let before = self.origins.note(branch, id, &origin);
            // Of several that came with a key, all but one were given up.
            if let Some(before) = before
                && !self
                    .is_given_up(view, before)
                    .map_err(StoreError::Corrupt)?
            {
                self.origins.note_key(before, &origin);
            }
            Ok(())
        })
    }

    /// An application as it stands.
    pub(crate) fn find(
        &self,
        view: &View<'_>,
        id: ApplicationId,
    ) -> Result<Option<Snapshot>, Corrupt> {
        if let Some(live) = self.live.get(&id) {
            return Ok(Some(live.snapshot(id)));
        }
        let Some(received) = self.listing.received(id) else {
            return Ok(None);
        };
        let found = view
            .get_packed(APPLICATION, received)
            .and_then(|bytes| read(view, received, &bytes))
            .filter(|(found, _)| *found == id);
        let (_, record) =
            found.ok_or_else(|| format!("the record of application {id} is unreadable"))?;
        Ok(Some(Snapshot {
            id,
            record,
            held: Held::default(),
        }))
    }

    /// The record of a live application.
    pub(crate) fn live(&self, id: ApplicationId) -> Option<&Record> {
        self.live.get(&id).map(|live| &live.record)
    }

    /// The application of a request id, and its content's digest.
    pub(crate) fn by_request(
        &self,
        view: &View<'_>,
        branch: Option<BodyCode>,
        request: &RequestId,
    ) -> Result<Option<(ApplicationId, Digest)>, Corrupt> {
        let Some(id) = self.origins.by_request(branch, request) else {
            return Ok(None);
        };
        let received = self.listing.received(id);
        let origin = received
            .and_then(|received| view.get_packed(ORIGIN, received))
            .and_then(|bytes| Origin::decode(&bytes));
        let (_, _, origin) = origin.ok_or_else(|| format!("the origin of application {id}"))?;
        Ok((origin.request == *request).then_some((id, origin.content)))
    }

    /// The application that stands in the way of another one with this key.
    pub(crate) fn key_used_by(
        &self,
        view: &View<'_>,
        key: &Digest,
    ) -> Result<Option<ApplicationId>, Corrupt> {
        match self.origins.by_key(key) {
            Some(id) if !self.is_given_up(view, id)? => Ok(Some(id)),
            _ => Ok(None),
        }
    }

    /// Whether the application ended without a certificate, so that its key may come again.
    fn is_given_up(&self, view: &View<'_>, id: ApplicationId) -> Result<bool, Corrupt> {
        Ok(self.find(view, id)?.is_none_or(|found| {
            matches!(
                found.record.state,
                State::Rejected { .. } | State::Withdrawn { .. } | State::Failed { .. }
            )
        }))
    }

    /// An open application for the subject and kind.
    pub(crate) fn open_for_subject(&self, key: &Digest) -> Option<ApplicationId> {
        let id = *self.subjects.get(key)?;
        self.live.get(&id)?.record.state.is_open().then_some(id)
    }

    /// The application that renews the certificate.
    pub(crate) fn renewed_by(&self, serial: Serial) -> Option<ApplicationId> {
        self.renewals.get(&serial).copied()
    }

    /// The application that ends the certificate, and whether it is urgent.
    pub(crate) fn ended_by(&self, serial: Serial) -> Option<(ApplicationId, bool)> {
        let one = |urgent| Some((*self.revocations.get(&(serial, urgent))?, urgent));
        one(true).or_else(|| one(false))
    }

    /// Whether the certificate will be revoked: an end of it is approved and not answered.
    pub(super) fn is_about_to_end(&self, serial: Serial) -> bool {
        [true, false].into_iter().any(|urgent| {
            let end = self.revocations.get(&(serial, urgent));
            let state = end.and_then(|id| Some(&self.live.get(id)?.record.state));
            state.is_some_and(|state| {
                matches!(
                    state,
                    State::Approved { .. } | State::Queued { .. } | State::Issuing { .. }
                )
            })
        })
    }

    /// What an application renews.
    pub(crate) fn renewal(&self, id: ApplicationId) -> Option<RenewalOf> {
        self.live.get(&id)?.record.renewal
    }

    /// Renewals about which lifecycle must be told something, in the order of the log.
    pub(crate) fn outbox(&self) -> impl Iterator<Item = (ApplicationId, &Record)> {
        self.outbox
            .iter()
            .filter_map(|(_, id)| Some((*id, &self.live.get(id)?.record)))
    }

    /// Whether any application of the queue waits to be claimed.
    pub(crate) fn is_queued(&self, lane: Lane) -> bool {
        match lane {
            Lane::Certificates => !self.waitlist().nothing_to_issue(),
            Lane::Revocations => !self.ending.is_empty(),
        }
    }

    /// The queues with an order.
    pub(crate) fn waitlist(&self) -> MutexGuard<'_, Waitlist> {
        self.waitlist.lock()
    }

    /// Claimed applications of a queue in order.
    pub(crate) fn issuing(&self, lane: Lane) -> impl Iterator<Item = (ApplicationId, &Record)> {
        self.issuing
            .of(lane)
            .iter()
            .filter_map(|turn| Some((turn.id, &self.live.get(&turn.id)?.record)))
    }

    /// Applications issued before `before` and not handed over, oldest first.
    pub(crate) fn issued_before(&self, before: Timestamp) -> impl Iterator<Item = ApplicationId> {
        self.issued
            .iter()
            .take_while(move |(at, _)| *at < before)
            .map(|(_, id)| *id)
    }

    /// Live applications in order of receipt, after `after`.
    pub(crate) fn live_after(
        &self,
        after: Option<ApplicationId>,
    ) -> impl Iterator<Item = (ApplicationId, &Record)> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.live
            .range((after.map_or(Unbounded, Excluded), Unbounded))
            .map(|(id, live)| (*id, &live.record))
    }

    pub(crate) fn counts(&self) -> Vec<(&'static str, u64)> {
        STATES.into_iter().zip(self.counts).collect()
    }

    pub(crate) const fn listing(&self) -> &Listing {
        &self.listing
    }

    pub(crate) const fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Takes a live application into the orders of its state and lays its claim.
    fn enter(&mut self, id: ApplicationId, record: &Record) {
        match &record.state {
            State::Queued { .. } if Lane::of(record.sort) == Lane::Revocations => {
                self.ending.insert(Turn::of(id, record));
            }
            State::Issuing { .. } => {
                self.issuing.for_record(record).insert(Turn::of(id, record));
            }
            State::Issued { at, .. } => {
                self.issued.insert((*at, id));
            }
            _ => {}
        }
        if record.is_due() {
            self.outbox.insert((record.changed, id));
        }
        if let Some(renewal) = record.renews() {
            self.renewals.insert(renewal.serial, id);
        }
        if record.state.is_final() {
            return;
        }
        match &record.claim {
            Claim::Subject(key) => {
                // Of an issued one and an open one, the open one stands in the way.
                let other = self
                    .subjects
                    .get(key)
                    .and_then(|other| self.live.get(other));
                if record.state.is_open() || other.is_none_or(|o| !o.record.state.is_open()) {
                    self.subjects.insert(*key, id);
                }
            }
            Claim::Revocation(serial) => {
                self.revocations.insert((*serial, record.urgent), id);
            }
        }
    }

    /// Takes an application out of the orders of its state.
    fn leave(&mut self, id: ApplicationId, record: &Record) {
        match &record.state {
            State::Queued { .. } => {
                self.ending.remove(&Turn::of(id, record));
            }
            State::Issuing { .. } => {
                self.issuing
                    .for_record(record)
                    .remove(&Turn::of(id, record));
            }
            State::Issued { at, .. } => {
                self.issued.remove(&(*at, id));
            }
            _ => {}
        }
        self.outbox.remove(&(record.changed, id));
        if let Some(renewal) = record.renews()
            && self.renewals.get(&renewal.serial) == Some(&id)
        {
            self.renewals.remove(&renewal.serial);
        }
    }

    /// Gives up what a closed application claimed.
    fn release(&mut self, id: ApplicationId, record: &Record) {
        match &record.claim {
            Claim::Subject(key) => {
                if let Some(certificate) = &record.certificate {
                    self.delivered.note(*key, certificate.issuer);
                }
                if self.subjects.get(key) == Some(&id) {
                    self.subjects.remove(key);
                }
            }
            Claim::Revocation(serial) => {
                let end = (*serial, record.urgent);
                if self.revocations.get(&end) == Some(&id) {
                    self.revocations.remove(&end);
                }
            }
        }
    }

    fn count(&mut self, state: &State, up: bool) {
        if let Some(count) = self.counts.get_mut(number(state)) {
            *count = if up {
                count.saturating_add(1)
            } else {
                count.saturating_sub(1)
            };
        }
    }
}

impl Live {
    fn snapshot(&self, id: ApplicationId) -> Snapshot {
        Snapshot {
            id,
            record: self.record.clone(),
            held: self.held.clone(),
        }
    }
}

/// The application of a value of the table, and its record.
fn read(view: &View<'_>, received: u64, bytes: &[u8]) -> Option<(ApplicationId, Record)> {
    let (id, record) = bytes.split_first_chunk::<16>()?;
    let record = if record.is_empty() {
        Record::decode(&view.get(LONG, &received.to_be_bytes())?)
    } else {
        Record::decode(record)
    };
    Some((ApplicationId::from_bytes(*id), record?))
}
