//! Services that a test can hold up, and a server that runs them.

use std::{net::SocketAddr, pin::Pin};

use lgpki_domain::{BodyCode, Serial};
use lgpki_proto::{
    Failure,
    v1::{
        self,
        directory_service_client::DirectoryServiceClient,
        directory_service_server::{DirectoryService, DirectoryServiceServer},
        lifecycle_service_server::LifecycleService,
    },
};
use lgpki_testkit::ManualClock;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Response, Status};

use super::super::*;
use crate::{
    client::connect,
    identity::{LoginStanding, LoginStandings, RefusedLogin, RefusedLogins},
    rpc::Rpc,
    shutdown::{self, ShutdownTrigger},
    testing::{Pki, clock, dial, randomness},
};

#[derive(Debug)]
pub(super) struct Everyone;

impl LoginStandings for Everyone {
    fn standing(&self, _: &Serial, _: Option<BodyCode>) -> LoginStanding {
        LoginStanding::Good
    }
}

impl RefusedLogins for Everyone {
    fn note(&self, _: RefusedLogin) {}
}

/// Answers with the caller's name; a rename of anything takes for ever.
#[derive(Debug)]
pub(super) struct Directory;

#[tonic::async_trait]
impl DirectoryService for Directory {
    async fn list_bodies(
        &self,
        request: Request<v1::ListBodiesRequest>,
    ) -> Result<Response<v1::ListBodiesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        Ok(Response::new(v1::ListBodiesResponse {
            bodies: Vec::new(),
            next_page_token: format!("{} {}", rpc.caller(), rpc.correlation_id().len()),
        }))
    }

    async fn list_entries(
        &self,
        request: Request<v1::ListEntriesRequest>,
    ) -> Result<Response<v1::ListEntriesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        Err(rpc.refuse(Failure::internal("secret")))
    }

    async fn change_entries(
        &self,
        _: Request<v1::ChangeEntriesRequest>,
    ) -> Result<Response<v1::ChangeEntriesResponse>, Status> {
        std::future::pending().await
    }

    async fn deactivate_branch(
        &self,
        _: Request<v1::DeactivateBranchRequest>,
    ) -> Result<Response<v1::DeactivateBranchResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }
}

/// Streams one answer and then nothing; publishing waits for the test's permission.
#[derive(Debug)]
pub(super) struct Lifecycle {
    pub(super) permission: Arc<Semaphore>,
    pub(super) entered: mpsc::Sender<()>,
}

#[tonic::async_trait]
impl LifecycleService for Lifecycle {
    async fn revoke_certificates(
        &self,
        _: Request<v1::RevokeCertificatesRequest>,
    ) -> Result<Response<v1::RevokeCertificatesResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn open_renewals(
        &self,
        _: Request<v1::OpenRenewalsRequest>,
    ) -> Result<Response<v1::OpenRenewalsResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn close_renewals(
        &self,
        _: Request<v1::CloseRenewalsRequest>,
    ) -> Result<Response<v1::CloseRenewalsResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn list_slot_keys(
        &self,
        _: Request<v1::ListSlotKeysRequest>,
    ) -> Result<Response<v1::ListSlotKeysResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }

    type FollowStandingsStream =
        Pin<Box<dyn Stream<Item = Result<v1::FollowStandingsResponse, Status>> + Send>>;

    async fn follow_standings(
        &self,
        _: Request<v1::FollowStandingsRequest>,
    ) -> Result<Response<Self::FollowStandingsStream>, Status> {
        let (sender, receiver) = mpsc::channel(1);
        let first = v1::FollowStandingsResponse {
            caught_up: true,
            ..Default::default()
        };
        sender.send(Ok(first)).await.unwrap();
        tokio::spawn(async move { sender.closed().await });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn publish_crls(
        &self,
        _: Request<v1::PublishCrlsRequest>,
    ) -> Result<Response<v1::PublishCrlsResponse>, Status> {
        self.entered.send(()).await.unwrap();
        let _permit = self.permission.acquire().await.unwrap();
        Ok(Response::new(v1::PublishCrlsResponse::default()))
    }
}

pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) clock: ManualClock,
    pub(super) readiness: Readiness,
    pub(super) trigger: ShutdownTrigger,
    pub(super) task: JoinHandle<Result<(), RuntimeError>>,
}

pub(super) async fn start(service: ServiceName, routes: Routes, limits: ServerLimits) -> Running {
    let pki = Pki::ours();
    let clock = clock();
    let officers = (service == ServiceName::Intake).then(|| OfficerDoor {
        anchors: pki.officer_anchors(),
        standing: Arc::new(Everyone),
        refused: Arc::new(Everyone),
    });
    let server = GrpcServer::try_new(Door {
        service,
        identity: pki.service(service.role()),
        services: pki.service_anchors(),
        officers,
        clock: Arc::new(clock.clone()),
        randomness: randomness(),
        limits,
    })
    .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (trigger, shutdown) = shutdown::channel();
    Running {
        address: listener.local_addr().unwrap(),
        clock,
        readiness: server.readiness(),
        trigger,
        task: tokio::spawn(server.run(listener, routes, shutdown)),
    }
}

pub(super) async fn intake(limits: ServerLimits) -> Running {
    let routes = Routes::new(DirectoryServiceServer::new(Directory));
    start(ServiceName::Intake, routes, limits).await
}

pub(super) fn directory(
    running: &Running,
    identity: Option<Identity>,
) -> DirectoryServiceClient<tonic::transport::Channel> {
    DirectoryServiceClient::new(connect(dial(running.address, identity, &running.clock)).unwrap())
}
