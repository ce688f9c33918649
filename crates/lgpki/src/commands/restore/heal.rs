//! `lgpki restore heal`: lists what the logs lack, takes it back from a copy, and unseals what is whole.

use std::sync::Arc;

use lgpki_ledger::OsDisk;
use lgpki_proto::ServiceName;
use lgpki_store::OpeningStore;
use serde_json::json;

use super::{
    gap::{self, Gap},
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
    let found: Vec<_> = gaps.iter().map(Gap::to_json).collect();
    if args.list {
        output.result(&json!({ "services": found }), || gap::told(&gaps));
        if gaps.iter().all(|gap| gap.count() == 0) {
            return Ok(());
        }
        return Err(CommandError::new("entries are missing")
            .hint("the same command without --list takes them back"));
    }
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
        match unseal::whole(&mut ward, at)? {
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
    Err(CommandError::new(held.join("\n")).hint(
        "get a longer copy and give this again with --mirror; if there is none, `lgpki restore unseal --accept-loss`",
    ))
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
