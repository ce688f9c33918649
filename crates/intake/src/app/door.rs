//! The door: whether an application may enter.
//!
//! Two pure steps around one look-up. [`Inspected::new`] judges what needs nothing but the
//! application itself, above all the CSR with its proof of possession; [`judge`] judges it against
//! the directories, the certificates there are and the rules. Neither stops at the first fault. What
//! only the store can decide without a race (request ids, keys and subjects of applications under
//! way) is looked up here for the message's sake and decided there.

mod directory;
mod renewal;
mod standing;

use lgpki_domain::{
    Authority, BodyCode, CertificateKind, Faults, JstDate, KeyMedium, RevocationReason, Subject,
    Timestamp, application::Sort,
};
use lgpki_x509::{
    csr::CertificationRequest,
    particulars::{Particulars, Requested},
};

use super::submission::{IssueWish, NamedBranch, Renewed, Submission, Wish};
use crate::{
    config::Rules,
    ports::{Content, DoorQuery, DoorView, IssueContent},
    renewal_fields::of_renewal,
    standings::Standings,
    subject_key::subject_key,
};

const CSR: &str = "issue.csr";
const SUBJECT: &str = "issue.subject";

/// An application after all checks that need nothing but itself.
#[derive(Debug)]
pub struct Inspected {
    /// As it arrived; its faults are those of every check so far.
    pub submission: Submission,
    csr: Option<CertificationRequest>,
    particulars: Option<Particulars>,
}

/// An application that may enter, if the store agrees.
#[derive(Debug)]
pub struct Admitted {
    /// Issue, abolish or revoke.
    pub sort: Sort,
    /// What is asked for, checked.
    pub content: Content,
    /// How many operators must approve.
    pub approvals_needed: u32,
}

/// What an application is judged against.
#[derive(Clone, Copy, Debug)]
pub struct Against<'a> {
    /// What the store knows.
    pub view: &'a DoorView,
    /// What certificates there are.
    pub standings: &'a Standings,
    /// What the operator has set.
    pub rules: &'a Rules,
    /// The CAs that issue no more today, and the last day on which each did.
    pub ended: &'a [(Authority, JstDate)],
    /// The time of receipt.
    pub now: Timestamp,
}

impl Inspected {
    /// Judges what needs nothing but the application itself. This is where the CPU time goes.
    #[must_use]
    pub fn new(mut submission: Submission) -> Self {
        let (mut csr, mut particulars) = (None, None);
        let mut faults = std::mem::take(&mut submission.faults);
        if let Some(Wish::Issue(wish)) = &submission.wish {
            particulars = check_kind(wish, submission.branch.code(), &mut faults);
            csr = check_csr(wish, particulars.as_ref(), &mut faults);
        }
        submission.faults = faults;
        Self {
            submission,
            csr,
            particulars,
        }
    }

    /// Which CA is to issue what it asks for.
    #[must_use]
    pub fn authority(&self) -> Option<Authority> {
        match &self.submission.wish {
            Some(Wish::Issue(wish)) => wish.kind?.authority(),
            _ => None,
        }
    }

    /// What to look up for it; none where the branch could not be read.
    #[must_use]
    pub fn query(&self) -> Option<DoorQuery> {
        let branch = self.submission.branch;
        if branch == NamedBranch::Unreadable {
            return None;
        }
        let wish = match &self.submission.wish {
            Some(Wish::Issue(wish)) => Some(wish),
            _ => None,
        };
        let subject = wish.and_then(|wish| wish.subject.as_ref());
        let kind = wish.and_then(|wish| wish.kind);
        let unit = subject.and_then(|subject| subject.unit.as_ref());
        Some(DoorQuery {
            branch: branch.code(),
            unit_en: unit.map(|unit| unit.en().to_owned()),
            name_en: subject
                .filter(|_| kind.is_some_and(CertificateKind::needs_registered_account))
                .map(|subject| subject.name.en().to_owned()),
            renews: wish.and_then(|wish| wish.renewed?.serial),
            ends: match &self.submission.wish {
                Some(Wish::Revoke { serial, .. }) => *serial,
                _ => None,
            },
            key_digest: self.csr.as_ref().map(|csr| csr.public_key().digest()),
            subject_key: kind
                .zip(subject)
                .map(|(kind, subject)| subject_key(kind, subject)),
        })
    }
}

