//! An issuer and a lifecycle of the same contract, in memory.
//!
//! The issuer answers at once, or as a test tells it to; what it issues stands in lifecycle's
//! standings, unless the test holds them back.

use std::{
    collections::{HashMap, VecDeque},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
};

use lgpki_domain::{Digest, Serial, Validity};
use lgpki_proto::v1::{
    self,
    certificate_service_server::{CertificateService, CertificateServiceServer},
    issuance_result::Outcome,
    issuer_service_server::{IssuerService, IssuerServiceServer},
    lifecycle_service_server::{LifecycleService, LifecycleServiceServer},
    notice_service_server::NoticeServiceServer,
    slot_service_server::SlotServiceServer,
};
use tokio::{net::TcpListener, sync::watch};
use tokio_stream::{
    Stream, StreamExt,
    wrappers::{TcpListenerStream, WatchStream},
};
use tonic::{
    Request, Response, Status, Streaming, async_trait,
    transport::{Channel, Endpoint, Server},
};

use crate::pki::{Pki, serial};

pub(crate) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The officers' login certificates, all issued before the test begins; no other is registered.
const LOGINS: [u8; 10] = [10, 20, 21, 120, 30, 31, 40, 41, 42, 43];

/// What the issuer and lifecycle know, and how a test has told them to behave.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) issued: HashMap<String, v1::Issued>,
    pub(crate) orders: Vec<v1::IssuanceOrder>,
    pub(crate) standings: Vec<v1::Standing>,
    pub(crate) revocations: Vec<v1::RevocationOrder>,
    /// Answers to the next calls of IssueCertificates, instead of certificates.
    pub(crate) instead: VecDeque<Instead>,
    /// Fails this many calls of RevokeCertificates.
    pub(crate) lifecycle_away: u32,
    /// Makes a call of RevokeCertificates with an order for this serial number unreadable.
    pub(crate) unreadable: Option<String>,
    /// Answers no question about a certificate.
    pub(crate) inventory_away: bool,
    /// Certificates are issued, but lifecycle does not learn of them.
    pub(crate) inventory_stands_still: bool,
    pub(crate) crls_published: u32,
    /// What was told of renewals, such as `open 01…`, `asked 01…` (whether it still is), `delivered 01…`,
    /// `up 01…` (given up).
    pub(crate) renewals: Vec<String>,
    /// Fails this many calls about renewals.
    pub(crate) renewals_away: u32,
    /// Opens no renewal.
    pub(crate) refuse_renewals: bool,
    /// Closes none of this application.
    pub(crate) refuse_end_of: Option<String>,
    /// The first day of what is issued; the day of the tests, if not given.
    pub(crate) issued_on: Option<&'static str>,
    /// Certificates to be read back, by serial number.
    pub(crate) ders: HashMap<String, Vec<u8>>,
    pub(crate) notices: Vec<v1::Notice>,
    /// The public keys of slot tokens.
    pub(crate) slot_keys: Vec<Vec<u8>>,
    /// From where the standings were asked for.
    pub(crate) followed_from: Vec<u64>,
    next: u128,
}

