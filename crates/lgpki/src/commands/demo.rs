//! Being written.
use crate::{cli::DemoArgs, error::CommandError, output::Output};
pub(crate) async fn run(_args: DemoArgs, _output: Output) -> Result<(), CommandError> {
    Ok(())
}
