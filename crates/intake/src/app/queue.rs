//! Why an application stands where it stands, and how long the queues are.

use lgpki_domain::{ApplicationId, Caller, Timestamp, application::State};

use super::{App, AppError, seen};
use crate::{
    pace::Pace,
    ports::{Application, Explained, IntakeStore, QueueLook, Waits},
    promises::Errors,
};

/// Why an application stands where it stands.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The application, with its estimate.
    pub application: Application,
    /// Its place, if it waits in a queue.
    pub place: Option<Explained>,
    /// All of it in words.
    pub words: String,
    /// The time of the answer.
    pub as_of: Timestamp,
}

/// The queues at one look.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Each with when it will be clear.
    pub queues: [(Waits, QueueLook, Timestamp); 2],
    /// How far estimates were wrong.
    pub errors: [Errors; 2],
    /// The time of the answer.
    pub as_of: Timestamp,
}

impl<S: IntakeStore> App<S> {
    /// At what pace the queues are worked off, and in which order.
    #[must_use]
    pub fn pace(&self) -> &Pace {
        &self.parts.pace
    }

    /// Says why an application stands where it stands.
    pub async fn explain(
        &self,
        caller: &Caller,
        id: ApplicationId,
    ) -> Result<Explanation, AppError> {
        let store = &self.parts.store;
        let application = seen(caller, id, store.application(id).await?)?;
        let as_of = self.now();
        let place = if application.state.is_open() {
            store.explain(id, as_of).await?
        } else {
            None
        };
        let mut application = self.estimated(application).await?;
        if let Some(place) = &place
            && place.queue == Waits::Examination
        {
            let place = crate::ports::Place {
                ahead: count(place.ahead),
                waiting: count(place.waiting),
            };
            application.estimate = Some(self.parts.pace.examined(place, as_of));
        }
        let words = match &place {
            Some(place) => self.words(place),
            None => nowhere(&application),
        };
        Ok(Explanation {
            application,
            place,
            words,
            as_of,
        })
    }

    fn words(&self, place: &Explained) -> String {
        let whom = match place.queue {
            Waits::Examination => "an examiner",
            Waits::Issue => "the issuer",
        };
        let order = self.parts.pace.order().name();
        let begin = format!("It waits for {whom}, in the order {order}:");
        if let Some(standing) = &place.standing {
            return format!("{begin} {standing}.");
        }
        let about = if place.about { "about " } else { "" };
        format!(
            "{begin} {about}{} taken before it; then {}.",
            place.ahead,
            place.class.why()
        )
    }

    /// Shows the queues.
    pub async fn queues(&self) -> Result<Overview, AppError> {
        let as_of = self.now();
        let [examination, issue] = self.parts.store.queues(as_of).await?;
        let estimator = self.parts.pace.estimator();
        let examined = estimator.clears(as_of, count(examination.waiting), []);
        let signed = estimator.all_signed(as_of, count(issue.waiting));
        Ok(Overview {
            queues: [
                (Waits::Examination, examination, examined),
                (Waits::Issue, issue, signed),
            ],
            errors: self.parts.promises.errors(),
            as_of,
        })
    }
}

/// Of what waits in neither queue.
fn nowhere(application: &Application) -> String {
    let what = match application.state {
        State::Received { .. } => {
            "It waits in no queue yet: its certificate's renewal is being opened, which takes a moment."
        }
        State::Examining { .. } | State::Approved { .. } => {
            "It is moving on this very moment; ask again."
        }
        State::Queued { .. } if !application.sort.yields_certificate() => {
            "It waits for nothing but the inventory to record it, before all certificates."
        }
        State::Queued { .. } | State::Issuing { .. } => {
            "It waits in no queue any more: it is being carried out."
        }
        State::Issued { .. } => "It waits for nothing: its certificate can be downloaded.",
        State::Delivered { .. } | State::Completed { .. } => "It waits for nothing: it is done.",
        State::Rejected { .. } | State::Withdrawn { .. } | State::Failed { .. } => {
            "It waits for nothing: it has ended without being carried out."
        }
    };
    what.to_owned()
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
