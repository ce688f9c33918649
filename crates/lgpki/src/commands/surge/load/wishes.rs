//! What is sent: real requests with real keys, prepared before the first is due.

use std::collections::HashMap;

use indicatif::ProgressBar;
use lgpki_domain::{CertificateKind, JstDate, KeyMedium, Names, Subject};
use lgpki_keys::{Signer as _, SoftwareKey};
use lgpki_proto::{
    convert::wire,
    v1::{self, submit_application_request::Content},
};
use lgpki_surge::{Act, Due, Side};
use lgpki_x509::{Certificate, Particulars, Requested, key::SubjectPublicKey, request};

use super::desks::Desk;
use crate::error::CommandError;

/// An application that is ready to be sent.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// Which of the desks sends it.
    pub(super) desk: usize,
    /// Whether it is part of a flood.
    pub(super) side: Side,
    /// What it is meant to ask for.
    pub(super) meant: Act,
    /// What it asks for as it was prepared: a revocation needs a certificate, which is found when it is sent.
    pub(super) act: Act,
    /// As it is sent.
    pub(super) request: v1::SubmitApplicationRequest,
}

impl Wish {
    /// The certificate that it renews; empty if it asks for something else.
    pub(super) fn renews(&self) -> &str {
        match &self.request.content {
            Some(Content::Renew(renew)) => &renew.serial,
            _ => "",
        }
    }

    /// Asks for the revocation of this certificate instead.
    pub(super) fn revoke(&mut self, serial: String) {
        self.act = Act::Revoke;
        self.request.content = Some(Content::Revoke(v1::RevokeContent {
            serial,
            reason: v1::RevocationReason::KeyCompromise.into(),
        }));
    }
}

/// Prepares all that is due, in order, as examined `today`. `renewable` are certificates of each desk.
pub(super) fn prepare(
    (run, today): (&str, JstDate),
    desks: &[Desk],
    (due, keys): (&[Due], Vec<SoftwareKey>),
    mut renewable: HashMap<usize, Vec<v1::Certificate>>,
    bar: &ProgressBar,
) -> Result<Vec<Wish>, CommandError> {
    let today = today.to_string();
    let mut wishes = Vec::with_capacity(due.len());
    for (number, (due, key)) in due.iter().zip(keys).enumerate() {
        let Some(desk) = desks.get(due.office) else {
            continue;
        };
        let old = match due.act {
            Act::Renew => renewable.get_mut(&due.office).and_then(Vec::pop),
            Act::Issue | Act::Revoke => None,
        };
        let (act, content) = if let Some(old) = old {
            (Act::Renew, Content::Renew(renew(&old, &key)?))
        } else {
            let host = format!("h{number}.{run}.load.lg.jp");
            (Act::Issue, Content::Issue(issue(&desk.body, host, &key)?))
        };
        wishes.push(Wish {
            desk: due.office,
            side: if due.flooding {
                Side::Flooding
            } else {
                Side::Others
            },
            meant: due.act,
            act,
            request: v1::SubmitApplicationRequest {
                request_id: format!("{}{number:08}", prefix(run)),
                branch: desk.branch.clone(),
                examination: Some(v1::BranchExamination {
                    office: String::from("総務課長"),
                    examiner_name: String::new(),
                    approved: true,
                    decided_on: today.clone(),
                }),
                content: Some(content),
            },
        });
        bar.inc(1);
    }
    Ok(wishes)
}

/// What all request ids of a run begin with.
pub(super) fn prefix(run: &str) -> String {
    format!("load-{run}-")
}

/// Asks for a web server's certificate.
fn issue(body: &Names, host: String, key: &SoftwareKey) -> Result<v1::IssueContent, CommandError> {
    let kind = CertificateKind::WebServer;
    let name = Names::try_new("name", &host, "公式サイト");
    let name = name.map_err(|_| CommandError::new(format!("{host} is no name")))?;
    let subject = Subject {
        body: body.clone(),
        unit: None,
        name,
    };
    let dns_names = vec![host];
    let requested = Requested {
        dns_names: &dns_names,
        ..Requested::default()
    };
    let particulars = Particulars::try_new("request", kind, &requested).map_err(|e| wrong(&e))?;
    Ok(v1::IssueContent {
        kind: wire(kind),
        csr: signed(&subject, &particulars, key)?,
        subject: Some((&subject).into()),
        medium: wire(KeyMedium::Server),
        dns_names,
        ..v1::IssueContent::default()
    })
}

/// Asks for the renewal of a certificate, for the same names.
fn renew(old: &v1::Certificate, key: &SoftwareKey) -> Result<v1::RenewContent, CommandError> {
    let unreadable = || CommandError::new(format!("certificate {} cannot be read", old.serial));
    let certificate = Certificate::parse(&old.der).map_err(|e| wrong(&e))?;
    let subject = certificate.subject().ok_or_else(unreadable)?;
    let particulars = certificate.particulars().ok_or_else(unreadable)?;
    let medium = match certificate.kind() {
        Some(CertificateKind::WebServer) => KeyMedium::Server,
        _ => KeyMedium::IcCard,
    };
    Ok(v1::RenewContent {
        serial: old.serial.clone(),
        csr: signed(&subject, &particulars, key)?,
        medium: wire(medium),
        slot_token: String::new(),
    })
}

fn signed(
    subject: &Subject,
    particulars: &Particulars,
    key: &SoftwareKey,
) -> Result<Vec<u8>, CommandError> {
    let public = SubjectPublicKey::parse("key", key.public_key().der()).map_err(|e| wrong(&e))?;
    let info = request::build_info(subject, particulars, &public).map_err(|e| wrong(&e))?;
    let signature = key.sign(&info).map_err(|e| wrong(&e))?;
    Ok(request::assemble(
        info,
        key.algorithm().signature(),
        &signature,
    ))
}

fn wrong(error: &dyn std::error::Error) -> CommandError {
    CommandError::from_error("a request", error)
}

#[cfg(test)]
mod tests {
    use lgpki_domain::KeyAlgorithm;
    use lgpki_x509::CertificationRequest;

    use super::*;

    #[test]
    fn a_request_for_a_web_server_is_found_good_and_names_its_host() {
        let body = Names::try_new("body", "Sapporo City", "札幌市").unwrap();
        let key = SoftwareKey::generate(KeyAlgorithm::P256).unwrap();
        let wish = issue(&body, String::from("h1.abc.load.lg.jp"), &key).unwrap();
        let request = CertificationRequest::parse("csr", &wish.csr).unwrap();
        assert_eq!(request.public_key().der(), key.public_key().der());
        assert_eq!(wish.dns_names, ["h1.abc.load.lg.jp"]);
    }
}
