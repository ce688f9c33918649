//! Link and cross certificates: CA certificates that a ceremony asks for, never an application.
//!
//! They go the way of every certificate: draft, lint, intent, signature, record. Each is named by
//! its own content, so that a ceremony that was cut off and is held again finds what it made.

use std::sync::Arc;

use lgpki_domain::{
    ApplicationId, Authority, CertificateKind, Digest, Faults, Names, Serial, Subject, Validity,
};
use lgpki_keys::weak;
use lgpki_x509::{
    cross::{self, Constraints, CrossBlueprint, ForeignCa},
    key::sha256,
    link::{self, LinkBlueprint},
    lint,
};

use super::{Answer, App, issue::Drafted, order::Draft};
use crate::{
    error::{IssuerError, StoreError},
    ports::{Certificate, Intend, Issuance, IssuerStore},
    vault::Ca,
};

/// Another operator's CA that is to be certified.
#[derive(Clone, Debug)]
pub struct Cross {
    /// The CA that certifies.
    pub authority: Authority,
    /// The CA that is certified.
    pub subject: ForeignCa,
    /// What the inventory calls it.
    pub names: Names,
    /// What it may vouch for.
    pub constraints: Constraints,
    /// When the certificate is valid.
    pub validity: Validity,
}

/// What a CA certificate is called for ever, and what was ordered under that name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    pub(super) application: ApplicationId,
    content_digest: Digest,
}

impl Named {
    fn of(content: &str) -> Self {
        let content_digest = sha256(content.as_bytes());
        let mut name = [0; 16];
        name.copy_from_slice(&content_digest.0[..16]);
        Self {
            application: ApplicationId::from_bytes(name),
            content_digest,
        }
    }

    /// The link between two generations; one for ever in each direction.
    pub(super) fn link(authority: Authority, certified: u32, signs: u32) -> Self {
        Self::of(&format!("link {authority} {certified} with {signs}"))
    }

    /// A cross certificate, after the octets of what is certified and what the inventory calls it;
    /// `content` is the tbsCertificate under [`NO_SERIAL`].
    fn cross(names: &Names, content: &[u8]) -> Self {
        Self::of(&format!("cross\n{names}\n{}", sha256(content)))
    }
}

/// Stands for the serial number where a tbsCertificate is looked at before one is drawn.
const NO_SERIAL: [u8; 16] = [0x40; 16];

#[expect(
    clippy::expect_used,
    reason = "the octets are of a serial number's form"
)]
fn no_serial() -> Serial {
    Serial::from_bytes(&NO_SERIAL).expect("a first octet of 0x40")
}

impl<S: IssuerStore> App<S> {
    /// Certifies the key of `certified` with that of `signs`, or finds the link made before.
    pub(super) async fn link(
        &self,
        signs: &Arc<Ca>,
        certified: &Arc<Ca>,
        actor: &str,
    ) -> Result<Certificate, IssuerError> {
        let authority = certified.issuer.authority();
        let (below, above) = (certified.issuer.generation(), signs.issuer.generation());
        let serial = Serial::draw(self.ports.randomness.as_ref())?;
        let blueprint = LinkBlueprint {
            issuer: &signs.issuer,
            certified: &certified.issuer,
            serial,
        };
        let linted = lint::lint_link(&blueprint, link::build(&blueprint)?)?;
        let validity = blueprint.validity().ok_or(StoreError::Mismatched)?;
        let draft = Draft {
            ca: Arc::clone(signs),
            branch: None,
            kind: CertificateKind::Link,
            subject: link_subject(authority, below, above)?,
            key_digest: certified.issuer.public_key().digest(),
            serial,
            validity,
            linted,
        };
        let name = Named::link(authority, below, above);
        self.issue_ca_certificate(name, draft, actor).await
    }

    /// Issues a cross certificate with the key that issues today, or finds the one made before for
    /// the same content.
    pub(crate) async fn certify(
        &self,
        cross: &Cross,
        actor: &str,
    ) -> Result<(u32, Certificate), IssuerError> {
        let today = self.ports.clock.now().jst_date();
        let ca = self
            .issuing(cross.authority, today)
            .ok_or(IssuerError::NoAuthority(cross.authority))?;
        let serial = Serial::draw(self.ports.randomness.as_ref())?;
        let blueprint = CrossBlueprint {
            issuer: &ca.issuer,
            subject: &cross.subject,
            constraints: &cross.constraints,
            serial,
            validity: cross.validity,
        };
        let mut faults = blueprint.check().err().unwrap_or_default();
        if let Err(weakness) = weak::check(cross.subject.public_key().der()) {
            faults.push("certificate", "KEY_WEAK", weakness.to_string());
        }
        faults.into_result().map_err(IssuerError::Refused)?;
        let linted = lint::lint_cross(&blueprint, cross::build(&blueprint)?)?;
        let content = cross::build(&CrossBlueprint {
            serial: no_serial(),
            ..blueprint
        })?;
        let name = Named::cross(&cross.names, &content);
        let generation = ca.issuer.generation();
        let draft = Draft {
            ca,
            branch: None,
            kind: CertificateKind::Cross,
            subject: Subject {
                body: cross.names.clone(),
                unit: None,
                name: cross.names.clone(),
            },
            key_digest: cross.subject.public_key().digest(),
            serial,
            validity: cross.validity,
            linted,
        };
        let certificate = self.issue_ca_certificate(name, draft, actor).await?;
        Ok((generation, certificate))
    }

    async fn issue_ca_certificate(
        &self,
        name: Named,
        draft: Draft,
        actor: &str,
    ) -> Result<Certificate, IssuerError> {
        let _working = self.begin()?;
        let Named {
            application,
            content_digest,
        } = name;
        let known = self.store.issuances(vec![application]).await?.pop();
        let attempt = match known {
            Some(Issuance::Issued(certificate)) => return Ok(certificate),
            Some(Issuance::InProgress { .. }) => return Err(IssuerError::NotIssued),
            Some(Issuance::Abandoned { attempt }) => attempt + 1,
            Some(Issuance::Unknown) | None => 1,
        };
        let intend = Intend {
            application,
            attempt,
            content_digest,
            stamp: self.stamp(actor),
            proposal: Ok(draft.proposal()),
        };
        let drafted = Drafted {
            application,
            attempt,
            answers: None,
            draft: Some(draft),
        };
        match self
            .carry_out(vec![intend], vec![drafted], actor)
            .await?
            .pop()
        {
            Some(Answer::Issued(certificate)) => Ok(certificate),
            Some(Answer::Refused(faults)) => Err(IssuerError::Refused(faults)),
            _ => Err(IssuerError::NotIssued),
        }
    }
}

/// What the inventory calls a link.
fn link_subject(authority: Authority, certified: u32, signs: u32) -> Result<Subject, IssuerError> {
    let names = |en: &str, ja: &str| {
        Names::try_new("subject", en, ja).map_err(|wrong| {
            let mut faults = Faults::new();
            for fault in wrong {
                faults.add(fault);
            }
            IssuerError::Refused(faults)
        })
    };
    Ok(Subject {
        body: names("LGPKI", "LGPKI")?,
        unit: None,
        name: names(
            &format!("{} key {certified} with {signs}", authority.unit()),
            &format!("{} 鍵{certified}（鍵{signs}による）", authority.unit_ja()),
        )?,
    })
}
