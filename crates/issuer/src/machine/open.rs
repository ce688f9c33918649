//! Open intents: in memory, and in a table so that a restart finds them.
//!
//! An intent is open for milliseconds. To make that cost next to nothing in the index, the table
//! holds one value for every 32 neighbouring entries of the log, not one for every intent.

use std::collections::{BTreeMap, HashMap};

use lgpki_domain::{ApplicationId, Authority, CrlScope, Digest, Serial, Timestamp};
use lgpki_store::{Span, Tables, View};

use super::{
    record::{Reader, read_application},
    table,
};

/// The entries of the log that share a value: 2^5 of 91 bytes fit into the 4 KB of a table's value.
const NEIGHBOURS_BITS: u32 = 5;

/// An open intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenIntent {
    pub(crate) authority: Authority,
    pub(crate) generation: u32,
    pub(crate) scope: CrlScope,
    pub(crate) attempt: u32,
    pub(crate) content_digest: Digest,
    pub(crate) serial: Serial,
    pub(crate) not_after: Timestamp,
    /// Index of `certificate.intent`.
    pub(crate) index: u64,
}

/// All open intents.
#[derive(Debug, Default)]
pub(crate) struct OpenIntents {
    intents: HashMap<ApplicationId, OpenIntent>,
    neighbours: BTreeMap<u64, Vec<ApplicationId>>,
}

impl OpenIntents {
    /// The open intent of an application.
    pub(crate) fn get(&self, application: ApplicationId) -> Option<&OpenIntent> {
        self.intents.get(&application)
    }

    /// All of them, in the order in which they were recorded.
    pub(crate) fn in_order(&self) -> Vec<(ApplicationId, &OpenIntent)> {
        let mut all: Vec<_> = self.intents.iter().map(|(a, open)| (*a, open)).collect();
        all.sort_by_key(|(_, open)| open.index);
        all
    }

    pub(super) fn insert(
        &mut self,
        tables: &mut Tables<'_>,
        application: ApplicationId,
        open: OpenIntent,
    ) {
        let group = open.index >> NEIGHBOURS_BITS;
        self.intents.insert(application, open);
        self.neighbours.entry(group).or_default().push(application);
        self.write(tables, group);
    }

    pub(super) fn remove(
        &mut self,
        tables: &mut Tables<'_>,
        application: ApplicationId,
    ) -> Option<OpenIntent> {
        let open = self.intents.remove(&application)?;
        let group = open.index >> NEIGHBOURS_BITS;
        if let Some(members) = self.neighbours.get_mut(&group) {
            members.retain(|member| *member != application);
            if members.is_empty() {
                self.neighbours.remove(&group);
            }
        }
        self.write(tables, group);
        Some(open)
    }

    fn write(&self, tables: &mut Tables<'_>, group: u64) {
        let key = group.to_be_bytes();
        let Some(members) = self.neighbours.get(&group) else {
            tables.delete(table::OPEN, &key);
            return;
        };
        let mut value = Vec::with_capacity(members.len() * 91);
        for member in members {
            if let Some(open) = self.intents.get(member) {
                open.write(*member, &mut value);
            }
        }
        tables.put(table::OPEN, &key, value);
    }

    /// What the table holds; `None` if it does not make sense.
    pub(super) fn load(view: &View<'_>) -> Option<Self> {
        let mut all = Self::default();
        for (key, value) in view.scan(table::OPEN, &Span::all()) {
            let group = u64::from_be_bytes(key.try_into().ok()?);
            let mut reader = Reader(&value);
            while !reader.0.is_empty() {
                let (application, open) = OpenIntent::read(&mut reader)?;
                all.intents.insert(application, open);
                all.neighbours.entry(group).or_default().push(application);
            }
        }
        Some(all)
    }
}

impl OpenIntent {
    fn write(&self, application: ApplicationId, out: &mut Vec<u8>) {
        out.extend_from_slice(&application.to_bytes());
        out.push(match self.authority {
            Authority::Organization => 1,
            Authority::Application => 2,
        });
        out.extend_from_slice(&self.generation.to_be_bytes());
        out.extend_from_slice(&self.scope.code().to_be_bytes());
        out.extend_from_slice(&self.attempt.to_be_bytes());
        out.extend_from_slice(&self.content_digest.0);
        out.extend_from_slice(self.serial.as_bytes());
        out.extend_from_slice(&self.not_after.as_millis().to_be_bytes());
        out.extend_from_slice(&self.index.to_be_bytes());
    }

    fn read(reader: &mut Reader<'_>) -> Option<(ApplicationId, Self)> {
        let application = read_application(&reader.take::<16>()?)?;
        let open = Self {
            authority: match reader.take::<1>()? {
                [1] => Authority::Organization,
                [2] => Authority::Application,
                _ => return None,
            },
            generation: u32::from_be_bytes(reader.take()?),
            scope: CrlScope::from_code(u16::from_be_bytes(reader.take()?))?,
            attempt: u32::from_be_bytes(reader.take()?),
            content_digest: Digest(reader.take()?),
            serial: Serial::from_bytes(&reader.take::<16>()?)?,
            not_after: Timestamp::from_millis(i64::from_be_bytes(reader.take()?)),
            index: u64::from_be_bytes(reader.take()?),
        };
        Some((application, open))
    }
}
