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
mod office;
mod output;

use std::process::ExitCode;

use clap::Parser;

/// Runs the command that the process's arguments ask for.
#[must_use]
pub fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let output = output::Output::new(cli.json, cli.quiet);
    match commands::run(cli.command, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            ExitCode::FAILURE
        }
    }
}
