//! `lgpki restore unseal`: lets a service run on a log that was restored, and records that it was.
//!
//! A log is whole when a copy that reaches the backup was compared, and it holds what every checkpoint at hand speaks of, what others have seen by its own
//! mark, and every entry that another service's entries answer. The record is durable before the seal
//! goes; given again in between, nothing is recorded twice.

use lgpki_ledger::{NewEntry, Restored, Stamp};
use lgpki_proto::ServiceName;
use lgpki_store::seal::{self, Seal};
use serde::Serialize;
use serde_json::json;

use super::{
    super::backup::disk,
    gap::in_no_copy,
    patient::{Patient, Ward, now},
};
use crate::{
    cli::UnsealArgs,
    error::CommandError,
    output::{Output, table},
};

/// Who stands in the entry as having done it.
const ACTOR: &str = "restore";
/// CRL numbers that count as used beyond the highest known, where entries of the issuer are lost.
const NUMBERS_SKIPPED: u64 = 1_000_000;
/// The most entries that take the places of lost ones.
const MOST_PLACES: u64 = 1_000_000;

/// What became of a service.
#[derive(Debug, Serialize)]
pub(super) struct Unsealed {
    service: &'static str,
    entries: u64,
    taken_back: u64,
    accepts_loss: bool,
    /// Whether there was anything to do.
    changed: bool,
}

/// Runs it.
pub(super) fn run(args: &UnsealArgs, output: Output) -> Result<(), CommandError> {
    let mut ward = Ward::open(&args.of, &args.mirrors, output)?;
    for patient in &mut ward.patients {
        patient.compared(output)?;
    }
    let mut done = Vec::new();
    for at in 0..ward.patients.len() {
        let outcome = if args.accept_loss {
            at_a_loss(&mut ward, at, args.confirm.as_deref())?
        } else {
            let outcome = whole(&mut ward, at)?;
            outcome.map_err(|why| {
                CommandError::new(why)
                    .hint("take back what is missing with `lgpki restore heal --mirror DIR`")
            })?
        };
        done.push(outcome);
    }
    output.result(&json!({ "unsealed": done }), || told(&done));
    output.say("next: start the services; they rebuild their indexes from the logs");
    Ok(())
}

/// For people.
pub(super) fn told(done: &[Unsealed]) -> String {
    let rows = done.iter().map(|one| {
        let state = match (one.changed, one.accepts_loss) {
            (false, _) => "was not sealed, and nothing is missing",
            (true, false) => "whole and unsealed; recorded as log.restored",
            (true, true) => "unsealed with entries lost; recorded as log.restored",
        };
        vec![
            one.service.to_owned(),
            one.entries.to_string(),
            one.taken_back.to_string(),
            state.to_owned(),
        ]
    });
    table(&["service", "entries", "taken back", "state"], rows)
}

/// Unseals a service that lacks nothing; otherwise tells what it lacks.
pub(super) fn whole(ward: &mut Ward, at: usize) -> Result<Result<Unsealed, String>, CommandError> {
    let Some(patient) = ward.patients.get(at) else {
        return Err(CommandError::new("there is no such service"));
    };
    let service = patient.service;
    if let Some(why) = lacks(patient)? {
        return Ok(Err(format!("{service} stays as it is: {why}")));
    }
    if patient.seal.is_none() {
        return Ok(Ok(Unsealed {
            service: service.name(),
            entries: patient.log.size(),
            taken_back: 0,
            accepts_loss: false,
            changed: false,
        }));
    }
    if let Some(why) = unproved(patient) {
        return Ok(Err(format!("{service} stays sealed: {why}")));
    }
    if let Err(error) = seal::check_mark(&patient.data, disk().as_ref(), &patient.log.reader()) {
        return Ok(Err(format!("{service} stays sealed: {error}")));
    }
    let size = patient.log.size();
    if let Some((end, other)) = ward.answered(service)?.filter(|(end, _)| *end > size) {
        return Ok(Err(format!(
            "{service} stays sealed: its log holds {size} entries, and {other} has recorded answers to entry {}: \
             others are missing",
            end - 1
        )));
    }
    let Some(patient) = ward.patients.get_mut(at) else {
        return Err(CommandError::new("there is no such service"));
    };
    let restored = restored(patient);
    record(patient, &restored, 1).map(Ok)
}

/// What of a log is known to have been published and is not in it.
fn lacks(patient: &Patient) -> Result<Option<String>, CommandError> {
    let compared = patient.outcome()?;
    if let Some(best) = compared.best {
        return Ok(Some(format!(
            "the copy in {} has {} entries, the log {}",
            best.path().display(),
            best.end(),
            patient.log.size()
        )));
    }
    Ok(compared.longer.first().map(in_no_copy))
}

/// Without a copy that reaches the backup at least, nothing says that nothing is missing.
fn unproved(patient: &Patient) -> Option<String> {
    let held = patient.seal.as_ref().map_or(0, |seal| seal.held);
    let mut whole = patient.mirrors.iter().filter(|m| m.broken().is_none());
    let reaches = whole.any(|mirror| mirror.end() >= held);
    (!reaches).then(|| {
        format!(
            "no copy of what it published was given that reaches even the backup's {held} entries, so nobody knows \
             what is missing: name one with --mirror"
        )
    })
}

