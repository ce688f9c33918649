//! The issuer over gRPC.
//!
//! Decodes what the issuer says in one place. A peer of ours that says something unreadable is a
//! fault to be looked at, never to be passed over: the feed stops there.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lgpki_domain::{
    ApplicationId, Authority, BodyCode, CertificateKind, CrlNumber, CrlOptions, CrlScope, Faults,
};
use lgpki_proto::{
    RemoteError,
    convert::{optional_text, required, required_text, subject, wire},
    v1::{self, issuer_service_client::IssuerServiceClient, sign_crl_request::Part},
};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::{Code, transport::Channel};

use crate::ports::{
    AbandonedSerial, CrlPart, CrlToSign, FeedBatch, FeedEvent, FeedItem, IssuedCertificate, Issuer,
    IssuerInfo, KnownKey, ResponderToCertify,
};

/// How long the issuer may take to list its CAs.
const SHORT: Duration = Duration::from_secs(10);
/// How long it may take to read, lint and sign a CRL, its making included.
const LONG: Duration = Duration::from_mins(2);

/// The issuer behind a channel.
#[derive(Clone, Debug)]
pub struct GrpcIssuer {
    client: IssuerServiceClient<Channel>,
}

impl GrpcIssuer {
    /// Speaks over `channel`, which connects again by itself.
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self {
            client: IssuerServiceClient::new(channel),
        }
    }
}

impl Issuer for GrpcIssuer {
    async fn issuers(&self) -> Result<Vec<IssuerInfo>, RemoteError> {
        let request = within(SHORT, v1::ListIssuersRequest {});
        let answer = self
            .client
            .clone()
            .list_issuers(request)
            .await?
            .into_inner();
        answer.issuers.into_iter().map(info).collect()
    }

    async fn sign_crl(&self, crl: CrlToSign) -> Result<Vec<u8>, RemoteError> {
        let header = v1::SignCrlHeader {
            authority: wire(crl.series.key.authority),
            key_generation: crl.series.key.generation,
            scope: crl.series.scope.to_string(),
            base_number: crl.base.map_or(0, |base| base.0),
            number: crl.number.0,
            length: crl.length as u64,
        };
        let header = Part::Header(header);
        let rest = ReceiverStream::new(crl.parts).map(|part| match part {
            CrlPart::Piece(bytes) => Part::Chunk(bytes),
            CrlPart::End(digest) => Part::End(v1::SignCrlEnd {
                tbs_digest: digest.to_string(),
            }),
        });
        let parts = tokio_stream::once(header).chain(rest);
        let parts = parts.map(|part| v1::SignCrlRequest { part: Some(part) });
        let answer = self.client.clone().sign_crl(within(LONG, parts)).await?;
        Ok(answer.into_inner().signature)
    }

    async fn certify_responder(
        &self,
        responder: ResponderToCertify,
    ) -> Result<Vec<u8>, RemoteError> {
        let message = v1::IssueResponderCertificateRequest {
            request_id: responder.request.to_string(),
            authority: wire(responder.authority),
            key_generation: responder.generation,
            certification_request: responder.csr,
        };
        let answer = self
            .client
            .clone()
            .issue_responder_certificate(within(SHORT, message))
            .await?
            .into_inner();
        let missing = || unreadable("the responder's certificate", "it is missing");
        Ok(answer.issued.ok_or_else(missing)?.certificate)
    }

