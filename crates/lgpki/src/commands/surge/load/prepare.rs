//! `lgpki surge prepare`: makes an authority that has been there for years, with certificates that may be renewed today.
//!
//! It is made as `init` makes one and served as `serve` serves it, but on a clock that stands some years back, while its
//! branches apply, fetch and confirm as they did on any day then. Nothing gets into a store or a log by another way than
//! through the services' own doors. Whoever serves it afterwards, by the machine's clock, finds certificates within their
//! window (R2).

use std::{collections::HashMap, sync::Arc, time::Duration};

use indicatif::ProgressBar;
use lgpki_domain::{Clock as _, JstDate, Validity, validity::SUBSCRIBER_YEARS};
use lgpki_intake::store::EngineStore;
use lgpki_issuer::Ports;
use lgpki_keys::Passphrase;
use lgpki_proto::{ServiceName, v1};
use lgpki_runtime::{ShutdownTrigger, clock::SteppedClock, random::SystemRandomness, shutdown};
use lgpki_surge::{Act, Due};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    super::{
        super::{
            init,
            serve::{self, Surroundings},
        },
        front::{self, AT_ONCE, PATIENCE},
        rest,
    },
    desks::{self, Desk},
    pool::{self, Pool},
    size, wishes,
};
use crate::{
    cli::PrepareArgs,
    config::{Config, EXAMINATION},
    error::CommandError,
    office,
    output::{Output, sheet},
};

/// When on its first day the authority's branches apply: after its first CRLs.
const HOUR: i64 = 10 * 3_600;
/// Between two tries to log in: services hear of logins made by ceremony a moment after they are ready.
const AGAIN: Duration = Duration::from_millis(100);

/// Runs it.
pub(in super::super) fn run(args: &PrepareArgs, output: Output) -> Result<(), CommandError> {
    super::super::super::block_on(prepare(args, output))
}

async fn prepare(args: &PrepareArgs, output: Output) -> Result<(), CommandError> {
    let day = first_day(office::today(), args.expire_in);
    let clock = SteppedClock::new(day.start().plus_seconds(HOUR));
    let ports = Ports {
        clock: Arc::new(clock.clone()),
        randomness: Arc::new(SystemRandomness::new()),
    };
    let pool = Pool::open(&args.pool)?;
    let passphrase = init::new_passphrase(&args.init.passphrase)?;
    let bar = output.progress(5, "making the CA");
    let examination = automatic(EXAMINATION);
    let secret = passphrase.clone();
    init::make(&args.init, secret, &examination, &ports, || bar.inc(1)).await?;
    bar.finish_and_clear();
    let file = args.init.dir.join("lgpki.toml");
    let services = Services::start(&Config::load(&file)?, passphrase, ports).await?;
    let prepared = services.issue(args, (&pool, &clock), output).await;
    // Whatever came of it, the services end in good order.
    services.stop().await?;
    let branches = prepared?;

    let expire = Validity::for_subscriber(day).last_day();
    let json = serde_json::json!({
        "directory": args.init.dir, "configuration": file, "issued_from": day.to_string(),
        "expire_from": expire.to_string(), "certificates": args.certificates, "branches": branches,
    });
    output.result(&json, || {
        sheet(&[
            ("configuration", file.display().to_string()),
            (
                "certificates",
                format!(
                    "{} for web servers of {branches} branches",
                    args.certificates
                ),
            ),
            (
                "issued",
                format!("from {day} on, with the clock set back; they expire from {expire} on"),
            ),
        ])
    });
    output.say(format!("\nnext: lgpki serve --config {}", file.display()));
    output.say(format!(
        "then: lgpki surge load --offices {} --pool {} --mix issue=40,renew=50,revoke=10",
        args.init.dir.join("offices").display(),
        args.pool.display()
    ));
    Ok(())
}

/// The day on which must be issued what expires in so many months.
fn first_day(today: JstDate, months: u8) -> JstDate {
    today.plus_months(i32::from(months) - 12 * SUBSCRIBER_YEARS)
}

