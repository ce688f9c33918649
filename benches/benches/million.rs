//! A CRL of a million entries written, signed and published by the running services, beside streaming
//! its entries from the store and hashing its bytes: `cargo bench -p lgpki-benches --bench million`.
//!
//! The inventory is filled before the services start; then an operator demands CRLs as always, over
//! gRPC. The yardstick is what the store tells of its entries, which it holds in memory; beside it stands
//! what it takes to read them from where they outlive the process, the index on disk. `openssl` must accept what is published. Called with `init` or `serve` the executable is
//! `lgpki`, as the package's binary is.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    thread,
    time::Duration,
};

use lgpki_benches::{Failure, bare, cpu, installation::Installation, memory, office, scene};
use lgpki_domain::{
    ApplicationId, Authority, AuthorityKey, CertificateKind, Clock as _, CrlScope, CrlSeries,
    Digest, RevocationReason, Subject, Timestamp, Validity,
};
use lgpki_lifecycle::{
    EngineStore,
    ports::{FeedEvent, FeedItem, IssuedCertificate, LifecycleStore as _, RevocationOrder},
};
use lgpki_proto::{
    convert::wire,
    v1::{self, examination_service_client::ExaminationServiceClient},
};
use lgpki_runtime::clock::SystemClock;
use lgpki_store::Options;
use lgpki_x509::{crl::RevocationList, key::sha256};
use tokio::{runtime::Runtime, time::Instant};

/// Revoked certificates, unless the command names another number.
const ENTRIES: u64 = 1_000_000;
/// Certificates of one slice.
const SLICE: u64 = 1_000;
/// How often each is measured; the middle counts.
const ROUNDS: usize = 5;
/// The CRL may take so many times the yardstick's time.
const AIM: f64 = 1.5;
/// By so much may the services' memory grow.
const MEMORY: u64 = 250_000_000;

