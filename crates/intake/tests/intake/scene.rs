//! Intake running, with callers.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use lgpki_domain::{
    BodyCode, CertificateKind, Clock as _, OfficerRole, Role, Timestamp,
    directory::{Account, Body, Branch, Organization},
};
use lgpki_intake::{
    Deps, RawSettings, Service, Settings,
    ports::{DirectoryChange, IntakeStore},
    store::EngineStore,
};
use lgpki_keys::Signer;
use lgpki_ledger::OsDisk;
use lgpki_proto::{
    RemoteError, convert,
    v1::{
        self, addressee_service_client::AddresseeServiceClient,
        admission_service_client::AdmissionServiceClient,
        application_service_client::ApplicationServiceClient,
        certificate_service_client::CertificateServiceClient,
        directory_service_client::DirectoryServiceClient,
        examination_service_client::ExaminationServiceClient,
        notice_service_client::NoticeServiceClient, queue_service_client::QueueServiceClient,
        slot_service_client::SlotServiceClient, submit_application_request::Content,
    },
};
use lgpki_runtime::{
    Identity, ShutdownTrigger,
    audit_log::{AuditLogs, Shelf},
    client::{Dial, connect},
    config::{ServerLimits, Target},
    shutdown,
};
use lgpki_store::OpeningStore;
use lgpki_testkit::{ManualClock, SeededRandom, log_identity};
use lgpki_x509::{
    particulars::{Particulars, Requested},
    request,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::transport::Channel;

use crate::{
    fakes::World,
    pki::{Pki, key, names, public},
};

pub(crate) fn now() -> Timestamp {
    "2009-02-10T10:00:00+09:00".parse().unwrap()
}

/// The branch of most tests.
pub(crate) fn sapporo() -> BodyCode {
    "01001".parse().unwrap()
}

/// Another branch.
pub(crate) fn hakodate() -> BodyCode {
    "01002".parse().unwrap()
}

/// Every application is approved on receipt, but mail, which two operators examine, and web
/// server, which one does.
const SETTINGS: &str = r#"
administrative_domains = ["service.city.lg.jp"]
submit_batch = 32
examination.official-duty.mode = "automatic"
examination.user.mode = "automatic"
examination.login.mode = "automatic"
examination.code-signing.mode = "automatic"
examination.mail = { mode = "manual", two_person = true }
dispatch = { batch = 16, parallel = 2, longest_backoff_ms = 20 }
"#;

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) store: Arc<EngineStore>,
    pub(crate) clock: ManualClock,
    address: SocketAddr,
    trigger: ShutdownTrigger,
    running: JoinHandle<()>,
    _names: tempfile::TempDir,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(World::new()).await
    }

    /// Intake before the given world.
    pub(crate) async fn with(world: World) -> Self {
        Self::keeping(world, None).await
    }

    /// Intake that keeps the places that it gives in this file.
    pub(crate) async fn keeping(world: World, places: Option<PathBuf>) -> Self {
        let clock = ManualClock::new(now());
        let store = Arc::new(EngineStore::open_memory(log_identity("intake-1")).unwrap());
        fill_directories(store.as_ref()).await;
        let directory = tempfile::tempdir().unwrap();
        let openings = OpeningStore::open(directory.path(), Arc::new(OsDisk)).unwrap();
        let raw: RawSettings = toml::from_str(SETTINGS).unwrap();
        let peers = world.serve().await;
        let service = Service::try_new(
            Settings::try_from(raw).unwrap(),
            Deps {
                store: store.clone(),
                openings: Arc::new(openings),
                issuer: peers.clone(),
                lifecycle: peers,
                logs: AuditLogs::new(
                    Shelf::of(directory.path()),
                    log_identity("intake-1"),
                    store.clone(),
                ),
                identity: Pki::ours().service(Role::Intake),
                services: Pki::ours().services(),
                officers: Pki::ours().officers(),
                places,
                limits: ServerLimits::default(),
                clock: Arc::new(clock.clone()),
                random: Arc::new(SeededRandom::new(42)),
            },
        );
        let service = service.await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (trigger, stop) = shutdown::channel();
        let readiness = service.readiness();
        let caught_up = world.clone();
        let running = tokio::spawn(async move { service.run(listener, stop).await.unwrap() });
        if caught_up.is_caught_up() {
            readiness.ready().await;
        }
        Self {
            world,
            store,
            clock,
            address,
            trigger,
            running,
            _names: directory,
        }
    }

    /// Asks intake to stop and waits until it has.
    pub(crate) async fn stop(self) {
        self.trigger.request();
        self.running.await.unwrap();
    }

    pub(crate) fn channel(&self, identity: Option<Identity>) -> Channel {
        let target = Target::try_new(&self.address.to_string()).unwrap();
        connect(Dial {
            target: target.with_server_name("localhost"),
            identity,
            anchors: Pki::ours().services(),
            clock: Arc::new(self.clock.clone()),
        })
        .unwrap()
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    /// An officer's calls; `number` is the login certificate's.
    pub(crate) fn officer(&self, role: OfficerRole, body: BodyCode, number: u8) -> Officer {
        Officer(self.channel(Some(Pki::ours().login(role, body, number))))
    }

    /// Sapporo's branch officer.
    pub(crate) fn branch(&self) -> Officer {
        self.officer(OfficerRole::BranchOfficer, sapporo(), 10)
    }

    /// Waits until the application is in a state.
    pub(crate) async fn reaches(&self, id: &str, state: v1::ApplicationState) -> v1::Application {
        let mut branch = self.branch().applications();
        let request = v1::WatchApplicationsRequest {
            filter: None,
            ids: vec![id.to_owned()],
        };
        let mut changes = branch
            .watch_applications(request)
            .await
            .unwrap()
            .into_inner();
        loop {
            let change = changes.message().await.unwrap().expect("another change");
            let application = change.application.unwrap();
            if application.state() == state {
                return application;
            }
        }
    }
}

