//! The adapter against an issuer over a real socket, and what it makes of unreadable answers.

use std::pin::Pin;

use lgpki_domain::{AuthorityKey, CrlSeries, RevocationReason, Timestamp};
use lgpki_proto::{
    status::RemoteError as Remote,
    v1::issuer_service_server::{IssuerService, IssuerServiceServer},
};
use lgpki_x509::{
    crl::{self, CrlEntry, CrlHeader, RevocationList},
    key::sha256,
    signed,
};
use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt as _, wrappers::TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

use super::*;
use crate::{
    crl::ca_key,
    testing::{FakeIssuer, abandoned_item, at, issued_item, lists::to_sign, serial},
};

/// The fake issuer behind the generated trait.
struct Served(FakeIssuer);

fn status(error: &Remote) -> Status {
    Status::new(error.code, error.message.clone())
}

fn event(item: FeedItem) -> v1::IssuanceEvent {
    let time: Timestamp;
    let event = match item.event {
        FeedEvent::Issued(issued) => {
            time = issued.issued_at;
            v1::issuance_event::Event::Issued(v1::IssuedEvent {
                application_id: issued.application.to_string(),
                branch: issued
                    .branch
                    .map_or_else(String::new, |branch| branch.to_string()),
                authority: wire(issued.authority),
                kind: wire(issued.kind),
                subject: Some((&issued.subject).into()),
                certificate: issued.der,
                serial: issued.serial.to_string(),
                key_digest: issued.key_digest.to_string(),
                not_before: issued.not_before.to_string(),
                not_after: issued.not_after.to_string(),
                key_generation: issued.generation,
                crl_scope: issued.scope.to_string(),
            })
        }
        FeedEvent::Abandoned(abandoned) => {
            time = abandoned.abandoned_at;
            v1::issuance_event::Event::Abandoned(v1::AbandonedEvent {
                application_id: abandoned.application.to_string(),
                authority: wire(abandoned.authority),
                serial: abandoned.serial.to_string(),
                not_after: abandoned.not_after.to_string(),
                key_generation: abandoned.generation,
                crl_scope: abandoned.scope.to_string(),
            })
        }
    };
    v1::IssuanceEvent {
        log_index: item.index,
        time: time.to_string(),
        event: Some(event),
    }
}

#[tonic::async_trait]
impl IssuerService for Served {
    type FollowIssuanceStream =
        Pin<Box<dyn Stream<Item = Result<v1::FollowIssuanceResponse, Status>> + Send>>;

    async fn issue_certificates(
        &self,
        _: Request<v1::IssueCertificatesRequest>,
    ) -> Result<Response<v1::IssueCertificatesResponse>, Status> {
        Err(Status::unimplemented("lifecycle never asks"))
    }

    async fn get_issuances(
        &self,
        _: Request<v1::GetIssuancesRequest>,
    ) -> Result<Response<v1::GetIssuancesResponse>, Status> {
        Err(Status::unimplemented("lifecycle never asks"))
    }

    async fn follow_issuance(
        &self,
        request: Request<v1::FollowIssuanceRequest>,
    ) -> Result<Response<Self::FollowIssuanceStream>, Status> {
        let (into, mut batches) = mpsc::channel(8);
        let fake = self.0.clone();
        let from = request.into_inner().from_index;
        tokio::spawn(async move { fake.follow(from, into).await });
        // Breaks off after three messages, so that the follower must come back.
        let messages = async_stream(move |sender| async move {
            for _ in 0..3 {
                let Some(batch) = batches.recv().await else {
                    break;
                };
                let message = v1::FollowIssuanceResponse {
                    events: batch.items.into_iter().map(event).collect(),
                    next_index: batch.next,
                };
                if sender.send(Ok(message)).await.is_err() {
                    break;
                }
            }
        });
        Ok(Response::new(messages))
    }