/// What is examined as usual, but for web servers' certificates: those are issued without an operator.
fn automatic(examination: &str) -> String {
    let lines = examination.lines().map(|line| {
        if line.starts_with("web-server = ") {
            "web-server = { mode = \"automatic\" }"
        } else {
            line
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The three services, in this process.
struct Services {
    trigger: ShutdownTrigger,
    ended: JoinHandle<Result<(), CommandError>>,
    store: Arc<EngineStore>,
}

impl Services {
    /// Starts them and waits until they are ready.
    async fn start(
        config: &Config,
        passphrase: Passphrase,
        ports: Ports,
    ) -> Result<Self, CommandError> {
        let (trigger, until) = shutdown::channel();
        let around = Surroundings {
            metrics: None,
            ports,
        };
        let signals = (trigger.clone(), until);
        let running =
            serve::start(config, &ServiceName::ALL, Some(passphrase), around, signals).await?;
        let readiness = running.readiness();
        let store = running.store();
        let mut ended = tokio::spawn(running.until_end());
        let ready = async {
            for service in &readiness {
                service.ready().await;
            }
        };
        let broken = |why: &str| CommandError::new(format!("the services {why}"));
        tokio::select! {
            () = ready => {}
            ended = &mut ended => {
                let ended = ended.map_err(|e| CommandError::from_error("the services", &e))?;
                return Err(ended.err().unwrap_or_else(|| broken("ended before they were ready")));
            }
            () = sleep(PATIENCE) => return Err(broken("do not become ready")),
        }
        Ok(Self {
            trigger,
            ended,
            store: store.ok_or_else(|| broken("run without intake"))?,
        })
    }

    /// Lets them finish what they have under way, and ends them.
    async fn stop(self) -> Result<(), CommandError> {
        drop(self.store);
        self.trigger.request();
        let ended = self.ended.await;
        ended.map_err(|e| CommandError::from_error("the services", &e))?
    }

    /// Has every branch apply for its certificates, fetch and confirm them; gives how many branches there are.
    async fn issue(
        &self,
        args: &PrepareArgs,
        (pool, clock): (&Pool, &SteppedClock),
        output: Output,
    ) -> Result<usize, CommandError> {
        let desks = logged_in(args, output).await?;
        let count = size(u64::from(args.certificates));
        let bar = output.progress(count as u64, "making keys");
        let keys = pool.take(count, &bar)?;
        bar.finish_and_clear();
        let due: Vec<_> = (0..count).map(|n| due(n % desks.len())).collect();
        let run = pool::drawn()?;
        let named = (run.as_str(), clock.now().jst_date());
        let bar = output.progress(count as u64, "preparing requests");
        let wishes = wishes::prepare(named, &desks, (&due, keys), HashMap::new(), &bar)?;
        bar.finish_and_clear();
        let mut of_desk = vec![Vec::new(); desks.len()];
        for wish in wishes {
            of_desk[wish.desk].push(wish.request);
        }
        let bar = output.progress(count as u64, "issuing");
        for (desk, requests) in desks.iter().zip(of_desk) {
            let mut left = requests;
            while !left.is_empty() {
                left = self.send(desk, left, clock, &bar).await?;
            }
        }
        bar.finish_and_clear();
        Ok(desks.len())
    }

    /// Sends applications of a branch and brings home what is issued. Who is told to come back is given back, and the
    /// clock stands at that time then.
    async fn send(
        &self,
        desk: &Desk,
        requests: Vec<v1::SubmitApplicationRequest>,
        clock: &SteppedClock,
        bar: &ProgressBar,
    ) -> Result<Vec<v1::SubmitApplicationRequest>, CommandError> {
        let (mut left, mut wait) = (Vec::new(), Duration::ZERO);
        for some in requests.chunks(AT_ONCE) {
            let outcomes = front::submit(desk.channel(), some.to_vec()).await?;
            let mut ids = Vec::with_capacity(some.len());
            for (request, outcome) in some.iter().zip(outcomes) {
                match outcome {
                    Ok(application) => ids.push(application.id),
                    Err(refused) => {
                        let Some(after) = refused.retry_after else {
                            return Err(refused.into());
                        };
                        wait = wait.max(after);
                        left.push(request.clone());
                    }
                }
            }
            rest::at_rest(&self.store, clock.now()).await?;
            bar.inc(front::deliver(desk.channel(), ids).await?.len() as u64);
        }
        rest::at_rest(&self.store, clock.now()).await?;
        let millis = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        clock.set(clock.now().plus_millis(millis));
        Ok(left)
    }
}

async fn logged_in(args: &PrepareArgs, output: Output) -> Result<Vec<Desk>, CommandError> {
    let dirs = desks::officers(&args.init.dir.join("offices"), &[])?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match desks::log_in(dirs.clone(), None, output).await {
            Ok((desks, _)) => return Ok(desks),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => sleep(AGAIN).await,
        }
    }
}

/// A new certificate of this office.
const fn due(office: usize) -> Due {
    Due {
        at: Duration::ZERO,
        office,
        act: Act::Issue,
        flooding: false,
        first: true,
    }
}

#[cfg(test)]
mod tests {
    use lgpki_domain::RenewalWindow;

    use super::*;

    #[test]
    fn what_was_issued_on_the_first_day_is_within_its_window_today_whatever_day_it_is() {
        let mut today: JstDate = "2026-01-01".parse().unwrap();
        for _ in 0..800 {
            for months in 1..=5 {
                let validity = Validity::for_subscriber(first_day(today, months));
                let window = RenewalWindow::of(validity.last_day());
                assert!(window.opens() <= today, "{today}, {months} months");
                assert!(today < validity.last_day(), "{today}, {months} months");
            }
            today = today.plus_days(1);
        }
    }

    #[test]
    fn web_servers_need_no_operator_and_the_others_stay_as_they_are() {
        let changed = automatic(EXAMINATION);
        let lines = || EXAMINATION.lines().zip(changed.lines());
        assert_eq!(lines().filter(|(from, to)| from != to).count(), 1);
        assert!(changed.contains("\nweb-server = { mode = \"automatic\" }\n"));
        assert_eq!(changed.lines().count(), EXAMINATION.lines().count());
    }
}
