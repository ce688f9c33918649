//! The issuer's feed beside what lifecycle's log holds of it.
//!
//! Both ascend by the index of the issuer's log, so one walk along both finds what one of them lacks
//! and what they tell differently.

use std::collections::VecDeque;

use lgpki_domain::Serial;
use lgpki_ledger::Recorded;

use super::{
    super::event::{CertificateAbandoned, CertificateRegistered, LifecycleEvent},
    Found,
};
use crate::ports::{FeedEvent, FeedItem, Place};

/// The walk.
#[derive(Debug)]
pub(super) struct Join {
    /// What the log holds and the feed has not told yet, with the index in the issuer's log.
    recorded: VecDeque<(u64, Told)>,
    until: u64,
}

/// An entry of either side.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Registered(Box<CertificateRegistered>),
    Abandoned(CertificateAbandoned),
}

impl Join {
    /// Compares what is below `until`.
    pub(super) const fn new(until: u64) -> Self {
        Self {
            recorded: VecDeque::new(),
            until,
        }
    }

    /// Takes note of an entry of lifecycle's log.
    pub(super) fn recorded(&mut self, recorded: &Recorded<LifecycleEvent>) {
        let told = match &recorded.event {
            LifecycleEvent::Registered(body) => Told::Registered(Box::new(body.clone())),
            LifecycleEvent::Abandoned(body) => Told::Abandoned(body.clone()),
            _ => return,
        };
        let answers = recorded.stamp.answers.as_ref();
        let index = answers.map_or(0, |entry| entry.index);
        if index < self.until {
            self.recorded.push_back((index, told));
        }
    }

    /// Whether more of the log is needed to judge an item.
    pub(super) fn lacks(&self, item: &FeedItem) -> bool {
        let last = self.recorded.back();
        item.index < self.until && last.is_none_or(|(index, _)| *index < item.index)
    }

    /// Compares an item of the feed.
    pub(super) fn take_in(&mut self, item: FeedItem, found: &mut Found) {
        if item.index >= self.until {
            return;
        }
        while let Some((_, told)) = self.recorded.pop_front_if(|(index, _)| *index < item.index) {
            surplus(&told, found);
        }
        let told = match item.event {
            FeedEvent::Issued(issued) => Told::Registered(Box::new((*issued).into())),
            FeedEvent::Abandoned(abandoned) => Told::Abandoned(abandoned.into()),
        };
        match self
            .recorded
            .pop_front_if(|(index, _)| *index == item.index)
        {
            Some((_, recorded)) if recorded == told => {}
            Some((_, recorded)) => compare(recorded, told, found),
            None => found.missing(
                Place::Log,
                Some(told.serial()),
                "entry",
                (|| format!("{} at {}", told.name(), item.index), false),
            ),
        }
    }

    /// Takes note of what the feed, which has come to its end, did not tell.
    pub(super) fn leave(&mut self, found: &mut Found) {
        for (_, told) in self.recorded.drain(..) {
            surplus(&told, found);
        }
    }
}

impl Told {
    fn serial(&self) -> Serial {
        match self {
            Self::Registered(body) => body.serial,
            Self::Abandoned(body) => body.serial,
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Registered(_) => "issued",
            Self::Abandoned(_) => "abandoned",
        }
    }
}

fn surplus(told: &Told, found: &mut Found) {
    let present = || told.name().to_owned();
    found.missing(Place::Log, Some(told.serial()), "entry", (present, true));
}

fn compare(recorded: Told, told: Told, found: &mut Found) {
    match (recorded, told) {
        (Told::Registered(live), Told::Registered(rebuilt)) => {
            found.fields(
                Place::Log,
                rebuilt.serial,
                registered(&live),
                registered(&rebuilt),
            );
        }
        (Told::Abandoned(live), Told::Abandoned(rebuilt)) => {
            found.fields(
                Place::Log,
                rebuilt.serial,
                abandoned(&live),
                abandoned(&rebuilt),
            );
        }
        (live, rebuilt) => found.differs(Place::Log, Some(rebuilt.serial()), || {
            (
                "entry".to_owned(),
                live.name().to_owned(),
                rebuilt.name().to_owned(),
            )
        }),
    }
}

fn registered(body: &CertificateRegistered) -> [(&'static str, String); 13] {
    let branch = body.branch.map(|branch| branch.to_string());
    [
        ("application", body.application.to_string()),
        ("authority", body.authority.name().to_owned()),
        ("branch", branch.unwrap_or_default()),
        (
            "certificate",
            lgpki_x509::key::sha256(&body.der).to_string(),
        ),
        ("key-generation", body.generation.to_string()),
        ("issued-at", body.issued_at.to_string()),
        ("key-digest", body.key_digest.to_string()),
        ("kind", body.kind.name().to_owned()),
        ("not-after", body.not_after.to_string()),
        ("not-before", body.not_before.to_string()),
        ("crl-scope", body.scope.to_string()),
        ("serial", body.serial.to_string()),
        ("subject", format!("{:?}", body.subject)),
    ]
}

fn abandoned(body: &CertificateAbandoned) -> [(&'static str, String); 7] {
    [
        ("abandoned-at", body.abandoned_at.to_string()),
        ("application", body.application.to_string()),
        ("authority", body.authority.name().to_owned()),
        ("key-generation", body.generation.to_string()),
        ("not-after", body.not_after.to_string()),
        ("crl-scope", body.scope.to_string()),
        ("serial", body.serial.to_string()),
    ]
}
