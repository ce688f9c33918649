//! Renewal slots: relayed to officers, and honoured at the door with a token that lifecycle has signed.

use lgpki_domain::{
    BodyCode, CertificateKind, JstDate, OfficerRole,
    slots::{SlotClaim, SlotKeyId, SlotToken},
};
use lgpki_ledger::serial::base64url;
use lgpki_proto::{
    RemoteError,
    v1::{self, slot_service_server::SlotService, submit_application_request::Content},
};
use lgpki_x509::key::sha256;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use tonic::{Code, Request, Response, Status, async_trait};

use crate::{
    admission::tighten,
    fakes::World,
    renewals::old,
    scene::{Scene, application, hakodate, sapporo},
};

#[async_trait]
impl SlotService for World {
    /// Answers with the branch asked for, so that a test sees what intake made of the request.
    async fn get_renewal_info(
        &self,
        request: Request<v1::GetRenewalInfoRequest>,
    ) -> Result<Response<v1::GetRenewalInfoResponse>, Status> {
        let info = v1::RenewalInfo {
            branch: request.into_inner().branch,
            ..v1::RenewalInfo::default()
        };
        Ok(Response::new(v1::GetRenewalInfoResponse {
            info: Some(info),
        }))
    }

    async fn list_renewal_info(
        &self,
        request: Request<v1::ListRenewalInfoRequest>,
    ) -> Result<Response<v1::ListRenewalInfoResponse>, Status> {
        let info = v1::RenewalInfo {
            branch: request.into_inner().branch,
            ..v1::RenewalInfo::default()
        };
        Ok(Response::new(v1::ListRenewalInfoResponse {
            infos: vec![info],
            next_page_token: String::new(),
        }))
    }

    async fn get_slot_load(
        &self,
        _: Request<v1::GetSlotLoadRequest>,
    ) -> Result<Response<v1::GetSlotLoadResponse>, Status> {
        Ok(Response::new(v1::GetSlotLoadResponse {
            per_business_day: 7,
            ..v1::GetSlotLoadResponse::default()
        }))
    }
}

/// Lifecycle's key, listed.
fn key(scene: &Scene) -> Ed25519KeyPair {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[5; 32]).unwrap();
    scene.world.known().slot_keys = vec![pair.public_key().as_ref().to_vec()];
    pair
}

fn token(pair: &Ed25519KeyPair, serial: &str, day: &str) -> String {
    let day: JstDate = day.parse().unwrap();
    let claim = SlotClaim {
        serial: serial.parse().unwrap(),
        branch: sapporo(),
        day,
        until: day.last_second(),
    };
    let token = SlotToken {
        key: SlotKeyId::of(sha256(pair.public_key().as_ref())),
        claim,
        signature: pair.sign(&claim.message()).as_ref().try_into().unwrap(),
    };
    base64url(&token.to_bytes())
}

fn with_token(
    mut request: v1::SubmitApplicationRequest,
    token: String,
) -> v1::SubmitApplicationRequest {
    let Some(Content::Renew(renew)) = request.content.as_mut() else {
        panic!("no renewal")
    };
    renew.slot_token = token;
    request
}

#[tokio::test]
async fn a_renewal_in_its_slot_is_let_in_whatever_the_quota() {
    let scene = Scene::new().await;
    let old = old(&scene, CertificateKind::OfficialDuty).await;
    let pair = key(&scene);
    tighten(&scene).await;
    let branch = scene.branch();
    for n in 2..4 {
        let other = application(CertificateKind::OfficialDuty, n);
        branch.submitted(other).await;
    }
    let renewal = old.renewal("renewal-1");
    let metered = branch.submit(renewal.clone()).await.unwrap_err();
    assert_eq!(metered.reason, "BRANCH_QUOTA");
    let stale = with_token(renewal.clone(), token(&pair, &old.serial, "2010-11-30"));
    let stale = branch.submit(stale).await.unwrap_err();
    assert_eq!(stale.reason, "BRANCH_QUOTA");
    assert!(
        stale.message.contains("the slot is on 2010-11-30"),
        "{stale}"
    );
    let good = with_token(renewal.clone(), token(&pair, &old.serial, "2010-12-01"));
    let taken = branch.submit(good.clone()).await.unwrap();
    assert!(taken.slot.unwrap().honoured && !taken.repeated);
    // The token is no part of the content, and a repetition is not turned away.
    let again = branch.submit(good).await.unwrap();
    assert!(again.repeated && again.slot.unwrap().honoured);
    scene.stop().await;
}

#[tokio::test]
async fn a_token_that_does_not_count_leaves_the_application_as_one_without() {
    let scene = Scene::new().await;
    let old = old(&scene, CertificateKind::OfficialDuty).await;
    let branch = scene.branch();
    let pair = key(&scene);
    scene.world.known().slot_keys.clear();
    let renewal = old.renewal("renewal-1");
    let mut told = Vec::new();
    for token in [
        token(&pair, &old.serial, "2010-12-01"),
        token(&pair, &"42".repeat(16), "2010-12-01"),
        String::from("no token"),
    ] {
        let answer = branch.submit(with_token(renewal.clone(), token)).await;
        let used = answer.unwrap().slot.unwrap();
        assert!(!used.honoured && !used.message.is_empty());
        told.push(used.reason);
    }
    let expected = [
        "SLOT_TOKEN_UNCHECKED",
        "SLOT_OF_ANOTHER",
        "SLOT_TOKEN_MALFORMED",
    ];
    assert_eq!(told, expected);
    let without = branch.submit(renewal).await.unwrap();
    assert!(without.repeated && without.slot.is_none());
    scene.stop().await;
}

#[tokio::test]
async fn renewal_information_is_of_the_own_branch_and_operators_see_the_load() {
    let scene = Scene::new().await;
    let lgwan = scene.officer(OfficerRole::LgwanOfficer, hakodate(), 31);
    let asked = |branch: Option<BodyCode>| v1::ListRenewalInfoRequest {
        branch: branch.map_or_else(String::new, |branch| branch.to_string()),
        ..v1::ListRenewalInfoRequest::default()
    };
    let own = lgwan.slots().list_renewal_info(asked(None)).await.unwrap();
    assert_eq!(own.into_inner().infos[0].branch, hakodate().to_string());
    let other = lgwan
        .slots()
        .list_renewal_info(asked(Some(sapporo())))
        .await;
    let other = RemoteError::from(other.unwrap_err());
    assert_eq!(
        (other.code, other.reason.as_str()),
        (Code::PermissionDenied, "BRANCH_NOT_YOURS")
    );
    let one = v1::GetRenewalInfoRequest {
        serial: "41".repeat(16),
        ..v1::GetRenewalInfoRequest::default()
    };
    let one = scene.branch().slots().get_renewal_info(one).await.unwrap();
    assert_eq!(one.into_inner().info.unwrap().branch, sapporo().to_string());
    let operator = scene.officer(OfficerRole::Operator, sapporo(), 20);
    let mut desk = operator.slots();
    let load = desk.get_slot_load(v1::GetSlotLoadRequest::default());
    assert_eq!(load.await.unwrap().into_inner().per_business_day, 7);
    scene.stop().await;
}
