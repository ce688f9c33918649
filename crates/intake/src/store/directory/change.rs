//! One body's organization and account directories, and what a change does to them.

use std::collections::BTreeMap;

use lgpki_domain::{
    BodyCode, Fault, Names,
    directory::{Account, Organization},
};

use super::{ACCOUNT, ORGANIZATION, json};
use crate::store::event::{AccountRecord, Change, OrganizationRecord};

/// A body's units and roles, by English name.
#[derive(Clone, Debug, Default)]
pub(super) struct BodyDirectory {
    units: BTreeMap<String, Organization>,
    accounts: BTreeMap<String, BTreeMap<String, Account>>,
}

/// An entry that a change wrote or removed.
#[derive(Debug)]
pub(super) enum Written {
    Unit(String),
    Account { unit_en: String, en: String },
}

impl Written {
    pub(super) const fn table(&self) -> &'static str {
        match self {
            Self::Unit(_) => ORGANIZATION,
            Self::Account { .. } => ACCOUNT,
        }
    }

    /// English names hold no NUL, so it separates them.
    pub(super) fn key(&self, body: BodyCode) -> Vec<u8> {
        let mut key = body.number().to_be_bytes().to_vec();
        match self {
            Self::Unit(en) => key.extend_from_slice(en.as_bytes()),
            Self::Account { unit_en, en } => {
                key.extend_from_slice(unit_en.as_bytes());
                key.push(0);
                key.extend_from_slice(en.as_bytes());
            }
        }
        key
    }
}

impl BodyDirectory {
    pub(super) fn unit(&self, en: &str) -> Option<&Organization> {
        self.units.get(en)
    }

    pub(super) fn account(&self, unit_en: &str, en: &str) -> Option<&Account> {
        self.accounts.get(unit_en)?.get(en)
    }

    pub(super) fn all(&self) -> (Vec<Organization>, Vec<Account>) {
        let accounts = self.accounts.values().flat_map(BTreeMap::values);
        (
            self.units.values().cloned().collect(),
            accounts.cloned().collect(),
        )
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.units.len() + self.accounts.values().map(BTreeMap::len).sum::<usize>()
    }

    pub(super) fn put_unit(&mut self, unit: Organization) {
        self.units.insert(unit.names.en().to_owned(), unit);
    }

    pub(super) fn put_account(&mut self, account: Account) {
        self.accounts
            .entry(account.unit_en.clone())
            .or_default()
            .insert(account.names.en().to_owned(), account);
    }

    /// The value of an entry in its table; `None` once it is removed.
    pub(super) fn value(&self, written: &Written) -> Option<Vec<u8>> {
        match written {
            Written::Unit(en) => self.unit(en).map(|o| json(&OrganizationRecord::from(o))),
            Written::Account { unit_en, en } => self
                .account(unit_en, en)
                .map(|a| json(&AccountRecord::from(a))),
        }
    }

    /// Whether a change would change anything, or what is wrong with it.
    pub(super) fn check(&self, field: &str, change: &Change) -> Result<bool, Fault> {
        match change {
            Change::RegisterOrganization(record) => {
                self.check_unit(&format!("{field}.register_organization.names"), record)
            }
            Change::RemoveOrganization { en } => self
                .registered(&format!("{field}.remove_organization"), en)
                .map(|_| true),
            Change::RenameOrganization { en, to } => {
                let present = self.registered(&format!("{field}.rename_organization.en"), en)?;
                if present.names == to.names {
                    return Ok(false);
                }
                let field = format!("{field}.rename_organization.names");
                if to.names.en() != en && self.units.contains_key(to.names.en()) {
                    return Err(taken(&field, &to.names));
                }
                self.check_japanese(&field, &to.names, en).map(|()| true)
            }
            Change::RegisterAccount(record) => {
                let field = format!("{field}.register_account");
                self.registered(&format!("{field}.unit_en"), &record.unit_en)?;
                let field = format!("{field}.names");
                Account::check_suffix(&field, &record.names)?;
                match self.account(&record.unit_en, record.names.en()) {
                    None => Ok(true),
                    Some(present) if present.names == record.names => Ok(false),
                    Some(present) => Err(Fault::new(
                        field,
                        "ACCOUNT_NAME_TAKEN",
                        format!(
                            "the account is registered as {}; remove it first to register it anew",
                            present.names
                        ),
                    )),
                }
            }
            Change::RemoveAccount { unit_en, en } => match self.account(unit_en, en) {
                Some(_) => Ok(true),
                None => Err(Fault::new(
                    format!("{field}.remove_account.en"),
                    "ACCOUNT_NOT_REGISTERED",
                    format!("no account {en:?} is registered in the unit {unit_en:?}"),
                )),
            },
        }
    }

