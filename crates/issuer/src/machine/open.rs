//! Open intents: in memory, and in a table so that a restart finds them.
//!
//! An intent is open for milliseconds. To make that cost next to nothing in the index, the table is
//! packed: neighbouring entries of the log share a value.

use std::collections::HashMap;

use lgpki_domain::{ApplicationId, Authority, CrlScope, Digest, Serial, Timestamp};
use lgpki_store::{StoreError, Tables, View};

use super::{record::Reader, table};

/// An open intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenIntent {
    pub(crate) authority: Authority,
    pub(crate) generation: u32,
    pub(crate) scope: CrlScope,
    pub(crate) attempt: u32,
    pub(crate) content_digest: Digest,
    pub(crate) key_digest: Digest,
    pub(crate) serial: Serial,
    pub(crate) not_after: Timestamp,
    /// Index of `certificate.intent`.
    pub(crate) index: u64,
}

/// All open intents.
#[derive(Debug, Default)]
pub(crate) struct OpenIntents {
    intents: HashMap<ApplicationId, OpenIntent>,
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
        tables.put_packed(table::OPEN, open.index, &open.to_bytes(application));
        self.intents.insert(application, open);
    }

    pub(super) fn remove(
        &mut self,
        tables: &mut Tables<'_>,
        application: ApplicationId,
    ) -> Option<OpenIntent> {
        let open = self.intents.remove(&application)?;
        tables.delete_packed(table::OPEN, open.index);
        Some(open)
    }

    /// What the table holds.
    pub(super) fn load(view: &View<'_>) -> Result<Self, StoreError> {
        let mut all = Self::default();
        view.each_packed(table::OPEN, |_, bytes| {
            let (application, open) = OpenIntent::from_bytes(bytes)
                .ok_or_else(|| StoreError::Corrupt("an open intent".to_owned()))?;
            all.intents.insert(application, open);
            Ok(())
        })?;
        Ok(all)
    }

    /// The keys of all of them, with their applications.
    pub(super) fn keys(&self) -> impl Iterator<Item = (Digest, ApplicationId)> {
        self.intents.iter().map(|(id, open)| (open.key_digest, *id))
    }
}

impl OpenIntent {
    fn to_bytes(self, application: ApplicationId) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.extend_from_slice(&application.to_bytes());
        out.push(match self.authority {
            Authority::Organization => 1,
            Authority::Application => 2,
        });
        out.extend_from_slice(&self.generation.to_be_bytes());
        out.extend_from_slice(&self.scope.code().to_be_bytes());
        out.extend_from_slice(&self.attempt.to_be_bytes());
        out.extend_from_slice(&self.content_digest.0);
        out.extend_from_slice(&self.key_digest.0);
        out.extend_from_slice(self.serial.as_bytes());
        out.extend_from_slice(&self.not_after.as_millis().to_be_bytes());
        out.extend_from_slice(&self.index.to_be_bytes());
        out
    }

    fn from_bytes(bytes: &[u8]) -> Option<(ApplicationId, Self)> {
        let mut reader = Reader(bytes);
        let application = ApplicationId::from_bytes(reader.take()?);
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
            key_digest: Digest(reader.take()?),
            serial: Serial::from_bytes(&reader.take::<16>()?)?,
            not_after: Timestamp::from_millis(i64::from_be_bytes(reader.take()?)),
            index: u64::from_be_bytes(reader.take()?),
        };
        reader.end((application, open))
    }
}
