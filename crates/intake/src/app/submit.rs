//! Taking applications in.
//!
//! A batch is inspected on as many threads as there are, looked up in one go, judged, and stored as
//! one durable unit; each application in it is decided on its own. The examiners' names are durable
//! apart from the log before an entry commits to them.

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
    time::Duration,
};

use lgpki_domain::{ApplicationId, Caller, Digest, OfficerRole, application::Sort};
use lgpki_store::{Opening, OpeningStore, commit};
use tracing::Instrument as _;

use super::{
    App, AppError, blocking, confined_to,
    door::{self, Admitted, Against, Inspected, Refusal},
    is_officer, own_login,
    submission::{NamedBranch, Submission},
};
use crate::{
    admission::{Entrant, is_exempt},
    metrics,
    ports::{Acceptance, Application, DoorView, IntakeStore, NewApplication},
    slots::{Bearer, SlotUse},
};

/// So few are inspected where the call is served; more go to threads of their own.
const INLINE: usize = 2;

/// How many threads inspect. Asking the system takes it longer than inspecting one application does.
static LANES: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));

/// An application that stands.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// As it stands.
    pub application: Application,
    /// Whether it had been accepted before.
    pub repeated: bool,
    /// What became of its slot token, if it had one.
    pub slot: Option<SlotUse>,
}

/// The outcome of one application of a batch.
pub type Outcome = Result<Accepted, AppError>;

/// Outcomes by position, filled in as they become known.
pub(super) struct Outcomes(Vec<Option<Outcome>>);

impl Outcomes {
    pub(super) fn settle(&mut self, position: usize, outcome: Outcome) {
        self.0[position] = Some(outcome);
    }

    fn finish(self) -> Vec<Outcome> {
        let lost = || Err(AppError::Internal("an item was left undecided".to_owned()));
        self.0
            .into_iter()
            .map(|outcome| outcome.unwrap_or_else(lost))
            .collect()
    }
}

/// What the applications of a batch have in common.
#[derive(Clone, Copy, Debug)]
struct Stage<'a> {
    caller: &'a Caller,
    standings_position: u64,
}

impl<S: IntakeStore> App<S> {
    /// Takes a batch in; the outcomes stand in the order of the submissions. An error concerns the
    /// whole batch: nothing of it was acknowledged, and sending it again is safe.
    pub async fn submit(
        &self,
        caller: &Caller,
        batch: Vec<Submission>,
    ) -> Result<Vec<Outcome>, AppError> {
        self.ready()?;
        let mut outcomes = Outcomes(batch.iter().map(|_| None).collect());
        let mut own = Vec::with_capacity(batch.len());
        let mut slot_uses = vec![None; batch.len()];
        let brought = batch.iter().filter_map(Submission::slot_token);
        let (slots, now) = (&self.parts.slots, self.now());
        slots.learn(brought, &self.parts.peers, now).await;
        for (position, mut submission) in batch.into_iter().enumerate() {
            let may = submission.check_applicant(caller);
            match may.and_then(|()| self.admit(caller, &submission)) {
                Ok(used) => {
                    slot_uses[position] = used;
                    own.push((position, submission));
                }
                Err(error) => outcomes.settle(position, Err(error)),
            }
        }
        let own = self.resolve_renewals(own, &mut outcomes).await;
        // Before judging: what the standings learn in between is still in the way for the store.
        let standings_position = self.parts.standings.progress().issuance_position;
        let mut admitted = Vec::with_capacity(own.len());
        for (position, judged) in self.judge(inspect(own).await?).await? {
            match judged {
                Ok(passed) => admitted.push((position, passed)),
                Err(refusal) => outcomes.settle(position, self.refuse(*refusal).await),
            }
        }
        let stage = Stage {
            caller,
            standings_position,
        };
        self.accept(stage, admitted, &mut outcomes).await?;
        let mut outcomes = outcomes.finish();
        self.promise(&mut outcomes).await;
        for (outcome, used) in outcomes.iter_mut().zip(slot_uses) {
            if let Ok(accepted) = outcome {
                accepted.slot = used;
            }
        }
        metrics::submitted(&outcomes);
        Ok(outcomes)
    }

    /// Before anything is looked up or verified but a slot token, so that turning away costs little. Says what
    /// became of the token.
    fn admit(&self, caller: &Caller, submission: &Submission) -> Result<Option<SlotUse>, AppError> {
        if is_exempt(caller, submission) {
            return Ok(None);
        }
        // Whoever belongs to a branch is metered with it, whatever the application names.
        let branch = confined_to(caller).or_else(|| submission.branch.code());
        let entrant = Entrant {
            caller,
            branch,
            held: branch.map_or(0, |branch| self.parts.standings.held_by(branch)),
            request_id: submission.request_id.as_ref(),
        };
        let now = self.now();
        let used = submission.slot_token().and_then(|brought| {
            let serial = submission.renewed_serial()?;
            let bearer = Bearer {
                caller: own_login(caller),
                branch,
            };
            let used = self.parts.slots.check(brought, serial, bearer, now);
            metrics::slot_used(used);
            Some(used)
        });
        let admission = &self.parts.admission;
        match used {
            Some(Ok(())) => {
                let admitted = admission.admit_in_slot(entrant, now);
                if let (Err(_), Some(serial)) = (&admitted, submission.renewed_serial()) {
                    self.parts.slots.give_back(serial);
                }
                admitted?;
            }
            Some(Err(refused)) => admission
                .admit(entrant, now)
                .map_err(|turned| turned.with_slot(refused))?,
            None => admission.admit(entrant, now)?,
        }
        Ok(used)
    }