fn restored(patient: &Patient) -> Restored {
    let held = patient.seal.as_ref().map_or(patient.log.size(), |s| s.held);
    let taken_back = patient.log.size().saturating_sub(held);
    Restored {
        accepts_loss: false,
        crl_numbers_used: None,
        held,
        mirror: patient.checkpoint().filter(|_| taken_back > 0),
        taken_back,
    }
}

/// Unseals a service without what is in no copy.
fn at_a_loss(ward: &mut Ward, at: usize, confirm: Option<&str>) -> Result<Unsealed, CommandError> {
    let Some(patient) = ward.patients.get(at) else {
        return Err(CommandError::new("there is no such service"));
    };
    let service = patient.service;
    if patient.seal.is_none() {
        let what = format!("{service} is not sealed: nothing was lost that anybody knows of");
        return Err(CommandError::new(what));
    }
    if let Some(why) = lacks(patient)? {
        return Err(CommandError::new(format!("{service} stays sealed: {why}"))
            .hint("what was published is not lost: take it back with `lgpki restore heal`"));
    }
    let size = patient.log.size();
    let token = format!("{service}@{size}");
    let answered = ward.answered(service)?;
    let end = answered.map_or(size, |(end, _)| end).max(size);
    if confirm != Some(token.as_str()) {
        let known = answered
            .filter(|(end, _)| *end > size)
            .map(|(end, other)| format!(" {other} has recorded answers up to entry {}.", end - 1));
        let what = format!(
            "what {service} recorded from entry {size} on would be gone for good: certificates that nobody could \
             revoke by their record, revocations that no CRL lists any more, applications.{} Auditors who have seen \
             more will find it.",
            known.unwrap_or_default()
        );
        return Err(CommandError::new(what).hint(format!(
            "look for a copy first, at the auditors and on old disks; if there is none, give this again with --confirm {token}"
        )));
    }
    if end - size > MOST_PLACES {
        let what = format!("{} entries are known to be missing", end - size);
        return Err(CommandError::new(what).hint("that is no loss to be accepted: find a copy"));
    }
    let numbers = (service == ServiceName::Issuer)
        .then(|| highest_number(ward))
        .transpose()?;
    let Some(patient) = ward.patients.get_mut(at) else {
        return Err(CommandError::new("there is no such service"));
    };
    let mut restored = restored(patient);
    restored.accepts_loss = true;
    restored.crl_numbers_used = numbers.map(|highest| highest + NUMBERS_SKIPPED);
    seal::forget_mark(&patient.data, disk().as_ref())
        .map_err(|e| CommandError::from_error(service.name(), &e))?;
    // An index that another service's entries name must never be another entry's.
    record(patient, &restored, (end - size).max(1))
}

/// The highest CRL number in the logs that are here.
fn highest_number(ward: &Ward) -> Result<u64, CommandError> {
    let mut highest = 0;
    for patient in &ward.patients {
        let reader = patient.log.reader();
        let mut next = 0;
        while next < reader.durable() {
            let read = reader.read(next, 4096, 4 << 20);
            let read = read.map_err(|e| CommandError::from_error("a log cannot be read", &e))?;
            for (index, bytes) in read {
                next = index + 1;
                highest = highest.max(number(&bytes).unwrap_or_default());
            }
        }
    }
    Ok(highest)
}

fn number(entry: &[u8]) -> Option<u64> {
    const MARK: &[u8] = b"\"kind\":\"crl.";
    entry
        .windows(MARK.len())
        .any(|window| window == MARK)
        .then_some(())?;
    let entry: serde_json::Value = serde_json::from_slice(entry).ok()?;
    entry["body"]["number"].as_u64()
}

/// Records the restoration, `times` over, and removes the seal.
fn record(
    patient: &mut Patient,
    restored: &Restored,
    times: u64,
) -> Result<Unsealed, CommandError> {
    let service = patient.service;
    let failed = |e: &dyn std::error::Error| CommandError::from_error(service.name(), e);
    let size = patient.log.size();
    let last = size
        .checked_sub(1)
        .map(|last| patient.log.reader().entry(last));
    let last = last.transpose().map_err(|e| failed(&e))?;
    let recorded = last.and_then(|last| Restored::decode(&last));
    let done = recorded.is_some_and(|recorded| recorded.held == restored.held);
    if !done {
        let stamp = Stamp::new(now(), ACTOR);
        let entry = restored.clone().entry(&patient.identity, &stamp);
        let entry = entry.map_err(|e| failed(&e))?;
        let entries: Vec<NewEntry> = (0..times).map(|_| entry.clone()).collect();
        patient.log.append(entries).map_err(|e| failed(&e))?;
    }
    Seal::remove(&patient.data, disk().as_ref()).map_err(|e| failed(&e))?;
    patient.seal = None;
    Ok(Unsealed {
        service: service.name(),
        entries: patient.log.size(),
        taken_back: restored.taken_back,
        accepts_loss: restored.accepts_loss,
        changed: true,
    })
}