/// Somebody's calls.
pub(crate) struct Officer(Channel);

impl Officer {
    pub(crate) fn applications(&self) -> ApplicationServiceClient<Channel> {
        ApplicationServiceClient::new(self.0.clone())
    }

    pub(crate) fn examination(&self) -> ExaminationServiceClient<Channel> {
        ExaminationServiceClient::new(self.0.clone())
    }

    pub(crate) fn directory(&self) -> DirectoryServiceClient<Channel> {
        DirectoryServiceClient::new(self.0.clone())
    }

    pub(crate) fn certificates(&self) -> CertificateServiceClient<Channel> {
        CertificateServiceClient::new(self.0.clone())
    }

    pub(crate) fn addressees(&self) -> AddresseeServiceClient<Channel> {
        AddresseeServiceClient::new(self.0.clone())
    }

    pub(crate) fn admission(&self) -> AdmissionServiceClient<Channel> {
        AdmissionServiceClient::new(self.0.clone())
    }

    pub(crate) fn queues(&self) -> QueueServiceClient<Channel> {
        QueueServiceClient::new(self.0.clone())
    }

    pub(crate) fn notices(&self) -> NoticeServiceClient<Channel> {
        NoticeServiceClient::new(self.0.clone())
    }

    pub(crate) fn slots(&self) -> SlotServiceClient<Channel> {
        SlotServiceClient::new(self.0.clone())
    }

    /// Submits one application.
    pub(crate) async fn submit(
        &self,
        request: v1::SubmitApplicationRequest,
    ) -> Result<v1::SubmitApplicationResponse, RemoteError> {
        let answer = self.applications().submit_application(request).await;
        answer.map(tonic::Response::into_inner).map_err(Into::into)
    }

    /// Submits what will be accepted and answers its number.
    pub(crate) async fn submitted(&self, request: v1::SubmitApplicationRequest) -> String {
        self.submit(request).await.unwrap().application.unwrap().id
    }
}

async fn fill_directories(store: &EngineStore) {
    let body = |code: BodyCode, en: &str, ja: &str, branch| Body {
        code,
        names: names(en, ja),
        branch,
    };
    let bodies = vec![
        body(sapporo(), "Sapporo City", "札幌市", Branch::Active),
        body(hakodate(), "Hakodate City", "函館市", Branch::Active),
        body(
            "01003".parse().unwrap(),
            "No Branch Village",
            "無分局村",
            Branch::None,
        ),
    ];
    let import = store.import_bodies(bodies, "init".to_owned(), now());
    import.await.unwrap();
    let changes = vec![
        DirectoryChange::RegisterOrganization(Organization {
            body: sapporo(),
            names: names("General Affairs", "総務部"),
        }),
        DirectoryChange::RegisterAccount(Account {
            body: sapporo(),
            unit_en: "General Affairs".to_owned(),
            names: names("archivist-lgacc", "文書取扱主任（利用者）"),
        }),
    ];
    let officer = lgpki_domain::Caller::Service(Role::Intake);
    let outcome = store.change_directory(sapporo(), changes, officer, now());
    outcome.await.unwrap().unwrap();
}

