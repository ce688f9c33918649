//! What the audit log costs: entries of 300 bytes in batches of a thousand, each batch durable with
//! its signed heads, beside the same bytes written to a plain file and synced; and proofs from a
//! published log of a quarter of a million entries, made, checked, and all of it read and believed.

#![allow(
    missing_docs,
    reason = "criterion's macros make public items without documentation"
)]

use std::{fs::File, hint::black_box, io::Write, path::Path, sync::Arc};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lgpki_benches::Failure;
use lgpki_domain::Timestamp;
use lgpki_ledger::{
    Log, LogId, LogReader, NewEntry, OsDisk, Publisher, TileReader,
    merkle::{Hash, leaf},
    proof::check_inclusion,
    published::Directory,
    publisher::{Leaves, Place},
};
use lgpki_testkit::log_identity;

const ENTRY: usize = 300;
const BATCH: usize = 1000;
const PUBLISHED: usize = 250;
const LOG: LogId = LogId::Year(2008);

/// The log of a year, for its publisher.
struct Year(LogReader);

impl Leaves for Year {
    fn leaves(
        &self,
        from: u64,
        max_entries: usize,
        max_bytes: usize,
    ) -> Result<Vec<Vec<u8>>, lgpki_ledger::LogError> {
        self.0.leaves(LOG, from, max_entries, max_bytes)
    }

    fn root_at(&self, size: u64) -> Result<Option<Hash>, lgpki_ledger::LogError> {
        Ok(self.0.head_at(LOG, size)?.map(|head| head.root))
    }
}

fn batch() -> Vec<NewEntry> {
    let entry = |n: usize| NewEntry {
        bytes: vec![b'a' + n.to_le_bytes()[0] % 26; ENTRY],
        time: Timestamp::from_seconds(1_202_084_100),
        ceremony: false,
    };
    (0..BATCH).map(entry).collect()
}

#[expect(
    clippy::print_stderr,
    reason = "a bench tells people why it did not run"
)]
fn told(result: Result<(), Failure>) {
    if let Err(failure) = result {
        eprintln!("sequence: {failure}");
    }
}

fn sequence(c: &mut Criterion) {
    told(append(c));
}

fn proofs(c: &mut Criterion) {
    told(prove(c));
}

fn append(c: &mut Criterion) -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let entries = batch();
    let bytes: Vec<u8> = entries.iter().flat_map(|e| e.bytes.clone()).collect();
    let identity = log_identity("bench-1");
    let (mut log, _) = Log::open(directory.path(), Arc::new(OsDisk), identity)?;
    let mut plain = File::create(directory.path().join("plain"))?;
    let mut group = c.benchmark_group("sequence 1,000 entries of 300 bytes");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("yardstick: a plain file, synced", |b| {
        b.iter(|| plain.write_all(&bytes).and_then(|()| plain.sync_data()));
    });
    group.bench_function("the log, with durable checkpoints", |b| {
        b.iter_batched(
            || entries.clone(),
            |entries| log.append(entries),
            BatchSize::LargeInput,
        );
    });
    group.finish();
    Ok(())
}

/// Publishes a log of a quarter of a million entries.
fn published(dir: &Path) -> Result<TileReader, Failure> {
    let entries = batch();
    let identity = log_identity("bench-1");
    let (mut log, _) = Log::open(dir, Arc::new(OsDisk), identity.clone())?;
    for _ in 0..PUBLISHED {
        log.append(entries.clone())?;
    }
    let place = Place {
        disk: Arc::new(OsDisk),
        dir: dir.join("audit"),
        key: identity.verifier(LOG),
    };
    let year = Year(log.reader());
    let (mut publisher, _) = Publisher::open(place, &year)?;
    let head = year.0.head(LOG)?.ok_or("the log has no head")?;
    publisher.publish(&identity.checkpoint(LOG, &head), &year)?;
    let source = Directory::new(Arc::new(OsDisk), dir.join("audit"));
    Ok(TileReader::open(Arc::new(source), &identity.verifier(LOG))?.0)
}

fn prove(c: &mut Criterion) -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let reader = published(directory.path())?;
    let size = reader.size();
    let root = reader.root_at(size)?;
    let mut group = c.benchmark_group("a published log of 250,000 entries");
    let mut index = 0;
    group.bench_function("an inclusion proof made, each of another entry", |b| {
        b.iter(|| {
            index = (index + 104_729) % size;
            reader.inclusion(black_box(index))
        });
    });
    let entry = reader.entry(77_777)?;
    let proof = reader.inclusion(77_777)?;
    group.bench_function("an inclusion proof checked", |b| {
        b.iter(|| check_inclusion(&leaf(black_box(&entry)), 77_777, (size, &root), &proof));
    });
    group.sample_size(10);
    group.throughput(Throughput::Elements(size));
    group.bench_function("all entries read and believed, one thread", |b| {
        b.iter(|| (0..reader.bundles()).try_for_each(|n| reader.bundle(n).map(drop)));
    });
    group.finish();
    Ok(())
}

criterion_group!(benches, sequence, proofs);
criterion_main!(benches);
