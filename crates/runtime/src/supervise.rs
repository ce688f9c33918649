//! Keeps a process's tasks together: they end together or not at all.
//!
//! A worker that ends early or panics must not leave half a service behind that looks alive. The
//! first such task stops all others and its name and error are what the process exits with.

use std::{any::Any, collections::HashMap, error::Error, fmt, future::Future, time::Duration};

use tokio::task::{Id, JoinError, JoinSet};

use crate::{
    error::chain,
    shutdown::{Shutdown, ShutdownTrigger},
};

/// How long tasks may take to finish once the shutdown was requested.
pub const GRACE: Duration = Duration::from_mins(1);

/// Why the process must stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the task {name:?} {what}")]
pub struct TaskFailed {
    /// The task.
    pub name: String,
    /// What happened to it.
    pub what: String,
}

/// The tasks of a process.
pub struct Supervisor {
    tasks: JoinSet<Result<(), String>>,
    names: HashMap<Id, String>,
    trigger: ShutdownTrigger,
    shutdown: Shutdown,
    grace: Duration,
}

impl Supervisor {
    /// Supervises tasks that watch `shutdown`; a task that fails pulls `trigger`.
    #[must_use]
    pub fn new(trigger: ShutdownTrigger, shutdown: Shutdown) -> Self {
        Self {
            tasks: JoinSet::new(),
            names: HashMap::new(),
            trigger,
            shutdown,
            grace: GRACE,
        }
    }

    /// Allows tasks another time than [`GRACE`] to finish.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Starts a task that must not end before the shutdown is requested.
    pub fn spawn<F, E>(&mut self, name: impl Into<String>, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Error + 'static,
    {
        let handle = self
            .tasks
            .spawn(async move { task.await.map_err(|e| chain(&e)) });
        self.names.insert(handle.id(), name.into());
    }

    /// Waits until all tasks have ended; the first that failed is the error.
    pub async fn run(mut self) -> Result<(), TaskFailed> {
        let mut failed = None;
        let shutdown = self.shutdown.clone();
        let grace = self.grace;
        let out_of_patience = async move {
            shutdown.requested().await;
            tokio::time::sleep(grace).await;
        };
        tokio::pin!(out_of_patience);
        loop {
            let ended = tokio::select! {
                ended = self.tasks.join_next_with_id() => ended,
                () = &mut out_of_patience => {
                    let stuck = self.stuck();
                    self.tasks.abort_all();
                    return Err(failed.unwrap_or(stuck));
                }
            };
            let Some(ended) = ended else {
                return failed.map_or(Ok(()), Err);
            };
            if let Some(failure) = self.judge(ended) {
                tracing::error!(task = failure.name, "{failure}");
                failed.get_or_insert(failure);
                self.trigger.request();
            }
        }
    }

    fn judge(&mut self, ended: Result<(Id, Result<(), String>), JoinError>) -> Option<TaskFailed> {
        let (id, what) = match ended {
            Ok((id, Ok(()))) if self.shutdown.is_requested() => {
                self.names.remove(&id);
                return None;
            }
            Ok((id, Ok(()))) => (id, "ended before it was asked to".to_owned()),
            Ok((id, Err(error))) => (id, format!("failed: {error}")),
            Err(error) => (error.id(), fate(error)),
        };
        let name = self.names.remove(&id).unwrap_or_default();
        Some(TaskFailed { name, what })
    }

    fn stuck(&self) -> TaskFailed {
        let mut names: Vec<_> = self.names.values().cloned().collect();
        names.sort();
        TaskFailed {
            name: names.join(", "),
            what: format!("did not finish within {} s", self.grace.as_secs_f64()),
        }
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names.values()).finish()
    }
}

/// What became of a task that did not return.
fn fate(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => format!("panicked: {}", panic_text(panic.as_ref())),
        Err(_) => "was cancelled".to_owned(),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, io};

    use super::*;
    use crate::shutdown;

    async fn until(shutdown: Shutdown) -> Result<(), Infallible> {
        shutdown.requested().await;
        Ok(())
    }

    #[tokio::test]
    async fn tasks_that_end_when_asked_to_are_well() {
        let (trigger, shutdown) = shutdown::channel();
        let mut supervisor = Supervisor::new(trigger.clone(), shutdown.clone());
        supervisor.spawn("a", until(shutdown.clone()));
        supervisor.spawn("b", until(shutdown));
        trigger.request();
        assert_eq!(supervisor.run().await, Ok(()));
    }

    #[tokio::test]
    async fn a_failed_task_stops_the_others_and_is_named() {
        let (trigger, shutdown) = shutdown::channel();
        let mut supervisor = Supervisor::new(trigger, shutdown.clone());
        supervisor.spawn("server", until(shutdown));
        supervisor.spawn("log", async { Err(io::Error::other("the disk is full")) });
        let failed = supervisor.run().await.unwrap_err();
        assert_eq!(
            failed.to_string(),
            "the task \"log\" failed: the disk is full"
        );
    }

    #[tokio::test]
    async fn a_task_that_panics_or_ends_early_stops_the_process() {
        for (early, expected) in [
            (true, "ended before it was asked to"),
            (false, "panicked: oh"),
        ] {
            let (trigger, shutdown) = shutdown::channel();
            let mut supervisor = Supervisor::new(trigger, shutdown.clone());
            supervisor.spawn("server", until(shutdown));
            supervisor.spawn("worker", async move {
                assert!(early, "oh");
                Ok::<_, Infallible>(())
            });
            assert_eq!(supervisor.run().await.unwrap_err().what, expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_finish_is_named() {
        let (trigger, shutdown) = shutdown::channel();
        let mut supervisor =
            Supervisor::new(trigger.clone(), shutdown).with_grace(Duration::from_secs(5));
        supervisor.spawn("stuck", std::future::pending::<Result<(), Infallible>>());
        trigger.request();
        let failed = supervisor.run().await.unwrap_err();
        assert_eq!(failed.name, "stuck");
        assert_eq!(failed.what, "did not finish within 5 s");
    }
}
