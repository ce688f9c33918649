//! Who may call what.

use lgpki_domain::{CertificateKind, OfficerRole, Role};
use lgpki_proto::{
    RemoteError, ServiceName, access,
    v1::{self, directory_change::Change, submit_application_request::Content},
};
use tonic::{Code, Request, client::Grpc, codegen::http::uri::PathAndQuery, transport::Channel};
use tonic_prost::ProstCodec;

use crate::{
    fakes::World,
    pki::Pki,
    pki::serial,
    scene::{Scene, application, hakodate, request, sapporo},
};

/// Calls an RPC with an empty message.
async fn call(channel: Channel, path: &'static str) -> Result<(), RemoteError> {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.unwrap();
    let path = PathAndQuery::from_static(path);
    let answer = grpc
        .unary(Request::new(()), path, ProstCodec::<(), ()>::default())
        .await;
    answer.map(|_| ()).map_err(RemoteError::from)
}

#[tokio::test]
async fn every_rpc_is_closed_to_every_role_but_its_own() {
    let scene = Scene::new().await;
    let mut officers = Vec::new();
    for (i, role) in OfficerRole::ALL.into_iter().enumerate() {
        let identity = Pki::ours().login(role, sapporo(), 40 + u8::try_from(i).unwrap());
        officers.push((Role::Officer(role), scene.channel(Some(identity))));
    }
    for role in [Role::Lifecycle, Role::Issuer] {
        officers.push((role, scene.channel(Some(Pki::ours().service(role)))));
    }
    let mut refusals = 0;
    for row in access::of(ServiceName::Intake) {
        for (role, channel) in &officers {
            if !row.roles.contains(role) {
                let refused = call(channel.clone(), row.path).await.unwrap_err();
                assert_eq!(refused.code, Code::PermissionDenied, "{} {role}", row.path);
                refusals += 1;
            }
        }
        let nobody = call(scene.channel(None), row.path).await.unwrap_err();
        assert_eq!(nobody.code, Code::Unauthenticated, "{}", row.path);
    }
    assert!(refusals > 60, "{refusals}");
}

#[tokio::test]
async fn an_officer_acts_for_the_own_branch_only() {
    let scene = Scene::new().await;
    let other = scene.officer(OfficerRole::BranchOfficer, hakodate(), 30);
    let refused = other
        .submit(application(CertificateKind::OfficialDuty, 1))
        .await
        .unwrap_err();
    assert_eq!(refused.code, Code::PermissionDenied);
    assert_eq!(refused.reason, "BRANCH_NOT_YOURS");
    let lgwan = scene.officer(OfficerRole::LgwanOfficer, hakodate(), 31);
    let entries = v1::ListEntriesRequest {
        body: sapporo().to_string(),
        ..Default::default()
    };
    let refused = lgwan.directory().list_entries(entries).await.unwrap_err();
    assert_eq!(RemoteError::from(refused).reason, "BODY_NOT_YOURS");
}

#[tokio::test]
async fn a_deactivated_branch_neither_logs_in_nor_applies() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    branch
        .submitted(application(CertificateKind::Mail, 1))
        .await;
    let operator = scene.officer(OfficerRole::Operator, sapporo(), 20);
    let deactivate = |reason: &str| v1::DeactivateBranchRequest {
        body: sapporo().to_string(),
        reason: reason.to_owned(),
    };
    let mut directory = operator.directory();
    let silent = directory.deactivate_branch(deactivate("")).await;
    assert_eq!(silent.unwrap_err().code(), Code::InvalidArgument);
    let closed = directory
        .deactivate_branch(deactivate("merged into 01002"))
        .await;
    let closed = closed.unwrap().into_inner().body.unwrap();
    assert_eq!(closed.branch(), v1::BranchState::Deactivated);
    let refused = branch
        .submit(application(CertificateKind::Mail, 2))
        .await
        .unwrap_err();
    assert_eq!(refused.code, Code::PermissionDenied);
    assert_eq!(refused.reason, "BRANCH_DEACTIVATED");
}

