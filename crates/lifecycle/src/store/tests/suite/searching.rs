//! Filters, counts and histograms: the same answers as looking at every certificate.

use std::collections::BTreeMap;

use lgpki_domain::{
    Authority, BodyCode, CertificateKind, Digest, JstDate, Names, Randomness as _,
    RevocationReason::Superseded,
};
use lgpki_testkit::SeededRandom;

use super::renewals::renewal;
use crate::{
    ports::{
        Bucket, Certificate, CertificateState, Counts, Filter, Grouping, HistogramQuery,
        HistogramRow, IssuedCertificate, LifecycleStore, RenewalOrder, SubjectFilter, Texts,
    },
    testing::{abandoned_item, at, issued, issued_on, item, order, serial},
};

const STATES: [CertificateState; 4] = [
    CertificateState::Valid,
    CertificateState::Revoked,
    CertificateState::Expired,
    CertificateState::Renewing,
];

fn day(text: &str) -> JstDate {
    text.parse().unwrap()
}

async fn all(store: &impl LifecycleStore, filter: Filter) -> Vec<Certificate> {
    let (page, next) = store.page(filter, None, 10_000).await.unwrap();
    assert_eq!(next, None);
    page
}

/// Twenty certificates of two branches, three kinds, two CAs, differing names and days.
async fn populated(store: &impl LifecycleStore) {
    let names = |en: &str, ja: &str| Names::try_new("name", en, ja).unwrap();
    let items = (0..20).map(|n| {
        let mut certificate = issued_on(n, &format!("2008-02-{:02}", 4 + n));
        certificate.branch = [Some("01001"), Some("02002"), None][(n % 3) as usize]
            .and_then(|code| code.parse().ok());
        certificate.kind = CertificateKind::ALL[(n % 4) as usize];
        if n % 2 == 0 {
            certificate.authority = Authority::Organization;
        }
        if n % 5 == 0 {
            certificate.subject.unit = None;
            certificate.subject.name = names("Mayor", "市長");
        }
        item(certificate, n)
    });
    let now = at("2008-03-01T00:00:00");
    store.follow(items.collect(), now).await.unwrap();
    let abandoned = vec![abandoned_item(30)];
    store.follow(abandoned, now).await.unwrap();
    let mut orders: Vec<_> = [3, 4, 12].map(|n| order(100 + n, n, Superseded)).into();
    for order in &mut orders {
        order.branch = None;
    }
    let outcomes = store.revoke(orders, now).await.unwrap();
    assert!(outcomes.iter().all(Result::is_ok));
    // One that then expires, one that goes on.
    let window = at("2011-01-01T00:00:00");
    let renewals = [1, 13].map(|n| RenewalOrder {
        branch: None,
        ..renewal(200 + n, n, window)
    });
    let opened = store.open_renewals(renewals.into(), window).await.unwrap();
    assert!(opened.iter().all(Result::is_ok));
}

/// What a filter says of a certificate.
type Says = Box<dyn Fn(&Certificate) -> bool>;

fn cases() -> Vec<(Filter, Says)> {
    let texts = |en: &str, ja: &str| {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Texts {
            en: given(en),
            ja: given(ja),
        }
    };
    let of_subject = |unit, name| Filter {
        subject: SubjectFilter {
            body: texts("Hokkaido Body 1", ""),
            unit,
            name,
        },
        ..Filter::default()
    };
    vec![
        (Filter::default(), Box::new(|_| true)),
        (
            Filter {
                authority: Some(Authority::Organization),
                ..Filter::default()
            },
            Box::new(|c| c.issued.authority == Authority::Organization),
        ),
        (
            Filter {
                issued_from: Some(day("2008-02-08")),
                issued_to: Some(day("2008-02-10")),
                ..Filter::default()
            },
            Box::new(|c| {
                (day("2008-02-08")..=day("2008-02-10")).contains(&c.issued.issued_at.jst_date())
            }),
        ),
        (
            Filter {
                key_digest: Some(Digest([7; 32])),
                ..Filter::default()
            },
            Box::new(|c| c.issued.serial == serial(7)),
        ),
        (
            // Equal in the bits that memory holds, and another key.
            Filter {
                key_digest: Some(Digest(std::array::from_fn(|i| if i < 8 { 7 } else { 8 }))),
                ..Filter::default()
            },
            Box::new(|_| false),
        ),
        (
            of_subject(texts("General Affairs", "総務部"), Texts::default()),
            Box::new(|c| c.issued.subject.unit.is_some()),
        ),
        (
            of_subject(Texts::default(), texts("", "市長")),
            Box::new(|c| c.issued.subject.name.ja() == "市長"),
        ),
        (
            of_subject(texts("General Affairs", ""), texts("Mayor", "")),
            Box::new(|_| false),
        ),
        (
            Filter {
                branch: "02002".parse().ok(),
                kinds: vec![CertificateKind::User, CertificateKind::WebServer],
                expires_from: Some(day("2011-02-05").start()),
                expires_to: Some(day("2011-02-20").last_second()),
                ..Filter::default()
            },
            Box::new(|c| {
                c.issued.branch == "02002".parse().ok()
                    && [CertificateKind::User, CertificateKind::WebServer].contains(&c.issued.kind)
                    && (day("2011-02-05")..=day("2011-02-20"))
                        .contains(&c.issued.not_after.jst_date())
            }),
        ),
        (
            // In the midst of a day the counters cannot tell.
            Filter {
                expires_to: Some(at("2011-02-10T23:59:58")),
                ..Filter::default()
            },
            Box::new(|c| c.issued.not_after <= at("2011-02-10T23:59:58")),
        ),
    ]
}

