//! One entry read: what it says that a rule needs, and what is wrong with it by itself.
//!
//! Reading looks at one entry alone and at the CAs known so far, so that several threads read at
//! once. What an entry means beside the others is for the rules.

use lgpki_domain::{ApplicationId, Digest, Timestamp};
use lgpki_ledger::merkle::{self, Hash};
use lgpki_x509::key::sha256;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    authorities::Authorities,
    certificate::{self, Claims, Fault, Seen, examine},
    finding::Rule,
    profile,
    scan::{Envelope, scan},
    schema::Schema,
    view,
};

/// One of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Applications.
    Intake,
    /// Certificates and CRLs signed.
    Issuer,
    /// Inventory, revocations, CRLs published.
    Lifecycle,
}

impl Service {
    /// In the order in which their logs are read: each refers to those before.
    pub const ALL: [Self; 3] = [Self::Issuer, Self::Intake, Self::Lifecycle];

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Issuer => "issuer",
            Self::Lifecycle => "lifecycle",
        }
    }

    /// Reads a [`name`](Self::name) back.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }
}

/// An entry, read.
#[derive(Debug)]
pub struct Read {
    /// The hash of its leaf.
    pub leaf: Hash,
    /// When it happened.
    pub time: Timestamp,
    /// Its kind's place in the schema.
    pub(crate) kind: Option<usize>,
    pub(crate) answers: Option<(Service, u64)>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) fact: Fact,
}

/// What an entry says that a rule needs.
#[derive(Debug)]
pub(crate) enum Fact {
    /// Nothing, or it could not be read.
    Other,
    LogOpened(view::Opened),
    Heartbeat(view::Heartbeat),
    /// With the CRL numbers that count as used.
    Restored(u64),
    Epoch(u64),
    AuthorityIntent(Box<view::AuthorityIntent>, Digest),
    AuthorityCreated(Box<view::AuthorityCreated>),
    AuthorityAbandoned(view::GivenUp),
    /// With the digest of the tbsCertificate and, of a ceremony, who held it.
    Intent(Box<view::Intent>, Digest, Actor),
    /// With what was seen in the certificate; its bytes only where its CA was not known.
    Issued(Box<view::Issued>, Option<Seen>),
    Abandoned(Box<view::Abandoned>),
    CrlIntent(Box<view::CrlIntent>),
    CrlSigned(Box<view::CrlSigned>),
    CrlAbandoned(view::GivenUp),
    Received(Box<Received>),
    Step(ApplicationId, Step),
    Claimed(Vec<(ApplicationId, u32)>),
    ApplicationIssued(Box<view::ApplicationIssued>, Digest),
    Delivered(Vec<ApplicationId>),
    RenewalsOpened(Vec<ApplicationId>),
    RenewalsClosed(Vec<ApplicationId>),
    Registered(Box<view::Issued>, Digest),
    Unregistered(Box<view::Abandoned>),
    Revoked(view::Revoked),
    Published(Box<view::CrlPublished>),
    RenewalOpened(view::Renewal),
    RenewalClosed(view::Renewal),
    Ocsp(view::Ocsp),
}

/// Who did something, as far as rules ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Actor {
    /// `init` or `ceremony`.
    Ceremony(String),
    /// One of the services, or whoever calls through it.
    Other,
}

/// An application as intake recorded it.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) application: ApplicationId,
    pub(crate) needed: u32,
    pub(crate) content: Digest,
    pub(crate) sort: lgpki_domain::application::Sort,
    pub(crate) kind: lgpki_domain::CertificateKind,
    /// What it is to get, if it is to get a certificate: key, subject, other names.
    pub(crate) wanted: Option<(Digest, Digest, Digest)>,
    /// The certificate that it renews or ends.
    pub(crate) target: Option<lgpki_domain::Serial>,
    pub(crate) reason: Option<lgpki_domain::RevocationReason>,
}

/// A step in an application's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Counted(Digest),
    Approved(Option<Digest>),
    Rejected,
    Withdrawn,
    Completed,
    Abandoned(u32),
    Failed,
}

