//! Between the port's values and what is recorded. Nothing is decided or lost here.

use std::sync::Arc;

use lgpki_domain::{Digest, examination::BranchExamination};
use lgpki_ledger::Stamp;

use super::{
    command::{Accept, Content as HeldContent, Snapshot},
    event::{Content as Recorded, Examination, Issue, ReceivedBody, Revoke},
};
use crate::{
    ports::{Application, Content, IssueContent, NewApplication},
    subject_key::subject_key,
};

/// How much of an application's content is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Neither CSR nor public key.
    Lean,
    /// The public key, for an order.
    WithKey,
    /// Everything.
    Full,
}

impl From<NewApplication> for Accept {
    fn from(new: NewApplication) -> Self {
        let (content, key) = match new.content {
            Content::Issue(issue) => {
                let key = subject_key(issue.kind, &issue.subject);
                (Recorded::Issue(issue.into()), key)
            }
            Content::Revoke {
                serial,
                reason,
                kind,
                subject,
            } => {
                let revoke = Revoke {
                    kind,
                    reason,
                    serial,
                    subject,
                };
                (Recorded::Revoke(revoke), Digest([0; 32]))
            }
        };
        let body = ReceivedBody {
            application: new.id,
            approvals_needed: new.approvals_needed,
            branch: new.branch,
            content,
            content_digest: new.content_digest,
            examination: Examination {
                decided_on: new.examination.decided_on,
                examiner: new.examiner_commitment,
                office: new.examination.office,
            },
            request: new.request_id,
            sort: new.sort,
        };
        Self {
            body: Arc::new(body),
            subject_key: key,
            standings_position: new.standings_position,
            stamp: Stamp::new(new.received_at, new.caller.to_string()),
        }
    }
}

impl From<IssueContent> for Issue {
    fn from(issue: IssueContent) -> Self {
        Self {
            csr: issue.csr,
            dns_names: issue.dns_names,
            key_algorithm: issue.key_algorithm,
            key_digest: issue.key_digest,
            kind: issue.kind,
            login_role: issue.login_role,
            mail_address: issue.mail_address,
            medium: issue.medium,
            public_key: issue.public_key,
            renews: issue.renews,
            renews_until: issue.renews_until,
            subject: issue.subject,
        }
    }
}

/// The application of a snapshot and its content.
pub(super) fn application(
    snapshot: Snapshot,
    received: &HeldContent,
    extent: Extent,
) -> Application {
    let body = &received.body;
    Application {
        id: snapshot.id,
        request_id: body.request.clone(),
        branch: body.branch,
        sort: body.sort,
        content: content(&body.content, extent),
        examination: BranchExamination {
            office: body.examination.office.clone(),
            decided_on: body.examination.decided_on,
        },
        examiner_commitment: body.examination.examiner.clone(),
        content_digest: body.content_digest,
        applicant: received.actor.to_string(),
        received_at: received.at,
        state: snapshot.record.state,
        log_index: snapshot.record.changed,
        estimate: None,
    }
}

fn content(content: &Recorded, extent: Extent) -> Content {
    match content {
        Recorded::Issue(issue) => Content::Issue(IssueContent {
            kind: issue.kind,
            subject: issue.subject.clone(),
            csr: match extent {
                Extent::Full => issue.csr.clone(),
                Extent::Lean | Extent::WithKey => Vec::new(),
            },
            public_key: match extent {
                Extent::Full | Extent::WithKey => issue.public_key.clone(),
                Extent::Lean => Vec::new(),
            },
            key_digest: issue.key_digest,
            key_algorithm: issue.key_algorithm,
            medium: issue.medium,
            dns_names: issue.dns_names.clone(),
            mail_address: issue.mail_address.clone(),
            login_role: issue.login_role,
            renews: issue.renews,
            renews_until: issue.renews_until,
        }),
        Recorded::Revoke(revoke) => Content::Revoke {
            serial: revoke.serial,
            reason: revoke.reason,
            kind: revoke.kind,
            subject: revoke.subject.clone(),
        },
    }
}