/// Judges the rest. All faults of both steps come back together.
pub fn judge(
    inspected: Inspected,
    against: &Against<'_>,
) -> Result<(Submission, Admitted), Box<Refusal>> {
    let Inspected {
        mut submission,
        csr,
        particulars,
    } = inspected;
    let mut faults = std::mem::take(&mut submission.faults);
    directory::check_branch(against.view, &submission, &mut faults);
    let renewal = matches!(&submission.wish, Some(Wish::Issue(wish)) if wish.renewed.is_some());
    let admitted = match submission.wish.take() {
        Some(Wish::Issue(wish)) => {
            let checked = Checked { csr, particulars };
            issue(*wish, checked, submission.branch, against, &mut faults)
        }
        Some(Wish::Revoke {
            sort,
            serial,
            reason,
        }) => standing::certificate_to_revoke(
            (sort, reason),
            serial.as_ref(),
            submission.branch,
            against,
            &mut faults,
        )
        .and_then(|held| revoke(sort, held, reason, against.rules)),
        // Made an application for a certificate before it was inspected.
        Some(Wish::Renew(_)) | None => None,
    };
    if renewal {
        faults = of_renewal(faults);
    }
    match admitted {
        Some(admitted) if faults.is_empty() => Ok((submission, admitted)),
        _ => Err(Box::new(Refusal { submission, faults })),
    }
}

/// A refused application with everything that is wrong with it.
#[derive(Debug)]
pub struct Refusal {
    /// What is left of it: its names.
    pub submission: Submission,
    /// Every fault found.
    pub faults: Faults,
}

struct Checked {
    csr: Option<CertificationRequest>,
    particulars: Option<Particulars>,
}

fn check_kind(
    wish: &IssueWish,
    branch: Option<BodyCode>,
    faults: &mut Faults,
) -> Option<Particulars> {
    let kind = wish.kind?;
    if let Some(medium) = wish.medium.filter(|medium| !kind.may_live_on(*medium)) {
        faults.push(
            "issue.medium",
            "MEDIUM_NOT_FOR_KIND",
            wrong_medium(kind, medium),
        );
    }
    let subject = wish.subject.as_ref();
    if kind.needs_registered_organization() && subject.is_some_and(|s| s.unit.is_none()) {
        faults.push(
            "issue.subject.unit",
            "UNIT_MISSING",
            format!(
                "{kind} certificates name the unit; give it as the organization directory has it"
            ),
        );
    }
    let login = match wish.login_role {
        // Those of the operator's own house are renewed, since they exist, and never applied for anew.
        Some(role)
            if kind == CertificateKind::Login
                && !role.belongs_to_a_body()
                && wish.renewed.is_none() =>
        {
            faults.push(
                "issue.login_role",
                "LOGIN_ROLE_NOT_APPLICABLE",
                format!(
                    "a branch applies for branch-officer and lgwan-officer only; login certificates of \
                     an {role} are made by the operator"
                ),
            );
            return None;
        }
        role => role.map(|role| (role, branch.filter(|_| role.belongs_to_a_body()))),
    };
    let requested = Requested {
        dns_names: &wish.dns_names,
        mail: wish.mail_address.as_deref(),
        login,
    };
    // Without a readable branch the login's body is unknown, and its absence no fault of its own.
    let of_a_body = login.is_some_and(|(role, _)| role.belongs_to_a_body());
    if kind == CertificateKind::Login && of_a_body && branch.is_none() {
        return None;
    }
    let particulars = match Particulars::try_new("issue", kind, &requested) {
        Ok(particulars) => particulars,
        Err(wrong) => {
            wrong.into_iter().map(renamed).for_each(|f| faults.add(f));
            return None;
        }
    };
    if let Some(subject) = subject {
        faults.keep(particulars.check_subject(SUBJECT, subject));
    }
    Some(particulars)
}

