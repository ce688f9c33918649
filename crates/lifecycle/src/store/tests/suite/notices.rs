//! Notices: at their times, in order, each exactly once.

use std::collections::BTreeMap;

use lgpki_domain::{
    BodyCode, CertificateKind, Randomness as _, RevocationReason::Superseded, Serial, Timestamp,
};
use lgpki_testkit::SeededRandom;

use crate::{
    ports::{LifecycleStore, NoticeKind, NoticeQuery, NoticeStart, Notices, RevocationOrder},
    testing::{at, issued_on, item, order, serial},
};

const KINDS: [NoticeKind; 3] = [
    NoticeKind::EntersWindow,
    NoticeKind::ExpiresSoon,
    NoticeKind::Expired,
];

async fn page(
    store: &impl LifecycleStore,
    branch: Option<BodyCode>,
    start: NoticeStart,
    (now, limit): (Timestamp, usize),
) -> Notices {
    let query = NoticeQuery {
        branch,
        start,
        now,
        soon_days: 30,
        limit,
    };
    store.notices(query).await.unwrap()
}

/// What there is from `start` on, page by page: kind, time and certificate.
async fn told(
    store: &impl LifecycleStore,
    branch: Option<BodyCode>,
    start: NoticeStart,
    now: Timestamp,
) -> (Vec<(NoticeKind, Timestamp, Serial)>, NoticeStart) {
    let mut all = Vec::new();
    let mut start = start;
    loop {
        let told = page(store, branch, start, (now, 3)).await;
        assert!(told.notices.len() <= 3);
        for notice in &told.notices {
            assert!(notice.certificate.issued.der.is_empty());
            all.push((notice.kind, notice.at, notice.certificate.issued.serial));
        }
        start = NoticeStart::After(told.cursor);
        if told.caught_up {
            return (all, start);
        }
    }
}

/// Any branch may be meant.
fn any(command: u32, n: u32) -> RevocationOrder {
    RevocationOrder {
        branch: None,
        ..order(command, n, Superseded)
    }
}

pub(crate) async fn notices_come_at_their_times_and_for_the_own_branch(store: impl LifecycleStore) {
    let other = issued_on(1, "2008-02-04");
    let other = crate::ports::IssuedCertificate {
        branch: "02002".parse().ok(),
        ..other
    };
    let items = vec![item(issued_on(0, "2008-02-04"), 0), item(other, 1)];
    let now = at("2008-02-04T12:00:00");
    store.follow(items, now).await.unwrap();
    let own = "01001".parse().ok();
    let mut start = NoticeStart::First;
    // To the last millisecond before each, and at each.
    let mut before = now;
    for (kind, text) in [
        (NoticeKind::EntersWindow, "2010-08-03T00:00:00"),
        (NoticeKind::ExpiresSoon, "2011-01-04T00:00:00"),
        (NoticeKind::Expired, "2011-02-04T00:00:00"),
    ] {
        let moment = at(text);
        for now in [before, moment.plus_millis(-1)] {
            let (none, _) = told(&store, own, start, now).await;
            assert_eq!(none, []);
            let next = page(&store, own, start, (now, 3)).await.next_at;
            assert_eq!(next, Some(moment));
        }
        let (come, after) = told(&store, own, start, moment).await;
        assert_eq!(come, [(kind, moment, serial(0))]);
        (start, before) = (after, moment);
    }
    let end = page(&store, own, start, (before, 3)).await;
    assert_eq!((end.notices, end.next_at), (vec![], None));
    let (all, _) = told(&store, None, NoticeStart::First, before).await;
    assert_eq!(all.len(), 6);
    assert!(all.is_sorted_by_key(|(_, at, _)| *at));
}