    async fn list_issuers(
        &self,
        _: Request<v1::ListIssuersRequest>,
    ) -> Result<Response<v1::ListIssuersResponse>, Status> {
        let infos = self.0.issuers().await.map_err(|e| status(&e))?;
        let issuers = infos.into_iter().map(|info| v1::IssuerInfo {
            authority: wire(info.authority),
            certificate: info.certificate.to_vec(),
            key_generation: info.generation,
            crl_urls: info.crl_urls,
            crl_numbers: info
                .crl_numbers
                .iter()
                .map(|(scope, number)| v1::ScopeNumber {
                    scope: scope.to_string(),
                    number: number.0,
                })
                .collect(),
            crl_partitions: info.crl_options.partitions.into(),
            delta_crls: info.crl_options.delta,
            unlinked: info.unlinked,
        });
        Ok(Response::new(v1::ListIssuersResponse {
            issuers: issuers.collect(),
        }))
    }

    async fn sign_crl(
        &self,
        request: Request<Streaming<v1::SignCrlRequest>>,
    ) -> Result<Response<v1::SignCrlResponse>, Status> {
        let mut parts = request.into_inner();
        let mut header = None;
        let (mut tbs, mut end) = (Vec::new(), None);
        while let Some(part) = parts.next().await {
            match part?.part {
                Some(Part::Header(first)) if header.is_none() => header = Some(first),
                Some(Part::Chunk(chunk)) if chunk.len() <= 1024 * 1024 => tbs.extend(chunk),
                Some(Part::End(last)) => end = Some(last.tbs_digest),
                _ => return Err(Status::invalid_argument("a part out of place or too long")),
            }
        }
        let header = header.ok_or_else(|| Status::invalid_argument("no header"))?;
        let end = end.ok_or_else(|| Status::invalid_argument("no end"))?;
        assert_eq!(header.length, tbs.len() as u64);
        assert_eq!(end, sha256(&tbs).to_string());
        let series = CrlSeries {
            key: AuthorityKey::new(
                required(&mut Faults::new(), "authority", header.authority).unwrap(),
                header.key_generation,
            ),
            scope: header.scope.parse().unwrap(),
        };
        let crl = CrlToSign {
            base: (header.base_number > 0).then_some(CrlNumber(header.base_number)),
            ..to_sign(series, header.number, &tbs, tbs.len())
        };
        let signature = self.0.sign_crl(crl).await.map_err(|e| status(&e))?;
        Ok(Response::new(v1::SignCrlResponse {
            signature,
            signature_algorithm: String::new(),
            log_index: 0,
        }))
    }

    async fn issue_responder_certificate(
        &self,
        request: Request<v1::IssueResponderCertificateRequest>,
    ) -> Result<Response<v1::IssueResponderCertificateResponse>, Status> {
        let message = request.into_inner();
        let responder = ResponderToCertify {
            request: message.request_id.parse().unwrap(),
            authority: required(&mut Faults::new(), "authority", message.authority).unwrap(),
            generation: message.key_generation,
            csr: message.certification_request,
        };
        let certified = self.0.certify_responder(responder).await;
        let issued = v1::Issued {
            certificate: certified.map_err(|e| status(&e))?,
            ..v1::Issued::default()
        };
        Ok(Response::new(v1::IssueResponderCertificateResponse {
            issued: Some(issued),
        }))
    }
}

/// A stream of what a task sends.
fn async_stream<T: Send + 'static, F: Future<Output = ()> + Send + 'static>(
    task: impl FnOnce(mpsc::Sender<T>) -> F,
) -> Pin<Box<dyn Stream<Item = T> + Send>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(task(sender));
    Box::pin(tokio_stream::wrappers::ReceiverStream::new(receiver))
}

/// A channel to `fake`, over a socket without TLS.
pub(crate) async fn channel_to(fake: FakeIssuer) -> Channel {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tonic::transport::Server::builder()
        .add_service(IssuerServiceServer::new(Served(fake)))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    Channel::from_shared(format!("http://{address}"))
        .unwrap()
        .connect_lazy()
}

