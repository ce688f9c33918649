//! Processor time and memory: the load's own, and those of processes that are watched, as the kernel counts them (proc(5)).

use std::{
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lgpki_surge::Processes;
use rustix::{
    param::clock_ticks_per_second,
    time::{ClockId, clock_gettime},
};
use tokio::{task::JoinHandle, time};

use crate::error::CommandError;

/// Between two looks at the memory.
const LOOK: Duration = Duration::from_secs(1);

/// Watches until it is asked.
#[derive(Debug)]
pub(super) struct Watch {
    own: Duration,
    ids: Vec<u32>,
    services: Duration,
    memory: Arc<Mutex<Vec<u32>>>,
    looking: JoinHandle<()>,
}

impl Watch {
    /// Begins to watch these processes, and this one.
    pub(super) fn begin(ids: &[u32]) -> Result<Self, CommandError> {
        let services = spent(ids)?;
        let memory = Arc::new(Mutex::new(Vec::new()));
        let (ids, seen) = (ids.to_vec(), memory.clone());
        let watched = ids.clone();
        let looking = tokio::spawn(async move {
            while !watched.is_empty() {
                // One that ended counts no more; at the end that is told.
                let sizes = watched.iter().filter_map(|id| resident(*id));
                let sum = sizes.sum();
                seen.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(sum);
                time::sleep(LOOK).await;
            }
        });
        Ok(Self {
            own: own(),
            ids,
            services,
            memory,
            looking,
        })
    }

    /// What was spent since then.
    pub(super) fn end(self) -> Result<Processes, CommandError> {
        self.looking.abort();
        let own_seconds = own().saturating_sub(self.own).as_secs_f64();
        let services = spent(&self.ids)?.saturating_sub(self.services);
        let memory =
            std::mem::take(&mut *self.memory.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Processes {
            own_seconds,
            services_seconds: (!self.ids.is_empty()).then_some(services.as_secs_f64()),
            memory_mebibytes: memory,
        })
    }
}

fn own() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(spent.tv_sec).unwrap_or_default(),
        u32::try_from(spent.tv_nsec).unwrap_or_default(),
    )
}

/// What the processes spent so far, together.
fn spent(ids: &[u32]) -> Result<Duration, CommandError> {
    let mut sum = Duration::ZERO;
    for id in ids {
        let path = format!("/proc/{id}/stat");
        let stat = fs::read_to_string(&path).ok();
        let ticks = stat.as_deref().and_then(ticks).ok_or_else(|| {
            CommandError::new(format!("process {id} cannot be watched"))
                .hint("--pid names a process that runs on this machine all the time")
        })?;
        sum += Duration::from_millis(ticks * 1000 / clock_ticks_per_second().max(1));
    }
    Ok(sum)
}

/// The fields `utime` and `stime`, which follow the command's name in parentheses.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Mebibytes that are resident now.
fn resident(id: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u32 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        assert_eq!(
            ticks("42 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0"),
            Some(175)
        );
        assert_eq!(ticks("42 (a) S 1 2 3"), None);
    }

    #[tokio::test]
    async fn this_process_is_watched_and_one_that_is_not_there_is_named() {
        let watch = Watch::begin(&[std::process::id()]).unwrap();
        let spent = watch.end().unwrap();
        assert!(spent.services_seconds.is_some());
        assert!(resident(std::process::id()).unwrap() > 0);
        let error = Watch::begin(&[u32::MAX]).unwrap_err();
        assert!(error.to_string().contains("cannot be watched"));
    }
}
