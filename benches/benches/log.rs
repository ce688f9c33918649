//! Appending entries of 1 KB to the log: each batch is one frame with one sync. Beside it, a plain
//! file written and synced with the same bytes.

#![allow(
    missing_docs,
    reason = "criterion's macros make public items without documentation"
)]

use std::{fs::File, io::Write, sync::Arc};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lgpki_benches::Failure;
use lgpki_domain::Timestamp;
use lgpki_ledger::{Log, MemoryDisk, NewEntry, OsDisk};
use lgpki_testkit::log_identity;

const ENTRY: usize = 1024;

fn append(c: &mut Criterion) {
    for batch in [1, 16, 256] {
        if let Err(failure) = of(c, batch) {
            eprint(&failure);
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a bench tells people why it did not run"
)]
fn eprint(failure: &Failure) {
    eprintln!("log: {failure}");
}

fn of(c: &mut Criterion, batch: usize) -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let entries: Vec<NewEntry> = (0..batch)
        .map(|n| NewEntry {
            bytes: vec![b'a' + n.to_le_bytes()[0] % 26; ENTRY],
            time: Timestamp::from_seconds(1_202_084_100),
            ceremony: false,
        })
        .collect();
    let identity = || log_identity("bench-1");
    let (mut log, _) = Log::open(directory.path(), Arc::new(OsDisk), identity())?;
    let disk = Arc::new(MemoryDisk::default());
    let (mut memory, _) = Log::open(directory.path(), disk, identity())?;
    let mut plain = File::create(directory.path().join("plain"))?;
    let bytes: Vec<u8> = entries.iter().flat_map(|e| e.bytes.clone()).collect();

    let mut group = c.benchmark_group(format!("append {batch} entries of 1 KB"));
    group.throughput(Throughput::Elements(batch as u64));
    group.bench_function("yardstick: a plain file, synced", |b| {
        b.iter(|| plain.write_all(&bytes).and_then(|()| plain.sync_data()));
    });
    group.bench_function("the log", |b| b.iter(|| log.append(entries.clone())));
    group.bench_function("the log, on a disk in memory", |b| {
        b.iter(|| memory.append(entries.clone()));
    });
    group.finish();
    Ok(())
}

criterion_group!(benches, append);
criterion_main!(benches);
