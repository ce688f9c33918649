//! The operator's examination.

use lgpki_domain::{
    ApplicationId, Caller, Faults, application::Approver, examination::check_rejection_reason,
};

use super::{App, AppError, blocking, deliver::ActOutcomes, seen, submit};
use crate::{
    ports::{Act, Examinations, IntakeStore, Place},
    subject_key::subject_key,
};

impl<S: IntakeStore> App<S> {
    /// The applications that wait for an examiner, in the order of the queue.
    pub async fn examinations(
        &self,
        after: Option<ApplicationId>,
        most: usize,
    ) -> Result<Examinations, AppError> {
        let now = self.now();
        let mut page = self.parts.store.examinations(after, most, now).await?;
        let waiting = u64::try_from(page.waiting).unwrap_or(u64::MAX);
        for (ahead, application) in (page.before..).zip(&mut page.applications) {
            let ahead = u64::try_from(ahead).unwrap_or(u64::MAX);
            let place = Place { ahead, waiting };
            application.estimate = Some(self.parts.pace.examined(place, now));
        }
        Ok(page)
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
        let mut outcomes = self.act_on(caller, ids, &act).await?;
        let approved = outcomes.iter_mut().filter_map(|(_, one)| one.as_mut().ok());
        self.estimate(approved).await?;
        Ok(outcomes)
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