pub(crate) async fn every_filter_selects_and_counts_what_it_says(store: impl LifecycleStore) {
    populated(&store).await;
    // On the last day of some: those of the day before are over, those of the day are not.
    let now = at("2011-02-10T12:00:00");
    let everything = all(&store, Filter::default()).await;
    assert_eq!(everything.len(), 20);
    for (filter, says) in cases() {
        for wanted in STATES.into_iter().map(Some).chain([None]) {
            let filter = Filter {
                state: wanted.map(|wanted| (wanted, now)),
                ..filter.clone()
            };
            let expected: Vec<_> = everything
                .iter()
                .filter(|c| says(c) && wanted.is_none_or(|wanted| wanted == c.state(now)))
                .cloned()
                .collect();
            assert_eq!(all(&store, filter.clone()).await, expected, "{filter:?}");
            let mut counts = Counts::new();
            for c in &expected {
                *counts.entry((c.issued.kind, c.state(now))).or_insert(0) += 1;
            }
            assert_eq!(
                store.counts(filter.clone(), now).await.unwrap(),
                counts,
                "{filter:?}"
            );
        }
    }
}

pub(crate) async fn a_search_that_finds_little_goes_on_past_a_stretch(store: impl LifecycleStore) {
    let certificate = |n: u32| IssuedCertificate {
        der: vec![0x30],
        kind: if n % 250 == 249 {
            CertificateKind::User
        } else {
            CertificateKind::Mail
        },
        ..issued(n)
    };
    let now = at("2008-03-01T00:00:00");
    let items = (0..750).map(|n| item(certificate(n), n));
    store.follow(items.collect(), now).await.unwrap();
    let filter = Filter {
        kinds: vec![CertificateKind::User],
        state: Some((CertificateState::Valid, now)),
        ..Filter::default()
    };
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let (page, next) = store.page(filter.clone(), after, 1).await.unwrap();
        found.extend(page.into_iter().map(|c| c.issued.serial));
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, [249, 499, 749].map(serial));
    let by_day = Filter {
        issued_from: Some(day("2008-02-04")),
        ..filter
    };
    let counts = store.counts(by_day, now).await.unwrap();
    assert_eq!(
        counts,
        [((CertificateKind::User, CertificateState::Valid), 3)].into()
    );
}

/// The histogram of a query, made by looking at every certificate.
fn looked_up(everything: &[Certificate], query: &HistogramQuery, to: JstDate) -> Vec<HistogramRow> {
    let mut buckets = Vec::new();
    let mut next = query.from;
    while next <= to {
        buckets.push(next);
        next = query.bucket.next(next);
    }
    let empty = || HistogramRow {
        unrevoked: vec![0; buckets.len()],
        revoked: vec![0; buckets.len()],
        ..HistogramRow::default()
    };
    let mut rows: BTreeMap<(Option<BodyCode>, usize), HistogramRow> = BTreeMap::new();
    if query.grouping == Grouping::None {
        rows.insert((None, 0), empty());
    }
    for c in everything {
        let (expiry, kind) = (c.issued.not_after.jst_date(), c.issued.kind);
        let meant = (query.from..=to).contains(&expiry)
            && query
                .branch
                .is_none_or(|branch| c.issued.branch == Some(branch))
            && (query.kinds.is_empty() || query.kinds.contains(&kind));
        if !meant {
            continue;
        }
        let place = CertificateKind::ALL
            .iter()
            .position(|k| *k == kind)
            .unwrap();
        let (branch, kind, key) = match query.grouping {
            Grouping::None => (None, None, (None, 0)),
            Grouping::Branch => (c.issued.branch, None, (c.issued.branch, 0)),
            Grouping::Kind => (None, Some(kind), (None, place)),
        };
        let row = rows.entry(key).or_insert_with(empty);
        (row.branch, row.kind) = (branch, kind);
        let bucket = buckets.partition_point(|first| *first <= expiry) - 1;
        let numbers = if c.revocation.is_some() {
            &mut row.revoked
        } else {
            &mut row.unrevoked
        };
        numbers[bucket] += 1;
    }
    rows.into_values().collect()
}

