//! Renewal information: when a certificate is best renewed, how the days are loaded, and the slots' tokens.

use std::sync::Arc;

use lgpki_domain::{BodyCode, Faults, JstDate, Serial, slots::SlotBook};
use lgpki_proto::Failure;
use tokio::sync::watch;

use super::{App, LONGEST_PAGE, PAGE};
use crate::{
    config::SlotSettings,
    ports::{Cursor, LifecycleStore, Renewable, RenewableQuery},
    tokens::TokenSigner,
    worker::slots::Forecast,
};

/// Days that one answer about the load may have.
const MOST_DAYS: i32 = 1_000;

/// What renewal slots need besides the store.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    pub(crate) settings: Arc<SlotSettings>,
    /// What the last round of booking expected.
    pub(crate) forecast: watch::Receiver<Forecast>,
    pub(crate) signer: Arc<TokenSigner>,
}

/// A certificate with its slot's token.
#[derive(Clone, Debug)]
pub(crate) struct RenewalInfo {
    pub(crate) renewable: Renewable,
    /// Where it is wanted and there is a slot.
    pub(crate) token: Option<String>,
}

/// Which certificates' information is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) branch: Option<BodyCode>,
    pub(crate) slot_day: Option<JstDate>,
    pub(crate) after: Option<Cursor>,
    /// How many; 0 stands for the usual size of a page.
    pub(crate) size: u32,
    pub(crate) with_tokens: bool,
}

/// How a business day is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoadedDay {
    pub(crate) day: JstDate,
    pub(crate) booked: u32,
    /// In hundredths of an application.
    pub(crate) expected: u64,
    /// In hundredths of an application.
    pub(crate) load: u64,
}

impl<S: LifecycleStore> App<S> {
    /// The information of one certificate, if it is the branch's.
    pub(crate) async fn renewal_info(
        &self,
        serial: Serial,
        branch: Option<BodyCode>,
        with_token: bool,
    ) -> Result<RenewalInfo, Failure> {
        let found = self.store.renewable(serial).await?;
        let own = |one: &Renewable| branch.is_none_or(|branch| one.branch == Some(branch));
        let found = found.filter(own).ok_or_else(|| unknown(serial))?;
        if !found.is_renewable(self.clock.now()) {
            return Err(Failure::wrong_state(
                "NOT_RENEWABLE",
                format!(
                    "nobody can apply for a renewal of {serial}: it was revoked, has expired, is of a kind for \
                     which there are no applications, or was issued to no branch"
                ),
            ));
        }
        let mut infos = self.with_tokens(vec![found], with_token).await?;
        infos.pop().ok_or_else(|| unknown(serial))
    }

    /// A page of the information of many.
    pub(crate) async fn renewal_infos(
        &self,
        wanted: Wanted,
    ) -> Result<(Vec<RenewalInfo>, Option<Cursor>), Failure> {
        let size = match usize::try_from(wanted.size) {
            Ok(0) => PAGE,
            Ok(size) => size.min(LONGEST_PAGE),
            Err(_) => LONGEST_PAGE,
        };
        let now = self.clock.now();
        let query = RenewableQuery {
            branch: wanted.branch,
            slot_day: wanted.slot_day,
            opens_by: now.jst_date(),
            now,
        };
        let page = self.store.renewables(query, wanted.after, size).await?;
        let (found, next) = page;
        Ok((self.with_tokens(found, wanted.with_tokens).await?, next))
    }

    async fn with_tokens(
        &self,
        found: Vec<Renewable>,
        wanted: bool,
    ) -> Result<Vec<RenewalInfo>, Failure> {
        let now = self.clock.now();
        let key = if wanted {
            Some(self.slots.signer.key(&self.store, now).await?)
        } else {
            None
        };
        let today = now.jst_date();
        let info = |renewable: Renewable| RenewalInfo {
            token: key.and_then(|key| key.token(&renewable, today)),
            renewable,
        };
        Ok(found.into_iter().map(info).collect())
    }

    /// How the business days from `from` to `to` are loaded; today, and the last day with a slot, if not given.
    pub(crate) async fn slot_load(
        &self,
        from: Option<JstDate>,
        to: Option<JstDate>,
    ) -> Result<Vec<LoadedDay>, Failure> {
        let booked = self.store.slot_load().await?;
        let from = from.unwrap_or_else(|| self.clock.now().jst_date());
        let last = booked.keys().next_back().copied();
        let to = to.or(last).unwrap_or(from);
        if to.number() - from.number() > MOST_DAYS {
            let mut faults = Faults::new();
            let message = format!("{from} to {to} are more than {MOST_DAYS} days; ask for fewer");
            faults.push("to", "TOO_MANY", message);
            return Err(faults.into());
        }
        let settings = &self.slots.settings;
        let mut book: SlotBook<Serial> = SlotBook::new(settings.calendar.clone(), settings.rules);
        let forecast = Arc::clone(&self.slots.forecast.borrow());
        for (day, expected) in forecast.range(from..) {
            book.expect(*day, *expected);
        }
        for (day, certificates) in booked.range(from..) {
            book.occupied(*day, *certificates);
        }
        let days = settings.calendar.business_days(from, to);
        let loaded = |day| LoadedDay {
            day,
            booked: booked.get(&day).copied().unwrap_or_default(),
            expected: forecast.get(&day).copied().unwrap_or_default(),
            load: book.load(day),
        };
        Ok(days.map(loaded).collect())
    }
}

fn unknown(serial: Serial) -> Failure {
    Failure::not_found(
        "CERTIFICATE_UNKNOWN",
        format!("no certificate with the serial number {serial} is known here"),
    )
}
