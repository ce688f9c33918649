//! How many answers are signed in a second, and that what anybody can ask for endlessly starves nothing.

use super::*;

const TRY_LATER: ResponseError = ResponseError::Refused(3);

#[tokio::test]
async fn more_signatures_than_allowed_in_a_second_are_put_off() {
    let world = world().await;
    world.register(vec![issued_item(1)]).await;
    let nonce = request(&world, serial(1), Some(&[1; 16]));
    // Half of all is kept for what is good for everybody.
    let most = world.answerer.settings().signatures_per_second / 2;
    for _ in 0..most {
        let (_, body) = post(&world, PLACE, nonce.clone()).await;
        assert!(BasicResponse::parse(&body).is_ok());
    }
    let (_, body) = post(&world, PLACE, nonce.clone()).await;
    assert_eq!(BasicResponse::parse(&body).unwrap_err(), TRY_LATER);
    // Nor about what was never issued, which has less; who asks without a nonce is answered.
    let (_, body) = post(&world, PLACE, request(&world, serial(2), None)).await;
    assert_eq!(BasicResponse::parse(&body).unwrap_err(), TRY_LATER);
    assert_eq!(status(&world, serial(1)).await, Status::Good);
    world.clock.advance_seconds(1);
    let (_, body) = post(&world, PLACE, nonce).await;
    assert!(BasicResponse::parse(&body).is_ok());
    let left = world.stop().await;
    let world = left.start().await;
    // Nothing that was signed is missing from the log.
    assert_eq!(recorded(&world.store).await, u64::from(most) + 2);
    world.stop().await;
}

#[tokio::test]
async fn whoever_asks_about_nothing_leaves_those_who_ask_about_certificates_their_share() {
    let world = world().await;
    world.register(vec![issued_item(1), issued_item(2)]).await;
    let most = world.answerer.settings().signatures_per_second;
    let mut answered = 0;
    for n in 0..most {
        let (_, body) = post(&world, PLACE, request(&world, serial(1_000 + n), None)).await;
        answered += u32::from(BasicResponse::parse(&body).is_ok());
    }
    assert_eq!(answered, most / 4);
    let mut answered = 0;
    for n in 0..most {
        let nonce = n.to_be_bytes();
        let (_, body) = post(&world, PLACE, request(&world, serial(1), Some(&nonce))).await;
        answered += u32::from(BasicResponse::parse(&body).is_ok());
    }
    assert_eq!(answered, most / 4);
    assert_eq!(status(&world, serial(1)).await, Status::Good);
    assert_eq!(status(&world, serial(2)).await, Status::Good);
    world.stop().await;
}
