//! `kill-rounds ROUNDS [SEED]`: the long form of the kill test, with a summary.
//!
//! With any other arguments it is the command under test itself, which it starts and kills: the same
//! program in the same file, so that nothing else has to be built or found.

use std::process::ExitCode;

use lgpki_tests::rounds::{self, Plan};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().and_then(|text| text.parse::<u32>().ok());
    let seed = arguments.next().and_then(|text| text.parse().ok());
    let Some(rounds) = rounds else {
        return lgpki::main();
    };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return say(&format!("cannot find this program: {error}")),
    };
    let plan = Plan {
        together: rounds / 2,
        alone: rounds - rounds / 2,
        seed: seed.unwrap_or(1),
    };
    let summary = rounds::run(&program.to_string_lossy(), plan, &mut |step| {
        say(&step);
    });
    say(&summary.to_string());
    ExitCode::SUCCESS
}

/// Prints a line; the code is for when that line was all there was to say.
#[expect(clippy::print_stdout, reason = "a program for people")]
fn say(line: &str) -> ExitCode {
    println!("{line}");
    ExitCode::FAILURE
}
