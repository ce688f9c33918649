//! Keeps the places that admission has given in a file, so that whoever was told when to come back is let in then even if
//! intake was started anew meanwhile.
//!
//! The file is written every few seconds and when intake ends, and is gone while no place is given. It is a memory and no
//! record: it is not synced, and a failure to write it stops nothing. What was given in the last seconds before a crash is
//! forgotten.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use lgpki_domain::{Clock, Timestamp};

use crate::admission::{Admission, Memory};

/// Seconds between two looks.
const SECONDS: i64 = 5;

/// Where places are kept.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    file: Option<PathBuf>,
    /// Whether the file may be there.
    there: Arc<AtomicBool>,
}

impl Places {
    /// In this file, or nowhere.
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        Self {
            file,
            there: Arc::new(AtomicBool::new(true)),
        }
    }

    /// Has admission take up what was kept.
    pub(crate) fn recall(&self, admission: &Admission, now: Timestamp) {
        let Some(file) = &self.file else {
            return;
        };
        match fs::read_to_string(file) {
            Ok(text) => match text.parse() {
                Ok(memory) => admission.recall(memory, now),
                Err(error) => left_out(file, &error),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => left_out(file, &error),
        }
    }

    /// Keeps what admission has given by now.
    pub(crate) async fn keep(&self, admission: &Admission, now: Timestamp) {
        let Some(file) = self.file.clone() else {
            return;
        };
        let memory = admission.memory(now);
        if !self.there.swap(memory.is_some(), Ordering::Relaxed) && memory.is_none() {
            return;
        }
        let kept = tokio::task::spawn_blocking(move || write(&file, memory.as_ref())).await;
        match kept {
            Ok(Ok(())) => {}
            Ok(Err(error)) => not_kept(&error),
            Err(error) => not_kept(&error),
        }
    }

    /// Keeps it again and again.
    pub(crate) async fn keep_on(self, admission: Arc<Admission>, clock: Arc<dyn Clock>) {
        loop {
            let now = clock.now();
            clock.sleep_until(now.plus_seconds(SECONDS)).await;
            self.keep(&admission, clock.now()).await;
        }
    }
}

fn left_out(file: &Path, error: &(dyn std::error::Error + 'static)) {
    tracing::warn!(file = %file.display(), error, "the places given before the start are forgotten");
}

fn not_kept(error: &(dyn std::error::Error + 'static)) {
    tracing::warn!(
        error,
        "the places that are given cannot be kept for the next start"
    );
}

fn write(file: &Path, memory: Option<&Memory>) -> io::Result<()> {
    let Some(memory) = memory else {
        return match fs::remove_file(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        };
    };
    let new = file.with_extension("new");
    fs::write(&new, memory.to_string())?;
    fs::rename(&new, file)
}

#[cfg(test)]
mod tests {
    use lgpki_domain::{BodyCode, Caller, Limits, OfficerRole, RequestId, Serial};

    use super::*;
    use crate::admission::Entrant;

    #[tokio::test]
    async fn a_place_is_kept_until_it_was_taken_and_a_damaged_file_stops_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("places");
        let places = || Places::new(Some(file.clone()));
        let at = |seconds: i64| Timestamp::from_seconds(1_200_000_000 + seconds);
        let caller = Caller::Officer {
            role: OfficerRole::BranchOfficer,
            body: BodyCode::try_new(1, 1),
            serial: Serial::from_bytes(&[0x41; 16]).unwrap(),
        };
        let limits = Limits {
            caller_per_hour: 3_600,
            caller_burst: 1,
            ..Limits::default()
        };
        let comes = |admission: &Admission, id: &str, now| {
            let request: RequestId = id.parse().unwrap();
            let entrant = Entrant {
                caller: &caller,
                branch: None,
                held: 0,
                request_id: Some(&request),
            };
            admission.admit(entrant, now).is_ok()
        };
        let first = Admission::new(limits, 1);
        assert!(comes(&first, "request-1", at(0)) && !comes(&first, "request-2", at(0)));
        places().keep(&first, at(0)).await;
        drop(first);

        let (second, places_then) = (Admission::new(limits, 1), places());
        places_then.recall(&second, at(1));
        assert!(!comes(&second, "request-3", at(1)), "it is another's time");
        assert!(comes(&second, "request-2", at(1)));
        assert!(comes(&second, "request-3", at(2)));
        places_then.keep(&second, at(2)).await;
        assert!(!file.exists(), "no place is given any more");

        fs::write(&file, "nonsense").unwrap();
        let third = Admission::new(limits, 1);
        places().recall(&third, at(3));
        assert!(comes(&third, "request-4", at(3)));
        Places::new(None).keep(&third, at(3)).await;
    }
}
