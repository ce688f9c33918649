//! Officers who apply for nothing else renew the login certificate that they are logged in with:
//! operators, auditors, LGWAN officers. Another person examines it, whatever the policy.

use lgpki_domain::{CertificateKind, OfficerRole};
use lgpki_proto::{
    RemoteError, convert,
    v1::{self, ApplicationState, submit_application_request::Content},
};
use tonic::Code;

use crate::{
    pki::{Pki, serial},
    scene::{Officer, Scene, application, csr, request, sapporo},
};

/// An office of the opening day whose window is open.
struct Own<'a> {
    scene: &'a Scene,
    role: OfficerRole,
    number: u8,
}

impl<'a> Own<'a> {
    fn of(scene: &'a Scene, role: OfficerRole, number: u8) -> Self {
        scene
            .clock
            .set("2010-12-01T10:00:00+09:00".parse().unwrap());
        let identity = Pki::ours().login(role, sapporo(), number);
        let own = serial(number).to_string();
        let branch = role.belongs_to_a_body().then(|| sapporo().to_string());
        {
            let mut known = scene.world.known();
            known.issued_on = Some("2010-12-01");
            // The ceremony's own certificate: intake knows no application that it came from.
            known
                .ders
                .insert(own.clone(), identity.certificate().to_vec());
            for standing in &mut known.standings {
                if standing.serial == own {
                    standing.branch = branch.clone().unwrap_or_default();
                }
            }
        }
        scene.world.tell();
        Self {
            scene,
            role,
            number,
        }
    }

    fn desk(&self) -> Officer {
        self.scene.officer(self.role, sapporo(), self.number)
    }

    /// An application to renew the login of `number` with a new key.
    fn renewal_of(&self, number: u8, request_id: &str) -> v1::SubmitApplicationRequest {
        let issue = v1::IssueContent {
            kind: v1::CertificateKind::Login.into(),
            subject: Some((&Pki::officer(number)).into()),
            medium: v1::KeyMedium::IcCard.into(),
            login_role: convert::wire(self.role),
            ..v1::IssueContent::default()
        };
        let renew = v1::RenewContent {
            serial: serial(number).to_string(),
            csr: csr(&issue),
            medium: issue.medium,
            ..v1::RenewContent::default()
        };
        let mut renewal = request(request_id, Content::Renew(renew));
        if !self.role.belongs_to_a_body() {
            renewal.branch = String::new();
        }
        renewal
    }

