//! `lgpki audit watch`: follows published logs, tells their entries, and raises an alarm where a log
//! stands still or does not continue what was kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use indicatif::ProgressBar;
use lgpki_audit::{
    Service,
    directory::KEYS,
    proof::{EntryText, read_entry},
    pull::{Mirror, Pulled},
    schema::Schema,
};
use lgpki_domain::{Clock, Timestamp};
use lgpki_runtime::clock::SystemClock;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{
    failed,
    pull::{Failed, Round, open, round},
    sources,
};
use crate::{
    cli::WatchArgs,
    commands::application::short_time,
    error::{CommandError, REFUSED, STANDS_STILL},
    output::{Output, inline},
};

/// The kind of the entries in which a service tells when it will be heard of again.
const HEARTBEAT: &str = "log.heartbeat";

/// Watches until something is wrong, or once.
pub(super) fn run(args: &WatchArgs, output: Output) -> Result<(), CommandError> {
    let teller = Teller::new(args, output)?;
    let mirror = open(&args.source)?;
    let (runtime, mut sources) = sources::open(&args.source)?;
    let kept = mirror.logs().map_err(|error| unreadable(&error))?;
    // On a first visit, what a service recorded before is no news.
    let mut visited: BTreeSet<Service> = kept.iter().map(|(service, _)| *service).collect();
    let mut watched = Watched::new(SystemClock.now());
    loop {
        let round = round(&mirror, &mut sources, &ProgressBar::hidden())?;
        round.say_whom_it_trusts(output);
        for pulled in round.pulled.iter().filter(|p| p.head.size > p.before) {
            teller.advanced(pulled);
            if args.history || visited.contains(&pulled.service) {
                teller.entries(&mirror, pulled)?;
            }
        }
        if let Some(refused) = round.failed.iter().find(|failed| failed.is_refused()) {
            return Err(alarm(refused.why(), REFUSED).hint(
                "what was kept stands as it was; ask the operator, and show the kept checkpoint and, where a \
                 log was rewritten, the one in its file `refused`",
            ));
        }
        let now = SystemClock.now();
        watched.see(&mirror, &round, now)?;
        for away in &round.failed {
            output.notice(&away.view(), || format!("{}; looking again", away.why()));
        }
        visited.extend(round.pulled.iter().map(|pulled| pulled.service));
        let stale = args.stale.map(|minutes| i64::from(minutes) * 60_000);
        let still = match stale {
            Some(limit) => watched.stands_still(now, limit),
            None => watched.breaks_its_promise(&round, now),
        };
        if let Some(what) = still {
            return Err(alarm(&what, STANDS_STILL)
                .hint("see whether the service runs, and whether its publication lags"));
        }
        if args.once {
            return away(&round.failed);
        }
        runtime.block_on(tokio::time::sleep(Duration::from_secs(args.every)));
    }
}

fn alarm(what: &str, status: u8) -> CommandError {
    CommandError::new(format!("ALARM: {what}")).status(status)
}

fn unreadable(error: &lgpki_audit::pull::PullError) -> CommandError {
    CommandError::from_error("the kept logs cannot be read", error)
}

/// Of one look alone, a source that is away is a failure.
fn away(failed: &[Failed]) -> Result<(), CommandError> {
    match failed {
        [] => Ok(()),
        failed => {
            let lines: Vec<&str> = failed.iter().map(Failed::why).collect();
            Err(CommandError::new(lines.join("\n")))
        }
    }
}

/// Of how many entries the newest heartbeat is looked for at the first look at a log.
const FIRST_LOOK: u64 = 16_384;

/// How soon the next heartbeat is due, in milliseconds, if the entry is one.
fn promised(bytes: &[u8]) -> Option<i64> {
    #[derive(Deserialize)]
    struct Heartbeat {
        every_seconds: u32,
    }
    #[derive(Deserialize)]
    struct Entry {
        body: Heartbeat,
    }
    read_entry(bytes).filter(|entry| entry.kind == HEARTBEAT)?;
    let entry: Entry = serde_json::from_slice(bytes).ok()?;
    Some(i64::from(entry.body.every_seconds) * 1000)
}

/// When something was recorded last.
#[derive(Debug)]
struct Watched {
    /// When all sources answered last.
    answered: Timestamp,
    /// Each service's newest log of a year, and the time of its last entry.
    newest: BTreeMap<Service, (String, Timestamp)>,
    /// In which log its newest heartbeat was looked for, and how soon, in milliseconds, that promises the next;
    /// none if there is none.
    every: BTreeMap<Service, (String, Option<i64>)>,
}

