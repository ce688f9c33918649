//! The steps of one certificate: reading the request with its proof of possession, building,
//! linting, assembling, and reading the result; beside the two operations of bare cryptography.

#![allow(
    missing_docs,
    reason = "criterion's macros make public items without documentation"
)]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use lgpki_benches::{Failure, bare, bare::Ca, scene};
use lgpki_domain::{Clock, KeyAlgorithm, Validity};
use lgpki_keys::{Signer, SoftwareKey, weak};
use lgpki_runtime::clock::SystemClock;
use lgpki_x509::{
    Blueprint, Certificate, CertificationRequest, Particulars, SubjectPublicKey, lint,
    signed::Signed, tbs,
};

fn steps(c: &mut Criterion) {
    for algorithm in [KeyAlgorithm::Rsa2048, KeyAlgorithm::P256] {
        if let Err(failure) = of(c, algorithm) {
            eprint(algorithm, &failure);
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a bench tells people why it did not run"
)]
fn eprint(algorithm: KeyAlgorithm, failure: &Failure) {
    eprintln!("{algorithm}: {failure}");
}

fn of(c: &mut Criterion, algorithm: KeyAlgorithm) -> Result<(), Failure> {
    let now = SystemClock.now();
    let ca = Ca::new(algorithm, now)?;
    let body = scene::names("Synthetic Body", "模擬団体")?;
    let key = SoftwareKey::generate(algorithm)?;
    let order = scene::order(&body, 1, &key)?;
    let request = Signed::parse(&order.csr)?;
    let public_key = SubjectPublicKey::parse("key", &order.public_key).map_err(scene::faults)?;
    let blueprint = Blueprint {
        subject: &order.subject,
        particulars: &Particulars::OfficialDuty,
        public_key: &public_key,
        serial: bare::serial(1)?,
        validity: Validity::for_subscriber(now.jst_date()),
    };
    let built = tbs::build(&ca.issuer, &blueprint)?;
    let signature = ca.key.sign(&built)?;
    let certificate = ca.certificate(&order, 1, now)?;

    let mut group = c.benchmark_group(algorithm.name());
    group.bench_function("bare: check", |b| {
        b.iter(|| request.is_signed_by(&public_key));
    });
    group.bench_function("bare: sign", |b| b.iter(|| ca.key.sign(&built)));
    group.bench_function("request: parse and check", |b| {
        b.iter(|| CertificationRequest::parse("csr", &order.csr));
    });
    group.bench_function("request: weak keys", |b| {
        b.iter(|| weak::check(&order.public_key));
    });
    group.bench_function("tbs: build", |b| {
        b.iter(|| tbs::build(&ca.issuer, &blueprint));
    });
    group.bench_function("tbs: lint", |b| {
        b.iter_batched(
            || built.clone(),
            |tbs| lint::lint_certificate(&ca.issuer, &blueprint, tbs),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("certificate: assemble", |b| {
        b.iter_batched(
            || lint::lint_certificate(&ca.issuer, &blueprint, built.clone()),
            |linted| linted.map(|l| l.into_certificate(&signature)),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("certificate: parse", |b| {
        b.iter(|| Certificate::parse(&certificate));
    });
    group.finish();
    Ok(())
}

criterion_group!(benches, steps);
criterion_main!(benches);
