//! Bodies with their branches, and each body's organization and account directories.
//!
//! All of it stays in memory, for it is small and every application is checked against it. A
//! change is tried on a copy of the one body's directory first; the same code applies it.

mod change;

use std::collections::BTreeMap;

use lgpki_domain::{
    BodyCode, Fault, Faults, Names, Timestamp,
    directory::{Account, Body, Branch, Organization},
};
use lgpki_ledger::Stamp;
use lgpki_store::{Decision, Span, StoreError, Tables, View};
use serde::{Serialize, de::DeserializeOwned};

use self::change::BodyDirectory;
use super::{
    command::Outcome,
    event::{
        AccountRecord, BodiesImported, BodyRecord, BranchDeactivated, Change, DirectoryChanged,
        IntakeEvent, OrganizationRecord,
    },
    tables::{ACCOUNT, BODY, ORGANIZATION},
};
use crate::ports::DirectoryChange;

/// All bodies.
#[derive(Debug, Default)]
pub(crate) struct Directories {
    bodies: BTreeMap<BodyCode, Body>,
    entries: BTreeMap<BodyCode, BodyDirectory>,
}

impl Directories {
    pub(crate) fn load(view: &View<'_>) -> Result<Self, StoreError> {
        let mut all = Self::default();
        for (_, value) in view.scan(BODY, &Span::all()) {
            let body: Body = parse::<BodyRecord>(&value)?.into();
            all.bodies.insert(body.code, body);
        }
        for (key, value) in view.scan(ORGANIZATION, &Span::all()) {
            let body = code(&key)?;
            let organization = parse::<OrganizationRecord>(&value)?.of(body);
            all.entries.entry(body).or_default().put_unit(organization);
        }
        for (key, value) in view.scan(ACCOUNT, &Span::all()) {
            let body = code(&key)?;
            let account = parse::<AccountRecord>(&value)?.of(body);
            all.entries.entry(body).or_default().put_account(account);
        }
        Ok(all)
    }

    pub(crate) fn body(&self, code: BodyCode) -> Option<&Body> {
        self.bodies.get(&code)
    }

