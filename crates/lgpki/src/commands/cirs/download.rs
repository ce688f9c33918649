//! `lgpki cirs download`: certificates as files, and what is to be done with them (R10).

use std::{
    fs,
    path::{Path, PathBuf},
};

use lgpki_domain::{ApplicationId, CertificateKind};
use lgpki_proto::v1::{self, application_service_client::ApplicationServiceClient};
use lgpki_x509::{certificate::Certificate, pem};
use tonic::transport::Channel;

use crate::{
    error::{CommandError, Refused},
    output::Output,
};

/// What to download, where to, and whether to confirm it.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) ids: &'a [ApplicationId],
    pub(super) to: &'a Path,
    pub(super) confirm: bool,
}

/// Downloads, writes and, if wanted, confirms.
pub(super) async fn run(
    client: &mut ApplicationServiceClient<Channel>,
    wanted: Wanted<'_>,
    output: Output,
) -> Result<(), CommandError> {
    let Wanted { ids, to, confirm } = wanted;
    fs::create_dir_all(to).map_err(|e| CommandError::file("make", to, &e))?;
    let bar = output.progress(ids.len() as u64, "downloading");
    let (mut stored, mut refused, mut next) = (Vec::new(), Vec::new(), Next::default());
    for chunk in ids.chunks(1000) {
        let ids = chunk.iter().map(ToString::to_string).collect();
        let mut answers = client
            .download_certificates(v1::DownloadCertificatesRequest { ids })
            .await?
            .into_inner();
        while let Some(answer) = answers.message().await? {
            bar.inc(1);
            match answer.outcome {
                Some(v1::download_certificates_response::Outcome::Certificate(c)) => {
                    next.of(&c.certificate, &c.id);
                    stored.push((c.id.clone(), write(to, &c)?));
                }
                Some(v1::download_certificates_response::Outcome::Refused(r)) => {
                    refused.push(Refused::new(answer.id, Some(r)));
                }
                None => refused.push(Refused::new(answer.id, None)),
            }
        }
    }
    bar.finish_and_clear();
    // As many at once as were downloaded at once.
    for chunk in stored.chunks(if confirm { 1000 } else { usize::MAX }) {
        if !confirm {
            break;
        }
        let ids = chunk.iter().map(|(id, _)| id.clone()).collect();
        let answer = client
            .confirm_delivery(v1::ConfirmDeliveryRequest { ids })
            .await?
            .into_inner();
        let unconfirmed = answer.refused.into_iter();
        refused.extend(unconfirmed.map(|r| Refused::new(r.id, r.refusal)));
    }
    let files: Vec<_> = stored.into_iter().map(|(_, file)| file).collect();
    let told: Vec<_> = refused.iter().map(|r| r.to_json("id")).collect();
    output.result(
        &serde_json::json!({ "stored": files, "refused": told }),
        || {
            if files.is_empty() {
                String::from("(none)")
            } else {
                files.join("\n")
            }
        },
    );
    for step in next.steps(to) {
        output.say(step);
    }
    if refused.is_empty() {
        return Ok(());
    }
    let message = format!(
        "{} of {} could not be downloaded or confirmed",
        refused.len(),
        ids.len()
    );
    Err(CommandError::new(message).refusing(refused))
}

/// What is to be done with certificates: the first application of each way.
#[derive(Debug, Default)]
struct Next {
    medium: Option<String>,
    server: Option<String>,
}

impl Next {
    /// Looks at a certificate, DER.
    fn of(&mut self, certificate: &[u8], application: &str) {
        let kind = Certificate::parse(certificate).ok();
        self.of_kind(kind.and_then(|one| one.kind()), application);
    }

    fn of_kind(&mut self, kind: Option<CertificateKind>, application: &str) {
        let way = match kind {
            Some(CertificateKind::WebServer) => &mut self.server,
            _ => &mut self.medium,
        };
        way.get_or_insert_with(|| application.to_owned());
    }

    /// What to say of it.
    fn steps(&self, to: &Path) -> Vec<String> {
        let medium = self.medium.as_ref().map(|id| {
            format!(
                "next, on the PC that made the CSR: lgpki kit store MEDIUM --certificate {}",
                file(to, id).display()
            )
        });
        let server = self.server.as_ref().map(|id| {
            format!(
                "next, on the web server that made the CSR: install {} beside its key (R6), and the CA \
                 certificate as the one above it",
                file(to, id).display()
            )
        });
        medium.into_iter().chain(server).collect()
    }
}

fn file(to: &Path, application: &str) -> PathBuf {
    to.join(format!("{application}.pem"))
}

/// Writes a certificate and, where it came along, its CA certificate.
fn write(to: &Path, certificate: &v1::DownloadCertificateResponse) -> Result<String, CommandError> {
    let path = file(to, &certificate.id);
    put(&path, &certificate.certificate)?;
    if !certificate.ca_certificate.is_empty() {
        let ca = Certificate::parse(&certificate.ca_certificate)
            .map_err(|e| CommandError::from_error("the CA certificate cannot be read", &e))?;
        if let Some(authority) = ca.authority() {
            put(
                &to.join(format!("{authority}.pem")),
                &certificate.ca_certificate,
            )?;
        }
    }
    Ok(path.display().to_string())
}

fn put(path: &Path, der: &[u8]) -> Result<(), CommandError> {
    let text = pem::encode(pem::Label::Certificate, der)
        .map_err(|e| CommandError::from_error("a certificate cannot be written as PEM", &e))?;
    fs::write(path, text).map_err(|e| CommandError::file("write", path, &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lives_on_a_medium_is_to_be_stored_on_one() {
        let steps = |kinds: &[CertificateKind]| {
            let mut next = Next::default();
            for (n, kind) in kinds.iter().enumerate() {
                next.of_kind(Some(*kind), &n.to_string());
            }
            next.steps(Path::new("certs")).join("\n")
        };
        let server = steps(&[CertificateKind::WebServer]);
        assert!(!server.contains("kit store"), "{server}");
        assert!(server.contains("certs/0.pem"), "{server}");
        let both = steps(&[
            CertificateKind::WebServer,
            CertificateKind::Mail,
            CertificateKind::User,
        ]);
        assert!(both.starts_with("next, on the PC"), "{both}");
        assert!(both.contains("--certificate certs/1.pem"), "{both}");
        assert_eq!(both.lines().count(), 2, "{both}");
        assert_eq!(steps(&[]), "");
    }
}
