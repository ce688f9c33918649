//! What is decided about CRLs: whose number comes next, and whether a list was signed before.
//!
//! A number is taken by its intent, whatever becomes of it. Within a CA key and scope numbers rise by
//! one; only a delta CRL may share the number of the complete CRL signed just before it, and then
//! their thisUpdate must be the same (RFC 5280 §5.2.3).

use lgpki_domain::CrlNumber;
use lgpki_store::{Decision, View};

use super::{CrlState, IssuerMachine, Outcome, decide::Decided};
use crate::{
    event::{Cause, CrlAbandoned, CrlIntended, CrlSigned, IssuerEvent},
    ports::{CrlOutcome, EndCrl, Epoch, IntendCrl},
};

impl IssuerMachine {
    /// Closes the intents that are open.
    pub(super) fn open_crls(&self, cause: Cause, epoch: u64) -> Vec<CrlAbandoned> {
        let mut abandoned = Vec::new();
        for (key, state) in &self.authorities {
            for (scope, crl) in &state.crls {
                let Some(open) = &crl.open else { continue };
                abandoned.push(CrlAbandoned {
                    authority: key.authority,
                    cause: cause.name().to_owned(),
                    delta: open.delta,
                    epoch,
                    generation: key.generation,
                    intent: open.index,
                    number: open.number,
                    scope: *scope,
                    tbs_digest: open.tbs_digest,
                });
            }
        }
        abandoned
    }

    pub(super) fn intend_crl(&self, view: &View<'_>, epoch: Epoch, intend: IntendCrl) -> Decided {
        let answer = |outcome| Decision::answer(Outcome::Crl(outcome));
        let of = intend.of;
        let Some(state) = self.authorities.get(&of.key) else {
            return answer(CrlOutcome::NoAuthority);
        };
        let none = CrlState::default();
        let crl = state.crls.get(&of.scope).unwrap_or(&none);
        let number = intend.number.0;
        let same = |of: u64, digest| of == number && digest == intend.tbs_digest;
        let last = if of.delta {
            &crl.signed_delta
        } else {
            &crl.signed
        };
        if let Some(last) = last.as_ref().filter(|l| same(l.number, l.tbs_digest)) {
            return answer(CrlOutcome::Signed(last.signed()));
        }
        let next = CrlNumber(crl.highest).next();
        match &crl.open {
            Some(open) if same(open.number, open.tbs_digest) => {
                return answer(CrlOutcome::InProgress);
            }
            Some(_) => return answer(CrlOutcome::NotNext { next }),
            None => {}
        }
        if intend.number != next && !is_beside(crl, &intend) {
            return answer(CrlOutcome::NotNext { next });
        }
        let event = CrlIntended {
            authority: of.key.authority,
            base: intend.base.map(|base| base.0),
            entries: intend.entries,
            epoch: epoch.0,
            generation: of.key.generation,
            next_update: intend.next_update,
            number,
            scope: of.scope,
            tbs_digest: intend.tbs_digest,
            this_update: intend.this_update,
        };
        let index = view.next_index();
        let outcome = Outcome::Crl(CrlOutcome::Intended {
            index,
            evidence: None,
        });
        Decision::record(intend.stamp, event, outcome)
    }

    pub(super) fn end_crl(&self, view: &View<'_>, epoch: Epoch, end: EndCrl) -> Decided {
        let of = end.of;
        let open = self
            .authorities
            .get(&of.key)
            .and_then(|state| state.crls.get(&of.scope)?.open)
            .filter(|open| {
                let digest = open.tbs_digest == end.tbs_digest;
                open.number == end.number.0 && open.delta == of.delta && digest
            });
        let Some(open) = open else {
            return Decision::answer(Outcome::CrlEnded(None));
        };
        let event = match end.result {
            Ok((signature, algorithm)) => CrlSigned {
                algorithm: algorithm.to_owned(),
                authority: of.key.authority,
                delta: of.delta,
                epoch: epoch.0,
                generation: of.key.generation,
                intent: open.index,
                number: end.number.0,
                scope: of.scope,
                signature,
                tbs_digest: end.tbs_digest,
            }
            .into(),
            Err(cause) => IssuerEvent::from(CrlAbandoned {
                authority: of.key.authority,
                cause: cause.name().to_owned(),
                delta: of.delta,
                epoch: epoch.0,
                generation: of.key.generation,
                intent: open.index,
                number: end.number.0,
                scope: of.scope,
                tbs_digest: end.tbs_digest,
            }),
        };
        let index = view.next_index();
        Decision::record(end.stamp, event, Outcome::CrlEnded(Some(index)))
    }
}

/// Whether this is the delta CRL that goes with the complete CRL signed last, the first under its
/// number.
fn is_beside(crl: &CrlState, intend: &IntendCrl) -> bool {
    let number = intend.number.0;
    intend.of.delta
        && number == crl.highest
        && number > crl.highest_delta
        && crl
            .signed
            .as_ref()
            .is_some_and(|last| last.number == number)
        && crl.this_update == intend.this_update.as_millis()
}
