//! Reading applications.

use lgpki_domain::{ApplicationId, BodyCode, Caller, CertificateKind, RequestId, Subject};

use super::{App, AppError, own_renewals_only, seen, visible_branch};
use crate::ports::{Application, Content, Filter, IntakeStore};

/// The page size where none is asked for.
pub const USUAL_PAGE: usize = 100;
/// The largest page.
pub const LARGEST_PAGE: usize = 1_000;

/// How one application is named.
#[derive(Clone, Debug)]
pub enum Named {
    /// By its number.
    Id(ApplicationId),
    /// By the front end's name for it, and its branch: a confined caller's own where none is named.
    Request(Option<BodyCode>, RequestId),
}

/// A page of applications and where the next one begins.
#[derive(Clone, Debug)]
pub struct Page {
    /// In order of receipt.
    pub applications: Vec<Application>,
    /// The last one of this page; none at the end.
    pub next: Option<ApplicationId>,
}

/// The number of items a page may have, from what was asked for.
#[must_use]
pub fn page_size(asked: u32) -> usize {
    match usize::try_from(asked) {
        Ok(0) => USUAL_PAGE,
        Ok(asked) => asked.min(LARGEST_PAGE),
        Err(_) => LARGEST_PAGE,
    }
}

impl<S: IntakeStore> App<S> {
    /// Reads one application.
    pub async fn application(
        &self,
        caller: &Caller,
        named: Named,
    ) -> Result<Application, AppError> {
        let store = &self.parts.store;
        match named {
            Named::Id(id) => {
                let found = seen(caller, id, store.application(id).await?)?;
                self.estimated(found).await
            }
            Named::Request(branch, request) => {
                let missing = || AppError::no_such_application(&request);
                let Ok(branch) = visible_branch(caller, branch) else {
                    return Err(missing());
                };
                let found = store.by_request(branch, request.clone()).await?;
                self.estimated(seen(caller, &request, found)?).await
            }
        }
    }

    /// Lists a page of applications.
    pub async fn applications(
        &self,
        caller: &Caller,
        mut filter: Filter,
        after: Option<ApplicationId>,
        most: usize,
    ) -> Result<Page, AppError> {
        filter.branch = visible_branch(caller, filter.branch)?;
        filter.renews = own_renewals_only(caller);
        let mut applications = self.parts.store.list(filter, after, most).await?;
        self.estimate(applications.iter_mut()).await?;
        let next = applications
            .last()
            .filter(|_| applications.len() == most)
            .map(|last| last.id);
        Ok(Page { applications, next })
    }
}

/// Whether an application is among those asked for.
#[must_use]
pub fn matches(filter: &Filter, application: &Application) -> bool {
    let kind = subject_of(application).0;
    (filter.branch.is_none() || filter.branch == application.branch)
        && (filter.states.is_empty() || filter.states.contains(&application.state.name()))
        && (filter.kinds.is_empty() || filter.kinds.contains(&kind))
        && (filter.sorts.is_empty() || filter.sorts.contains(&application.sort))
        && filter
            .renews
            .is_none_or(|serial| application.renews() == Some(serial))
}

/// The kind of certificate an application is about, and whom it names.
#[must_use]
pub const fn subject_of(application: &Application) -> (CertificateKind, &Subject) {
    match &application.content {
        Content::Issue(content) => (content.kind, &content.subject),
        Content::Revoke { kind, subject, .. } => (*kind, subject),
    }
}
