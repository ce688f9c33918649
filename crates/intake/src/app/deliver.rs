//! Handing certificates out (R10).
//!
//! A certificate can be downloaded once lifecycle has passed its position in the issuer's log, or
//! its revocation could not be looked up; it counts as delivered when the front end says so, or a
//! month later.

use std::{sync::Arc, time::Duration};

use lgpki_domain::{ApplicationId, Caller, CertificateKind, OfficerRole, Role};

use super::{App, AppError, confined_to, is_of_own_login, is_officer, renews_own_login, seen};
use crate::ports::{Act, Application, Command, IntakeStore, StoredCertificate};

/// How soon to try again in the moment between issue and inventory.
const SOON: Duration = Duration::from_millis(200);

/// A certificate on its way to the front end.
#[derive(Clone, Debug)]
pub struct Download {
    /// The certificate.
    pub stored: StoredCertificate,
    /// The CA certificate that issued it.
    pub ca_certificate: Arc<[u8]>,
}

/// What became of each of several applications.
pub type ActOutcomes = Vec<(ApplicationId, Result<Application, AppError>)>;

/// Whether a certificate is handed to this caller: to its own branch; a login certificate to an operator,
/// who hands it over in person where nobody of the branch can log in; and the one that takes the place
/// of the own login certificate to whoever logs in with either.
fn may_receive(caller: &Caller, stored: &StoredCertificate) -> bool {
    let of_the_role = match caller.role() {
        Role::Officer(OfficerRole::BranchOfficer) => {
            stored.branch.is_some() && stored.branch == confined_to(caller)
        }
        Role::Officer(OfficerRole::Operator) => stored.kind == CertificateKind::Login,
        _ => false,
    };
    of_the_role || renews_own_login(caller, stored.renews, stored.serial)
}

impl<S: IntakeStore> App<S> {
    /// Downloads certificates, in the order asked for.
    pub async fn download(
        &self,
        caller: &Caller,
        ids: Vec<ApplicationId>,
    ) -> Result<Vec<Result<Download, AppError>>, AppError> {
        self.ready()?;
        let found = self.parts.store.certificates(ids.clone()).await?;
        let mut downloads = Vec::with_capacity(ids.len());
        for (id, stored) in ids.into_iter().zip(found) {
            downloads.push(match stored {
                Some(stored) => self.hand_out(caller, stored).await,
                None => Err(self.why_none(caller, id).await?),
            });
        }
        Ok(downloads)
    }

    /// Refuses what lifecycle does not know of yet.
    fn in_inventory(&self, stored: &StoredCertificate) -> Result<(), AppError> {
        if stored.issuer_index < self.parts.standings.progress().issuance_position {
            return Ok(());
        }
        Err(AppError::NotYet {
            reason: "CERTIFICATE_NOT_IN_INVENTORY",
            message:
                "the certificate is issued and about to enter the inventory; try again shortly"
                    .into(),
            retry_after: SOON,
        })
    }

    async fn hand_out(
        &self,
        caller: &Caller,
        stored: StoredCertificate,
    ) -> Result<Download, AppError> {
        if !may_receive(caller, &stored) {
            return Err(AppError::no_such_application(stored.id));
        }
        self.in_inventory(&stored)?;
        let ca_certificate = self
            .parts
            .peers
            .ca_certificate(stored.kind, &stored.certificate)
            .await?;
        Ok(Download {
            stored,
            ca_certificate,
        })
    }

    async fn why_none(&self, caller: &Caller, id: ApplicationId) -> Result<AppError, AppError> {
        let application = match seen(caller, id, self.parts.store.application(id).await?) {
            Ok(application) => application,
            Err(refused) => return Ok(refused),
        };
        let state = application.state.name();
        let message = if !application.sort.yields_certificate() {
            format!(
                "application {id} is to {}; it yields no certificate",
                application.sort
            )
        } else if application.state.is_final() {
            format!("application {id} is {state}; there is no certificate")
        } else {
            format!("application {id} is {state}; its certificate is not issued yet, watch it")
        };
        Ok(AppError::WrongState {
            reason: "CERTIFICATE_NOT_ISSUED",
            message,
        })
    }

    /// Notes that the front end has stored certificates. What could not be downloaded yet cannot
    /// have been stored; delivered, it would no longer keep its subject from a second certificate,
    /// and lifecycle would not do so yet.
    pub async fn confirm_delivery(
        &self,
        caller: &Caller,
        ids: Vec<ApplicationId>,
    ) -> Result<ActOutcomes, AppError> {
        let found = self.parts.store.certificates(ids.clone()).await?;
        let early = |stored: Option<StoredCertificate>| {
            let stored = stored?;
            if may_receive(caller, &stored) {
                self.in_inventory(&stored).err()
            } else {
                Some(AppError::no_such_application(stored.id))
            }
        };
        let early: Vec<_> = found.into_iter().map(early).collect();
        let ready = ids.iter().zip(&early).filter(|(_, early)| early.is_none());
        let ready: Vec<_> = ready.map(|(id, _)| *id).collect();
        let mut acted = self
            .act_on(caller, ready, &Act::ConfirmDelivery)
            .await?
            .into_iter();
        Ok(ids
            .into_iter()
            .zip(early)
            .filter_map(|(id, early)| match early {
                Some(error) => Some((id, Err(error))),
                None => acted.next(),
            })
            .collect())
    }

    /// Withdraws an application; who is no branch's officer, only the renewal of the own login.
    pub async fn withdraw(
        &self,
        caller: &Caller,
        id: ApplicationId,
    ) -> Result<Application, AppError> {
        if !is_officer(caller, OfficerRole::BranchOfficer) {
            let application = seen(caller, id, self.parts.store.application(id).await?)?;
            if !is_of_own_login(caller, &application) {
                return Err(AppError::Forbidden {
                    reason: "OWN_LOGIN_ONLY",
                    message: format!(
                        "application {id} does not renew your own login certificate; its branch \
                         withdraws it, or an operator rejects it"
                    ),
                });
            }
        }
        let mut outcomes = self.act_on(caller, vec![id], &Act::Withdraw).await?;
        match outcomes.pop() {
            Some((_, outcome)) => outcome,
            None => Err(AppError::Internal("the store lost a withdrawal".to_owned())),
        }
    }

    /// Carries the same act out upon several applications.
    pub(super) async fn act_on(
        &self,
        caller: &Caller,
        ids: Vec<ApplicationId>,
        act: &Act,
    ) -> Result<ActOutcomes, AppError> {
        let at = self.now();
        let command = |id: &ApplicationId| Command {
            id: *id,
            act: act.clone(),
            branch: confined_to(caller),
            caller: caller.clone(),
            at,
        };
        let outcomes = self
            .parts
            .store
            .act(ids.iter().map(command).collect())
            .await?;
        if matches!(act, Act::Withdraw | Act::Reject { .. }) {
            let ended = outcomes.iter().flatten();
            ended.for_each(|application| self.parts.promises.forget(application.id));
        }
        Ok(ids
            .into_iter()
            .zip(outcomes)
            .map(|(id, outcome)| (id, outcome.map_err(AppError::from)))
            .collect())
    }
}