    pub(crate) fn bodies_after(&self, after: Option<BodyCode>) -> impl Iterator<Item = &Body> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.bodies
            .range((after.map_or(Unbounded, Excluded), Unbounded))
            .map(|(_, body)| body)
    }

    pub(crate) fn organization(&self, body: BodyCode, en: &str) -> Option<&Organization> {
        self.entries.get(&body)?.unit(en)
    }

    /// Whether the unit is registered under exactly these names.
    pub(crate) fn has_unit(&self, body: BodyCode, unit: &Names) -> bool {
        let registered = self.organization(body, unit.en());
        registered.is_some_and(|registered| registered.names == *unit)
    }

    pub(crate) fn account(&self, body: BodyCode, unit_en: &str, en: &str) -> Option<&Account> {
        self.entries.get(&body)?.account(unit_en, en)
    }

    pub(crate) fn entries(&self, body: BodyCode) -> (Vec<Organization>, Vec<Account>) {
        self.entries
            .get(&body)
            .map(BodyDirectory::all)
            .unwrap_or_default()
    }

    /// Decides changes to one body's directories, which may have `most` entries, all or none.
    pub(crate) fn decide_changes(
        &self,
        (body, most): (BodyCode, u32),
        changes: Vec<DirectoryChange>,
        stamp: &Stamp,
    ) -> Decision<IntakeEvent, Outcome> {
        let mut faults = Faults::new();
        if !self.bodies.contains_key(&body) {
            faults.add(unknown(body));
        }
        let mut copy = self.entries.get(&body).cloned().unwrap_or_default();
        let before = copy.len();
        let mut touched = 0;
        let mut effective = Vec::new();
        for (i, change) in changes.into_iter().enumerate() {
            let change = Change::from(change);
            match copy.check(&format!("changes[{i}]"), &change) {
                Ok(false) => {}
                Ok(true) => {
                    touched += copy.touched(&change);
                    copy.apply(body, &change);
                    effective.push(change);
                }
                Err(fault) => faults.add(fault),
            }
        }
        let after = copy.len();
        if after > before && after > usize::try_from(most).unwrap_or(usize::MAX) {
            let message = format!(
                "body {body} would have {after} organizations and accounts; {most} are the most, so remove \
                 some or ask the operator, who can allow more"
            );
            faults.push("changes", "TOO_MANY_ENTRIES", message);
        }
        if !faults.is_empty() {
            return Decision::answer(Outcome::Changed(Err(faults)));
        }
        let events = chunks(effective, DirectoryChanged::MOST)
            .map(|changes| (stamp.clone(), DirectoryChanged { body, changes }.into()))
            .collect();
        let touched = u32::try_from(touched).unwrap_or(u32::MAX);
        Decision::record_all(events, Outcome::Changed(Ok(touched)))
    }

    pub(crate) fn decide_import(
        &self,
        bodies: &[Body],
        stamp: &Stamp,
    ) -> Decision<IntakeEvent, Outcome> {
        let new = bodies
            .iter()
            .filter(|body| self.bodies.get(&body.code) != Some(body))
            .map(BodyRecord::from)
            .collect();
        let events = chunks(new, BodiesImported::MOST)
            .map(|bodies| (stamp.clone(), BodiesImported { bodies }.into()))
            .collect();
        Decision::record_all(events, Outcome::Noted)
    }

    pub(crate) fn decide_deactivation(
        &self,
        code: BodyCode,
        reason: String,
        stamp: Stamp,
    ) -> Decision<IntakeEvent, Outcome> {
        let refuse = |fault| Decision::answer(Outcome::Deactivated(Err(one(fault))));
        let Some(body) = self.bodies.get(&code) else {
            return refuse(unknown(code));
        };
        match &body.branch {
            Branch::Active => {}
            Branch::None => {
                let message = format!("{} has no registration branch to deactivate", body.names);
                return refuse(Fault::new("body", "BRANCH_MISSING", message));
            }
            Branch::Deactivated { at, reason } => {
                let message = format!(
                    "the branch of {} was deactivated on {} already: {reason}",
                    body.names,
                    at.jst_date()
                );
                return refuse(Fault::new("body", "BRANCH_DEACTIVATED", message));
            }
        }
        let after = deactivated(body, stamp.time, &reason);
        let event = BranchDeactivated { body: code, reason };
        Decision::record(stamp, event, Outcome::Deactivated(Ok(after)))
    }

    pub(crate) fn apply_changes(&mut self, tables: &mut Tables<'_>, event: &DirectoryChanged) {
        let directory = self.entries.entry(event.body).or_default();
        for change in &event.changes {
            for written in directory.apply(event.body, change) {
                let key = written.key(event.body);
                match directory.value(&written) {
                    Some(value) => tables.put(written.table(), &key, value),
                    None => tables.delete(written.table(), &key),
                }
            }
        }
    }

    pub(crate) fn apply_import(&mut self, tables: &mut Tables<'_>, event: &BodiesImported) {
        for record in &event.bodies {
            self.put_body(tables, record.clone().into());
        }
    }

    pub(crate) fn apply_deactivation(
        &mut self,
        tables: &mut Tables<'_>,
        event: &BranchDeactivated,
        at: Timestamp,
    ) {
        if let Some(body) = self.bodies.get(&event.body) {
            let after = deactivated(body, at, &event.reason);
            self.put_body(tables, after);
        }
    }

    fn put_body(&mut self, tables: &mut Tables<'_>, body: Body) {
        let key = body.code.number().to_be_bytes();
        tables.put(BODY, &key, json(&BodyRecord::from(&body)));
        self.bodies.insert(body.code, body);
    }
}

fn deactivated(body: &Body, at: Timestamp, reason: &str) -> Body {
    Body {
        branch: Branch::Deactivated {
            at,
            reason: reason.to_owned(),
        },
        ..body.clone()
    }
}

fn one(fault: Fault) -> Faults {
    let mut faults = Faults::new();
    faults.add(fault);
    faults
}

fn unknown(body: BodyCode) -> Fault {
    let message = format!("there is no body {body}; check the code in the body name list");
    Fault::new("body", "BODY_UNKNOWN", message)
}

/// `items` in runs of at most `most`.
pub(crate) fn chunks<T>(items: Vec<T>, most: usize) -> impl Iterator<Item = Vec<T>> {
    let mut items = items.into_iter();
    std::iter::from_fn(move || {
        let chunk: Vec<T> = items.by_ref().take(most).collect();
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// A record's bytes. Records hold strings only, which JSON can always write.
fn json(record: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(record).unwrap_or_default()
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|e| StoreError::Corrupt(format!("a directory: {e}")))
}

fn code(key: &[u8]) -> Result<BodyCode, StoreError> {
    key.first_chunk::<4>()
        .and_then(|number| super::record::body_code(u32::from_be_bytes(*number)))
        .ok_or_else(|| StoreError::Corrupt("a directory's key names no body".to_owned()))
}