    async fn judge(
        &self,
        inspected: Vec<(usize, Inspected)>,
    ) -> Result<Vec<(usize, Judged)>, AppError> {
        let mut queries = Vec::with_capacity(inspected.len());
        let mut asked = Vec::with_capacity(inspected.len());
        for (_, inspected) in &inspected {
            let query = inspected.query();
            asked.push(query.is_some());
            queries.extend(query);
        }
        let mut found = self.parts.store.door(queries).await?.into_iter();
        let views = asked
            .into_iter()
            .map(|asked| if asked { found.next() } else { Some(NOTHING) })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| AppError::Internal("the store lost a look-up".to_owned()))?;
        let now = self.now();
        let wanted: BTreeSet<_> = inspected
            .iter()
            .filter_map(|(_, one)| one.authority())
            .collect();
        let ended = self.parts.peers.ended(wanted, now.jst_date()).await;
        Ok(inspected
            .into_iter()
            .zip(&views)
            .map(|((position, inspected), view)| {
                let against = Against {
                    view,
                    standings: &self.parts.standings,
                    rules: &self.parts.settings.rules,
                    ended: &ended,
                    now,
                };
                (position, door::judge(inspected, &against))
            })
            .collect())
    }

    /// What the door refuses may be a repetition of what it once admitted.
    async fn refuse(&self, refusal: Refusal) -> Outcome {
        let Refusal { submission, faults } = refusal;
        let branch = submission.branch;
        if let Some(request) = submission.request_id
            && branch != NamedBranch::Unreadable
            && let store = &self.parts.store
            && let Some(application) = store.by_request(branch.code(), request).await?
        {
            return repeated(application, submission.content_digest);
        }
        Err(AppError::Refused(faults))
    }

    async fn accept(
        &self,
        stage: Stage<'_>,
        admitted: Vec<(usize, (Submission, Admitted))>,
        outcomes: &mut Outcomes,
    ) -> Result<(), AppError> {
        if admitted.is_empty() {
            return Ok(());
        }
        let mut positions = Vec::with_capacity(admitted.len());
        let mut batch = Vec::with_capacity(admitted.len());
        let mut openings = Vec::new();
        for (position, (submission, admitted)) in admitted {
            let opening = match &submission.examiner_name {
                Some(name) => Some(commit(self.parts.random.as_ref(), name).map_err(store)?),
                None => None,
            };
            let commitment = opening.as_ref().map(|opening| opening.commitment.clone());
            openings.extend(opening);
            match self.new_application(stage, submission, admitted, commitment)? {
                Some(new) => {
                    positions.push(position);
                    batch.push(new);
                }
                None => outcomes.settle(position, Err(undecoded())),
            }
        }
        let acceptances = Taking {
            store: self.parts.store.clone(),
            names: self.parts.openings.clone(),
        }
        .uninterrupted(openings, batch)
        .await?;
        for (position, acceptance) in positions.into_iter().zip(acceptances) {
            let outcome = match acceptance {
                Acceptance::Accepted(application) => Ok(Accepted {
                    application,
                    repeated: false,
                    slot: None,
                }),
                Acceptance::Repeated(application) => Ok(Accepted {
                    application,
                    repeated: true,
                    slot: None,
                }),
                Acceptance::OtherContent(id) => Err(AppError::OtherContent(id)),
                Acceptance::Refused(faults) => Err(AppError::Refused(faults)),
                Acceptance::JudgedLongAgo => Err(AppError::NotYet {
                    reason: "JUDGED_LONG_AGO",
                    message:
                        "too much changed while the application was taken in; nothing was stored; \
                              send it again"
                            .into(),
                    retry_after: Duration::from_secs(1),
                }),
            };
            outcomes.settle(position, outcome);
        }
        Ok(())
    }

    fn new_application(
        &self,
        stage: Stage<'_>,
        submission: Submission,
        admitted: Admitted,
        examiner_commitment: Option<String>,
    ) -> Result<Option<NewApplication>, AppError> {
        let received_at = self.now();
        let id = ApplicationId::draw(received_at, self.parts.random.as_ref())
            .map_err(|failed| AppError::Internal(failed.to_string()))?;
        let (Some(request_id), Some(examination)) = (submission.request_id, submission.examination)
        else {
            return Ok(None);
        };
        let approvals_needed = approvals_needed(stage.caller, &admitted);
        Ok(Some(NewApplication {
            id,
            request_id,
            branch: submission.branch.code(),
            sort: admitted.sort,
            content_digest: submission.content_digest,
            content: admitted.content,
            examination,
            examiner_commitment,
            approvals_needed,
            standings_position: stage.standings_position,
            caller: stage.caller.clone(),
            received_at,
        }))
    }
}

