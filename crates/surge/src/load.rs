//! The load on a running system: who applies for what and when, and what came of it.
//!
//! A [`Schedule`] follows from a [`Demand`] and its seed. Whoever drives a system by it notes every answer in a [`Tally`],
//! with the time from the moment at which the application was due, so that a slow answer is not hidden by
//! what was sent late because of it. A [`LoadReport`] tells it all. Nothing here talks to anything or reads a clock.

mod aims;
mod latency;
mod lines;
mod mix;
mod page;
mod profile;
mod report;
mod schedule;
mod tally;

pub use aims::{Aim, Before};
pub use latency::{Latencies, Quantiles};
pub use mix::{Act, Mix};
pub use page::load_page;
pub use profile::Profile;
pub use report::{ActReport, GroupReport, LoadBooks, LoadPlan, LoadReport, Processes, Returns};
pub use schedule::{Demand, Due, Flood, Schedule};
pub use tally::{Heard, Reply, Second, Side, Tally};
