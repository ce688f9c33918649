//! When a million certificates expire: from the counters, by month, week and day, by branch and by
//! kind; beside it, in the same run, looking at every certificate in memory.

#![allow(
    missing_docs,
    reason = "criterion's macros make public items without documentation"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use lgpki_benches::{Failure, bare};
use lgpki_domain::{
    ApplicationId, Authority, BodyCode, CertificateKind, CrlScope, Digest, JstDate, Names, Subject,
    Validity,
};
use lgpki_lifecycle::{
    EngineStore,
    ports::{
        Bucket, FeedEvent, FeedItem, Filter, Grouping, HistogramQuery, IssuedCertificate,
        LifecycleStore as _,
    },
};
use lgpki_store::Options;
use tokio::runtime::Runtime;

/// Certificates, over three years of days and the branches of 2009.
const CERTIFICATES: u64 = 1_000_000;
const BRANCHES: u64 = 1_748;
const DAYS: u64 = 1_096;
/// Certificates of one slice of the feed.
const SLICE: u64 = 1_000;

fn histogram(c: &mut Criterion) {
    if let Err(failure) = of(c) {
        eprint(&failure);
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a bench tells people why it did not run"
)]
fn eprint(failure: &Failure) {
    eprintln!("histogram: {failure}");
}

/// The `n`th certificate; days ascend as in life, all else is spread.
fn certificate(n: u64, subject: &Subject) -> Result<IssuedCertificate, Failure> {
    let first: JstDate = "2008-02-04".parse()?;
    let day = first.plus_days(i32::try_from(n * DAYS / CERTIFICATES)?);
    let spread = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let branch = spread % BRANCHES;
    let (prefecture, number) = (
        u8::try_from(branch / 38 + 1)?,
        u16::try_from(branch % 38 + 1)?,
    );
    let kinds = CertificateKind::APPLICABLE;
    let kind = kinds[usize::try_from(spread / BRANCHES)? % kinds.len()];
    let validity = Validity::for_subscriber(day);
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&spread.to_be_bytes());
    Ok(IssuedCertificate {
        application: ApplicationId::from_bytes(u128::from(n + 1).to_be_bytes()),
        authority: kind.authority().unwrap_or(Authority::Organization),
        branch: BodyCode::try_new(prefecture, number),
        der: vec![0x30],
        generation: 1,
        issued_at: validity.not_before(),
        key_digest: Digest(digest),
        kind,
        not_after: validity.not_after(),
        not_before: validity.not_before(),
        scope: CrlScope::User,
        serial: bare::serial(n + 1)?,
        subject: subject.clone(),
    })
}

async fn populate(store: &EngineStore) -> Result<(), Failure> {
    let names = |en, ja| Names::try_new("name", en, ja).map_err(|_| "a name is not one");
    let subject = Subject {
        body: names("Synthetic Body", "模擬団体")?,
        unit: None,
        name: names("Mayor", "市長")?,
    };
    for slice in 0..CERTIFICATES / SLICE {
        let mut items = Vec::new();
        for index in slice * SLICE..(slice + 1) * SLICE {
            let issued = Box::new(certificate(index, &subject)?);
            items.push(FeedItem {
                index,
                event: FeedEvent::Issued(issued),
            });
        }
        let at = "2011-02-04T00:00:00+09:00".parse()?;
        store.follow(items, at).await?;
    }
    Ok(())
}

fn of(c: &mut Criterion) -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let (store, _) = EngineStore::open_unindexed(
        directory.path(),
        Options::new(lgpki_testkit::log_identity("bench")),
    )?;
    let runtime = Runtime::new()?;
    runtime.block_on(populate(&store))?;
    let from: JstDate = "2011-02-03".parse()?;
    let now = from.start();
    let scan = Filter {
        issued_from: Some("2008-02-04".parse()?),
        ..Filter::default()
    };
    let mut group = c.benchmark_group("expiry of 1,000,000 certificates");
    group.sample_size(20);
    group.bench_function("yardstick: look at every certificate", |b| {
        b.iter(|| runtime.block_on(store.counts(scan.clone(), now)));
    });
    for (bucket, name) in [
        (Bucket::Month, "month"),
        (Bucket::Week, "week"),
        (Bucket::Day, "day"),
    ] {
        for (grouping, rows) in [
            (Grouping::None, "together"),
            (Grouping::Kind, "each kind"),
            (Grouping::Branch, "each branch"),
        ] {
            let query = HistogramQuery {
                from,
                to: None,
                bucket,
                branch: None,
                kinds: Vec::new(),
                grouping,
            };
            group.bench_function(format!("by {name}, {rows}"), |b| {
                b.iter(|| runtime.block_on(store.histogram(query.clone())));
            });
        }
    }
    let some = HistogramQuery {
        from,
        to: None,
        bucket: Bucket::Week,
        branch: None,
        kinds: vec![CertificateKind::OfficialDuty, CertificateKind::Login],
        grouping: Grouping::Branch,
    };
    group.bench_function("by week, each branch, two kinds", |b| {
        b.iter(|| runtime.block_on(store.histogram(some.clone())));
    });
    group.finish();
    Ok(())
}

criterion_group!(benches, histogram);
criterion_main!(benches);
