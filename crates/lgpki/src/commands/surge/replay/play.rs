//! The play: applications arrive, examiners take one after the other, certificates go to their branches, CRLs come
//! every day, and the clock moves on when nothing of it is left to do.

mod advice;
mod arrivals;
mod examination;
mod opening;

use std::collections::{BTreeMap, HashMap};

use lgpki_domain::{
    ApplicationId, BodyCode, BusinessCalendar, JstDate, Timestamp,
    directory::Body,
    estimate::Capacity,
    order::{Claim, Waiting},
};
use lgpki_proto::ServiceName;
use lgpki_surge::{Arrival, Case, Pace, Population, Visits};
use tokio::time::timeout;

use self::advice::Advice;
use super::{
    super::{super::init::offices::Card, front::PATIENCE},
    agenda::{Agenda, next_daily},
    offices::Offices,
    system::System,
    wishes::Holder,
};
use crate::error::CommandError;

/// Logins are valid for three years from the opening; new ones are made by ceremony on this day, in the evening, before
/// the first slots are booked.
const LOGINS_ANEW: (i16, i8, i8) = (2010, 7, 1);
const EVENING: i64 = 20 * 3600;

/// What is played.
#[derive(Clone, Copy)]
pub(super) struct Script<'a> {
    pub(super) calendar: &'a BusinessCalendar,
    pub(super) population: &'a Population,
    pub(super) arrivals: &'a [Arrival],
    pub(super) bodies: &'a BTreeMap<BodyCode, Body>,
    pub(super) capacity: Capacity,
    pub(super) agenda: Agenda,
    /// What arrives before is left out.
    pub(super) from: JstDate,
    /// The last day.
    pub(super) to: JstDate,
}

/// A certificate's holder as the play knows it.
#[derive(Clone, Debug, Default)]
struct Held {
    /// Counted within the branch.
    number: u32,
    /// The certificate that was delivered last, and when it expires.
    certificate: Option<(String, Timestamp)>,
    /// Whether its renewal was applied for.
    renewed: bool,
}

/// An application that was received.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: String,
    holding: usize,
    pub(super) case: Case,
}

/// Something to be sent (again) at a time: an arrival, and how often it was tried.
#[derive(Clone, Copy, Debug)]
struct Sending {
    arrival: Arrival,
    tries: u32,
}

/// What the play notes.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Applications of the years.
    pub(super) entries: Vec<Entry>,
    /// Applications of the opening days.
    pub(super) imported: Vec<String>,
    /// Applications that no branch sent.
    pub(super) apart: Vec<String>,
    /// Sent again because intake said so.
    pub(super) retries: u64,
    /// Refused for good, by reason.
    pub(super) refused: BTreeMap<String, u64>,
    /// Steps of the clock.
    pub(super) steps: u64,
}

/// The play.
pub(super) struct Play<'a> {
    script: Script<'a>,
    pub(super) system: System,
    pub(super) offices: Offices,
    held: Vec<Held>,
    /// Where in the record the applications stand that wait for examination.
    waiting: HashMap<String, usize>,
    pace: Pace<'a>,
    /// How many arrivals have been taken up.
    arrived: usize,
    later: BTreeMap<Timestamp, Vec<Sending>>,
    /// Holdings to be imported, by day.
    openings: BTreeMap<JstDate, Vec<usize>>,
    daily: Timestamp,
    /// When logins are made anew, and those there are.
    logins: Option<Timestamp>,
    cards: Vec<Card>,
    advice: Option<Advice>,
    /// Which holding has the certificate of a serial number.
    by_serial: HashMap<String, usize>,
    /// The tokens of the slots in which holdings come.
    tokens: HashMap<usize, String>,
    pub(super) record: Record,
}

impl<'a> Play<'a> {
    /// Everybody is there, nothing has happened yet.
    pub(super) async fn new(
        script: Script<'a>,
        system: System,
        cards: Vec<Card>,
        visits: Option<Visits>,
    ) -> Result<Self, CommandError> {
        let offices = Offices::new(&system, &cards)?;
        offices.are_known().await?;
        let mut numbers: BTreeMap<Option<BodyCode>, u32> = BTreeMap::new();
        let mut held = Vec::with_capacity(script.population.holdings.len());
        let mut openings: BTreeMap<JstDate, Vec<usize>> = BTreeMap::new();
        for (place, holding) in script.population.holdings.iter().enumerate() {
            let number = numbers.entry(holding.branch).or_default();
            held.push(Held {
                number: *number,
                certificate: None,
                renewed: false,
            });
            *number += 1;
            if let (None, Some(day)) = (holding.applied, holding.issued) {
                openings.entry(day).or_default().push(place);
            }
        }
        let (year, month, day) = LOGINS_ANEW;
        let logins = JstDate::try_new(year, month, day).filter(|day| *day <= script.to);
        let daily = next_daily(system.now());
        let play = Self {
            script,
            system,
            offices,
            held,
            waiting: HashMap::new(),
            pace: Pace::new(script.calendar, script.capacity),
            arrived: script
                .arrivals
                .partition_point(|a| a.waiting.received.jst_date() < script.from),
            later: BTreeMap::new(),
            openings,
            daily,
            logins: logins.map(|day| day.start().plus_seconds(EVENING)),
            cards,
            advice: visits.map(|visits| Advice::new(&script, visits)),
            by_serial: HashMap::new(),
            tokens: HashMap::new(),
            record: Record::default(),
        };
        play.published().await?;
        Ok(play)
    }

