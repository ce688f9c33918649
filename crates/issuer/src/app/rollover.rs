//! A new generation of a CA's key, and the links between it and the one before (RFC 4210 §4.4).
//!
//! The order is key file, CA certificate, old with new, new with old; each is durable before the next
//! is begun. A generation issues only once its day has come and both links stand, so that whoever
//! trusts only the older certificate can follow to everything that is issued. Cut off anywhere, a
//! rollover is held again and goes on where it was; one of which all is recorded is told as it stands, so
//! that what is written from it can be written again.

use std::sync::{Arc, PoisonError};

use lgpki_domain::{Authority, AuthorityKey, JstDate, KeyAlgorithm};
use lgpki_runtime::shutdown::Shutdown;
use lgpki_x509::Addresses;

use super::{App, authority::NewKey, ca_certificate::Named};
use crate::{
    error::{IssuerError, RollOverRefused},
    metrics,
    ports::{AuthorityRecord, Certificate, Issuance, IssuerStore},
    vault::Ca,
};

/// Months that must lie between two generations unless the number of the new one is said.
const USUAL_MONTHS: i32 = 12;
/// Months before the last day on which a CA can issue from which on the log warns.
const WARNING_MONTHS: i32 = 12;

/// What is wanted of a rollover.
#[derive(Clone, Copy, Debug)]
pub struct RollOver {
    /// The CA.
    pub authority: Authority,
    /// The number of the new generation; none means the next, or the newest where the same rollover was
    /// held before.
    pub generation: Option<u32>,
    /// The new key's algorithm; none means that of the generation before.
    pub algorithm: Option<KeyAlgorithm>,
    /// The first day of the new CA certificate, from which the new key issues; none means today.
    pub day: Option<JstDate>,
}

/// Two generations of a CA's key, linked.
#[derive(Clone, Debug)]
pub struct RolledOver {
    /// The new generation.
    pub record: AuthorityRecord,
    /// The older key, certified with the newer.
    pub old_with_new: Certificate,
    /// The newer key, certified with the older.
    pub new_with_old: Certificate,
    /// The generations before, the first one first.
    pub older: Vec<AuthorityRecord>,
    /// Whether all of it was recorded before.
    pub stood: bool,
}

impl<S: IssuerStore> App<S> {
    /// The key that issues on `day`: the newest whose day has come and which is linked with the one
    /// before; where no day has come yet, the first.
    pub(super) fn issuing(&self, authority: Authority, day: JstDate) -> Option<Arc<Ca>> {
        let unlinked = self.unlinked.read().unwrap_or_else(PoisonError::into_inner);
        let cas = self.cas.read().unwrap_or_else(PoisonError::into_inner);
        let all = || cas.iter().filter(|(key, _)| key.authority == authority);
        let come = all()
            .filter(|(key, ca)| ca.issuer.validity().first_day() <= day && !unlinked.contains(key));
        let mut come = come;
        let issuing = come.next_back().or_else(|| all().next());
        issuing.map(|(_, ca)| Arc::clone(ca))
    }

    /// Makes the next generation of a CA's key and links it, or finishes the newest one.
    pub(crate) async fn roll_over(
        &self,
        wanted: RollOver,
        actor: &str,
    ) -> Result<RolledOver, IssuerError> {
        let authority = wanted.authority;
        let newest = self
            .ca(authority)
            .ok_or(IssuerError::NoAuthority(authority))?;
        let newest = newest.issuer.generation();
        let unfinished = self.is_unlinked(AuthorityKey::new(authority, newest));
        let generation = match wanted.generation {
            Some(number) => number,
            None if unfinished || self.is_held_again(wanted, newest)? => newest,
            None => newest + 1,
        };
        if generation == newest + 1 && !unfinished {
            self.next_key(wanted, generation, actor).await?;
        } else if generation != newest || newest == 1 {
            return Err(RollOverRefused::OtherGeneration {
                authority,
                wanted: generation,
                possible: if unfinished { newest } else { newest + 1 },
            }
            .into());
        }
        let new = AuthorityKey::new(authority, generation);
        let old = AuthorityKey::new(authority, generation - 1);
        let missing = || IssuerError::NoAuthority(authority);
        let (old, new_ca) = (
            self.ca_key(old).ok_or_else(missing)?,
            self.ca_key(new).ok_or_else(missing)?,
        );
        let old_with_new = self.link(&new_ca, &old, actor).await?;
        let new_with_old = self.link(&old, &new_ca, actor).await?;
        self.set_linked(new, true);
        let records = self.store.authorities().await?;
        let (mut record, mut older) = (None, Vec::new());
        for one in records.into_iter().filter(|one| one.authority == authority) {
            if one.generation == generation {
                record = Some(one);
            } else {
                older.push(one);
            }
        }
        Ok(RolledOver {
            record: record.ok_or_else(missing)?,
            old_with_new,
            new_with_old,
            older,
            stood: generation == newest && !unfinished,
        })
    }

