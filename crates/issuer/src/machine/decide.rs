//! What each command yields: events to record, or an answer.
//!
//! The epoch was compared before; here it only enters the entries.

use lgpki_domain::{AuthorityKey, CertificateKind, Faults};
use lgpki_ledger::Stamp;
use lgpki_store::{Decision, View};

use super::{ApplicationRecord, IntentStep, IssuerMachine, OpenIntent, Outcome, Settled};
use crate::{
    event::{
        Abandoned, AddressesText, AuthorityAbandoned, AuthorityCreated, AuthorityIntended, Cause,
        EpochOpened, Intended, Issued, IssuerEvent,
    },
    ports::{
        AuthorityOutcome, Ending, EndingOutcome, Epoch, Intend, IntendAuthority, NewAuthority,
        NewCertificate, Opened, Proposal,
    },
};

pub(super) type Decided = Decision<IssuerEvent, Outcome>;

/// The version of the profiles and of the lint; it rises when either changes.
pub(crate) const PROFILE_VERSION: u32 = 1;

impl IssuerMachine {
    pub(super) fn open_epoch(&self, stamp: &Stamp) -> Decided {
        let epoch = self.epoch.0 + 1;
        let opened = EpochOpened {
            epoch,
            program: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let mut events = vec![(stamp.clone(), opened.into())];
        let cause = Cause::EpochClosed.name().to_owned();
        for (key, open) in &self.open_authorities {
            let abandoned = AuthorityAbandoned {
                authority: key.authority,
                generation: key.generation,
                cause: cause.clone(),
                epoch,
                intent: open.index,
                serial: open.serial,
            };
            events.push((stamp.clone(), abandoned.into()));
        }
        for (application, intent) in self.open.in_order() {
            let abandoned = abandoned(application, intent, Cause::EpochClosed, epoch);
            events.push((stamp.clone(), abandoned.into()));
        }
        for abandoned in self.open_crls(Cause::EpochClosed, epoch) {
            events.push((stamp.clone(), abandoned.into()));
        }
        let opened = Opened {
            epoch: Epoch(epoch),
            abandoned: events.len() - 1,
        };
        Decision::record_all(events, Outcome::Opened(opened))
    }

    pub(super) fn intend(&self, view: &View<'_>, epoch: Epoch, intend: Intend) -> Decided {
        if let Some(known) = self.known(view, &intend) {
            return Decision::answer(Outcome::Intent(known));
        }
        let refused = |faults| Decision::answer(Outcome::Intent(IntentStep::Refused(faults)));
        let proposal = match intend.proposal {
            Ok(proposal) => proposal,
            Err(faults) => return refused(faults),
        };
        if proposal.kind.is_ca() {
            if let Some(faults) = self.ca_key_refused(&proposal) {
                return refused(faults);
            }
        } else if self.key_is_taken(proposal.key_digest, intend.application) {
            return refused(one_fault(
                "order.subject_public_key_info",
                "KEY_CERTIFIED_BEFORE",
                "this key was certified before; make a new key pair and a new CSR",
            ));
        }
        let Proposal {
            authority,
            generation,
            branch,
            kind,
            scope,
            key_digest,
            serial,
            validity,
            tbs,
        } = proposal;
        let intended = Intended {
            application: intend.application,
            attempt: intend.attempt,
            authority,
            branch,
            content_digest: intend.content_digest,
            epoch: epoch.0,
            generation,
            key_digest,
            kind,
            not_after: validity.not_after(),
            not_before: validity.not_before(),
            profile: PROFILE_VERSION,
            scope,
            serial,
            tbs,
        };
        let index = view.next_index();
        let outcome = Outcome::Intent(IntentStep::Intended { index });
        Decision::record(intend.stamp, intended, outcome)
    }

    /// Why a CA certificate may not be made for this key: a link is for a key of the same CA, a cross
    /// certificate for one that neither a CA here nor a subscriber has.
    fn ca_key_refused(&self, proposal: &Proposal) -> Option<Faults> {
        let mut own = self.authorities.iter();
        let own = own.find(|(_, state)| state.created.key_digest == proposal.key_digest);
        let is_link = proposal.kind == CertificateKind::Link;
        match own {
            Some((key, _)) if is_link && key.authority == proposal.authority => None,
            None if !is_link && !self.key_is_a_subscribers(proposal.key_digest) => None,
            _ => Some(one_fault(
                "certificate",
                "KEY_CERTIFIED_BEFORE",
                "this key is a CA's own or was certified for a subscriber before; it cannot be \
                 another CA's",
            )),
        }
    }

    /// What the order gets because of what happened before, if that settles it.
    fn known(&self, view: &View<'_>, intend: &Intend) -> Option<IntentStep> {
        let other_content = || {
            IntentStep::Refused(one_fault(
                "order.content_digest",
                "ISSUANCE_OTHER_CONTENT",
                "another content was ordered under this application's number before; an application \
                 never changes",
            ))
        };
        if let Some(open) = self.open.get(intend.application) {
            return Some(if open.content_digest == intend.content_digest {
                IntentStep::InProgress {
                    attempt: open.attempt,
                }
            } else {
                other_content()
            });
        }
        let ApplicationRecord {
            settled,
            attempt,
            content_digest,
            index,
            ..
        } = self.application(view, intend.application)?;
        if content_digest != intend.content_digest {
            return Some(other_content());
        }
        match settled {
            Settled::Issued => Some(IntentStep::Issued { index }),
            Settled::Abandoned if attempt >= intend.attempt => {
                Some(IntentStep::Abandoned { attempt })
            }
            Settled::Abandoned => None,
        }
    }

    pub(super) fn end(&self, view: &View<'_>, epoch: Epoch, ending: Ending) -> Decided {
        let outcome = Outcome::Ended(EndingOutcome::Recorded {
            index: view.next_index(),
        });
        match ending {
            Ending::Issued(new) => {
                let fits = self.open.get(new.application).is_some_and(|open| {
                    open.index == new.intent
                        && open.attempt == new.attempt
                        && open.serial == new.serial
                });
                if !fits {
                    return Decision::answer(Outcome::Ended(EndingOutcome::NotOpen));
                }
                let stamp = new.stamp.clone();
                Decision::record(stamp, issued(*new, epoch), outcome)
            }
            Ending::Abandoned {
                application,
                attempt,
                cause,
                stamp,
            } => match self.open.get(application) {
                Some(open) if open.attempt == attempt => {
                    let event = abandoned(application, open, cause, epoch.0);
                    Decision::record(stamp, event, outcome)
                }
                _ => Decision::answer(Outcome::Ended(EndingOutcome::NotOpen)),
            },
        }
    }

    pub(super) fn intend_authority(
        &self,
        view: &View<'_>,
        epoch: Epoch,
        intend: IntendAuthority,
    ) -> Decided {
        let key = AuthorityKey::new(intend.authority, intend.generation);
        if self.authorities.contains_key(&key) {
            return Decision::answer(Outcome::Authority(AuthorityOutcome::Exists));
        }
        if self.open_authorities.contains_key(&key) {
            return Decision::answer(Outcome::Authority(AuthorityOutcome::NotOpen));
        }
        let event = AuthorityIntended {
            authority: intend.authority,
            epoch: epoch.0,
            generation: intend.generation,
            key_digest: intend.key_digest,
            serial: intend.serial,
            tbs: intend.tbs,
        };
        let index = view.next_index();
        let outcome = Outcome::Authority(AuthorityOutcome::Recorded {
            index,
            evidence: None,
        });
        Decision::record(intend.stamp, event, outcome)
    }

    pub(super) fn create_authority(
        &self,
        view: &View<'_>,
        epoch: Epoch,
        new: NewAuthority,
    ) -> Decided {
        let NewAuthority {
            record,
            serial,
            stamp,
        } = new;
        let answer = |outcome| Decision::answer(Outcome::Authority(outcome));
        let key = record.key();
        if self.authorities.contains_key(&key) {
            return answer(AuthorityOutcome::Exists);
        }
        let open = self.open_authorities.get(&key);
        if open.is_none_or(|o| o.serial != serial || o.key_digest != record.key_digest) {
            return answer(AuthorityOutcome::NotOpen);
        }
        let event = AuthorityCreated {
            addresses: AddressesText {
                ca_certificate: record.addresses.ca_certificate,
                cps: record.addresses.cps,
                crl: record.addresses.crl,
                ocsp: record.addresses.ocsp,
            },
            algorithm: record.algorithm,
            authority: record.authority,
            certificate: record.certificate,
            crl_delta: record.crl_options.delta,
            crl_partitions: record.crl_options.partitions,
            epoch: epoch.0,
            generation: record.generation,
            key_digest: record.key_digest,
            serial,
        };
        let index = view.next_index();
        let outcome = Outcome::Authority(AuthorityOutcome::Recorded {
            index,
            evidence: None,
        });
        Decision::record(stamp, event, outcome)
    }
}

fn one_fault(field: &str, reason: &'static str, message: &str) -> Faults {
    let mut faults = Faults::new();
    faults.push(field, reason, message);
    faults
}

fn issued(new: NewCertificate, epoch: Epoch) -> Issued {
    Issued {
        application: new.application,
        attempt: new.attempt,
        authority: new.authority,
        branch: new.branch,
        certificate: new.der,
        epoch: epoch.0,
        generation: new.generation,
        intent: new.intent,
        key_digest: new.key_digest,
        kind: new.kind,
        not_after: new.validity.not_after(),
        not_before: new.validity.not_before(),
        scope: new.scope,
        serial: new.serial,
        subject: (&new.subject).into(),
    }
}

fn abandoned(
    application: lgpki_domain::ApplicationId,
    open: &OpenIntent,
    cause: Cause,
    epoch: u64,
) -> Abandoned {
    Abandoned {
        application,
        attempt: open.attempt,
        authority: open.authority,
        cause: cause.name().to_owned(),
        epoch,
        generation: open.generation,
        intent: open.index,
        not_after: open.not_after,
        scope: open.scope,
        serial: open.serial,
    }
}
