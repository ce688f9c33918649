//! What waits for an examiner: its order, places in it, pages of it.

use std::sync::Arc;

use lgpki_domain::{
    ApplicationId, RevocationReason,
    estimate::Capacity,
    order::{Class, OrderName},
};

use crate::{
    pace::{Forecast, Pace},
    ports::{Act, Content, IntakeStore, NewApplication, Place, RenewalAnswer, Waits},
    store::tests::fixtures::*,
};

/// A renewal of a certificate with this last day.
pub(in crate::store::tests) fn renewal(n: u16, needed: u32, last_day: &str) -> NewApplication {
    let of = u8::try_from(n % 200).unwrap();
    with(renew(n, of, needed), |content| {
        content.renews_until = last_day.parse().ok();
    })
}

async fn in_order(store: &impl IntakeStore) -> Vec<ApplicationId> {
    let page = store.examinations(None, 100, at(6000)).await.unwrap();
    assert_eq!(page.waiting, page.applications.len());
    page.applications.iter().map(|a| a.id).collect()
}

pub(crate) async fn what_waits_for_an_examiner_is_listed_in_its_order(store: &impl IntakeStore) {
    begin(store).await;
    let pace = Arc::new(Pace::default());
    pace.expect(Forecast {
        at_risk_until: Some(at(86_400)),
        ..Forecast::default()
    });
    store.arrange(pace).await.unwrap();
    let revocation = NewApplication {
        approvals_needed: 1,
        ..revoke(4, 9, RevocationReason::Superseded)
    };
    let batch = vec![
        manual(1, 1),
        renewal(2, 1, "2008-07-01"),
        renewal(3, 2, "2008-02-04"),
        revocation,
        issue(5),
    ];
    store.accept(batch).await.unwrap();
    // Renewals wait for lifecycle first, but stand where they will be.
    assert_eq!(in_order(store).await, [id(4), id(1)]);
    let ids = (1..=5).map(id).collect();
    let places = store.places(ids, at(6000)).await.unwrap();
    let ahead: Vec<_> = places
        .iter()
        .map(|p| p.map(|Place { ahead, .. }| ahead))
        .collect();
    assert_eq!(ahead[2], Some(0), "it expires today");
    assert_eq!(ahead[4], None, "nobody examines it");
    let mut others: Vec<_> = ahead.into_iter().flatten().collect();
    others.sort_unstable();
    assert_eq!(others, [0, 1, 2, 3]);
    for n in [2, 3] {
        answer(store, id(n), RenewalAnswer::Opened).await;
    }
    let all = in_order(store).await;
    assert_eq!((all[0], all.len()), (id(3), 4));
    let explained = store.explain(id(3), at(6000)).await.unwrap().unwrap();
    assert_eq!((explained.class, explained.ahead), (Class::AtRisk, 0));
    assert_eq!(explained.queue, Waits::Examination);
    // Pages begin where the last one ended.
    let first = store.examinations(None, 2, at(6000)).await.unwrap();
    let next = first.next.unwrap();
    assert_eq!(next, all[1]);
    let second = store.examinations(Some(next), 2, at(6000)).await.unwrap();
    assert_eq!(
        second.applications.iter().map(|a| a.id).collect::<Vec<_>>(),
        all[2..]
    );
    assert_eq!((second.before, second.next), (2, None));
    act(store, all[1], Act::Withdraw).await.unwrap();
    // If what stood there has gone, what came after it may have moved up: from the head again.
    let again = store.examinations(Some(next), 2, at(6000)).await.unwrap();
    assert_eq!(
        again.applications.iter().map(|a| a.id).collect::<Vec<_>>(),
        [all[0], all[2]]
    );
    assert_eq!((again.before, again.next), (0, Some(all[2])));
    // Of two approvals, the first changes nothing in the order.
    let (one, other) = (approver(1, 1), approver(2, 2));
    act(store, id(3), Act::Approve { operator: one })
        .await
        .unwrap();
    assert_eq!(in_order(store).await[0], id(3));
    act(store, id(3), Act::Approve { operator: other })
        .await
        .unwrap();
    let left = in_order(store).await;
    assert!(!left.contains(&id(3)) && left.len() == 2, "{left:?}");
    let looks = store.queues(at(6000)).await.unwrap();
    assert_eq!(looks.map(|look| look.waiting), [2, 2]);
    assert_eq!(numbers(&claim(store, 9).await), [id(3), id(5)]);
    assert_eq!(store.explain(id(3), at(6000)).await.unwrap(), None);
}

pub(crate) async fn the_queues_can_be_put_into_another_order(store: &impl IntakeStore) {
    begin(store).await;
    let batch = vec![
        manual(1, 1),
        manual(2, 1),
        issue(3),
        issue(4),
        renewal(5, 1, "2008-02-04"),
    ];
    store.accept(batch).await.unwrap();
    answer(store, id(5), RenewalAnswer::Opened).await;
    assert_eq!(in_order(store).await[0], id(5));
    let pace = Arc::new(Pace::usual(OrderName::Fifo, Capacity::default()));
    store.arrange(pace.clone()).await.unwrap();
    assert_eq!(in_order(store).await, [id(1), id(2), id(5)]);
    assert_eq!(
        [Waits::Examination, Waits::Issue].map(|w| pace.length(w)),
        [3, 2]
    );
    let places = store.places(vec![id(5), id(1)], at(6000)).await.unwrap();
    let stands = |ahead| Some(Place { ahead, waiting: 3 });
    assert_eq!(places, [stands(2), stands(0)]);
    let explained = store.explain(id(5), at(6000)).await.unwrap().unwrap();
    assert_eq!((explained.class, explained.ahead), (Class::InTurn, 2));
    assert_eq!(numbers(&claim(store, 9).await), [id(3), id(4)]);
    assert_eq!(pace.length(Waits::Issue), 0);
    let application = store.application(id(5)).await.unwrap().unwrap();
    let Content::Issue(content) = application.content else {
        panic!("another content")
    };
    assert_eq!(content.renews_until, "2008-02-04".parse().ok());
}