pub(crate) async fn counters_agree_with_what_is_held_after_any_history(store: impl LifecycleStore) {
    let random = SeededRandom::new(11);
    let draw = |most: u32| {
        let mut bytes = [0; 4];
        random.fill(&mut bytes).unwrap();
        u32::from_be_bytes(bytes) % most
    };
    let now = at("2008-06-01T00:00:00");
    for n in 0..300 {
        let first = day("2008-02-04").plus_days(i32::try_from(draw(90)).unwrap());
        let mut certificate = issued_on(n, &first.to_string());
        certificate.kind = CertificateKind::ALL[draw(6) as usize];
        let branch = ["", "01001", "13001", "47001"][draw(4) as usize];
        certificate.branch = branch.parse().ok();
        store.follow(vec![item(certificate, n)], now).await.unwrap();
        let mut order = order(1_000 + n, draw(n + 1), Superseded);
        order.branch = None;
        if draw(4) == 0 {
            // One that was revoked before is refused, and changes nothing.
            let _ = store.revoke(vec![order], now).await.unwrap();
        }
    }
    let everything = all(&store, Filter::default()).await;
    for bucket in [Bucket::Day, Bucket::Week, Bucket::Month] {
        for grouping in [Grouping::None, Grouping::Branch, Grouping::Kind] {
            for branch in [None, "13001".parse().ok()] {
                for kinds in [vec![], vec![CertificateKind::Login, CertificateKind::User]] {
                    let query = HistogramQuery {
                        from: day("2011-02-20"),
                        to: (draw(2) == 0).then(|| day("2011-04-17")),
                        bucket,
                        branch,
                        kinds,
                        grouping,
                    };
                    let told = store.histogram(query.clone()).await.unwrap().unwrap();
                    let last = everything.last().unwrap().issued.not_after.jst_date();
                    assert_eq!(told.to, query.to.unwrap_or(last));
                    assert_eq!(
                        told.rows,
                        looked_up(&everything, &query, told.to),
                        "{query:?}"
                    );
                }
            }
        }
    }
}

pub(crate) async fn a_histogram_puts_each_day_into_its_bucket(store: impl LifecycleStore) {
    // A leap day's certificate ends on 27 February.
    let days = ["2008-02-04", "2008-02-29", "2008-03-01", "2008-03-01"];
    let items = days
        .iter()
        .zip(0..)
        .map(|(day, n)| item(issued_on(n, day), n));
    let now = at("2008-04-01T00:00:00");
    store.follow(items.collect(), now).await.unwrap();
    store
        .revoke(vec![order(100, 3, Superseded)], now)
        .await
        .unwrap();
    let query = |bucket| HistogramQuery {
        from: day("2011-02-03"),
        to: None,
        bucket,
        branch: None,
        kinds: Vec::new(),
        grouping: Grouping::None,
    };
    for (bucket, buckets, unrevoked, revoked) in [
        (Bucket::Month, vec!["2011-02-03"], vec![3], vec![1]),
        (
            Bucket::Week,
            vec![
                "2011-02-03",
                "2011-02-07",
                "2011-02-14",
                "2011-02-21",
                "2011-02-28",
            ],
            vec![1, 0, 0, 1, 1],
            vec![0, 0, 0, 0, 1],
        ),
    ] {
        let told = store.histogram(query(bucket)).await.unwrap().unwrap();
        let buckets: Vec<_> = buckets.into_iter().map(day).collect();
        assert_eq!((told.buckets, told.to), (buckets, day("2011-02-28")));
        assert_eq!(told.rows[0].unrevoked, unrevoked);
        assert_eq!(told.rows[0].revoked, revoked);
    }
}

pub(crate) async fn a_histogram_too_large_is_not_made(store: impl LifecycleStore) {
    let query = |days| HistogramQuery {
        from: day("2011-02-03"),
        to: Some(day("2011-02-03").plus_days(days - 1)),
        bucket: Bucket::Day,
        branch: None,
        kinds: Vec::new(),
        grouping: Grouping::None,
    };
    let made = store.histogram(query(4_000)).await.unwrap().unwrap();
    assert_eq!((made.buckets.len(), made.rows.len()), (4_000, 1));
    assert_eq!(store.histogram(query(4_001)).await.unwrap(), None);
}
