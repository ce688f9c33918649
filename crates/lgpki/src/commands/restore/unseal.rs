//! `lgpki restore unseal`: lets a service run on a log that was restored, and records that it was.
//!
//! A log is whole when a copy that reaches the backup was compared, and it holds what every checkpoint at
//! hand speaks of, what others have seen by its own mark, every entry that another service's entries
//! answer, and what each witness has cosigned. All of that is asked first; then the record is durable, and
//! then the seal goes. Given again in between, everything is asked again and nothing is recorded twice.

use std::fmt::Display;

use lgpki_ledger::{NewEntry, Restored, Stamp};
use lgpki_proto::ServiceName;
use lgpki_store::seal::{self, Seal};
use serde::Serialize;
use serde_json::json;

use super::{
    super::backup::disk,
    gap::in_no_copy,
    hearing::Hearing,
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
    /// Witnesses who have seen nothing else.
    witnesses: Vec<String>,
    /// Witnesses without whose word it was done.
    without_witnesses: Vec<String>,
    /// Whether there was anything to do.
    changed: bool,
}

/// Why a service stays as it is.
#[derive(Debug)]
pub(super) struct Held {
    /// For people.
    pub(super) why: String,
    /// Whether entries are missing, as far as is known; otherwise somebody has yet to answer.
    pub(super) missing: bool,
}

impl Held {
    fn missing(why: String) -> Self {
        let missing = true;
        Self { why, missing }
    }

    /// What to do about some of them.
    pub(super) fn hint(held: &[Self]) -> &'static str {
        if held.iter().any(|held| held.missing) {
            "get a longer copy and give `lgpki restore heal` with it as --mirror; if there is none, `lgpki restore unseal \
             --accept-loss`"
        } else {
            "see that the witnesses answer and give this again; without one that never will: `lgpki restore unseal \
             --without-witness NAME`, which the log says for ever"
        }
    }
}

/// Runs it.
pub(super) fn run(args: &UnsealArgs, output: Output) -> Result<(), CommandError> {
    let mut ward = Ward::open(&args.of, &args.mirrors, output)?;
    for patient in &mut ward.patients {
        patient.compared(output)?;
    }
    let without = &args.without_witness;
    configured(&ward, without)?;
    let mut done = Vec::new();
    for at in 0..ward.patients.len() {
        let outcome = if args.accept_loss {
            at_a_loss(&mut ward, at, (args.confirm.as_deref(), without))?
        } else {
            let outcome = whole(&mut ward, at, without)?;
            outcome.map_err(|held| {
                let hint = Held::hint(std::slice::from_ref(&held));
                CommandError::new(held.why).hint(hint)
            })?
        };
        done.push(outcome);
    }
    output.result(&json!({ "unsealed": done }), || told(&done));
    output.say("next: start the services; they rebuild their indexes from the logs");
    Ok(())
}

/// Refuses names that no witness has.
fn configured(ward: &Ward, without: &[String]) -> Result<(), CommandError> {
    let witnesses = &ward.config.audit.witness.witnesses;
    let names: Vec<_> = witnesses
        .iter()
        .map(|w| w.vkey.name().to_string())
        .collect();
    match without.iter().find(|name| !names.contains(name)) {
        None => Ok(()),
        Some(name) => Err(CommandError::new(format!(
            "no witness in [audit.witness] is called {name}"
        ))
        .hint(format!("named are: {}", names.join(", ")))),
    }
}

/// For people.
pub(super) fn told(done: &[Unsealed]) -> String {
    let rows = done.iter().map(|one| {
        let state = match (one.changed, one.accepts_loss) {
            (false, _) => "was not sealed, and nothing is missing",
            (true, false) => "whole and unsealed; recorded as log.restored",
            (true, true) => "unsealed with entries lost; recorded as log.restored",
        };
        let mut state = state.to_owned();
        for (who, what) in [
            (&one.witnesses, "no more was seen by"),
            (&one.without_witnesses, "without the word of"),
        ] {
            if !who.is_empty() {
                state = format!("{state}\n{what} {}", who.join(", "));
            }
        }
        vec![
            one.service.to_owned(),
            one.entries.to_string(),
            one.taken_back.to_string(),
            state,
        ]
    });
    table(&["service", "entries", "taken back", "state"], rows)
}

