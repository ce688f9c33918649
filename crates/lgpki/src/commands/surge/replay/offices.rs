//! The offices of a replay at their front ends: branches submit, download and confirm; the operator examines.
//!
//! What is refused is given back.

use std::collections::BTreeMap;

use lgpki_domain::{BodyCode, JstDate, OfficerRole};
use lgpki_proto::{
    RemoteError,
    v1::{
        self, application_service_client::ApplicationServiceClient,
        certificate_service_client::CertificateServiceClient,
        directory_service_client::DirectoryServiceClient,
        examination_service_client::ExaminationServiceClient,
        slot_service_client::SlotServiceClient, submit_application_request::Content,
    },
};
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;

use super::{
    super::{
        super::init::offices::Card,
        front::{AGAIN, AT_ONCE, PATIENCE, persist, submit},
    },
    system::System,
};
use crate::error::CommandError;

/// Everybody who is logged in.
pub(super) struct Offices {
    branches: BTreeMap<BodyCode, Channel>,
    operator: Channel,
    auditor: Channel,
}

impl Offices {
    /// Logs in with these cards, when first something is asked.
    pub(super) fn new(system: &System, cards: &[Card]) -> Result<Self, CommandError> {
        let central = |role: OfficerRole| {
            let name = format!("{role}-1");
            let card = cards.iter().find(|card| card.name == name);
            let card = card.ok_or_else(|| CommandError::new(format!("{name} has no login")))?;
            system.connect(card)
        };
        let mut branches = BTreeMap::new();
        for card in cards {
            if let Some(body) = card.body {
                branches.insert(body, system.connect(card)?);
            }
        }
        Ok(Self {
            branches,
            operator: central(OfficerRole::Operator)?,
            auditor: central(OfficerRole::Auditor)?,
        })
    }

    /// The connection of a branch officer.
    pub(super) fn branch(&self, code: BodyCode) -> Result<Channel, CommandError> {
        let found = self.branches.get(&code).cloned();
        found.ok_or_else(|| CommandError::new(format!("branch {code} has no login")))
    }

    /// Returns once every login is known to intake, which hears of those made by ceremony a moment later.
    pub(super) async fn are_known(&self) -> Result<(), CommandError> {
        let last = self.branches.values().next_back();
        for channel in last.into_iter().chain([&self.operator, &self.auditor]) {
            let deadline = Instant::now() + PATIENCE;
            loop {
                let mut client = CertificateServiceClient::new(channel.clone());
                let request = v1::CountCertificatesRequest::default();
                match client.count_certificates(request).await {
                    Ok(_) => break,
                    Err(status) if Instant::now() > deadline => return Err(status.into()),
                    Err(_) => sleep(AGAIN).await,
                }
            }
        }
        Ok(())
    }

    /// Registers a body's unit and accounts, as the operator.
    pub(super) async fn register(
        &self,
        body: BodyCode,
        changes: Vec<v1::DirectoryChange>,
    ) -> Result<(), CommandError> {
        for changes in changes.chunks(AT_ONCE) {
            persist(|| {
                let mut client = DirectoryServiceClient::new(self.operator.clone());
                let request = v1::ChangeEntriesRequest {
                    body: body.to_string(),
                    changes: changes.to_vec(),
                };
                async move { client.change_entries(request).await }
            })
            .await?;
        }
        Ok(())
    }

    /// The first applications that wait for examination, in the order in which they should be examined.
    pub(super) async fn to_examine(&self, most: usize) -> Result<Vec<String>, CommandError> {
        let page = persist(|| {
            let mut client = ExaminationServiceClient::new(self.operator.clone());
            let request = v1::ListExaminationsRequest {
                page_size: u32::try_from(most.min(AT_ONCE)).unwrap_or_default(),
                ..v1::ListExaminationsRequest::default()
            };
            async move { client.list_examinations(request).await }
        });
        let listed = page.await?.applications.into_iter();
        Ok(listed.map(|application| application.id).collect())
    }

