//! What can be asked of the planner and the replay.

use std::{path::PathBuf, str::FromStr};

use clap::{Args, Subcommand};

use lgpki_domain::{BusinessHours, JstDate, order::OrderName};
use lgpki_surge::{CapacityOf, Habit};

use super::{
    HabitChoice, OrderChoice,
    load::{LoadArgs, PrepareArgs},
};

/// Workloads.
#[derive(Debug, Subcommand)]
pub(crate) enum SurgeCommand {
    /// Simulate the queue: with so many examiners and signatures, when does it clear, whose certificate expires waiting,
    /// and what capacity keeps the wait under a day? No service is asked (except for --live), and nothing is signed.
    #[command(
        after_help = "Examples:\n  lgpki surge plan                               the three years of the sources, made up: what they feared\n  \
                      lgpki surge plan --habit slots                 the same years in the slots that are advised\n  \
                      lgpki surge plan --compare --svg surge.svg     habits and orders side by side\n  \
                      lgpki surge plan --compare --capacity least    at the least capacity at which nobody need expire\n  \
                      lgpki surge plan --examiners 8 --signatures 50 what eight examiners can do\n  \
                      lgpki surge --as ca/offices/operator-1 plan --live --examiners 8\n                                                 \
                      what is coming for the certificates of a running system\n\n\
                      Everything is simulated, with the product's own rules of order, slots and business days. Without --examiners \
                      or --capacity the capacity is 1.2 times the mean daily load of the renewal window."
    )]
    Plan(PlanArgs),
    /// Play the three years from 2008-02-04 to 2011-03-31 through the real services: real gRPC, keys, signatures and
    /// daily CRLs, on a clock that moves on whenever nothing is left to do. Then balance the books.
    #[command(
        after_help = "Examples:\n  lgpki surge replay --order fifo --out replay\n                                             what the sources feared, as HTML, SVG and JSON\n  \
                      lgpki surge replay --habit slots           the same years in the slots that are advised\n  \
                      lgpki surge replay --compare --out replay  habits and orders side by side in one picture, and the optimum\n  \
                      lgpki surge replay --compare --capacity least\n                                             \
                      the same at the least capacity at which nobody need expire\n  \
                      lgpki surge replay --certificates 1000 --from 2010-12-01\n                                             \
                      a small one, without the steady years\n  \
                      lgpki surge replay --audit years           its logs too, for `lgpki audit verify years/audit`\n\n\
                      Everything happens in a throw-away directory and touches no other system. Holders, their habits and the \
                      examiners' pace are made up; keys, applications, examinations, certificates and CRLs are real. Without \
                      --capacity it is 1.2 times the mean daily load of the renewal window."
    )]
    Replay(ReplayArgs),
    Prepare(PrepareArgs),
    /// Drive a running system as many branches' front ends would, at a rate of your choice, and report how long answers
    /// took, what was refused, and whether everything that was acknowledged is there. It leaves real certificates.
    #[command(
        after_help = "Examples:\n  lgpki surge load --offices ca/offices --rate 100 --seconds 60 --out load\n                                            \
                      100 applications a second from all branch officers\n  \
                      lgpki surge load --offices ca/offices --workers 16\n                                            \
                      as fast as 16 front ends are answered\n  \
                      lgpki surge load --offices ca/offices --rate 20 --flood 01001=2000\n                                            \
                      one branch floods; what do the others feel?\n  \
                      lgpki surge load --offices ca/offices --profile 2011 --mix issue=70,renew=20,revoke=10\n  \
                      lgpki surge load --offices ca/offices --rate 200 --batch 50\n                                            \
                      streams of 50 applications, each answered by itself\n  \
                      lgpki surge load --as ca/offices/branch-officer-01001 --rate 10 --pid $(pidof lgpki)\n                                            \
                      one office, the services' processor time and memory beside it\n  \
                      lgpki surge load --prepare 100000         only make keys for later runs\n\n\
                      Every application is for a web server below load.lg.jp, examined by the branch; revocations are of \
                      certificates that this run applied for (a compromised key), and renewals of whatever certificates of the \
                      branch are within their window: they supersede these, so give renew a share only where that may be. An authority \
                      that is three years old, with certificates in their window, is made by `lgpki surge prepare`. The system's \
                      own limits hold: `lgpki operator limits` shows and changes them, and whether web servers' certificates are issued without an \
                      operator stands in lgpki.toml. The load is a program like others and takes processor time of its own, \
                      which it reports."
    )]
    Load(LoadArgs),
}

/// A capacity as it is written: a number, `least`, or `derived`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CapacityChoice(pub(crate) CapacityOf);

impl FromStr for CapacityChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = match text {
            "derived" => Some(CapacityOf::Derived),
            "least" => Some(CapacityOf::Least),
            number => {
                let number = number.parse().ok();
                number
                    .filter(|n| (1..=MOST).contains(n))
                    .map(CapacityOf::Given)
            }
        };
        read.map(Self)
            .ok_or_else(|| format!("write a number of 1 to {MOST}, or `least`"))
    }
}

/// The highest capacity.
const MOST: u32 = 1_000_000;

