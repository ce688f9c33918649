//! `lgpki surge`: the load and what prepares for it, the replay, and the plan: the simulated queue, told in tables, drawn, and as JSON.

mod front;
mod load;
mod replay;
mod rest;
mod rows;
mod told;

use std::fs;

use lgpki_domain::{BodyCode, BusinessCalendar, CertificateKind, JstDate, order::OrderName};
use lgpki_proto::{
    convert::wire,
    v1::{self, certificate_service_client::CertificateServiceClient},
};
use lgpki_surge::{CapacityOf, Habit, Plan, Population, Settings};
use serde_json::json;

use super::forecast::chart::grouped;
use crate::{
    cli::{OfficeArgs, PlanArgs, SurgeCommand},
    error::CommandError,
    office::{self, Office},
    output::Output,
};

/// Days of expiry asked for at once; a row of each branch has a number for each of them.
const DAYS_AT_ONCE: i32 = 180;

/// What `--compare` puts side by side.
const COMPARED: [(Habit, OrderName); 6] = [
    (Habit::Procrastinate, OrderName::Fifo),
    (Habit::Procrastinate, OrderName::FifoPassing),
    (Habit::Procrastinate, OrderName::Fair),
    (Habit::Procrastinate, OrderName::EarliestExpiry),
    (Habit::Spread, OrderName::Fair),
    (Habit::Slots, OrderName::Fair),
];

/// Runs one command.
pub(crate) fn run(
    office: &OfficeArgs,
    command: SurgeCommand,
    output: Output,
) -> Result<(), CommandError> {
    let args = match command {
        SurgeCommand::Plan(args) => args,
        SurgeCommand::Replay(args) => return replay::run(&args, output),
        SurgeCommand::Prepare(args) => return load::prepare(&args, output),
        SurgeCommand::Load(args) => return load::run(office, &args, output),
    };
    let calendar = BusinessCalendar::new(args.hours, &args.closed.iter().copied().collect());
    let population = if args.live {
        super::block_on(live(office, &args, &calendar))?
    } else {
        Population::synthetic(&calendar, args.certificates, args.seed)
    };
    if args.compare {
        compare(&population, &calendar, &args, output)
    } else {
        single(&population, &calendar, &args, output)
    }
}

fn settings(args: &PlanArgs, habit: Habit, order: OrderName, search: bool) -> Settings {
    let capacity = match args.examiners {
        Some(examiners) => CapacityOf::Given(examiners.saturating_mul(args.per_examiner)),
        None => args.capacity.0,
    };
    Settings {
        habit,
        order,
        capacity,
        signatures_per_second: args.signatures,
        ignoring_percent: args.ignoring,
        seed: args.seed,
        search,
    }
}

fn simulate(
    population: &Population,
    calendar: &BusinessCalendar,
    settings: Settings,
) -> Result<Plan, CommandError> {
    lgpki_surge::plan(population, calendar, settings)
        .ok_or_else(|| CommandError::new("nothing is ever issued with a capacity of nothing"))
}

fn single(
    population: &Population,
    calendar: &BusinessCalendar,
    args: &PlanArgs,
    output: Output,
) -> Result<(), CommandError> {
    let spinner = output.spinner();
    spinner.set_message("simulating");
    spinner.enable_steady_tick(std::time::Duration::from_millis(100));
    let settings = settings(args, args.habit.0, args.order.0, true);
    let plan = simulate(population, calendar, settings)?;
    spinner.finish_and_clear();
    draw(args, std::slice::from_ref(&plan), output)?;
    output.result(&plan, || told::single(&plan, args.per_examiner));
    Ok(())
}

fn compare(
    population: &Population,
    calendar: &BusinessCalendar,
    args: &PlanArgs,
    output: Output,
) -> Result<(), CommandError> {
    let bar = output.progress(COMPARED.len() as u64, "simulating");
    let mut plans = Vec::new();
    for (habit, order) in COMPARED {
        let settings = settings(args, habit, order, false);
        plans.push(simulate(population, calendar, settings)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    draw(args, &plans, output)?;
    output.result(&json!({ "plans": plans }), || told::side_by_side(&plans));
    Ok(())
}

fn draw(args: &PlanArgs, plans: &[Plan], output: Output) -> Result<(), CommandError> {
    let (Some(path), Some(first)) = (&args.svg, plans.first()) else {
        return Ok(());
    };
    let title = format!(
        "{} certificates, {} applications examined in a business day",
        grouped(first.certificates),
        first.basis.capacity_per_business_day
    );
    fs::write(path, lgpki_surge::svg(&title, plans))
        .map_err(|e| CommandError::file("write", path, &e))?;
    output.say(format!("wrote {}", path.display()));
    Ok(())
}

/// The unrevoked certificates of a running system, by branch and last day.
async fn live(
    login: &OfficeArgs,
    args: &PlanArgs,
    calendar: &BusinessCalendar,
) -> Result<Population, CommandError> {
    let office = Office::open(login)?;
    let today = office::today();
    let mut client = CertificateServiceClient::new(office.channel());
    let mut held = Vec::new();
    let mut from = Some(today);
    let last = today.plus_months(37);
    while let Some(first) = from.filter(|day| *day <= last) {
        let to = first.plus_days(DAYS_AT_ONCE - 1);
        let request = v1::GetExpiryHistogramRequest {
            from: first.to_string(),
            to: to.to_string(),
            bucket: v1::HistogramBucket::Day.into(),
            group_by: v1::HistogramGrouping::Branch.into(),
            kinds: CertificateKind::APPLICABLE.map(wire).to_vec(),
            ..Default::default()
        };
        let answer = client.get_expiry_histogram(request).await;
        let answer = answer.map_err(|status| CommandError::from(status).at(office.server()))?;
        read(&answer.into_inner(), &mut held)?;
        from = Some(to.plus_days(1));
    }
    if held.is_empty() {
        return Err(CommandError::new("there is no certificate to plan for")
            .hint("leave --live out for made-up ones"));
    }
    Ok(Population::live(
        calendar,
        today,
        &held,
        (args.new_per_day, args.seed),
    ))
}

fn read(
    answer: &v1::GetExpiryHistogramResponse,
    held: &mut Vec<(Option<BodyCode>, JstDate, u32)>,
) -> Result<(), CommandError> {
    let strange =
        || CommandError::new("the server's histogram cannot be read").hint("update this program");
    for row in &answer.rows {
        let branch = match row.branch.as_str() {
            "" => None,
            code => Some(code.parse().map_err(|_| strange())?),
        };
        for (day, certificates) in answer.buckets.iter().zip(&row.unrevoked) {
            if *certificates > 0 {
                held.push((branch, day.parse().map_err(|_| strange())?, *certificates));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_read_by_branch_and_day() {
        let row = |branch: &str, unrevoked: &[u32]| v1::HistogramRow {
            branch: branch.to_owned(),
            unrevoked: unrevoked.to_vec(),
            ..Default::default()
        };
        let mut answer = v1::GetExpiryHistogramResponse {
            buckets: vec![String::from("2011-02-03"), String::from("2011-02-04")],
            rows: vec![row("01001", &[0, 7]), row("", &[1, 0])],
            ..Default::default()
        };
        let mut held = Vec::new();
        read(&answer, &mut held).unwrap();
        let day = |text: &str| text.parse::<JstDate>().unwrap();
        assert_eq!(
            held,
            [
                (BodyCode::try_new(1, 1), day("2011-02-04"), 7),
                (None, day("2011-02-03"), 1)
            ]
        );
        answer.rows[0].branch = String::from("Hokkaido");
        assert!(read(&answer, &mut held).is_err());
    }
}