/// Reads an entry.
pub(crate) fn read(
    schema: &Schema,
    authorities: &Authorities,
    service: Service,
    bytes: &[u8],
) -> Read {
    let mut read = Read {
        leaf: merkle::leaf(bytes),
        time: Timestamp::default(),
        kind: None,
        answers: None,
        faults: Vec::new(),
        fact: Fact::Other,
    };
    let scanned = match scan(schema, service.name(), bytes) {
        Ok(scanned) => scanned,
        Err(why) => {
            read.faults.push((Rule::Canonical, why));
            return read;
        }
    };
    let envelope = scanned.envelope;
    read.kind = envelope.known;
    if let Some(why) = scanned.departs {
        read.faults.push((Rule::Schema, why));
    }
    match text(envelope.time).and_then(|time| time.parse().ok()) {
        Some(time) => read.time = time,
        None => read
            .faults
            .push((Rule::Schema, "its time is no time".to_owned())),
    }
    read.answers = envelope.answers.and_then(|answers| {
        let answers: view::Answers = serde_json::from_slice(answers).ok()?;
        Some((Service::parse(&answers.log)?, answers.index))
    });
    if let Some(kind) = text(envelope.kind).filter(|_| read.kind.is_some()) {
        match fact(service, kind, &envelope, authorities, &mut read.faults) {
            Ok(fact) => read.fact = fact,
            Err(error) => read
                .faults
                .push((Rule::Schema, format!("its body cannot be read: {error}"))),
        }
    }
    if let Some(about) = envelope.about {
        check_about(about, &read.fact, &mut read.faults);
    }
    read
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn fact(
    service: Service,
    kind: &str,
    envelope: &Envelope<'_>,
    authorities: &Authorities,
    faults: &mut Vec<Fault>,
) -> Result<Fact, serde_json::Error> {
    let body = envelope.body;
    Ok(match (service, kind) {
        (_, "log.opened") => Fact::LogOpened(view(body)?),
        (_, "log.heartbeat") => Fact::Heartbeat(view(body)?),
        (Service::Issuer, "log.restored") => {
            Fact::Restored(view::<view::Restored>(body)?.crl_numbers_used)
        }
        (Service::Issuer, "epoch.opened") => Fact::Epoch(view::<view::Epoch>(body)?.epoch),
        (Service::Issuer, "authority.intent") => {
            let mut intent: Box<view::AuthorityIntent> = view(body)?;
            let tbs = sha256(&std::mem::take(&mut intent.tbs));
            Fact::AuthorityIntent(intent, tbs)
        }
        (Service::Issuer, "authority.created") => Fact::AuthorityCreated(view(body)?),
        (Service::Issuer, "authority.abandoned") => Fact::AuthorityAbandoned(view(body)?),
        (Service::Issuer, "certificate.intent") => {
            let mut intent: Box<view::Intent> = view(body)?;
            let tbs = std::mem::take(&mut intent.tbs);
            if certificate::public_key_info(&tbs).map(sha256) != Some(intent.key_digest) {
                let what = "the tbsCertificate has another public key than its entry says";
                faults.push((Rule::CertificateDiffers, what.to_owned()));
            }
            let actor = match envelope.actor {
                b"init" | b"ceremony" => {
                    Actor::Ceremony(String::from_utf8_lossy(envelope.actor).into_owned())
                }
                _ => Actor::Other,
            };
            Fact::Intent(intent, sha256(&tbs), actor)
        }
        (Service::Issuer, "certificate.issued") => issued(view(body)?, authorities, faults),
        (Service::Issuer, "certificate.abandoned") => Fact::Abandoned(view(body)?),
        (Service::Issuer, "crl.intent") => Fact::CrlIntent(view(body)?),
        (Service::Issuer, "crl.signed") => Fact::CrlSigned(view(body)?),
        (Service::Issuer, "crl.abandoned") => Fact::CrlAbandoned(view(body)?),
        (Service::Intake, kind) => intake(kind, body, faults)?,
        (Service::Lifecycle, "certificate.registered") => {
            let mut issued: Box<view::Issued> = view(body)?;
            let der = sha256(&std::mem::take(&mut issued.certificate));
            Fact::Registered(issued, der)
        }
        (Service::Lifecycle, "certificate.abandoned") => Fact::Unregistered(view(body)?),
        (Service::Lifecycle, "certificate.revoked") => Fact::Revoked(view(body)?),
        (Service::Lifecycle, "crl.published") => Fact::Published(view(body)?),
        (Service::Lifecycle, "renewal.opened") => Fact::RenewalOpened(view(body)?),
        (Service::Lifecycle, "renewal.closed") => Fact::RenewalClosed(view(body)?),
        (Service::Lifecycle, "ocsp.signed") => Fact::Ocsp(view(body)?),
        _ => Fact::Other,
    })
}

fn view<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(body)
}

fn issued(
    mut issued: Box<view::Issued>,
    authorities: &Authorities,
    faults: &mut Vec<Fault>,
) -> Fact {
    let der = std::mem::take(&mut issued.certificate);
    let claims = Claims {
        serial: issued.serial,
        kind: issued.kind,
        key: issued.key_digest,
        not_before: issued.not_before,
        not_after: issued.not_after,
        subject: &issued.subject,
    };
    let seen = examine(&der, &claims, faults);
    match profile::check(&der, &issued, authorities) {
        Some(told) => faults.extend(told),
        // The rules look again once they know the CA.
        None => issued.certificate = der,
    }
    Fact::Issued(issued, seen)
}

