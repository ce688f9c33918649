//! The services that intake calls: the issuer and lifecycle, through the generated clients.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use lgpki_domain::{
    Authority, CertificateKind, JstDate,
    authority::{IssuingKey, issuing_ended},
};
use lgpki_proto::{
    RemoteError, ServiceName, convert,
    v1::{
        self, audit_log_service_client::AuditLogServiceClient,
        certificate_service_client::CertificateServiceClient,
        issuer_service_client::IssuerServiceClient,
        lifecycle_service_client::LifecycleServiceClient,
        notice_service_client::NoticeServiceClient, slot_service_client::SlotServiceClient,
    },
};
use lgpki_runtime::client;
use lgpki_x509::{
    certificate::{Certificate, authority_key_id},
    key::KeyId,
};
use parking_lot::Mutex;
use tokio::sync::RwLock;
use tonic::{Request, transport::Channel};

use crate::notices::Bells;

/// How long a call that answers once may take.
const DEADLINE: Duration = Duration::from_mins(1);
/// How long a service may take to say that it is there.
const PROBE: Duration = Duration::from_secs(5);
/// A batch of certificates with their DER is larger than gRPC's customary 4 MiB at its limit.
const LARGEST_ANSWER: usize = 16 << 20;

/// The other two services.
#[derive(Clone, Debug)]
pub struct Peers {
    issuer: Channel,
    lifecycle: Channel,
    authorities: Arc<RwLock<Vec<CaCertificate>>>,
    issuing: Arc<Mutex<Vec<IssuingKey>>>,
    bells: Arc<Bells>,
}

/// A CA certificate, for the chain.
#[derive(Clone, Debug)]
struct CaCertificate {
    authority: Authority,
    generation: u32,
    key_id: Option<KeyId>,
    der: Arc<[u8]>,
}

impl Peers {
    /// Takes over channels that present intake's TLS identity.
    #[must_use]
    pub fn new(issuer: Channel, lifecycle: Channel) -> Self {
        Self {
            issuer,
            lifecycle,
            authorities: Arc::default(),
            issuing: Arc::default(),
            bells: Arc::default(),
        }
    }

    /// Which of the two do not answer now.
    pub async fn away(&self) -> [(ServiceName, bool); 2] {
        let (issuer, lifecycle) = tokio::join!(
            client::is_serving(&self.issuer, PROBE),
            client::is_serving(&self.lifecycle, PROBE),
        );
        [
            (ServiceName::Issuer, !issuer),
            (ServiceName::Lifecycle, !lifecycle),
        ]
    }

    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> IssuerServiceClient<Channel> {
        IssuerServiceClient::new(self.issuer.clone()).max_decoding_message_size(LARGEST_ANSWER)
    }

    /// Lifecycle.
    #[must_use]
    pub fn lifecycle(&self) -> LifecycleServiceClient<Channel> {
        LifecycleServiceClient::new(self.lifecycle.clone())
            .max_decoding_message_size(LARGEST_ANSWER)
    }

    /// Lifecycle's inventory.
    #[must_use]
    pub fn certificates(&self) -> CertificateServiceClient<Channel> {
        CertificateServiceClient::new(self.lifecycle.clone())
            .max_decoding_message_size(LARGEST_ANSWER)
    }

    /// Lifecycle's notices.
    #[must_use]
    pub fn notices(&self) -> NoticeServiceClient<Channel> {
        NoticeServiceClient::new(self.lifecycle.clone()).max_decoding_message_size(LARGEST_ANSWER)
    }

    /// Lifecycle's renewal slots.
    #[must_use]
    pub fn slots(&self) -> SlotServiceClient<Channel> {
        SlotServiceClient::new(self.lifecycle.clone()).max_decoding_message_size(LARGEST_ANSWER)
    }

    /// The published logs of the issuer or of lifecycle; none of intake's own.
    #[must_use]
    pub fn audit_logs(&self, service: ServiceName) -> Option<AuditLogServiceClient<Channel>> {
        let channel = match service {
            ServiceName::Issuer => &self.issuer,
            ServiceName::Lifecycle => &self.lifecycle,
            ServiceName::Intake => return None,
        };
        let client = AuditLogServiceClient::new(channel.clone());
        Some(client.max_decoding_message_size(LARGEST_ANSWER))
    }

    /// What rings when there are new notices.
    #[must_use]
    pub fn bells(&self) -> &Bells {
        &self.bells
    }

