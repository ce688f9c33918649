//! When applications will be issued: computed when they are told of, from the queue as it stands.

use lgpki_domain::application::State;

use super::{
    App, AppError,
    submit::{Accepted, Outcome},
};
use crate::ports::{Application, IntakeStore, Waits};

impl<S: IntakeStore> App<S> {
    /// Says of each when it will be issued or carried out; of what is or has ended, nothing.
    pub async fn estimate<'a>(
        &self,
        applications: impl Iterator<Item = &'a mut Application>,
    ) -> Result<(), AppError> {
        let now = self.now();
        let (waiting, others): (Vec<_>, Vec<_>) =
            applications.partition(|one| is_before_examination(one));
        for one in others {
            one.estimate = one.state.is_open().then(|| self.parts.pace.signed(now));
        }
        if waiting.is_empty() {
            return Ok(());
        }
        let ids = waiting.iter().map(|one| one.id).collect();
        let places = self.parts.store.places(ids, now).await?;
        for (one, place) in waiting.into_iter().zip(places) {
            one.estimate = Some(match (place, &one.state) {
                (Some(place), _) => self.parts.pace.examined(place, now),
                (None, State::Received { .. }) => self.parts.pace.opened(now),
                // Of what has moved on meanwhile, the next state tells.
                (None, _) => self.parts.pace.signed(now),
            });
        }
        Ok(())
    }

    /// The same for one.
    pub(super) async fn estimated(
        &self,
        mut application: Application,
    ) -> Result<Application, AppError> {
        self.estimate(std::iter::once(&mut application)).await?;
        Ok(application)
    }

    /// Says it of what was accepted, and keeps what is promised for the first time. What stands is never
    /// refused because its estimate is not to be had.
    pub(super) async fn promise(&self, outcomes: &mut [Outcome]) {
        let accepted = outcomes.iter_mut().flatten();
        let told = self
            .estimate(accepted.map(|one| &mut one.application))
            .await;
        if let Err(error) = told {
            tracing::warn!(%error, "no estimates can be given");
        }
        let new = outcomes.iter().flatten().filter(|one| !one.repeated);
        self.parts
            .promises
            .make(new.filter_map(|Accepted { application, .. }| {
                let waits = if is_before_examination(application) {
                    Waits::Examination
                } else {
                    Waits::Issue
                };
                Some((application.id, waits, application.estimate?))
            }));
    }
}

/// Whether it may wait for an examiner: it does, or lifecycle is opening it.
const fn is_before_examination(application: &Application) -> bool {
    matches!(
        application.state,
        State::Received { .. } | State::Examining { .. }
    )
}
