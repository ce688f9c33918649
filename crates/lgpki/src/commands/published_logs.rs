//! Leaves the logs that services have published, and the keys to verify them with, for auditors.

use std::{fs, path::Path};

use lgpki_proto::ServiceName;

use crate::error::CommandError;

/// Copies what the services have published of their logs to `audit/`, and the keys to verify it with to
/// `audit-keys/`; `ca` is the authority's directory, in which nothing runs any more.
pub(super) fn leave(out: &Path, ca: &Path) -> Result<(), CommandError> {
    for service in ServiceName::ALL {
        let name = service.name();
        let from = ca.join("data").join(name).join("audit");
        copy(&from, &out.join("audit").join(name))?;
    }
    copy(&ca.join("audit-keys"), &out.join("audit-keys"))
}

/// Copies a directory with all that is in it; what a run before left there goes.
fn copy(from: &Path, to: &Path) -> Result<(), CommandError> {
    if to.exists() {
        fs::remove_dir_all(to).map_err(|e| CommandError::file("replace", to, &e))?;
    }
    fs::create_dir_all(to).map_err(|e| CommandError::file("make", to, &e))?;
    let entries = fs::read_dir(from).map_err(|e| CommandError::file("read", from, &e))?;
    for entry in entries {
        let path = entry
            .map_err(|e| CommandError::file("read", from, &e))?
            .path();
        let Some(name) = path.file_name() else {
            continue;
        };
        let place = to.join(name);
        if path.is_dir() {
            copy(&path, &place)?;
        } else {
            fs::copy(&path, &place).map_err(|e| CommandError::file("write", &place, &e))?;
        }
    }
    Ok(())
}
