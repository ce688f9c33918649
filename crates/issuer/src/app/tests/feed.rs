//! Following the issuance.

use lgpki_runtime::shutdown;
use tokio::sync::mpsc;

use super::*;
use crate::{error::StoreError, ports::FeedPage};

type Pages = mpsc::Receiver<Result<FeedPage, IssuerError>>;

async fn page(pages: &mut Pages) -> FeedPage {
    pages.recv().await.unwrap().unwrap()
}

#[tokio::test]
async fn a_follower_sees_what_was_and_then_what_comes() {
    let fixture = Fixture::new().await;
    let (trigger, shutdown) = shutdown::channel();
    fixture.issue(vec![order(1, CertificateKind::User)]).await;
    let mut pages = fixture.app.follow(0, shutdown.clone()).await.unwrap();
    let first = page(&mut pages).await;
    assert_eq!(first.events.len(), 1);
    assert_eq!(first.next, fixture.log_size());
    let answers = fixture.issue(vec![order(2, CertificateKind::User)]).await;
    let second = page(&mut pages).await;
    assert_eq!(second.events[0].index, certificate(&answers[0]).index);
    assert_eq!(second.next, fixture.log_size());
    // One that starts at the end hears at once that there is nothing, and where it stands.
    let mut late = fixture
        .app
        .follow(second.next, shutdown.clone())
        .await
        .unwrap();
    let empty = page(&mut late).await;
    assert!(empty.events.is_empty());
    assert_eq!(empty.next, second.next);
    trigger.request();
    assert!(pages.recv().await.is_none());
    assert!(late.recv().await.is_none());
}

#[tokio::test]
async fn a_follower_ahead_of_the_log_is_told_that_something_is_wrong() {
    let fixture = Fixture::new().await;
    let (_trigger, shutdown) = shutdown::channel();
    let beyond = fixture.log_size() + 1;
    let refused = fixture.app.follow(beyond, shutdown).await.unwrap_err();
    assert!(matches!(
        refused,
        IssuerError::Store(StoreError::Beyond { .. })
    ));
    assert_eq!(refused.reason(), "FEED_POSITION_BEYOND_LOG");
}

#[tokio::test]
async fn a_long_log_is_streamed_whole_and_in_order() {
    let fixture = Fixture::new().await;
    let (_trigger, shutdown) = shutdown::channel();
    for _ in 0..5 {
        let begin = fixture.log_size();
        let orders = (0..50)
            .map(|i| {
                let mut order = order(i, CertificateKind::Mail);
                order.application = lgpki_domain::ApplicationId::from_bytes(
                    (u128::from(begin) * 1000 + u128::from(i)).to_be_bytes(),
                );
                order.wanted.as_mut().unwrap().public_key = key_of(begin, i);
                order
            })
            .collect();
        let answers = fixture.issue(orders).await;
        assert_eq!(serials(&answers).len(), 50);
    }
    let mut pages = fixture.app.follow(0, shutdown).await.unwrap();
    let mut indexes = Vec::new();
    while indexes.len() < 250 {
        indexes.extend(page(&mut pages).await.events.iter().map(|e| e.index));
    }
    assert_eq!(indexes.len(), 250);
    assert!(indexes.is_sorted_by(|a, b| a < b));
}

fn key_of(begin: u64, i: u8) -> Vec<u8> {
    let mut der = support::subscriber_key(i);
    let seed = sha256(&[&begin.to_be_bytes()[..], &[i]].concat());
    let tail = der.len() - 32;
    der[tail..].copy_from_slice(&seed.0);
    der
}

#[tokio::test]
async fn what_was_shown_is_marked() {
    let fixture = Fixture::new().await;
    let (trigger, shutdown) = shutdown::channel();
    let marking = {
        let app = Arc::clone(&fixture.app);
        let shutdown = shutdown.clone();
        tokio::spawn(async move { app.keep_marking(shutdown).await })
    };
    let mut pages = fixture.app.follow(0, shutdown).await.unwrap();
    page(&mut pages).await;
    trigger.request();
    marking.await.unwrap().unwrap();
    fixture.app.mark_all_shown().await.unwrap();
    assert_eq!(*fixture.app.shown.borrow(), fixture.log_size());
}
