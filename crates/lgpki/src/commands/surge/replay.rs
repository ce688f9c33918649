//! `lgpki surge replay`: the three years through the real services.
//!
//! An authority is made in a throw-away directory and served over real sockets with mutual TLS, on a clock that is
//! stepped. Holders are those of the planner, with its habits; what they apply for, the examinations, certificates and
//! CRLs are real. Everything but the services happens on one thread. It ends well only if the books balance.

mod agenda;
mod books;
mod cpu;
mod offices;
mod play;
mod system;
mod told;
mod wishes;

use lgpki_domain::{
    BusinessCalendar, JstDate, estimate::Capacity, order::OrderName, prefecture::synthetic_bodies,
};
use lgpki_surge::{Basis, Case, Habit, Noted, Played, Population, Replay, Trace, Visits, steady};

use self::{
    agenda::Agenda,
    cpu::Begin,
    play::{Play, Script},
    system::{Rules, System},
};
use super::super::published_logs;
use crate::{cli::ReplayArgs, error::CommandError, output::Output};

/// What `--compare` puts side by side.
const COMPARED: [(Habit, OrderName); 5] = [
    (Habit::Procrastinate, OrderName::Fifo),
    (Habit::Procrastinate, OrderName::FifoPassing),
    (Habit::Procrastinate, OrderName::Fair),
    (Habit::Spread, OrderName::Fair),
    (Habit::Slots, OrderName::Fair),
];
/// Certificates signed in a second; of no account, for they are signed while the clock stands.
const SIGNATURES: u32 = 1_000_000;

/// Runs it.
pub(super) fn run(args: &ReplayArgs, output: Output) -> Result<(), CommandError> {
    // One thread: see `cpu`.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| CommandError::from_error("cannot start the runtime", &e))?;
    let wanted = if args.compare {
        COMPARED.to_vec()
    } else {
        vec![(args.habit.0, args.order.0)]
    };
    let mut replays = Vec::with_capacity(wanted.len());
    for (habit, order) in wanted {
        replays.push(runtime.block_on(replay(args, (habit, order), output))?);
    }
    if let Some(out) = &args.out {
        told::leave(out, &replays)?;
        output.say(format!(
            "left in {}: report.html waits.svg replay.json",
            out.display()
        ));
    }
    if let Some(path) = &args.svg {
        told::draw_waits(path, &replays)?;
        output.say(format!("wrote {}", path.display()));
    }
    if let Some(dir) = &args.audit {
        let dir = dir.display();
        output.say(format!(
            "left in {dir}: audit audit-keys; lgpki audit verify {dir}/audit checks them"
        ));
    }
    match replays.as_slice() {
        [replay] => output.result(replay, || told::single(replay)),
        replays => output.result(&serde_json::json!({ "replays": replays }), || {
            told::side_by_side(replays)
        }),
    }
    if replays.iter().all(|r| r.books.differences.is_empty()) {
        return Ok(());
    }
    Err(CommandError::new("the books do not balance")
        .hint("the report names the first differences under `books`"))
}

/// One replay.
async fn replay(
    args: &ReplayArgs,
    (habit, order): (Habit, OrderName),
    output: Output,
) -> Result<Replay, CommandError> {
    let calendar = BusinessCalendar::default();
    let population = Population::synthetic(&calendar, args.certificates, args.seed);
    let played = played(args, (habit, order), &population, &calendar)?;
    let per_day = played.basis.capacity_per_business_day;
    let capacity = Capacity::try_new(per_day, SIGNATURES)
        .ok_or_else(|| CommandError::new("nothing is ever issued with a capacity of nothing"))?;
    let (trace, visits) = if habit == Habit::Slots {
        let chosen = (args.ignoring, args.seed);
        let (trace, visits) = Trace::without_advised(&population, &calendar, chosen);
        (trace, Some(visits))
    } else {
        let chosen = (per_day, args.ignoring, args.seed);
        (Trace::new(&population, &calendar, habit, chosen), None)
    };
    let unadvised = u32::try_from(steady(&population, &calendar).div_ceil(100));
    let bodies = synthetic_bodies().into_iter();
    let bodies = bodies.map(|body| (body.code, body)).collect();
    let day = |text: &String| text.parse::<JstDate>().unwrap_or(population.last);
    let script = Script {
        calendar: &calendar,
        population: &population,
        arrivals: &trace.arrivals,
        bodies: &bodies,
        capacity,
        agenda: Agenda {
            step_minutes: played.step_minutes,
        },
        from: day(&played.from),
        to: day(&played.to),
    };
    let spinner = output.spinner();
    spinner.set_message("making the authority and the branches' logins");
    spinner.enable_steady_tick(std::time::Duration::from_millis(100));
    let rules = Rules {
        order,
        per_business_day: per_day,
        slots: visits
            .as_ref()
            .map(|_| (args.ignoring, unadvised.unwrap_or(u32::MAX))),
        seed: args.seed,
    };
    let mut play = begin(args, script, (rules, visits)).await?;
    spinner.finish_and_clear();
    let bar = output.progress(play.days(), "replaying days");
    let begun = Begin::now();
    while let Some(today) = play.step().await? {
        bar.set_position(play.day_of(today));
    }
    let effort = begun.cost(play.record.steps);
    bar.finish_and_clear();
    let Play {
        mut system,
        offices,
        record,
        ..
    } = play;
    let closing = script.to.start().plus_seconds(17 * 3600);
    let end = system.now().max(closing);
    system.clock().set(end);
    let books = books::balance(&system, &offices, &record).await?;
    system.stop_all().await?;
    if let Some(dir) = &args.audit {
        published_logs::leave(dir, &system.dir())?;
    }
    let cases: Vec<Case> = record.entries.iter().map(|entry| entry.case).collect();
    let noted = Noted {
        played,
        sizes: population.sizes(),
        imported: record.imported.len() as u64,
        retries: record.retries,
        refused: record.refused,
        books,
        effort,
        end,
    };
    Ok(Replay::new(noted, &cases, &calendar))
}

fn played(
    args: &ReplayArgs,
    (habit, order): (Habit, OrderName),
    population: &Population,
    calendar: &BusinessCalendar,
) -> Result<Played, CommandError> {
    let from = args.from.unwrap_or(population.first);
    let to = args.to.unwrap_or(population.last);
    if to < population.first || population.last < to || to < from {
        let (first, last) = (population.first, population.last);
        let message = format!("--from {from} and --to {to} do not name a time within the replay");
        return Err(CommandError::new(message).hint(format!("it runs from {first} to {last}")));
    }
    Ok(Played {
        habit: habit.name(),
        order: order.name().to_owned(),
        basis: Basis::new(population, calendar, (args.capacity.0, args.seed)),
        ignoring_percent: args.ignoring,
        seed: args.seed,
        certificates: population.holdings.len() as u64,
        first: population.first.to_string(),
        from: from.to_string(),
        to: to.to_string(),
        step_minutes: args.step.parse().unwrap_or(15),
    })
}

/// Makes the authority, gives everybody a login, and fills the directories.
async fn begin<'a>(
    args: &ReplayArgs,
    script: Script<'a>,
    (rules, visits): (Rules, Option<Visits>),
) -> Result<Play<'a>, CommandError> {
    let first = script.population.first;
    let mut system = System::found(args.data.as_deref(), first, rules).await?;
    let branches: Vec<_> = script.population.sizes().into_keys().flatten().collect();
    let cards = system.logins(&branches).await?;
    system.start().await?;
    let play = Play::new(script, system, cards, visits).await?;
    play.register().await?;
    Ok(play)
}
