//! The directories: bodies and branches, organizations and accounts.

use lgpki_domain::{
    BodyCode, Caller, Faults,
    directory::{Account, Body, Organization},
};

use super::{App, AppError, check_count, confined_to};
use crate::ports::{DirectoryChange, IntakeStore};

/// The longest reason for a deactivation, in characters.
const LONGEST_REASON: usize = 200;

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

    /// A body's organizations and accounts.
    pub async fn entries(
        &self,
        caller: &Caller,
        body: BodyCode,
    ) -> Result<(Vec<Organization>, Vec<Account>), AppError> {
        own_body(caller, body)?;
        if self.parts.store.body(body).await?.is_none() {
            return Err(AppError::NotFound {
                reason: "BODY_UNKNOWN",
                message: format!("there is no body {body} in the body name list"),
            });
        }
        Ok(self.parts.store.entries(body).await?)
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
