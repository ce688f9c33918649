//! What a renewal asks for: the certificate that its old one was, with a new key (R2).
//!
//! The old certificate decides kind, subject and particulars; nothing of them is taken from the
//! applicant. They are read from the application that it came from, or, where that was a ceremony,
//! from the certificate itself. The rest is the door's, as for every certificate.

use std::sync::Arc;

use lgpki_domain::Serial;
use lgpki_proto::v1;
use lgpki_x509::{certificate::Certificate, particulars::Particulars};

use super::{
    App, AppError,
    submission::{IssueWish, NamedBranch, Renewed, Submission, Wish},
};
use crate::{
    peers::within_deadline,
    ports::{Content, IntakeStore},
    standings::Held,
};

impl<S: IntakeStore> App<S> {
    /// Makes the renewals of a batch applications for certificates.
    pub(super) async fn resolve_renewals(
        &self,
        batch: &mut [(usize, Submission)],
    ) -> Result<(), AppError> {
        for (_, submission) in batch {
            let Some(Wish::Renew(wish)) = submission.wish.take_if(|w| matches!(w, Wish::Renew(_)))
            else {
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
            {
                self.inherit(&mut issue, held).await?;
            }
            submission.wish = Some(Wish::Issue(Box::new(issue)));
        }
        Ok(())
    }

    /// Fills in what the old certificate decides.
    async fn inherit(&self, wish: &mut IssueWish, held: Held) -> Result<(), AppError> {
        let known = match held.application {
            Some(id) => self.parts.store.application(id).await?,
            None => None,
        };
        if let Some(Content::Issue(content)) = known.map(|application| application.content) {
            wish.dns_names = content.dns_names;
            wish.mail_address = content.mail_address;
            wish.login_role = content.login_role;
        } else {
            let der = self.certificate_of_a_ceremony(held.serial).await?;
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

    async fn certificate_of_a_ceremony(&self, serial: Serial) -> Result<Arc<[u8]>, AppError> {
        let request = v1::GetCertificateRequest {
            serial: serial.to_string(),
        };
        let mut certificates = self.parts.peers.certificates();
        let answer = certificates.get_certificate(within_deadline(request)).await;
        let answer = answer.map_err(lgpki_proto::RemoteError::from)?.into_inner();
        Ok(answer.certificate.unwrap_or_default().der.into())
    }
}

fn inherit_particulars(wish: &mut IssueWish, particulars: &Particulars) {
    wish.dns_names = particulars.dns_names().to_vec();
    wish.mail_address = particulars.mail().map(ToOwned::to_owned);
    wish.login_role = particulars.login().map(|(role, _)| role);
}
