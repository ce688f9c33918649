//! The steps of the demonstration, shown as they happen.

use std::time::Duration;

use indicatif::ProgressStyle;
use lgpki_domain::{Clock, Timestamp};
use lgpki_runtime::clock::SystemClock;

use crate::{error::CommandError, output::Output};

/// A step that was taken.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) seconds: f64,
}

/// Where the steps are shown.
#[derive(Debug)]
pub(super) struct Stage {
    output: Output,
    began: Timestamp,
    steps: Vec<Step>,
}

impl Stage {
    pub(super) fn new(output: Output) -> Self {
        Self {
            output,
            began: SystemClock.now(),
            steps: Vec::new(),
        }
    }

    /// Takes one step; an error says which it was.
    pub(super) async fn step<T>(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Result<T, CommandError>>,
    ) -> Result<T, CommandError> {
        let began = SystemClock.now();
        let spinner = self.output.spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            spinner.set_style(style);
        }
        spinner.set_message(name);
        spinner.enable_steady_tick(Duration::from_millis(80));
        let outcome = work.await;
        spinner.finish_and_clear();
        let seconds = since(began);
        let mark = if outcome.is_ok() { "✓" } else { "✗" };
        self.output.say(format!("{mark} {name} ({seconds:.1} s)"));
        self.steps.push(Step { name, seconds });
        outcome.map_err(|error| error.during(name))
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// How long it has taken so far.
    pub(super) fn seconds(&self) -> f64 {
        since(self.began)
    }
}

fn since(began: Timestamp) -> f64 {
    let millis = SystemClock.now().as_millis() - began.as_millis();
    Duration::from_millis(u64::try_from(millis).unwrap_or_default()).as_secs_f64()
}
