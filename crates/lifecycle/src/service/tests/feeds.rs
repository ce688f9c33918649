//! The issuer's feed coming in, the standings going out.

use lgpki_domain::RevocationReason::Superseded;
use tokio_stream::StreamExt as _;

use super::*;
use crate::testing::{abandoned_item, issued_item};

type Feed = tokio_stream::wrappers::ReceiverStream<Result<v1::FollowStandingsResponse, Status>>;

async fn follow(world: &World, from_position: u64) -> Feed {
    let request = from_intake(v1::FollowStandingsRequest { from_position });
    world
        .handlers
        .follow_standings(request)
        .await
        .unwrap()
        .into_inner()
}

/// Messages until one satisfies `enough`.
async fn until(
    feed: &mut Feed,
    enough: impl Fn(&v1::FollowStandingsResponse) -> bool,
) -> Vec<v1::FollowStandingsResponse> {
    let mut messages = Vec::new();
    loop {
        let message = timeout(PATIENCE, feed.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let last = enough(&message);
        messages.push(message);
        if last {
            return messages;
        }
    }
}

fn told(messages: &[v1::FollowStandingsResponse]) -> Vec<(String, bool)> {
    let standings = messages.iter().flat_map(|message| &message.standings);
    standings
        .map(|s| (s.serial.clone(), !s.revoked_at.is_empty()))
        .collect()
}

fn named(n: u32, revoked: bool) -> (String, bool) {
    (serial(n).to_string(), revoked)
}

#[tokio::test]
async fn the_feed_goes_on_where_it_broke_off() {
    let world = World::new().await;
    world.register(vec![issued_item(1), issued_item(2)]).await;
    let before = *world.store.durable().borrow();
    let left = world.stop().await;
    // Heard while the service was down; told together with what it knows.
    left.issuer.tell([issued_item(3), abandoned_item(4)]);
    let world = left.start().await;
    let mut position = world.handlers.app.position.clone();
    timeout(PATIENCE, position.wait_for(|reached| *reached >= 45))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(*world.store.durable().borrow(), before + 2);
    assert_eq!(world.store.count().await.unwrap(), 3);
    world.stop().await;
}

#[tokio::test]
async fn standings_come_whole_first_and_then_as_they_change() {
    let world = World::new().await;
    world
        .register(vec![issued_item(1), issued_item(2), abandoned_item(3)])
        .await;
    world.clock.advance_seconds(1);
    world.revoke(100, 1, Superseded).await;
    let mut feed = follow(&world, 0).await;
    let first = until(&mut feed, |message| message.caught_up).await;
    assert_eq!(
        told(&first),
        [named(1, false), named(2, false), named(1, true)]
    );
    let last = first.last().unwrap();
    assert_eq!(
        last.issuance_position, 35,
        "what the issuer skipped counts as told"
    );
    let standing = first[0].standings[1].clone();
    assert_eq!(standing.subject.unwrap().name.unwrap().ja, "総務部長");
    assert_eq!(standing.not_after, "2011-02-03T23:59:59.000+09:00");

    world.issuer.tell([issued_item(5)]);
    let next = until(&mut feed, |message| message.issuance_position > 50).await;
    assert_eq!(told(&next), [named(5, false)]);
    world.revoke(101, 5, Superseded).await;
    let next = until(&mut feed, |message| !message.standings.is_empty()).await;
    assert_eq!(told(&next), [named(5, true)]);

    // From where the last one ended, nothing is told twice.
    let position = next.last().unwrap().next_position;
    let mut resumed = follow(&world, position).await;
    let again = until(&mut resumed, |message| message.caught_up).await;
    assert_eq!(told(&again), []);
    world.stop().await;
    let ended = timeout(PATIENCE, async { while feed.next().await.is_some() {} }).await;
    assert!(ended.is_ok(), "the feed ends with the service");
}

#[tokio::test]
async fn an_issuance_position_never_runs_ahead_of_what_was_sent() {
    let world = World::new().await;
    // More than one look takes.
    world.register((1..1200).map(issued_item).collect()).await;
    let mut feed = follow(&world, 0).await;
    let messages = until(&mut feed, |message| message.caught_up).await;
    assert!(messages.len() >= 3);
    let mut sent = 0;
    for message in &messages {
        sent += message.standings.len() as u64;
        // The `n`th certificate stands at index 10 n of the issuer's log.
        assert!(message.issuance_position <= sent * 10 + 5);
    }
    assert_eq!(sent, 1199);
    world.stop().await;
}

#[tokio::test]
async fn a_feed_of_nothing_says_that_it_is_caught_up() {
    let world = World::new().await;
    let mut feed = follow(&world, 0).await;
    let first = until(&mut feed, |message| message.caught_up).await;
    assert_eq!(told(&first), []);
    world.stop().await;
}

#[tokio::test]
async fn a_position_that_was_never_reached_is_refused() {
    let world = World::new().await;
    let request = from_intake(v1::FollowStandingsRequest {
        from_position: 1000,
    });
    let refused = world.handlers.follow_standings(request).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    world.stop().await;
}
