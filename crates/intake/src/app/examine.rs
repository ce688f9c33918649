//! The operator's examination.

use lgpki_domain::{
    ApplicationId, Caller, Faults, application::Approver, examination::check_rejection_reason,
};

use super::{App, AppError, blocking, deliver::ActOutcomes, read::Page, seen, submit};
use crate::{
    ports::{Act, Filter, IntakeStore},
    subject_key::subject_key,
};

impl<S: IntakeStore> App<S> {
    /// The applications that wait for an examiner, oldest first, and how many there are in all.
    pub async fn examinations(
        &self,
        caller: &Caller,
        after: Option<ApplicationId>,
        most: usize,
    ) -> Result<(Page, u64), AppError> {
        let filter = Filter {
            states: vec!["examining"],
            ..Filter::default()
        };
        let page = self.applications(caller, filter, after, most).await?;
        let counts = self.parts.store.counts().await?;
        let waiting = counts
            .iter()
            .find(|(state, _)| *state == "examining")
            .map_or(0, |(_, count)| *count);
        Ok((page, waiting))
    }

    /// Approves applications; where two persons must, this is one of them. Persons are told apart by
    /// whom their login certificates name, so one that is not known approves nothing.
    pub async fn approve(
        &self,
        caller: &Caller,
        ids: Vec<ApplicationId>,
    ) -> Result<ActOutcomes, AppError> {
        let Caller::Officer { serial, .. } = caller else {
            return Err(AppError::Forbidden {
                reason: "ROLE_NOT_ALLOWED",
                message: "only an operator approves".to_owned(),
            });
        };
        let Some(login) = self.parts.standings.certificate(*serial) else {
            return Err(AppError::Forbidden {
                reason: "OPERATOR_UNKNOWN",
                message: format!(
                    "the inventory does not say whom login certificate {serial} names, so that its \
                     approval could not be told from another's; log in with one that is registered"
                ),
            });
        };
        let operator = Approver {
            serial: *serial,
            subject: subject_key(login.kind, &login.subject),
        };
        let act = Act::Approve { operator };
        self.act_on(caller, ids, &act).await
    }

    /// Rejects applications with a reason that their branches will read.
    pub async fn reject(
        &self,
        caller: &Caller,
        ids: Vec<ApplicationId>,
        reason: String,
    ) -> Result<ActOutcomes, AppError> {
        let mut faults = Faults::new();
        faults.keep(check_rejection_reason("reason", &reason));
        faults.into_result().map_err(AppError::Request)?;
        self.act_on(caller, ids, &Act::Reject { reason }).await
    }

    /// Erases the name of an application's examiner; false if there was none.
    pub async fn erase_examiner_name(
        &self,
        caller: &Caller,
        id: ApplicationId,
    ) -> Result<bool, AppError> {
        let application = seen(caller, id, self.parts.store.application(id).await?)?;
        let Some(commitment) = application.examiner_commitment else {
            return Ok(false);
        };
        if self.parts.openings.get(&commitment).is_none() {
            return Ok(false);
        }
        // The entry first: one that is left without its erasure is made good at the next start.
        let store = &self.parts.store;
        store
            .note_name_erased(id, commitment.clone(), caller.clone(), self.now())
            .await?;
        let names = self.parts.openings.clone();
        blocking(move || names.erase(&[commitment]))
            .await?
            .map_err(submit::store)?;
        tracing::info!(application = %id, actor = %caller, "an examiner's name was erased");
        Ok(true)
    }
}