fn intake(kind: &str, body: &[u8], faults: &mut Vec<Fault>) -> Result<Fact, serde_json::Error> {
    let one = |step: fn(&view::One) -> Step| {
        let one: view::One = view(body)?;
        Ok::<_, serde_json::Error>(Fact::Step(one.application, step(&one)))
    };
    let several = || {
        let several: view::Several = view(body)?;
        let ids = several.applications.into_iter().map(|named| named.0);
        Ok::<Vec<_>, serde_json::Error>(ids.collect())
    };
    let subject = |one: &view::One| one.operator.as_ref().map(|operator| operator.subject);
    Ok(match kind {
        "application.received" => Fact::Received(Box::new(received(view(body)?, faults))),
        "application.approved" => {
            let one: view::One = view(body)?;
            Fact::Step(one.application, Step::Approved(subject(&one)))
        }
        "application.counted" => {
            let one: view::One = view(body)?;
            let operator = subject(&one).unwrap_or(Digest([0; 32]));
            Fact::Step(one.application, Step::Counted(operator))
        }
        "application.rejected" => one(|_| Step::Rejected)?,
        "application.withdrawn" => one(|_| Step::Withdrawn)?,
        "application.completed" => one(|_| Step::Completed)?,
        "application.abandoned" => one(|one| Step::Abandoned(one.attempt))?,
        "application.failed" => one(|_| Step::Failed)?,
        "application.claimed" => {
            let claimed: view::Claimed = view(body)?;
            let claims = claimed.applications.iter();
            Fact::Claimed(claims.map(|one| (one.application, one.attempt)).collect())
        }
        "application.issued" => {
            let mut issued: Box<view::ApplicationIssued> = view(body)?;
            let der = sha256(&std::mem::take(&mut issued.certificate));
            Fact::ApplicationIssued(issued, der)
        }
        "application.delivered" => Fact::Delivered(several()?),
        "renewal.opened" => Fact::RenewalsOpened(several()?),
        "renewal.closed" => Fact::RenewalsClosed(several()?),
        _ => Fact::Other,
    })
}

fn received(body: view::Received, faults: &mut Vec<Fault>) -> Received {
    if body.examination.office.is_empty() {
        let what = "no office is named that examined it";
        faults.push((Rule::ApplicationUnexamined, what.to_owned()));
    }
    let (kind, wanted, target, reason) = match body.content {
        view::Content::Issue(issue) => {
            let asks = certificate::requested_key(&issue.csr) == Some(issue.public_key.as_slice());
            if !asks || sha256(&issue.public_key) != issue.key_digest {
                let what = "its public key is not that of its certification request";
                faults.push((Rule::ApplicationDiffers, what.to_owned()));
            }
            let uri = issue.login_role.map(|role| {
                let body = body
                    .branch
                    .map_or_else(|| "-".to_owned(), |code| code.to_string());
                format!("lgpki:login/{role}/{body}")
            });
            let others = certificate::others_digest(
                issue.dns_names.iter().map(String::as_str),
                issue.mail_address.iter().map(String::as_str),
                uri.iter().map(String::as_str),
            );
            let subject = certificate::subject_digest(&issue.subject);
            let wanted = (issue.key_digest, subject, others);
            (issue.kind, Some(wanted), issue.renews, None)
        }
        view::Content::Revoke(revoke) => {
            (revoke.kind, None, Some(revoke.serial), Some(revoke.reason))
        }
    };
    Received {
        application: body.application,
        needed: body.approvals_needed,
        content: body.content_digest,
        sort: body.sort,
        kind,
        wanted,
        target,
        reason,
    }
}

#[derive(Deserialize)]
struct About {
    application: Option<String>,
    certificate: Option<String>,
}

/// What an entry says it is about must be what its body is about.
fn check_about(about: &[u8], fact: &Fact, faults: &mut Vec<Fault>) {
    let Ok(about) = serde_json::from_slice::<About>(about) else {
        return;
    };
    let (application, certificate) = match fact {
        Fact::Intent(intent, ..) => (Some(intent.application), Some(intent.serial)),
        Fact::Issued(issued, _) | Fact::Registered(issued, _) => {
            (Some(issued.application), Some(issued.serial))
        }
        Fact::Abandoned(given) | Fact::Unregistered(given) => {
            (Some(given.application), Some(given.serial))
        }
        Fact::Revoked(revoked) => (Some(revoked.command), Some(revoked.serial)),
        Fact::ApplicationIssued(issued, _) => (Some(issued.application), Some(issued.serial)),
        Fact::Received(received) => (Some(received.application), received.target),
        _ => return,
    };
    if about.application != application.map(|id| id.to_string())
        || about.certificate != certificate.map(|serial| serial.to_string())
    {
        let what = "it says it is about something else than its body is";
        faults.push((Rule::Schema, what.to_owned()));
    }
}

#[cfg(test)]
mod tests;
