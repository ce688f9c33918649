//! What the door looks up for one application, and what it learns.

use lgpki_domain::{
    ApplicationId, BodyCode, Digest, Serial,
    directory::{Account, Body, Organization},
};

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
}
