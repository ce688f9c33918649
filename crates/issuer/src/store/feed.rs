//! Reading the feed: the entries of the log that concern an inventory of certificates, from memory
//! where they are recent.

use std::sync::Arc;

use lgpki_ledger::{Body, LogReader, Recorded, decode};

use crate::{
    error::StoreError,
    event::{Abandoned, Issued, IssuerEvent},
    ports::FeedPage,
};

/// Bytes of entries read at once; a page of certificates stays far below gRPC's 4 MiB.
pub(super) const PAGE_BYTES: usize = 1024 * 1024;

/// The page of these events, which begin at `from`.
pub(super) fn recent_page(events: &[Arc<Recorded<IssuerEvent>>], from: u64) -> FeedPage {
    let shown = |one: &&Arc<Recorded<IssuerEvent>>| {
        matches!(
            one.event,
            IssuerEvent::Issued(_) | IssuerEvent::Abandoned(_)
        )
    };
    FeedPage {
        next: events.last().map_or(from, |last| last.index + 1),
        events: events
            .iter()
            .filter(shown)
            .map(|one| Recorded::clone(one))
            .collect(),
    }
}

/// The page that begins at `from`, read from the log.
pub(super) fn page(log: &LogReader, from: u64, most: usize) -> Result<FeedPage, StoreError> {
    let size = log.durable();
    if from > size {
        return Err(StoreError::Beyond { from, size });
    }
    let mut events = Vec::new();
    let mut next = from;
    for (index, bytes) in log.read(from, most, PAGE_BYTES)? {
        next = index + 1;
        if concerns_the_inventory(&bytes) {
            let recorded = decode::<IssuerEvent>(index, &bytes)
                .map_err(|source| StoreError::Entry { index, source })?;
            events.push(recorded);
        }
    }
    Ok(FeedPage { events, next })
}

/// Whether the entry is of a kind that the feed shows, judged without parsing it: an entry is
/// canonical, so `"kind"` is the fourth last member, and a quote within a text is never bare.
fn concerns_the_inventory(entry: &[u8]) -> bool {
    const MARK: &[u8] = b",\"kind\":\"";
    let Some(at) = entry.windows(MARK.len()).rposition(|w| w == MARK) else {
        return false;
    };
    let kind = entry.get(at + MARK.len()..).unwrap_or_default();
    [Issued::KIND, Abandoned::KIND].iter().any(|shown| {
        kind.strip_prefix(shown.as_bytes())
            .is_some_and(|rest| rest.starts_with(b"\""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_entry_s_own_kind_counts() {
        let entry = |kind: &str, body: &str| {
            format!(
                r#"{{"actor":"intake","body":{body},"kind":"{kind}","node":"i","time":"t","v":1}}"#
            )
        };
        let inner = r#"{"id":"x","kind":"certificate.issued","z":1}"#;
        assert!(!concerns_the_inventory(
            entry("certificate.intent", inner).as_bytes()
        ));
        assert!(concerns_the_inventory(
            entry("certificate.issued", r#"{"id":1,"kind":"mail"}"#).as_bytes()
        ));
        assert!(concerns_the_inventory(
            entry("certificate.abandoned", "{}").as_bytes()
        ));
        assert!(!concerns_the_inventory(
            entry("certificate.issuedx", "{}").as_bytes()
        ));
        assert!(!concerns_the_inventory(b"{}"));
    }
}
