//! The registry of addressees: a branch registers, everybody reads.
//!
//! A contact person's name is durable apart from the log before an entry commits to it, and is erased
//! once a later version has taken the entry's place.

use std::{fmt, sync::Arc};

use lgpki_domain::{
    BodyCode, Caller, Digest, Faults, RequestId,
    addressee::{AddresseeId, check_contact_person, check_end_reason, check_valid_since},
    mail::MailAddress,
};
use lgpki_store::{Opening, OpeningStore, commit};
use tokio::sync::watch;
use tracing::Instrument as _;

use super::{App, AppError, blocking, confined_to, submit::store, visible_branch};
use crate::{
    config::Rules,
    metrics,
    ports::{
        AddresseeAct, AddresseeAnswer, AddresseeDraft, AddresseeFilter, AddresseeRequest,
        AddresseeVersion, IntakeStore,
    },
};

/// Entries that a watcher reads at a time.
const STEP: usize = 200;

/// What every request about an entry has, and what could not be read of it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The front end's name for it.
    pub request_id: Option<RequestId>,
    /// SHA-256 over what was sent, without the contact person's name.
    pub content_digest: Digest,
    /// What could not be read.
    pub faults: Faults,
}

/// What is to be recorded, as it arrived.
#[derive(Clone, Default)]
pub struct Wish {
    /// What could be read of it, but for the contact person.
    pub draft: AddresseeDraft,
    /// The contact person's name: it never enters the log.
    pub contact_person: Option<String>,
}

/// The contact person's name stays out of logs.
impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wish")
            .field("draft", &self.draft)
            .finish_non_exhaustive()
    }
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Deed {
    /// A new entry of the caller's body, which may be named.
    Register(Option<BodyCode>, Wish),
    /// A new version in the place of this one.
    Change(AddresseeId, u32, Wish),
    /// The end of an entry that stands at this version.
    End(AddresseeId, u32, String),
}

/// A version that stands.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The version that the request made.
    pub made: AddresseeVersion,
    /// Whether it had been made before.
    pub repeated: bool,
}

impl<S: IntakeStore> App<S> {
    /// Registers, changes or ends an entry; a refusal names every fault.
    pub async fn record_addressee(
        &self,
        caller: &Caller,
        sent: Sent,
        deed: Deed,
    ) -> Result<Recorded, AppError> {
        let mut faults = sent.faults;
        let (act, person) = self.act(caller, deed, &mut faults)?;
        let admission = &self.parts.admission;
        admission.admit_changes(caller, (act.body(), 1), self.now())?;
        let opening = match person.filter(|_| faults.is_empty()) {
            Some(name) => Some(commit(self.parts.random.as_ref(), &name).map_err(store)?),
            None => None,
        };
        let mut request = AddresseeRequest {
            request_id: sent.request_id,
            content_digest: sent.content_digest,
            act,
            faults,
            most_per_body: self.parts.settings.addressees.most_per_body,
            caller: caller.clone(),
            at: self.now(),
        };
        if let Some(draft) = request.act.draft_mut() {
            draft.contact = opening.as_ref().map(|opening| opening.commitment.clone());
        }
        let recording = Recording {
            store: self.parts.store.clone(),
            names: self.parts.openings.clone(),
        };
        // A task of its own: names and entries must agree even if the caller goes away.
        let recording = recording.record(opening, request).in_current_span();
        let recorded = tokio::spawn(recording).await;
        let answer = recorded.map_err(|failed| AppError::Internal(failed.to_string()))??;
        let outcome = outcome(answer);
        metrics::addressee(&outcome);
        outcome
    }

