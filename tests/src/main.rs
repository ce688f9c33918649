//! The same program as `lgpki`, built where the whole-system tests can find it.

use std::process::ExitCode;

fn main() -> ExitCode {
    lgpki::main()
}
