//! A running installation with filled directories, cases, and what is stored.

use std::{collections::BTreeMap, fs};

use lgpki_proto::{
    RemoteError,
    v1::{
        self, CertificateKind, SubmitApplicationRequest, SubmitApplicationResponse,
        application_service_client::ApplicationServiceClient,
        submit_applications_response::Outcome,
    },
};
use lgpki_runtime::tls::Identity;
use lgpki_tests::{
    Installation, Options, Process, Service,
    request::{self, names},
};
use tonic::{Code, transport::Channel};

const UNDER_TEST: &str = env!("CARGO_BIN_EXE_lgpki-under-test");

/// The branch that applies.
pub(crate) const BRANCH: &str = "01001";
/// Another branch.
pub(crate) const OTHER: &str = "13001";
/// The branch's officer.
pub(crate) const OFFICER: &str = "branch-officer-01001";

/// A unit that is registered with the branch's body.
pub(crate) fn unit() -> v1::Names {
    names("General Affairs Department", "総務部")
}

/// A bad application and how it is refused.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) request: SubmitApplicationRequest,
    pub(crate) expected: Expected,
}

/// How a case is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// With these faults, each a field and a reason, and no others.
    Faults(Vec<String>),
    /// As a whole.
    Status(Code, &'static str),
}

impl Case {
    /// A case with faults, each a field and a reason.
    pub(crate) fn new(name: &str, request: SubmitApplicationRequest, faults: &[&str]) -> Self {
        let mut faults: Vec<_> = faults.iter().map(|f| (*f).to_owned()).collect();
        faults.sort();
        Self {
            name: name.to_owned(),
            request,
            expected: Expected::Faults(faults),
        }
    }

    /// A case that is refused as a whole.
    pub(crate) fn whole(
        name: &str,
        request: SubmitApplicationRequest,
        code: Code,
        reason: &'static str,
    ) -> Self {
        Self {
            name: name.to_owned(),
            request,
            expected: Expected::Status(code, reason),
        }
    }
}

/// The faults of a refusal, each a field and a reason, in order.
pub(crate) fn faults(refused: &RemoteError) -> Vec<String> {
    let faults = refused.faults.iter();
    let mut faults: Vec<_> = faults
        .map(|f| format!("{} {}", f.field, f.reason))
        .collect();
    faults.sort();
    faults
}

/// An application for an official-duty certificate that nothing is wrong with.
pub(crate) fn official_duty(en: &str, ja: &str) -> SubmitApplicationRequest {
    let subject = request::subject(BRANCH, Some(unit()), names(en, ja));
    request::issue(
        BRANCH,
        request::content(CertificateKind::OfficialDuty, subject),
    )
}

/// Every application by number with its state, and the bytes of intake's log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) applications: BTreeMap<String, i32>,
    log_bytes: u64,
}

pub(crate) struct Scene {
    pub(crate) installation: Installation,
    _services: Process,
    auditor: Channel,
    officer: Channel,
}

impl Scene {
    /// Must be called within a tokio runtime.
    pub(crate) fn new() -> Self {
        let options = Options {
            login_form: "data",
            branches: &[BRANCH, OTHER, "47001"],
            configuration: &[
                (
                    "web-server = { mode = \"manual\" }",
                    "web-server = { mode = \"automatic\" }",
                ),
                (
                    "administrative_domains = []",
                    "administrative_domains = [\"service.synthetic.lg.jp\"]",
                ),
            ],
            ..Options::default()
        };
        let installation = Installation::new(UNDER_TEST, &options);
        let services = installation.serve();
        let scene = Self {
            auditor: installation.logged_in("auditor-1"),
            officer: installation.logged_in(OFFICER),
            installation,
            _services: services,
        };
        scene.fill_directories();
        scene
    }

    fn fill_directories(&self) {
        let unit = unit();
        let register = ["directory", "register-organization", BRANCH];
        let organization = ["--en", &unit.en, "--ja", &unit.ja];
        self.operate(&[&register[..], &organization].concat());
        let account = ["directory", "register-account", BRANCH, "--unit", &unit.en];
        let role = ["--en", "chief-lgacc", "--ja", "文書取扱主任（利用者）"];
        self.operate(&[&account[..], &role].concat());
        let other = ["directory", "register-organization", OTHER];
        self.operate(&[&other[..], &["--en", "Tax Department", "--ja", "税務部"]].concat());
    }

    /// Does something as an operator, on the command line.
    pub(crate) fn operate(&self, arguments: &[&str]) {
        let done = self
            .installation
            .office("operator-1", "operator", arguments);
        done.unwrap();
    }