    /// Applies for the renewal of the own login, once intake has heard whose it is.
    async fn renews(&self) -> String {
        let renewal = self.renewal_of(self.number, "own-login");
        loop {
            match self.desk().submit(renewal.clone()).await {
                Ok(accepted) => break accepted.application.unwrap().id,
                Err(refused) => {
                    let reason = refused.faults.first().map(|fault| fault.reason.as_str());
                    assert_eq!(reason, Some("CERTIFICATE_OF_ANOTHER_BRANCH"), "{refused:?}");
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Watches, as whose login is renewed.
    async fn reaches(&self, id: &str, state: ApplicationState) -> v1::Application {
        let watch = v1::WatchApplicationsRequest {
            filter: None,
            ids: vec![id.to_owned()],
        };
        let changes = self.desk().applications().watch_applications(watch).await;
        let mut changes = changes.unwrap().into_inner();
        loop {
            let change = changes.message().await.unwrap().expect("another change");
            let application = change.application.unwrap();
            if application.state() == state {
                return application;
            }
        }
    }

    async fn downloads_and_confirms(&self, id: &str) {
        let download = v1::DownloadCertificateRequest { id: id.to_owned() };
        let mut calls = self.desk().applications();
        while let Err(refused) = calls.download_certificate(download.clone()).await {
            assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
            tokio::task::yield_now().await;
        }
        let confirm = v1::ConfirmDeliveryRequest {
            ids: vec![id.to_owned()],
        };
        let confirmed = calls.confirm_delivery(confirm).await.unwrap().into_inner();
        assert_eq!(confirmed.delivered, [id]);
        let told = format!("delivered {id}");
        while !self.scene.world.known().renewals.contains(&told) {
            tokio::task::yield_now().await;
        }
    }
}

/// What an examiner is told.
async fn approves(scene: &Scene, number: u8, id: &str) -> Result<v1::Application, String> {
    let examiner = scene.officer(OfficerRole::Operator, sapporo(), number);
    let approve = v1::ApproveApplicationsRequest {
        ids: vec![id.to_owned()],
    };
    let answer = examiner.examination().approve_applications(approve).await;
    let answer = answer.map_err(|status| RemoteError::from(status).reason)?;
    match answer.into_inner().outcomes.remove(0).outcome.unwrap() {
        v1::examination_outcome::Outcome::Application(application) => Ok(application),
        v1::examination_outcome::Outcome::Refused(refusal) => Err(refusal.reason),
    }
}

#[tokio::test]
async fn an_operator_renews_the_own_login_which_another_one_examines() {
    let scene = Scene::new().await;
    let own = Own::of(&scene, OfficerRole::Operator, 20);
    let anothers = own.desk().submit(own.renewal_of(21, "anothers")).await;
    let anothers = anothers.unwrap_err();
    assert_eq!(anothers.code, Code::PermissionDenied);
    assert_eq!(anothers.reason, "OPERATOR_ENDS_CERTIFICATES_ONLY");

    let id = own.renews().await;
    // Logins are approved automatically here; those of whoever examines are not.
    let examining = own.reaches(&id, ApplicationState::Examining).await;
    assert_eq!((examining.approvals_needed, &*examining.branch), (1, ""));
    assert_eq!(examining.login_role(), v1::OfficerRole::Operator);
    let refused = loop {
        match approves(&scene, 20, &id).await {
            Err(reason) if reason == "OWN_LOGIN" => tokio::task::yield_now().await,
            other => break other,
        }
    };
    assert_eq!(refused.unwrap_err(), "LOGIN_IN_RENEWAL");
    // Nor with another card of the same name.
    assert_eq!(approves(&scene, 120, &id).await.unwrap_err(), "OWN_LOGIN");
    approves(&scene, 21, &id).await.unwrap();
    let issued = own.reaches(&id, ApplicationState::Issued).await;
    assert_eq!(issued.renewed_serial, serial(20).to_string());
    own.downloads_and_confirms(&id).await;
    let order = scene.world.known().orders.pop().unwrap();
    assert_eq!(
        (&*order.branch, order.login_role()),
        ("", v1::OfficerRole::Operator)
    );
    let listing = v1::ListApplicationsRequest::default();
    let refused = loop {
        let mut calls = own.desk().applications();
        if let Err(refused) = calls.list_applications(listing.clone()).await {
            break RemoteError::from(refused);
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(refused.reason, "CLIENT_CERTIFICATE_REVOKED");
}

#[tokio::test]
async fn an_auditor_renews_the_own_login_and_applies_for_nothing_else() {
    let scene = Scene::new().await;
    let own = Own::of(&scene, OfficerRole::Auditor, 43);
    let duty = application(CertificateKind::OfficialDuty, 1);
    for other in [duty, own.renewal_of(42, "anothers")] {
        let refused = own.desk().submit(other).await.unwrap_err();
        assert_eq!(refused.code, Code::PermissionDenied);
        assert_eq!(refused.reason, "OWN_LOGIN_ONLY");
    }
    let id = own.renews().await;
    own.reaches(&id, ApplicationState::Examining).await;
    approves(&scene, 20, &id).await.unwrap();
    own.reaches(&id, ApplicationState::Issued).await;

    // A branch's certificate is neither handed to an auditor nor confirmed or withdrawn by one.
    let login = application(CertificateKind::Login, 1);
    let other = scene.branch().submitted(login).await;
    scene.reaches(&other, ApplicationState::Issued).await;
    let mut calls = own.desk().applications();
    let download = v1::DownloadCertificateRequest { id: other.clone() };
    let refused = calls.download_certificate(download).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let confirm = v1::ConfirmDeliveryRequest {
        ids: vec![other.clone()],
    };
    let confirmed = calls.confirm_delivery(confirm).await.unwrap().into_inner();
    assert!(confirmed.delivered.is_empty());
    let withdraw = v1::WithdrawApplicationRequest { id: other };
    let refused = calls.withdraw_application(withdraw).await.unwrap_err();
    assert_eq!(RemoteError::from(refused).reason, "OWN_LOGIN_ONLY");
    own.downloads_and_confirms(&id).await;
}

#[tokio::test]
async fn an_lgwan_officer_sees_of_applications_those_for_the_own_login_only() {
    let scene = Scene::new().await;
    let own = Own::of(&scene, OfficerRole::LgwanOfficer, 31);
    let branchs = scene
        .branch()
        .submitted(application(CertificateKind::OfficialDuty, 1))
        .await;
    scene.reaches(&branchs, ApplicationState::Issued).await;
    let id = own.renews().await;
    own.reaches(&id, ApplicationState::Examining).await;
    let mut calls = own.desk().applications();
    let listed = calls
        .list_applications(v1::ListApplicationsRequest::default())
        .await;
    let listed = listed.unwrap().into_inner().applications;
    assert_eq!(listed.iter().map(|a| &a.id).collect::<Vec<_>>(), [&id]);
    let named = |id: &str, request_id: &str| v1::GetApplicationRequest {
        id: id.to_owned(),
        branch: String::new(),
        request_id: request_id.to_owned(),
    };
    let found = calls.get_application(named("", "own-login")).await;
    let found = found.unwrap().into_inner().application.unwrap();
    assert_eq!((&found.id, &*found.branch), (&id, "01001"));
    for hidden in [named(&branchs, ""), named("", "request-official-duty-1")] {
        let refused = calls.get_application(hidden).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
    }
    let download = v1::DownloadCertificateRequest {
        id: branchs.clone(),
    };
    let refused = calls.download_certificate(download).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let withdraw = |id: &str| v1::WithdrawApplicationRequest { id: id.to_owned() };
    let refused = calls.withdraw_application(withdraw(&branchs)).await;
    assert_eq!(refused.unwrap_err().code(), Code::NotFound);

    // The renewal goes on, or back.
    let withdrawn = calls.withdraw_application(withdraw(&id)).await.unwrap();
    let withdrawn = withdrawn.into_inner().application.unwrap();
    assert_eq!(withdrawn.state(), ApplicationState::Withdrawn);
}
