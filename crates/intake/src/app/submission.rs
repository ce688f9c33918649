//! An application as it arrived: what could be read of it, and what could not.
//!
//! Decoding never stops at the first fault; what it could not read is `None` here with its fault
//! noted, so that the door can judge the rest and the applicant is told everything at once.

use lgpki_domain::{
    BodyCode, Caller, CertificateKind, Digest, Faults, KeyMedium, OfficerRole, RequestId,
    RevocationReason, Serial, Subject, application::Sort, examination::BranchExamination,
};

use super::{AppError, confined_to, is_officer, own_login, visible_branch};
use crate::slots::Brought;

/// What is said where the branch is missing.
pub(super) const NAME_THE_BRANCH: &str =
    "the field is empty; name the branch applied for by its body's code";

/// The branch that an application names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBranch {
    /// This one.
    One(BodyCode),
    /// None: it is about a certificate that was issued to no branch, such as an operator's own login.
    None,
    /// What stood there could not be read.
    Unreadable,
}

impl NamedBranch {
    /// The branch, if one was named.
    #[must_use]
    pub const fn code(self) -> Option<BodyCode> {
        match self {
            Self::One(code) => Some(code),
            Self::None | Self::Unreadable => None,
        }
    }
}

/// One application as it arrived.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The front end's name for it.
    pub request_id: Option<RequestId>,
    /// The branch applied for.
    pub branch: NamedBranch,
    /// SHA-256 over what was sent, without the examiner's name.
    pub content_digest: Digest,
    /// The branch's examination.
    pub examination: Option<BranchExamination>,
    /// The examiner's name, a person's: it never enters the log.
    pub examiner_name: Option<String>,
    /// What is asked for.
    pub wish: Option<Wish>,
    /// What could not be read.
    pub faults: Faults,
}

impl Submission {
    /// The token of a renewal's slot, if it came with one.
    #[must_use]
    pub const fn slot_token(&self) -> Option<&Brought> {
        match &self.wish {
            Some(Wish::Renew(renew)) => renew.slot_token.as_ref(),
            Some(Wish::Issue(_) | Wish::Revoke { .. }) | None => None,
        }
    }

    /// The certificate that a renewal is to replace, if it could be read.
    #[must_use]
    pub const fn renewed_serial(&self) -> Option<Serial> {
        match &self.wish {
            Some(Wish::Renew(renew)) => renew.serial,
            Some(Wish::Issue(_) | Wish::Revoke { .. }) | None => None,
        }
    }

    /// Whether the caller may apply for this: branch officers for their own branch, which they name.
    /// An operator may end a certificate of any branch, since a closed one (R8) has nobody left who
    /// could, and one that was issued to no branch; and asks for login certificates of a branch, whose
    /// officers may have none left to log in with. For anything else a branch applies, since what an
    /// operator examines, a branch has applied for. Every officer renews the login certificate that was
    /// used to log in; LGWAN officers and auditors apply for nothing else.
    pub fn check_applicant(&mut self, caller: &Caller) -> Result<(), AppError> {
        visible_branch(caller, self.branch.code())?;
        if self.branch == NamedBranch::None && confined_to(caller).is_some() {
            self.faults.push("branch", "FIELD_MISSING", NAME_THE_BRANCH);
            self.branch = NamedBranch::Unreadable;
        }
        if self.renews_login_of(caller) {
            return Ok(());
        }
        let readable = match &self.wish {
            Some(Wish::Renew(wish)) => wish.serial.is_some(),
            Some(_) => true,
            None => false,
        };
        let own_only = [OfficerRole::LgwanOfficer, OfficerRole::Auditor];
        if readable && own_only.into_iter().any(|role| is_officer(caller, role)) {
            return Err(AppError::Forbidden {
                reason: "OWN_LOGIN_ONLY",
                message: "an LGWAN officer or auditor applies only for the renewal of the login certificate \
                          in use; anything else is applied for by an officer of the branch"
                    .to_owned(),
            });
        }
        let branchs_own = match &self.wish {
            Some(Wish::Issue(wish)) => wish.kind.is_some_and(|kind| kind != CertificateKind::Login),
            Some(Wish::Renew(_)) => true,
            Some(Wish::Revoke { .. }) | None => false,
        };
        if is_officer(caller, OfficerRole::Operator) && branchs_own {
            return Err(AppError::Forbidden {
                reason: "OPERATOR_ENDS_CERTIFICATES_ONLY",
                message:
                    "an operator applies only to abolish or revoke, for login certificates of a \
                          branch that has none left, and for the renewal of the login certificate in \
                          use; any other certificate is applied for or renewed by an officer of its \
                          branch"
                        .to_owned(),
            });
        }
        Ok(())
    }

    /// Whether it asks for the renewal of the login certificate that the caller uses.
    fn renews_login_of(&self, caller: &Caller) -> bool {
        let Some(Wish::Renew(wish)) = &self.wish else {
            return false;
        };
        wish.serial.is_some() && wish.serial == own_login(caller)
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub enum Wish {
    /// A new certificate.
    Issue(Box<IssueWish>),
    /// A new certificate in the place of one that expires.
    Renew(RenewWish),
    /// An end to one.
    Revoke {
        /// Abolish or revoke.
        sort: Sort,
        /// The certificate.
        serial: Option<Serial>,
        /// Why.
        reason: Option<RevocationReason>,
    },
}

/// A renewal as it was asked for.
#[derive(Clone, Debug)]
pub struct RenewWish {
    /// The certificate to be renewed.
    pub serial: Option<Serial>,
    /// The CSR as sent.
    pub csr: Vec<u8>,
    /// Where the new key lives.
    pub medium: Option<KeyMedium>,
    /// The token of the certificate's slot, if it came with one.
    pub slot_token: Option<Brought>,
}

/// The certificate that a new one is to replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// Its serial number, if it could be read.
    pub serial: Option<Serial>,
}

/// A new certificate as it was asked for.
#[derive(Clone, Debug, Default)]
pub struct IssueWish {
    /// The kind.
    pub kind: Option<CertificateKind>,
    /// Whom it is to name.
    pub subject: Option<Subject>,
    /// The CSR as sent.
    pub csr: Vec<u8>,
    /// Where the key lives.
    pub medium: Option<KeyMedium>,
    /// Host names.
    pub dns_names: Vec<String>,
    /// Mail address.
    pub mail_address: Option<String>,
    /// The office a login certificate speaks for.
    pub login_role: Option<OfficerRole>,
    /// The certificate that it replaces, if it is a renewal.
    pub renewed: Option<Renewed>,
}