/// How many persons must approve. A login that an operator asks for in a branch's name takes two, whatever
/// the policy: one of them at least is another than the applicant. One that renews the applicant's own,
/// outside the branches' examination, takes one, who cannot be the applicant.
fn approvals_needed(caller: &Caller, admitted: &Admitted) -> u32 {
    let needed = admitted.approvals_needed;
    match admitted.sort {
        Sort::Issue if is_officer(caller, OfficerRole::Operator) => needed.max(2),
        Sort::Renew if !is_officer(caller, OfficerRole::BranchOfficer) => needed.max(1),
        _ => needed,
    }
}

type Judged = Result<(Submission, Admitted), Box<Refusal>>;

/// What is known about an application whose branch could not be read.
const NOTHING: DoorView = DoorView {
    body: None,
    organization: None,
    account: None,
    key_used_by: None,
    open_for_subject: None,
    renewed_by: None,
    ended_by: None,
};

fn repeated(application: Application, digest: Digest) -> Outcome {
    if application.content_digest == digest {
        Ok(Accepted {
            application,
            repeated: true,
            slot: None,
        })
    } else {
        Err(AppError::OtherContent(application.id))
    }
}

fn undecoded() -> AppError {
    AppError::Internal("an application passed the door without its names".to_owned())
}

/// The last steps, in which names and applications must agree.
struct Taking<S> {
    store: Arc<S>,
    names: Arc<OpeningStore>,
}

impl<S: IntakeStore> Taking<S> {
    /// Stores the applications whether or not anybody still waits for the answer: a caller who goes
    /// away between two steps would otherwise leave names behind that no application has.
    async fn uninterrupted(
        self,
        openings: Vec<Opening>,
        batch: Vec<NewApplication>,
    ) -> Result<Vec<Acceptance>, AppError> {
        let taking = self.take(openings, batch).in_current_span();
        let taken = tokio::spawn(taking).await;
        taken.map_err(|failed| AppError::Internal(failed.to_string()))?
    }

    async fn take(
        self,
        openings: Vec<Opening>,
        batch: Vec<NewApplication>,
    ) -> Result<Vec<Acceptance>, AppError> {
        let mut unused = self.keep_names(openings).await?;
        let acceptances = self.store.accept(batch).await?;
        for acceptance in &acceptances {
            if let Acceptance::Accepted(application) = acceptance {
                unused.retain(|commitment| {
                    application.examiner_commitment.as_ref() != Some(commitment)
                });
            }
        }
        self.drop_names(unused).await?;
        Ok(acceptances)
    }

    /// Makes the openings durable and returns their commitments.
    async fn keep_names(&self, openings: Vec<Opening>) -> Result<Vec<String>, AppError> {
        if openings.is_empty() {
            return Ok(Vec::new());
        }
        let names = self.names.clone();
        let commitments = openings.iter().map(|o| o.commitment.clone()).collect();
        blocking(move || names.put(&openings))
            .await?
            .map_err(store)?;
        Ok(commitments)
    }

    /// Erases the openings that no entry of the log names after all.
    async fn drop_names(&self, unused: Vec<String>) -> Result<(), AppError> {
        if unused.is_empty() {
            return Ok(());
        }
        let names = self.names.clone();
        blocking(move || names.erase(&unused)).await?.map_err(store)
    }
}

pub(super) fn store(error: lgpki_store::StoreError) -> AppError {
    AppError::Store(error.into())
}

/// Inspects a batch on all cores: the proofs of possession are what an application costs.
async fn inspect(batch: Vec<(usize, Submission)>) -> Result<Vec<(usize, Inspected)>, AppError> {
    let one = |(position, submission)| (position, Inspected::new(submission));
    if batch.len() <= INLINE {
        return Ok(batch.into_iter().map(one).collect());
    }
    let share = batch.len().div_ceil(*LANES);
    let mut rest = batch.into_iter();
    let mut tasks = Vec::with_capacity(*LANES);
    loop {
        let chunk: Vec<_> = rest.by_ref().take(share).collect();
        if chunk.is_empty() {
            break;
        }
        tasks.push(tokio::task::spawn_blocking(move || {
            chunk.into_iter().map(one).collect::<Vec<_>>()
        }));
    }
    let mut inspected = Vec::new();
    for task in tasks {
        let done = task.await;
        inspected.extend(done.map_err(|failed| AppError::Internal(failed.to_string()))?);
    }
    Ok(inspected)
}

#[cfg(test)]
mod tests;
