//! The `lgpki` command.
//!
//! One binary for everybody: `demo`, `init` and `serve` run the certificate authority; `kit` is the
//! subscriber's standard system, `cirs` the registration branch's front end, `operator` the
//! examiner's desk. It exits with 0 only if it did what was asked; errors go to standard error, with
//! what was wrong, with what, and what to do. It is a library so that the whole-system tests can
//! build the same program under their own roof.

mod cli;
mod commands;
mod config;
mod error;
mod form;
mod log_key;
mod office;
mod output;
mod witnesses;

use std::process::ExitCode;

use clap::{Parser, error::ErrorKind};

/// A certificate's path makes some hundreds of short-lived allocations on many threads; this one
/// serves them with a tenth less CPU than the C library's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What a command line that cannot be understood exits with, as other programs do.
const USAGE: u8 = 2;

/// Runs the command that the process's arguments ask for.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misunderstood(&error),
    };
    let output = output::Output::new(cli.json, cli.quiet);
    match commands::run(cli.command, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.exit_status())
        }
    }
}

/// Prints help, or what was not understood: as JSON where the arguments ask for it.
fn misunderstood(error: &clap::Error) -> ExitCode {
    let help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    let json = std::env::args_os()
        .take_while(|argument| argument != "--")
        .any(|argument| argument == "--json");
    if help || !json {
        // As `clap::Error::exit`, but for the JSON.
        let _ = error.print();
    } else {
        let text = error.to_string();
        let message = text.trim().trim_start_matches("error: ");
        let error = error::CommandError::new(message).hint("see --help");
        output::Output::new(true, false).error(&error);
    }
    if help {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(USAGE)
    }
}
