//! The limits in force, one record, and the changes that made them.

use lgpki_domain::{Caller, Limits, Timestamp};
use lgpki_ledger::Stamp;
use lgpki_store::{Decision, StoreError, Tables, View};
use serde::{Deserialize, Serialize};

use super::{
    EngineStore, LONGEST_CALLER,
    command::{Command, Outcome},
    event::{IntakeEvent, LimitsChanged, TurnedAway},
    tables::LIMITS,
    unexpected,
};
use crate::{
    error::StoreError as Failed,
    ports::{Changed, LimitsInForce, LimitsStore, Turned},
};

/// The key of the one record.
const KEY: &[u8] = b"now";

/// The record.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    at: i64,
    by: String,
    event: LimitsChanged,
}

/// The limits in force.
#[derive(Debug, Default)]
pub(crate) struct LimitsTable(LimitsInForce);

impl LimitsTable {
    pub(crate) fn load(view: &View<'_>) -> Result<Self, StoreError> {
        let Some(value) = view.get(LIMITS, KEY) else {
            return Ok(Self::default());
        };
        let record: Record = serde_json::from_slice(&value)
            .map_err(|e| StoreError::Corrupt(format!("the limits: {e}")))?;
        let at = Timestamp::from_millis(record.at);
        Ok(Self(in_force(&record.event, at, &record.by)))
    }

    pub(crate) const fn in_force(&self) -> &LimitsInForce {
        &self.0
    }

    /// Changes the limits, unless somebody else changed them first.
    pub(crate) fn decide(
        &self,
        limits: Limits,
        seen: u64,
        stamp: Stamp,
    ) -> Decision<IntakeEvent, Outcome> {
        if seen != self.0.revision {
            return Decision::answer(Outcome::LimitsChangedBefore(self.0.clone()));
        }
        if limits == self.0.limits {
            return Decision::answer(Outcome::LimitsInForce(self.0.clone()));
        }
        let event = LimitsChanged::new(&limits, seen + 1);
        let after = in_force(&event, stamp.time, &stamp.actor);
        Decision::record(
            stamp,
            IntakeEvent::from(event),
            Outcome::LimitsInForce(after),
        )
    }

    pub(crate) fn apply(&mut self, tables: &mut Tables<'_>, event: &LimitsChanged, stamp: &Stamp) {
        self.0 = in_force(event, stamp.time, &stamp.actor);
        let record = Record {
            at: stamp.time.as_millis(),
            by: stamp.actor.clone(),
            event: event.clone(),
        };
        // Strings and integers, which JSON can always write.
        tables.put(LIMITS, KEY, serde_json::to_vec(&record).unwrap_or_default());
    }
}

fn in_force(event: &LimitsChanged, at: Timestamp, by: &str) -> LimitsInForce {
    LimitsInForce {
        limits: event.limits(),
        revision: event.revision,
        changed: Some(Changed {
            at,
            by: by.to_owned(),
        }),
    }
}

impl LimitsStore for EngineStore {
    async fn limits(&self) -> Result<LimitsInForce, Failed> {
        self.read(|machine, _| Ok(machine.limits.in_force().clone()))
            .await
    }

    async fn change_limits(
        &self,
        limits: Limits,
        seen: u64,
        caller: Caller,
        at: Timestamp,
    ) -> Result<Result<LimitsInForce, LimitsInForce>, Failed> {
        let stamp = Stamp::new(at, caller.to_string());
        let command = Command::ChangeLimits {
            limits,
            seen,
            stamp,
        };
        match self.one(command).await? {
            Outcome::LimitsInForce(after) => Ok(Ok(after)),
            Outcome::LimitsChangedBefore(standing) => Ok(Err(standing)),
            other => Err(unexpected(other)),
        }
    }

    async fn note_turned_away(&self, turned: Vec<Turned>, at: Timestamp) -> Result<(), Failed> {
        let turned = turned
            .into_iter()
            .map(|one| TurnedAway {
                caller: one.who.chars().take(LONGEST_CALLER).collect(),
                count: one.count,
                limit: one.limit.to_owned(),
            })
            .collect();
        match self.one(Command::NoteTurnedAway { turned, at }).await? {
            Outcome::Noted => Ok(()),
            other => Err(unexpected(other)),
        }
    }
}
