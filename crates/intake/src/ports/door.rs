//! What the door looks up for one application, and what it learns.

use lgpki_domain::{
    ApplicationId, BodyCode, Digest, Faults, Serial,
    directory::{Account, Body, Organization},
};

use super::Application;

/// What the door needs to know to judge one application.
#[derive(Clone, Debug)]
pub struct DoorView {
    /// The body applied for, if it exists.
    pub body: Option<Body>,
    /// The organization of the given English name, if registered.
    pub organization: Option<Organization>,
    /// The account of the given unit and English name, if registered.
    pub account: Option<Account>,
    /// An application, open or with a certificate, that came with this key.
    pub key_used_by: Option<ApplicationId>,
    /// An open application for the same subject and kind.
    pub open_for_subject: Option<ApplicationId>,
    /// The application that renews the certificate named.
    pub renewed_by: Option<ApplicationId>,
    /// The application that ends the certificate named, and whether it is urgent.
    pub ended_by: Option<(ApplicationId, bool)>,
}

/// What to look up for one application.
#[derive(Clone, Debug)]
pub struct DoorQuery {
    /// The body applied for, if any.
    pub branch: Option<BodyCode>,
    /// Unit by English name.
    pub unit_en: Option<String>,
    /// Role by English name.
    pub name_en: Option<String>,
    /// The key.
    pub key_digest: Option<Digest>,
    /// Subject and kind, as [`crate::subject_key::subject_key`] digests them.
    pub subject_key: Option<Digest>,
    /// The certificate to be renewed.
    pub renews: Option<Serial>,
    /// The certificate to be abolished or revoked.
    pub ends: Option<Serial>,
}

/// What became of one accepted or refused application.
#[derive(Clone, Debug)]
pub enum Acceptance {
    /// Durably stored.
    Accepted(Application),
    /// The same request had been accepted before.
    Repeated(Application),
    /// The request id belongs to an application with other content.
    OtherContent(ApplicationId),
    /// A rule that only the store can judge is broken (key used, subject taken, branch closed).
    Refused(Faults),
    /// So much has changed since it was judged that it must be judged anew; nothing was stored.
    JudgedLongAgo,
}
