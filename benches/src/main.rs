//! `cargo run --release -p lgpki-benches`: certificates per CPU-second through the whole path.
//!
//! The same executable is also the command under measurement: called with `init` or `serve` it is
//! `lgpki`, so that what is measured was built with the same compiler and the same settings.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, ValueEnum};
use lgpki_benches::{Failure, report, run};
use lgpki_domain::KeyAlgorithm;

/// Measures what a certificate costs through the whole path, beside the bare cryptography.
#[derive(Debug, Parser)]
#[command(
    name = "lgpki-benches",
    after_help = "The keys of the RSA subscribers are made once and kept under target/ for the next run."
)]
struct Arguments {
    /// How many certificates per algorithm.
    #[arg(long, default_value_t = 4000, value_parser = clap::value_parser!(u32).range(4..=100_000))]
    certificates: u32,
    /// The algorithm of the CA keys and of the subscribers' keys.
    #[arg(long, value_enum, default_value_t = Keys::Both)]
    key: Keys,
    /// Print the results as JSON.
    #[arg(long)]
    json: bool,
}

/// Which algorithms.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Keys {
    /// RSA of 2,048 bits, as LGPKI has.
    #[value(name = "rsa-2048")]
    Rsa2048,
    /// ECDSA on P-256.
    #[value(name = "p-256")]
    P256,
    /// One after the other.
    Both,
}

fn main() -> ExitCode {
    let command = std::env::args().nth(1);
    if matches!(command.as_deref(), Some("init" | "serve")) {
        return lgpki::main();
    }
    match measure(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing is left to be done if standard error is closed.
            let _ = writeln!(io::stderr(), "error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<(), Failure> {
    let algorithms: &[KeyAlgorithm] = match arguments.key {
        Keys::Rsa2048 => &[KeyAlgorithm::Rsa2048],
        Keys::P256 => &[KeyAlgorithm::P256],
        Keys::Both => &[KeyAlgorithm::Rsa2048, KeyAlgorithm::P256],
    };
    let mut results = Vec::new();
    for algorithm in algorithms {
        results.push(run::run(
            *algorithm,
            usize::try_from(arguments.certificates)?,
        )?);
    }
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&results)?)?;
    } else {
        report::print(&mut out, &results)?;
    }
    Ok(())
}
