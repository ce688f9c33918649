//! Renewal slots as the store keeps them: which certificates may be renewed, and when they are advised to be.

use std::{collections::BTreeMap, future::Future};

use lgpki_domain::{
    BodyCode, CertificateKind, JstDate, RenewalWindow, Serial, Timestamp,
    slots::{Candidate, Move, Standing},
};

use super::{Cursor, is_over};
use crate::error::StoreError;

/// A certificate, as far as its renewal is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewable {
    /// Its serial number.
    pub serial: Serial,
    /// The branch.
    pub branch: Option<BodyCode>,
    /// Its kind.
    pub kind: CertificateKind,
    /// notAfter.
    pub not_after: Timestamp,
    /// Whether it is revoked.
    pub revoked: bool,
    /// Whether its renewal is open.
    pub renewing: bool,
    /// The day of its slot.
    pub slot: Option<JstDate>,
    /// How many slots it let pass.
    pub missed: u8,
}

impl Renewable {
    /// Its window.
    #[must_use]
    pub fn window(&self) -> RenewalWindow {
        RenewalWindow::of(self.not_after.jst_date())
    }

    /// Whether a branch may apply for its renewal at `now` or later.
    #[must_use]
    pub fn is_renewable(&self, now: Timestamp) -> bool {
        !self.revoked
            && !is_over(self.not_after, now)
            && self.branch.is_some()
            && CertificateKind::APPLICABLE.contains(&self.kind)
    }

    /// As the rounds of booking see it.
    #[must_use]
    pub fn standing(&self) -> Standing<Serial> {
        let window = self.window();
        Standing {
            candidate: Candidate {
                branch: self.branch,
                opens: window.opens(),
                last_day: window.last_day(),
                certificate: self.serial,
            },
            slot: self.slot,
        }
    }
}

/// Asks for certificates that may be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenewableQuery {
    /// Only of this branch.
    pub branch: Option<BodyCode>,
    /// Only with a slot on this day.
    pub slot_day: Option<JstDate>,
    /// Only those whose window has opened by this day, or that have a slot.
    pub opens_by: JstDate,
    /// The time.
    pub now: Timestamp,
}

/// Slots to be booked. Each move is carried out if the certificate still stands, is not being renewed, and
/// has the slot that the move takes it from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotOrder {
    /// What changes.
    pub moves: Vec<Move<Serial>>,
    /// The capacity by which all slots are booked from here on, where it differs from before.
    pub per_business_day: Option<u32>,
}

/// What became of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotBooking {
    /// Slots booked.
    pub booked: usize,
    /// Slots that were let pass.
    pub missed: usize,
}

/// The slots, and the keys that sign their tokens.
pub trait SlotStore {
    /// What is known of one certificate; none where there is none.
    fn renewable(
        &self,
        serial: Serial,
    ) -> impl Future<Output = Result<Option<Renewable>, StoreError>> + Send;

    /// At most `limit` certificates after `after`, by expiry and serial number; the cursor is that of the
    /// last one where there may be more.
    fn renewables(
        &self,
        query: RenewableQuery,
        after: Option<Cursor>,
        limit: usize,
    ) -> impl Future<Output = Result<(Vec<Renewable>, Option<Cursor>), StoreError>> + Send;

    /// The certificates whose slot was before `day`.
    fn slots_before(
        &self,
        day: JstDate,
    ) -> impl Future<Output = Result<Vec<Renewable>, StoreError>> + Send;

    /// How many slots there are on each day that has any.
    fn slot_load(&self) -> impl Future<Output = Result<BTreeMap<JstDate, u32>, StoreError>> + Send;

    /// The capacity by which slots were booked last.
    fn slot_capacity(&self) -> impl Future<Output = Result<Option<u32>, StoreError>> + Send;

    /// Books slots; durable when it answers.
    fn book_slots(
        &self,
        order: SlotOrder,
        at: Timestamp,
    ) -> impl Future<Output = Result<SlotBooking, StoreError>> + Send;

    /// Records a key that will sign tokens; durable when it answers.
    fn add_slot_key(
        &self,
        public: [u8; 32],
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The public keys whose tokens may still hold, the newest last.
    fn slot_keys(&self) -> impl Future<Output = Result<Vec<[u8; 32]>, StoreError>> + Send;
}