#[tokio::test]
async fn an_operator_ends_the_certificates_of_a_closed_branch_and_asks_for_none() {
    let scene = Scene::new().await;
    let duty = application(CertificateKind::OfficialDuty, 1);
    let id = scene.branch().submitted(duty).await;
    let issued = scene.reaches(&id, v1::ApplicationState::Issued).await;
    scene.learns_of(std::slice::from_ref(&issued.serial)).await;
    let operator = scene.officer(OfficerRole::Operator, sapporo(), 20);
    let deactivate = v1::DeactivateBranchRequest {
        body: sapporo().to_string(),
        reason: "merged into 01002".to_owned(),
    };
    let closed = operator.directory().deactivate_branch(deactivate).await;
    closed.unwrap();

    let refused = operator.submit(application(CertificateKind::Mail, 2)).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code, Code::PermissionDenied);
    assert_eq!(refused.reason, "OPERATOR_ENDS_CERTIFICATES_ONLY");

    let mut revoke = request(
        "revoke-of-a-closed-branch",
        Content::Revoke(v1::RevokeContent {
            serial: issued.serial,
            reason: v1::RevocationReason::KeyCompromise.into(),
        }),
    );
    revoke.branch = hakodate().to_string();
    let refused = operator.submit(revoke.clone()).await.unwrap_err();
    assert_eq!(refused.faults[0].reason, "CERTIFICATE_OF_ANOTHER_BRANCH");
    revoke.branch = sapporo().to_string();
    let id = operator.submitted(revoke).await;
    let watch = v1::WatchApplicationsRequest {
        filter: None,
        ids: vec![id],
    };
    let changes = operator.applications().watch_applications(watch).await;
    let mut changes = changes.unwrap().into_inner();
    loop {
        let change = changes.message().await.unwrap().expect("another change");
        if change.application.unwrap().state() == v1::ApplicationState::Completed {
            break;
        }
    }
}

#[tokio::test]
async fn a_lost_operators_card_is_revoked_and_from_then_on_refused() {
    let scene = Scene::new().await;
    let thief = scene.officer(OfficerRole::Operator, sapporo(), 21);
    let listing = || v1::ListApplicationsRequest::default();
    thief
        .applications()
        .list_applications(listing())
        .await
        .unwrap();
    let operator = scene.officer(OfficerRole::Operator, sapporo(), 20);
    let lost = |branch: String| {
        let mut lost = request(
            "the-lost-card",
            Content::Revoke(v1::RevokeContent {
                serial: serial(21).to_string(),
                reason: v1::RevocationReason::KeyCompromise.into(),
            }),
        );
        lost.branch = branch;
        lost.examination.as_mut().unwrap().examiner_name = "佐藤花子".to_owned();
        lost
    };
    scene.learns_of(&[serial(21).to_string()]).await;
    let refused = operator.submit(lost(sapporo().to_string())).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.faults[0].reason, "CERTIFICATE_OF_ANOTHER_BRANCH");
    let refused = scene.branch().submit(lost(String::new())).await;
    let refused = refused.unwrap_err();
    let missing = &refused.faults[0];
    assert_eq!(
        (missing.field.as_str(), missing.reason.as_str()),
        ("branch", "FIELD_MISSING")
    );

    // Under the same name, a branch's application and one without a branch are two.
    let id = operator.submitted(lost(String::new())).await;
    assert!(operator.submit(lost(String::new())).await.unwrap().repeated);
    let named = |branch: String| v1::GetApplicationRequest {
        branch,
        request_id: "the-lost-card".to_owned(),
        id: String::new(),
    };
    let mut applications = operator.applications();
    let found = applications.get_application(named(String::new())).await;
    let found = found.unwrap().into_inner().application.unwrap();
    assert_eq!(
        (found.id.as_str(), found.branch.as_str()),
        (id.as_str(), "")
    );
    assert_eq!(found.examination.unwrap().examiner_name, "佐藤花子");
    for name in [named(String::new()), named(sapporo().to_string())] {
        let unseen = scene.branch().applications().get_application(name).await;
        assert_eq!(unseen.unwrap_err().code(), Code::NotFound);
    }

    // Auditors see it, without the name; branches do not.
    let auditor = scene.officer(OfficerRole::Auditor, sapporo(), 43);
    let seen = auditor.applications().list_applications(listing()).await;
    let seen = seen.unwrap().into_inner().applications;
    assert_eq!(seen.iter().map(|a| &a.id).collect::<Vec<_>>(), [&id]);
    assert_eq!(seen[0].examination.as_ref().unwrap().examiner_name, "");
    let own = scene
        .branch()
        .applications()
        .list_applications(listing())
        .await;
    assert!(own.unwrap().into_inner().applications.is_empty());
    let watch = v1::WatchApplicationsRequest {
        filter: None,
        ids: vec![id.clone()],
    };
    let hidden = scene
        .branch()
        .applications()
        .watch_applications(watch.clone())
        .await;
    assert_eq!(hidden.unwrap_err().code(), Code::NotFound);
    let changes = auditor.applications().watch_applications(watch).await;
    let mut changes = changes.unwrap().into_inner();
    loop {
        let change = changes.message().await.unwrap().expect("another change");
        if change.application.unwrap().state() == v1::ApplicationState::Completed {
            break;
        }
    }
    let order = scene.world.known().revocations[0].clone();
    assert_eq!((order.branch.as_str(), order.command_id), ("", id));
    assert_eq!(order.actor, format!("operator/-/{}", serial(20)));

    // Refused as soon as intake has heard of it.
    let refused = loop {
        let asked = thief.applications().list_applications(listing()).await;
        match asked {
            Ok(_) => tokio::task::yield_now().await,
            Err(status) => break RemoteError::from(status),
        }
    };
    assert_eq!(refused.code, Code::Unauthenticated);
    assert_eq!(refused.reason, "CLIENT_CERTIFICATE_REVOKED");
    let log = scene.log_text();
    let entry = log
        .lines()
        .find(|line| line.contains("application.received"));
    assert!(!entry.unwrap().contains("branch\":"), "{entry:?}");
}