pub(crate) async fn every_notice_is_told_exactly_once_whatever_happens_between_pages(
    store: impl LifecycleStore,
) {
    let random = SeededRandom::new(5);
    let draw = |most: u32| {
        let mut bytes = [0; 4];
        random.fill(&mut bytes).unwrap();
        u32::from_be_bytes(bytes) % most
    };
    let codes = [None, "01001".parse().ok(), "02002".parse().ok()];
    // Whoever watches all, and whoever watches a branch.
    let mut heard: Vec<(Option<BodyCode>, NoticeStart, Vec<_>)> = codes
        .map(|code| (code, NoticeStart::First, Vec::new()))
        .into();
    let mut now = at("2008-02-04T12:00:00");
    let mut issued = BTreeMap::new();
    let mut revoked = BTreeMap::new();
    for n in 0..120 {
        // Months pass, so that some are registered years late.
        now = now.plus_seconds(i64::from(draw(40 * 86_400)));
        let day = now.jst_date().plus_days(-i32::try_from(draw(900)).unwrap());
        let mut certificate = issued_on(n, &day.to_string());
        certificate.branch = codes[draw(3) as usize];
        certificate.kind = CertificateKind::APPLICABLE[draw(6) as usize];
        issued.insert(serial(n), certificate.clone());
        store.follow(vec![item(certificate, n)], now).await.unwrap();
        if draw(3) == 0 {
            let which = draw(n + 1);
            let outcome = store
                .revoke(vec![any(1_000 + n, which)], now)
                .await
                .unwrap();
            if outcome[0].is_ok() {
                revoked.insert(serial(which), now);
            }
        }
        for (branch, start, heard) in &mut heard {
            // Not everybody listens all the time.
            if draw(3) == 0 {
                let (come, after) = told(&store, *branch, *start, now).await;
                heard.extend(come);
                *start = after;
            }
        }
    }
    for (branch, start, mut heard) in heard {
        heard.extend(told(&store, branch, start, now).await.0);
        let mut expected = Vec::new();
        for (serial, certificate) in &issued {
            if branch.is_some() && certificate.branch != branch {
                continue;
            }
            let end = revoked.get(serial).copied();
            expected.extend(end.map(|end| (NoticeKind::Revoked, end, *serial)));
            let expiry = certificate.not_after.jst_date();
            let moments = [
                expiry.plus_months(-6).start(),
                expiry.plus_days(-30).start(),
                expiry.plus_days(1).start(),
            ];
            for (kind, moment) in KINDS.into_iter().zip(moments) {
                if moment <= now && end.is_none_or(|end| end > moment) {
                    expected.push((kind, moment, *serial));
                }
            }
        }
        // What was told before a revocation that then came from before it is impossible here: the
        // times of revocations rise.
        heard.sort_unstable();
        expected.sort_unstable();
        assert!(expected.len() > 30);
        assert_eq!(heard, expected, "{branch:?}");
    }
}

pub(crate) async fn a_certificate_that_arrives_late_is_told_of_at_once(store: impl LifecycleStore) {
    let now = at("2011-01-10T12:00:00");
    store
        .follow(vec![item(issued_on(0, "2008-01-20"), 0)], now)
        .await
        .unwrap();
    let (_, after) = told(&store, None, NoticeStart::First, now).await;
    let mut notable = store.notable();
    notable.mark_unchanged();
    // Its window opened before that of the one already told of.
    store
        .follow(vec![item(issued_on(1, "2008-01-12"), 1)], now)
        .await
        .unwrap();
    assert!(notable.has_changed().unwrap());
    let (come, after) = told(&store, None, after, now).await;
    assert_eq!(
        come,
        [
            (
                NoticeKind::EntersWindow,
                at("2010-07-11T00:00:00"),
                serial(1)
            ),
            (
                NoticeKind::ExpiresSoon,
                at("2010-12-12T00:00:00"),
                serial(1)
            ),
        ]
    );
    assert_eq!(told(&store, None, after, now).await.0, []);
    // Whoever lists later finds the same, once.
    assert_eq!(told(&store, None, NoticeStart::First, now).await.0.len(), 4);
}

pub(crate) async fn what_is_wanted_since_a_day_leaves_out_what_was_before(
    store: impl LifecycleStore,
) {
    let items = [
        (0, "2008-02-04"),
        (1, "2008-02-05"),
        (2, "2008-02-06"),
        (3, "2008-02-07"),
    ];
    let items = items.map(|(n, day)| item(issued_on(n, day), n)).into();
    store
        .follow(items, at("2008-02-08T12:00:00"))
        .await
        .unwrap();
    let (early, late) = (at("2010-08-01T12:00:00"), at("2010-08-04T12:00:00"));
    store.revoke(vec![any(100, 0)], early).await.unwrap();
    store.revoke(vec![any(101, 1)], late).await.unwrap();
    let now = at("2010-08-05T12:00:00");
    let since = NoticeStart::Since(at("2010-08-04T00:00:00"));
    let (come, _) = told(&store, None, since, now).await;
    assert_eq!(
        come,
        [
            (NoticeKind::Revoked, late, serial(1)),
            (
                NoticeKind::EntersWindow,
                at("2010-08-04T00:00:00"),
                serial(1)
            ),
            (
                NoticeKind::EntersWindow,
                at("2010-08-05T00:00:00"),
                serial(2)
            ),
        ]
    );
    assert_eq!(told(&store, None, NoticeStart::Now, now).await.0, []);
}

