//! The directories: bodies and branches, organizations and accounts.

use std::{convert::Infallible, fmt, str::FromStr};

use lgpki_domain::{
    BodyCode, Caller, Faults,
    directory::{Account, Body, Organization},
};

use super::{App, AppError, check_count, confined_to};
use crate::ports::{DirectoryChange, IntakeStore};

/// The longest reason for a deactivation, in characters.
const LONGEST_REASON: usize = 200;

/// The place of an entry in a body's listing: units before roles, each by their English names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryName {
    /// A unit.
    Organization(String),
    /// A role, by its unit and its own name.
    Account(String, String),
}

impl EntryName {
    fn of_organization(unit: &Organization) -> Self {
        Self::Organization(unit.names.en().to_owned())
    }

    fn of_account(role: &Account) -> Self {
        Self::Account(role.unit_en.clone(), role.names.en().to_owned())
    }
}

/// As a page token; names hold no line breaks.
impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization(en) => f.write_str(en),
            Self::Account(unit, en) => write!(f, "{unit}\n{en}"),
        }
    }
}

impl FromStr for EntryName {
    type Err = Infallible;

    fn from_str(token: &str) -> Result<Self, Infallible> {
        Ok(match token.split_once('\n') {
            None => Self::Organization(token.to_owned()),
            Some((unit, en)) => Self::Account(unit.to_owned(), en.to_owned()),
        })
    }
}

/// A page of a body's entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries {
    /// Units.
    pub organizations: Vec<Organization>,
    /// Roles.
    pub accounts: Vec<Account>,
    /// The last one of this page; none at the end.
    pub next: Option<EntryName>,
}

impl Entries {
    fn page(
        mut organizations: Vec<Organization>,
        mut accounts: Vec<Account>,
        after: Option<&EntryName>,
        most: usize,
    ) -> Self {
        let wanted = |name: EntryName| after.is_none_or(|after| name > *after);
        organizations.retain(|unit| wanted(EntryName::of_organization(unit)));
        accounts.retain(|role| wanted(EntryName::of_account(role)));
        organizations.sort_by_cached_key(EntryName::of_organization);
        accounts.sort_by_cached_key(EntryName::of_account);
        let all = organizations.len() + accounts.len();
        organizations.truncate(most);
        accounts.truncate(most - organizations.len());
        let last = match (accounts.last(), organizations.last()) {
            (Some(role), _) => Some(EntryName::of_account(role)),
            (None, Some(unit)) => Some(EntryName::of_organization(unit)),
            (None, None) => None,
        };
        Self {
            next: last.filter(|_| all > most),
            organizations,
            accounts,
        }
    }
}

impl<S: IntakeStore> App<S> {
    /// Bodies by code.
    pub async fn bodies(
        &self,
        prefecture: Option<u8>,
        after: Option<BodyCode>,
        most: usize,
    ) -> Result<Vec<Body>, AppError> {
        Ok(self.parts.store.bodies(prefecture, after, most).await?)
    }

    /// A page of a body's organizations and accounts, after `after`.
    pub async fn entries(
        &self,
        caller: &Caller,
        body: BodyCode,
        after: Option<&EntryName>,
        most: usize,
    ) -> Result<Entries, AppError> {
        own_body(caller, body)?;
        if self.parts.store.body(body).await?.is_none() {
            return Err(AppError::NotFound {
                reason: "BODY_UNKNOWN",
                message: format!("there is no body {body} in the body name list"),
            });
        }
        let (organizations, accounts) = self.parts.store.entries(body).await?;
        Ok(Entries::page(organizations, accounts, after, most))
    }

    /// Changes a body's directories, all or none.
    pub async fn change_entries(
        &self,
        caller: &Caller,
        body: BodyCode,
        changes: Vec<DirectoryChange>,
    ) -> Result<u32, AppError> {
        own_body(caller, body)?;
        check_count("changes", changes.len())?;
        let many = u32::try_from(changes.len()).unwrap_or(u32::MAX);
        let admission = &self.parts.admission;
        admission.admit_changes(caller, (body, many), self.now())?;
        let mut faults = Faults::new();
        for (i, change) in changes.iter().enumerate() {
            if let DirectoryChange::RegisterAccount(account) = change {
                let field = format!("changes[{i}].register_account.names");
                faults.keep(Account::check_suffix(&field, &account.names));
            }
        }
        faults.into_result().map_err(AppError::Request)?;
        let at = self.now();
        let outcome = self
            .parts
            .store
            .change_directory(body, changes, caller.clone(), at)
            .await?;
        outcome.map_err(AppError::Request)
    }

    /// Deactivates a body's branch (R8); from now on its officers do not log in.
    pub async fn deactivate_branch(
        &self,
        caller: &Caller,
        body: BodyCode,
        reason: String,
    ) -> Result<Body, AppError> {
        own_body(caller, body)?;
        let mut faults = Faults::new();
        let length = reason.chars().count();
        if reason.trim().is_empty() {
            let message = "say why the branch is deactivated and which body succeeds it";
            faults.push("reason", "REASON_MISSING", message);
        } else if length > LONGEST_REASON || reason.chars().any(char::is_control) {
            let message = format!("a reason is at most {LONGEST_REASON} characters of text");
            faults.push("reason", "REASON_MALFORMED", message);
        }
        faults.into_result().map_err(AppError::Request)?;
        let at = self.now();
        let (store, logins) = (self.parts.store.clone(), self.parts.logins.clone());
        let caller = caller.clone();
        // A task of its own: what was recorded holds for logins even if the caller goes away.
        let closing = tokio::spawn(async move {
            let outcome = store.deactivate_branch(body, reason, caller, at).await?;
            if outcome.is_ok() {
                logins.close(body);
            }
            Ok::<_, AppError>(outcome)
        });
        let closed = closing
            .await
            .map_err(|failed| AppError::Internal(failed.to_string()))?;
        closed?.map_err(AppError::Request)
    }
}

/// Branch and LGWAN officers read and change their own body's directories only.
fn own_body(caller: &Caller, body: BodyCode) -> Result<(), AppError> {
    match confined_to(caller) {
        Some(own) if own != body => Err(AppError::Forbidden {
            reason: "BODY_NOT_YOURS",
            message: format!("your login certificate is of {own}; {body} is another body"),
        }),
        _ => Ok(()),
    }
}