    /// What the store is asked, and the contact person's name.
    fn act(
        &self,
        caller: &Caller,
        deed: Deed,
        faults: &mut Faults,
    ) -> Result<(AddresseeAct, Option<String>), AppError> {
        match deed {
            Deed::Register(named, wish) => {
                let body = visible_branch(caller, named)?;
                let body = body.ok_or_else(|| AppError::Forbidden {
                    reason: "BRANCH_NOT_YOURS",
                    message: "only an officer of a branch registers its addressees".to_owned(),
                })?;
                let (draft, person) = self.checked(wish, faults);
                Ok((AddresseeAct::Register { body, draft }, person))
            }
            Deed::Change(id, version, wish) => {
                visible_branch(caller, Some(id.body()))?;
                let (draft, person) = self.checked(wish, faults);
                Ok((AddresseeAct::Change { id, version, draft }, person))
            }
            Deed::End(id, version, reason) => {
                visible_branch(caller, Some(id.body()))?;
                faults.keep(check_end_reason("reason", &reason));
                let end = AddresseeAct::End {
                    id,
                    version,
                    reason,
                };
                Ok((end, None))
            }
        }
    }

    /// Judges what needs neither the directories nor other entries.
    fn checked(&self, wish: Wish, faults: &mut Faults) -> (AddresseeDraft, Option<String>) {
        let settings = &self.parts.settings;
        let draft = wish.draft;
        if let Some(day) = draft.valid_since {
            let (field, today) = ("content.valid_since", self.now().jst_date());
            let ahead = settings.addressees.most_days_ahead;
            faults.keep(check_valid_since(field, day, today, ahead));
        }
        if let Some(mail) = &draft.mail {
            check_domain(&settings.rules, mail, faults);
        }
        if let Some(name) = &wish.contact_person {
            faults.keep(check_contact_person("content.contact_person", name));
        }
        (draft, wish.contact_person)
    }

    /// One entry as it stands.
    pub async fn addressee(&self, id: AddresseeId) -> Result<AddresseeVersion, AppError> {
        let found = self.parts.store.addressee(id).await?;
        found.ok_or_else(|| unknown(id))
    }

    /// A page of entries by number, and where the next one begins.
    pub async fn addressees(
        &self,
        filter: AddresseeFilter,
        after: Option<AddresseeId>,
        most: usize,
    ) -> Result<(Vec<AddresseeVersion>, Option<AddresseeId>), AppError> {
        let found = self.parts.store.addressees(filter, after, most).await?;
        let last = found.last().filter(|_| found.len() == most);
        let next = last.map(|last| last.id);
        Ok((found, next))
    }

    /// A page of an entry's versions, oldest first, and where the next one begins.
    pub async fn addressee_history(
        &self,
        id: AddresseeId,
        after: u32,
        most: usize,
    ) -> Result<(Vec<AddresseeVersion>, Option<u32>), AppError> {
        let found = self.parts.store.addressee_history(id, after, most).await?;
        if found.is_empty() && self.parts.store.addressee(id).await?.is_none() {
            return Err(unknown(id));
        }
        let last = found.last().filter(|_| found.len() == most);
        let next = last.map(|last| last.version);
        Ok((found, next))
    }

    /// Follows the entries, of one body only if given, from a cursor on.
    pub async fn watch_addressees(
        &self,
        body: Option<BodyCode>,
        cursor: Option<u64>,
    ) -> Result<AddresseeWatcher<S>, AppError> {
        let store = self.parts.store.clone();
        let bell = store.addressee_bell().await?;
        let from = cursor.unwrap_or_default();
        let seen = store.addressees_since(body, from, 1).await?;
        if seen.next < from {
            let mut faults = Faults::new();
            let message = "the cursor lies beyond what is recorded here; it is another server's, or this \
                           one was set back: begin without a cursor";
            faults.push("cursor", "CURSOR_UNKNOWN", message);
            return Err(AppError::Request(faults));
        }
        Ok(AddresseeWatcher {
            store,
            body,
            bell,
            from,
            greeted: false,
        })
    }

    /// The contact person's name, for officers of the body whose entry it is.
    #[must_use]
    pub fn contact_person(&self, caller: &Caller, shown: &AddresseeVersion) -> Option<String> {
        if confined_to(caller) != Some(shown.id.body()) {
            return None;
        }
        let opening = self.parts.openings.get(shown.contact.as_ref()?)?;
        Some(opening.text)
    }

    /// Who recorded a version, for those who may read the log or acted themselves.
    #[must_use]
    pub fn recorder<'a>(caller: &Caller, shown: &'a AddresseeVersion) -> &'a str {
        match confined_to(caller) {
            Some(own) if own != shown.id.body() => "",
            _ => &shown.changed_by,
        }
    }
}

