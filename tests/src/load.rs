//! Branches that apply and revoke without a pause, whatever happens to the services.
//!
//! Each worker sends the same request again until it is answered, as the contract tells front ends to
//! do, and notes what it was told. It is stopped between two answers or in the middle of a call.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use lgpki_domain::{CertificateKind, KeyAlgorithm, Names, Subject};
use lgpki_keys::{Signer, SoftwareKey};
use lgpki_proto::{
    RemoteError,
    v1::{self, application_service_client::ApplicationServiceClient},
};
use lgpki_x509::{
    key::SubjectPublicKey,
    particulars::{Particulars, Requested},
    request::{assemble, build_info},
};
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::{Installation, request};

type Client = ApplicationServiceClient<Channel>;

/// How long a worker waits before it sends a request again.
const AGAIN: Duration = Duration::from_millis(20);
/// How long a call may take before the worker gives it up and sends it again.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a worker rests between two applications, so that rounds stay comparable as data grow.
const REST: Duration = Duration::from_millis(15);
/// Of so many applications of a worker one certificate is revoked later.
const REVOKED_OF: u64 = 4;

/// What the workers were told.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// Acknowledged applications for certificates, by number.
    pub issues: BTreeMap<String, String>,
    /// Acknowledged applications for revocation with the serial number they are about.
    pub revocations: BTreeMap<String, String>,
    /// Answers that no front end should ever get to these requests.
    pub surprises: Vec<String>,
}

/// The workers.
#[derive(Debug)]
pub struct Load {
    notes: Arc<Mutex<Notes>>,
    stop: Arc<AtomicBool>,
    tries: Arc<AtomicU64>,
    workers: JoinSet<()>,
}

/// A name that no other worker of this process ever gives to a host.
static HOSTS: AtomicU64 = AtomicU64::new(1);

impl Load {
    /// Starts `workers` for each branch; each is a branch officer with a connection of its own.
    #[must_use]
    pub fn start(installation: &Installation, branches: &[&'static str], workers: usize) -> Self {
        let mut load = Self {
            notes: Arc::default(),
            stop: Arc::default(),
            tries: Arc::default(),
            workers: JoinSet::new(),
        };
        for branch in branches {
            let officer = installation.officer(&format!("branch-officer-{branch}"));
            for _ in 0..workers {
                let channel = installation.channel(crate::Service::Intake, Some(officer.clone()));
                let worker = Worker {
                    branch,
                    client: ApplicationServiceClient::new(channel),
                    notes: load.notes.clone(),
                    stop: load.stop.clone(),
                    tries: load.tries.clone(),
                };
                load.workers.spawn(worker.run());
            }
        }
        load
    }

    /// What was told so far.
    #[must_use]
    pub fn notes(&self) -> Notes {
        lock(&self.notes).clone()
    }

    /// Calls made so far, failed ones included.
    #[must_use]
    pub fn tries(&self) -> u64 {
        self.tries.load(Ordering::Relaxed)
    }

    /// Stops the workers and gives what they were told.
    pub async fn stop(mut self) -> Notes {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.workers.join_next().await {
            ended.expect("a worker does not panic");
        }
        self.notes()
    }
}

struct Worker {
    branch: &'static str,
    client: Client,
    notes: Arc<Mutex<Notes>>,
    stop: Arc<AtomicBool>,
    tries: Arc<AtomicU64>,
}

impl Worker {
    async fn run(mut self) {
        let mut own = Vec::new();
        for turn in 1.. {
            let Some(id) = self.apply().await else {
                return;
            };
            own.push(id);
            tokio::time::sleep(REST).await;
            if turn % REVOKED_OF == 0 {
                // An older one, for it takes a moment until it is issued.
                let id = own[own.len() / 2].clone();
                own.retain(|other| *other != id);
                if self.revoke(&id).await.is_none() {
                    return;
                }
            }
        }
    }

    async fn apply(&mut self) -> Option<String> {
        let host = format!("h{}.kill.lg.jp", HOSTS.fetch_add(1, Ordering::Relaxed));
        let request = request::issue(self.branch, web_server(self.branch, &host));
        let id = self.submit(request).await?;
        lock(&self.notes).issues.insert(id.clone(), host);
        Some(id)
    }

