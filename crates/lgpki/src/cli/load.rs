//! What can be asked of the load.

use std::{path::PathBuf, str::FromStr};

use clap::Args;

use lgpki_domain::BodyCode;
use lgpki_surge::{Mix, Profile};

use super::{InitArgs, ProfileChoice};

/// A branch that floods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FloodOf {
    /// Which.
    pub(crate) branch: BodyCode,
    /// Its applications in a second.
    pub(crate) rate: u32,
}

impl FromStr for FloodOf {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = text.split_once('=').and_then(|(branch, rate)| {
            let rate = rate.parse().ok().filter(|rate| (1..=MOST).contains(rate))?;
            Some(Self {
                branch: branch.parse().ok()?,
                rate,
            })
        });
        read.ok_or_else(|| {
            format!("write a branch and a rate of 1 to {MOST} in a second, such as 01001=500")
        })
    }
}

/// The highest rate, in a second.
const MOST: u32 = 100_000;

/// What is asked of the load.
#[derive(Clone, Debug, Args)]
pub(crate) struct LoadArgs {
    /// Send as every branch officer whose office lies in this directory, instead of as the one that --as names.
    #[arg(long, value_name = "DIR")]
    pub(crate) offices: Option<PathBuf>,
    /// With --offices: only as this branch; may be repeated.
    #[arg(long = "branch", value_name = "CODE", requires = "offices")]
    pub(crate) branches: Vec<BodyCode>,
    /// Applications that are due in a second on the average, whatever becomes of those before (open loop).
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST)))]
    pub(crate) rate: u32,
    /// Instead of a rate: so many workers each send the next application once the last was answered (closed loop).
    #[arg(long, value_name = "N", conflicts_with_all = ["rate", "profile", "flood"], value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) workers: Option<u32>,
    /// For how many seconds applications are due.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) seconds: u32,
    /// How arrivals spread over that time: evenly, from none to twice the rate, with a spike, or as from August 2010 to
    /// February 2011.
    #[arg(long, value_enum, default_value_t = ProfileChoice(Profile::Steady))]
    pub(crate) profile: ProfileChoice,
    /// What is applied for, in shares of a hundred.
    #[arg(long, value_name = "SHARES", default_value = "issue=100")]
    pub(crate) mix: Mix,
    /// Send so many applications of an office together in one stream, of which each is answered by itself; the rate stays
    /// one of applications.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) batch: u32,
    /// Beside the rate, which the other branches share, this branch sends so many in a second.
    #[arg(long, value_name = "CODE=RATE")]
    pub(crate) flood: Option<FloodOf>,
    /// Where keys lie that were made for loads and never sent; made if there is none, and filled as needed.
    #[arg(long, value_name = "DIR", default_value = "load-keys")]
    pub(crate) pool: PathBuf,
    /// With --workers: end when so many applications were sent.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) applications: u32,
    /// Only fill the pool, up to so many keys, and send nothing.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) prepare: Option<u32>,
    /// Calls under way at once; what is due beyond that waits here, and its time counts.
    #[arg(long, value_name = "N", default_value_t = 4_096, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) in_flight: u32,
    /// Seconds after which a call is given up.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub(crate) patience: u32,
    /// Whoever is told to come back no later than so many seconds after the end still does.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub(crate) linger: u32,
    /// A process of the services, on this machine, whose processor time and memory are to be watched; may be repeated.
    #[arg(long = "pid", value_name = "PID")]
    pub(crate) processes: Vec<u32>,
    /// Leave report.html and load.json in this directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Compare with the run that left this directory with --out: of a higher rate the throughput, of a flood what the other
    /// branches feel, of both the memory.
    #[arg(long, value_name = "DIR")]
    pub(crate) beside: Option<PathBuf>,
    /// For everything that is drawn but keys and signatures.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// What is asked of the preparation.
// The command's own words, for those of `init`, whose arguments it takes, would stand there otherwise.
#[derive(Debug, Args)]
#[command(
    about = "Make an authority like `lgpki init`, but one that has been there for years: its branches hold web servers' \
             certificates that may be renewed now. They are issued by its own services, with the clock set back",
    long_about = None,
    after_help = "Examples:\n  lgpki surge prepare ca --passphrase-file pw                        1,000 certificates of three branches\n  \
                  lgpki surge prepare ca --passphrase-file pw --certificates 20000 --branch 01001 --branch 13001\n  \
                  lgpki serve --config ca/lgpki.toml --passphrase-file pw            then serve it as any other,\n  \
                  lgpki surge load --offices ca/offices --mix issue=40,renew=50,revoke=10\n                                                                     \
                  and drive it\n\n\
                  The services run in this command, on the ports of the new configuration. The authority and its login cards \
                  are as old as the certificates, and end with them. Web servers' certificates are issued without an operator."
)]
pub(crate) struct PrepareArgs {
    #[command(flatten)]
    pub(crate) init: InitArgs,
    /// Certificates, divided among the branches; each takes a key from the pool.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) certificates: u32,
    /// In how many months they expire.
    #[arg(long, value_name = "MONTHS", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(crate) expire_in: u8,
    /// Where keys lie that were made for loads and never sent; made if there is none, and filled as needed.
    #[arg(long, value_name = "DIR", default_value = "load-keys")]
    pub(crate) pool: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_read_and_nonsense_is_not() {
        let flood: FloodOf = "01001=500".parse().unwrap();
        assert_eq!(
            (flood.branch.to_string().as_str(), flood.rate),
            ("01001", 500)
        );
        for wrong in ["", "01001", "01001=0", "01001=100001", "Hokkaido=5"] {
            assert!(wrong.parse::<FloodOf>().is_err(), "{wrong}");
        }
    }
}