/// One caller's watch.
#[derive(Debug)]
pub struct AddresseeWatcher<S> {
    store: Arc<S>,
    body: Option<BodyCode>,
    bell: watch::Receiver<u64>,
    from: u64,
    greeted: bool,
}

impl<S: IntakeStore> AddresseeWatcher<S> {
    /// Where it stands.
    #[must_use]
    pub const fn cursor(&self) -> u64 {
        self.from
    }

    /// What is to be told next, and where to go on after it; waits until there is something, but the
    /// first time. May be dropped while it waits.
    pub async fn next(&mut self) -> Result<(Vec<AddresseeVersion>, u64), AppError> {
        loop {
            // Before reading: what comes meanwhile rings again.
            self.bell.mark_unchanged();
            let read = self.store.addressees_since(self.body, self.from, STEP);
            let changes = read.await?;
            self.from = changes.next;
            if !changes.entries.is_empty() || (changes.caught_up && !self.greeted) {
                self.greeted = true;
                return Ok((changes.entries, changes.next));
            }
            if changes.caught_up {
                let closed = |_| AppError::Internal("the registry's changes ended".to_owned());
                self.bell.changed().await.map_err(closed)?;
            }
        }
    }
}

/// A contact's mail address lies under no domain for services to the public.
fn check_domain(rules: &Rules, mail: &MailAddress, faults: &mut Faults) {
    if let Some(domain) = rules.administrative_domain(mail.domain()) {
        let message = format!(
            "{domain} is an administrative-service domain (行政サービス用ドメイン); use an address of the \
             office's own domain"
        );
        faults.push(
            "content.contact_mail",
            "MAIL_ADMINISTRATIVE_DOMAIN",
            message,
        );
    }
}

fn unknown(id: AddresseeId) -> AppError {
    AppError::NotFound {
        reason: "ADDRESSEE_NOT_FOUND",
        message: format!("there is no addressee {id}; check the number with `list`"),
    }
}

fn outcome(answer: AddresseeAnswer) -> Result<Recorded, AppError> {
    match answer {
        AddresseeAnswer::Recorded { made, .. } => Ok(Recorded {
            made: *made,
            repeated: false,
        }),
        AddresseeAnswer::Repeated(made) => Ok(Recorded {
            made: *made,
            repeated: true,
        }),
        AddresseeAnswer::OtherContent(id) => Err(AppError::OtherAddressee(id)),
        AddresseeAnswer::Refused(faults) => Err(AppError::Request(faults)),
        AddresseeAnswer::NotFound(id) => Err(unknown(id)),
        AddresseeAnswer::Ended(id) => Err(AppError::WrongState {
            reason: "ADDRESSEE_ENDED",
            message: format!("addressee {id} has ended; register a new entry instead"),
        }),
        AddresseeAnswer::OtherVersion { id, stands } => Err(AppError::Overtaken {
            reason: "ADDRESSEE_VERSION_DIFFERS",
            message: format!(
                "addressee {id} stands at version {stands}; read it again and decide anew"
            ),
        }),
    }
}

/// The steps in which names and entries must agree.
struct Recording<S> {
    store: Arc<S>,
    names: Arc<OpeningStore>,
}

impl<S: IntakeStore> Recording<S> {
    async fn record(
        self,
        opening: Option<Opening>,
        request: AddresseeRequest,
    ) -> Result<AddresseeAnswer, AppError> {
        let commitment = opening.as_ref().map(|opening| opening.commitment.clone());
        if let Some(opening) = opening {
            let names = self.names.clone();
            blocking(move || names.put(&[opening]))
                .await?
                .map_err(store)?;
        }
        let answer = self.store.record_addressee(request).await?;
        let idle = match &answer {
            AddresseeAnswer::Recorded { erases, .. } => erases.clone(),
            _ => commitment,
        };
        if let Some(idle) = idle {
            let names = self.names.clone();
            blocking(move || names.erase(&[idle]))
                .await?
                .map_err(store)?;
        }
        Ok(answer)
    }
}
