//! Applications that stumble over what went before: keys, subjects, request ids, revocations.

use lgpki_proto::v1::{
    self, ApplicationState, RevocationReason, SubmitApplicationRequest,
    application_service_client::ApplicationServiceClient, submit_application_request::Content,
};
use lgpki_tests::{draft::Draft, request};
use tonic::Code;

use super::{Table, spoil, web_server};
use crate::{
    csrs::csr_of,
    scene::{BRANCH, Case, OFFICER, OTHER, Scene, official_duty},
};

impl Table {
    /// What went before: keys, subjects and request ids.
    pub(super) async fn history(&mut self, scene: &Scene) {
        let open = official_duty("Vice Mayor", "副市長");
        scene.submit(OFFICER, open.clone()).await.unwrap();
        let certified_host = "certified.synthetic.lg.jp";
        let issued = web_server(&[certified_host]);
        wait_until_issued(scene, issued.clone()).await;

        let mut other = official_duty("Treasurer", "会計管理者");
        other.request_id.clone_from(&open.request_id);
        let (code, reason) = (Code::AlreadyExists, "REQUEST_ID_TAKEN");
        self.0.push(Case::whole(
            "a request id of other content",
            other,
            code,
            reason,
        ));

        let subject = "issue.subject SUBJECT_HAS_OPEN_APPLICATION";
        let second = official_duty("Vice Mayor", "副市長");
        self.add("a second application of a subject", second, &[subject]);
        let valid = "issue.subject SUBJECT_HAS_VALID_CERTIFICATE";
        let second = web_server(&[certified_host]);
        self.add("a subject with a certificate", second, &[valid]);
        let used = "issue.csr KEY_USED_BEFORE";
        let mut again = open.clone();
        again.request_id = request::request_id();
        self.add("the same request under another id", again, &[used, subject]);
        let mut again = issued.clone();
        again.request_id = request::request_id();
        let certified = "issue.csr KEY_CERTIFIED_BEFORE";
        self.add(
            "the same request after its certificate",
            again,
            &[certified, valid],
        );

        // The key is known whatever it is asked for.
        let stolen = spoil(official_duty("Treasurer", "会計管理者"), |issue| {
            issue.csr = csr_of(&open);
        });
        let faults = &[used, "issue.csr CSR_SUBJECT_MISMATCH"];
        self.add("another application's request", stolen, faults);
    }

    pub(super) async fn revocations(&mut self, scene: &Scene) {
        let host = "revoked.synthetic.lg.jp";
        let gone = wait_until_issued(scene, web_server(&[host])).await;
        let reason = RevocationReason::KeyCompromise;
        let revocation = request::revoke(BRANCH, &gone, reason);
        wait_until(scene, OFFICER, revocation, ApplicationState::Completed).await;
        let mut foreign = request::web_server(OTHER, "www.other.synthetic.lg.jp");
        let draft = Draft::p256(foreign.subject.as_ref().unwrap());
        foreign.csr = draft.build();
        let foreign = request::issue(OTHER, foreign);
        let officer = "branch-officer-13001";
        let foreign = wait_until(scene, officer, foreign, ApplicationState::Issued).await;

        let serial = |serial: &str| request::revoke(BRANCH, serial, reason);
        let unknown = &["revoke.serial CERTIFICATE_UNKNOWN"];
        self.add("an unknown certificate", serial(&"41".repeat(16)), unknown);
        let revoked = &["revoke.serial CERTIFICATE_REVOKED_BEFORE"];
        self.add("a revoked certificate", serial(&gone), revoked);
        let others = &["revoke.serial CERTIFICATE_OF_ANOTHER_BRANCH"];
        self.add(
            "a certificate of another branch",
            serial(&foreign.serial),
            others,
        );
        let malformed = &["revoke.serial FIELD_MALFORMED"];
        self.add("half a serial number", serial("4142"), malformed);
        self.add(
            "no serial number",
            serial(""),
            &["revoke.serial FIELD_MISSING"],
        );
        let content = |reason| {
            let serial = "41".repeat(16);
            request::application(
                BRANCH,
                Content::Revoke(v1::RevokeContent { serial, reason }),
            )
        };
        let none = &[unknown[0], "revoke.reason FIELD_MISSING"];
        self.add("no reason", content(0), none);
        // certificateHold: never used here.
        let hold = &[unknown[0], "revoke.reason FIELD_UNKNOWN_VALUE"];
        self.add("a reason that is not given here", content(6), hold);
        let abolish = v1::AbolishContent { serial: gone };
        let abolish = request::application(BRANCH, Content::Abolish(abolish));
        let fault = &["abolish.serial CERTIFICATE_REVOKED_BEFORE"];
        self.add("abolishing a revoked certificate", abolish, fault);
    }
}

/// Submits an application and waits for its certificate; gives the serial number.
async fn wait_until_issued(scene: &Scene, request: SubmitApplicationRequest) -> String {
    let application = wait_until(scene, OFFICER, request, ApplicationState::Issued).await;
    // Its standing reaches intake's door a moment after; then the inventory has it too.
    let channel = scene.installation.logged_in(OFFICER);
    let mut client = ApplicationServiceClient::new(channel);
    for _ in 0..600 {
        let request = v1::DownloadCertificateRequest {
            id: application.id.clone(),
        };
        match client.download_certificate(request).await {
            Ok(_) => return application.serial,
            Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the certificate does not enter the inventory");
}

async fn wait_until(
    scene: &Scene,
    officer: &str,
    request: SubmitApplicationRequest,
    state: ApplicationState,
) -> v1::Application {
    let accepted = scene.submit(officer, request).await.unwrap();
    let id = accepted.application.unwrap().id;
    let mut client = ApplicationServiceClient::new(scene.installation.logged_in(officer));
    let watch = v1::WatchApplicationsRequest {
        ids: vec![id],
        ..v1::WatchApplicationsRequest::default()
    };
    let mut changes = client.watch_applications(watch).await.unwrap().into_inner();
    while let Some(change) = changes.message().await.unwrap() {
        let application = change.application.unwrap();
        if application.state() == state {
            return application;
        }
    }
    panic!("the application never was {state:?}");
}