    /// The CA certificate that issued `certificate`, which is of `kind`.
    pub async fn ca_certificate(
        &self,
        kind: CertificateKind,
        certificate: &[u8],
    ) -> Result<Arc<[u8]>, RemoteError> {
        let authority = kind.authority();
        if let Some(der) = pick(&self.authorities.read().await, authority, certificate) {
            return Ok(der);
        }
        self.learn_authorities(DEADLINE).await?;
        let known = self.authorities.read().await;
        let found = pick(&known, authority, certificate).or_else(|| only(&known, authority));
        found.ok_or_else(|| RemoteError {
            code: tonic::Code::Internal,
            reason: "AUTHORITY_UNKNOWN".to_owned(),
            message: format!("the issuer lists no CA for {kind} certificates"),
            faults: Vec::new(),
            retry_after: None,
            correlation_id: None,
        })
    }
}

impl Peers {
    /// Asks the issuer for its CAs, once it was not known before.
    pub async fn learn_first_authorities(&self) {
        if self.authorities.read().await.is_empty()
            && let Err(error) = self.learn_authorities(PROBE).await
        {
            tracing::info!(%error, "the issuer has not told its CAs yet");
        }
    }

    /// Which of these CAs issue nothing on `day`, and until when each did. The issuer is asked anew before
    /// any is so called, for its key may have been rolled over; while it does not answer none is, and it
    /// judges each order anyway.
    pub async fn ended(
        &self,
        wanted: BTreeSet<Authority>,
        day: JstDate,
    ) -> Vec<(Authority, JstDate)> {
        let ended = || {
            let keys = self.issuing.lock();
            let ended = |of: &Authority| Some((*of, issuing_ended(&keys, *of, day)?));
            wanted.iter().filter_map(ended).collect::<Vec<_>>()
        };
        if ended().is_empty() || self.learn_authorities(PROBE).await.is_err() {
            return Vec::new();
        }
        ended()
    }

    async fn learn_authorities(&self, within: Duration) -> Result<(), RemoteError> {
        let request = client::within(within, v1::ListIssuersRequest {});
        let told = self.issuer().list_issuers(request).await?.into_inner();
        *self.issuing.lock() = told.issuers.iter().filter_map(issuing_key).collect();
        let all = told.issuers.into_iter().filter_map(read).collect();
        *self.authorities.write().await = all;
        Ok(())
    }
}

/// A key that issues, or will.
fn issuing_key(info: &v1::IssuerInfo) -> Option<IssuingKey> {
    if info.unlinked {
        return None;
    }
    let mut faults = lgpki_domain::Faults::new();
    Some(IssuingKey {
        authority: convert::required(&mut faults, "authority", info.authority)?,
        generation: info.key_generation,
        validity: Certificate::parse(&info.certificate).ok()?.validity()?,
    })
}

/// A request that gives up after [`DEADLINE`].
pub fn within_deadline<T>(message: T) -> Request<T> {
    client::within(DEADLINE, message)
}

fn read(info: v1::IssuerInfo) -> Option<CaCertificate> {
    let mut faults = lgpki_domain::Faults::new();
    Some(CaCertificate {
        authority: convert::required(&mut faults, "authority", info.authority)?,
        generation: info.key_generation,
        key_id: Certificate::parse(&info.certificate)
            .ok()
            .and_then(|certificate| certificate.key_id()),
        der: info.certificate.into(),
    })
}

/// The CA certificate of the key that issued `certificate`. None where that is not known: the issuer may
/// have a new key since it was asked.
fn pick(
    known: &[CaCertificate],
    authority: Option<Authority>,
    certificate: &[u8],
) -> Option<Arc<[u8]>> {
    let wanted = authority_key_id(certificate)?;
    known
        .iter()
        .filter(|ca| Some(ca.authority) == authority && ca.key_id == Some(wanted))
        .max_by_key(|ca| ca.generation)
        .map(|ca| ca.der.clone())
}

/// The CA certificate of an authority that has but one, whatever its key identifier.
fn only(known: &[CaCertificate], authority: Option<Authority>) -> Option<Arc<[u8]>> {
    let mut of_authority = known.iter().filter(|ca| Some(ca.authority) == authority);
    let first = of_authority.next()?;
    of_authority.next().is_none().then(|| first.der.clone())
}

#[cfg(test)]
mod tests;
