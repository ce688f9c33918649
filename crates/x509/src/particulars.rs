//! What a certificate of each kind carries beyond its subject and key.
//!
//! Host names and mail addresses are judged here once; who holds a [`Particulars`] needs no check
//! of its own.

use std::net::Ipv4Addr;

use lgpki_domain::{
    BodyCode, CertificateKind, Fault, Faults, OfficerRole, Subject, mail::is_label,
};

pub use lgpki_domain::mail::MailAddress;

/// The domain under which all host names and mail addresses lie.
pub const DOMAIN: &str = "lg.jp";
/// The most host names in one certificate.
pub const MOST_HOSTS: usize = 10;

/// A kind of certificate with what only that kind has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Particulars {
    /// Official-duty.
    OfficialDuty,
    /// User.
    User,
    /// Web server.
    WebServer {
        /// The names of the server; the first is the subject's common name.
        hosts: HostNames,
    },
    /// Code signing.
    CodeSigning,
    /// Mail.
    Mail {
        /// The address.
        address: MailAddress,
    },
    /// Login.
    Login {
        /// What the officer may do.
        role: OfficerRole,
        /// The body the officer belongs to; `Some` exactly where the role belongs to one.
        body: Option<BodyCode>,
    },
    /// OCSP responder; made by the issuer itself, never from what somebody requests.
    OcspResponder,
}

/// What an application says beyond names and key, unchecked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Requested<'a> {
    /// Host names; web server only.
    pub dns_names: &'a [String],
    /// Mail address; mail only.
    pub mail: Option<&'a str>,
    /// Role and body; login only.
    pub login: Option<(OfficerRole, Option<BodyCode>)>,
}

impl Particulars {
    /// Checks what was requested for `kind`; faults are reported under `prefix.dns_names[i]`,
    /// `prefix.mail`, `prefix.login` and `prefix.kind`.
    pub fn try_new(
        prefix: &str,
        kind: CertificateKind,
        requested: &Requested<'_>,
    ) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        refuse_strays(prefix, kind, requested, &mut faults);
        let particulars = match kind {
            CertificateKind::OfficialDuty => Some(Self::OfficialDuty),
            CertificateKind::User => Some(Self::User),
            CertificateKind::CodeSigning => Some(Self::CodeSigning),
            CertificateKind::WebServer => {
                match HostNames::try_new(&format!("{prefix}.dns_names"), requested.dns_names) {
                    Ok(hosts) => Some(Self::WebServer { hosts }),
                    Err(wrong) => {
                        faults.append(wrong);
                        None
                    }
                }
            }
            CertificateKind::Mail => faults
                .keep(MailAddress::try_new(
                    &format!("{prefix}.mail"),
                    requested.mail.unwrap_or_default(),
                ))
                .map(|address| Self::Mail { address }),
            CertificateKind::Login => faults.keep(login(&format!("{prefix}.login"), requested)),
            CertificateKind::Cross | CertificateKind::Link => {
                faults.push(
                    format!("{prefix}.kind"),
                    "KIND_NOT_APPLICABLE",
                    format!("{kind} certificates pass between CAs and cannot be applied for"),
                );
                None
            }
            CertificateKind::OcspResponder => {
                faults.push(
                    format!("{prefix}.kind"),
                    "KIND_NOT_APPLICABLE",
                    "OCSP responders' certificates are the CA's own affair and cannot be applied for",
                );
                None
            }
        };
        match particulars {
            Some(particulars) if faults.is_empty() => Ok(particulars),
            _ => Err(faults),
        }
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> CertificateKind {
        match self {
            Self::OfficialDuty => CertificateKind::OfficialDuty,
            Self::User => CertificateKind::User,
            Self::WebServer { .. } => CertificateKind::WebServer,
            Self::CodeSigning => CertificateKind::CodeSigning,
            Self::Mail { .. } => CertificateKind::Mail,
            Self::Login { .. } => CertificateKind::Login,
            Self::OcspResponder => CertificateKind::OcspResponder,
        }
    }

    /// The host names; none but for web servers.
    #[must_use]
    pub fn dns_names(&self) -> &[String] {
        match self {
            Self::WebServer { hosts } => hosts.as_slice(),
            _ => &[],
        }
    }

    /// The mail address; none but for mail.
    #[must_use]
    pub fn mail(&self) -> Option<&str> {
        match self {
            Self::Mail { address } => Some(address.as_str()),
            _ => None,
        }
    }

    /// Role and body; none but for login.
    #[must_use]
    pub const fn login(&self) -> Option<(OfficerRole, Option<BodyCode>)> {
        match self {
            Self::Login { role, body } => Some((*role, *body)),
            _ => None,
        }
    }