impl Watched {
    const fn new(begun: Timestamp) -> Self {
        Self {
            answered: begun,
            newest: BTreeMap::new(),
            every: BTreeMap::new(),
        }
    }

    fn see(&mut self, mirror: &Mirror, round: &Round, now: Timestamp) -> Result<(), CommandError> {
        if round.failed.is_empty() {
            self.answered = now;
        }
        for pulled in round.pulled.iter().filter(|pulled| pulled.log != KEYS) {
            let last = mirror.last(pulled).map_err(|error| unreadable(&error))?;
            let entry = last.as_deref().and_then(read_entry);
            if let Some(time) = entry.and_then(|entry| entry.time.parse().ok()) {
                self.record(pulled.service, &pulled.log, time);
            }
            if self
                .newest
                .get(&pulled.service)
                .is_some_and(|(log, _)| *log == pulled.log)
            {
                self.heed(mirror, pulled)?;
            }
        }
        Ok(())
    }

    /// Takes note of the newest heartbeat, among what is new or, at the first look, among the last entries.
    fn heed(&mut self, mirror: &Mirror, pulled: &Pulled) -> Result<(), CommandError> {
        let known = self.every.get(&pulled.service);
        let from = match known {
            Some((log, _)) if *log == pulled.log => pulled.before,
            _ => pulled.head.size.saturating_sub(FIRST_LOOK),
        };
        if from == pulled.head.size {
            return Ok(());
        }
        let found = mirror.newest(pulled, from, &mut promised);
        let found = found.map_err(|error| unreadable(&error))?;
        let every = found.or(known.and_then(|(_, every)| *every));
        self.every
            .insert(pulled.service, (pulled.log.clone(), every));
        Ok(())
    }

    /// What has stood still for longer than twice its own interval, of the logs that were there just now.
    fn breaks_its_promise(&self, round: &Round, now: Timestamp) -> Option<String> {
        let mut there = round.pulled.iter().map(|pulled| pulled.service);
        there.find_map(|service| self.is_silent(service, now))
    }

    fn is_silent(&self, service: Service, now: Timestamp) -> Option<String> {
        let every = self.every.get(&service)?.1?;
        let (log, time) = self.newest.get(&service)?;
        (time.plus_millis(every.saturating_mul(2)) < now).then(|| {
            format!(
                "{}/{log} stands still: its last entry is of {}, and it promises a heartbeat every {} minutes",
                service.name(),
                short_time(&time.to_string()),
                every / 60_000
            )
        })
    }

    fn record(&mut self, service: Service, log: &str, time: Timestamp) {
        let newest = self.newest.entry(service).or_default();
        if newest.0.as_str() <= log {
            *newest = (log.to_owned(), time);
        }
    }

    /// What has stood still for longer than `limit` milliseconds.
    fn stands_still(&self, now: Timestamp, limit: i64) -> Option<String> {
        let old = |since: Timestamp| since.plus_millis(limit) < now;
        let still = self.newest.iter().find(|(_, (_, time))| old(*time));
        if let Some((service, (log, time))) = still {
            return Some(format!(
                "{}/{log} stands still: its last entry is of {}",
                service.name(),
                short_time(&time.to_string())
            ));
        }
        old(self.answered).then(|| {
            format!(
                "the logs cannot be fetched since {}",
                short_time(&self.answered.to_string())
            )
        })
    }
}

/// Tells what is new.
struct Teller {
    kinds: Vec<String>,
    output: Output,
}

impl Teller {
    fn new(args: &WatchArgs, output: Output) -> Result<Self, CommandError> {
        let schema = Schema::embedded().map_err(|error| failed(&error))?;
        let known = |kind: &String| schema.kinds().iter().any(|known| known.name == *kind);
        if let Some(unknown) = args.kinds.iter().find(|kind| !known(kind)) {
            let what = format!("there are no entries of the kind {unknown}");
            return Err(CommandError::new(what).hint("`lgpki audit schema` lists the kinds"));
        }
        Ok(Self {
            kinds: args.kinds.clone(),
            output,
        })
    }

    /// A new checkpoint was verified.
    fn advanced(&self, pulled: &Pulled) {
        self.output.say(format!(
            "{}/{} has {} entries, {} of them new, and continues what was kept",
            pulled.service.name(),
            pulled.log,
            pulled.head.size,
            pulled.head.size - pulled.before
        ));
    }

    fn entries(&self, mirror: &Mirror, pulled: &Pulled) -> Result<(), CommandError> {
        if pulled.log == KEYS {
            // The year's log tells the same entries.
            return Ok(());
        }
        let log = format!("{}/{}", pulled.service.name(), pulled.log);
        let told = mirror.each_new(pulled, &mut |leaf, bytes| self.entry(&log, leaf, bytes));
        told.map_err(|error| unreadable(&error))
    }

