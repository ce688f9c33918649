//! Accepting applications and acting upon them: commands made ready, answers put together.

use lgpki_domain::Faults;
use lgpki_ledger::Stamp;

use super::{
    EngineStore,
    command::{Act as ActCommand, ActStep, Command, Deliver, Outcome, Snapshot},
    convert::Extent,
    unexpected,
};
use crate::{
    error::StoreError,
    ports::{Acceptance, Act, ActRefused, Application, Command as PortCommand, NewApplication},
};

impl EngineStore {
    pub(super) async fn accept_batch(
        &self,
        batch: Vec<NewApplication>,
    ) -> Result<Vec<Acceptance>, StoreError> {
        let commands = batch.into_iter().map(|new| Command::Accept(new.into()));
        let outcomes = self.engine.submit(commands.collect()).await?;
        let mut acceptances = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            acceptances.push(self.accepted(outcome).await?);
        }
        Ok(acceptances)
    }

    pub(super) async fn act_batch(
        &self,
        batch: Vec<PortCommand>,
    ) -> Result<Vec<Result<Application, ActRefused>>, StoreError> {
        let outcomes = self.engine.submit(act_commands(batch)).await?;
        let mut answers: Vec<Option<ActRefused>> = Vec::new();
        let mut snapshots = Vec::new();
        let mut note = |answer: Result<Snapshot, ActRefused>| match answer {
            Ok(snapshot) => {
                snapshots.push(snapshot);
                answers.push(None);
            }
            Err(refused) => answers.push(Some(refused)),
        };
        for outcome in outcomes {
            match outcome {
                Outcome::Acted(answer) => note(*answer),
                Outcome::Delivered(each) => each.into_iter().for_each(&mut note),
                other => return Err(unexpected(other)),
            }
        }
        let applications = self.archive.applications(snapshots, Extent::Lean).await?;
        let mut applications = applications.into_iter();
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                Some(refused) => Some(Err(refused)),
                None => applications.next().map(Ok),
            })
            .collect())
    }

    async fn accepted(&self, outcome: Outcome) -> Result<Acceptance, StoreError> {
        let application =
            async |snapshot: Box<Snapshot>| self.archive.application(*snapshot, Extent::Lean).await;
        Ok(match outcome {
            Outcome::Accepted(snapshot) => Acceptance::Accepted(application(snapshot).await?),
            Outcome::Repeated(snapshot) => Acceptance::Repeated(application(snapshot).await?),
            Outcome::OtherContent(id) => Acceptance::OtherContent(id),
            Outcome::Refused(faults) => Acceptance::Refused(faults),
            Outcome::JudgedLongAgo => Acceptance::JudgedLongAgo,
            Outcome::Unrecordable(_) => {
                let mut faults = Faults::new();
                let message = "the application with all its names and its CSR is too large for a \
                               record; leave out what is not needed";
                faults.push("issue", "APPLICATION_TOO_LARGE", message);
                Acceptance::Refused(faults)
            }
            other => return Err(unexpected(other)),
        })
    }
}

/// The commands of a batch of acts; deliveries that come together from one caller make one.
fn act_commands(batch: Vec<PortCommand>) -> Vec<Command> {
    let mut commands = Vec::with_capacity(batch.len());
    for one in batch {
        let stamp = Stamp::new(one.at, one.caller.to_string());
        let step = match one.act {
            Act::Approve { operator } => ActStep::Approve(operator),
            Act::Reject { reason } => ActStep::Reject(reason),
            Act::Withdraw => ActStep::Withdraw,
            Act::ConfirmDelivery | Act::PresumeDelivery => {
                let presumed = matches!(one.act, Act::PresumeDelivery);
                match commands.last_mut() {
                    Some(Command::Deliver(last))
                        if last.presumed == presumed && last.stamp == stamp =>
                    {
                        last.ids.push((one.id, one.branch));
                    }
                    _ => commands.push(Command::Deliver(Deliver {
                        ids: vec![(one.id, one.branch)],
                        presumed,
                        stamp,
                    })),
                }
                continue;
            }
        };
        commands.push(Command::Act(ActCommand {
            id: one.id,
            step,
            branch: one.branch,
            stamp,
        }));
    }
    commands
}
