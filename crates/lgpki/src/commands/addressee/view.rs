//! How addressees are shown.

use lgpki_proto::v1;
use serde::Serialize;

use crate::{
    commands::application::{NamesView, short_time, spell},
    output,
};

/// An entry in JSON results; empty values are left out.
#[derive(Serialize)]
pub(super) struct AddresseeView {
    id: String,
    branch: String,
    body: Option<NamesView>,
    branch_state: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    branch_deactivated_at: String,
    version: u32,
    state: String,
    unit: Option<NamesView>,
    names: Option<NamesView>,
    document_address: String,
    contact_mail: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    contact_person: String,
    valid_since: String,
    unit_is_registered: bool,
    registered_at: String,
    changed_at: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    changed_by: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    end_reason: String,
}

impl From<&v1::Addressee> for AddresseeView {
    fn from(entry: &v1::Addressee) -> Self {
        let content = entry.content.clone().unwrap_or_default();
        Self {
            id: entry.id.clone(),
            branch: entry.branch.clone(),
            body: NamesView::of(entry.body.as_ref()),
            branch_state: spell(entry.branch_state().as_str_name(), "BRANCH_STATE_"),
            branch_deactivated_at: entry.branch_deactivated_at.clone(),
            version: entry.version,
            state: state(entry),
            unit: NamesView::of(content.unit.as_ref()),
            names: NamesView::of(content.names.as_ref()),
            document_address: content.document_address,
            contact_mail: content.contact_mail,
            contact_person: content.contact_person,
            valid_since: content.valid_since,
            unit_is_registered: entry.unit_is_registered,
            registered_at: entry.registered_at.clone(),
            changed_at: entry.changed_at.clone(),
            changed_by: entry.changed_by.clone(),
            end_reason: entry.end_reason.clone(),
        }
    }
}

/// An entry of a stream; the last of those that came together says where to go on.
#[derive(Serialize)]
pub(super) struct Told<'a> {
    #[serde(flatten)]
    pub(super) addressee: AddresseeView,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cursor: Option<&'a String>,
}

/// Entries in a table.
pub(super) fn table(entries: &[v1::Addressee]) -> String {
    let header = [
        "number", "body", "unit", "name", "address", "mail", "since", "state",
    ];
    output::table(&header, entries.iter().map(row))
}

fn row(entry: &v1::Addressee) -> Vec<String> {
    let content = entry.content.clone().unwrap_or_default();
    vec![
        entry.id.clone(),
        ja(entry.body.as_ref()),
        ja(content.unit.as_ref()),
        ja(content.names.as_ref()),
        content.document_address,
        content.contact_mail,
        content.valid_since,
        standing(entry),
    ]
}

/// The versions of one entry in a table.
pub(super) fn versions(versions: &[v1::Addressee]) -> String {
    let header = [
        "version", "recorded", "unit", "name", "address", "mail", "since", "by",
    ];
    let row = |version: &v1::Addressee| {
        let content = version.content.clone().unwrap_or_default();
        let since = match version.end_reason.as_str() {
            "" => content.valid_since,
            reason => format!("ended: {reason}"),
        };
        vec![
            version.version.to_string(),
            short_time(&version.changed_at),
            ja(content.unit.as_ref()),
            ja(content.names.as_ref()),
            content.document_address,
            content.contact_mail,
            since,
            version.changed_by.clone(),
        ]
    };
    output::table(&header, versions.iter().map(row))
}

/// One entry, in full.
pub(super) fn sheet(entry: &v1::Addressee) -> String {
    let content = entry.content.clone().unwrap_or_default();
    let both = |names: Option<&v1::Names>| {
        let names = names.cloned().unwrap_or_default();
        format!("{}（{}）", names.ja, names.en)
    };
    output::sheet(&[
        ("number", entry.id.clone()),
        ("version", entry.version.to_string()),
        ("body", both(entry.body.as_ref())),
        ("unit", both(content.unit.as_ref())),
        ("name", both(content.names.as_ref())),
        ("address", content.document_address),
        ("mail", content.contact_mail),
        ("contact person", content.contact_person),
        ("since", content.valid_since),
        ("state", standing(entry)),
        ("reason", entry.end_reason.clone()),
        ("registered", short_time(&entry.registered_at)),
        ("changed", short_time(&entry.changed_at)),
        ("changed by", entry.changed_by.clone()),
    ])
}

/// One entry of a stream.
pub(super) fn line(entry: &v1::Addressee) -> String {
    let mut parts = vec![short_time(&entry.changed_at)];
    parts.extend(row(entry));
    parts.join("  ")
}

fn state(entry: &v1::Addressee) -> String {
    spell(entry.state().as_str_name(), "ADDRESSEE_STATE_")
}

/// The state, and what is the matter with the entry.
fn standing(entry: &v1::Addressee) -> String {
    let mut standing = state(entry);
    if entry.state() != v1::AddresseeState::Ended {
        if entry.branch_state() == v1::BranchState::Deactivated {
            standing.push_str(", branch deactivated");
        }
        if !entry.unit_is_registered {
            standing.push_str(", unit not registered");
        }
    }
    standing
}

fn ja(names: Option<&v1::Names>) -> String {
    names.map(|names| names.ja.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_shows_what_is_the_matter_with_it() {
        let mut entry = v1::Addressee {
            state: v1::AddresseeState::InForce.into(),
            branch_state: v1::BranchState::Active.into(),
            unit_is_registered: true,
            ..v1::Addressee::default()
        };
        assert_eq!(standing(&entry), "in-force");
        entry.unit_is_registered = false;
        entry.branch_state = v1::BranchState::Deactivated.into();
        assert_eq!(
            standing(&entry),
            "in-force, branch deactivated, unit not registered"
        );
        entry.state = v1::AddresseeState::Ended.into();
        assert_eq!(standing(&entry), "ended");
    }
}
