//! The bodies of the events of an application's life.

use std::sync::Arc;

use lgpki_domain::{
    ApplicationId, BodyCode, CertificateKind, Digest, JstDate, KeyAlgorithm, KeyMedium,
    OfficerRole, RequestId, RevocationReason, Serial, Subject,
    application::{Approver, Sort},
};
use lgpki_ledger::{
    About, Body,
    serial::{bytes, optional_text, text, text_list},
};
use serde::{Deserialize, Serialize};

use crate::store::json;

/// `application.received`: everything about an application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Received(#[serde(with = "json::shared")] pub(crate) Arc<ReceivedBody>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceivedBody {
    #[serde(with = "text")]
    pub(crate) application: ApplicationId,
    pub(crate) approvals_needed: u32,
    /// Left out where it is about a certificate that was issued to no branch.
    #[serde(
        with = "optional_text",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) branch: Option<BodyCode>,
    pub(crate) content: Content,
    #[serde(with = "text")]
    pub(crate) content_digest: Digest,
    pub(crate) examination: Examination,
    #[serde(with = "text")]
    pub(crate) request: RequestId,
    #[serde(with = "json::sort")]
    pub(crate) sort: Sort,
}

/// The branch's examination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Examination {
    #[serde(with = "text")]
    pub(crate) decided_on: JstDate,
    /// The commitment to the examiner's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) examiner: Option<String>,
    pub(crate) office: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Content {
    Issue(Issue),
    Revoke(Revoke),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Issue {
    #[serde(with = "bytes")]
    pub(crate) csr: Vec<u8>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) dns_names: Vec<String>,
    #[serde(with = "json::algorithm")]
    pub(crate) key_algorithm: KeyAlgorithm,
    #[serde(with = "text")]
    pub(crate) key_digest: Digest,
    #[serde(with = "json::kind")]
    pub(crate) kind: CertificateKind,
    #[serde(
        with = "json::optional_role",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) login_role: Option<OfficerRole>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mail_address: Option<String>,
    #[serde(with = "json::medium")]
    pub(crate) medium: KeyMedium,
    #[serde(with = "bytes")]
    pub(crate) public_key: Vec<u8>,
    /// The certificate that a renewal replaces.
    #[serde(
        with = "optional_text",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) renews: Option<Serial>,
    /// That certificate's last day.
    #[serde(
        with = "optional_text",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) renews_until: Option<JstDate>,
    #[serde(with = "json::subject")]
    pub(crate) subject: Subject,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Revoke {
    #[serde(with = "json::kind")]
    pub(crate) kind: CertificateKind,
    #[serde(with = "json::reason")]
    pub(crate) reason: RevocationReason,
    #[serde(with = "text")]
    pub(crate) serial: Serial,
    #[serde(with = "json::subject")]
    pub(crate) subject: Subject,
}

impl Body for Received {
    const KIND: &'static str = "application.received";

    fn about(&self) -> About {
        About {
            application: Some(self.0.application),
            certificate: match &self.0.content {
                Content::Issue(issue) => issue.renews,
                Content::Revoke(revoke) => Some(revoke.serial),
            },
            digest: match &self.0.content {
                Content::Issue(issue) => Some(issue.key_digest),
                Content::Revoke(_) => None,
            },
        }
    }
}

/// Declares a body that names its application first.
macro_rules! about_one {
    ($(#[$meta:meta])* $name:ident, $kind:literal { $($fields:tt)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            #[serde(with = "text")]
            pub(crate) application: ApplicationId,
            $($fields)*
        }

        impl Body for $name {
            const KIND: &'static str = $kind;

            fn about(&self) -> About {
                About::application(self.application)
            }
        }
    };
}

/// Who approved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Operator {
    /// The login certificate.
    #[serde(with = "text")]
    pub(crate) serial: Serial,
    /// The digest of its subject, by which one person with two cards is known.
    #[serde(with = "text")]
    pub(crate) subject: Digest,
}

impl From<Approver> for Operator {
    fn from(Approver { serial, subject }: Approver) -> Self {
        Self { serial, subject }
    }
}

impl From<&Operator> for Approver {
    fn from(operator: &Operator) -> Self {
        Self {
            serial: operator.serial,
            subject: operator.subject,
        }
    }
}

about_one! {
    /// `application.approved`.
    Approved, "application.approved" {
        /// The operator; nobody if the policy approved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(crate) operator: Option<Operator>,
    }
}

about_one! {
    /// `application.counted`.
    Counted, "application.counted" {
        pub(crate) operator: Operator,
    }
}

