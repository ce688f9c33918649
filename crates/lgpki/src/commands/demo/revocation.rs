//! One certificate is revoked, and the CRLs say so.

use std::time::Duration;

use lgpki_domain::{Authority, RevocationReason};
use lgpki_proto::{
    convert::wire,
    v1::{
        self, application_service_client::ApplicationServiceClient,
        certificate_service_client::CertificateServiceClient,
        examination_service_client::ExaminationServiceClient, submit_application_request::Content,
    },
};
use lgpki_x509::crl::RevocationList;

use super::{super::fetch::fetch, applicants::Applicant, window::application, world::World};
use crate::error::CommandError;

/// A CRL as relying parties fetch it.
#[derive(Debug)]
pub(super) struct Crl {
    pub(super) authority: Authority,
    pub(super) url: String,
    pub(super) der: Vec<u8>,
}

/// The branch reports a stolen card; the revocation is carried out without examination, and a CRL with
/// it appears at once.
pub(super) async fn revoke(world: &World, applicants: &[Applicant]) -> Result<(), CommandError> {
    let stolen = applicants.iter().find(|a| a.revoked);
    let stolen = stolen.ok_or_else(|| CommandError::new("nobody's card was stolen"))?;
    let office = world.office(&format!("branch-officer-{}", stolen.branch))?;
    let content = Content::Revoke(v1::RevokeContent {
        serial: stolen.serial(),
        reason: wire(RevocationReason::KeyCompromise),
    });
    let mut client = ApplicationServiceClient::new(office.channel());
    let request = application(stolen.branch, content);
    let submitted = client.submit_application(request).await?.into_inner();
    let id = submitted.application.map(|a| a.id).unwrap_or_default();
    let mut changes = client
        .watch_applications(v1::WatchApplicationsRequest {
            filter: None,
            ids: vec![id],
        })
        .await?
        .into_inner();
    loop {
        let change = changes.message().await?.and_then(|c| c.application);
        let application = change.ok_or_else(|| CommandError::new("the stream of changes ended"))?;
        match application.state() {
            v1::ApplicationState::Completed => break,
            v1::ApplicationState::Failed => return Err(CommandError::new(application.reason)),
            _ => {}
        }
    }
    appears(world, stolen).await
}

/// Waits until the published CRL lists the certificate; nobody asked for that CRL.
async fn appears(world: &World, stolen: &Applicant) -> Result<(), CommandError> {
    let office = world.office("auditor-1")?;
    let serial = stolen
        .serial()
        .parse()
        .map_err(|e| CommandError::from_error("serial", &e))?;
    for _ in 0..200 {
        for crl in fetch_all(&office).await? {
            let list = RevocationList::parse(&crl.der)
                .map_err(|e| CommandError::from_error("the CRL cannot be read", &e))?;
            if list
                .find(serial)
                .is_some_and(|e| e.reason == RevocationReason::KeyCompromise)
            {
                return Ok(());
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(CommandError::new(
        "the CRL does not list the revoked certificate",
    ))
}

/// The operator publishes all CRLs anew.
pub(super) async fn publish(world: &World) -> Result<Vec<Crl>, CommandError> {
    let office = world.office("operator-2")?;
    let published = ExaminationServiceClient::new(office.channel())
        .publish_crl_now(v1::PublishCrlNowRequest::default())
        .await?
        .into_inner()
        .published;
    let crls = fetch_all(&office).await?;
    for crl in &crls {
        let digest = lgpki_x509::key::sha256(&crl.der).to_string();
        if !published.iter().any(|p| p.digest == digest) {
            return Err(CommandError::new(format!(
                "{} is not what was published",
                crl.url
            )));
        }
    }
    Ok(crls)
}

async fn fetch_all(office: &crate::office::Office) -> Result<Vec<Crl>, CommandError> {
    let infos = CertificateServiceClient::new(office.channel())
        .list_authorities(v1::ListAuthoritiesRequest {})
        .await?
        .into_inner()
        .authorities;
    let mut crls = Vec::new();
    for info in infos {
        let authority = match info.authority() {
            v1::Authority::Organization => Authority::Organization,
            v1::Authority::Application => Authority::Application,
            v1::Authority::Unspecified => continue,
        };
        let der = fetch(&info.crl_url).await?;
        crls.push(Crl {
            authority,
            url: info.crl_url,
            der,
        });
    }
    Ok(crls)
}
