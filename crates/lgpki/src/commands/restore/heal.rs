//! `lgpki restore heal`: lists what the logs lack, takes it back from a copy, and unseals what is whole.

use std::sync::Arc;

use lgpki_ledger::OsDisk;
use lgpki_proto::ServiceName;
use lgpki_store::OpeningStore;
use serde_json::json;

use super::{
    gap::{self, Gap},
    hearing::Hearing,
    patient::{Patient, Ward},
    unseal,
};
use crate::{cli::HealArgs, error::CommandError, output::Output};

/// Runs it.
pub(super) fn run(args: &HealArgs, output: Output) -> Result<(), CommandError> {
    let mut ward = Ward::open(&args.of, &args.mirrors, output)?;
    let mut gaps = Vec::new();
    for patient in &mut ward.patients {
        gaps.push(patient.gap(output)?);
    }
    if args.list {
        return list(&ward, &gaps, output);
    }
    let found: Vec<_> = gaps.iter().map(Gap::to_json).collect();
    output.say(gap::told(&gaps));
    for (patient, gap) in ward.patients.iter_mut().zip(&gaps) {
        patient.heal(gap, output)?;
    }
    let mut names = 0;
    for (patient, gap) in ward.patients.iter().zip(&gaps) {
        names += lost_names(patient, gap)?;
    }
    let mut done = Vec::new();
    let mut held = Vec::new();
    for at in 0..ward.patients.len() {
        match unseal::whole(&mut ward, at, &[])? {
            Ok(outcome) => done.push(outcome),
            Err(why) => held.push(why),
        }
    }
    let value = json!({ "services": found, "unsealed": done, "names_lost": names });
    output.result(&value, || unseal::told(&done));
    if names > 0 {
        output.say(format!(
            "{names} names of persons that entries stand upon are in no log and stay unknown; everything else about \
             those applications and addressees is there"
        ));
    }
    if gaps.iter().any(|gap| gap.count() > 0) {
        output.say(
            "\nA service publishes every second: what it recorded after a copy's last checkpoint is in no copy. Compare \
             with what front ends hold of the last moments.",
        );
    }
    if held.is_empty() {
        output.say("next: start the services; they rebuild their indexes from the logs");
        return Ok(());
    }
    let why: Vec<_> = held.iter().map(|held| held.why.as_str()).collect();
    Err(CommandError::new(why.join("\n")).hint(unseal::Held::hint(&held)))
}

/// Lists what is missing, by the copies and by the witnesses; changes nothing.
fn list(ward: &Ward, gaps: &[Gap], output: Output) -> Result<(), CommandError> {
    let mut found = Vec::new();
    let mut told = Vec::new();
    let mut beyond = false;
    for (patient, gap) in ward.patients.iter().zip(gaps) {
        let held = patient.seal.as_ref().map_or(gap.from, |seal| seal.held);
        let hearing = Hearing::of(ward, patient, held)?;
        let mut one = gap.to_json();
        one["witnesses"] = hearing.to_json();
        found.push(one);
        let contradiction = hearing.contradiction(&[]);
        beyond |= contradiction.is_some() || !gap.longer.is_empty();
        told.extend(contradiction.into_iter().chain(hearing.silence(&[])));
    }
    output.result(&json!({ "services": found }), || {
        let told = told.iter().map(|line| format!("\n{line}"));
        gap::told(gaps) + &told.collect::<String>()
    });
    if beyond {
        return Err(
            CommandError::new("entries are missing that no copy here has")
                .hint("get a longer copy, and name it with --mirror"),
        );
    }
    if gaps.iter().any(|gap| gap.count() > 0) {
        return Err(CommandError::new("entries are missing")
            .hint("the same command without --list takes them back"));
    }
    Ok(())
}

/// How many of the names that the entries taken back stand upon cannot be opened any more.
fn lost_names(patient: &Patient, gap: &Gap) -> Result<usize, CommandError> {
    if patient.service != ServiceName::Intake || gap.names.is_empty() {
        return Ok(0);
    }
    let store = OpeningStore::open(&patient.data.join("openings"), Arc::new(OsDisk))
        .map_err(|e| CommandError::from_error("the openings of names cannot be read", &e))?;
    let names = gap.names.iter();
    Ok(names.filter(|name| store.get(name).is_none()).count())
}
