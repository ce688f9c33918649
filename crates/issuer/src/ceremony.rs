//! The key ceremony: makes the CAs and the first login certificates while no issuer runs.
//!
//! It works on the issuer's own directory, whose lock keeps a running issuer out, and goes the same
//! way as every order: intent, lint, signature, record. Done again after a crash it goes on where it
//! was: a CA that exists is reported as such, a key that was written is used.

use std::sync::Arc;

use lgpki_domain::{
    ApplicationId, Authority, BodyCode, CertificateKind, CrlOptions, JstDate, KeyAlgorithm,
    OfficerRole, Subject,
};
use lgpki_keys::Passphrase;
use lgpki_x509::key::sha256;

use crate::{
    Settings,
    app::{Answer, App, Order, Ports, Publishing, Wanted},
    error::{IssuerError, StoreError},
    ports::{AuthorityRecord, Certificate},
    start,
    store::LogStore,
};

/// Who acts, as the log names it.
const ACTOR: &str = "init";
/// Who acts where a CA certificate is made later.
const CEREMONY: &str = "ceremony";

pub use crate::app::{Cross, RollOver, RolledOver};

/// A ceremony in progress; holds the issuer's directory until it is closed.
#[derive(Debug)]
pub struct Ceremony {
    store: LogStore,
    app: Arc<App<LogStore>>,
    ports: Ports,
}

/// A login certificate to be issued.
#[derive(Clone, Debug)]
pub struct Login {
    /// Registered names.
    pub subject: Subject,
    /// The office.
    pub role: OfficerRole,
    /// The body; `Some` exactly where the role belongs to one.
    pub body: Option<BodyCode>,
    /// The officer's public key, SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
}

/// A login certificate that was issued.
#[derive(Clone, Debug)]
pub struct IssuedLogin {
    /// The ceremony's application, drawn for it.
    pub application: ApplicationId,
    /// The certificate.
    pub certificate: Certificate,
}

impl Ceremony {
    /// Opens the issuer's directory, or begins it.
    pub async fn open(
        settings: &Settings,
        ports: Ports,
        passphrase: Passphrase,
    ) -> Result<Self, IssuerError> {
        let (store, app) = start(settings, ports.clone(), passphrase, ACTOR).await?;
        Ok(Self { store, app, ports })
    }

    /// Creates a CA with a new key; its certificate is valid for ten years from `day`, and its CRL
    /// and certificate are published below each of `bases`, such as `http://repository.lg.jp`, with one
    /// CRL for all user certificates.
    pub async fn create_authority(
        &self,
        authority: Authority,
        algorithm: KeyAlgorithm,
        day: JstDate,
        bases: &[String],
    ) -> Result<AuthorityRecord, IssuerError> {
        let usual = CrlOptions::default();
        self.create_authority_publishing(authority, algorithm, day, bases, usual)
            .await
    }

    /// Creates a CA that publishes its revocations as `crl` says, which never changes.
    pub async fn create_authority_publishing(
        &self,
        authority: Authority,
        algorithm: KeyAlgorithm,
        day: JstDate,
        bases: &[String],
        crl: CrlOptions,
    ) -> Result<AuthorityRecord, IssuerError> {
        let publishing = Publishing { bases, crl };
        self.app
            .create_authority(authority, algorithm, day, publishing, ACTOR)
            .await
    }

    /// Makes the next generation of a CA's key, whose certificate and whose links with the one before
    /// stand when this returns; held again after a crash, it finishes what was begun.
    pub async fn roll_over(&self, wanted: RollOver) -> Result<RolledOver, IssuerError> {
        self.app.roll_over(wanted, CEREMONY).await
    }

    /// Certifies another operator's CA; the same content again is answered with the same
    /// certificate. Tells the generation of the key that signed, too.
    pub async fn certify(&self, cross: &Cross) -> Result<(u32, Certificate), IssuerError> {
        self.app.certify(cross, CEREMONY).await
    }

    /// The CAs that exist, every generation of their keys.
    pub async fn authorities(&self) -> Result<Vec<AuthorityRecord>, IssuerError> {
        self.app.authorities().await
    }

    /// Issues login certificates, all in one batch, in the order given; the first refusal is the
    /// error.
    pub async fn issue_logins(&self, logins: Vec<Login>) -> Result<Vec<IssuedLogin>, IssuerError> {
        let mut orders = Vec::with_capacity(logins.len());
        for login in logins {
            orders.push(self.order(login)?);
        }
        let mut issued = Vec::with_capacity(orders.len());
        for batch in orders.chunks(crate::app::MOST_ORDERS) {
            let answers = self.app.issue(batch.to_vec(), ACTOR.to_owned()).await?;
            for (order, answer) in batch.iter().zip(answers) {
                let certificate = match answer {
                    Answer::Issued(certificate) => certificate,
                    Answer::Refused(faults) => return Err(IssuerError::Refused(faults)),
                    Answer::InProgress { .. } | Answer::Abandoned { .. } => {
                        return Err(IssuerError::NotIssued);
                    }
                };
                issued.push(IssuedLogin {
                    application: order.application,
                    certificate,
                });
            }
        }
        Ok(issued)
    }

    fn order(&self, login: Login) -> Result<Order, IssuerError> {
        let now = self.ports.clock.now();
        let application = ApplicationId::draw(now, self.ports.randomness.as_ref())?;
        // The ceremony's application has no form; its content is what is ordered.
        let content = format!(
            "{application}\n{}\n{}\n{:?}\n{}",
            login.role,
            login.body.map(|b| b.to_string()).unwrap_or_default(),
            login.subject,
            sha256(&login.public_key),
        );
        Ok(Order {
            application,
            attempt: 1,
            content_digest: sha256(content.as_bytes()),
            answers: None,
            wanted: Ok(Wanted {
                branch: login.body,
                kind: CertificateKind::Login,
                subject: login.subject,
                public_key: login.public_key,
                dns_names: Vec::new(),
                mail: None,
                login_role: Some(login.role),
            }),
        })
    }

    /// Ends the ceremony and releases the directory.
    pub async fn close(self) -> Result<(), StoreError> {
        let _all = self.app.drained().await;
        let marked = self.app.mark_all_shown().await;
        self.store.close().await;
        marked
    }
}