#[tokio::test]
async fn a_branch_cannot_withdraw_what_an_operator_has_submitted() {
    let scene = Scene::new().await;
    let operator = scene.officer(OfficerRole::Operator, sapporo(), 20);
    let id = operator
        .submitted(application(CertificateKind::Login, 1))
        .await;
    let mut branch = scene.branch().applications();
    let withdraw = v1::WithdrawApplicationRequest { id: id.clone() };
    let refused = branch.withdraw_application(withdraw).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let refused = RemoteError::from(refused);
    assert_eq!(refused.reason, "APPLICATION_OF_AN_OPERATOR");
    scene.reaches(&id, v1::ApplicationState::Examining).await;
}

#[tokio::test]
async fn what_a_branch_asked_for_is_not_approved_once_it_is_deactivated() {
    let scene = Scene::new().await;
    let branch = scene.branch();
    let mail = application(CertificateKind::Mail, 1);
    let mail = branch.submitted(mail).await;
    let operator = scene.officer(OfficerRole::Operator, sapporo(), 20);
    let deactivate = v1::DeactivateBranchRequest {
        body: sapporo().to_string(),
        reason: "merged into 01002".to_owned(),
    };
    let closed = operator.directory().deactivate_branch(deactivate).await;
    closed.unwrap();
    let approve = v1::ApproveApplicationsRequest {
        ids: vec![mail.clone()],
    };
    let answer = operator.examination().approve_applications(approve).await;
    let outcome = answer.unwrap().into_inner().outcomes.remove(0).outcome;
    let Some(v1::examination_outcome::Outcome::Refused(refusal)) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(refusal.reason, "BRANCH_DEACTIVATED");
    let reject = v1::RejectApplicationsRequest {
        ids: vec![mail],
        reason: "the branch is closed".to_owned(),
    };
    let answer = operator.examination().reject_applications(reject).await;
    let outcome = answer.unwrap().into_inner().outcomes.remove(0).outcome;
    let rejected = matches!(
        outcome,
        Some(v1::examination_outcome::Outcome::Application(_))
    );
    assert!(rejected, "{outcome:?}");
}