    /// Plays on to the next thing that is due, and does it; `None` when the last day is over, else the day.
    pub(super) async fn step(&mut self) -> Result<Option<JstDate>, CommandError> {
        let end = self.script.to.last_second();
        let Some(at) = self.next_instant().filter(|at| *at <= end) else {
            return Ok(None);
        };
        self.record.steps += 1;
        self.system.clock().set(at);
        if at >= self.daily {
            self.daily = next_daily(at);
            self.published().await?;
        }
        if self.logins.is_some_and(|due| due <= at) {
            self.logins = None;
            self.make_logins_anew().await?;
        }
        self.heed_advice(at).await?;
        self.import(at).await?;
        self.examine(at).await?;
        self.receive(at).await?;
        Ok(Some(at.jst_date()))
    }

    /// How many days there are to play.
    pub(super) fn days(&self) -> u64 {
        let days = self.script.to.number() - self.script.population.first.number() + 1;
        u64::try_from(days).unwrap_or_default()
    }

    /// Which of these days that is.
    pub(super) fn day_of(&self, day: JstDate) -> u64 {
        let number = day.number() - self.script.population.first.number();
        u64::try_from(number).unwrap_or_default()
    }

    fn next_instant(&self) -> Option<Timestamp> {
        let look = |at: Timestamp| self.script.agenda.look(at);
        let arrival = self.script.arrivals.get(self.arrived);
        let opening = self
            .openings
            .keys()
            .next()
            .map(|day| super::agenda::opening(*day));
        // Nothing happens between the opening days and the first day that is played: not even CRLs are waited for.
        let daily = Some(self.daily).filter(|at| opening.is_some() || !self.is_left_out(*at));
        [
            daily,
            self.logins,
            self.advice.as_ref().map(Advice::due),
            opening,
            arrival.map(|arrival| look(arrival.waiting.received)),
            self.pace.next().map(look),
            self.later.keys().next().map(|at| look(*at)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn is_left_out(&self, at: Timestamp) -> bool {
        self.waiting.is_empty() && self.later.is_empty() && at.jst_date() < self.script.from
    }

    /// Returns once the CRLs of this hour are published and the publisher sleeps until the next.
    async fn published(&self) -> Result<(), CommandError> {
        let asleep = self.system.clock().someone_sleeps_until(self.daily);
        timeout(PATIENCE, asleep)
            .await
            .map_err(|_| CommandError::new(format!("no CRLs at {}", self.system.now())))
    }

    async fn make_logins_anew(&mut self) -> Result<(), CommandError> {
        self.system.stop(ServiceName::Issuer).await?;
        let cards = self.system.logins(&self.branches()).await?;
        self.system.start().await?;
        self.offices = Offices::new(&self.system, &cards)?;
        self.offices.are_known().await?;
        // What is replaced is ended, or slots would be booked for it.
        let before = std::mem::replace(&mut self.cards, cards);
        let replaced = before.iter().filter_map(|card| {
            let serial = card.serial()?.to_string();
            Some((card.body?, serial))
        });
        let examined = super::wishes::examined(self.system.now().jst_date());
        let ids = self.offices.replace(replaced.collect(), &examined).await?;
        self.record.apart.extend(ids);
        self.system.at_rest().await
    }

    fn branches(&self) -> Vec<BodyCode> {
        let sizes = self.script.population.sizes();
        sizes.into_keys().flatten().collect()
    }

    fn holder(&self, holding: usize) -> Result<(BodyCode, Holder<'a>), CommandError> {
        let unknown = || CommandError::new("a made-up holder has no branch");
        let found = self.script.population.holdings.get(holding);
        let branch = found.and_then(|h| h.branch).ok_or_else(unknown)?;
        let body = self.script.bodies.get(&branch).ok_or_else(unknown)?;
        let number = self.held.get(holding).map_or(0, |held| held.number);
        Ok((branch, Holder { body, number }))
    }

    /// A delivered certificate is the holder's from now on.
    fn hand_over(&mut self, holding: usize, serial: String) {
        let day = self.system.now().jst_date();
        let expires = lgpki_domain::Validity::for_subscriber(day).last_day();
        if let Some(held) = self.held.get_mut(holding) {
            self.by_serial.insert(serial.clone(), holding);
            held.certificate = Some((serial, expires.plus_days(1).start()));
        }
    }
}

/// A name for a visit that the trace does not know of; only request ids come from it.
fn visit(holding: usize, comes: Timestamp) -> ApplicationId {
    let millis = u128::from(comes.as_millis().unsigned_abs());
    let number = holding as u128 | (1 << 79);
    ApplicationId::from_bytes(((millis << 80) | number).to_be_bytes())
}

/// Whether an application of this sort waits for an examiner.
const fn is_examined(claim: Claim) -> bool {
    !matches!(claim, Claim::EmergencyRevocation)
}

/// Whether a certificate comes of it.
const fn yields_certificate(waiting: &Waiting) -> bool {
    matches!(waiting.claim, Claim::New | Claim::Renewal { .. })
}
