//! The surge: who renews when, how long they wait, and what capacity it takes; simulated, or as a replay through the
//! services found it.
//!
//! A [`Population`] is an inventory of certificates, made up from the table of prefectures or read from a running
//! system. A [`Trace`] says who applies when, by a [`Habit`]; [`simulate`] sends it through the examiners' queue in one
//! of the orders of `lgpki_domain::order`; a [`Report`] tells what came of it, and a [`Replay`] tells it of
//! applications that somebody sent through the services. A [`Schedule`] is the load for a running system, a
//! [`LoadReport`] what came of it. Nothing here talks to a service, makes a
//! key or signs: it is arithmetic on the same rules, three years in a second, and every report says so. The same
//! input and seed give the same report on every machine.

mod chance;
mod chart;
mod dice;
mod habit;
mod html;
mod load;
mod pace;
mod plan;
mod population;
mod replay;
mod report;
mod simulation;
mod trace;

pub use chance::Chance;
pub use chart::{Curve, draw, svg};
pub use habit::{Habit, Visits};
pub use html::Page;
pub use load::{
    Act, ActReport, Aim, Before, Demand, Due, Flood, GroupReport, Heard, Latencies, LoadBooks,
    LoadPlan, LoadReport, Mix, Processes, Profile, Quantiles, Reply, Returns, Schedule, Second,
    Side, Tally, load_page,
};
pub use pace::Pace;
pub use plan::{Answer, Basis, CapacityFrom, CapacityOf, Plan, Settings, plan};
pub use population::{Holding, Population};
pub use replay::{Books, Case, Effort, Estimates, Noted, Played, Replay, percent};
pub use report::{Fairness, Report, Totals, Waits, Week};
pub use simulation::{Outcome, simulate};
pub use trace::{Arrival, Trace, steady};

#[cfg(test)]
mod tests;
