//! The opening days: directories are filled, and what the first certificates were is applied for, approved in bulk and
//! delivered on the day itself, outside the examiners' capacity.

use std::collections::BTreeMap;

use lgpki_domain::{BodyCode, Timestamp};
use lgpki_proto::v1::{self, directory_change::Change, submit_application_request::Content};
use tokio::task::JoinSet;

use super::{
    super::{super::front, agenda::opening, wishes},
    Play,
};
use crate::error::CommandError;

/// Branches that are served at the same time.
const AT_ONCE: usize = 16;

impl Play<'_> {
    /// Every body registers its unit, and the roles that user certificates will name.
    pub(in super::super) async fn register(&self) -> Result<(), CommandError> {
        let unit = Change::RegisterOrganization(wishes::unit());
        let mut changes: BTreeMap<BodyCode, Vec<v1::DirectoryChange>> = BTreeMap::new();
        for holding in 0..self.held.len() {
            let (branch, holder) = self.holder(holding)?;
            let of_branch = changes.entry(branch).or_insert_with(|| {
                let change = Some(unit.clone());
                vec![v1::DirectoryChange { change }]
            });
            if let Some(account) = holder.account()? {
                let change = Some(Change::RegisterAccount(account));
                of_branch.push(v1::DirectoryChange { change });
            }
        }
        for (branch, changes) in changes {
            self.offices.register(branch, changes).await?;
        }
        Ok(())
    }

    /// Imports what was issued on an opening day, when its hour has come.
    pub(super) async fn import(&mut self, at: Timestamp) -> Result<(), CommandError> {
        let Some(day) = self.openings.first_entry() else {
            return Ok(());
        };
        if opening(*day.key()) > at {
            return Ok(());
        }
        let holdings = day.remove();
        let mut by_branch: BTreeMap<BodyCode, Vec<usize>> = BTreeMap::new();
        for holding in holdings {
            let (branch, _) = self.holder(holding)?;
            by_branch.entry(branch).or_default().push(holding);
        }
        let mut left = by_branch.into_iter().peekable();
        while left.peek().is_some() {
            let some: Vec<_> = left.by_ref().take(AT_ONCE).collect();
            self.import_some(some).await?;
        }
        Ok(())
    }

    async fn import_some(&mut self, some: Vec<(BodyCode, Vec<usize>)>) -> Result<(), CommandError> {
        let mut sending = JoinSet::new();
        for (branch, holdings) in some {
            let channel = self.offices.branch(branch)?;
            let mut requests = Vec::with_capacity(holdings.len());
            for holding in &holdings {
                let (_, holder) = self.holder(*holding)?;
                let content = Content::Issue(holder.issue()?);
                requests.push(self.request(branch, format!("opening-{holding:08}"), content));
            }
            sending.spawn(async move {
                let outcomes = front::submit(channel, requests).await?;
                Ok::<_, CommandError>((branch, holdings, outcomes))
            });
        }
        let (mut approved, mut to_deliver) = (Vec::new(), Vec::new());
        while let Some(sent) = sending.join_next().await {
            let (branch, holdings, outcomes) = joined(sent)?;
            let mut ids = Vec::with_capacity(outcomes.len());
            for outcome in outcomes {
                ids.push(outcome?.id);
            }
            approved.extend(ids.iter().cloned());
            to_deliver.push((branch, ids.into_iter().zip(holdings).collect::<Vec<_>>()));
        }
        self.offices.approve(&approved).await?;
        self.system.at_rest().await?;
        self.deliver(to_deliver).await?;
        self.record.imported.extend(approved);
        Ok(())
    }

    /// Brings certificates to their branches, and waits until lifecycle knows of it.
    pub(super) async fn deliver(
        &mut self,
        issued: Vec<(BodyCode, Vec<(String, usize)>)>,
    ) -> Result<(), CommandError> {
        let mut delivering = JoinSet::new();
        let mut holdings = BTreeMap::new();
        for (branch, of_branch) in issued {
            let channel = self.offices.branch(branch)?;
            let ids = of_branch.iter().map(|(id, _)| id.clone()).collect();
            holdings.extend(of_branch);
            delivering.spawn(front::deliver(channel, ids));
        }
        while let Some(arrived) = delivering.join_next().await {
            for (id, serial) in joined(arrived)? {
                if let Some(holding) = holdings.remove(&id) {
                    self.hand_over(holding, serial);
                }
            }
        }
        if let Some((id, _)) = holdings.first_key_value() {
            let message = format!("the certificate of application {id} did not arrive");
            return Err(CommandError::new(message));
        }
        self.system.at_rest().await
    }

    /// An application that the branch has examined today.
    pub(super) fn request(
        &self,
        branch: BodyCode,
        request_id: String,
        content: Content,
    ) -> v1::SubmitApplicationRequest {
        v1::SubmitApplicationRequest {
            request_id,
            branch: branch.to_string(),
            examination: Some(wishes::examined(self.system.now().jst_date())),
            content: Some(content),
        }
    }
}

/// What a task found.
pub(super) fn joined<T>(
    task: Result<Result<T, CommandError>, tokio::task::JoinError>,
) -> Result<T, CommandError> {
    task.map_err(|e| CommandError::from_error("a task of the replay", &e))?
}
