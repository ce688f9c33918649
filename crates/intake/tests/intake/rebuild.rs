//! The rebuilding of the inventory: asked of lifecycle for an operator, and for nobody else.

use lgpki_domain::OfficerRole;
use lgpki_proto::v1::{self, rebuild_inventory_response::News};
use tonic::Code;

use crate::scene::{Scene, sapporo};

#[tokio::test]
async fn an_operator_is_told_what_lifecycle_tells_message_by_message() {
    let scene = Scene::new().await;
    let operator = scene.officer(OfficerRole::Operator, sapporo(), 20);
    for apply in [false, true] {
        let request = v1::RebuildInventoryRequest { apply };
        let answer = operator.certificates().rebuild_inventory(request).await;
        let mut told = answer.unwrap().into_inner();
        let mut news = Vec::new();
        while let Some(message) = told.message().await.unwrap() {
            news.extend(message.news);
        }
        let [News::Progress(_), News::Report(report)] = &news[..] else {
            panic!("{news:?}")
        };
        assert_eq!(report.applied, apply);
    }
    for role in [OfficerRole::BranchOfficer, OfficerRole::Auditor] {
        let other = scene.officer(role, sapporo(), 21);
        let request = v1::RebuildInventoryRequest::default();
        let refused = other.certificates().rebuild_inventory(request).await;
        assert_eq!(
            refused.unwrap_err().code(),
            Code::PermissionDenied,
            "{role:?}"
        );
    }
}