    fn entry(&self, log: &str, leaf: u64, bytes: &[u8]) {
        let Some(entry) = read_entry(bytes) else {
            self.output.say(format!(
                "{log} {leaf} cannot be read: see `lgpki audit verify`"
            ));
            return;
        };
        if !self.kinds.is_empty() && !self.kinds.contains(&entry.kind) {
            return;
        }
        let whole: Option<&RawValue> = serde_json::from_slice(bytes).ok();
        let value = json!({ "log": log, "leaf": leaf, "entry": whole });
        self.output.item(&value, || line(log, leaf, &entry));
    }
}

fn line(log: &str, leaf: u64, entry: &EntryText<'_>) -> String {
    let about = [
        ("certificate", &entry.about.certificate),
        ("application", &entry.about.application),
        ("digest", &entry.about.digest),
    ];
    let about = about
        .iter()
        .filter_map(|(what, about)| Some(format!("  {what} {}", inline(about.as_ref()?))));
    format!(
        "{}  {log} {leaf}  {}  {}{}",
        inline(&short_time(&entry.time)),
        inline(&entry.kind),
        inline(&entry.actor),
        about.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_seconds(1_300_000_000 + minutes * 60)
    }

    const LIMIT: i64 = 30 * 60_000;

    #[test]
    fn an_entry_is_told_in_one_line_whatever_it_says() {
        let entry = br#"{"about":{"certificate":"\u001b[2J"},"actor":"a\nissuer/2011 7  all is well","body":{},"kind":"k\u009b31m","node":"n","time":"2011-02-14T09:00:00.000+09:00","v":1}"#;
        let told = line("intake/2011", 3, &read_entry(entry).unwrap());
        assert!(!told.contains(char::is_control), "{told:?}");
        assert!(told.contains(r"a\nissuer/2011 7  all is well"), "{told}");
        assert!(told.contains(r"certificate \u{1b}[2J"), "{told}");
    }

    #[test]
    fn a_service_whose_newest_log_is_silent_for_too_long_stands_still() {
        let mut watched = Watched::new(at(0));
        watched.record(Service::Issuer, "2011", at(0));
        watched.record(Service::Intake, "2011", at(20));
        assert_eq!(watched.stands_still(at(30), LIMIT), None);
        watched.answered = at(31);
        let told = watched.stands_still(at(31), LIMIT).unwrap();
        assert!(told.contains("issuer/2011 stands still"), "{told}");
        // The log of a year that has ended may be silent, in whatever order they come.
        watched.record(Service::Issuer, "2012", at(31));
        watched.record(Service::Issuer, "2011", at(0));
        assert_eq!(watched.stands_still(at(40), LIMIT), None);
    }

    #[test]
    fn without_a_limit_a_log_stands_still_after_two_of_its_own_intervals() {
        let mut watched = Watched::new(at(0));
        watched.record(Service::Issuer, "2011", at(0));
        watched.record(Service::Intake, "2011", at(0));
        let of = |minutes: u32| {
            let body = format!(
                r#"{{"entries":0,"every_seconds":{},"kinds":[]}}"#,
                minutes * 60
            );
            let rest =
                r#""kind":"log.heartbeat","node":"n","time":"2011-02-14T09:00:00.000+09:00","v":1"#;
            promised(format!(r#"{{"actor":"issuer","body":{body},{rest}}}"#).as_bytes())
        };
        assert_eq!(promised(b"{}"), None);
        watched
            .every
            .insert(Service::Issuer, ("2011".to_owned(), of(60)));
        watched
            .every
            .insert(Service::Intake, ("2011".to_owned(), None));
        assert_eq!(watched.is_silent(Service::Issuer, at(120)), None);
        let told = watched.is_silent(Service::Issuer, at(121)).unwrap();
        assert!(
            told.contains("issuer/2011 stands still") && told.contains("every 60 minutes"),
            "{told}"
        );
        // Of a log without heartbeats nothing is known.
        assert_eq!(watched.is_silent(Service::Intake, at(9999)), None);
        assert_eq!(watched.is_silent(Service::Lifecycle, at(9999)), None);
    }

    #[test]
    fn nobody_answering_for_too_long_is_an_alarm_of_its_own() {
        let watched = Watched::new(at(0));
        assert_eq!(watched.stands_still(at(30), LIMIT), None);
        let told = watched.stands_still(at(31), LIMIT).unwrap();
        assert!(told.contains("cannot be fetched since"), "{told}");
    }
}
