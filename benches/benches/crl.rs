//! Writing and linting a CRL of 100,000 entries; beside it, hashing the same bytes with SHA-256,
//! which every signature over them has to do.

#![allow(
    missing_docs,
    reason = "criterion's macros make public items without documentation"
)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lgpki_benches::{Failure, bare, bare::Ca};
use lgpki_domain::{Clock, CrlNumber, CrlScope, KeyAlgorithm, RevocationReason};
use lgpki_runtime::clock::SystemClock;
use lgpki_x509::{
    crl::{self, CrlEntry, CrlHeader},
    lint,
};
use ring::digest::{SHA256, digest};

const ENTRIES: u64 = 100_000;

fn write(c: &mut Criterion) {
    if let Err(failure) = of(c) {
        eprint(&failure);
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a bench tells people why it did not run"
)]
fn eprint(failure: &Failure) {
    eprintln!("crl: {failure}");
}

fn of(c: &mut Criterion) -> Result<(), Failure> {
    let now = SystemClock.now();
    let ca = Ca::new(KeyAlgorithm::P256, now)?;
    let header = CrlHeader {
        scope: CrlScope::User,
        base: None,
        number: CrlNumber(1),
        this_update: now,
        next_update: now.plus_millis(48 * 3_600_000),
    };
    let entry = |n| -> Result<_, Failure> {
        Ok(CrlEntry {
            serial: bare::serial(n)?,
            revoked_at: now.plus_millis(-1000),
            reason: RevocationReason::CessationOfOperation,
        })
    };
    let entries = (1..=ENTRIES).map(entry).collect::<Result<Vec<_>, _>>()?;
    let list = crl::write(&ca.issuer, &header, entries.iter().copied())?;

    let mut group = c.benchmark_group("CRL of 100,000 entries");
    group
        .throughput(Throughput::Bytes(list.len() as u64))
        .sample_size(20);
    group.bench_function("yardstick: hash", |b| b.iter(|| digest(&SHA256, &list)));
    group.bench_function("write", |b| {
        b.iter(|| crl::write(&ca.issuer, &header, entries.iter().copied()));
    });
    group.bench_function("lint", |b| {
        b.iter_batched(
            || list.clone(),
            |list| lint::lint_crl(&ca.issuer, list),
            BatchSize::LargeInput,
        );
    });
    group.finish();
    Ok(())
}

criterion_group!(benches, write);
criterion_main!(benches);