    /// Whether it is the rollover that made the newest generation, held once more: the same day is
    /// named, or none within the year in which nobody means a second one. Another day within that year
    /// is refused.
    fn is_held_again(&self, wanted: RollOver, newest: u32) -> Result<bool, IssuerError> {
        let authority = wanted.authority;
        let Some(ca) = self.ca(authority).filter(|_| newest > 1) else {
            return Ok(false);
        };
        let begins = ca.issuer.validity().first_day();
        let usual = begins.plus_months(USUAL_MONTHS);
        match wanted.day {
            Some(day) if day == begins => Ok(true),
            Some(day) if day >= usual => Ok(false),
            None => Ok(self.today() < usual),
            Some(_) => Err(RollOverRefused::Lately {
                authority,
                newest,
                begins,
            }
            .into()),
        }
    }

    fn today(&self) -> JstDate {
        self.ports.clock.now().jst_date()
    }

    async fn next_key(
        &self,
        wanted: RollOver,
        generation: u32,
        actor: &str,
    ) -> Result<(), IssuerError> {
        let authority = wanted.authority;
        let newest = AuthorityKey::new(authority, generation - 1);
        let records = self.store.authorities().await?;
        let before = records
            .into_iter()
            .find(|record| record.key() == newest)
            .ok_or(IssuerError::NoAuthority(authority))?;
        let ca = self
            .ca_key(newest)
            .ok_or(IssuerError::NoAuthority(authority))?;
        let (period, day) = (ca.issuer.validity(), wanted.day);
        let day = day.unwrap_or_else(|| self.today());
        if day <= period.first_day() || day > period.last_day() {
            return Err(RollOverRefused::Day {
                authority,
                day,
                after: period.first_day(),
                until: period.last_day(),
            }
            .into());
        }
        let bases = before
            .addresses
            .bases(authority, before.generation)
            .ok_or(RollOverRefused::Addresses(authority))?;
        let key = NewKey {
            authority,
            generation,
            algorithm: wanted.algorithm.unwrap_or(before.algorithm),
            day,
            addresses: Addresses::at(&bases, authority, generation),
            crl_options: before.crl_options,
        };
        // Before the key is known: one whose links are missing issues nothing.
        self.set_linked(AuthorityKey::new(authority, generation), false);
        self.make_key(key, actor).await.map(|_| ())
    }

    fn set_linked(&self, key: AuthorityKey, linked: bool) {
        let mut unlinked = self
            .unlinked
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if linked {
            unlinked.remove(&key);
        } else {
            unlinked.insert(key);
        }
    }

    /// Tells until when each CA can issue with the keys that it has, as a metric and, within a year
    /// of that day, in the log.
    pub(crate) fn tell_issuing_ends(&self) {
        let today = self.today();
        let cas = self.cas.read().unwrap_or_else(PoisonError::into_inner);
        for authority in Authority::ALL {
            let own = cas
                .iter()
                .filter(|(key, _)| key.authority == authority && !self.is_unlinked(**key));
            let Some(last) = own
                .filter_map(|(_, ca)| ca.issuer.validity().last_issuing_day())
                .max()
            else {
                continue;
            };
            metrics::issuing_ends(authority, last.last_second());
            if last < today.plus_months(WARNING_MONTHS) {
                tracing::warn!(
                    %authority,
                    last_day = %last,
                    "a CA's key soon issues no more; roll it over with `lgpki ceremony rollover`"
                );
            }
        }
    }

    /// Tells it once a day, until the shutdown.
    pub(crate) async fn keep_telling_issuing_ends(&self, shutdown: Shutdown) {
        loop {
            self.tell_issuing_ends();
            let tomorrow = self.today().plus_days(1).start();
            tokio::select! {
                () = self.ports.clock.sleep_until(tomorrow) => {}
                () = shutdown.requested() => return,
            }
        }
    }

    /// Whether a key waits for its link with the one before, and so issues nothing.
    pub(crate) fn is_unlinked(&self, key: AuthorityKey) -> bool {
        let unlinked = self.unlinked.read().unwrap_or_else(PoisonError::into_inner);
        unlinked.contains(&key)
    }
}

/// The generations of which a link with the one before is missing.
pub(super) async fn unlinked<S: IssuerStore>(
    store: &S,
    records: &[AuthorityRecord],
) -> Result<Vec<AuthorityKey>, IssuerError> {
    let mut unlinked = Vec::new();
    for record in records.iter().filter(|record| record.generation > 1) {
        let (authority, new, old) = (record.authority, record.generation, record.generation - 1);
        let links = vec![
            Named::link(authority, old, new).application,
            Named::link(authority, new, old).application,
        ];
        let found = store.issuances(links).await?;
        if !found.iter().all(|link| matches!(link, Issuance::Issued(_))) {
            tracing::warn!(
                key = %record.key(),
                "a CA key is not linked with the one before and does not issue; hold the rollover \
                 ceremony again"
            );
            unlinked.push(record.key());
        }
    }
    Ok(unlinked)
}