    async fn revoke(&mut self, id: &str) -> Option<()> {
        let serial = loop {
            let application = self.get(id).await?;
            if !application.serial.is_empty() {
                break application.serial;
            }
            tokio::time::sleep(AGAIN).await;
        };
        let reason = v1::RevocationReason::KeyCompromise;
        let request = request::revoke(self.branch, &serial, reason);
        let known = loop {
            // What the issuer has recorded may reach intake's standings a moment later.
            match self.try_submit(request.clone()).await? {
                Ok(id) => break id,
                Err(refused) if unknown_yet(&refused) => tokio::time::sleep(AGAIN).await,
                Err(refused) => {
                    self.surprise("a revocation", &refused);
                    return Some(());
                }
            }
        };
        lock(&self.notes).revocations.insert(known, serial);
        Some(())
    }

    async fn submit(&mut self, request: v1::SubmitApplicationRequest) -> Option<String> {
        match self.try_submit(request).await? {
            Ok(id) => Some(id),
            Err(refused) => {
                self.surprise("an application", &refused);
                None
            }
        }
    }

    /// Sends a request until it is answered; none once the load is to stop.
    async fn try_submit(
        &mut self,
        request: v1::SubmitApplicationRequest,
    ) -> Option<Result<String, RemoteError>> {
        loop {
            let mut client = self.client.clone();
            let call = client.submit_application(request.clone());
            match self.answer(call_within(call)).await? {
                Ok(answer) => {
                    let application = answer.application.unwrap_or_default();
                    return Some(Ok(application.id));
                }
                Err(refused) if again(&refused) => tokio::time::sleep(AGAIN).await,
                Err(refused) => return Some(Err(refused)),
            }
        }
    }

    async fn get(&mut self, id: &str) -> Option<v1::Application> {
        loop {
            let request = v1::GetApplicationRequest {
                id: id.to_owned(),
                ..v1::GetApplicationRequest::default()
            };
            let mut client = self.client.clone();
            let call = client.get_application(request);
            match self.answer(call_within(call)).await? {
                Ok(answer) => return answer.application,
                Err(refused) if again(&refused) => tokio::time::sleep(AGAIN).await,
                Err(refused) => {
                    self.surprise("an acknowledged application", &refused);
                    return None;
                }
            }
        }
    }

    /// Waits for an answer; none once the load is to stop.
    async fn answer<T>(
        &self,
        call: impl Future<Output = Result<T, RemoteError>>,
    ) -> Option<Result<T, RemoteError>> {
        if self.stop.load(Ordering::Relaxed) {
            return None;
        }
        self.tries.fetch_add(1, Ordering::Relaxed);
        Some(call.await)
    }

    fn surprise(&self, what: &str, refused: &RemoteError) {
        let surprise = format!("{what} of branch {} was refused: {refused}", self.branch);
        lock(&self.notes).surprises.push(surprise);
    }
}

async fn call_within<T>(
    call: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
) -> Result<T, RemoteError> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(RemoteError::from(status)),
        Err(_) => Err(RemoteError::from(tonic::Status::deadline_exceeded("late"))),
    }
}

/// Whether a front end sends the same request again: the service is away, or the connection broke.
fn again(refused: &RemoteError) -> bool {
    refused.may_be_tried_again() || refused.reason == "TRANSPORT"
}

fn unknown_yet(refused: &RemoteError) -> bool {
    let mut faults = refused.faults.iter();
    !refused.faults.is_empty() && faults.all(|fault| fault.reason == "CERTIFICATE_UNKNOWN")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What to ask for a web server's certificate, with a request as the standard system makes it.
#[must_use]
pub fn web_server(branch: &str, host: &str) -> v1::IssueContent {
    let body = request::body(branch);
    let names = |en: &str, ja: &str| Names::try_new("names", en, ja).expect("names");
    let subject = Subject {
        body: names(&body.en, &body.ja),
        unit: None,
        name: names(host, "公式サイト"),
    };
    let hosts = [host.to_owned()];
    let requested = Requested {
        dns_names: &hosts,
        ..Requested::default()
    };
    let kind = CertificateKind::WebServer;
    let particulars = Particulars::try_new("issue", kind, &requested).expect("a host");
    let key = SoftwareKey::generate(KeyAlgorithm::P256).expect("a key");
    let public = SubjectPublicKey::parse("key", key.public_key().der()).expect("a key");
    let info = build_info(&subject, &particulars, &public).expect("a request");
    let signature = key.sign(&info).expect("a signature");
    v1::IssueContent {
        kind: v1::CertificateKind::WebServer.into(),
        subject: Some((&subject).into()),
        csr: assemble(info, key.algorithm().signature(), &signature),
        medium: v1::KeyMedium::Server.into(),
        dns_names: hosts.to_vec(),
        ..v1::IssueContent::default()
    }
}