#[tokio::test]
async fn the_cas_and_the_feed_arrive_as_they_were_told() {
    let fake = FakeIssuer::new();
    let issuer = GrpcIssuer::new(channel_to(fake.clone()).await);
    assert_eq!(
        issuer.issuers().await.unwrap(),
        fake.issuers().await.unwrap()
    );
    let items = vec![issued_item(1), abandoned_item(2), issued_item(3)];
    fake.tell(items.clone());
    let (into, mut batches) = mpsc::channel(8);
    let following = tokio::spawn(async move { issuer.follow(20, into).await });
    let batch = batches.recv().await.unwrap();
    assert_eq!(
        batch,
        FeedBatch {
            items: items[1..].to_vec(),
            next: 35
        }
    );
    drop(batches);
    // The next message finds nobody to take it.
    fake.tell([issued_item(4)]);
    following.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_crl_is_signed_only_when_its_end_has_come() {
    let fake = FakeIssuer::new();
    let issuer = GrpcIssuer::new(channel_to(fake.clone()).await);
    let entry = |n| CrlEntry {
        serial: serial(n),
        revoked_at: at("2008-02-05T10:00:00"),
        reason: RevocationReason::Superseded,
    };
    let this_update = at("2008-02-05T10:00:00");
    let header = CrlHeader {
        scope: CrlScope::User,
        base: None,
        number: CrlNumber(1),
        this_update,
        next_update: this_update.plus_seconds(172_800),
    };
    let info = issuer.issuers().await.unwrap().remove(0);
    let (key, series) = (ca_key(&info).unwrap(), info.series(CrlScope::User));
    let tbs = crl::write(&key, &header, (0..30_000).map(entry)).unwrap();
    let sent = || to_sign(series, 1, &tbs, 1024 * 1024);
    // The pieces come, and then nothing.
    let mut without_end = sent();
    let (to_issuer, parts) = mpsc::channel(8);
    while let Some(piece @ CrlPart::Piece(_)) = without_end.parts.recv().await {
        to_issuer.try_send(piece).unwrap();
    }
    drop(to_issuer);
    without_end.parts = parts;
    let refused = issuer.sign_crl(without_end).await.unwrap_err();
    assert_eq!(refused.code, Code::InvalidArgument);
    assert_eq!(fake.highest(info.authority), 0);
    let signature = issuer.sign_crl(sent()).await.unwrap();
    let der = signed::assemble(tbs.clone(), key.signature_algorithm(), &signature);
    let list = RevocationList::parse(&der).unwrap();
    assert!(list.is_signed_by(key.public_key()));
    assert_eq!(list.summary().entries, 30_000);
    fake.refuse(&[Code::Aborted]);
    let refused = issuer.sign_crl(sent()).await.unwrap_err();
    assert_eq!(refused.code, Code::Aborted);
}

#[test]
fn an_unreadable_feed_stops_there_and_says_where() {
    let good = event(issued_item(4));
    let spoil = |spoil: fn(&mut v1::IssuedEvent)| {
        let mut event = good.clone();
        let Some(v1::issuance_event::Event::Issued(issued)) = &mut event.event else {
            unreachable!()
        };
        spoil(issued);
        event
    };
    let message = |event| v1::FollowIssuanceResponse {
        events: vec![event],
        next_index: 41,
    };
    assert_eq!(
        batch(message(good.clone())).unwrap().items,
        [issued_item(4)]
    );
    for (event, field) in [
        (spoil(|issued| issued.serial.clear()), "serial"),
        (spoil(|issued| issued.authority = 9), "authority"),
        (spoil(|issued| issued.subject = None), "subject"),
        (spoil(|issued| issued.key_generation = 0), "key_generation"),
        (
            spoil(|issued| issued.crl_scope = "p0".to_owned()),
            "crl_scope",
        ),
        (spoil(|issued| issued.certificate.clear()), "certificate"),
        (
            spoil(|issued| issued.not_after = "tomorrow".to_owned()),
            "not_after",
        ),
        (
            v1::IssuanceEvent {
                event: None,
                ..good.clone()
            },
            "entry 40",
        ),
    ] {
        let error = batch(message(event)).unwrap_err();
        assert_eq!(error.reason, "ISSUER_UNREADABLE");
        assert!(
            error.message.contains("entry 40") && error.message.contains(field),
            "{error}"
        );
        assert!(!error.may_be_tried_again());
    }
}
