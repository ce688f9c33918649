//! What is printed.

use std::{
    io::{self, Write},
    time::Duration,
};

use lgpki_domain::KeyAlgorithm;
use serde::Serialize;

use crate::{audit_log::AuditLog, bare::Bare, bare::micros, cpu::Spent};

/// One algorithm's figures. CPU times are in microseconds per certificate.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Of the CA keys and the subscribers' keys.
    pub algorithm: &'static str,
    /// How many were applied for, issued, downloaded, confirmed and checked.
    pub certificates: usize,
    /// The bare cryptography.
    pub bare: Bare,
    /// Certificates per CPU-second that the bare cryptography would allow.
    pub bare_per_cpu_second: f64,
    /// All services together, in user mode.
    pub user_us: f64,
    /// All services together, in the kernel.
    pub system_us: f64,
    /// Certificates per CPU-second through the whole path.
    pub per_cpu_second: f64,
    /// The whole path's rate as a share of the bare rate, in percent.
    pub percent_of_bare: f64,
    /// What the share should be at least, in percent.
    pub aim_percent: f64,
    /// Certificates per second by the wall clock, with the load generator on the same machine.
    pub per_second: f64,
    /// The three audit logs, written once more.
    pub log: LogShare,
}

/// What the audit log takes, per certificate.
#[derive(Clone, Debug, Serialize)]
pub struct LogShare {
    /// Entries in the three logs.
    pub entries: f64,
    /// CPU time of making the entries, hashing, signing, writing and syncing them, in microseconds.
    pub recording_us: f64,
    /// CPU time of proving the intent to the signing step, in microseconds.
    pub proving_us: f64,
    /// CPU time of publishing tiles and checkpoints, in microseconds.
    pub publishing_us: f64,
    /// All of it as a share of the whole path, in percent.
    pub percent: f64,
}

/// What the share should be at most, in percent, where the keys are RSA-2048.
const LOG_AIM_PERCENT: f64 = 10.0;

impl Measured {
    /// From what was measured.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub fn new(
        algorithm: KeyAlgorithm,
        certificates: usize,
        bare: Bare,
        (spent, wall): (Spent, Duration),
        log: AuditLog,
    ) -> Self {
        let (user_us, system_us) = (
            micros(spent.user, certificates),
            micros(spent.system, certificates),
        );
        let whole = user_us + system_us;
        Self {
            algorithm: algorithm.name(),
            certificates,
            bare,
            bare_per_cpu_second: 1e6 / bare.total_us(),
            user_us,
            system_us,
            per_cpu_second: 1e6 / whole,
            percent_of_bare: 100.0 * bare.total_us() / whole,
            aim_percent: if algorithm == KeyAlgorithm::P256 {
                35.0
            } else {
                70.0
            },
            per_second: certificates as f64 / wall.as_secs_f64(),
            log: LogShare {
                entries: log.entries as f64 / certificates as f64,
                recording_us: micros(log.encoding + log.sequencing, certificates),
                proving_us: micros(log.proving, certificates),
                publishing_us: micros(log.publishing, certificates),
                percent: 100.0 * micros(log.total(), certificates) / whole,
            },
        }
    }
}

/// Prints the figures for people.
pub fn print(out: &mut impl Write, results: &[Measured]) -> io::Result<()> {
    for m in results {
        let cpu = m.user_us + m.system_us;
        writeln!(
            out,
            "\n{} CA and subscribers, {} certificates, each checked",
            m.algorithm, m.certificates
        )?;
        writeln!(
            out,
            "  bare cryptography  {:>8.0} per CPU-second  {:.3} ms each: check {:.3}, sign {:.3}",
            m.bare_per_cpu_second,
            m.bare.total_us() / 1e3,
            m.bare.check_us / 1e3,
            m.bare.sign_us / 1e3
        )?;
        writeln!(
            out,
            "  whole path         {:>8.0} per CPU-second  {:.3} ms each: user {:.3}, system {:.3}",
            m.per_cpu_second,
            cpu / 1e3,
            m.user_us / 1e3,
            m.system_us / 1e3
        )?;
        writeln!(
            out,
            "  share of the bare rate {:>4.0} %  (aim: {:.0} % or more)",
            m.percent_of_bare, m.aim_percent
        )?;
        writeln!(
            out,
            "  wall clock         {:>8.0} per second, front ends on the same machine",
            m.per_second
        )?;
        let log = &m.log;
        writeln!(
            out,
            "  its audit logs     {:>8.1} entries each  {:.3} ms each: record {:.3}, prove {:.3}, publish {:.3}",
            log.entries,
            (log.recording_us + log.proving_us + log.publishing_us) / 1e3,
            log.recording_us / 1e3,
            log.proving_us / 1e3,
            log.publishing_us / 1e3
        )?;
        let aim = if m.algorithm == KeyAlgorithm::Rsa2048.name() {
            format!("  (aim: under {LOG_AIM_PERCENT:.0} %)")
        } else {
            String::new()
        };
        writeln!(out, "  share of the path   {:>6.0} %{aim}", log.percent)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_bare_rate_is_fifty_percent() {
        let bare = Bare {
            check_us: 20.0,
            sign_us: 30.0,
        };
        let spent = Spent {
            user: Duration::from_millis(80),
            system: Duration::from_millis(20),
        };
        let log = AuditLog {
            entries: 9000,
            publishing: Duration::from_millis(5),
            ..AuditLog::default()
        };
        let taken = (spent, Duration::from_secs(1));
        let measured = Measured::new(KeyAlgorithm::P256, 1000, bare, taken, log);
        assert!((measured.log.percent - 5.0).abs() < 1e-9);
        assert!((measured.percent_of_bare - 50.0).abs() < 1e-9);
        assert!((measured.per_cpu_second - 10_000.0).abs() < 1e-6);
        assert!((measured.per_second - 1000.0).abs() < 1e-9);
        let mut text = Vec::new();
        print(&mut text, &[measured]).unwrap();
        assert!(
            String::from_utf8(text)
                .unwrap()
                .contains("50 %  (aim: 35 % or more)")
        );
    }
}