    /// Checks that a web server's common name is its first host name.
    pub fn check_subject(&self, field: &str, subject: &Subject) -> Result<(), Fault> {
        match self.dns_names().first() {
            Some(first) if first != subject.name.en() => Err(Fault::new(
                format!("{field}.name.en"),
                "NAME_NOT_FIRST_HOST",
                format!(
                    "a web server's name is its first host name, {first}; the name given is {}",
                    subject.name.en()
                ),
            )),
            _ => Ok(()),
        }
    }

    /// The URI in the subjectAltName of a login certificate: `lgpki:login/operator/-`.
    pub(crate) fn login_uri(&self) -> Option<String> {
        let (role, body) = self.login()?;
        Some(match body {
            Some(body) => format!("{LOGIN_URI}{role}/{body}"),
            None => format!("{LOGIN_URI}{role}/-"),
        })
    }
}

/// What the URI of a login certificate begins with.
pub(crate) const LOGIN_URI: &str = "lgpki:login/";

/// Reads the URI of a login certificate back.
pub(crate) fn parse_login_uri(uri: &str) -> Option<(OfficerRole, Option<BodyCode>)> {
    let (role, body) = uri.strip_prefix(LOGIN_URI)?.split_once('/')?;
    let role = OfficerRole::parse(role)?;
    let body = match body {
        "-" => None,
        code => Some(code.parse().ok()?),
    };
    (role.belongs_to_a_body() == body.is_some()).then_some((role, body))
}

fn refuse_strays(
    prefix: &str,
    kind: CertificateKind,
    requested: &Requested<'_>,
    faults: &mut Faults,
) {
    if kind != CertificateKind::WebServer && !requested.dns_names.is_empty() {
        let message = format!("{kind} certificates carry no host names; leave them out");
        faults.push(
            format!("{prefix}.dns_names"),
            "DNS_NAMES_NOT_ALLOWED",
            message,
        );
    }
    if kind != CertificateKind::Mail && requested.mail.is_some() {
        let message = format!("{kind} certificates carry no mail address; leave it out");
        faults.push(format!("{prefix}.mail"), "MAIL_NOT_ALLOWED", message);
    }
    if kind != CertificateKind::Login && requested.login.is_some() {
        let message = format!("{kind} certificates carry no login role; leave it out");
        faults.push(format!("{prefix}.login"), "LOGIN_NOT_ALLOWED", message);
    }
}

fn login(field: &str, requested: &Requested<'_>) -> Result<Particulars, Fault> {
    match requested.login {
        None => Err(Fault::new(
            field,
            "LOGIN_ROLE_MISSING",
            "a login certificate needs a role; name one of branch-officer, lgwan-officer, operator, \
             auditor",
        )),
        Some((role, body)) if role.belongs_to_a_body() == body.is_some() => {
            Ok(Particulars::Login { role, body })
        }
        Some((role, Some(_))) => Err(Fault::new(
            field,
            "LOGIN_BODY_NOT_ALLOWED",
            format!("the role {role} belongs to no body; leave the body out"),
        )),
        Some((role, None)) => Err(Fault::new(
            field,
            "LOGIN_BODY_MISSING",
            format!("the role {role} belongs to a body; name it"),
        )),
    }
}

/// One to ten different host names under `lg.jp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostNames(Vec<String>);

impl HostNames {
    /// Checks each name; a fault is reported under `field[i]`.
    pub fn try_new(field: &str, names: &[String]) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        if names.is_empty() || names.len() > MOST_HOSTS {
            let message = format!(
                "{} host names were given; a web-server certificate carries 1 to {MOST_HOSTS}",
                names.len()
            );
            faults.push(field, "DNS_NAME_COUNT", message);
        }
        for (i, name) in names.iter().enumerate().take(MOST_HOSTS + 1) {
            let field = format!("{field}[{i}]");
            if let Some(wrong) = wrong_with_host(name) {
                let message = format!("{name:?} {wrong}");
                faults.push(field, "DNS_NAME", message);
            } else if names[..i].contains(name) {
                faults.push(field, "DNS_NAME_REPEATED", format!("{name} is given twice"));
            }
        }
        faults.into_result().map(|()| Self(names.to_vec()))
    }

    /// The names, the common name first.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

/// What is wrong with a host name, as the rest of a sentence.
fn wrong_with_host(name: &str) -> Option<&'static str> {
    if name.len() > lgpki_domain::name::LONGEST {
        return Some("is longer than the 64 characters that fit a common name");
    }
    if name.contains('*') {
        return Some("is a wildcard; name each server");
    }
    if name.parse::<Ipv4Addr>().is_ok() || name.contains(':') {
        return Some("is an IP address; only names under lg.jp are certified");
    }
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        return Some("has capital letters; write it in lower case");
    }
    if !name.split('.').all(is_label) {
        return Some("is not a host name of letters, digits and hyphens");
    }
    if !name.ends_with(".lg.jp") {
        return Some("does not lie under lg.jp, the domain of LGWAN participants");
    }
    None
}

#[cfg(test)]
mod tests;