about_one! {
    /// `application.rejected`.
    Rejected, "application.rejected" {
        pub(crate) reason: String,
    }
}

about_one! {
    /// `application.withdrawn`.
    Withdrawn, "application.withdrawn" {}
}

about_one! {
    /// `examiner.name-erased`: the opening of the commitment is erased right after this is durable, or
    /// at the next start.
    NameErased, "examiner.name-erased" {
        pub(crate) commitment: String,
    }
}

about_one! {
    /// `application.completed`.
    Completed, "application.completed" {}
}

about_one! {
    /// `application.abandoned`.
    Abandoned, "application.abandoned" {
        pub(crate) attempt: u32,
    }
}

about_one! {
    /// `application.failed`.
    Failed, "application.failed" {
        pub(crate) reason: String,
    }
}

/// `application.claimed`: a whole claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claimed {
    pub(crate) applications: Vec<Attempt>,
}

impl Claimed {
    /// Applications in one entry; an attempt takes at most 65 bytes.
    pub(crate) const MOST: usize = 500;
}

/// One application's attempt.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attempt {
    #[serde(with = "text")]
    pub(crate) application: ApplicationId,
    pub(crate) attempt: u32,
}

impl Body for Claimed {
    const KIND: &'static str = "application.claimed";
}

/// `application.issued`; its entry answers the issuer's record of the certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Issued(#[serde(with = "json::shared")] pub(crate) Arc<IssuedBody>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssuedBody {
    #[serde(with = "text")]
    pub(crate) application: ApplicationId,
    #[serde(with = "bytes")]
    pub(crate) certificate: Vec<u8>,
    #[serde(with = "text")]
    pub(crate) serial: Serial,
}

impl Body for Issued {
    const KIND: &'static str = "application.issued";

    fn about(&self) -> About {
        About {
            application: Some(self.0.application),
            certificate: Some(self.0.serial),
            digest: None,
        }
    }
}

/// `application.delivered`: confirmed together, or together counted as delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Delivered {
    #[serde(with = "text_list")]
    pub(crate) applications: Vec<ApplicationId>,
    /// Whether nobody confirmed it.
    pub(crate) presumed: bool,
}

impl Delivered {
    /// Applications in one entry; each takes 29 bytes.
    pub(crate) const MOST: usize = 1000;
}

impl Body for Delivered {
    const KIND: &'static str = "application.delivered";

    fn about(&self) -> About {
        match self.applications.as_slice() {
            [one] => About::application(*one),
            _ => About::default(),
        }
    }
}

/// Declares a body that lists applications.
macro_rules! about_several {
    ($(#[$meta:meta])* $name:ident, $kind:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            #[serde(with = "text_list")]
            pub(crate) applications: Vec<ApplicationId>,
        }

        impl $name {
            /// Applications in one entry; each takes 29 bytes.
            pub(crate) const MOST: usize = 1000;
        }

        impl Body for $name {
            const KIND: &'static str = $kind;

            fn about(&self) -> About {
                match self.applications.as_slice() {
                    [one] => About::application(*one),
                    _ => About::default(),
                }
            }
        }
    };
}

about_several! {
    /// `renewal.opened`: lifecycle opened these; nobody else can renew their certificates.
    RenewalsOpened, "renewal.opened"
}

about_several! {
    /// `renewal.closed`: lifecycle knows how these ended.
    RenewalsClosed, "renewal.closed"
}

impl ReceivedBody {
    /// A copy without CSR and public key; it is never recorded.
    pub(crate) fn slim(&self) -> Self {
        Self {
            application: self.application,
            approvals_needed: self.approvals_needed,
            branch: self.branch,
            content: match &self.content {
                Content::Issue(issue) => Content::Issue(Issue {
                    csr: Vec::new(),
                    dns_names: issue.dns_names.clone(),
                    key_algorithm: issue.key_algorithm,
                    key_digest: issue.key_digest,
                    kind: issue.kind,
                    login_role: issue.login_role,
                    mail_address: issue.mail_address.clone(),
                    medium: issue.medium,
                    public_key: Vec::new(),
                    renews: issue.renews,
                    renews_until: issue.renews_until,
                    subject: issue.subject.clone(),
                }),
                Content::Revoke(revoke) => Content::Revoke(revoke.clone()),
            },
            content_digest: self.content_digest,
            examination: self.examination.clone(),
            request: self.request.clone(),
            sort: self.sort,
        }
    }
}
