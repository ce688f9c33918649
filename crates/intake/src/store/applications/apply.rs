//! Applying what was recorded: to the memory, to the tables. Cannot fail.

use std::sync::Arc;

use lgpki_domain::{ApplicationId, OfficerRole, Timestamp, application::State};
use lgpki_store::{MAX_RECORD_BYTES, Tables};

use super::{Applications, Live};
use crate::{
    store::{
        command::{Content as HeldContent, Held},
        event::{Content, IssuedBody, Received, ReceivedBody},
        origin::Origin,
        record::{CertificateAt, Claim, Record},
        renewals::renewal_of,
        step::{Step, advance},
        tables::{APPLICATION, LONG, ORIGIN},
        trail::Trail,
        waitlist::Waitlist,
    },
    subject_key::subject_key,
};

/// When and where something was recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub(crate) index: u64,
    pub(crate) time: Timestamp,
}

/// The record of a new application, before any approval.
pub(super) fn new_record(body: &ReceivedBody, actor: &str, claim: Claim, at: At) -> Record {
    let received = State::Received { at: at.time };
    let renewal = renewal_of(body);
    let (kind, urgent) = match &body.content {
        Content::Issue(issue) => (issue.kind, false),
        Content::Revoke(revoke) => (revoke.kind, revoke.reason.is_urgent()),
    };
    Record {
        branch: body.branch,
        sort: body.sort,
        kind,
        urgent,
        by_operator: actor.split('/').next() == Some(OfficerRole::Operator.name()),
        received: at.index,
        changed: at.index,
        trail: Trail::default(),
        claim,
        certificate: None,
        received_at: at.time,
        renewal,
        state: match body.approvals_needed {
            // A renewal waits until lifecycle has opened it.
            _ if renewal.is_some() => received,
            0 => received,
            needed => State::Examining {
                at: at.time,
                approved_by: Vec::new(),
                needed,
            },
        },
    }
}

impl Applications {
    pub(crate) fn apply_received(
        &mut self,
        tables: &mut Tables<'_>,
        event: &Received,
        actor: &str,
        at: At,
    ) {
        let body = &event.0;
        let id = body.application;
        let (claim, key) = match &body.content {
            Content::Issue(issue) => {
                let subject = subject_key(issue.kind, &issue.subject);
                (Claim::Subject(subject), Some(issue.key_digest))
            }
            Content::Revoke(revoke) => (Claim::Revocation(revoke.serial), None),
        };
        let origin = Origin {
            request: body.request.clone(),
            content: body.content_digest,
            key,
        };
        let record = new_record(body, actor, claim, at);
        tables.put_packed(ORIGIN, at.index, &origin.encode(body.branch, id));
        self.origins.note(body.branch, id, &origin);
        self.listing.note(body.branch, id, at.index);
        write(tables, id, &record);
        self.count(&record.state, true);
        self.enter(id, &record);
        self.waitlist.get_mut().follow(id, &record, None, None);
        let held = Held {
            received: Some(HeldContent {
                body: Arc::clone(body),
                actor: actor.into(),
                at: at.time,
                slim: false,
            }),
            issued: None,
        };
        self.live.insert(id, Live { record, held });
        self.recent.note(at.index, body.branch, id);
    }

    pub(crate) fn apply_issued(
        &mut self,
        tables: &mut Tables<'_>,
        body: &Arc<IssuedBody>,
        issuer: u64,
        at: At,
    ) {
        if let Some(live) = self.live.get_mut(&body.application) {
            live.record.certificate = Some(CertificateAt {
                issued: at.index,
                issuer,
            });
            live.held.issued = Some(Arc::clone(body));
            // The CSR has done its duty.
            live.held.received = live.held.received.take().map(HeldContent::into_slim);
        }
        self.apply_step(tables, body.application, Step::Issue(body.serial), at);
    }

    pub(crate) fn apply_one(
        &mut self,
        tables: &mut Tables<'_>,
        id: ApplicationId,
        step: Step,
        at: At,
    ) {
        self.apply_step(tables, id, step, at);
    }

    pub(crate) fn apply_all(
        &mut self,
        tables: &mut Tables<'_>,
        ids: impl Iterator<Item = ApplicationId>,
        step: &Step,
        at: At,
    ) {
        for id in ids {
            self.apply_step(tables, id, step.clone(), at);
        }
    }

    fn apply_step(&mut self, tables: &mut Tables<'_>, id: ApplicationId, step: Step, at: At) {
        // What was recorded was decided on this very state, so both are there.
        let Some(mut live) = self.live.remove(&id) else {
            debug_assert!(false, "{id} is not live");
            return;
        };
        self.leave(id, &live.record);
        self.count(&live.record.state, false);
        let awaited = Waitlist::awaited(&live.record);
        let worked = matches!(step, Step::Claim | Step::Approve(_) | Step::Reject(_));
        match advance(live.record.state.clone(), at.time, step) {
            Ok(state) => live.record.state = state,
            Err(e) => debug_assert!(false, "{id}: {e}"),
        }
        live.record.changed = at.index;
        live.record.trail.add(at.index);
        self.recent.note(at.index, live.record.branch, id);
        self.count(&live.record.state, true);
        let waitlist = self.waitlist.get_mut();
        waitlist.follow(id, &live.record, awaited, worked.then_some(at.time));
        write(tables, id, &live.record);
        if live.record.state.is_final() {
            self.release(id, &live.record);
        }
        if live.record.is_live() {
            self.enter(id, &live.record);
            self.live.insert(id, live);
        }
    }

    /// Lifecycle knows how these renewals ended; memory may forget them.
    pub(crate) fn apply_closed(&mut self, tables: &mut Tables<'_>, ids: &[ApplicationId], at: At) {
        for id in ids {
            let Some(mut live) = self.live.remove(id) else {
                debug_assert!(false, "{id} is not live");
                continue;
            };
            self.leave(*id, &live.record);
            if let Some(renewal) = &mut live.record.renewal {
                renewal.closed = true;
            }
            live.record.trail.add(at.index);
            write(tables, *id, &live.record);
            debug_assert!(!live.record.is_live(), "{id} was closed before its end");
        }
    }
}

impl Applications {
    /// An entry is about this application and changes nothing of it.
    pub(crate) fn apply_noted(&mut self, tables: &mut Tables<'_>, id: ApplicationId, at: At) {
        if let Some(live) = self.live.get_mut(&id) {
            live.record.trail.add(at.index);
            write(tables, id, &live.record);
        } else if let Ok(Some(found)) = self.find(&tables.view(), id) {
            let mut record = found.record;
            record.trail.add(at.index);
            write(tables, id, &record);
        }
    }
}

/// Writes an application's record, to where it fits.
fn write(tables: &mut Tables<'_>, id: ApplicationId, record: &Record) {
    let mut out = Vec::with_capacity(MAX_RECORD_BYTES);
    out.extend_from_slice(&id.to_bytes());
    record.encode(&mut out);
    if out.len() > MAX_RECORD_BYTES {
        let (id, long) = out.split_at(16);
        tables.put(LONG, &record.received.to_be_bytes(), long);
        tables.put_packed(APPLICATION, record.received, id);
    } else {
        tables.put_packed(APPLICATION, record.received, &out);
    }
}

impl HeldContent {
    /// Without CSR and public key.
    fn into_slim(self) -> Self {
        if self.slim {
            return self;
        }
        Self {
            body: Arc::new(self.body.slim()),
            slim: true,
            ..self
        }
    }
}