impl Known {
    fn told_away(&mut self) -> Result<(), Status> {
        if self.renewals_away > 0 {
            self.renewals_away -= 1;
            return Err(Status::unavailable("away"));
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Instead {
    Status(Status),
    EachOrder(Outcome),
    /// No answer at all.
    Silence,
}

/// Both services.
#[derive(Clone, Debug)]
pub(crate) struct World {
    known: Arc<Mutex<Known>>,
    /// Whether lifecycle says that it has told all; rises with each change of the standings.
    pub(crate) told: watch::Sender<(bool, u64)>,
}

impl World {
    pub(crate) fn new() -> Self {
        let known = Known {
            standings: LOGINS.into_iter().map(login).collect(),
            ..Known::default()
        };
        Self {
            known: Arc::new(Mutex::new(known)),
            told: watch::Sender::new((true, 0)),
        }
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap()
    }

    pub(crate) fn caught_up(&self, caught_up: bool) {
        self.told
            .send_modify(|told| *told = (caught_up, told.1 + 1));
    }

    pub(crate) fn is_caught_up(&self) -> bool {
        self.told.borrow().0
    }

    pub(crate) fn tell(&self) {
        self.told.send_modify(|told| told.1 += 1);
    }

    /// Serves both on one port and answers a channel to it.
    pub(crate) async fn serve(&self) -> Channel {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder()
            .add_service(IssuerServiceServer::new(self.clone()))
            .add_service(LifecycleServiceServer::new(self.clone()))
            .add_service(NoticeServiceServer::new(self.clone()))
            .add_service(SlotServiceServer::new(self.clone()))
            .add_service(CertificateServiceServer::new(self.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        Endpoint::from_shared(format!("http://{address}"))
            .unwrap()
            .connect_lazy()
    }

    fn issue(&self, order: &v1::IssuanceOrder) -> v1::Issued {
        let mut known = self.known();
        if let Some(issued) = known.issued.get(&order.application_id) {
            return issued.clone();
        }
        known.next += 1;
        let mut bytes = known.next.to_be_bytes();
        bytes[0] = 0x50;
        let serial = Serial::from_bytes(&bytes).unwrap();
        let issued = v1::Issued {
            serial: serial.to_string(),
            certificate: format!("certificate of {}", order.application_id).into_bytes(),
            log_index: u64::try_from(known.next).unwrap(),
        };
        known
            .issued
            .insert(order.application_id.clone(), issued.clone());
        let key = lgpki_x509::key::sha256(&order.subject_public_key_info);
        let day = known.issued_on.unwrap_or("2009-02-10");
        let validity = Validity::for_subscriber(day.parse().unwrap());
        if !known.inventory_stands_still {
            known.standings.push(v1::Standing {
                serial: serial.to_string(),
                branch: order.branch.clone(),
                kind: order.kind,
                subject: order.subject.clone(),
                key_digest: key.to_string(),
                not_before: validity.not_before().to_string(),
                not_after: validity.not_after().to_string(),
                revoked_at: String::new(),
                application_id: order.application_id.clone(),
                renewal: String::new(),
            });
        }
        issued
    }
}

/// The standing of a login certificate.
pub(crate) fn login(number: u8) -> v1::Standing {
    let validity = Validity::for_subscriber("2008-02-04".parse().unwrap());
    v1::Standing {
        serial: serial(number).to_string(),
        branch: String::new(),
        kind: v1::CertificateKind::Login.into(),
        subject: Some((&Pki::officer(number)).into()),
        key_digest: Digest([number; 32]).to_string(),
        not_before: validity.not_before().to_string(),
        not_after: validity.not_after().to_string(),
        revoked_at: String::new(),
        application_id: String::new(),
        renewal: String::new(),
    }
}

#[async_trait]
impl IssuerService for World {
    async fn issue_certificates(
        &self,
        request: Request<v1::IssueCertificatesRequest>,
    ) -> Result<Response<v1::IssueCertificatesResponse>, Status> {
        let orders = request.into_inner().orders;
        self.known().orders.extend(orders.iter().cloned());
        let instead = self.known().instead.pop_front();
        let mut results = Vec::new();
        for order in orders {
            let outcome = match &instead {
                Some(Instead::Status(status)) => return Err(status.clone()),
                Some(Instead::Silence) => std::future::pending().await,
                Some(Instead::EachOrder(outcome)) => outcome.clone(),
                None => Outcome::Issued(self.issue(&order)),
            };
            results.push(v1::IssuanceResult {
                application_id: order.application_id,
                outcome: Some(outcome),
            });
        }
        self.tell();
        Ok(Response::new(v1::IssueCertificatesResponse { results }))
    }

    async fn get_issuances(
        &self,
        _: Request<v1::GetIssuancesRequest>,
    ) -> Result<Response<v1::GetIssuancesResponse>, Status> {
        Err(Status::unimplemented("not used by intake"))
    }

    async fn issue_responder_certificate(
        &self,
        _: Request<v1::IssueResponderCertificateRequest>,
    ) -> Result<Response<v1::IssueResponderCertificateResponse>, Status> {
        Err(Status::unimplemented("not used by intake"))
    }

    type FollowIssuanceStream = Answers<v1::FollowIssuanceResponse>;

    async fn follow_issuance(
        &self,
        _: Request<v1::FollowIssuanceRequest>,
    ) -> Result<Response<Self::FollowIssuanceStream>, Status> {
        Err(Status::unimplemented("not used by intake"))
    }

    async fn list_issuers(
        &self,
        _: Request<v1::ListIssuersRequest>,
    ) -> Result<Response<v1::ListIssuersResponse>, Status> {
        let info = |authority: v1::Authority, certificate: &str| v1::IssuerInfo {
            authority: authority.into(),
            certificate: certificate.as_bytes().to_vec(),
            key_generation: 1,
            crl_urls: Vec::new(),
            crl_numbers: Vec::new(),
            crl_partitions: 0,
            delta_crls: false,
            unlinked: false,
        };
        Ok(Response::new(v1::ListIssuersResponse {
            issuers: vec![
                info(v1::Authority::Organization, "organization CA"),
                info(v1::Authority::Application, "application CA"),
            ],
        }))
    }

    async fn sign_crl(
        &self,
        _: Request<Streaming<v1::SignCrlRequest>>,
    ) -> Result<Response<v1::SignCrlResponse>, Status> {
        Err(Status::unimplemented("not used by intake"))
    }
}

#[async_trait]
impl LifecycleService for World {
    async fn revoke_certificates(
        &self,
        request: Request<v1::RevokeCertificatesRequest>,
    ) -> Result<Response<v1::RevokeCertificatesResponse>, Status> {
        let mut known = self.known();
        if known.lifecycle_away > 0 {
            known.lifecycle_away -= 1;
            return Err(Status::unavailable("away"));
        }
        let orders = &request.get_ref().orders;
        if orders
            .iter()
            .any(|o| Some(&o.serial) == known.unreadable.as_ref())
        {
            return Err(Status::invalid_argument("unreadable"));
        }
        let mut results = Vec::new();
        for order in request.into_inner().orders {
            let revoked_at = "2009-02-10T10:00:01.000+09:00".to_owned();
            for standing in &mut known.standings {
                if standing.serial == order.serial {
                    standing.revoked_at.clone_from(&revoked_at);
                }
            }
            results.push(v1::RevocationResult {
                command_id: order.command_id.clone(),
                revoked_at,
                refused: None,
            });
            known.revocations.push(order);
        }
        drop(known);
        self.tell();
        Ok(Response::new(v1::RevokeCertificatesResponse { results }))
    }

    async fn open_renewals(
        &self,
        request: Request<v1::OpenRenewalsRequest>,
    ) -> Result<Response<v1::OpenRenewalsResponse>, Status> {
        let mut known = self.known();
        known.told_away()?;
        let mut results = Vec::new();
        for order in request.into_inner().orders {
            let of = |standing: &&v1::Standing| standing.serial == order.serial;
            let held = known.standings.iter().find(of).cloned().unwrap_or_default();
            let again = held.renewal == order.command_id;
            let what = if again { "asked" } else { "open" };
            known.renewals.push(format!("{what} {}", order.command_id));
            let revoked = !held.revoked_at.is_empty();
            let first = (known.refuse_renewals && !again).then_some("RENEWAL_IS_OPEN");
            let reason = Some("CERTIFICATE_REVOKED_BEFORE").filter(|_| revoked);
            let refused = reason.or(first).map(|reason| v1::FieldFault {
                field: "serial".to_owned(),
                reason: reason.to_owned(),
                message: "it was revoked, or another was first".to_owned(),
            });
            if refused.is_none() {
                for standing in &mut known.standings {
                    if standing.serial == order.serial {
                        standing.renewal.clone_from(&order.command_id);
                    }
                }
            }
            results.push(v1::RenewalResult {
                command_id: order.command_id,
                opened_at: match refused {
                    Some(_) => String::new(),
                    None => order.applied_at,
                },
                refused,
            });
        }
        drop(known);
        self.tell();
        Ok(Response::new(v1::OpenRenewalsResponse { results }))
    }

    async fn close_renewals(
        &self,
        request: Request<v1::CloseRenewalsRequest>,
    ) -> Result<Response<v1::CloseRenewalsResponse>, Status> {
        let mut known = self.known();
        known.told_away()?;
        let mut results = Vec::new();
        for end in request.into_inner().ends {
            if known.refuse_end_of.as_ref() == Some(&end.command_id) {
                known.renewals.push(format!("refused {}", end.command_id));
                results.push(v1::RenewalEndResult {
                    command_id: end.command_id,
                    refused: Some(v1::FieldFault {
                        field: "command_id".to_owned(),
                        reason: "RENEWAL_UNKNOWN".to_owned(),
                        message: "no such renewal was ever opened".to_owned(),
                    }),
                    ..v1::RenewalEndResult::default()
                });
                continue;
            }
            let outcome = end.outcome().as_str_name().rsplit('_').next().unwrap();
            known
                .renewals
                .push(format!("{} {}", outcome.to_lowercase(), end.command_id));
            let delivered = end.outcome() == v1::RenewalOutcome::Delivered;
            let closed_at = "2010-12-02T10:00:01.000+09:00".to_owned();
            for standing in &mut known.standings {
                if standing.serial == end.serial && standing.renewal == end.command_id {
                    standing.renewal.clear();
                    if delivered {
                        standing.revoked_at.clone_from(&closed_at);
                    }
                }
            }
            results.push(v1::RenewalEndResult {
                command_id: end.command_id,
                superseded_at: if delivered {
                    closed_at.clone()
                } else {
                    String::new()
                },
                closed_at,
                refused: None,
            });
        }
        drop(known);
        self.tell();
        Ok(Response::new(v1::CloseRenewalsResponse { results }))
    }

    async fn list_slot_keys(
        &self,
        _: Request<v1::ListSlotKeysRequest>,
    ) -> Result<Response<v1::ListSlotKeysResponse>, Status> {
        let keys = self.known().slot_keys.clone();
        Ok(Response::new(v1::ListSlotKeysResponse { keys }))
    }

    type FollowStandingsStream = Answers<v1::FollowStandingsResponse>;

    /// All standings again after each change: what replaces an equal one changes nothing.
    async fn follow_standings(
        &self,
        request: Request<v1::FollowStandingsRequest>,
    ) -> Result<Response<Self::FollowStandingsStream>, Status> {
        let from = request.get_ref().from_position;
        self.known().followed_from.push(from);
        let world = self.clone();
        let stream = WatchStream::new(self.told.subscribe()).map(move |(caught_up, next)| {
            let known = world.known();
            // The logins were registered before anything that the test has issued.
            let position = if known.inventory_stands_still {
                1
            } else {
                u64::try_from(known.next).unwrap() + 1
            };
            Ok(v1::FollowStandingsResponse {
                standings: known.standings.clone(),
                next_position: next,
                issuance_position: position,
                caught_up,
            })
        });
        Ok(Response::new(Box::pin(stream)))
    }

    async fn publish_crls(
        &self,
        _: Request<v1::PublishCrlsRequest>,
    ) -> Result<Response<v1::PublishCrlsResponse>, Status> {
        self.known().crls_published += 1;
        Ok(Response::new(v1::PublishCrlsResponse::default()))
    }
}

#[async_trait]
impl CertificateService for World {
    async fn get_certificate(
        &self,
        request: Request<v1::GetCertificateRequest>,
    ) -> Result<Response<v1::GetCertificateResponse>, Status> {
        let serial = &request.get_ref().serial;
        let known = self.known();
        if known.inventory_away {
            return Err(Status::unavailable("away"));
        }
        let found = known.standings.iter().find(|s| s.serial == *serial);
        let standing = found.ok_or_else(|| Status::not_found("no such certificate"))?;
        Ok(Response::new(v1::GetCertificateResponse {
            certificate: Some(v1::Certificate {
                serial: standing.serial.clone(),
                branch: standing.branch.clone(),
                der: known.ders.get(serial).cloned().unwrap_or_default(),
                ..v1::Certificate::default()
            }),
        }))
    }

    /// Answers with the branch asked for, so that a test sees what intake made of the request.
    async fn list_certificates(
        &self,
        request: Request<v1::ListCertificatesRequest>,
    ) -> Result<Response<v1::ListCertificatesResponse>, Status> {
        Ok(Response::new(v1::ListCertificatesResponse {
            certificates: vec![v1::Certificate {
                branch: request.into_inner().branch,
                ..v1::Certificate::default()
            }],
            next_page_token: String::new(),
        }))
    }

    async fn count_certificates(
        &self,
        request: Request<v1::CountCertificatesRequest>,
    ) -> Result<Response<v1::CountCertificatesResponse>, Status> {
        let total = request.get_ref().branch.parse().unwrap_or(0);
        Ok(Response::new(v1::CountCertificatesResponse {
            counts: Vec::new(),
            total,
        }))
    }

    async fn get_expiry_histogram(
        &self,
        request: Request<v1::GetExpiryHistogramRequest>,
    ) -> Result<Response<v1::GetExpiryHistogramResponse>, Status> {
        let row = v1::HistogramRow {
            branch: request.into_inner().branch,
            ..v1::HistogramRow::default()
        };
        Ok(Response::new(v1::GetExpiryHistogramResponse {
            rows: vec![row],
            ..v1::GetExpiryHistogramResponse::default()
        }))
    }

    type RebuildInventoryStream =
        tokio_stream::Iter<std::vec::IntoIter<Result<v1::RebuildInventoryResponse, Status>>>;

    async fn rebuild_inventory(
        &self,
        request: Request<v1::RebuildInventoryRequest>,
    ) -> Result<Response<Self::RebuildInventoryStream>, Status> {
        use v1::rebuild_inventory_response::News;
        let progress = News::Progress(v1::RebuildProgress::default());
        let report = News::Report(v1::RebuildReport {
            applied: request.get_ref().apply,
            ..v1::RebuildReport::default()
        });
        let messages = [progress, report].map(|news| {
            let news = Some(news);
            Ok(v1::RebuildInventoryResponse { news })
        });
        let messages = Vec::from(messages);
        Ok(Response::new(tokio_stream::iter(messages)))
    }

    async fn list_authorities(
        &self,
        _: Request<v1::ListAuthoritiesRequest>,
    ) -> Result<Response<v1::ListAuthoritiesResponse>, Status> {
        Ok(Response::new(v1::ListAuthoritiesResponse::default()))
    }
}
