//! What a renewal asks for: the certificate that its old one was, with a new key (R2).
//!
//! The old certificate decides kind, subject and particulars; nothing of them is taken from the
//! applicant. They are read from the application that it came from, or, where that was a ceremony,
//! from the certificate itself. The rest is the door's, as for every certificate.

use std::sync::Arc;

use lgpki_domain::{ErrorClass, Serial};
use lgpki_proto::{RemoteError, v1};
use lgpki_x509::{certificate::Certificate, particulars::Particulars};

use super::{
    App, AppError,
    submission::{IssueWish, NamedBranch, Renewed, Submission, Wish},
    submit::Outcomes,
};
use crate::{
    peers::within_deadline,
    ports::{Content, IntakeStore},
    standings::Held,
};

impl<S: IntakeStore> App<S> {
    /// Makes the renewals of a batch applications for certificates. One that cannot be resolved now
    /// gets that for its outcome; the rest goes on.
    pub(super) async fn resolve_renewals(
        &self,
        batch: Vec<(usize, Submission)>,
        outcomes: &mut Outcomes,
    ) -> Vec<(usize, Submission)> {
        let mut away = None;
        let mut resolved = Vec::with_capacity(batch.len());
        for (position, mut submission) in batch {
            let Some(Wish::Renew(wish)) = submission.wish.take_if(|w| matches!(w, Wish::Renew(_)))
            else {
                resolved.push((position, submission));
                continue;
            };
            let mut issue = IssueWish {
                csr: wish.csr,
                medium: wish.medium,
                renewed: Some(Renewed {
                    serial: wish.serial,
                }),
                ..IssueWish::default()
            };
            // Of what is unknown, or another branch's, nothing is told but that.
            let held = wish
                .serial
                .and_then(|serial| self.parts.standings.certificate(serial));
            if let Some(held) = held
                && submission.branch == held.branch.map_or(NamedBranch::None, NamedBranch::One)
                && let Err(error) = self.inherit(&mut issue, held, &mut away).await
            {
                outcomes.settle(position, Err(error));
                continue;
            }
            submission.wish = Some(Wish::Issue(Box::new(issue)));
            resolved.push((position, submission));
        }
        resolved
    }

    /// Fills in what the old certificate decides; `away` is what lifecycle was found to be.
    async fn inherit(
        &self,
        wish: &mut IssueWish,
        held: Held,
        away: &mut Option<RemoteError>,
    ) -> Result<(), AppError> {
        let known = match held.application {
            Some(id) => self.parts.store.application(id).await?,
            None => None,
        };
        if let Some(Content::Issue(content)) = known.map(|application| application.content) {
            wish.dns_names = content.dns_names;
            wish.mail_address = content.mail_address;
            wish.login_role = content.login_role;
        } else {
            let der = self.certificate_of_a_ceremony(held.serial, away).await?;
            let old = Certificate::parse(&der).ok();
            let Some(particulars) = old.and_then(|old| old.particulars()) else {
                let message = format!("certificate {} cannot be read back", held.serial);
                return Err(AppError::Internal(message));
            };
            inherit_particulars(wish, &particulars);
        }
        wish.kind = Some(held.kind);
        wish.subject = Some(held.subject);
        Ok(())
    }

    /// Asks lifecycle, once in a batch if it is away: what else is in the batch must not wait for it.
    async fn certificate_of_a_ceremony(
        &self,
        serial: Serial,
        away: &mut Option<RemoteError>,
    ) -> Result<Arc<[u8]>, AppError> {
        if let Some(away) = away {
            return Err(away.clone().into());
        }
        let request = v1::GetCertificateRequest {
            serial: serial.to_string(),
        };
        let mut certificates = self.parts.peers.certificates();
        let answer = certificates.get_certificate(within_deadline(request)).await;
        let answer = answer.map_err(RemoteError::from).inspect_err(|error| {
            if error.class() == ErrorClass::Unavailable {
                *away = Some(error.clone());
            }
        })?;
        Ok(answer
            .into_inner()
            .certificate
            .unwrap_or_default()
            .der
            .into())
    }
}

fn inherit_particulars(wish: &mut IssueWish, particulars: &Particulars) {
    wish.dns_names = particulars.dns_names().to_vec();
    wish.mail_address = particulars.mail().map(ToOwned::to_owned);
    wish.login_role = particulars.login().map(|(role, _)| role);
}
