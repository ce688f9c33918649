//! One measurement from beginning to end.

use std::{collections::HashSet, io::Write, time::Duration};

use lgpki_domain::{Clock, KeyAlgorithm, Timestamp};
use lgpki_runtime::clock::SystemClock;
use tokio::{task::JoinSet, time};
use tonic::transport::Channel;

use crate::{
    Failure, audit_log, bare,
    bare::{Bare, Ca},
    cpu::{self, Spent},
    installation::{Installation, Services},
    load::{self, Delivered},
    report::Measured,
    scene::{self, Branch},
    verify,
};

/// Repetitions of the bare operations on each thread, before and again after the load.
const BARE: usize = 1500;
/// How long the services are given to write behind what they have acknowledged; it is counted.
const SETTLE: Duration = Duration::from_secs(2);

/// Measures `count` certificates of one algorithm.
pub fn run(algorithm: KeyAlgorithm, count: usize) -> Result<Measured, Failure> {
    let say = |text: &str| {
        // Progress is for people; nothing depends on it.
        let _ = writeln!(std::io::stderr(), "{algorithm}: {text}");
    };
    let branches = scene::branches(algorithm, count, say)?;
    let sample: Vec<_> = branches
        .iter()
        .flat_map(|b| b.orders.iter().take(50).cloned())
        .collect();
    let now = SystemClock.now();
    let ca = Ca::new(algorithm, now)?;
    let mut yardsticks = vec![bare::measure(&ca, &sample, BARE, now)?];
    say("making an installation");
    let installation = Installation::new(algorithm.name())?;
    let services = installation.serve()?;
    say(&format!(
        "applying for {count} certificates; the services are process {}",
        services.id()
    ));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let path = runtime.block_on(whole_path(&installation, &services, &branches));
    let path = path.map_err(|e| format!("{e}\n{}", tail(&services.log())))?;
    yardsticks.push(bare::measure(&ca, &sample, BARE, now)?);
    say("stopping the services");
    drop(runtime);
    services.stop()?;
    say("writing the logs once more");
    // The publisher looks at most once a second.
    let rounds = usize::try_from((path.wall + SETTLE).as_secs())? + 1;
    let log = audit_log::measure(&installation, rounds)?;
    Ok(Measured::new(
        algorithm,
        count,
        Bare::mean(&yardsticks),
        (path.spent, path.wall),
        log,
    ))
}

/// What the whole path took.
struct Path {
    spent: Spent,
    wall: Duration,
}

async fn whole_path(
    installation: &Installation,
    services: &Services,
    branches: &[Branch],
) -> Result<Path, Failure> {
    let ca = installation.ca();
    load::lift_limits(&ca).await?;
    load::register(&ca, branches).await?;
    let channels = load::log_in(&ca, branches).await?;
    let requests: Vec<_> = branches.iter().map(load::requests).collect();
    let (spent_before, began) = (cpu::of_process(services.id())?, SystemClock.now());
    let mut driven = JoinSet::new();
    for (number, (channel, requests)) in channels.iter().cloned().zip(requests).enumerate() {
        driven.spawn(async move { (number, load::drive(channel, requests).await) });
    }
    let mut delivered: Vec<(usize, Vec<Delivered>)> = Vec::new();
    while let Some(done) = driven.join_next().await {
        let (number, outcome) = done?;
        delivered.push((number, outcome?));
    }
    let wall = since(began);
    time::sleep(SETTLE).await;
    let spent = cpu::of_process(services.id())?.since(spent_before);
    check(&ca, branches, &channels, &delivered).await?;
    Ok(Path { spent, wall })
}

async fn check(
    ca: &std::path::Path,
    branches: &[Branch],
    channels: &[Channel],
    delivered: &[(usize, Vec<Delivered>)],
) -> Result<(), Failure> {
    let mut serials = HashSet::new();
    for (number, delivered) in delivered {
        let (branch, channel) = branches
            .get(*number)
            .zip(channels.get(*number))
            .ok_or("there is no such branch")?;
        verify::certificates(ca, branch, delivered, &mut serials)?;
        verify::inventory(channel.clone(), delivered).await?;
    }
    Ok(())
}

fn since(began: Timestamp) -> Duration {
    let millis = SystemClock.now().as_millis() - began.as_millis();
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// The end of a log.
fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
