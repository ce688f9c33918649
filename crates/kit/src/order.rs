//! What is requested: kind, names and key algorithm, checked before a key is made for it.

use lgpki_domain::{
    CertificateKind, Fault, Faults, KeyAlgorithm, KeyMedium, Names, OfficerRole, Subject,
    directory::Account,
};
use lgpki_x509::particulars::{self, Particulars};

use crate::setup::Settings;

/// What to request a certificate for. The body comes from the settings.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// Its kind.
    pub kind: CertificateKind,
    /// The unit within the body; needed for all kinds but login.
    pub unit: Option<&'a Names>,
    /// The name (名義): the post, role, program or officer.
    pub name: &'a Names,
    /// The address, for a mail certificate.
    pub mail: Option<&'a str>,
    /// The office, for a login certificate.
    pub login: Option<OfficerRole>,
    /// The key pair to make; RSA-2048 unless there is a reason.
    pub algorithm: KeyAlgorithm,
}

impl<'a> Order<'a> {
    /// An order of `kind` for `name` with an RSA-2048 key, as LGPKI's own.
    #[must_use]
    pub const fn new(kind: CertificateKind, name: &'a Names) -> Self {
        Self {
            kind,
            unit: None,
            name,
            mail: None,
            login: None,
            algorithm: KeyAlgorithm::Rsa2048,
        }
    }

    /// Checks the order for a medium; lists every fault. What is to destroy a key asks this first.
    pub fn check(
        &self,
        medium: KeyMedium,
        settings: &Settings,
    ) -> Result<(Subject, Particulars), Faults> {
        let mut faults = Faults::new();
        faults.keep(self.check_medium(medium));
        if settings.vouched.is_none() && self.kind != CertificateKind::Login {
            faults.push(
                "kind",
                "PC_FOR_LOGINS_ONLY",
                format!(
                    "this PC was set up without a valid login certificate, for requests of login certificates \
                     and not of {} ones; run `setup` again with the new login certificate first",
                    self.kind
                ),
            );
        }
        if self.kind.needs_registered_organization() && self.unit.is_none() {
            faults.push(
                "unit",
                "UNIT_MISSING",
                format!(
                    "{} certificates name a unit; give the one registered in the organization directory \
                     (組織管理システム), in English and Japanese",
                    self.kind
                ),
            );
        }
        if self.kind.needs_registered_account() {
            faults.keep(Account::check_suffix("name", self.name));
        }
        if self.login.is_some_and(|role| !role.belongs_to_a_body()) {
            faults.push(
                "login",
                "ROLE_WITHOUT_BODY",
                "only branch officers and LGWAN officers of a body get their login this way",
            );
        }
        let requested = particulars::Requested {
            dns_names: &[],
            mail: self.mail,
            login: self.login.map(|role| (role, Some(settings.code))),
        };
        // The fault of the kind is told once, with the medium.
        if self.kind.may_live_on(medium) {
            match Particulars::try_new("order", self.kind, &requested) {
                Err(wrong) => faults.append(wrong),
                Ok(particulars) if faults.is_empty() => {
                    return Ok((self.subject(settings), particulars));
                }
                Ok(_) => {}
            }
        }
        Err(faults)
    }

    fn subject(&self, settings: &Settings) -> Subject {
        Subject {
            body: settings.body.clone(),
            unit: self.unit.cloned(),
            name: self.name.clone(),
        }
    }

    fn check_medium(&self, medium: KeyMedium) -> Result<(), Fault> {
        let refuse = |reason, message: String| Err(Fault::new("kind", reason, message));
        match self.kind {
            CertificateKind::WebServer => refuse(
                "KIND_IS_THE_SERVERS",
                "the key pair and CSR of a web-server certificate are made on the web server itself, not \
                 with the standard system (R6); make them there, for example with `openssl req -new`, and \
                 submit that CSR"
                    .to_owned(),
            ),
            CertificateKind::Cross | CertificateKind::Link => refuse(
                "KIND_NOT_APPLICABLE",
                format!("{} certificates pass between CAs and cannot be applied for", self.kind),
            ),
            CertificateKind::OcspResponder => refuse(
                "KIND_NOT_APPLICABLE",
                "the OCSP responder's certificates are the CA's own affair and cannot be applied for"
                    .to_owned(),
            ),
            kind if !kind.may_live_on(medium) => refuse(
                "KIND_NOT_FOR_MEDIUM",
                format!(
                    "{kind} certificates ({}) may not live on {medium}; a USB token carries code-signing \
                     and login certificates only, so take an IC card",
                    kind.name_ja()
                ),
            ),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
