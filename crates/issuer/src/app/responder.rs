//! Certificates for OCSP responders (RFC 6960 §4.2.2.2): delegation to the publishing service.
//!
//! The key is the responder's own; here it is certified for one CA key and for answers only, after
//! the same intent, lint and record as every other certificate. The name and the 30 days are not
//! asked for: they are the profile's.

use std::sync::Arc;

use lgpki_domain::{
    ApplicationId, Authority, AuthorityKey, CertificateKind, JstDate, Randomness, Serial, Validity,
};
use lgpki_x509::{
    Blueprint, CertificationRequest, Particulars, key::sha256, ocsp::responder_subject,
};

use super::{
    Answer, App,
    issue::Drafted,
    order::{Draft, NoDraft, build, one},
};
use crate::{
    error::{IssuerError, StoreError},
    ports::{Intend, IssuerStore},
    vault::Ca,
};

/// What is asked for.
#[derive(Debug)]
pub(crate) struct ResponderOrder {
    /// The request's name for ever.
    pub(crate) request: ApplicationId,
    /// The CA whose answers are to be signed.
    pub(crate) authority: Authority,
    /// The generation of its key.
    pub(crate) generation: u32,
    /// The certification request, DER.
    pub(crate) csr: Vec<u8>,
}

impl<S: IssuerStore> App<S> {
    /// Certifies an OCSP responder's key. Asked again with the same content, it answers the same.
    pub(crate) async fn issue_responder(
        self: &Arc<Self>,
        order: ResponderOrder,
        actor: String,
    ) -> Result<Answer, IssuerError> {
        let ca = self
            .ca_key(AuthorityKey::new(order.authority, order.generation))
            .ok_or(IssuerError::NoAuthority(order.authority))?;
        let working = self.begin()?;
        let app = Arc::clone(self);
        let issuing = tokio::spawn(async move {
            let _working = working;
            app.issue_one_responder(order, ca, &actor).await
        });
        issuing.await.map_err(|_| IssuerError::WorkerLost)?
    }

    async fn issue_one_responder(
        &self,
        order: ResponderOrder,
        ca: Arc<Ca>,
        actor: &str,
    ) -> Result<Answer, IssuerError> {
        let today = self.ports.clock.now().jst_date();
        let randomness = Arc::clone(&self.ports.randomness);
        let application = order.request;
        let content = format!(
            "ocsp-responder\n{}\n{}\n{}",
            order.authority,
            order.generation,
            sha256(&order.csr)
        );
        let drafting = self
            .cores
            .run(move || draft(&order.csr, ca, today, randomness.as_ref()));
        let (proposal, draft) = match drafting.await.ok_or(IssuerError::WorkerLost)? {
            Ok(draft) => (Ok(draft.proposal()), Some(draft)),
            Err(NoDraft::Refused(faults)) => (Err(faults), None),
            Err(NoDraft::Randomness(failed)) => return Err(failed.into()),
        };
        let intend = Intend {
            application,
            attempt: 1,
            content_digest: sha256(content.as_bytes()),
            stamp: self.stamp(actor),
            proposal,
        };
        let drafted = Drafted {
            application,
            attempt: 1,
            answers: None,
            draft,
        };
        let mut answers = self.carry_out(vec![intend], vec![drafted], actor).await?;
        answers.pop().ok_or(StoreError::Mismatched.into())
    }
}

/// Checks the request and builds what would be signed today.
fn draft(
    csr: &[u8],
    ca: Arc<Ca>,
    today: JstDate,
    randomness: &dyn Randomness,
) -> Result<Draft, NoDraft> {
    const FIELD: &str = "certification_request";
    let csr = CertificationRequest::parse(FIELD, csr)?;
    let public_key = csr.public_key();
    public_key.check_for_responder(FIELD)?;
    let subject = responder_subject(ca.issuer.authority()).map_err(|error| {
        tracing::error!(%error, "an OCSP responder cannot be named");
        one(
            FIELD,
            "ISSUANCE_LINT_REFUSED",
            "the responder's name cannot be written",
        )
    })?;
    let particulars = Particulars::OcspResponder;
    csr.check_names(FIELD, &subject, &particulars)?;
    let Some(validity) = Validity::for_responder(today, ca.issuer.validity()) else {
        let message =
            "the CA's certificate is not valid today; its answers can no longer be signed";
        return Err(one("key_generation", "CA_EXPIRED", message));
    };
    let serial = Serial::draw(randomness).map_err(NoDraft::Randomness)?;
    let blueprint = Blueprint {
        subject: &subject,
        particulars: &particulars,
        public_key,
        serial,
        validity,
    };
    let linted = build(&ca, &blueprint)?;
    Ok(Draft {
        branch: None,
        kind: CertificateKind::OcspResponder,
        key_digest: public_key.digest(),
        subject,
        ca,
        serial,
        validity,
        linted,
    })
}