fn main() -> ExitCode {
    let command = std::env::args().nth(1);
    if matches!(command.as_deref(), Some("init" | "serve")) {
        return lgpki::main();
    }
    let entries = std::env::args().find_map(|argument| argument.parse().ok());
    match measure(entries.unwrap_or(ENTRIES)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing is left to be done if standard error is closed.
            let _ = writeln!(io::stderr(), "million: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Whose CRL it is.
const SERIES: CrlSeries = CrlSeries {
    key: AuthorityKey::new(Authority::Application, 1),
    scope: CrlScope::User,
};

/// What one round took.
#[derive(Clone, Copy, Debug)]
struct Taken {
    wall: Duration,
    cpu: Duration,
}

fn measure(entries: u64) -> Result<(), Failure> {
    let installation = Installation::new("rsa-2048")?;
    // The offices' own certificates come into the inventory first.
    let services = installation.serve()?;
    settle(services.id())?;
    services.stop()?;
    let runtime = Runtime::new()?;
    let inventory = installation.ca().join("data/lifecycle");
    let now = SystemClock.now();
    {
        let (store, _) = EngineStore::open(
            &inventory,
            Options::new(installation.log_identity("lifecycle")?),
        )?;
        runtime.block_on(populate(&store, entries, now))?;
        runtime.block_on(store.close());
    }
    let services = installation.serve()?;
    settle(services.id())?;
    let file = inventory.join("publication/crl/application-1.crl");
    demand(&runtime, &installation)?;
    let mut published = Vec::new();
    let mut grown = 0;
    for _ in 0..ROUNDS {
        // Two CRLs never share a second; and what was freed goes back to the system meanwhile.
        settle(services.id())?;
        memory::forget_peak(services.id())?;
        let (before, resident) = (
            cpu::of_process(services.id())?,
            memory::resident(services.id())?,
        );
        let start = Instant::now();
        demand(&runtime, &installation)?;
        published.push(Taken {
            wall: start.elapsed(),
            cpu: cpu::of_process(services.id())?.since(before).total(),
        });
        grown = grown.max(memory::peak(services.id())?.saturating_sub(resident));
    }
    let rests_at = memory::resident(services.id())?;
    services.stop()?;
    let bytes = fs::read(&file)?;
    let listed = RevocationList::parse(&bytes)?.summary().entries;
    if listed != entries {
        return Err(format!("the CRL lists {listed} certificates").into());
    }
    let read = openssl(&installation, &file)?;
    let (store, _) = EngineStore::open(
        &inventory,
        Options::new(installation.log_identity("lifecycle")?),
    )?;
    let mut yardstick = Vec::new();
    for _ in 0..ROUNDS {
        yardstick.push(stream_and_hash(&runtime, &store, &bytes, entries)?);
    }
    runtime.block_on(store.close());
    let mut from_disk = Vec::new();
    for _ in 0..ROUNDS {
        from_disk.push(read_and_hash(&inventory.join("index"), &bytes, entries)?);
    }

    let mut out = io::stdout().lock();
    writeln!(
        out,
        "a CRL of {entries} entries, {} bytes; {read}",
        bytes.len()
    )?;
    let (yard, crl, disk) = (middle(yardstick), middle(published), middle(from_disk));
    let mut line = |what: &str, taken: Taken| {
        let (wall, cpu) = (
            taken.wall.as_secs_f64() * 1e3,
            taken.cpu.as_secs_f64() * 1e3,
        );
        writeln!(out, "{what:<50} {wall:>7.0} ms  {cpu:>7.0} ms of CPU")
    };
    line("yardstick: stream the entries, hash the bytes", yard)?;
    line("read the entries from the disk, hash the bytes", disk)?;
    line("written, signed and published", crl)?;
    let times = |of: Taken| crl.wall.as_secs_f64() / of.wall.as_secs_f64();
    writeln!(
        out,
        "{:.2} times the yardstick, {:.2} times the reading from the disk; the aim is under {AIM}",
        times(yard),
        times(disk)
    )?;
    writeln!(
        out,
        "the services' memory grew by {} MB at most; the aim is under {} MB; they rest at {} MB",
        grown / 1_000_000,
        MEMORY / 1_000_000,
        rests_at / 1_000_000
    )?;
    Ok(())
}

/// Certificates that are all revoked, as the feed and intake would have told of them.
async fn populate(store: &EngineStore, entries: u64, now: Timestamp) -> Result<(), Failure> {
    let subject = Subject {
        body: scene::names("Synthetic Body", "模擬団体")?,
        unit: None,
        name: scene::names("www.synthetic.lg.jp", "www.synthetic.lg.jp")?,
    };
    let first = store.position().await?;
    for slice in 0..entries.div_ceil(SLICE) {
        let numbers = slice * SLICE..((slice + 1) * SLICE).min(entries);
        // Over three years.
        let ago = i64::try_from((entries.div_ceil(SLICE) - slice) * 94_603).unwrap_or_default();
        let at = now.plus_seconds(-ago);
        let mut items = Vec::new();
        let mut orders = Vec::new();
        for n in numbers {
            // Revoked in no order of their numbers, so that neighbours on the list are of different days.
            let serial = bare::serial(n.wrapping_mul(0x9e37_79b9_7f4a_7c15))?;
            let application = ApplicationId::from_bytes(u128::from(n + 1).to_be_bytes());
            let validity = Validity::for_subscriber(now.jst_date());
            let issued = IssuedCertificate {
                application,
                authority: Authority::Application,
                branch: None,
                der: vec![0x30],
                generation: 1,
                issued_at: now,
                key_digest: Digest([7; 32]),
                kind: CertificateKind::WebServer,
                not_after: validity.not_after(),
                not_before: validity.not_before(),
                scope: CrlScope::User,
                serial,
                subject: subject.clone(),
            };
            items.push(FeedItem {
                index: first + n,
                event: FeedEvent::Issued(Box::new(issued)),
            });
            orders.push(RevocationOrder {
                command: ApplicationId::from_bytes(u128::from(n + 1 + entries).to_be_bytes()),
                serial,
                reason: RevocationReason::Superseded,
                branch: None,
                actor: "intake".to_owned(),
                answers_index: n,
            });
        }
        store.follow(items, at).await?;
        for outcome in store.revoke(orders, at).await? {
            outcome.map_err(|fault| fault.message)?;
        }
    }
    Ok(())
}

/// Demands a CRL as an operator does; returns when it is published.
fn demand(runtime: &Runtime, installation: &Installation) -> Result<(), Failure> {
    runtime.block_on(async {
        let channel = office::connect(&installation.ca(), "operator-1")?;
        let mut desk = ExaminationServiceClient::new(channel);
        let authority = wire(Authority::Application);
        desk.publish_crl_now(v1::PublishCrlNowRequest { authority })
            .await?;
        Ok(())
    })
}

/// How many entries the store tells, one stretch after the other.
async fn stream(store: &EngineStore) -> Result<u64, Failure> {
    let snapshot = store.snapshot(SERIES, Timestamp::default()).await?;
    let (mut streamed, mut after) = (0, None);
    loop {
        let stretch = store.listed(SERIES, snapshot, after).await?;
        let Some(last) = std::hint::black_box(&stretch).last() else {
            return Ok(streamed);
        };
        after = Some(last.serial);
        streamed += stretch.len() as u64;
    }
}

/// The entries out of the store, in order, and SHA-256 over the bytes of the CRL.
fn stream_and_hash(
    runtime: &Runtime,
    store: &EngineStore,
    bytes: &[u8],
    entries: u64,
) -> Result<Taken, Failure> {
    let cpu = cpu::of_this_thread();
    let start = Instant::now();
    let streamed = runtime.block_on(stream(store))?;
    if streamed != entries {
        return Err(format!("the store told {streamed} entries").into());
    }
    std::hint::black_box(sha256(bytes));
    Ok(Taken {
        wall: start.elapsed(),
        cpu: cpu::of_this_thread().saturating_sub(cpu),
    })
}

/// The records out of the index on disk, each of which holds up to sixteen certificates, and SHA-256 over the
/// bytes of the CRL.
fn read_and_hash(index: &Path, bytes: &[u8], entries: u64) -> Result<Taken, Failure> {
    // As the store opens it.
    let config = sled::Config::new().path(index);
    let index = config.cache_capacity(64 * 1024 * 1024).open()?;
    let start = Instant::now();
    let cpu = cpu::of_this_thread();
    let mut read = 0;
    for record in index.iter() {
        std::hint::black_box(record?);
        read += 1;
    }
    if read == 0 {
        return Err(format!("the index holds nothing of {entries} certificates").into());
    }
    std::hint::black_box(sha256(bytes));
    Ok(Taken {
        wall: start.elapsed(),
        cpu: cpu::of_this_thread().saturating_sub(cpu),
    })
}

fn middle(mut rounds: Vec<Taken>) -> Taken {
    rounds.sort_by_key(|taken| taken.wall);
    rounds[rounds.len() / 2]
}

/// Waits until the process has had nothing to do for two seconds.
fn settle(process: u32) -> Result<(), Failure> {
    let mut quiet = 0;
    let mut last = cpu::of_process(process)?;
    for _ in 0..600 {
        thread::sleep(Duration::from_millis(500));
        let now = cpu::of_process(process)?;
        let idle = now.since(last).total() <= Duration::from_millis(20);
        quiet = if idle { quiet + 1 } else { 0 };
        if quiet == 4 {
            return Ok(());
        }
        last = now;
    }
    Err("the services do not come to rest".into())
}

/// What openssl says of the CRL, which it must read and whose signature it must accept.
fn openssl(installation: &Installation, file: &Path) -> Result<String, Failure> {
    let ca: PathBuf = installation.ca().join("ca/application.pem");
    let mut command = Command::new("openssl");
    command.args(["crl", "-inform", "DER", "-noout", "-crlnumber", "-in"]);
    command.arg(file).arg("-CAfile").arg(ca);
    let Ok(said) = command.output() else {
        return Ok("openssl is not installed here and did not read it".to_owned());
    };
    let text = String::from_utf8_lossy(&said.stderr);
    if said.status.success() && text.contains("verify OK") {
        let number = String::from_utf8_lossy(&said.stdout);
        return Ok(format!("openssl reads and verifies it: {}", number.trim()));
    }
    Err(format!("openssl: {text}").into())
}