#[tokio::test]
async fn a_branchs_certificate_is_not_ended_without_naming_the_branch() {
    let scene = Scene::new().await;
    let duty = application(CertificateKind::OfficialDuty, 1);
    let id = scene.branch().submitted(duty).await;
    let issued = scene.reaches(&id, v1::ApplicationState::Issued).await;
    scene.learns_of(std::slice::from_ref(&issued.serial)).await;
    let operator = scene.officer(OfficerRole::Operator, sapporo(), 20);
    let abolish = v1::AbolishContent {
        serial: issued.serial,
    };
    let mut abolish = request("without-a-branch", Content::Abolish(abolish));
    abolish.branch = String::new();
    let refused = operator.submit(abolish).await.unwrap_err();
    assert_eq!(refused.faults[0].reason, "CERTIFICATE_OF_ANOTHER_BRANCH");
    assert!(
        refused.faults[0].message.contains("01001; name it"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_revoked_login_is_refused_and_stands_in_the_log() {
    let world = World::new();
    world.known().standings.push(v1::Standing {
        serial: serial(10).to_string(),
        branch: sapporo().to_string(),
        kind: v1::CertificateKind::Login.into(),
        subject: application(CertificateKind::Login, 1)
            .content
            .and_then(|content| match content {
                v1::submit_application_request::Content::Issue(issue) => issue.subject,
                _ => None,
            }),
        key_digest: "aa".repeat(32),
        not_before: "2008-02-04T00:00:00.000+09:00".to_owned(),
        not_after: "2011-02-03T23:59:59.000+09:00".to_owned(),
        revoked_at: "2009-02-01T09:00:00.000+09:00".to_owned(),
        application_id: String::new(),
        renewal: String::new(),
    });
    let scene = Scene::with(world).await;
    let refused = scene
        .branch()
        .submit(application(CertificateKind::OfficialDuty, 1))
        .await
        .unwrap_err();
    assert_eq!(refused.code, Code::Unauthenticated);
    assert_eq!(refused.reason, "CLIENT_CERTIFICATE_REVOKED");
    let store = scene.store.clone();
    scene.stop().await;
    let log = crate::scene::log_text(&store);
    assert!(log.contains("login.refused") && log.contains("CLIENT_CERTIFICATE_REVOKED"));
}

#[tokio::test]
async fn directories_are_changed_all_or_none() {
    let scene = Scene::new().await;
    let lgwan = scene.officer(OfficerRole::LgwanOfficer, sapporo(), 31);
    let names = |en: &str, ja: &str| {
        Some(v1::Names {
            en: en.to_owned(),
            ja: ja.to_owned(),
        })
    };
    let change = |change| v1::DirectoryChange {
        change: Some(change),
    };
    let unit = change(Change::RegisterOrganization(v1::Organization {
        names: names("Harbour Office", "港湾局"),
    }));
    let nameless = change(Change::RegisterAccount(v1::Account {
        unit_en: "Harbour Office".to_owned(),
        names: names("pilot", "水先案内"),
    }));
    let account = change(Change::RegisterAccount(v1::Account {
        unit_en: "Harbour Office".to_owned(),
        names: names("pilot-lgacc", "水先案内（利用者）"),
    }));
    let request = |changes: Vec<v1::DirectoryChange>| v1::ChangeEntriesRequest {
        body: sapporo().to_string(),
        changes,
    };
    let mut directory = lgwan.directory();
    let refused = directory
        .change_entries(request(vec![unit.clone(), nameless]))
        .await;
    let refused = RemoteError::from(refused.unwrap_err());
    assert_eq!(refused.faults[0].reason, "ACCOUNT_SUFFIX_MISSING");
    assert_eq!(refused.faults[0].field, "changes[1].register_account.names");
    let changed = directory.change_entries(request(vec![unit, account])).await;
    assert_eq!(changed.unwrap().into_inner().changed, 2);
    for page_size in [0, 1, 2, 3] {
        let (mut found, mut page_token) = (Vec::new(), String::new());
        loop {
            let entries = v1::ListEntriesRequest {
                body: sapporo().to_string(),
                page_size,
                page_token,
            };
            let page = directory.list_entries(entries).await.unwrap().into_inner();
            page_token = page.next_page_token;
            let units = page.organizations.into_iter().filter_map(|o| o.names);
            let roles = page.accounts.into_iter().filter_map(|a| a.names);
            let page: Vec<_> = units.chain(roles).map(|names| names.en).collect();
            assert!(page_size == 0 || page.len() <= page_size as usize);
            found.extend(page);
            if page_token.is_empty() {
                break;
            }
        }
        let all = [
            "General Affairs",
            "Harbour Office",
            "archivist-lgacc",
            "pilot-lgacc",
        ];
        assert_eq!(found, all, "in pages of {page_size}");
    }
    let bodies = directory
        .list_bodies(v1::ListBodiesRequest {
            prefecture: 1,
            page_size: 2,
            page_token: String::new(),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (bodies.bodies.len(), bodies.next_page_token.as_str()),
        (2, "01002")
    );
}

#[tokio::test]
async fn a_login_that_nobody_registered_is_refused_and_stands_in_the_log() {
    let scene = Scene::new().await;
    let forged = scene.officer(OfficerRole::Operator, sapporo(), 99);
    let refused = forged
        .examination()
        .list_examinations(v1::ListExaminationsRequest::default())
        .await;
    let refused = RemoteError::from(refused.unwrap_err());
    assert_eq!(refused.code, Code::Unauthenticated);
    assert_eq!(refused.reason, "CLIENT_CERTIFICATE_NOT_REGISTERED");
    let store = scene.store.clone();
    scene.stop().await;
    let log = crate::scene::log_text(&store);
    assert!(log.contains("login.refused") && log.contains("CLIENT_CERTIFICATE_NOT_REGISTERED"));
}