    async fn follow(&self, from: u64, into: mpsc::Sender<FeedBatch>) -> Result<(), RemoteError> {
        let request = v1::FollowIssuanceRequest { from_index: from };
        let mut feed = self
            .client
            .clone()
            .follow_issuance(request)
            .await?
            .into_inner();
        while let Some(message) = feed.message().await? {
            if into.send(batch(message)?).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}

fn within<T>(limit: Duration, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(limit);
    request
}

/// What the issuer said cannot be read.
fn unreadable(what: &str, why: impl std::fmt::Display) -> RemoteError {
    RemoteError {
        code: Code::Internal,
        reason: "ISSUER_UNREADABLE".to_owned(),
        message: format!("{what}: {why}"),
        faults: Vec::new(),
        retry_after: None,
        correlation_id: None,
    }
}

fn info(info: v1::IssuerInfo) -> Result<IssuerInfo, RemoteError> {
    let mut faults = Faults::new();
    let authority = required::<Authority>(&mut faults, "authority", info.authority);
    if info.crl_urls.is_empty() || info.key_generation == 0 {
        faults.push(
            "crl_urls",
            "FIELD_MISSING",
            "generation or CRL addresses are missing",
        );
    }
    let crl_options = CrlOptions {
        partitions: u16::try_from(info.crl_partitions).unwrap_or(u16::MAX),
        delta: info.delta_crls,
    };
    if !crl_options.are_possible() {
        let message = "a CRL has 2 to 256 partitions or none";
        faults.push("crl_partitions", "FIELD_MALFORMED", message);
    }
    let mut crl_numbers = BTreeMap::new();
    for numbered in info.crl_numbers {
        if let Some(scope) = required_text(&mut faults, "crl_numbers.scope", &numbered.scope) {
            crl_numbers.insert(scope, CrlNumber(numbered.number));
        }
    }
    match authority.filter(|_| faults.is_empty()) {
        Some(authority) => Ok(IssuerInfo {
            authority,
            certificate: Arc::from(info.certificate),
            generation: info.key_generation,
            crl_urls: info.crl_urls,
            crl_options,
            crl_numbers,
            unlinked: info.unlinked,
            known: KnownKey::default(),
        }),
        None => Err(unreadable("the issuer's list of CAs", faults)),
    }
}

/// Reads a message of the feed.
pub(crate) fn batch(message: v1::FollowIssuanceResponse) -> Result<FeedBatch, RemoteError> {
    let items = message.events.into_iter().map(item);
    Ok(FeedBatch {
        items: items.collect::<Result<_, _>>()?,
        next: message.next_index,
    })
}

fn item(event: v1::IssuanceEvent) -> Result<FeedItem, RemoteError> {
    let index = event.log_index;
    let mut faults = Faults::new();
    let read = match event.event {
        Some(v1::issuance_event::Event::Issued(issued)) => {
            read_issued(&mut faults, &event.time, issued)
        }
        Some(v1::issuance_event::Event::Abandoned(abandoned)) => {
            read_abandoned(&mut faults, &event.time, &abandoned)
        }
        None => None,
    };
    match read.filter(|_| faults.is_empty()) {
        Some(event) => Ok(FeedItem { index, event }),
        None => Err(unreadable(
            &format!("entry {index} of the issuer's feed"),
            faults,
        )),
    }
}

fn read_issued(f: &mut Faults, time: &str, issued: v1::IssuedEvent) -> Option<FeedEvent> {
    let application = required_text::<ApplicationId>(f, "application_id", &issued.application_id);
    let authority = required::<Authority>(f, "authority", issued.authority);
    let branch = optional_text::<BodyCode>(f, "branch", &issued.branch);
    let issued_at = required_text(f, "time", time);
    let key_digest = required_text(f, "key_digest", &issued.key_digest);
    let kind = required::<CertificateKind>(f, "kind", issued.kind);
    let not_after = required_text(f, "not_after", &issued.not_after);
    let not_before = required_text(f, "not_before", &issued.not_before);
    let serial = required_text(f, "serial", &issued.serial);
    let subject = subject(f, "subject", issued.subject.as_ref());
    let generation = generation(f, issued.key_generation);
    let scope = required_text::<CrlScope>(f, "crl_scope", &issued.crl_scope);
    if issued.certificate.is_empty() {
        f.push("certificate", "FIELD_MISSING", "the certificate is missing");
    }
    Some(FeedEvent::Issued(Box::new(IssuedCertificate {
        application: application?,
        authority: authority?,
        branch,
        der: issued.certificate,
        generation: generation?,
        issued_at: issued_at?,
        key_digest: key_digest?,
        kind: kind?,
        not_after: not_after?,
        not_before: not_before?,
        scope: scope?,
        serial: serial?,
        subject: subject?,
    })))
}

fn read_abandoned(f: &mut Faults, time: &str, gone: &v1::AbandonedEvent) -> Option<FeedEvent> {
    let abandoned_at = required_text(f, "time", time);
    let application = required_text::<ApplicationId>(f, "application_id", &gone.application_id);
    let authority = required::<Authority>(f, "authority", gone.authority);
    let not_after = required_text(f, "not_after", &gone.not_after);
    let serial = required_text(f, "serial", &gone.serial);
    let generation = generation(f, gone.key_generation);
    let scope = required_text::<CrlScope>(f, "crl_scope", &gone.crl_scope);
    Some(FeedEvent::Abandoned(AbandonedSerial {
        abandoned_at: abandoned_at?,
        application: application?,
        authority: authority?,
        generation: generation?,
        not_after: not_after?,
        scope: scope?,
        serial: serial?,
    }))
}

/// Generations are counted from 1; the index keeps 16 bits of them.
fn generation(f: &mut Faults, generation: u32) -> Option<u32> {
    let known = (1..=u32::from(u16::MAX)).contains(&generation);
    if !known {
        let message = "generations of a key are counted from 1";
        f.push("key_generation", "FIELD_MALFORMED", message);
    }
    known.then_some(generation)
}

#[cfg(test)]
pub(crate) mod tests;
