//! Carries out what the command line asked for, one module per subcommand.

mod addressee;
mod application;
mod audit;
mod backup;
mod bulk;
mod ceremony;
mod cirs;
mod demo;
mod directory;
mod fetch;
mod forecast;
mod init;
mod inventory;
mod kit;
mod limits;
mod login;
mod notices;
mod operator;
mod published_logs;
mod queue;
mod rebuild;
mod renew;
mod restore;
mod serve;
mod slots;
mod status;
mod submit;
mod surge;
mod throwaway;

use std::sync::Arc;

use clap::CommandFactory;
use lgpki_issuer::Ports;
use lgpki_runtime::{clock::SystemClock, random::SystemRandomness};

use crate::{
    cli::{Cli, Command},
    error::CommandError,
    output::Output,
};

/// Runs one command to its end.
pub(crate) fn run(command: Command, output: Output) -> Result<(), CommandError> {
    match command {
        Command::Kit(command) => kit::run(command, output),
        Command::Audit(command) => audit::run(command, output),
        Command::Backup(args) => backup::run(args, output),
        Command::Restore(args) => restore::run(args, output),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "lgpki", &mut script);
            Output::raw(&script);
            Ok(())
        }
        Command::Init(args) => block_on(init::run(args, output)),
        Command::Ceremony(command) => block_on(ceremony::run(command, output)),
        Command::Serve(args) => block_on(serve::run(args, output)),
        Command::Demo(args) => block_on(demo::run(args, output)),
        Command::Cirs { office, command } => block_on(cirs::run(office, command, output)),
        Command::Surge { office, command } => surge::run(&office, command, output),
        Command::Operator { office, command } => block_on(operator::run(office, command, output)),
    }
}

/// The machine's time and chance.
fn machine() -> Ports {
    Ports {
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness::new()),
    }
}

fn block_on<T>(work: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::from_error("cannot start the runtime", &error))?
        .block_on(work)
}
