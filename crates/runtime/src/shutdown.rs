//! How a process is asked to stop: by SIGTERM, SIGINT or from within.
//!
//! A `Shutdown` is a shared, one-way switch. Whoever serves or works watches it and finishes; nobody
//! is interrupted.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::error::RuntimeError;

/// Asks for the shutdown. Dropping it asks for nothing.
#[derive(Clone, Debug)]
pub struct ShutdownTrigger(watch::Sender<bool>);

impl ShutdownTrigger {
    /// Asks everybody to finish; may be called any number of times.
    pub fn request(&self) {
        self.0.send_replace(true);
    }
}

/// Tells when to finish.
#[derive(Clone, Debug)]
pub struct Shutdown {
    requested: watch::Receiver<bool>,
    // Keeps the channel open, so that a dropped trigger is not taken for a request.
    _open: watch::Sender<bool>,
}

impl Shutdown {
    /// Whether the shutdown was asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.requested.borrow()
    }

    /// Returns once the shutdown is asked for; at once if it already was.
    pub async fn requested(&self) {
        let mut requested = self.requested.clone();
        // The sender lives in `self`, so this cannot fail.
        let _ = requested.wait_for(|asked| *asked).await;
    }
}

/// A switch and its trigger.
#[must_use]
pub fn channel() -> (ShutdownTrigger, Shutdown) {
    let (sender, requested) = watch::channel(false);
    let shutdown = Shutdown {
        requested,
        _open: sender.clone(),
    };
    (ShutdownTrigger(sender), shutdown)
}

/// A switch that SIGTERM and SIGINT throw. Must be called within a tokio runtime.
pub fn on_signals() -> Result<(ShutdownTrigger, Shutdown), RuntimeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(RuntimeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RuntimeError::Signals)?;
    let (trigger, shutdown) = channel();
    let on_signal = trigger.clone();
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "shutdown requested");
        on_signal.request();
    });
    Ok((trigger, shutdown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_reaches_all_who_wait_and_all_who_come_later() {
        let (trigger, shutdown) = channel();
        let early = shutdown.clone();
        let waiting = tokio::spawn(async move { early.requested().await });
        assert!(!shutdown.is_requested());
        trigger.request();
        trigger.request();
        waiting.await.unwrap();
        shutdown.requested().await;
        assert!(shutdown.is_requested());
    }

    #[tokio::test]
    async fn a_dropped_trigger_is_no_request() {
        let (trigger, shutdown) = channel();
        drop(trigger);
        let waiting = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.requested().await }
        });
        tokio::task::yield_now().await;
        assert!(!shutdown.is_requested());
        assert!(!waiting.is_finished());
        waiting.abort();
    }
}