/// Like [`told`], one at a time, going on after each from the cursor of the notice or of the page.
async fn told_singly(
    store: &impl LifecycleStore,
    start: NoticeStart,
    now: Timestamp,
    by_notice: bool,
) -> Vec<(NoticeKind, Serial)> {
    let mut all = Vec::new();
    let mut start = start;
    loop {
        // Of a page that is longer than what is kept of it, the rest comes again.
        let size = if by_notice { 3 } else { 1 };
        let told = page(store, None, start, (now, size)).await;
        start = NoticeStart::After(told.cursor);
        let Some(first) = told.notices.first() else {
            if told.caught_up {
                return all;
            }
            continue;
        };
        assert!(told.notices.len() <= size);
        all.push((first.kind, first.certificate.issued.serial));
        if by_notice {
            start = NoticeStart::After(first.cursor);
        }
    }
}

pub(crate) async fn whoever_takes_one_notice_at_a_time_hears_of_each_once(
    store: impl LifecycleStore,
) {
    let before = at("2011-03-01T12:00:00");
    let on_time = item(issued_on(9, "2008-02-20"), 0);
    let registered = at("2008-02-20T12:00:00");
    store.follow(vec![on_time], registered).await.unwrap();
    let (_, start) = told(&store, None, NoticeStart::First, before).await;
    // One that has expired when it arrives brings three notices by one entry; another two.
    let now = at("2011-03-01T12:00:01");
    let items = vec![
        item(issued_on(0, "2008-02-04"), 1),
        item(issued_on(1, "2008-03-20"), 2),
    ];
    store.follow(items, now).await.unwrap();
    store.revoke(vec![any(100, 1)], now).await.unwrap();
    let expected = [
        (NoticeKind::EntersWindow, serial(0)),
        (NoticeKind::ExpiresSoon, serial(0)),
        (NoticeKind::Expired, serial(0)),
        (NoticeKind::EntersWindow, serial(1)),
        (NoticeKind::ExpiresSoon, serial(1)),
        (NoticeKind::Revoked, serial(1)),
    ];
    for by_notice in [false, true] {
        let heard = told_singly(&store, start, now, by_notice).await;
        assert_eq!(heard, expected, "{by_notice}");
    }
}

pub(crate) async fn what_is_wanted_since_a_day_is_complete_though_the_clock_was_set_back(
    store: impl LifecycleStore,
) {
    let items = (0..5)
        .map(|n| item(issued_on(n, "2008-02-04"), n))
        .collect();
    store
        .follow(items, at("2008-02-04T12:00:00"))
        .await
        .unwrap();
    // Ahead by years for once; then right, then behind by a day, then right again.
    for (n, when) in [
        (0, "2010-01-01T12:00:00"),
        (1, "2008-03-03T12:00:00"),
        (2, "2008-03-02T12:00:00"),
        (3, "2008-03-03T13:00:00"),
        (4, "2008-03-01T12:00:00"),
    ] {
        let when = at(when);
        store.revoke(vec![any(100 + n, n)], when).await.unwrap();
    }
    let now = at("2008-03-03T14:00:00");
    for (day, expected) in [
        ("2008-03-03", vec![0, 1, 3]),
        ("2008-03-02", vec![0, 1, 2, 3]),
        ("2008-03-04", vec![0]),
        ("2010-01-02", vec![]),
    ] {
        let since = NoticeStart::Since(day.parse::<lgpki_domain::JstDate>().unwrap().start());
        for branch in [None, "01001".parse().ok()] {
            let (come, after) = told(&store, branch, since, now).await;
            let come: Vec<_> = come.into_iter().map(|(_, _, serial)| serial).collect();
            let expected: Vec<_> = expected.iter().map(|n| serial(*n)).collect();
            assert_eq!(come, expected, "{day}");
            assert_eq!(told(&store, branch, after, now).await.0, []);
        }
    }
}

pub(crate) async fn a_look_for_what_happened_since_a_day_passes_a_stretch_at_most(
    store: impl LifecycleStore,
) {
    let count = 200;
    let items = (0..count).map(|n| item(issued_on(n, "2008-02-04"), n));
    let registered = at("2008-02-04T12:00:00");
    store.follow(items.collect(), registered).await.unwrap();
    // The first under a clock that was ahead, so that all the others must be passed.
    let ahead = at("2009-01-01T12:00:00");
    store.revoke(vec![any(1_000, 0)], ahead).await.unwrap();
    let orders = (1..count).map(|n| any(1_000 + n, n)).collect();
    store.revoke(orders, registered).await.unwrap();
    let since = NoticeStart::Since(at("2008-03-01T00:00:00"));
    let now = at("2008-03-01T12:00:00");
    let first = page(&store, None, since, (now, 100)).await;
    assert_eq!(first.notices.len(), 1);
    assert!(!first.caught_up, "a look of one stretch comes to the end");
    let (come, _) = told(&store, None, since, now).await;
    assert_eq!(come.len(), 1);
}
