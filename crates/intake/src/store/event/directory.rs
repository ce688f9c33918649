//! The bodies of the events of the directories, and of refused logins.
//!
//! The records of bodies, organizations and accounts stand both in entries and in the index.

use lgpki_domain::{
    BodyCode, Names, Timestamp,
    directory::{Account, Body as LocalBody, Branch, Organization},
};
use lgpki_ledger::{Body, serial::text};
use serde::{Deserialize, Serialize};

use crate::{ports::DirectoryChange, store::json};

/// `directory.changed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DirectoryChanged {
    #[serde(with = "text")]
    pub(crate) body: BodyCode,
    pub(crate) changes: Vec<Change>,
}

impl DirectoryChanged {
    /// Changes in one entry; one takes at most about 800 bytes.
    pub(crate) const MOST: usize = 60;
}

impl Body for DirectoryChanged {
    const KIND: &'static str = "directory.changed";
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Change {
    RegisterAccount(AccountRecord),
    RegisterOrganization(OrganizationRecord),
    RemoveAccount { en: String, unit_en: String },
    RemoveOrganization { en: String },
    RenameOrganization { en: String, to: OrganizationRecord },
}

impl From<DirectoryChange> for Change {
    fn from(change: DirectoryChange) -> Self {
        match change {
            DirectoryChange::RegisterOrganization(o) => Self::RegisterOrganization((&o).into()),
            DirectoryChange::RemoveOrganization(en) => Self::RemoveOrganization { en },
            DirectoryChange::RenameOrganization { en, to } => Self::RenameOrganization {
                en,
                to: (&to).into(),
            },
            DirectoryChange::RegisterAccount(a) => Self::RegisterAccount((&a).into()),
            DirectoryChange::RemoveAccount { unit_en, en } => Self::RemoveAccount { en, unit_en },
        }
    }
}

/// A unit of the organization directory; its body is known from where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganizationRecord {
    #[serde(with = "json::names")]
    pub(crate) names: Names,
}

impl From<&Organization> for OrganizationRecord {
    fn from(organization: &Organization) -> Self {
        Self {
            names: organization.names.clone(),
        }
    }
}

impl OrganizationRecord {
    pub(crate) fn of(self, body: BodyCode) -> Organization {
        Organization {
            body,
            names: self.names,
        }
    }
}

/// A role of the account directory; its body is known from where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountRecord {
    #[serde(with = "json::names")]
    pub(crate) names: Names,
    pub(crate) unit_en: String,
}

impl From<&Account> for AccountRecord {
    fn from(account: &Account) -> Self {
        Self {
            names: account.names.clone(),
            unit_en: account.unit_en.clone(),
        }
    }
}

impl AccountRecord {
    pub(crate) fn of(self, body: BodyCode) -> Account {
        Account {
            body,
            unit_en: self.unit_en,
            names: self.names,
        }
    }
}

/// `bodies.imported`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BodiesImported {
    pub(crate) bodies: Vec<BodyRecord>,
}

impl BodiesImported {
    /// Which bodies.
    pub(crate) fn codes(&self) -> impl Iterator<Item = BodyCode> {
        self.bodies.iter().map(|record| record.code)
    }

    /// Bodies in one entry; one takes at most about 2,500 bytes, with a long reason for its closing.
    pub(crate) const MOST: usize = 25;
}

impl Body for BodiesImported {
    const KIND: &'static str = "bodies.imported";
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BodyRecord {
    branch: BranchRecord,
    #[serde(with = "text")]
    code: BodyCode,
    #[serde(with = "json::names")]
    names: Names,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum BranchRecord {
    Active,
    Deactivated {
        #[serde(with = "text")]
        at: Timestamp,
        reason: String,
    },
    None,
}

impl From<&LocalBody> for BodyRecord {
    fn from(body: &LocalBody) -> Self {
        Self {
            branch: match &body.branch {
                Branch::None => BranchRecord::None,
                Branch::Active => BranchRecord::Active,
                Branch::Deactivated { at, reason } => BranchRecord::Deactivated {
                    at: *at,
                    reason: reason.clone(),
                },
            },
            code: body.code,
            names: body.names.clone(),
        }
    }
}

impl From<BodyRecord> for LocalBody {
    fn from(record: BodyRecord) -> Self {
        Self {
            code: record.code,
            names: record.names,
            branch: match record.branch {
                BranchRecord::None => Branch::None,
                BranchRecord::Active => Branch::Active,
                BranchRecord::Deactivated { at, reason } => Branch::Deactivated { at, reason },
            },
        }
    }
}

/// `branch.deactivated`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BranchDeactivated {
    #[serde(with = "text")]
    pub(crate) body: BodyCode,
    pub(crate) reason: String,
}

impl Body for BranchDeactivated {
    const KIND: &'static str = "branch.deactivated";
}

/// `login.refused`: refused logins since the entry before, counted by caller and reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginRefused {
    pub(crate) refusals: Vec<Refusals>,
}

impl LoginRefused {
    /// Rows in one entry; one takes at most about 1,300 bytes.
    pub(crate) const MOST: usize = 40;
}

impl Body for LoginRefused {
    const KIND: &'static str = "login.refused";
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refusals {
    pub(crate) caller: String,
    pub(crate) count: u64,
    pub(crate) reason: String,
}
