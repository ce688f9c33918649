//! Logs and metrics, set up once per process, before anything that writes them.
//!
//! The log goes to standard error, so that standard output stays the command's own. What a log line
//! may hold is each writer's duty: no secrets, no payloads.

pub use metrics_exporter_prometheus::PrometheusHandle;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tracing_subscriber::{EnvFilter, fmt};

use crate::{
    config::{LogFormat, TelemetryConfig},
    error::RuntimeError,
    gate::record,
};

/// Upper bounds in seconds, from a lookup in memory to a long batch of signatures.
const SECONDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];

/// Sets up logs and metrics; the handle renders the metrics for the administration port.
pub fn init(config: &TelemetryConfig) -> Result<PrometheusHandle, RuntimeError> {
    init_log(config)?;
    let handle = builder()?
        .install_recorder()
        .map_err(|error| failed("metrics", &error))?;
    record::describe();
    Ok(handle)
}

/// Whether the settings can be used, without setting anything up.
pub fn check(config: &TelemetryConfig) -> Result<(), RuntimeError> {
    filter(config).map(|_| ())
}

/// A word that is no level would be taken for a part of the program, which then logs nothing.
fn filter(config: &TelemetryConfig) -> Result<EnvFilter, RuntimeError> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let unknown = config
        .level
        .split(',')
        .filter(|word| !word.contains(['=', '[', ':']) && !word.starts_with("lgpki"))
        .find(|word| !LEVELS.contains(&word.to_lowercase().as_str()));
    if let Some(word) = unknown {
        return Err(RuntimeError::Telemetry {
            what: "the log (telemetry.level)",
            reason: format!("{word:?} is no level; the levels are {}", LEVELS.join(", ")),
        });
    }
    EnvFilter::try_new(&config.level).map_err(|error| failed("the log (telemetry.level)", &error))
}

fn init_log(config: &TelemetryConfig) -> Result<(), RuntimeError> {
    let filter = filter(config)?;
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.format {
        LogFormat::Text => log.with_ansi(false).try_init(),
        LogFormat::Json => log.json().try_init(),
    }
    .map_err(|error| RuntimeError::Telemetry {
        what: "the log",
        reason: error.to_string(),
    })
}

fn builder() -> Result<PrometheusBuilder, RuntimeError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .map_err(|error| failed("metrics", &error))
}

fn failed(what: &'static str, error: &dyn std::error::Error) -> RuntimeError {
    RuntimeError::Telemetry {
        what,
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_cannot_be_read_is_named() {
        for level in ["info,lgpki=loud", "loud", ""] {
            let config = TelemetryConfig {
                level: level.to_owned(),
                ..TelemetryConfig::default()
            };
            let error = init_log(&config).unwrap_err().to_string();
            assert!(error.contains("telemetry.level"), "{error}");
        }
        for level in [
            "info",
            "WARN",
            "info,lgpki_intake=debug",
            "off,lgpki_issuer",
        ] {
            let level = level.to_owned();
            let config = TelemetryConfig {
                level,
                ..TelemetryConfig::default()
            };
            assert!(check(&config).is_ok(), "{config:?}");
        }
    }

    #[test]
    fn times_are_counted_in_buckets() {
        let recorder = builder().unwrap().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            metrics::histogram!("lgpki_test_seconds").record(0.02);
        });
        let text = recorder.handle().render();
        assert!(
            text.contains("lgpki_test_seconds_bucket{le=\"0.025\"} 1"),
            "{text}"
        );
    }
}