/// The contract's names for the fields that x509 calls by shorter ones.
fn renamed(mut fault: lgpki_domain::Fault) -> lgpki_domain::Fault {
    match fault.field.as_str() {
        "issue.mail" => "issue.mail_address".clone_into(&mut fault.field),
        "issue.login" => "issue.login_role".clone_into(&mut fault.field),
        _ => {}
    }
    fault
}

fn wrong_medium(kind: CertificateKind, medium: KeyMedium) -> String {
    let fitting: Vec<_> = KeyMedium::ALL
        .into_iter()
        .filter(|medium| kind.may_live_on(*medium))
        .map(KeyMedium::name)
        .collect();
    format!(
        "the key of a certificate of kind {kind} cannot live on {medium}; make the key pair on: {}",
        fitting.join(", ")
    )
}

fn check_csr(
    wish: &IssueWish,
    particulars: Option<&Particulars>,
    faults: &mut Faults,
) -> Option<CertificationRequest> {
    let csr = match CertificationRequest::parse(CSR, &wish.csr) {
        Ok(csr) => csr,
        Err(wrong) => {
            faults.append(wrong);
            return None;
        }
    };
    if let Err(weakness) = lgpki_keys::weak::check(csr.public_key().der()) {
        faults.push(CSR, "CSR_KEY_WEAK", weakness.to_string());
    }
    if let Some((particulars, subject)) = particulars.zip(wish.subject.as_ref())
        && let Err(wrong) = csr.check_names(CSR, subject, particulars)
    {
        faults.append(wrong);
    }
    Some(csr)
}

fn issue(
    wish: IssueWish,
    checked: Checked,
    branch: NamedBranch,
    against: &Against<'_>,
    faults: &mut Faults,
) -> Option<Admitted> {
    let Against { view, rules, .. } = *against;
    directory::check_subject(view, &wish, faults);
    standing::check_authority(wish.kind, against, faults);
    if let Some(address) = &wish.mail_address {
        directory::check_mail(rules, address, faults);
    }
    let mut renews_until = None;
    let mut needs_key = true;
    let (sort, renews) = if let Some(Renewed { serial }) = wish.renewed {
        let serial = serial?;
        // Who cannot renew needs no new key for it, and must not destroy the one in use.
        needs_key = renewal::check(serial, branch, against, faults);
        let old = against.standings.certificate(serial);
        renews_until = old.map(|old| old.validity.last_day());
        (Sort::Renew, Some(serial))
    } else {
        // Of other bodies' certificates nothing is told.
        let own = |subject: &&Subject| {
            let body = view.body.as_ref();
            body.is_some_and(|body| body.names == subject.body)
        };
        if let Some((kind, subject)) = wish.kind.zip(wish.subject.as_ref().filter(own)) {
            standing::check_subject_is_free(kind, subject, against, faults);
        }
        (Sort::Issue, None)
    };
    if let Some(csr) = checked.csr.as_ref().filter(|_| needs_key) {
        standing::check_key(csr.public_key().digest(), against, faults);
    }
    let csr = checked.csr?;
    checked.particulars?;
    let kind = wish.kind?;
    let key = csr.public_key();
    Some(Admitted {
        sort,
        approvals_needed: rules.policy(kind).approvals_needed(sort, false),
        content: Content::Issue(IssueContent {
            kind,
            subject: wish.subject?,
            public_key: key.der().to_vec(),
            key_digest: key.digest(),
            key_algorithm: key.algorithm(),
            csr: csr.der().to_vec(),
            medium: wish.medium?,
            dns_names: wish.dns_names,
            mail_address: wish.mail_address,
            login_role: wish.login_role,
            renews,
            renews_until,
        }),
    })
}

fn revoke(
    sort: Sort,
    held: crate::standings::Held,
    reason: Option<RevocationReason>,
    rules: &Rules,
) -> Option<Admitted> {
    let reason = reason?;
    Some(Admitted {
        sort,
        approvals_needed: rules
            .policy(held.kind)
            .approvals_needed(sort, reason.is_urgent()),
        content: Content::Revoke {
            serial: held.serial,
            reason,
            kind: held.kind,
            subject: held.subject,
        },
    })
}

#[cfg(test)]
mod tests;