    /// Approves applications.
    pub(super) async fn approve(&self, ids: &[String]) -> Result<(), CommandError> {
        for ids in ids.chunks(AT_ONCE) {
            let answer = persist(|| {
                let mut client = ExaminationServiceClient::new(self.operator.clone());
                let request = v1::ApproveApplicationsRequest { ids: ids.to_vec() };
                async move { client.approve_applications(request).await }
            });
            for outcome in answer.await?.outcomes {
                if let Some(v1::examination_outcome::Outcome::Refused(refusal)) = outcome.outcome {
                    return Err(CommandError::from(RemoteError::from(refusal)).during(&outcome.id));
                }
            }
        }
        Ok(())
    }

    /// Has certificates of branches revoked because others took their place, as the operator; gives the applications.
    pub(super) async fn replace(
        &self,
        replaced: Vec<(BodyCode, String)>,
        examination: &v1::BranchExamination,
    ) -> Result<Vec<String>, CommandError> {
        let request = |(branch, serial): (BodyCode, String)| {
            let request_id = format!("replaced-{serial}");
            let content = Content::Revoke(v1::RevokeContent {
                serial,
                reason: v1::RevocationReason::Superseded.into(),
            });
            v1::SubmitApplicationRequest {
                request_id,
                branch: branch.to_string(),
                examination: Some(examination.clone()),
                content: Some(content),
            }
        };
        let requests = replaced.into_iter().map(request).collect();
        let mut ids = Vec::new();
        for submitted in submit(self.operator.clone(), requests).await? {
            ids.push(submitted?.id);
        }
        self.approve(&ids).await?;
        Ok(ids)
    }

    /// The certificates that have their slot on `day`, with its token: serial number and token each.
    pub(super) async fn slots(&self, day: JstDate) -> Result<Vec<(String, String)>, CommandError> {
        let mut slots = Vec::new();
        let mut page_token = String::new();
        loop {
            let page = persist(|| {
                let mut client = SlotServiceClient::new(self.operator.clone());
                let request = v1::ListRenewalInfoRequest {
                    slot_day: day.to_string(),
                    page_size: u32::try_from(AT_ONCE).unwrap_or_default(),
                    page_token: page_token.clone(),
                    with_tokens: true,
                    ..v1::ListRenewalInfoRequest::default()
                };
                async move { client.list_renewal_info(request).await }
            });
            let page = page.await?;
            let waiting = page.infos.into_iter().filter(|info| !info.renewing);
            slots.extend(waiting.map(|info| (info.serial, info.token)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(slots);
            }
        }
    }

    /// The newest CRLs.
    pub(super) async fn crls(&self) -> Result<Vec<v1::PublishedCrl>, CommandError> {
        let answer = persist(|| {
            let mut client = CertificateServiceClient::new(self.auditor.clone());
            async move { client.list_authorities(v1::ListAuthoritiesRequest {}).await }
        });
        let authorities = answer.await?.authorities.into_iter();
        Ok(authorities.flat_map(|authority| authority.crls).collect())
    }

    /// Has all CRLs published.
    pub(super) async fn publish(&self) -> Result<(), CommandError> {
        persist(|| {
            let mut client = ExaminationServiceClient::new(self.operator.clone());
            let request = v1::PublishCrlNowRequest::default();
            async move { client.publish_crl_now(request).await }
        })
        .await?;
        Ok(())
    }

    /// A page of all applications.
    pub(super) async fn applications(
        &self,
        page_token: &str,
    ) -> Result<v1::ListApplicationsResponse, CommandError> {
        let answer = persist(|| {
            let mut client = ApplicationServiceClient::new(self.auditor.clone());
            let request = v1::ListApplicationsRequest {
                page_size: u32::try_from(AT_ONCE).unwrap_or_default(),
                page_token: page_token.to_owned(),
                ..v1::ListApplicationsRequest::default()
            };
            async move { client.list_applications(request).await }
        });
        Ok(answer.await?)
    }

    /// A page of the inventory.
    pub(super) async fn certificates(
        &self,
        page_token: &str,
    ) -> Result<v1::ListCertificatesResponse, CommandError> {
        let answer = persist(|| {
            let mut client = CertificateServiceClient::new(self.auditor.clone());
            let request = v1::ListCertificatesRequest {
                page_size: u32::try_from(AT_ONCE).unwrap_or_default(),
                page_token: page_token.to_owned(),
                ..v1::ListCertificatesRequest::default()
            };
            async move { client.list_certificates(request).await }
        });
        Ok(answer.await?)
    }
}