/// What is asked of the replay.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayArgs {
    /// When holders renew.
    #[arg(long, value_enum, default_value_t = HabitChoice(Habit::Procrastinate))]
    pub(crate) habit: HabitChoice,
    /// In which order applications are examined and issued.
    #[arg(long, value_enum, default_value_t = OrderChoice(OrderName::Fair))]
    pub(crate) order: OrderChoice,
    /// Applications that are examined in a business day; `least` for as few as would let no certificate expire, in the
    /// best order, if everybody came in the last two months.
    #[arg(
        long,
        value_name = "N|least",
        default_value = "derived",
        hide_default_value = true
    )]
    pub(crate) capacity: CapacityChoice,
    /// Branches with so many of a hundred certificates ignore the slots that they are advised.
    #[arg(long, value_name = "PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=99))]
    pub(crate) ignoring: u8,
    /// Certificates beside their renewals.
    #[arg(long, value_name = "N", default_value_t = 40_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub(crate) certificates: u32,
    /// For everything that is drawn but keys and signatures.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Leave out the steady years between the opening days and this day.
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<JstDate>,
    /// End after this day.
    #[arg(long, value_name = "DATE")]
    pub(crate) to: Option<JstDate>,
    /// Minutes between two looks of front ends and examiners; fewer cost more.
    #[arg(long, value_name = "MINUTES", default_value = "15", value_parser = ["5", "10", "15", "20", "30", "60"])]
    pub(crate) step: String,
    /// Leave report.html, one picture and one JSON file in this directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Draw the waiting times to this file, SVG.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Put habits and orders side by side, one replay after the other.
    #[arg(long, conflicts_with_all = ["habit", "order"])]
    pub(crate) compare: bool,
    /// Keep the services' data below this directory while it runs, instead of in memory: 40,000 certificates take one
    /// to two gigabytes.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Leave the services' published logs in this directory's `audit`, and the keys to verify them with in its
    /// `audit-keys`: 40,000 certificates take about two thirds of a gigabyte.
    #[arg(long, value_name = "DIR", conflicts_with = "compare")]
    pub(crate) audit: Option<PathBuf>,
}

/// What is asked of the planner.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlanArgs {
    /// When holders renew.
    #[arg(long, value_enum, default_value_t = HabitChoice(Habit::Procrastinate))]
    pub(crate) habit: HabitChoice,
    /// In which order applications are examined.
    #[arg(long, value_enum, default_value_t = OrderChoice(OrderName::Fair))]
    pub(crate) order: OrderChoice,
    /// How many examiners there are.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) examiners: Option<u32>,
    /// Applications that one examiner examines in a business day.
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) per_examiner: u32,
    /// Applications that are examined in a business day, instead of examiners; `least` for as few as would let no
    /// certificate expire, in the best order, if everybody came in the last two months.
    #[arg(
        long,
        value_name = "N|least",
        conflicts_with = "examiners",
        default_value = "derived",
        hide_default_value = true
    )]
    pub(crate) capacity: CapacityChoice,
    /// Certificates signed in a second.
    #[arg(long, value_name = "M", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) signatures: u32,
    /// Branches with so many of a hundred certificates ignore the slots that they are advised.
    #[arg(long, value_name = "PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=99))]
    pub(crate) ignoring: u8,
    /// Made-up certificates, beside their renewals.
    #[arg(long, value_name = "N", default_value_t = 40_000, conflicts_with = "live", value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub(crate) certificates: u32,
    /// Plan for the certificates of a running system, from today on; log in as an operator with --as.
    #[arg(long)]
    pub(crate) live: bool,
    /// With --live: applications for new certificates on a business day.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "live", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub(crate) new_per_day: u32,
    /// From when to when applications are examined on business days.
    #[arg(long, value_name = "HH:MM-HH:MM", default_value = "09:00-17:00", value_parser = hours)]
    pub(crate) hours: BusinessHours,
    /// A further day on which nobody examines; may be repeated.
    #[arg(long, value_name = "DATE")]
    pub(crate) closed: Vec<JstDate>,
    /// For everything that is drawn; the same seed gives the same result.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Put habits and orders side by side.
    #[arg(long, conflicts_with_all = ["habit", "order"])]
    pub(crate) compare: bool,
    /// Draw the waiting times to this file, SVG.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

/// Reads `09:00-17:00`.
fn hours(text: &str) -> Result<BusinessHours, String> {
    let minutes = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        (hours <= 24 && minutes < 60).then_some(hours * 60 + minutes)
    };
    let read = text
        .split_once('-')
        .and_then(|(opens, closes)| BusinessHours::try_new(minutes(opens)?, minutes(closes)?));
    read.ok_or_else(|| String::from("write opening and closing, such as 09:00-17:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capacity_is_a_number_or_the_least() {
        let read = |text: &str| text.parse::<CapacityChoice>().map(|choice| choice.0);
        assert_eq!(read("227"), Ok(CapacityOf::Given(227)));
        assert_eq!(read("least"), Ok(CapacityOf::Least));
        assert_eq!(read("derived"), Ok(CapacityOf::Derived));
        for text in ["", "0", "1000001", "most"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn business_hours_are_read_and_nonsense_is_not() {
        assert_eq!(hours("09:00-17:00"), Ok(BusinessHours::default()));
        for text in ["", "9-17", "17:00-09:00", "09:00-24:01", "09:60-17:00"] {
            assert!(hours(text).is_err(), "{text}");
        }
    }
}