/// A good application of a kind by Sapporo; `n` tells subjects and requests apart.
pub(crate) fn application(kind: CertificateKind, n: usize) -> v1::SubmitApplicationRequest {
    let wire = |en: &str, ja: &str| v1::Names {
        en: en.to_owned(),
        ja: ja.to_owned(),
    };
    let mut issue = v1::IssueContent {
        kind: convert::wire(kind),
        subject: Some(v1::Subject {
            body: Some(wire("Sapporo City", "札幌市")),
            unit: Some(wire("General Affairs", "総務部")),
            name: Some(wire(&format!("Post {n}"), &format!("第{n}職"))),
        }),
        csr: Vec::new(),
        medium: v1::KeyMedium::IcCard.into(),
        dns_names: Vec::new(),
        mail_address: String::new(),
        login_role: 0,
    };
    let subject = issue.subject.as_mut().unwrap();
    match kind {
        CertificateKind::User => {
            subject.name = Some(wire("archivist-lgacc", "文書取扱主任（利用者）"));
        }
        CertificateKind::WebServer => {
            let host = format!("www{n}.city.lg.jp");
            subject.name = Some(wire(&host, "窓口"));
            subject.unit = None;
            issue.medium = v1::KeyMedium::Server.into();
            issue.dns_names = vec![host];
        }
        CertificateKind::Mail => issue.mail_address = format!("post{n}@city.lg.jp"),
        CertificateKind::Login => {
            issue.login_role = convert::wire(OfficerRole::BranchOfficer);
        }
        _ => {}
    }
    issue.csr = csr(&issue);
    request(&format!("request-{kind}-{n}"), Content::Issue(issue))
}

/// A CSR with a fresh key for what is applied for.
pub(crate) fn csr(issue: &v1::IssueContent) -> Vec<u8> {
    let mut faults = lgpki_domain::Faults::new();
    let kind = convert::required(&mut faults, "kind", issue.kind).unwrap();
    let subject = convert::subject(&mut faults, "subject", issue.subject.as_ref()).unwrap();
    let role: Option<OfficerRole> = convert::optional(&mut faults, "role", issue.login_role);
    let requested = Requested {
        dns_names: &issue.dns_names,
        mail: Some(issue.mail_address.as_str()).filter(|address| !address.is_empty()),
        login: role.map(|role| (role, role.belongs_to_a_body().then(sapporo))),
    };
    let particulars = Particulars::try_new("x", kind, &requested).unwrap();
    let key = key();
    let info = request::build_info(&subject, &particulars, &public(&key)).unwrap();
    let signature = key.sign(&info).unwrap();
    request::assemble(info, key.algorithm().signature(), &signature)
}

/// A request of Sapporo's.
pub(crate) fn request(request_id: &str, content: Content) -> v1::SubmitApplicationRequest {
    v1::SubmitApplicationRequest {
        request_id: request_id.to_owned(),
        branch: sapporo().to_string(),
        examination: Some(v1::BranchExamination {
            office: "総務課長".to_owned(),
            examiner_name: String::new(),
            approved: true,
            decided_on: "2009-02-09".to_owned(),
        }),
        content: Some(content),
    }
}

/// The part of a request that asks for a certificate.
pub(crate) fn issue_of(request: &mut v1::SubmitApplicationRequest) -> &mut v1::IssueContent {
    match request.content.as_mut() {
        Some(Content::Issue(issue)) => issue,
        other => panic!("no issue: {other:?}"),
    }
}

impl Scene {
    /// Waits until intake's standings hold these certificates: until then it knows no such serial.
    pub(crate) async fn learns_of(&self, serials: &[String]) {
        self.until(|reason| reason != "CERTIFICATE_UNKNOWN", serials)
            .await;
    }

    /// Waits until intake's standings hold the revocation.
    pub(crate) async fn learns_of_revocation(&self, serial: &str) {
        let revoked = |reason: &str| reason == "CERTIFICATE_REVOKED_BEFORE";
        self.until(revoked, &[serial.to_owned()]).await;
    }

    /// Asks with an application that is refused whatever the standings say.
    async fn until(&self, known: impl Fn(&str) -> bool, serials: &[String]) {
        for serial in serials {
            loop {
                let mut question = request(
                    "a-question",
                    Content::Abolish(v1::AbolishContent {
                        serial: serial.clone(),
                    }),
                );
                question.examination = None;
                let refused = self.branch().submit(question).await.unwrap_err();
                let about = refused.faults.iter().find(|f| f.field == "abolish.serial");
                if known(about.map_or("", |fault| fault.reason.as_str())) {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
    }

    /// How many entries intake's log has.
    pub(crate) fn log_entries(&self) -> u64 {
        self.store.log().durable()
    }

    /// All of intake's log.
    pub(crate) fn log_text(&self) -> String {
        log_text(&self.store)
    }
}

/// All of a store's log.
pub(crate) fn log_text(store: &EngineStore) -> String {
    let entries = store.log().read(0, usize::MAX, usize::MAX).unwrap();
    let texts = entries
        .into_iter()
        .map(|(_, bytes)| String::from_utf8(bytes).unwrap());
    texts.collect::<Vec<_>>().join("\n")
}
