//! Rebuilding the inventory over the RPC: beside the issuer's real feed, one at a time.

use lgpki_proto::v1::{
    certificate_service_server::CertificateService as _, rebuild_inventory_response::News,
};
use tokio_stream::StreamExt as _;

use super::*;
use crate::testing::{abandoned_item, issued_item};

/// Returns once everything below `position` of the issuer's log stands in the inventory.
async fn followed(world: &World, position: u64) {
    world
        .eventually(|| async {
            let reached = world.store.position().await.unwrap();
            (reached >= position).then_some(())
        })
        .await;
}

/// Everything that is told, or why it ended.
async fn rebuild(world: &World) -> Result<Vec<News>, Status> {
    let asked = v1::RebuildInventoryRequest { apply: true };
    let answer = world.handlers.rebuild_inventory(from_intake(asked)).await;
    let mut told = answer?.into_inner();
    let mut news = Vec::new();
    while let Some(message) = timeout(PATIENCE, told.next()).await.unwrap() {
        news.extend(message?.news);
    }
    Ok(news)
}

#[tokio::test]
async fn the_inventory_is_rebuilt_beside_the_feed_and_equals_what_serves() {
    let world = World::new().await;
    world.issuer.tell((0..40).map(issued_item));
    world.issuer.tell([abandoned_item(50)]);
    followed(&world, 501).await;
    let news = rebuild(&world).await.unwrap();
    let Some(News::Report(report)) = news.last() else {
        panic!("{news:?}")
    };
    assert_eq!((report.certificates, report.equal), (40, 40));
    assert_eq!((report.differences, report.applied), (0, false));
    let stages: Vec<_> = news
        .iter()
        .filter_map(|news| match news {
            News::Progress(progress) => Some(progress.stage()),
            _ => None,
        })
        .collect();
    assert!(stages.is_sorted() && stages.first() == Some(&v1::RebuildStage::Feed));
    world.stop().await;
}

#[tokio::test]
async fn what_the_feed_tells_otherwise_is_told_and_an_issuer_that_is_away_is_waited_for() {
    let world = World::new().await;
    world.issuer.tell((0..5).map(issued_item));
    followed(&world, 41).await;
    world.issuer.forget_feed();
    let mut others: Vec<_> = (0..5).map(issued_item).collect();
    others[2] = abandoned_item(2);
    world.issuer.tell(others);
    let news = rebuild(&world).await.unwrap();
    let told = news.iter().find_map(|news| match news {
        News::Differences(told) => Some(&told.differences),
        _ => None,
    });
    let [only] = &told.unwrap()[..] else {
        panic!("{told:?}")
    };
    assert_eq!(only.place(), v1::InventoryPlace::Log);
    assert_eq!(
        (only.live.as_str(), only.rebuilt.as_str()),
        ("issued", "abandoned")
    );

    world.issuer.set_away(true);
    let refused = rebuild(&world).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused:?}");
    world.stop().await;
}

#[tokio::test]
async fn only_one_is_rebuilt_at_a_time_and_the_turn_comes_back() {
    let world = World::new().await;
    world.issuer.tell((0..3).map(issued_item));
    followed(&world, 21).await;
    let turns = Arc::clone(&world.handlers.app.rebuilding);
    let turn = turns.acquire_owned().await.unwrap();
    let refused = rebuild(&world).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    drop(turn);
    for _ in 0..3 {
        let news = rebuild(&world).await.unwrap();
        assert!(matches!(news.last(), Some(News::Report(report)) if report.certificates == 3));
    }
    world.stop().await;
}