    fn check_unit(&self, field: &str, record: &OrganizationRecord) -> Result<bool, Fault> {
        match self.unit(record.names.en()) {
            Some(present) if present.names == record.names => Ok(false),
            Some(present) => Err(Fault::new(
                field,
                "ORGANIZATION_NAME_TAKEN",
                format!(
                    "the unit is registered as {}; rename it instead",
                    present.names
                ),
            )),
            None => self.check_japanese(field, &record.names, "").map(|()| true),
        }
    }

    /// No other unit than that of the English name `own` may have the Japanese name.
    fn check_japanese(&self, field: &str, names: &Names, own: &str) -> Result<(), Fault> {
        let mut others = self.units.iter().filter(|(en, _)| *en != own);
        match others.find(|(_, unit)| unit.names.ja() == names.ja()) {
            Some((_, unit)) => Err(taken(field, &unit.names)),
            None => Ok(()),
        }
    }

    fn registered(&self, field: &str, en: &str) -> Result<&Organization, Fault> {
        self.unit(en).ok_or_else(|| {
            let message = format!("no unit {en:?} is registered; check the English name");
            Fault::new(field, "ORGANIZATION_NOT_REGISTERED", message)
        })
    }

    /// How many entries a change would change, as a person counts them.
    pub(super) fn touched(&self, change: &Change) -> usize {
        let accounts = |en: &str| self.accounts.get(en).map_or(0, BTreeMap::len);
        match change {
            Change::RemoveOrganization { en } => 1 + accounts(en),
            Change::RenameOrganization { en, to } if to.names.en() != en => 1 + accounts(en),
            Change::RegisterAccount(_)
            | Change::RegisterOrganization(_)
            | Change::RemoveAccount { .. }
            | Change::RenameOrganization { .. } => 1,
        }
    }

    /// Makes a change that [`check`](Self::check) lets pass; tells which entries it touched.
    pub(super) fn apply(&mut self, body: BodyCode, change: &Change) -> Vec<Written> {
        match change {
            Change::RegisterOrganization(record) => {
                self.put_unit(record.clone().of(body));
                vec![Written::Unit(record.names.en().to_owned())]
            }
            Change::RemoveOrganization { en } => {
                self.units.remove(en);
                let accounts = self.accounts.remove(en).unwrap_or_default();
                let mut written = vec![Written::Unit(en.clone())];
                written.extend(accounts.into_keys().map(|account| Written::Account {
                    unit_en: en.clone(),
                    en: account,
                }));
                written
            }
            Change::RenameOrganization { en, to } => self.rename(body, en, to),
            Change::RegisterAccount(record) => {
                self.put_account(record.clone().of(body));
                vec![Written::Account {
                    unit_en: record.unit_en.clone(),
                    en: record.names.en().to_owned(),
                }]
            }
            Change::RemoveAccount { unit_en, en } => {
                if let Some(accounts) = self.accounts.get_mut(unit_en) {
                    accounts.remove(en);
                }
                vec![Written::Account {
                    unit_en: unit_en.clone(),
                    en: en.clone(),
                }]
            }
        }
    }

    fn rename(&mut self, body: BodyCode, en: &str, to: &OrganizationRecord) -> Vec<Written> {
        let new = to.names.en();
        self.units.remove(en);
        self.put_unit(to.clone().of(body));
        let mut written = vec![Written::Unit(en.to_owned())];
        if new == en {
            // The accounts name the unit in English only.
            return written;
        }
        written.push(Written::Unit(new.to_owned()));
        for account in self.accounts.remove(en).unwrap_or_default().into_values() {
            for unit_en in [en, new] {
                written.push(Written::Account {
                    unit_en: unit_en.to_owned(),
                    en: account.names.en().to_owned(),
                });
            }
            self.put_account(Account {
                unit_en: new.to_owned(),
                ..account
            });
        }
        written
    }
}

fn taken(field: &str, names: &Names) -> Fault {
    let message = format!("{names} is registered already; choose another name or remove it first");
    Fault::new(field, "ORGANIZATION_NAME_TAKEN", message)
}
