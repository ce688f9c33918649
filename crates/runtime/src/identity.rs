//! The judgement of who calls.
//!
//! The handshake proved only that the client holds the key of the certificate it shows. Here the
//! chain is verified, once per connection and set of anchors; validity, standing and role are judged
//! on every RPC, and again while a stream is open, so that an expiry or a revocation ends a login
//! within the connection. A chain to
//! the service CA makes a service, a chain to the Organization CA an officer, nothing else anybody.

mod presented;
mod refusal;

use std::{fmt, sync::Arc};

use lgpki_domain::{BodyCode, Caller, Clock, Serial, Timestamp};
use lgpki_proto::{Failure, access::Access};

use crate::tls::TrustAnchors;
pub(crate) use presented::Presented;
use presented::{Leaf, Trust};
pub(crate) use refusal::not_served;

/// Where a login certificate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginStanding {
    /// It may log in.
    Good,
    /// It is being renewed (R3): it may log in for what remains to be done with it.
    InRenewal,
    /// It is revoked.
    Revoked {
        /// Since when.
        at: Timestamp,
    },
    /// Its body's branch was deactivated (R8).
    BranchDeactivated,
    /// The service knows every certificate there is, and this is none of them.
    NotRegistered,
    /// Not known yet: the service is still catching up, and must not let anybody in meanwhile.
    Unknown,
}

/// Knows the standing of login certificates; answers from memory.
pub trait LoginStandings: Send + Sync + fmt::Debug + 'static {
    /// The standing of a certificate of the Organization CA, whose role belongs to `body` or to none.
    fn standing(&self, serial: &Serial, body: Option<BodyCode>) -> LoginStanding;
}

/// A login that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLogin {
    /// Who it was: an actor such as `branch-officer/01001/41ab…` where a trusted CA says so,
    /// otherwise `unknown`.
    pub caller: String,
    /// The stable reason.
    pub reason: &'static str,
}

/// Takes note of refused logins for the audit log; must not block.
pub trait RefusedLogins: Send + Sync + fmt::Debug + 'static {
    /// Notes one.
    fn note(&self, refused: RefusedLogin);
}

/// How officers log in; only intake lets them.
#[derive(Clone, Debug)]
pub struct OfficerDoor {
    /// The certificates of the Organization CA, all generations in use.
    pub anchors: TrustAnchors,
    /// Revocations and closed branches.
    pub standing: Arc<dyn LoginStandings>,
    /// Where refused logins are noted.
    pub refused: Arc<dyn RefusedLogins>,
}

/// Judges callers.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    pub(crate) services: TrustAnchors,
    pub(crate) officers: Option<OfficerDoor>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Judge {
    /// The caller that `presented` proves, if it may call `row`.
    pub(crate) fn judge(&self, presented: &Presented, row: &Access) -> Result<Caller, Failure> {
        let outcome = self.caller(presented, row).and_then(|caller| {
            if row.roles.contains(&caller.role()) {
                Ok(caller)
            } else {
                let refused = refusal::role_not_allowed(caller.role(), row);
                Err((Some(caller), refused))
            }
        });
        outcome.map_err(|(caller, refusal)| {
            self.note(caller.as_ref(), refusal.reason);
            refusal.into()
        })
    }

    fn note(&self, caller: Option<&Caller>, reason: &'static str) {
        let caller = caller.map_or_else(|| "unknown".to_owned(), ToString::to_string);
        tracing::info!(caller, reason, "login refused");
        match &self.officers {
            Some(door) if reason != refusal::STANDING_UNKNOWN => {
                door.refused.note(RefusedLogin { caller, reason });
            }
            _ => {}
        }
    }

    /// Who calls, or who it is as far as is proven, and why not.
    fn caller(
        &self,
        presented: &Presented,
        row: &Access,
    ) -> Result<Caller, (Option<Caller>, refusal::Refusal)> {
        let leaf = presented.leaf().map_err(|refusal| (None, refusal))?;
        let officers = self.officers.as_ref().map(|door| &door.anchors);
        let trust = presented
            .trusted_by(&self.services, officers)
            .map_err(|refusal| (None, refusal))?;
        let caller = match trust {
            Trust::Services => leaf.service.map(Caller::Service),
            Trust::Officers => leaf
                .login
                .zip(leaf.serial)
                .map(|((role, body), serial)| Caller::Officer { role, body, serial }),
        };
        let caller = caller.ok_or_else(|| (None, refusal::not_a_login_certificate(leaf.kind)))?;
        match self.in_force(leaf, &caller, row) {
            Ok(()) => Ok(caller),
            Err(refusal) => Err((Some(caller), refusal)),
        }
    }

    /// Whether the identity holds now.
    fn in_force(&self, leaf: &Leaf, caller: &Caller, row: &Access) -> Result<(), refusal::Refusal> {
        let now = self.clock.now();
        if now < leaf.not_before {
            return Err(refusal::not_yet_valid(leaf.not_before));
        }
        // The whole last second counts as valid (RFC 5280 §4.1.2.5).
        if now.as_seconds() > leaf.not_after.as_seconds() {
            return Err(refusal::expired(leaf.not_after));
        }
        match (caller, &self.officers) {
            (Caller::Officer { serial, body, .. }, Some(door)) => {
                match door.standing.standing(serial, *body) {
                    LoginStanding::Good => Ok(()),
                    LoginStanding::InRenewal if row.in_renewal => Ok(()),
                    LoginStanding::InRenewal => Err(refusal::in_renewal()),
                    LoginStanding::Revoked { at } => Err(refusal::revoked(at)),
                    LoginStanding::BranchDeactivated => Err(refusal::branch_deactivated()),
                    LoginStanding::NotRegistered => Err(refusal::not_registered()),
                    LoginStanding::Unknown => Err(refusal::standing_unknown()),
                }
            }
            (Caller::Officer { .. }, None) => Err(refusal::not_a_login_certificate(leaf.kind)),
            (Caller::Service(_), _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
