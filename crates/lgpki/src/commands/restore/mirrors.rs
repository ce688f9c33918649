//! Copies of a service's published logs: where they lie in what was named, and whether they are this
//! service's.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_ledger::{Disk, Identity, LogId, Mirror, TreeError};

use crate::output::Output;

/// A copy that was named and cannot be used at all.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) dir: PathBuf,
    pub(super) why: String,
}

/// The copies of `identity`'s logs that lie in `named`, and in the service's data directory.
pub(super) fn open(
    disk: &Arc<dyn Disk>,
    identity: &Identity,
    (named, data): (&[PathBuf], &Path),
) -> (Vec<Mirror>, Vec<Refused>) {
    let service = identity.service();
    let mut dirs = vec![data.join("audit")];
    for dir in named {
        dirs.push(dir.join(service));
        dirs.push(dir.join(service).join("audit"));
        if is_of(dir, identity) {
            dirs.push(dir.clone());
        }
    }
    let mut known = Vec::new();
    let (mut mirrors, mut refused) = (Vec::new(), Vec::new());
    for dir in dirs {
        // Named twice, it is looked at once.
        let place = fs::canonicalize(&dir).unwrap_or_else(|_| dir.clone());
        if known.contains(&place) {
            continue;
        }
        known.push(place);
        match Mirror::open(disk, &dir, identity) {
            Ok(Some(mirror)) => mirrors.push(mirror),
            Ok(None) => {}
            Err(error) => refused.push(Refused {
                why: chain(&error),
                dir,
            }),
        }
    }
    (mirrors, refused)
}

/// Says what cannot be used.
pub(super) fn tell(mirrors: &[Mirror], refused: &[Refused], output: Output) {
    let broken = mirrors
        .iter()
        .filter_map(|mirror| Some((mirror.path(), chain(mirror.broken()?))));
    let refused = refused
        .iter()
        .map(|one| (one.dir.as_path(), one.why.clone()));
    for (dir, why) in refused.chain(broken) {
        let value = serde_json::json!({ "unusable": dir.display().to_string(), "why": why });
        output.notice(&value, || {
            format!("the copy in {} is not used: {why}", dir.display())
        });
    }
}

/// Whether the logs that lie in a directory itself are the service's.
fn is_of(dir: &Path, identity: &Identity) -> bool {
    let Ok(found) = fs::read_dir(dir) else {
        return false;
    };
    let names = found.flatten();
    let logs = names.filter_map(|name| {
        let log: LogId = name.file_name().to_str()?.parse().ok()?;
        let note = fs::read_to_string(name.path().join("checkpoint")).ok()?;
        Some((log, note))
    });
    let mut logs = logs.filter(|(log, note)| {
        let origin = identity.origin(*log).to_string();
        note.lines().next() == Some(origin.as_str())
    });
    logs.next().is_some()
}

fn chain(error: &TreeError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
