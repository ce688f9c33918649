//! `lgpki surge load`: drives a running system as many front ends would.
//!
//! Real logins, real requests, no short cut past the services' doors. What is due is drawn before anything is sent, and
//! times count from when an application was due. It ends well only if everything that was acknowledged is there.

mod books;
mod desks;
mod drive;
mod pool;
mod prepare;
mod processes;
mod told;
mod wishes;

use std::{collections::HashMap, sync::Arc, time::Duration};

use lgpki_surge::{Act, Demand, Due, Flood, LoadPlan, LoadReport, Profile, Schedule, Tally};
use tokio::task::JoinSet;

pub(super) use self::prepare::run as prepare;
use self::{
    desks::Desk,
    drive::{Drive, Sent, lock},
    pool::Pool,
    processes::Watch,
    wishes::Wish,
};
use crate::{
    cli::{LoadArgs, OfficeArgs},
    error::CommandError,
    office,
    output::Output,
};

/// Between two looks at how it goes.
const LOOK: Duration = Duration::from_millis(250);

/// Runs it.
pub(super) fn run(
    office: &OfficeArgs,
    args: &LoadArgs,
    output: Output,
) -> Result<(), CommandError> {
    let pool = Pool::open(&args.pool)?;
    if let Some(wanted) = args.prepare {
        let bar = output.progress(u64::from(wanted), "making keys");
        pool.fill(size(u64::from(wanted)), &bar)?;
        bar.finish_and_clear();
        let stock = pool.stock()?;
        output.result(&serde_json::json!({ "keys": stock }), || {
            format!("{stock} keys lie in {}", args.pool.display())
        });
        return Ok(());
    }
    // Before anything is sent: a run whose comparison cannot be read would be for nothing.
    let before = args.beside.as_deref().map(told::before).transpose()?;
    let report = super::super::block_on(load(office, args, &pool, output))?;
    let report = report.held_against(before.as_ref());
    if let Some(out) = &args.out {
        told::leave(out, &report)?;
        output.say(format!("left in {}: report.html load.json", out.display()));
    }
    output.result(&report, || told::single(&report));
    if report.books.missing.is_empty() {
        return Ok(());
    }
    let missing = report.books.missing.len();
    Err(CommandError::new(format!(
        "{missing} applications were acknowledged and are not there"
    ))
    .hint("the report names them under `books`"))
}

async fn load(
    office: &OfficeArgs,
    args: &LoadArgs,
    pool: &Pool,
    output: Output,
) -> Result<LoadReport, CommandError> {
    let dirs = match &args.offices {
        Some(dir) => desks::officers(dir, &args.branches)?,
        None => vec![office.office.clone()],
    };
    let (desks, server) = desks::log_in(dirs, office.pin_file.as_deref(), output).await?;
    let schedule = schedule(args, &desks)?;
    let run = pool::drawn()?;
    let wishes = made_ready((&run, pool), &desks, schedule.due(), output).await?;
    let plan = plan(args, (run.clone(), server), &desks);
    let by_second = match args.workers {
        Some(_) => Vec::new(),
        None => schedule.by_second(),
    };
    let drive = Arc::new(Drive::new(desks, Tally::new(&by_second), args));
    let mut followers = JoinSet::new();
    if args.mix.share(Act::Revoke) > 0 {
        for desk in 0..drive.desks.len() {
            followers.spawn(drive::follow(drive.clone(), desk, wishes::prefix(&run)));
        }
    }
    let bar = told::bar(output, args.seconds);
    let ticking = tokio::spawn({
        let (drive, bar) = (drive.clone(), bar.clone());
        async move {
            loop {
                told::tick(&bar, &drive);
                tokio::time::sleep(LOOK).await;
            }
        }
    });
    let watch = Watch::begin(&args.processes)?;
    match args.workers {
        Some(workers) => {
            let within = (workers, args.seconds);
            drive.closed_loop(within, &schedule, wishes).await;
        }
        None => drive.open_loop(&schedule, wishes).await,
    }
    let seconds = drive.elapsed().as_secs_f64();
    let processes = watch.end()?;
    ticking.abort();
    followers.abort_all();
    bar.finish_and_clear();
    let sent: Sent = lock(&drive.sent).clone();
    let looks = sent.acknowledged.len() + sent.unanswered.len();
    let bar = output.progress(looks as u64, "looking whether all is there");
    let books = books::balance(&drive, &sent, &bar).await?;
    bar.finish_and_clear();
    let report = LoadReport::new(plan, &lock(&drive.tally), (processes, books));
    Ok(LoadReport {
        sent: sent.acts,
        instead: sent.instead,
        seconds,
        ..report
    })
}

/// What is due. Workers take from it in its order, whatever its times are.
fn schedule(args: &LoadArgs, desks: &[Desk]) -> Result<Schedule, CommandError> {
    let flood = args.flood.map(|flood| {
        let branch = flood.branch.to_string();
        let office = desks.iter().position(|desk| desk.branch == branch);
        let office = office.ok_or_else(|| {
            CommandError::new(format!(
                "branch {branch} is to flood, but is none of the offices"
            ))
            .hint("name a branch whose office lies in --offices")
        })?;
        let rate = flood.rate;
        Ok::<_, CommandError>(Flood { office, rate })
    });
    let flood = flood.transpose()?;
    let (rate, seconds) = match args.workers {
        Some(_) => (args.applications, 1),
        None => (args.rate, args.seconds),
    };
    Ok(Schedule::new(&Demand {
        rate,
        seconds,
        profile: match args.workers {
            Some(_) => Profile::Steady,
            None => args.profile.0,
        },
        mix: args.mix,
        batch: args.batch,
        offices: desks.len(),
        flood,
        seed: args.seed,
    }))
}

fn plan(args: &LoadArgs, (run, server): (String, String), desks: &[Desk]) -> LoadPlan {
    let open = args.workers.is_none();
    let flood = args
        .flood
        .map(|flood| (flood.branch.to_string(), flood.rate));
    LoadPlan {
        run,
        server,
        offices: desks.len(),
        rate: open.then_some(args.rate),
        workers: args.workers,
        profile: open.then_some(args.profile.0),
        flood,
        mix: args.mix,
        batch: args.batch,
        seconds: args.seconds,
        seed: args.seed,
    }
}

/// Everything that is due, ready to be sent: nothing is made or signed while it runs.
async fn made_ready(
    (run, pool): (&str, &Pool),
    desks: &[Desk],
    due: &[Due],
    output: Output,
) -> Result<Vec<Wish>, CommandError> {
    let mut renewable = HashMap::new();
    for (number, desk) in desks.iter().enumerate() {
        let renewals = due
            .iter()
            .filter(|due| due.office == number && due.act == Act::Renew);
        let most = renewals.count();
        if most > 0 {
            renewable.insert(number, desk.renewable(most).await?);
        }
    }
    let bar = output.progress(due.len() as u64, "making keys");
    let keys = pool.take(due.len(), &bar)?;
    bar.finish_and_clear();
    let bar = output.progress(due.len() as u64, "preparing requests");
    let wishes = wishes::prepare((run, office::today()), desks, (due, keys), renewable, &bar)?;
    bar.finish_and_clear();
    Ok(wishes)
}

fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
