//! The surge, simulated: who renews when, how long they wait, and what capacity it takes.
//!
//! A [`Population`] is an inventory of certificates, made up from the table of prefectures or read from a running
//! system. A [`Trace`] says who applies when, by a [`Habit`]; [`simulate`] sends it through the examiners' queue in one
//! of the orders of `lgpki_domain::order`; a [`Report`] tells what came of it. Nothing here talks to a service, makes a
//! key or signs: it is arithmetic on the same rules, three years in a second, and every report says so. The same
//! input and seed give the same report on every machine.

mod chart;
mod dice;
mod habit;
mod plan;
mod population;
mod report;
mod simulation;
mod trace;

pub use chart::svg;
pub use habit::Habit;
pub use plan::{Answer, Plan, Settings, plan};
pub use population::{Holding, Population};
pub use report::{Fairness, Report, Totals, Waits, Week};
pub use simulation::{Outcome, simulate};
pub use trace::{Arrival, Trace};

#[cfg(test)]
mod tests;
