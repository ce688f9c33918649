//! A walk along the entries of a log from its first to its last, each compared with the tree that the
//! checkpoint signs for. What is made of them is the caller's.

use lgpki_ledger::TileReader;

use crate::{
    directory::LogDir,
    error::AuditError,
    proof::{chain, read_entry},
    view,
};

/// Entries in a bundle.
const BUNDLE: u64 = 256;

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    /// Its leaf in the tree.
    pub(crate) leaf: u64,
    /// Its index, counted over all years; none of an opening entry, and none in the log of keys.
    pub(crate) index: Option<u64>,
}

/// Hands out the entries of a log; `progress` is told how many came since.
pub(crate) fn walk(
    log: &LogDir,
    reader: &TileReader,
    progress: &mut dyn FnMut(u64),
    mut each: impl FnMut(At, &[u8]) -> Result<(), AuditError>,
) -> Result<(), AuditError> {
    let mut first: Option<u64> = None;
    for number in 0..reader.bundles() {
        let bundle = reader
            .bundle(number)
            .map_err(|error| AuditError::Unreadable {
                path: log.path.clone(),
                why: chain(&error),
            })?;
        for (leaf, entry) in (number * BUNDLE..).zip(bundle.iter()) {
            if leaf == 0 {
                first = first_index(entry);
            }
            let behind = leaf.checked_sub(1);
            let index = first.zip(behind).map(|(first, n)| first.saturating_add(n));
            each(At { leaf, index }, entry)?;
        }
        progress(bundle.len() as u64);
    }
    Ok(())
}

/// The index of the entry after the opening one; of the log of keys, none has any.
fn first_index(entry: &[u8]) -> Option<u64> {
    let entry = read_entry(entry).filter(|entry| entry.kind == "log.opened")?;
    let opened: view::Opened = serde_json::from_str(entry.body.get()).ok()?;
    (!opened.log.ends_with("/keys")).then_some(opened.first)
}