    /// Submits an application as `office`.
    pub(crate) async fn submit(
        &self,
        office: &str,
        request: SubmitApplicationRequest,
    ) -> Result<SubmitApplicationResponse, RemoteError> {
        let channel = match office {
            OFFICER => self.officer.clone(),
            other => self.installation.logged_in(other),
        };
        submit(channel, request).await
    }

    /// Submits an application with whatever login certificate.
    pub(crate) async fn submit_with(
        &self,
        login: Identity,
        request: SubmitApplicationRequest,
    ) -> Result<SubmitApplicationResponse, RemoteError> {
        submit(
            self.installation.channel(Service::Intake, Some(login)),
            request,
        )
        .await
    }

    /// Every application there is, and how long intake's log is.
    pub(crate) async fn stored(&self) -> Stored {
        let mut client = ApplicationServiceClient::new(self.auditor.clone());
        let request = v1::ListApplicationsRequest {
            page_size: 1000,
            ..v1::ListApplicationsRequest::default()
        };
        let page = client
            .list_applications(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(page.next_page_token, "");
        let log = self.installation.data(Service::Intake).join("log");
        let segments = fs::read_dir(log).unwrap();
        Stored {
            applications: page
                .applications
                .into_iter()
                .map(|a| (a.id, a.state))
                .collect(),
            log_bytes: segments.map(|s| s.unwrap().metadata().unwrap().len()).sum(),
        }
    }

    /// Sends every case, alone and in one stream.
    pub(crate) async fn refuses(&self, cases: Vec<Case>) {
        let before = self.stored().await;
        let mut wrong = Vec::new();
        for case in &cases {
            let outcome = submit(self.officer.clone(), case.request.clone()).await;
            wrong.extend(unlike(case, outcome.map(|_| ())));
            let after = self.stored().await;
            if after != before {
                wrong.push(format!("{}: something was stored: {after:?}", case.name));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        self.refuses_in_one_stream(&cases).await;
        assert_eq!(self.stored().await, before);
    }

    async fn refuses_in_one_stream(&self, cases: &[Case]) {
        // Answers name their request; those without one, or with another's, cannot be told apart.
        let mut expected: BTreeMap<&str, &Case> = BTreeMap::new();
        for case in cases {
            expected.insert(&case.request.request_id, case);
        }
        let requests: Vec<_> = expected
            .values()
            .map(|case| v1::SubmitApplicationsRequest {
                application: Some(case.request.clone()),
            })
            .collect();
        let mut client = ApplicationServiceClient::new(self.officer.clone());
        let stream = client.submit_applications(tokio_stream::iter(requests));
        let mut answers = stream.await.unwrap().into_inner();
        while let Some(answer) = answers.message().await.unwrap() {
            let case = expected.remove(answer.request_id.as_str()).unwrap();
            let outcome = match answer.outcome {
                Some(Outcome::Refused(refusal)) => Err(RemoteError::from(refusal)),
                _ => Ok(()),
            };
            assert_eq!(unlike(case, outcome), None);
        }
        let unanswered: Vec<_> = expected.values().map(|case| &case.name).collect();
        assert!(unanswered.is_empty(), "{unanswered:?}");
    }
}

async fn submit(
    channel: Channel,
    request: SubmitApplicationRequest,
) -> Result<SubmitApplicationResponse, RemoteError> {
    let mut client = ApplicationServiceClient::new(channel);
    let answer = client.submit_application(request).await;
    answer
        .map(tonic::Response::into_inner)
        .map_err(RemoteError::from)
}

/// What is not as expected of a case, if anything.
fn unlike(case: &Case, outcome: Result<(), RemoteError>) -> Option<String> {
    let found = match outcome {
        Ok(()) => return Some(format!("{}: was accepted", case.name)),
        Err(refused) if refused.reason == "APPLICATION_REFUSED" => {
            if refused.code != Code::InvalidArgument {
                return Some(format!("{}: {:?}", case.name, refused.code));
            }
            Expected::Faults(faults(&refused))
        }
        Err(refused) => match &case.expected {
            Expected::Status(code, reason)
                if (refused.code, refused.reason.as_str()) == (*code, reason) =>
            {
                return None;
            }
            _ => return Some(format!("{}: {:?} {refused}", case.name, refused.code)),
        },
    };
    (found != case.expected).then(|| {
        format!(
            "{}: expected {:?}, found {found:?}",
            case.name, case.expected
        )
    })
}
