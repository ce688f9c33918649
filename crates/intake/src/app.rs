//! What intake does, apart from any transport.
//!
//! Each use case takes a caller whose certificate was checked and whose role may call it, and decides
//! what that caller may see: branch officers see their own branch, LGWAN officers their own body,
//! operators and auditors everything. What one may not see is not found.

pub mod addressee;
pub mod deliver;
pub mod directory;
pub mod door;
pub mod error;
mod estimate;
pub mod examine;
pub mod limits;
pub mod queue;
pub mod read;
mod renewal;
pub mod submission;
pub mod submit;
pub mod watch;

use std::{sync::Arc, time::Duration};

use lgpki_domain::{
    BodyCode, Caller, Clock, Faults, OfficerRole, Randomness, Role, Serial, application::State,
};
use lgpki_store::OpeningStore;

pub use error::AppError;

use crate::{
    admission::Admission,
    config::Settings,
    logins::Logins,
    pace::Pace,
    peers::Peers,
    ports::{Application, IntakeStore},
    promises::Promises,
    slots::Slots,
    standings::Standings,
};

/// The most items of one bulk call.
pub const MOST_ITEMS: usize = 1_000;

/// Everything the use cases need.
#[derive(Debug)]
pub struct Parts<S> {
    /// Applications and directories.
    pub store: Arc<S>,
    /// What certificates there are.
    pub standings: Arc<Standings>,
    /// How many may enter.
    pub admission: Arc<Admission>,
    /// Whose renewals come in their slots.
    pub slots: Arc<Slots>,
    /// Which branches' officers no longer log in.
    pub logins: Arc<Logins>,
    /// The names behind the commitments in the log.
    pub openings: Arc<OpeningStore>,
    /// The issuer and lifecycle.
    pub peers: Peers,
    /// How fast what waits is worked off.
    pub pace: Arc<Pace>,
    /// The estimates given, until it is known how right they were.
    pub promises: Arc<Promises>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For application numbers and salts.
    pub random: Arc<dyn Randomness>,
    /// What the operator has set.
    pub settings: Settings,
}

/// The use cases.
#[derive(Debug)]
pub struct App<S> {
    parts: Parts<S>,
}

impl<S: IntakeStore> App<S> {
    /// Puts the parts together.
    #[must_use]
    pub const fn new(parts: Parts<S>) -> Self {
        Self { parts }
    }

    /// The other services.
    #[must_use]
    pub const fn peers(&self) -> &Peers {
        &self.parts.peers
    }

    /// What the operator has set.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.parts.settings
    }

    /// The time now, for decoding what depends on the day.
    #[must_use]
    pub fn now(&self) -> lgpki_domain::Timestamp {
        self.parts.clock.now()
    }

    /// Lets a call that reads in, or turns it away.
    pub fn admit_read(&self, caller: &Caller) -> Result<(), AppError> {
        Ok(self.parts.admission.admit_read(caller, self.now())?)
    }

    /// The examiner's name, for the branch whose application it is; of one that is no branch's, for
    /// operators.
    #[must_use]
    pub fn examiner_name(&self, caller: &Caller, application: &Application) -> Option<String> {
        let commitment = application.examiner_commitment.as_ref()?;
        let own = caller.body() == application.branch
            && (application.branch.is_some() || is_officer(caller, OfficerRole::Operator));
        if !own {
            return None;
        }
        let opening = self.parts.openings.get(commitment)?;
        Some(opening.text)
    }

    /// Refuses until the standings have caught up once.
    fn ready(&self) -> Result<(), AppError> {
        if self.parts.standings.progress().is_complete() {
            return Ok(());
        }
        Err(AppError::NotYet {
            reason: "STANDINGS_NOT_READY",
            message: "intake is still learning which certificates exist; try again shortly".into(),
            retry_after: Duration::from_secs(1),
        })
    }
}

/// The branch to which a caller is confined; none for operators and auditors.
#[must_use]
pub fn confined_to(caller: &Caller) -> Option<BodyCode> {
    caller.body()
}

/// Settles whose data a call is about: a confined caller's own, or whatever was asked for.
pub fn visible_branch(
    caller: &Caller,
    asked: Option<BodyCode>,
) -> Result<Option<BodyCode>, AppError> {
    match (confined_to(caller), asked) {
        (None, asked) => Ok(asked),
        (Some(own), None) => Ok(Some(own)),
        (Some(own), Some(asked)) if own == asked => Ok(Some(own)),
        (Some(own), Some(asked)) => Err(AppError::Forbidden {
            reason: "BRANCH_NOT_YOURS",
            message: format!("your login certificate is of {own}; it cannot act for {asked}"),
        }),
    }
}

/// Whether the caller is an officer of this role; the access table has let only such roles pass.
#[must_use]
pub fn is_officer(caller: &Caller, role: OfficerRole) -> bool {
    caller.role() == Role::Officer(role)
}

/// The login certificate that an officer calls with.
#[must_use]
pub const fn own_login(caller: &Caller) -> Option<Serial> {
    match caller {
        Caller::Officer { serial, .. } => Some(*serial),
        Caller::Service(_) => None,
    }
}

/// The login certificate of an officer who sees no applications but those to renew it: an LGWAN
/// officer's; the branch's others are its branch officers' affair.
#[must_use]
pub fn own_renewals_only(caller: &Caller) -> Option<Serial> {
    own_login(caller).filter(|_| is_officer(caller, OfficerRole::LgwanOfficer))
}

/// Refuses more items than one call may have, and none at all.
pub fn check_count(field: &str, count: usize) -> Result<(), AppError> {
    let mut faults = Faults::new();
    if count == 0 {
        faults.push(
            field,
            "NOTHING_NAMED",
            "nothing is named; name at least one",
        );
    } else if count > MOST_ITEMS {
        let message = format!("{count} are named; one call takes at most {MOST_ITEMS}");
        faults.push(field, "TOO_MANY", message);
    }
    faults.into_result().map_err(AppError::Request)
}

/// Runs what may wait for the disk apart from the threads that serve calls.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AppError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|failed| AppError::Internal(failed.to_string()))
}

/// An application that the caller may not see is not there.
fn seen(
    caller: &Caller,
    id: impl std::fmt::Display,
    found: Option<Application>,
) -> Result<Application, AppError> {
    found
        .filter(|application| {
            let branchs = confined_to(caller).is_none_or(|own| Some(own) == application.branch);
            branchs && (own_renewals_only(caller).is_none() || is_of_own_login(caller, application))
        })
        .ok_or_else(|| AppError::no_such_application(id))
}

/// Whether an application renews the caller's login certificate, or that certificate came of it.
fn is_of_own_login(caller: &Caller, application: &Application) -> bool {
    let (State::Issued { serial, .. } | State::Delivered { serial, .. }) = application.state else {
        return application.renews().is_some() && application.renews() == own_login(caller);
    };
    renews_own_login(caller, application.renews(), serial)
}

/// Whether a certificate was issued in the place of the caller's login certificate, or is that one.
fn renews_own_login(caller: &Caller, renews: Option<Serial>, issued: Serial) -> bool {
    let Some(own) = own_login(caller) else {
        return false;
    };
    renews.is_some_and(|renews| renews == own || issued == own)
}