/// Unseals a service that lacks nothing; otherwise tells what it lacks.
pub(super) fn whole(
    ward: &mut Ward,
    at: usize,
    without: &[String],
) -> Result<Result<Unsealed, Held>, CommandError> {
    let Some(patient) = ward.patients.get(at) else {
        return Err(CommandError::new("there is no such service"));
    };
    let service = patient.service;
    if let Some(why) = lacks(patient)? {
        let why = format!("{service} stays as it is: {why}");
        return Ok(Err(Held::missing(why)));
    }
    let Some(seal) = &patient.seal else {
        return unsealed(ward, patient);
    };
    let sealed = |why: &dyn Display| format!("{service} stays sealed: {why}");
    if let Some(why) = unproved(patient) {
        return Ok(Err(Held::missing(sealed(&why))));
    }
    if let Err(error) = seal::check_mark(&patient.data, disk().as_ref(), &patient.log.reader()) {
        return Ok(Err(Held::missing(sealed(&error))));
    }
    let size = patient.log.size();
    if let Some((end, other)) = ward.answered(service)?.filter(|(end, _)| *end > size) {
        let why = format!(
            "its log holds {size} entries, and {other} has recorded answers to entry {}: others are missing",
            end - 1
        );
        return Ok(Err(Held::missing(sealed(&why))));
    }
    // The last question; whatever the witnesses were shown was signed before the seal.
    let hearing = Hearing::of(ward, patient, seal.held)?;
    if let Some(why) = hearing.contradiction(&[]) {
        return Ok(Err(Held::missing(sealed(&why))));
    }
    if let Some(why) = hearing.silence(without) {
        let (why, missing) = (sealed(&why), false);
        return Ok(Err(Held { why, missing }));
    }
    let Some(patient) = ward.patients.get_mut(at) else {
        return Err(CommandError::new("there is no such service"));
    };
    let mut restored = restored(patient);
    restored.without_witnesses = hearing.left_out(without);
    record(patient, (&restored, &hearing), 1).map(Ok)
}

/// Looks at a service that is not sealed.
fn unsealed(ward: &Ward, patient: &Patient) -> Result<Result<Unsealed, Held>, CommandError> {
    let service = patient.service;
    let hearing = Hearing::of(ward, patient, patient.log.size())?;
    if let Some(why) = hearing.contradiction(&[]) {
        let why = format!("{service} is not sealed, and was set back or forked: {why}");
        return Ok(Err(Held::missing(why)));
    }
    if let Some(why) = hearing.silence(&[]) {
        ward.output.say(format!("{service} is not sealed; {why}"));
    }
    Ok(Ok(Unsealed {
        service: service.name(),
        entries: patient.log.size(),
        taken_back: 0,
        accepts_loss: false,
        witnesses: hearing.agreeing(),
        without_witnesses: Vec::new(),
        changed: false,
    }))
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
        without_witnesses: Vec::new(),
    }
}

/// Unseals a service without what is in no copy.
fn at_a_loss(
    ward: &mut Ward,
    at: usize,
    (confirm, without): (Option<&str>, &[String]),
) -> Result<Unsealed, CommandError> {
    let Some(patient) = ward.patients.get(at) else {
        return Err(CommandError::new("there is no such service"));
    };
    let service = patient.service;
    let Some(seal) = &patient.seal else {
        let what = format!("{service} is not sealed: nothing was lost that anybody knows of");
        return Err(CommandError::new(what));
    };
    if let Some(why) = lacks(patient)? {
        return Err(CommandError::new(format!("{service} stays sealed: {why}"))
            .hint("what was published is not lost: take it back with `lgpki restore heal`"));
    }
    let hearing = Hearing::of(ward, patient, seal.held)?;
    if let Some(why) = hearing.contradiction(without) {
        return Err(CommandError::new(format!("{service} stays sealed: {why}")).hint(
            "look for a copy that reaches as far; if there is none, name the witness with --without-witness too: it then \
             disputes the log for ever, so that certificates wait until it is out of [audit.witness], and its auditor knows",
        ));
    }
    if let Some(why) = hearing.silence(without) {
        return Err(CommandError::new(format!("{service} stays sealed: {why}"))
            .hint("see that it answers; without one that never will: --without-witness NAME"));
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
            [known.unwrap_or_default(), hearing.overruled()].concat()
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
    restored.without_witnesses = hearing.left_out(without);
    restored.crl_numbers_used = numbers.map(|highest| highest + NUMBERS_SKIPPED);
    seal::forget_mark(&patient.data, disk().as_ref())
        .map_err(|e| CommandError::from_error(service.name(), &e))?;
    // An index that another service's entries name must never be another entry's.
    record(patient, (&restored, &hearing), (end - size).max(1))
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
    (restored, hearing): (&Restored, &Hearing),
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
    // One that was recorded before a kill says no less than this one would.
    let done = recorded.is_some_and(|recorded| {
        let mut without = restored.without_witnesses.iter();
        recorded.held == restored.held
            && without.all(|name| recorded.without_witnesses.contains(name))
    });
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
        witnesses: hearing.agreeing(),
        without_witnesses: restored.without_witnesses.clone(),
        changed: true,
    })
}
